"""Compute a frontend's features of every training and test clip of a machine."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from asdlib.data.refused_tables import refusable
from asdlib.data.tables import ClipTable, writing
from asdlib.errors import AsdError
from asdlib.frontends import FRONTENDS
from asdlib.frontends.rate import wrong_rate
from asdlib.workflow.recipe import Recipe, Settings
from asdlib.workflow.words import RAW

_log = logging.getLogger(__name__)


def extract_features(audio: Path, out: Path, settings: Settings, training_only: bool = False) -> None:
    """Write `out`: the features of the training and test clips in `audio`, in their order and the recipe's `dtype`.

    Supplements have none: no model reads them. With `training_only`, test clips have none either.

    The column `frames` is the number of a clip's frames that are computed from real samples, not from padding. The step
    uses one thread and keeps only a few clips in memory, so that several machines can run side by side. Raises AsdError
    if the clips do not have the sampling rate of the frontend. If `audio` could not be made, `out` says so.
    """
    with refusable(out):
        _extract(audio, out, settings, training_only)


def _extract(audio: Path, out: Path, settings: Settings, training_only: bool) -> None:
    torch.set_num_threads(1)
    kinds = ("train",) if training_only else ("train", "test")
    table = ClipTable(audio)
    recipe = Recipe("frontends", settings)
    frontend = FRONTENDS[recipe.kind](**recipe.arguments)
    if problem := wrong_rate(frontend, recipe.name, table.recipe["sample_rate"]):
        raise AsdError(problem)
    (samples,) = table.tensors["audio"]
    dtype = settings.get("dtype", "float32")
    notes = {"audio": table.digest, **_origin(table.recipe)}
    with writing(out, settings, notes, features=(dtype, frontend.shape(samples))) as written:
        for clips, waveforms in table.batches("audio", *kinds):
            lengths = clips.column("samples").to_pylist()
            # Clip by clip: the spectrum of one clip fits into the processor's cache. This is twice as fast as a batch.
            features = np.stack([_transform(frontend, *pair) for pair in zip(waveforms, lengths, strict=True)])
            written.write(_with_frames(clips, frontend), features=features.astype(dtype, copy=False))
    _log.info("%d clips, %s each", table.count(*kinds), "×".join(map(str, frontend.shape(samples))))


def _origin(recipe: Settings) -> dict[str, str]:
    """Return the dataset, machine and kind of view of a table, by which a joint training tells its clips apart."""
    if "augmentation" in recipe:
        kind = "augmented"
    elif "separator" in recipe:
        kind = "separated"
    else:
        kind = RAW
    return {"dataset": recipe["dataset"], "machine": recipe["machine"], "view_kind": kind}


def _transform(frontend: Any, waveform: np.ndarray, samples: int) -> np.ndarray:
    waveforms = torch.from_numpy(waveform.astype(np.float32)).div_(32768.0)[None]
    if getattr(frontend, "needs_samples", False):
        return frontend(waveforms, torch.tensor([samples]))[0].numpy()
    return frontend(waveforms)[0].numpy()


def _with_frames(clips: pa.Table, frontend: Any) -> pa.Table:
    frames = [frontend.frames(samples) for samples in clips.column("samples").to_pylist()]
    return clips.set_column(clips.schema.get_field_index("frames"), "frames", pa.array(frames, pa.int32()))
