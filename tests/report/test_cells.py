"""The cells of pictures over time and frequency."""

import numpy as np
import pytest

from asdlib.report.cells import COLUMNS, ROWS, means_of_frames, place


def test_columns_are_means_of_frames() -> None:
    frames = np.arange(160.0)[:, None]
    np.testing.assert_allclose(means_of_frames(frames)[:, 0], np.arange(COLUMNS) * 2 + 0.5)
    np.testing.assert_allclose(means_of_frames(frames[:7]), frames[:7])
    uneven = means_of_frames(frames[:126])
    np.testing.assert_allclose(uneven[:, 0], (np.arange(COLUMNS) + 0.5) * 126 / COLUMNS - 0.5, atol=0.2)
    assert uneven.mean() == pytest.approx(frames[:126].mean())


def test_a_place_is_the_middle_of_its_cell() -> None:
    assert place(ROWS - 1, 0, 40, 4.0, 16000) == "0.1 s and 7875 Hz"
    assert place(0, 20, 40, 4.0, 16000) == "2.0 s and 125 Hz"
