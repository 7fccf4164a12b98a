"""The training clips that are nearest to a test clip."""

from pathlib import Path

import numpy as np
import pytest

from asdlib.data.tables import clip_rows, writing
from asdlib.report.nearest import NEAREST, SAMPLE, Neighbours, neighbours


def put(path: Path, train: np.ndarray, test: np.ndarray, label: str | None = None) -> Path:
    """Write a table of embeddings; every training clip is of section 00 and repeated, elsewhere, in section 01."""
    with writing(path, {}, latent=("float32", train.shape[1:])) as written:
        for kind, values in (("train", train), ("test", test)):
            for section in ("00", "01") if kind == "train" else ("00",):
                rows = [{"clip": str(number), "section": section, "domain": None, "split": kind, "label": label,
                         "attributes": {}, "kind": kind, "samples": 1, "recorded_samples": 1, "frames": None,
                         "source_file": f"{kind}/{section}/{number}.wav"} for number in range(len(values))]  # fmt: skip
                written.write(clip_rows(rows), latent=values.astype(np.float32))
    return path


def test_the_nearest_clips_are_of_the_section_and_in_the_order_of_their_distance(tmp_path: Path) -> None:
    train = np.stack([np.arange(10.0), np.zeros(10)], axis=1)  # a dimension that does not vary counts as it is
    table = put(tmp_path / "a.parquet", train, np.array([[6.2, 0.0], [0.0, 0.0], [3.4, 0.0]]))
    found = neighbours(table, "latent", "00", 100, {"0.wav", "2.wav"})
    assert found.of_test == {"0.wav": [f"train/00/{n}.wav" for n in (6, 7, 5, 8)],
                             "2.wav": [f"train/00/{n}.wav" for n in (3, 4, 2, 5)]}  # fmt: skip
    assert found.count == NEAREST == 4
    assert list(found.of_training) == [f"train/00/{n}.wav" for n in range(10)]
    assert sorted(found.of_training["train/00/5.wav"]) == [f"train/00/{n}.wav" for n in (3, 4, 6, 7)]  # not itself
    assert found.training == set(found.of_training)
    assert found.flaw is None


def test_every_dimension_has_the_same_weight(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    train = rng.normal(size=(20, 2))
    train[7] = [0.5, 0.5]
    train[8] = [0.5, -0.5]
    test = np.array([[0.5, 0.5]])
    order = np.linalg.norm((train - test) / train.std(axis=0), axis=1).argsort()[:NEAREST]
    for scale in ([1, 1], [1000, 1], [1, 1000], [0.001, 1]):
        found = neighbours(put(tmp_path / "a.parquet", train * scale, test * scale), None, "00", 100, {"0.wav"})
        assert found.of_test["0.wav"] == [f"train/00/{number}.wav" for number in order]
    assert order[0] == 7


def test_labels_change_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(12, 3)), rng.normal(size=(4, 3))
    found = [neighbours(put(tmp_path / f"{label}.parquet", train, test, label), "latent", "00", 100, {"1.wav"})
             for label in (None, "normal", "anomaly")]  # fmt: skip
    assert found[0] == found[1] == found[2]


def test_few_clips_are_all_neighbours_and_of_many_some_are_compared(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    few = neighbours(put(tmp_path / "a.parquet", rng.normal(size=(3, 2)), np.ones((6, 2))), None, "00", 9, {"5.wav"})
    assert (len(few.of_test["5.wav"]), few.count, [len(own) for own in few.of_training.values()]) == (3, 3, [2, 2, 2])
    table = put(tmp_path / "b.parquet", rng.normal(size=(200, 2)), np.ones((2, 2)))
    assert len(neighbours(table, None, "00", 150, {"0.wav"}).of_training) == SAMPLE
    assert neighbours(table, None, "00", 150, ()) == Neighbours()  # no work for clips without a sound


@pytest.mark.parametrize(
    ("train", "test", "why"),
    [
        (np.ones((10, 1)), np.ones((3, 1)), "the embedding has one number per clip"),
        (np.ones((4, 2)), np.ones((3, 2)), "there are fewer than 8 clips"),
        (np.ones((1, 2)), np.ones((9, 2)), "there are fewer than 2 training clips"),
        (np.full((10, 2), np.nan), np.ones((3, 2)), "a value is not finite"),
    ],
)
def test_what_has_no_neighbours_says_why(tmp_path: Path, train: np.ndarray, test: np.ndarray, why: str) -> None:
    found = neighbours(put(tmp_path / "a.parquet", train, test), "latent", "00", 100, {"0.wav"})
    assert found.flaw == why
    assert found.training == set()
