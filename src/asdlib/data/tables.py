"""Clip tables: Parquet files with one row per clip, first the metadata, then the tensors.

There is one table per machine. Each row group has clips of one kind, so that training rows, or the metadata, can be
read without the rest. A table is written under a temporary name and then renamed. Its footer has the recipe, a digest
of the content, digests of every row group, which are checked on reading, and its own (asdlib.data.table_footer).

The tensor `audio` has units of the last of 16 bits: int16, or float32 where a separator may leave less than a unit.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from xxhash import xxh3_128

from asdlib.data.arrow_arrays import arrow_type, to_arrow, to_numpy
from asdlib.data.files import atomic
from asdlib.data.table_footer import one_line, open_checked, seal
from asdlib.errors import REFUSED, AsdError, TooFewClipsError

CLIP_FIELDS = pa.schema(
    [
        ("clip", pa.string()),  # the file's name without its extension
        ("section", pa.string()),
        ("domain", pa.string()),  # source, target or null
        ("split", pa.string()),  # train, test or supplemental
        ("label", pa.string()),  # normal, anomaly or null
        ("attributes", pa.map_(pa.string(), pa.string())),
        ("kind", pa.string()),  # train, test, clean or noise
        ("samples", pa.int32()),  # real samples: without padding, after cutting
        ("recorded_samples", pa.int32()),  # length of the whole recording
        ("frames", pa.int32()),  # real frames of a feature table; null in audio
        ("source_file", pa.string()),
    ]
)
SAME_ROWS = "same_rows"  # the note of a table without rows of its own
CLIPS = "clips"  # the name of the metadata among the digests of a row group
ROWS = 32  # per row group: 10 MB of audio or 5 MB of log-mel for 10 s clips at 16 kHz


class ClipWriter:
    """Writes clips to an open table; created by `writing`. `digests` are those of the row groups."""

    def __init__(self, writer: pq.ParquetWriter, tensors: dict[str, pa.DataType]):
        self._writer = writer
        self._tensors = tensors
        self.digests: list[dict[str, str]] = []

    def write(self, clips: pa.Table, **tensors: np.ndarray) -> None:
        """Append clips of one kind in row groups of ROWS; each tensor has the shape (clips, *declared shape)."""
        if len(set(clips.column("kind").to_pylist())) > 1:
            raise ValueError("clips of several kinds in one row group: write them kind by kind")
        columns = {name: clips.column(name) for name in CLIP_FIELDS.names}
        for name, kind in self._tensors.items():
            columns[name] = to_arrow(np.ascontiguousarray(tensors[name]), kind)
        table = pa.table(columns, schema=self._writer.schema)
        for start in range(0, len(table), ROWS):
            group = table.slice(start, ROWS)
            self.digests.append({CLIPS: _digest(group)} | {name: _digest(group, name) for name in self._tensors})
            self._writer.write_table(group, row_group_size=ROWS)


@contextmanager
def writing(
    path: Path,
    recipe: dict[str, Any],
    notes: dict[str, Any] | None = None,
    **tensors: tuple[str, Sequence[int]],
) -> Iterator[ClipWriter]:
    """Open a clip table for writing; the file appears once everything is written.

    `tensors` are name=(dtype, shape of one clip). `recipe` made the table, `notes` are further facts; both become JSON.
    """
    kinds = {name: pa.fixed_shape_tensor(arrow_type(dtype), tuple(shape)) for name, (dtype, shape) in tensors.items()}
    header = {"recipe": json.dumps(recipe, sort_keys=True), "notes": json.dumps(notes or {}, sort_keys=True)}
    schema = pa.schema([*CLIP_FIELDS, *kinds.items()], metadata=header)
    # Delta encoding halves the size of integers (audio). Floats do not shrink; byte-stream split is fastest to read.
    encodings = {
        f"{name}.list.element": "DELTA_BINARY_PACKED" if np.dtype(dtype).kind == "i" else "BYTE_STREAM_SPLIT"
        for name, (dtype, _) in tensors.items()
    }
    with atomic(path) as temporary:
        with pq.ParquetWriter(
            temporary,
            schema,
            compression="none",
            use_dictionary=False,
            column_encoding=encodings,
            write_statistics=["kind", "section"],
            data_page_size=1 << 20,
            write_page_checksum=True,
        ) as writer:
            written = ClipWriter(writer, kinds)
            yield written
            groups = json.dumps(written.digests)
            digest = xxh3_128(f"{sorted(kinds.items())}{groups}".encode()).hexdigest()
            writer.add_key_value_metadata({"digest": digest, "groups": groups})
        seal(temporary)


def write_same_rows(path: Path, table: "ClipTable", recipe: dict[str, Any], notes: dict[str, Any]) -> None:
    """Write a table that has the rows of another one without copying them; it is found by its relative path."""
    origin = {"table": os.path.relpath(table.path, path.parent), "digest": table.digest}
    with writing(path, recipe, {**notes, SAME_ROWS: origin}):
        pass


class ClipTable:
    """A clip table on disk. Opening it reads only the footer, also that of a table whose rows it shares.

    Raises TooFewClipsError if it is in place of a table that could not be made (asdlib.data.refused_tables).
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        source = open_checked(self.path)
        with one_line(self.path, "is not a whole Parquet file"):
            self._file = pq.ParquetFile(source, page_checksum_verification=True)
        metadata = self._file.metadata.metadata
        self.recipe: dict[str, Any] = json.loads(metadata[b"recipe"])
        self.notes: dict[str, Any] = json.loads(metadata[b"notes"])
        if REFUSED in self.notes:
            raise TooFewClipsError(self.notes[REFUSED])
        self.digest: str = metadata[b"digest"].decode()
        self._digests: list[dict[str, str]] = json.loads(metadata[b"groups"])
        self._rows_in = self.path
        if SAME_ROWS in self.notes:
            self._read_rows_of(Path(os.path.normpath(self.path.parent / self.notes[SAME_ROWS]["table"])))

    @property
    def tensors(self) -> dict[str, tuple[int, ...]]:
        """The tensor columns as {name: shape of one clip}."""
        return {
            field.name: tuple(field.type.shape)
            for field in self._file.schema_arrow
            if isinstance(field.type, pa.FixedShapeTensorType)
        }

    def count(self, *kinds: str) -> int:
        """Return the number of clips of some kinds (default: all)."""
        return sum(self._file.metadata.row_group(group).num_rows for group in self._groups(kinds))

    def clips(self, *kinds: str) -> pa.Table:
        """Return the metadata of the clips of some kinds (default: all), without reading any tensor."""
        return self._read(self._groups(kinds))

    def batches(self, tensor: str, *kinds: str) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Yield (metadata, tensor of shape (rows, …)) for each row group; the arrays are read-only."""
        for group in self._groups(kinds):
            table = self._read([group], tensor)
            yield table.select(CLIP_FIELDS.names), to_numpy(table.column(tensor))

    def load(self, tensor: str, *kinds: str) -> tuple[pa.Table, np.ndarray]:
        """Return (metadata, tensor of shape (clips, …)); peak memory is this array and a few row groups."""
        return load([self], tensor, *kinds)

    def _read_rows_of(self, path: Path) -> None:
        """Read the rows of the table `path`; raise AsdError if it is missing or has been made again since."""
        if not path.exists():  # no rule that reads this table makes the other one
            raise AsdError(f"{self.path}: {path}, which has its rows, is missing: delete {self.path} and run again")
        other = ClipTable(path)
        if other.digest != self.notes[SAME_ROWS]["digest"]:
            raise AsdError(f"{self.path}: {path} has changed since: delete {self.path} and run again")
        self._file, self._digests, self.digest, self._rows_in = other._file, other._digests, other.digest, path

    def _read(self, groups: list[int], *tensors: str) -> pa.Table:
        """Return the metadata and tensors of row groups; raise AsdError if they do not have the stored digests."""
        with one_line(self._rows_in, "is damaged"):
            table = self._file.read_row_groups(groups, columns=[*CLIP_FIELDS.names, *tensors], use_threads=False)
        row = 0
        for group in groups:
            rows = table.slice(row, self._file.metadata.row_group(group).num_rows)
            row += len(rows)
            found = {CLIPS: _digest(rows)} | {name: _digest(rows, name) for name in tensors}
            if any(self._digests[group][name] != digest for name, digest in found.items()):
                raise AsdError(f"{self._rows_in}: is damaged (rows do not match their digest): delete it and run again")
        return table

    def _groups(self, kinds: Sequence[str]) -> list[int]:
        """Return the row groups of these kinds (all if none is given), found by their statistics."""
        metadata = self._file.metadata
        if not kinds:
            return list(range(metadata.num_row_groups))
        column = metadata.schema.names.index("kind")
        found = []
        for group in range(metadata.num_row_groups):
            statistics = metadata.row_group(group).column(column).statistics
            if statistics.min == statistics.max and statistics.min in kinds:
                found.append(group)
        return found


def load(
    tables: Sequence[ClipTable], tensor: str, *kinds: str, scratch: Path | None = None
) -> tuple[pa.Table, np.ndarray]:
    """Return (metadata, tensor of shape (clips, …)) of several tables, concatenated.

    With a folder `scratch`, the array is memory-mapped to an unnamed file there; otherwise it is in memory. Raise
    AsdError if no clip is of these kinds.
    """
    count = sum(table.count(*kinds) for table in tables)
    array: np.ndarray | None = None
    clips: list[pa.Table] = []
    row = 0
    for table in tables:
        for own, batch in table.batches(tensor, *kinds):
            if array is None:
                array = _allocate((count, *batch.shape[1:]), batch.dtype, scratch)
            array[row : row + len(batch)] = batch
            row += len(batch)
            clips.append(own)
    if array is None:
        missing = f"{' or '.join(kinds)} clips".lstrip()
        raise AsdError(f"{tables[0].path}: contains no {missing}: check the dataset")
    return pa.concat_tables(clips).combine_chunks(), array


def _allocate(shape: tuple[int, ...], dtype: np.dtype, scratch: Path | None) -> np.ndarray:
    if scratch is None:
        return np.empty(shape, dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    try:
        with tempfile.TemporaryFile(dir=scratch) as handle:
            os.posix_fallocate(handle.fileno(), 0, size)  # otherwise a full disk kills the process by a signal
            return np.memmap(handle, dtype, "r+", shape=shape)
    except OSError as error:
        need = f"{size / 1e9:.1f} GB for the features of a joint training"
        raise AsdError(f"{scratch}: no room for {need} ({error.strerror}): free disk space there") from error


def clip_rows(rows: list[dict[str, Any]]) -> pa.Table:
    """Return a metadata table of rows that have the fields of CLIP_FIELDS."""
    return pa.Table.from_pylist([{**row, "attributes": list(row["attributes"].items())} for row in rows], CLIP_FIELDS)


def _digest(rows: pa.Table, tensor: str | None = None) -> str:
    """Return a digest of a tensor of a row group, or of its metadata.

    It is not cryptographic: it only has to distinguish contents, and SHA-256 takes a tenth of the time of a whole step.
    """
    if tensor is not None:
        return xxh3_128(to_numpy(rows.column(tensor)).data).hexdigest()
    return xxh3_128(json.dumps(rows.select(CLIP_FIELDS.names).to_pylist()).encode()).hexdigest()
