"""Pictures of where in time and frequency an autoencoder reconstructs a clip worse than training clips."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asdlib.data.tables import ClipTable
from asdlib.examples.clips import Origin
from asdlib.frontends import FRONTENDS
from asdlib.frontends.mel import mel_filters
from asdlib.report.cells import ROWS, means_of_frames, place
from asdlib.report.frame_errors import frame_errors
from asdlib.report.images import Picture, heat
from asdlib.report.settings import ErrorMaps
from asdlib.report.sounds import Waves, scaled
from asdlib.training.build import restore_model
from asdlib.weights import checkpoints
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.words import RAW

BRIGHTEST = 16  # times the mean error of training clips, from which on a map has its brightest colour
FINE = 8192  # samples: a spectrum that resolves the narrowest mel bands


def error_maps(one: ErrorMaps, machine: str, section: str, clips: Mapping[str, Waves]) -> dict[str, Picture]:
    """Return {clip: map} of the clips of a section whose sounds are given; a clip whose error is not finite has none.

    A map has the axes of a spectrogram: time to the right and linear frequency upwards. Its values are the squared
    errors divided by the mean error of the section's training clips, of the same band if the model keeps it.
    """
    torch.set_num_threads(1)  # small networks, and the same bytes on every computer
    usual = usual_errors(Path(one.embeddings), section)
    checkpoint = checkpoints.load(Path(one.weights_of(section)))
    network = restore_model(checkpoint)
    recipe = Recipe("frontends", checkpoint.recipe["frontend"])
    frontend = FRONTENDS[recipe.kind](**recipe.arguments)
    rows = rows_of_bands(frontend.sample_rate, frontend.n_mels)
    origin = Origin(machine, section, one.view.partition("/")[0], None)
    found = {}
    with torch.inference_mode():
        for name, waves in clips.items():
            wave = scaled(waves.get(one.view, waves[RAW]))
            features = frontend(torch.from_numpy(wave)[None])[0]
            stored = features.numpy().astype(recipe.settings.get("dtype", "float32"))  # as the model has read them
            errors = frame_errors(network, torch.from_numpy(stored.astype(np.float32)), origin) / usual
            if np.isfinite(errors).all():
                cells = rows @ means_of_frames(errors).T
                found[name] = _drawn(cells, len(wave) / frontend.sample_rate, frontend, one.name)
    return found


def usual_errors(path: Path, section: str) -> np.ndarray:
    """Return the mean error of the training clips of a section, (bands,), or (1,) if the bands are not kept."""
    table = ClipTable(path)
    clips, errors = table.load("error" if "error" in table.tensors else "mse", "train")
    own = np.array([name == section for name in clips.column("section").to_pylist()])
    return errors[own].mean(axis=0)


def rows_of_bands(rate: int, bands: int) -> np.ndarray:
    """Return the weights (ROWS, bands) with which mel bands make rows of equal width in Hz, the lowest first.

    A row is the mean of the bands whose centres are in it, or else the band whose centre is nearest.
    """
    centres = mel_filters(rate, FINE, bands).argmax(axis=1) * rate / FINE
    middles = (np.arange(ROWS) + 0.5) * rate / 2 / ROWS
    apart = np.abs(centres - middles[:, None])
    inside = (apart <= rate / 4 / ROWS) | (apart == apart.min(axis=1, keepdims=True))
    return inside / inside.sum(axis=1, keepdims=True)


def _drawn(times: np.ndarray, seconds: float, frontend: Any, name: str) -> Picture:
    """Return the picture of errors (ROWS, columns), as multiples of those of training clips.

    Its text names the largest one, but not at either end: half of a clip's first and last frame is padding.
    """
    inner = times[:, 1:-1] if times.shape[1] > 2 else times
    row, column = np.unravel_index(inner.argmax(), inner.shape)
    column += (times.shape[1] - inner.shape[1]) // 2
    alt = (
        f"Reconstruction error of {name} over time and frequency, with the axes of the spectrogram: largest near "
        f"{place(row, column, times.shape[1], seconds, frontend.sample_rate)}, "
        f"{inner.max():.3g} times the mean of training clips."
    )
    return heat(np.log(np.maximum(times, 1)) / np.log(BRIGHTEST), alt, "magma")
