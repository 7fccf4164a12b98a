"""Parity with the official SepReformer, with its weights: features, estimates, losses and the gradient."""

import re
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
import torch
from helpers.golden import Golden
from helpers.second_golden import Tensors, goldens, repeat
from torch import Tensor

from asdlib.losses.multi_stage import magnitude_loss, waveform_loss
from asdlib.separators.sepreformer import SepReformer

RATE = 8000  # of the reference, whose sizes are in samples; ours are in milliseconds
MS = 1000 / RATE
FEATURES = r"encoder_out|projected|rel_pos_keys|enc_stage\d+_(out|skip)|bottleneck_out|dec_stage\d+_out|separator_out"


def second(config: dict[str, Any], io: Tensors, weights: Tensors) -> None:
    """Repeat the batch; add larger relative positions, whose keys repeat those of the largest."""
    repeat(io, [name for name in io if "loss" not in name and "aux" not in name and name != "rel_pos_keys"])
    repeat(io, [name for name in io if "aux" in name], axis=1)
    io["train_grad_mixture"] /= 2  # the gradient of a mean over the batch
    table = weights["separator.pos_emb.pe_k.weight"]
    weights["separator.pos_emb.pe_k.weight"] = torch.cat([table[:1].expand(3, -1), table, table[-1:].expand(3, -1)])
    config["hyperparameters"]["max_rel_pos"] += 3


case = goldens("sepreformer_tiny", second=second)


def tiny(case: Golden) -> SepReformer:
    """Return the golden's network with its weights, loaded strictly under their published names."""
    sizes = case.sizes
    built = SepReformer(
        channels=sizes["feature_dim"],
        stages=sizes["num_stages"],
        kernel=sizes["encoder_kernel"] * MS,
        stride=sizes["encoder_stride"] * MS,
        dropout=sizes["dropout"],
        encoder_channels=sizes["encoder_dim"],
        heads=sizes["num_heads"],
        local_kernel=sizes["local_kernel"],
        down_kernel=sizes["down_kernel"],
        positions=sizes["max_rel_pos"],
        stft_frame=sizes["loss_frame_length"] * MS,
        stft_hop=sizes["loss_frame_shift"] * MS,
        sample_rate=RATE,
        sources=sizes["num_sources"],
    )
    built.load_state_dict(case.weights, strict=True)
    return built.eval()


@torch.no_grad()
def test_features(case: Golden) -> None:
    network, ours = tiny(case), {}
    separator = network.separator
    parts = {
        "encoder_out": network.audio_encoder,
        "projected": network.feature_projector,
        "rel_pos_keys": separator.pos_emb,
        "bottleneck": separator.bottleneck_G,
        "separator": separator,
        **{f"enc_stage{number}": stage for number, stage in enumerate(separator.enc_stages)},
        **{f"dec_stage{number}_out": stage for number, stage in enumerate(separator.dec_stages)},
    }
    for name, part in parts.items():
        part.register_forward_hook(lambda _, __, output, name=name: ours.update({name: output}))
    network(case.io["mixture"])
    for number in range(len(separator.enc_stages)):
        ours[f"enc_stage{number}_out"], ours[f"enc_stage{number}_skip"] = ours[f"enc_stage{number}"]
    ours["bottleneck_out"], _ = ours["bottleneck"]
    ours["separator_out"], _ = ours["separator"]
    compared = [name for name in case.io if re.fullmatch(FEATURES, name)]
    assert compared
    for name in compared:
        torch.testing.assert_close(
            ours[name], case.io[name], **case.tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )


@torch.no_grad()
@pytest.mark.parametrize("prefix", ["", "train_"])
def test_estimates_and_losses(case: Golden, prefix: str) -> None:
    """In training mode, batch norm uses the statistics of the batch."""
    network = tiny(case).train(prefix == "train_")
    final, earlier = network.stages(case.io["mixture"])
    main, auxiliary = losses(case, network, final, earlier)
    ours = {"estimate": final, "aux_estimate": torch.stack(earlier), "loss_time": main[None], "loss_mag": auxiliary}
    for name, value in ours.items():
        torch.testing.assert_close(value, case.io[prefix + name], **case.tolerance)


def test_the_gradient_of_the_whole_loss(case: Golden) -> None:
    """The name of the stored loss has the weight of the earlier stages; the loss is a mean over the sources."""
    network = tiny(case).train()
    mixture = case.io["mixture"].clone().requires_grad_()
    main, auxiliary = losses(case, network, *network.stages(mixture))
    ((share, theirs),) = case.stored("train_loss_total_alpha").items()
    total = torch.lerp(main, auxiliary.mean(), float(share)) / case.sizes["num_sources"]
    total.backward()
    torch.testing.assert_close(total.detach()[None], theirs, **case.tolerance)
    torch.testing.assert_close(mixture.grad, case.io["train_grad_mixture"], **case.tolerance)


def losses(case: Golden, network: SepReformer, final: Tensor, earlier: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the loss of the final estimate and those of the earlier stages, (stages,).

    As in the golden, each is a sum over the sources in their best order.
    """
    target = case.io["target"]

    def of_best_order(terms: Callable[[Tensor], Tensor]) -> Tensor:
        orders = [terms(target[:, list(order)]).sum(1) for order in permutations(range(target.shape[1]))]
        return torch.stack(orders).amin(0).mean()

    main = of_best_order(lambda target: waveform_loss(final, target))
    stages = [of_best_order(lambda target, e=e: magnitude_loss(e, target, *network.stft)) for e in earlier]
    return main, torch.stack(stages)
