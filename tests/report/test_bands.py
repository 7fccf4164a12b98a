"""In which frequencies a clip is strange."""

from pathlib import Path

import numpy as np
import pytest

from asdlib.data.tables import clip_rows, writing
from asdlib.report.bands import PARTS, strange_bands


def put(path: Path, train: np.ndarray, test: np.ndarray) -> Path:
    with writing(path, {}, error=("float32", (train.shape[1],))) as written:
        for kind, values in (("train", train), ("test", test)):
            rows = [{"clip": f"{kind}{number}", "section": "00", "domain": None, "split": kind, "label": None,
                     "attributes": {}, "kind": kind, "samples": 1, "recorded_samples": 1, "frames": None,
                     "source_file": f"{kind}/{number}.wav"} for number in range(len(values))]  # fmt: skip
            written.write(clip_rows(rows), error=values.astype(np.float32))
    return path


def test_the_part_with_an_unusual_error_stands_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    train, test = rng.normal(1, 0.1, (50, 4 * PARTS)), rng.normal(1, 0.1, (2, 4 * PARTS))
    test[1, 4 * 5 : 4 * 6] += 2
    found = strange_bands(put(tmp_path / "a.parquet", train, test), "error", "00", 100)
    assert list(found) == ["0.wav", "1.wav"]
    assert max(map(abs, found["0.wav"])) < 4
    assert np.argmax(found["1.wav"]) == 5
    means = train[:, 20:24].mean(axis=1)
    assert found["1.wav"][5] == pytest.approx((test[1, 20:24].mean() - means.mean()) / means.std(ddof=1), abs=0.06)


def test_equal_training_clips_give_finite_numbers(tmp_path: Path) -> None:
    found = strange_bands(put(tmp_path / "a.parquet", np.ones((3, PARTS)), np.full((1, PARTS), 2)), "error", "00", 100)
    assert np.isfinite(found["0.wav"]).all()


@pytest.mark.parametrize("representation", ["latent", None])
def test_only_errors_of_bands_have_frequencies(representation: str | None) -> None:
    assert strange_bands(Path("unread"), representation, "00", 100) is None


@pytest.mark.parametrize(("clips", "width", "value"), [(1, PARTS, 1.0), (3, PARTS - 1, 1.0), (3, PARTS, np.nan)])
def test_too_little_to_compare_is_nothing(tmp_path: Path, clips: int, width: int, value: float) -> None:
    path = put(tmp_path / "a.parquet", np.full((clips, width), value), np.ones((1, width)))
    assert strange_bands(path, "error", "00", 100) is None
