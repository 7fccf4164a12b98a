"""Tests of the building blocks of the demo's sounds: what clips of the usual length do not show."""

from collections.abc import Callable

import numpy as np
import pytest

from asdlib.data.demo.signal import Run, harmonics, sine, strikes

RUN = Run(8, 16000, 0, "clip")
TONES = {"sine": sine, "harmonics": lambda phase: harmonics(RUN, "tone", phase, [1.0, 0.5])}


def test_strikes_outside_the_recording_are_left_out():
    force = strikes(RUN, np.array([-1, 0, 3, 7, 8]) / RUN.rate, np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert force.tolist() == [2, 0, 0, 3, 0, 0, 0, 4]


@pytest.mark.parametrize("tone", TONES.values(), ids=TONES)
def test_a_tone_is_as_clean_at_the_end_of_a_long_recording(tone: Callable):
    """Single precision cannot hold an angle of so many turns."""
    phase = np.linspace(0.0, 2.0, 1000)
    np.testing.assert_allclose(tone(phase + 1e5), tone(phase), rtol=0, atol=1e-5)
