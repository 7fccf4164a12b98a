"""Parity with the official SepReformer: features, estimates, losses in both modes, gradient, from its own weights."""

import json
from collections.abc import Callable

import pytest
import torch
from helpers.golden import golden
from safetensors.torch import load_file
from torch import Tensor

from asdlib.losses.multi_stage import magnitude_loss, waveform_loss
from asdlib.separators.sepreformer import SepReformer

FOLDER = golden("sepreformer_tiny")
CONFIG = json.loads((FOLDER / "config.json").read_text())
SIZES = CONFIG["hyperparameters"]
THEIRS = load_file(FOLDER / "io.safetensors")
close = CONFIG["tolerance"]
MS = 1000 / 8000  # of a sample at the reference's 8 kHz


@pytest.fixture
def network() -> SepReformer:
    """The golden's network: its sizes, its weights by their published names."""
    assert SIZES["num_sources"] == 2
    built = SepReformer(
        channels=SIZES["feature_dim"],
        stages=SIZES["num_stages"],
        kernel=SIZES["encoder_kernel"] * MS,
        stride=SIZES["encoder_stride"] * MS,
        dropout=SIZES["dropout"],
        encoder_channels=SIZES["encoder_dim"],
        heads=SIZES["num_heads"],
        local_kernel=SIZES["local_kernel"],
        down_kernel=SIZES["down_kernel"],
        positions=SIZES["max_rel_pos"],
        stft_frame=SIZES["loss_frame_length"] * MS,
        stft_hop=SIZES["loss_frame_shift"] * MS,
        sample_rate=8000,
    )
    built.load_state_dict(load_file(FOLDER / "weights.safetensors"), strict=True)
    return built.eval()


def test_features(network: SepReformer) -> None:
    parts = {
        "encoder_out": network.audio_encoder,
        "projected": network.feature_projector,
        "rel_pos_keys": network.separator.pos_emb,
        "enc_stage0": network.separator.enc_stages[0],
        "bottleneck": network.separator.bottleneck_G,
        "dec_stage0_out": network.separator.dec_stages[0],
        "separator": network.separator,
    }
    ours = {}
    for name, part in parts.items():
        part.register_forward_hook(lambda _, __, output, name=name: ours.update({name: output}))
    with torch.no_grad():
        network(THEIRS["mixture"])
    ours["enc_stage0_out"], ours["enc_stage0_skip"] = ours.pop("enc_stage0")
    ours["bottleneck_out"], _ = ours.pop("bottleneck")
    ours["separator_out"], _ = ours.pop("separator")
    for name, output in ours.items():
        torch.testing.assert_close(output, THEIRS[name], **close, msg=lambda text, name=name: f"{name}: {text}")


@torch.no_grad()
@pytest.mark.parametrize("prefix", ["", "train_"])
def test_estimates_and_losses(network: SepReformer, prefix: str) -> None:
    """In training mode batch norm uses the batch's own statistics."""
    final, earlier = network.train(prefix == "train_").stages(THEIRS["mixture"])
    torch.testing.assert_close(final, THEIRS[f"{prefix}estimate"], **close)
    torch.testing.assert_close(torch.stack(earlier), THEIRS[f"{prefix}aux_estimate"], **close)
    main, auxiliary = losses(network, final, earlier)
    torch.testing.assert_close(main[None], THEIRS[f"{prefix}loss_time"], **close)
    torch.testing.assert_close(auxiliary, THEIRS[f"{prefix}loss_mag"], **close)


def test_the_gradient_of_the_whole_loss(network: SepReformer) -> None:
    mixture = THEIRS["mixture"].clone().requires_grad_()
    main, auxiliary = losses(network, *network.train().stages(mixture))
    total = (0.6 * main + 0.4 * auxiliary.mean()) / 2
    total.backward()
    torch.testing.assert_close(total.detach()[None], THEIRS["train_loss_total_alpha0.4"], **close)
    torch.testing.assert_close(mixture.grad, THEIRS["train_grad_mixture"], **close)


def losses(network: SepReformer, final: Tensor, earlier: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The golden's losses: of the better order of the sources, summed over them; one of each earlier stage."""

    def of_better_order(terms: Callable[[Tensor], Tensor]) -> Tensor:
        target = THEIRS["target"]
        return torch.minimum(terms(target).sum(1), terms(target.flip(1)).sum(1)).mean()

    main = of_better_order(lambda target: waveform_loss(final, target))
    stages = [of_better_order(lambda target, e=e: magnitude_loss(e, target, *network.stft)) for e in earlier]
    return main, torch.stack(stages)
