"""Maps of where in time and frequency a clip is reconstructed badly."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from asdlib.data.tables import clip_rows, writing
from asdlib.examples.clips import Origin
from asdlib.models.dense_autoencoder import DenseAutoencoder
from asdlib.report import error_maps as maps
from asdlib.report.cells import COLUMNS, ROWS
from asdlib.report.error_maps import error_maps, rows_of_bands, usual_errors
from asdlib.report.frame_errors import frame_errors
from asdlib.report.settings import ErrorMaps
from asdlib.weights.checkpoints import Checkpoint, save

RATE = 16000
FRONTEND = {"kind": "log_mel", "name": "bands", "n_mels": 128, "dtype": "float32"}


def put_errors(path: Path, **errors: np.ndarray) -> Path:
    """Write a table of training clips' errors; every second clip is of section 01."""
    with writing(path, {}, **{name: ("float32", array.shape[1:]) for name, array in errors.items()}) as written:
        count = len(next(iter(errors.values())))
        rows = [{"clip": str(number), "section": f"0{number % 2}", "domain": None, "split": "train", "label": None,
                 "attributes": {}, "kind": "train", "samples": 1, "recorded_samples": 1, "frames": None,
                 "source_file": f"train/{number}.wav"} for number in range(count)]  # fmt: skip
        written.write(clip_rows(rows), **{name: array.astype(np.float32) for name, array in errors.items()})
    return path


@pytest.fixture
def drawn(tmp_path: Path) -> ErrorMaps:
    """Return the maps of a network with random weights, and errors of training clips that are 1000."""
    torch.manual_seed(0)
    recipe = {"kind": "dense_autoencoder", "name": "ae", "hidden": 8, "latent": 2, "frontend": FRONTEND}
    save(tmp_path / "00.safetensors", Checkpoint(recipe, DenseAutoencoder(hidden=8, latent=2).state_dict()))
    errors = put_errors(tmp_path / "errors.parquet", mse=np.full((4, 1), 1000.0))
    return ErrorMaps("ae-123456", "raw", str(tmp_path / "{section}.safetensors"), str(errors), ["mse"])


def wave(seconds: float, middle: float) -> np.ndarray:
    """Return noise of one level, with a tone of 5125 Hz that swells and fades within 0.2 s."""
    time = np.arange(round(RATE * seconds)) / RATE
    noise = 0.1 * np.random.default_rng(0).normal(size=len(time))
    swell = np.exp(-(((time - middle) / 0.05) ** 2))
    return (32768 * (noise + 300 * swell * np.sin(2 * np.pi * 5125 * time))).astype(np.float32)


def test_a_tone_is_found_in_time_and_frequency(drawn: ErrorMaps) -> None:
    found = error_maps(drawn, "fan", "00", {"a.wav": {"raw": wave(4, 2.5)}, "b.wav": {"raw": wave(1, 0.5)}})
    assert list(found) == ["a.wav", "b.wav"]
    assert "of ae-123456 over time and frequency" in found["a.wav"]["alt"]
    assert "largest near 2.5 s and 5125 Hz" in found["a.wav"]["alt"]
    image = imread(io.BytesIO(base64.b64decode(found["a.wav"]["source"].partition(",")[2])), format="webp")
    assert image.shape[:2] == (ROWS, COLUMNS)
    row, column = np.unravel_index(image[:, :, :3].astype(int).sum(axis=2).argmax(), image.shape[:2])
    assert abs(column + 0.5 - 2.5 / 4 * COLUMNS) <= 2
    assert abs(ROWS - row - 0.5 - 5.125 / 8 * ROWS) <= 2  # the first row of an image is the highest frequency
    assert found["b.wav"]["width"] == 1 + RATE // 512  # no more columns than frames


def test_the_text_names_no_end_of_a_clip_and_the_brightest_is_sixteen_times_the_usual(
    drawn: ErrorMaps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the first frame is padding."""
    monkeypatch.setattr(maps, "heat", lambda values, alt, colours: {"values": values, "alt": alt})
    usual = put_errors(tmp_path / "usual.parquet", mse=np.full((4, 1), 100.0))
    found = error_maps(replace(drawn, embeddings=str(usual)), "fan", "00", {"a.wav": {"raw": wave(4, 0.0)}})["a.wav"]
    assert found["values"][:, 0].max() > found["values"][:, 1:].max()
    assert "near 0.1 s" in found["alt"]
    times = float(re.search(r"(\S+) times the mean", found["alt"])[1])
    assert times > 2
    assert found["values"][:, 1:-1].max() == pytest.approx(np.log2(times) / 4, rel=0.01)


def test_the_view_that_the_model_reads_is_drawn(drawn: ErrorMaps, monkeypatch: pytest.MonkeyPatch) -> None:
    waves = {"raw": wave(2, 0.5), "separated/x": wave(2, 1.5)}
    alts, told = [], []
    monkeypatch.setattr(maps, "frame_errors", lambda *given: told.append(given[2]) or frame_errors(*given))
    for view in ("raw", "separated/x", "separated/y"):  # the last is not kept, as it is equal to the recording
        one = ErrorMaps(drawn.name, view, drawn.weights, drawn.embeddings, drawn.variants)
        alts.append(error_maps(one, "fan", "00", {"a.wav": waves})["a.wav"]["alt"])
    assert "near 0.5 s" in alts[0]
    assert "near 1.5 s" in alts[1]
    assert alts[2] == alts[0]
    kinds = ("raw", "separated", "separated")  # of views, which are a condition of some networks
    assert told == [Origin("fan", "00", kind, None) for kind in kinds]


def test_a_clip_whose_error_is_not_finite_has_no_map(drawn: ErrorMaps) -> None:
    assert error_maps(drawn, "fan", "00", {"a.wav": {"raw": np.full(RATE, np.nan, np.float32)}}) == {}


def test_the_errors_of_training_clips_are_of_the_section_and_of_bands_if_they_are_kept(tmp_path: Path) -> None:
    bands = np.arange(12.0).reshape(4, 3)
    kept = put_errors(tmp_path / "a.parquet", error=bands, mse=bands[:, :1])
    np.testing.assert_allclose(usual_errors(kept, "00"), [3, 4, 5])
    np.testing.assert_allclose(usual_errors(put_errors(tmp_path / "b.parquet", mse=bands[:, :1]), "01"), [6])


@pytest.mark.parametrize(("rate", "bands"), [(16000, 128), (16000, 256), (16000, 40), (44100, 128)])
def test_every_row_is_a_mean_of_bands_near_its_frequency(rate: int, bands: int) -> None:
    rows = rows_of_bands(rate, bands)
    np.testing.assert_allclose(rows.sum(axis=1), 1)
    assert (np.diff([np.average(np.arange(bands), weights=row) for row in rows]) >= 0).all()
    assert rows[0, 0] > 0
    assert rows[-1, -1] > 0
