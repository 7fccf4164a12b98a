"""Features in memory and the batches cut from them: what every model's training and embedding see."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from asdlib.data.tables import ClipTable, load

PLACE = ("dataset", "machine", "view")  # what a feature table's notes say of all its clips


@dataclass(frozen=True)
class Batch:
    """Features (B, …) of clips or of pieces of them, and what is known of each."""

    features: Tensor
    frames: Tensor  # (B,) real frames of each clip; the rest of a row is padding
    target: Tensor  # (B,) True where a training clip is of the target domain; False for every other clip
    labels: Tensor | None = None  # (B, …) classes or conditions, as the model's own examples say; None when embedding

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        tensors = {name: value for name, value in vars(self).items() if value is not None}
        return replace(self, **{name: value.to(device, non_blocking=True) for name, value in tensors.items()})


@dataclass(frozen=True)
class Clips:
    """Whole clips: their metadata (CLIP_FIELDS and PLACE) and features (N, frames, …) in the same order.

    The features of several machines are a map of a file: take rows by index, never copy or convert them whole.
    """

    table: pa.Table
    features: Tensor

    @property
    def frames(self) -> Tensor:
        """The number of real frames of each clip, (N,)."""
        return torch.from_numpy(self.table.column("frames").to_numpy().astype(np.int64))

    @property
    def target(self) -> Tensor:
        """True where a clip is of the target domain, (N,)."""
        return torch.tensor([domain == "target" for domain in self.column("domain")])

    def column(self, name: str) -> list:
        """Return one column of the metadata."""
        return self.table.column(name).to_pylist()


def load_clips(paths: list[Path], *kinds: str, scratch: Path | None = None) -> Clips:
    """Load the features of some kinds of clips from one or more tables into one tensor, without a second copy.

    With a folder `scratch` the tensor is a map of a file there that nothing else can open and that vanishes with it:
    the joint training of many machines needs no more memory than that of one.
    """
    tables = [ClipTable(path) for path in paths]
    table, features = load(tables, "features", *kinds, scratch=scratch)
    counts = [len(one.clips(*kinds)) for one in tables]
    for name in PLACE:
        values = np.repeat([one.notes[name] for one in tables], counts)
        table = table.append_column(name, pa.array(values.tolist(), pa.string()))
    return Clips(table, torch.from_numpy(features))
