"""Tests of every registered separator that is trained: loss, gradients, and a clip's length and level.

A kind without an entry in TOYS is as large as its first recipe in config/systems, or as its constructor's defaults.
"""

import pytest
import torch
from helpers.registry_toys import recipe_arguments
from helpers.waits import waits

from asdlib.separation.mixtures import Mixtures
from asdlib.separation.separator import AFTER, BEFORE
from asdlib.separators import SEPARATORS

# Toy arguments by kind: of separators that are slow at full size.
TOYS = {
    "conv_tasnet": {
        "n_filters": 16, "bn_chan": 8, "hid_chan": 16, "skip_chan": 8, "n_blocks": 2, "n_repeats": 1, "window": 0.05,
    },
    "sepreformer": {
        "channels": 16, "stages": 2, "encoder_channels": 16, "heads": 2, "local_kernel": 5, "positions": 20,
        "stft_frame": 8.0, "stft_hop": 2.0, "window": 0.05,
    },
    "tfgridnet": {
        "n_fft": 128, "hop": 64, "blocks": 1, "channels": 8, "lstm_hidden": 8, "heads": 2, "attention_size": 65,
        "window": 0.05,
    },
}  # fmt: skip
# Parameters without a gradient by design: the last block's residual output is not used.
UNREACHED = {"conv_tasnet": {"network.masker.TCN.1.res_conv.weight", "network.masker.TCN.1.res_conv.bias"}}


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)) * 0.1


@pytest.fixture(params=sorted(kind for kind, made in SEPARATORS.items() if hasattr(made, "loss")))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def separator(kind: str) -> torch.nn.Module:
    made, table = SEPARATORS[kind], "tests/separators/test_separators.py"
    found = TOYS[kind] if kind in TOYS else recipe_arguments("separators", kind, made, table)
    torch.manual_seed(0)
    return made(**found)


def test_toys_are_of_separators_that_exist() -> None:
    assert TOYS.keys() <= SEPARATORS.keys()


def test_the_loss_is_finite_and_reaches_every_parameter(kind: str, separator) -> None:
    sources = noise(4, 2, 1600)
    loss = separator.loss(Mixtures(sources.sum(1), sources))
    assert loss.shape == ()
    assert torch.isfinite(loss)
    loss.backward()
    without = {name for name, p in separator.named_parameters() if p.grad is None or not p.grad.any()}
    assert without == UNREACHED.get(kind, set())


def test_a_training_step_does_not_wait_for_the_device(separator) -> None:
    assert waits(separator, Mixtures(noise(2, 1600), noise(2, 2, 1600))) == 0


def test_loss_and_gradient_survive_autocast(separator) -> None:
    """As with `precision: bf16` on a GPU: equal to float32 up to rounding."""
    sources = noise(4, 2, 1600)
    mixtures = Mixtures(sources.sum(1), sources)
    exact, straight = loss_and_gradient(separator, mixtures, bf16=False)
    rounded, roughly = loss_and_gradient(separator, mixtures, bf16=True)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=0.02, atol=0)
    assert roughly.isfinite().all()
    assert torch.cosine_similarity(roughly, straight, dim=0) > 0.99


def loss_and_gradient(separator, mixtures: Mixtures, bf16: bool) -> tuple[torch.Tensor, torch.Tensor]:
    separator.zero_grad()
    torch.manual_seed(1)  # dropout
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = separator.loss(mixtures)
    loss.backward()
    return loss.detach(), torch.cat([p.grad.flatten() for p in separator.parameters() if p.grad is not None])


@torch.no_grad()
@pytest.mark.parametrize("samples", [700, 800, 1601, 3000])  # window: 800 samples
def test_clips_keep_their_length(separator, samples: int) -> None:
    assert separator.eval().separate(noise(2, samples)).shape == (2, samples)


@torch.no_grad()
def test_the_level_is_the_one_that_fits_the_mixture_best(separator) -> None:
    """At the best level, the rest of the mixture is orthogonal to the separated sound."""
    mixture = noise(2, 700)
    separated = separator.eval().separate(mixture)
    energy = separated.square().sum(1)
    assert (energy > 0).all()
    assert (((mixture - separated) * separated).sum(1).abs() < 1e-3 * energy).all()


@torch.no_grad()
def test_a_clip_does_not_depend_on_its_batch_and_is_separated_the_same_way_twice(separator) -> None:
    mixture = noise(3, 1000)
    separated = separator.eval().separate(mixture)
    assert torch.equal(separated, separator.separate(mixture))
    assert torch.equal(separated[1:2], separator.separate(mixture[1:2]))


@torch.no_grad()
def test_silence_stays_silence(separator) -> None:
    separated = separator.eval().separate(torch.zeros(1, 2000))
    assert not separated.any()


def test_it_is_measured_on_its_held_out_mixtures(separator) -> None:
    sources = noise(2, 2, 1600)
    found = separator.eval().finish([], [Mixtures(sources.sum(1), sources)], torch.zeros(1))
    assert all(found[name].shape == (2,) and found[name].isfinite().all() for name in (BEFORE, AFTER))


@torch.no_grad()
def test_the_metrics_are_those_of_the_machine_stream(separator) -> None:
    if not hasattr(separator, "metrics"):
        pytest.skip("it measures nothing on held-out mixtures")
    sources = noise(2, 2, 1600)
    found = separator.eval().metrics(Mixtures(sources.sum(1), sources))
    assert {"si_sdr", "si_sdr_improvement"} <= found.keys()
    assert all(torch.isfinite(value) and value.shape == () for value in found.values())
