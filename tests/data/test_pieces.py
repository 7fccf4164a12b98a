"""The names of clips of a recording, and back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.toy_recordings import RATE, write_wav

from asdlib.data.clip import Clip
from asdlib.data.clip_audio import split
from asdlib.data.clip_format import SPLIT, ClipFormat
from asdlib.data.pieces import recording_of


@pytest.mark.parametrize("name", ["rec.wav", "a@b.wav", "a@00010.000.wav", "no ending@.wav"])
def test_the_recording_of_a_clip_is_found_in_its_name(tmp_path: Path, name: str) -> None:
    """Only the last offset counts, so that names of any form are found."""
    path = tmp_path / name
    write_wav(path, 0.1 * np.sin(np.arange(RATE) / 10))
    wanted = replace(ClipFormat(RATE, 0.4, resample=False, downmix=False, allow_silent=False), longer=SPLIT)
    clip = Clip(path, f"fan/test/{name}", "00", "test", None, None)
    pieces = [piece.source_file.rpartition("/")[2] for piece, _ in split(clip, wanted)]
    assert len(set(pieces)) == 3
    assert {recording_of(piece) for piece in pieces} == {name}


@pytest.mark.parametrize("name", ["rec.wav", "a@b.wav", "a@10.wav", "a@00010.000", "@.wav"])
def test_other_names_stay_as_they_are(name: str) -> None:
    assert recording_of(name) == name
