"""Tests of the `pairs` block: settings out of range are refused by name."""

import pytest

from asdlib.errors import AsdError
from asdlib.separation.settings import Pairs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"snr": [10, -5]}, r"pairs\.snr: \[10, -5\]"),
        ({"snr": [10]}, r"pairs\.snr"),
        ({"noise_only": "skip"}, r"pairs\.noise_only: 'skip': use one of: identity, noisy_target"),
        ({"segment": 0.0}, r"pairs\.segment: 0\.0: must be greater"),
        ({"per_epoch": 0}, r"pairs\.per_epoch"),
        ({"validation_mixtures": 0}, r"pairs\.validation_mixtures"),
        ({"minimum_rms": 0.0}, r"pairs\.minimum_rms"),
        ({"validation": 1.0}, r"pairs\.validation: 1\.0: give a share"),
    ],
)
def test_impossible_settings_are_refused(change: dict, message: str) -> None:
    with pytest.raises(AsdError, match=message):
        Pairs(**change)
