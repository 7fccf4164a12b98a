"""Pooling over time: known values, invariances, and padding, which must not count."""

import pytest
import torch

from asdlib.errors import AsdError
from asdlib.layers.time_pooling import POOLINGS, TimePooling, deviation_weights


def pooled(values: list[float], pooling: str, gamma: float = 4.0, power: float = 3.0) -> float:
    return float(TimePooling(pooling, gamma, power)(torch.tensor(values, dtype=torch.float64)[None, :, None]))


def clips(times: int = 7, width: int = 5) -> torch.Tensor:
    return torch.randn(2, 3, times, width, generator=torch.Generator().manual_seed(0))


def test_known_values() -> None:
    """Of the scalars 0, 0, 3, computed by hand."""
    found = deviation_weights(torch.tensor([[[0.0], [0.0], [3.0]]], dtype=torch.float64), 4.0)
    assert found[0].tolist() == pytest.approx([0.193780, 0.193780, 0.612440], abs=1e-6)
    assert pooled([0, 0, 3], "rdp") == pytest.approx(1.837321, abs=1e-6)
    assert pooled([0, 0, 3], "rdp", gamma=8.0) == pytest.approx(2.499530, abs=1e-6)
    assert pooled([0, 0, 3], "rdp_gem") == pytest.approx(2.547666, abs=1e-6)
    assert pooled([0, 0, 3], "gem") == pytest.approx((27 / 3) ** (1 / 3), abs=1e-6)
    assert pooled([-5, 1, 2], "gem") == pytest.approx(3 ** (1 / 3), abs=1e-6)  # negative values count as 0


def test_a_gamma_of_0_is_the_mean() -> None:
    torch.testing.assert_close(TimePooling("rdp", 0.0, 3.0)(clips()), clips().mean(-2))
    torch.testing.assert_close(TimePooling("mean", 9.0, 3.0)(clips()), clips().mean(-2))


def test_equal_vectors_are_their_mean() -> None:
    equal = clips(1).expand(-1, -1, 6, -1)
    for pooling in ("mean", "rdp"):
        torch.testing.assert_close(TimePooling(pooling, 16.0, 3.0)(equal), equal[..., 0, :])
    positive = equal.clamp_min(0)[..., 0, :]
    torch.testing.assert_close(TimePooling("rdp_gem", 16.0, 3.0)(equal), positive)


def test_scale_and_shift_commute_with_rdp() -> None:
    rdp, shift = TimePooling("rdp", 8.0, 3.0), torch.linspace(-2, 2, 5)
    torch.testing.assert_close(rdp(3.5 * clips() + shift), 3.5 * rdp(clips()) + shift)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_does_not_count(pooling: str) -> None:
    """Also not in the mean and in the largest distance, where it would change the weights of all others."""
    pool = TimePooling(pooling, 16.0, 3.0)
    padded = torch.cat([clips(), torch.full((2, 3, 4, 5), -50.0)], dim=-2)
    padding = torch.arange(11).expand(2, 3, 11) >= 7
    torch.testing.assert_close(pool(padded, padding), pool(clips()))


def test_high_powers_stay_finite() -> None:
    huge = torch.tensor([[[1e20], [2e20], [0.0]]])
    assert torch.isfinite(TimePooling("rdp_gem", 16.0, 10.0)(huge)).all()
    assert not TimePooling("gem", 0.0, 10.0)(torch.zeros(1, 3, 2)).any()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("max", 4.0, 3.0), "pooling 'max': use one of: mean, rdp, gem, rdp_gem"),
        (("rdp", -1.0, 3.0), r"gamma -1\.0, power 3\.0: use"),
        (("gem", 1.0, 0.0), r"gamma 1\.0, power 0\.0: use"),
    ],
)
def test_bad_settings_are_named(given: tuple, message: str) -> None:
    with pytest.raises(AsdError, match=message):
        TimePooling(*given)
