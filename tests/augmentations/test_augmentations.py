"""Tests of every registered augmentation: additional training clips only, and reproducible.

A kind without an entry in TOYS has the arguments of its first recipe in config/systems, or its constructor's defaults.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from helpers.audio_tables import audio_table, noise_clips
from helpers.registry_toys import recipe_arguments

from asdlib.augmentations import AUGMENTATIONS
from asdlib.data.tables import CLIP_FIELDS, ROWS, ClipTable

# Toy arguments by kind.
TOYS = {"remix": {"snr": [-5.0, 10.0], "per_clip": 2}, "separated": {}}


@pytest.fixture
def tables(tmp_path: Path) -> tuple[ClipTable, ClipTable, list[ClipTable]]:
    """Return raw clips, separated clips, and noise tables including another machine's."""
    clips = {"train": noise_clips(40, 3000, 1), "test": noise_clips(3, 3000, 2), "noise": noise_clips(3, 90, 3)}
    clips["train"][5] = clips["train"][5][:600]  # shorter than the others
    separated = {kind: [samples // 2 for samples in many] for kind, many in clips.items()}
    other = audio_table(tmp_path / "valve.parquet", {"train": noise_clips(2, 90, 4), "noise": noise_clips(4, 90, 5)})
    raw = audio_table(tmp_path / "fan.parquet", clips, target=4)
    return raw, audio_table(tmp_path / "separated" / "fan.parquet", separated, target=4), [raw, other]


@pytest.fixture(params=sorted(AUGMENTATIONS))
def made(request: pytest.FixtureRequest, tables) -> tuple[pa.Table, np.ndarray]:
    return together(built(request.param), tables)


def built(kind: str) -> object:
    made, table = AUGMENTATIONS[kind], "tests/augmentations/test_augmentations.py"
    found = TOYS[kind] if kind in TOYS else recipe_arguments("augmentations", kind, made, table, given=("seed",))
    return made(**found, seed=3)


def together(augmentation, tables) -> tuple[pa.Table, np.ndarray]:
    pieces = list(augmentation.augment(*tables))
    assert all(len(clips) == len(audio) <= ROWS for clips, audio in pieces)
    return pa.concat_tables([clips for clips, _ in pieces]), np.concatenate([audio for _, audio in pieces])


def test_toys_are_of_augmentations_that_exist() -> None:
    assert TOYS.keys() <= AUGMENTATIONS.keys()


def test_all_that_is_made_are_new_normal_training_clips(made, tables) -> None:
    clips, audio = made
    raw = tables[0].clips("train")
    assert clips.schema.names == CLIP_FIELDS.names
    for column, value in (("kind", "train"), ("split", "train"), ("label", "normal")):
        assert set(clips.column(column).to_pylist()) == {value}
    names = clips.column("clip").to_pylist()
    assert len(set(names)) == len(names)
    assert not set(names) & set(raw.column("clip").to_pylist())
    assert audio.dtype == np.int16
    assert audio.shape == (len(clips), 1000)


def test_domain_attributes_and_length_are_those_of_the_recording(made, tables) -> None:
    raw = {row["source_file"]: row for row in tables[0].clips("train").to_pylist()}
    for row, audio in zip(made[0].to_pylist(), made[1], strict=True):
        recording = raw[row["source_file"]]
        for field in ("domain", "attributes", "section", "samples"):
            assert row[field] == recording[field]
        assert not audio[row["samples"] :].any()


@pytest.mark.parametrize("kind", sorted(AUGMENTATIONS))
def test_the_same_seed_makes_the_same_clips(kind: str, tables) -> None:
    first, again = (together(built(kind), tables) for _ in range(2))
    assert first[0].equals(again[0])
    assert np.array_equal(first[1], again[1])


@pytest.mark.parametrize("kind", sorted(AUGMENTATIONS))
def test_they_can_be_stored(kind: str, tables, tmp_path: Path) -> None:
    from asdlib.data.tables import writing

    with writing(tmp_path / "made.parquet", {}, audio=("int16", (1000,))) as written:
        for clips, audio in built(kind).augment(*tables):
            written.write(clips, audio=audio)
    assert len(ClipTable(tmp_path / "made.parquet").clips("train"))
