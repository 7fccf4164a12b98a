"""Tests of every registered separator that is trained: loss, gradients, and a clip's length and level."""

from itertools import combinations

import pytest
import torch
from helpers.separation_toys import TOYS, toy_separator
from helpers.waits import waits

from asdlib.separation.estimates import si_sdr
from asdlib.separation.levels import level
from asdlib.separation.mixtures import Mixtures
from asdlib.separation.separator import AFTER, BEFORE
from asdlib.separators import SEPARATORS
from asdlib.separators.sepreformer import SepReformer

# Parameters without a gradient by design: the last block's residual output is not used.
UNREACHED = {"conv_tasnet": {"network.masker.TCN.1.res_conv.weight", "network.masker.TCN.1.res_conv.bias"}}


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)) * 0.1


@pytest.fixture(params=sorted(kind for kind, made in SEPARATORS.items() if hasattr(made, "loss")))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def separator(kind: str) -> torch.nn.Module:
    return toy_separator(kind)


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


@torch.no_grad()
@pytest.mark.parametrize("kind", TOYS)
def test_of_the_machine_alone_the_loss_is_that_of_its_stream(kind: str) -> None:
    torch.manual_seed(0)
    network = SEPARATORS[kind](**TOYS[kind], sources=1).eval()
    sources, mixture = noise(2, 2, 1600), noise(2, 1600)
    assert network(mixture).shape == (2, 1, 1600)
    other_noise = torch.stack([sources[:, 0], noise(2, 1600)], 1)
    assert network.loss(Mixtures(mixture, sources)) == network.loss(Mixtures(mixture, other_noise))


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
@pytest.mark.parametrize("kind", TOYS)
def test_long_clips_are_separated_in_windows_that_overlap_as_chosen(kind: str) -> None:
    def separated(**change: float | None) -> torch.Tensor:
        torch.manual_seed(0)
        return SEPARATORS[kind](**(TOYS[kind] | change)).eval().separate(noise(1, 2000))

    results = [separated(), separated(overlap=0.0), separated(window=None)]
    assert not any(torch.allclose(*pair) for pair in combinations(results, 2))


@torch.no_grad()
def test_the_level_is_the_one_that_fits_the_mixture_best(separator) -> None:
    """At the best level, the rest is orthogonal to the separated sound; SepReformer's noise is no part of the rest."""
    mixture = noise(2, 700)
    separated = separator.eval().separate(mixture)
    energy = separated.square().sum(1)
    assert (energy > 0).all()
    rest = mixture - separated
    if isinstance(separator, SepReformer):
        other = separator(mixture / level(mixture))[:, 1]
        rest = rest - other * (rest * other).sum(1, keepdim=True) / other.square().sum(1, keepdim=True)
    assert ((rest * separated).sum(1).abs() < 1e-3 * energy).all()


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
    sources = noise(2, 2, 700)  # in one window
    given = Mixtures(sources.sum(1), sources)
    found = separator.eval().metrics(given)
    assert {"si_sdr", "si_sdr_improvement"} <= found.keys()
    assert all(torch.isfinite(value) and value.shape == () for value in found.values())
    reached, before = (
        si_sdr(sounds, sources[:, 0]).mean() for sounds in (separator.separate(given.mixture), given.mixture)
    )
    torch.testing.assert_close(found["si_sdr"], reached, rtol=0, atol=1e-3)
    torch.testing.assert_close(found["si_sdr_improvement"], reached - before, rtol=0, atol=1e-3)
