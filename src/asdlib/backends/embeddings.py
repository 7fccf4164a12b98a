"""The representations of clips that backends fit and score."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from asdlib.data.pieces import recording_of
from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError, TooFewClipsError

REFUSED_SECTIONS = "refused_sections"  # note: {section: why its model was not trained}


@dataclass(frozen=True)
class Embeddings:
    """Representations {name: array} of clips and, for training clips, domains, attributes and calibration.

    A representation is one vector per clip, (N, dimensions), or one per frequency band, (N, bands, dimensions). The
    second kind is read with `bands`, and refused by name where a backend expects vectors.

    `domains`, `attributes` and `recordings` are None for test clips, because no backend may use them. `recordings` has
    the name of the recording that each clip is, or is a piece of. `calibration` holds the samples that a model's
    `finish` returned. An unknown representation raises AsdError.
    """

    representations: Mapping[str, np.ndarray]
    domains: list[str | None] | None = None
    attributes: list[dict[str, str]] | None = None
    calibration: Mapping[str, np.ndarray] = field(default_factory=dict)
    recordings: list[str] | None = None

    def part(self, chosen: np.ndarray) -> "Embeddings":
        """Return those of some clips, (N,) True for each."""
        lists = (self.domains, self.attributes, self.recordings)
        domains, attributes, recordings = (one and list(compress(one, chosen)) for one in lists)
        found = {name: values[chosen] for name, values in self.representations.items()}
        return Embeddings(found, domains, attributes, self.calibration, recordings)

    def __getitem__(self, name: str) -> np.ndarray:
        found = self._found(name)
        if found.ndim > 2:
            shape = " × ".join(map(str, found.shape[1:]))
            raise AsdError(f"backend: {name!r} has {shape} values per clip: use one vector per clip, or band_memory")
        return found

    def bands(self, name: str) -> np.ndarray:
        """Return a representation as (N, bands, dimensions); one vector per clip is a single band."""
        found = self._found(name)
        return found if found.ndim == 3 else found[:, None]

    def _found(self, name: str) -> np.ndarray:
        if name not in self.representations:
            known = ", ".join(sorted(self.representations))
            raise AsdError(f"backend: the model gives no representation {name!r}: use one of: {known}")
        return self.representations[name]


def read_embeddings(path: Path, kind: str, section: str) -> tuple[pa.Table, Embeddings]:
    """Return the metadata and embeddings of one section's training (`kind` train) or test clips.

    The embeddings of test clips have no domains, attributes or calibration. Raises TooFewClipsError if the model of the
    machine or of the section was not trained.
    """
    table = ClipTable(path)
    if refused := table.notes.get(REFUSED_SECTIONS, {}).get(section):
        raise TooFewClipsError(refused)
    clips = table.clips(kind)
    chosen = pc.equal(clips.column("section"), section).to_numpy()
    representations = {name: table.load(name, kind)[1][chosen] for name in table.tensors}
    clips = clips.filter(pa.array(chosen))
    if kind != "train":
        return clips, Embeddings(representations)
    samples = table.notes.get("section_calibration", {}).get(section, table.notes.get("calibration", {}))
    calibration = {name: np.asarray(sample) for name, sample in samples.items()}
    attributes = [dict(pairs) for pairs in clips.column("attributes").to_pylist()]
    recordings = [recording_of(name) for name in clips.column("source_file").to_pylist()]
    return clips, Embeddings(representations, clips.column("domain").to_pylist(), attributes, calibration, recordings)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (…, dimensions) at length 1; null vectors stay null."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo(vectors.dtype).tiny)


def names_of(domains: Iterable[str | None]) -> np.ndarray:
    """Return the domains of clips as an array (N,) of names; an unknown one is a group of its own."""
    return np.array([str(domain) for domain in domains])
