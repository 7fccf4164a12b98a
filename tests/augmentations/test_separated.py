"""Tests of `separated`: the separator's clips as additional rows, or none without a separator."""

import logging
from pathlib import Path

import numpy as np
import pytest
from helpers.audio_tables import audio_table, noise_clips

from asdlib.augmentations.separated import Separated
from asdlib.errors import AsdError


def test_the_separated_clips_are_added_as_they_are(tmp_path: Path) -> None:
    raw = audio_table(tmp_path / "fan.parquet", {"train": noise_clips(3, 900, 1), "test": noise_clips(2, 900, 2)})
    heard = noise_clips(3, 500, 3)
    separated = audio_table(tmp_path / "s" / "fan.parquet", {"train": heard, "test": noise_clips(2, 500, 4)})
    [(clips, audio)] = Separated(seed=0).augment(raw, separated, [])
    assert np.array_equal(audio, heard)
    assert clips.column("clip").to_pylist()[1] == "section_00_source_train_normal_0001_separated"


def test_a_machine_without_a_separator_gives_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    raw = audio_table(tmp_path / "fan.parquet", {"train": noise_clips(3, 900, 1)})
    same = audio_table(tmp_path / "s" / "fan.parquet", {"train": noise_clips(3, 900, 1)}, notes={"separated": False})
    with caplog.at_level(logging.INFO):
        assert list(Separated(seed=0).augment(raw, same, [])) == []
    assert "fan: is not separated" in caplog.text


def test_a_recipe_without_a_separator_is_refused(tmp_path: Path) -> None:
    raw = audio_table(tmp_path / "fan.parquet", {"train": noise_clips(3, 900, 1)})
    with pytest.raises(AsdError, match="give the recipe a separator"):
        list(Separated(seed=0).augment(raw, None, []))
