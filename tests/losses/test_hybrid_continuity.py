"""The hybrid continuity loss, which penalises holes; parity with the official code is tested in tests/parity."""

import pytest
import torch

from asdlib.losses.hybrid_continuity import RESOLUTIONS, hybrid_continuity_terms, si_snr, slope, spectral_loss


def loss_of(*signals: torch.Tensor, **settings) -> torch.Tensor:
    return sum(hybrid_continuity_terms(*signals, **settings).values())


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("sizes", RESOLUTIONS)
def test_a_hole_costs_more_than_spread_error_of_the_same_si_snr(sizes: tuple[int, int, int]) -> None:
    """SI-SNR does not distinguish the two; the spectral part does."""
    target = noise(1, 16000)
    target -= target.mean()
    hole = target.clone()
    hole[:, 8000:9600] = 0
    spread = noise(1, 16000, seed=1)
    spread -= spread.mean() + (spread * target).sum() / target.square().sum() * target
    wanted = 10 ** (-si_snr(hole, target) / 20)
    even = target + spread * wanted * target.norm() / spread.norm()
    torch.testing.assert_close(si_snr(even, target), si_snr(hole, target), atol=1e-2, rtol=0)
    assert spectral_loss(hole, target, *sizes).log_magnitude > spectral_loss(even, target, *sizes).log_magnitude


def test_a_perfect_estimate_has_no_spectral_loss() -> None:
    target = noise(2, 8000)
    part = spectral_loss(target.clone(), target, *RESOLUTIONS[0])
    assert part == (0, 0)


def test_the_level_matters_as_it_does_not_to_si_snr() -> None:
    target = noise(2, 8000)
    estimate = target + noise(2, 8000, seed=1)
    torch.testing.assert_close(si_snr(0.5 * estimate, target), si_snr(estimate, target))
    torch.testing.assert_close(si_snr(estimate + 0.7, target - 0.4), si_snr(estimate, target))  # nor does an offset
    part = spectral_loss(0.5 * target, target, *RESOLUTIONS[0])
    torch.testing.assert_close(part.convergence, torch.tensor(1.5))  # magnitudes, slopes, slopes' slopes: one half each
    # log 2 everywhere, which does not change with time
    torch.testing.assert_close(part.log_magnitude, torch.tensor(2.0).log(), atol=1e-3, rtol=0)


def test_the_slope_of_a_ramp_is_its_rise() -> None:
    ramp = (3 * torch.arange(20.0)).expand(2, 4, 20)
    torch.testing.assert_close(slope(ramp)[..., 2:-2], torch.full((2, 4, 16), 3.0))
    assert not slope(torch.ones(1, 4, 20)).any()


def test_gamma_weighs_the_spectral_part() -> None:
    estimate, target = noise(2, 8000), noise(2, 8000, seed=1)
    without, once, twice = (loss_of(estimate, target, gamma=gamma) for gamma in (0.0, 1.0, 2.0))
    torch.testing.assert_close(without, -si_snr(estimate, target).mean())
    torch.testing.assert_close(twice - once, once - without)


def test_per_item_all_items_weigh_the_same_and_else_the_loud_one_rules() -> None:
    """The quiet item is right and the loud one wrong, or the other way round."""
    target = noise(2, 8000) * torch.tensor([[0.01], [1.0]])
    wrong = noise(2, 8000, seed=1) * torch.tensor([[0.01], [1.0]])
    for number in (0, 1):
        estimate = target.clone()
        estimate[number] = wrong[number]
        together = spectral_loss(estimate, target, *RESOLUTIONS[0]).convergence
        each = spectral_loss(estimate, target, *RESOLUTIONS[0], per_item=True).convergence
        alone = spectral_loss(estimate[number, None], target[number, None], *RESOLUTIONS[0]).convergence
        torch.testing.assert_close(each, alone / 2)
        assert together < 0.1 * each if number == 0 else together > 1.5 * each


def test_what_comes_in_half_precision_is_compared_in_full() -> None:
    target = noise(2, 8000).bfloat16()
    estimate = (target + noise(2, 8000, seed=1)).bfloat16()
    loss = loss_of(estimate, target)
    torch.testing.assert_close(loss, loss_of(estimate.float(), target.float()), rtol=0, atol=0)


@pytest.mark.parametrize("frames", [3, 5, 9])
def test_a_line_s_slope_is_the_same_over_any_number_of_frames(frames: int) -> None:
    line = 0.25 * torch.arange(20.0).expand(1, 1, -1)
    inner = slope(line, frames)[..., frames // 2 : -(frames // 2)]
    torch.testing.assert_close(inner, torch.full_like(inner, 0.25))


def test_the_resolutions_may_be_others() -> None:
    estimate, target = noise(2, 8000), noise(2, 8000, seed=1)
    part = spectral_loss(estimate, target, 256, 64, 200)
    wanted = part.convergence + part.log_magnitude - si_snr(estimate, target).mean()
    torch.testing.assert_close(loss_of(estimate, target, resolutions=[(256, 64, 200)]), wanted)
