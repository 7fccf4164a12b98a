"""The augmentation `separated`: separated training clips as additional training clips (system3 §2.2, §3)."""

import logging
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from asdlib.augmentations.made_clips import made_clips
from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError

_log = logging.getLogger(__name__)


class Separated:
    """The separated version of every training clip; no clips for a machine that is not separated.

    Every augmentation is created with a `seed`; this one draws nothing.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def augment(
        self, raw: ClipTable, separated: ClipTable | None, noise: list[ClipTable]
    ) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Yield the separated training clips under new names, with their audio (n, samples)."""
        if separated is None:
            raise AsdError("augmentation separated: has no separated clips: give the recipe a separator")
        if not separated.notes.get("separated", True):
            _log.info("%s: is not separated: no clips are added", raw.path.stem)
            return
        for clips, audio in separated.batches("audio", "train"):
            names = [f"{clip}_separated" for clip in clips.column("clip").to_pylist()]
            yield made_clips(clips, list(range(len(clips))), names), audio
