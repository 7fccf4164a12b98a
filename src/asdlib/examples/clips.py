"""Clips with their features, and batches of them, for training and embedding."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from asdlib.data.pieces import recording_of
from asdlib.data.tables import ClipTable, load
from asdlib.runtime.devices import send

COMMON = ("dataset", "machine", "view_kind")  # notes of a feature table that apply to all its clips


class Origin(NamedTuple):
    """What is known of a clip, also of one that is scored: its machine, section and view (raw, separated or augmented).

    `recording` is the name of the recording of a training clip, or from which it was made; None for any other clip.
    """

    machine: str
    section: str
    view: str
    recording: str | None

    @property
    def part(self) -> tuple[str, str]:
        """The machine and the section."""
        return self.machine, self.section


@dataclass(frozen=True)
class Batch:
    """Features (B, …) of clips or of parts of them, as stored, with their frame counts, domains and labels."""

    features: Tensor
    frames: Tensor  # (B,) number of real frames of each clip; the rest of a row is padding
    target: Tensor  # (B,) True for training clips of the target domain, False for all other clips
    labels: Tensor | None = None  # (B, …) classes or conditions, defined by the model's examples; None when embedding
    origins: list[Origin] | None = None  # of whole clips that are embedded

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device, with float32 features.

        Stored features are float16. They are sent as they are and converted on the device.
        """
        tensors = {name: send(value, device) for name, value in tensors_of(self).items()}
        return replace(self, **tensors | {"features": tensors["features"].float()})


def tensors_of(batch: Any) -> dict[str, Tensor]:
    """Return the fields of a batch, a dataclass, that are tensors."""
    return {name: value for name, value in vars(batch).items() if isinstance(value, Tensor)}


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
    def recordings(self) -> list[str]:
        """The name of the recording that each clip is, or is a piece or a separated or remixed copy of."""
        return [recording_of(name) for name in _recordings(self.table)]

    @property
    def wholes(self) -> Tensor:
        """The number of each clip's recording, (N,), in order of appearance; that of the clip if there is only one."""
        number: dict[str, int] = {}
        found = [number.setdefault(name, len(number)) for name in self.recordings]
        return torch.tensor(found if len(number) > 1 else range(len(found)))

    def column(self, name: str) -> list:
        """Return one column of the metadata."""
        return self.table.column(name).to_pylist()


def take(features: Tensor, *indices: Tensor) -> Tensor:
    """Return `features[indices]`, also if the features are on a device and the indices are not."""
    return features[tuple(send(index, features.device) for index in indices)]


def load_clips(paths: list[Path], *kinds: str, scratch: Path | None = None, section: str | None = None) -> Clips:
    """Return the clips of some kinds in one or more feature tables, with their features in one tensor.

    With a `section`, only its clips are returned.

    With a folder `scratch`, the tensor is memory-mapped to an unnamed file there, which is deleted with the tensor. The
    joint training of many machines then needs no more memory than the training of one.
    """
    tables = [ClipTable(path) for path in paths]
    table, features = load(tables, "features", *kinds, scratch=scratch)
    counts = [len(one.clips(*kinds)) for one in tables]
    clips = Clips(with_notes(table, [one.notes for one in tables], counts), torch.from_numpy(features))
    return clips if section is None else _of_section(clips, section)


def with_notes(clips: pa.Table, notes: list[dict[str, Any]], counts: list[int]) -> pa.Table:
    """Return the metadata of clips with the columns of COMMON, from the notes of their feature tables.

    `counts` are the numbers of clips that are from each of the tables, in this order.
    """
    for name in COMMON:
        values = np.repeat([one[name] for one in notes], counts)
        clips = clips.append_column(name, pa.array(values.tolist(), pa.string()))
    return clips


def origins(clips: pa.Table) -> list[Origin]:
    """Return the origins of clips, given their metadata with the columns of COMMON."""
    columns = [clips.column(name).to_pylist() for name in ("machine", "section", "view_kind", "kind")]
    return [
        Origin(machine, section, view, recording if kind == "train" else None)
        for machine, section, view, kind, recording in zip(*columns, _recordings(clips), strict=True)
    ]


def _recordings(clips: pa.Table) -> list[str]:
    """Return the dataset and file of each clip's recording as one name."""
    datasets, files = (clips.column(name).to_pylist() for name in ("dataset", "source_file"))
    return [f"{dataset}: {file}" for dataset, file in zip(datasets, files, strict=True)]


def _of_section(clips: Clips, section: str) -> Clips:
    chosen = np.array([own == section for own in clips.column("section")])
    return Clips(clips.table.filter(pa.array(chosen)), clips.features[torch.from_numpy(chosen)])
