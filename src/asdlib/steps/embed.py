"""Embed every training and test clip of a machine with a trained model."""

import logging
from pathlib import Path

import numpy as np
import torch

from asdlib.data.tables import ClipTable, writing
from asdlib.examples.clips import Batch, origins, with_notes
from asdlib.runtime.devices import choose_device
from asdlib.training.build import restore_model
from asdlib.training.short_clips import refuse_short_clips
from asdlib.weights import checkpoints
from asdlib.workflow.recipe import Recipe

_log = logging.getLogger(__name__)


def embed(features: Path, model: Path, out: Path, device: str, gpus: int, threads: int) -> None:
    """Write `out`: one row with the model's embeddings for every training and test clip in `features`.

    The model's calibration samples, if it has any, are stored in the table's notes.
    """
    torch.set_num_threads(threads)
    processor = choose_device(device, gpus)
    checkpoint = checkpoints.load(model)
    refuse_short_clips(Recipe("models", checkpoint.recipe), features)
    network = restore_model(checkpoint).to(processor)
    table = ClipTable(features)
    if hasattr(network, "for_machine"):
        network.for_machine(table.notes["machine"])
    groups = (
        (clips, _represent(network, with_notes(clips, [table.notes], [len(clips)]), array, processor))
        for clips, array in table.batches("features", "train", "test")
    )
    first_clips, first = next(groups)
    notes = {
        "features": table.digest,
        "calibration": {name: sample.double().tolist() for name, sample in checkpoint.calibration.items()},
    }
    shapes = {name: (str(array.dtype), array.shape[1:]) for name, array in first.items()}
    with writing(out, checkpoint.recipe, notes, **shapes) as written:
        written.write(first_clips, **first)
        for clips, representations in groups:
            written.write(clips, **representations)
    _log.info("%s", ", ".join(f"{name} {'×'.join(map(str, shape))}" for name, (_, shape) in shapes.items()))


def _represent(network: torch.nn.Module, table, features: np.ndarray, device: torch.device) -> dict[str, np.ndarray]:
    frames = torch.from_numpy(table.column("frames").to_numpy().astype(np.int64))
    unknown = torch.zeros(len(frames), dtype=torch.bool)  # a model does not see the domain of a clip that it embeds
    batch = Batch(torch.from_numpy(features.astype(np.float32)), frames, unknown, origins=origins(table)).to(device)
    with torch.inference_mode():
        return {name: array.float().cpu().numpy() for name, array in network.embed(batch).items()}
