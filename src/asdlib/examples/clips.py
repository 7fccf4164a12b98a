"""Clips with their features, and batches of them, for training and embedding."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from asdlib.data.tables import ClipTable, load

Recording = tuple[str, str, str]  # dataset, machine and file
COMMON = ("dataset", "machine", "view_kind")  # notes of a feature table that apply to all its clips


@dataclass(frozen=True)
class Batch:
    """Features (B, …) of clips or of parts of them, with their frame counts, domains and labels."""

    features: Tensor
    frames: Tensor  # (B,) number of real frames of each clip; the rest of a row is padding
    target: Tensor  # (B,) True for training clips of the target domain, False for all other clips
    labels: Tensor | None = None  # (B, …) classes or conditions, defined by the model's examples; None when embedding

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        tensors = {name: value for name, value in vars(self).items() if value is not None}
        return replace(self, **{name: value.to(device, non_blocking=True) for name, value in tensors.items()})


@dataclass(frozen=True)
class Clips:
    """Clips: metadata (the columns of CLIP_FIELDS and COMMON) and features (N, frames, …), in the same order.

    The features of several machines are memory-mapped. Select rows by index; never copy or convert them as a whole.
    """

    table: pa.Table
    features: Tensor

    @property
    def frames(self) -> Tensor:
        """The number of real frames of each clip, (N,)."""
        return torch.from_numpy(self.table.column("frames").to_numpy().astype(np.int64))

    @property
    def target(self) -> Tensor:
        """Whether each clip is of the target domain, (N,)."""
        return torch.tensor([domain == "target" for domain in self.column("domain")])

    @property
    def recordings(self) -> list[Recording]:
        """The recording that each clip is made of: the same for its separated and its remixed copies."""
        return list(zip(*(self.column(name) for name in ("dataset", "machine", "source_file")), strict=True))

    def column(self, name: str) -> list:
        """Return one column of the metadata."""
        return self.table.column(name).to_pylist()


def load_clips(paths: list[Path], *kinds: str, scratch: Path | None = None) -> Clips:
    """Return the clips of some kinds in one or more feature tables, with their features in one tensor.

    With a folder `scratch`, the tensor is memory-mapped to an unnamed file there, which is deleted with the tensor. The
    joint training of many machines then needs no more memory than the training of one.
    """
    tables = [ClipTable(path) for path in paths]
    table, features = load(tables, "features", *kinds, scratch=scratch)
    counts = [len(one.clips(*kinds)) for one in tables]
    for name in COMMON:
        values = np.repeat([one.notes[name] for one in tables], counts)
        table = table.append_column(name, pa.array(values.tolist(), pa.string()))
    return Clips(table, torch.from_numpy(features))
