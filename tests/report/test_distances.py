"""Maps of where in time and frequency a clip differs from the training clips that are nearest to it."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.audio_tables import audio_table
from matplotlib.image import imread

from asdlib.data.tables import ClipTable, writing
from asdlib.report import distances
from asdlib.report.bands import PARTS
from asdlib.report.cells import COLUMNS, ROWS
from asdlib.report.distances import BRIGHTEST, DARKEST, NO_BARS, NO_MAP, distance_maps
from asdlib.report.levels import LARGEST
from asdlib.report.settings import EmbeddingMap, ErrorMaps, ShownMachine, ShownVariant

RATE, SECONDS = 16000, 2
TRAIN = 12


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=300, size=RATE * SECONDS)


def recordings() -> dict[str, list[np.ndarray]]:
    """Return training clips of noise, the last half of them ten times as loud, and three test clips.

    They are a copy of training clip 2, a clip with a tone of 2125 Hz in its second half, and a loud one.
    """
    train = [noise(n) * (1 if n < TRAIN // 2 else 10) for n in range(TRAIN)]
    time = np.arange(RATE * SECONDS) / RATE
    tone = np.where(time >= SECONDS / 2, 1000 * np.sin(2 * np.pi * 2125 * time), 0)
    return {"train": train, "test": [train[2], noise(100) + tone, noise(101) * 10]}


def embeddings(path: Path, table: ClipTable) -> Path:
    """Write embeddings whose neighbours are known: the quiet clips are near to each other, and so are the loud ones."""
    quiet = np.arange(TRAIN) < TRAIN // 2
    places = {"train": np.where(quiet, 0, 10) + 0.1 * np.arange(TRAIN), "test": np.array([0.2, 0.21, 10.9])}
    values = {kind: np.stack([own, -own], axis=1) for kind, own in places.items()}
    with writing(path, {}, latent=("float32", (2,)), one=("float32", (1,))) as written:
        for kind, own in values.items():
            written.write(table.clips(kind), latent=own.astype(np.float32), one=own[:, :1].astype(np.float32))
    return path


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> ShownMachine:
    folder = tmp_path_factory.mktemp("distances")
    settings = {"length": RATE * SECONDS, "recipe": {"sample_rate": RATE}}
    clips = {kind: [np.rint(one).astype(np.int16) for one in own] for kind, own in recordings().items()}
    table = audio_table(folder / "fan.parquet", clips, **settings)
    halved = {kind: [one[: len(one) // 2] for one in own] for kind, own in clips.items()}
    audio_table(folder / "separated.parquet", halved, **settings)
    path = str(embeddings(folder / "embeddings.parquet", table))
    return ShownMachine(
        system="toy", dataset="here", year=None, seed=1, audio=str(table.path), clips=1, players=3, points=100,
        machine="fan", sections=["00"], errors=[],
        variants=[ShownVariant("x", "", {"separated/cut": str(folder / "separated.parquet")})],
        maps=[EmbeddingMap(path, "latent", "latent of toy", "raw", ["x"])],
    )  # fmt: skip


def names_of(shown: ShownMachine) -> list[str]:
    files = ClipTable(Path(shown.audio)).clips("test").column("source_file").to_pylist()
    return [file.rpartition("/")[2] for file in files]


def drawn(
    shown: ShownMachine, heard: int = 3, variants: tuple[str, ...] = ("x",), test: list[np.ndarray] | None = None
) -> list[dict[str, Any]]:
    """Return the maps of the section, with the sounds of the first clips, or with other sounds in their place."""
    names = names_of(shown)
    waves = {name: {"raw": np.rint(wave).astype(np.int16)}
             for name, wave in zip(names[:heard], test or recordings()["test"], strict=False)}  # fmt: skip
    found = {"clips": [{"clip": name} for name in names], "variants": [{"variant": name} for name in variants]}
    (own,) = distance_maps([{"section": "00", "explored": found}], waves, shown)
    return own


def pixels(picture: dict[str, Any]) -> np.ndarray:
    """Return how bright the cells of a picture are, from 0 to 765, the highest frequency first."""
    image = imread(io.BytesIO(base64.b64decode(picture["source"].partition(",")[2])), format="webp")
    return image[:, :, :3].astype(int).sum(axis=2)


def test_a_tone_is_found_where_and_when_it_is_louder(shown: ShownMachine) -> None:
    (one,) = drawn(shown)
    alt = one["pictures"][1]["alt"]
    assert "by latent of toy over time and frequency" in alt
    assert "and 2125 Hz" in alt
    assert "louder by" in alt
    image = pixels(one["pictures"][1])
    assert image.shape == (ROWS, min(COLUMNS, 2 * SECONDS * RATE // 1024 - 1))
    half = image.shape[1] // 2
    row = image[ROWS - 1 - 8]  # 2000 to 2250 Hz
    assert row[half + 2 :].min() > 400 > 100 > row[: half - 2].max()
    assert np.delete(image, range(ROWS - 11, ROWS - 7), axis=0).max() < 250
    parts = one["parts"][1]
    assert np.argmax(np.abs(parts)) == int(1574 / 2840 * PARTS)
    assert parts[np.argmax(np.abs(parts))] > 10
    assert sorted(np.abs(parts))[-2] < 5
    said = re.fullmatch(r"louder by (\S+) between (\d+) and (\d+) Hz", one["furthest"][1])
    assert float(said[1]) == max(parts)
    assert int(said[2]) < 2125 < int(said[3])


def test_a_copy_of_a_training_clip_shows_nothing_and_its_nearest_clip_is_that_one(shown: ShownMachine) -> None:
    (one,) = drawn(shown)
    assert one["nearest"][0] == "section_00_source_train_normal_0002.wav"
    assert (pixels(one["pictures"][0]) > 100).mean() < 0.01
    assert np.abs(one["parts"][0]).max() < DARKEST


def test_a_clip_is_compared_with_its_neighbours_and_not_with_all(shown: ShownMachine) -> None:
    """The loud clip is like its neighbours, which are as loud, and unlike the quiet ones."""
    (one,) = drawn(shown)
    assert one["nearest"][2].endswith("_0009.wav")
    assert np.abs(one["parts"][2]).max() < DARKEST
    assert one["neighbours"] == 4


def test_only_clips_that_can_be_heard_have_maps(shown: ShownMachine) -> None:
    (one,) = drawn(shown, heard=1)
    for key in ("pictures", "parts", "furthest", "nearest"):
        assert [value is not None for value in one[key]] == [True, False, False]
    facts = {"name": "latent of toy", "view": "raw", "variants": ["x"], "flaw": None}
    assert facts.items() <= one.items()
    assert (one["darkest"], one["brightest"]) == (DARKEST, BRIGHTEST)


def test_the_view_that_the_model_reads_is_compared(shown: ShownMachine) -> None:
    def by(view: str) -> dict[str, Any]:
        return drawn(replace(shown, maps=[replace(shown.maps[0], view=view)]))[0]

    cut = by("separated/cut")
    assert cut["view"] == "separated/cut"
    assert cut["parts"] != by("raw")["parts"]  # the neighbours of this view are half as long
    assert by("augmented/elsewhere") == by("raw")  # a view that is not at hand


def test_a_clip_shorter_than_half_of_the_others_has_a_map_of_its_length_and_no_bars(shown: ShownMachine) -> None:
    cut = [noise(100)[: int(RATE * seconds)] for seconds in (0.9, 1.1, 0.05)]
    (one,) = drawn(shown, test=cut)
    full = 2 * SECONDS * RATE // 1024 - 1
    assert [one["pictures"][clip]["width"] for clip in (0, 1)] == [27, 33]
    assert 33 < full < COLUMNS
    assert one["pictures"][2] is None
    assert [parts is not None for parts in one["parts"]] == [False, True, False]
    assert one["lacks"] == [NO_BARS, None, NO_MAP]
    assert (pixels(one["pictures"][0]) > 100).mean() < 0.02


def test_a_silent_clip_is_quieter_in_every_part_and_its_figures_are_bounded(shown: ShownMachine) -> None:
    (one,) = drawn(shown, test=[np.zeros(RATE * SECONDS)] * 3)
    assert one["parts"][0] == [-LARGEST] * PARTS
    assert one["furthest"][0].startswith("quieter by 99.0 between 0 and ")
    assert re.search(r"quieter by (\d+\.\d) times", one["pictures"][0]["alt"])


def test_training_clips_shorter_than_a_window_give_no_map_and_the_reason(shown: ShownMachine, tmp_path: Path) -> None:
    clips = {kind: [np.ones(1000, np.int16)] * len(own) for kind, own in recordings().items()}
    table = audio_table(tmp_path / "fan.parquet", clips, length=RATE * SECONDS, recipe={"sample_rate": RATE})
    (one,) = drawn(replace(shown, audio=str(table.path)))
    assert (one["flaw"], one["lacks"]) == (None, [NO_MAP] * 3)
    assert one["pictures"] == one["parts"] == [None] * 3


def test_one_training_clip_shorter_than_a_window_leaves_the_maps(shown: ShownMachine, tmp_path: Path) -> None:
    clips = {kind: [np.rint(one).astype(np.int16) for one in own] for kind, own in recordings().items()}
    clips["train"][0] = clips["train"][0][:1000]
    table = audio_table(tmp_path / "fan.parquet", clips, length=RATE * SECONDS, recipe={"sample_rate": RATE})
    (one,) = drawn(replace(shown, audio=str(table.path)))
    assert one["lacks"] == [None] * 3
    assert np.abs(one["parts"][0]).max() < DARKEST


def test_a_map_is_black_up_to_three_times_the_usual_and_brightest_from_twelve_on(
    shown: ShownMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distances, "heat", lambda values, alt, colours: {"values": values, "alt": alt})
    quieter, tone = noise(100) * 0.5, noise(100)
    (one,) = drawn(shown, test=[quieter, tone, noise(101) * 10])
    for picture in one["pictures"]:
        times = float(re.search(r"by (\S+) times", picture["alt"])[1])
        assert picture["values"].max() == pytest.approx(np.clip((times - 3) / 9, 0, 1), abs=0.01)
    assert 0 < one["pictures"][0]["values"].max() < 1


def test_the_same_clips_give_the_same_bytes(shown: ShownMachine) -> None:
    assert drawn(shown) == drawn(shown)


def test_models_with_maps_of_errors_and_refused_variants_have_none(shown: ShownMachine) -> None:
    errors = [ErrorMaps("ae", "raw", "", shown.maps[0].path, ["x"])]
    assert drawn(replace(shown, errors=errors)) == []
    assert drawn(shown, variants=()) == []


def test_an_embedding_of_one_number_says_why_there_is_no_map(shown: ShownMachine) -> None:
    (one,) = drawn(replace(shown, maps=[replace(shown.maps[0], representation="one")]))
    assert one["flaw"] == "the embedding has one number per clip"
    assert one["pictures"] == one["parts"] == one["nearest"] == one["lacks"] == [None] * 3
