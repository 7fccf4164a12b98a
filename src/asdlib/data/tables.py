"""Clips in Parquet: one file per machine, one row per clip, metadata first, tensors behind.

Row groups hold one kind of clip each, so that reading only the training rows, or only the metadata, touches only
those bytes. A file is written to a temporary name and renamed; its schema metadata holds the recipe that made it and a
digest of its content.
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

from asdlib.data.files import atomic
from asdlib.errors import AsdError

CLIP_FIELDS = pa.schema(
    [
        ("clip", pa.string()),  # the file's name without its ending
        ("section", pa.string()),
        ("domain", pa.string()),  # source, target or null
        ("split", pa.string()),  # train, test or supplemental
        ("label", pa.string()),  # normal, anomaly or null
        ("attributes", pa.map_(pa.string(), pa.string())),
        ("kind", pa.string()),  # train, test, clean or noise
        ("samples", pa.int32()),  # real samples, before padding and after cutting
        ("recorded_samples", pa.int32()),  # the recording's own length
        ("frames", pa.int32()),  # real frames of a feature table; null in audio
        ("source_file", pa.string()),
    ]
)
ROWS = 32  # a row group: 10 s clips at 16 kHz are 10 MB of audio, 5 MB of log-mel


class ClipWriter:
    """Writes clips to an open file; made by `writing`."""

    def __init__(self, writer: pq.ParquetWriter, tensors: dict[str, pa.DataType], digest: Any):
        self._writer = writer
        self._tensors = tensors
        self._digest = digest

    def write(self, clips: pa.Table, **tensors: np.ndarray) -> None:
        """Append clips of one kind, in row groups of ROWS; each tensor is (clips, …) in its declared shape."""
        if len(set(clips.column("kind").to_pylist())) > 1:
            raise ValueError("clips of several kinds in one row group: write them kind by kind")
        columns = {name: clips.column(name) for name in CLIP_FIELDS.names}
        for name, kind in self._tensors.items():
            columns[name] = _to_arrow(np.ascontiguousarray(tensors[name]), kind)
            self._digest.update(np.ascontiguousarray(tensors[name]).data)
        self._digest.update(json.dumps(clips.select(CLIP_FIELDS.names).to_pylist()).encode())
        self._writer.write_table(pa.table(columns, schema=self._writer.schema), row_group_size=ROWS)


@contextmanager
def writing(
    path: Path,
    recipe: dict[str, Any],
    notes: dict[str, Any] | None = None,
    **tensors: tuple[str, Sequence[int]],
) -> Iterator[ClipWriter]:
    """Open a clip table for writing; `tensors` are name=(dtype, shape of one clip). It appears when all is written.

    `recipe` is what made it; `notes` are small facts that travel with it. Both must be JSON.
    """
    kinds = {name: pa.fixed_shape_tensor(_arrow_type(dtype), tuple(shape)) for name, (dtype, shape) in tensors.items()}
    header = {"recipe": json.dumps(recipe, sort_keys=True), "notes": json.dumps(notes or {}, sort_keys=True)}
    schema = pa.schema([*CLIP_FIELDS, *kinds.items()], metadata=header)
    # Integers (audio) shrink to half under delta encoding; floats gain nothing, and read fastest split by bytes.
    encodings = {
        f"{name}.list.element": "DELTA_BINARY_PACKED" if np.dtype(dtype).kind == "i" else "BYTE_STREAM_SPLIT"
        for name, (dtype, _) in tensors.items()
    }
    # Not cryptographic: it tells contents apart, and sha256 takes a tenth of a stage that does nothing but stream.
    digest = xxh3_128(repr(sorted(kinds.items())).encode())
    with (
        atomic(path) as temporary,
        pq.ParquetWriter(
            temporary,
            schema,
            compression="none",
            use_dictionary=False,
            column_encoding=encodings,
            write_statistics=["kind", "section"],
            data_page_size=1 << 20,
            write_page_checksum=True,
        ) as writer,
    ):
        yield ClipWriter(writer, kinds, digest)
        writer.add_key_value_metadata({"digest": digest.hexdigest()})


class ClipTable:
    """A clip table on disk. Nothing but the footer is read before it is asked for."""

    def __init__(self, path: Path):
        self.path = Path(path)
        try:
            self._file = pq.ParquetFile(self.path, page_checksum_verification=True)
        except FileNotFoundError as error:
            raise AsdError(f"{self.path}: is gone: run again, and it is made anew") from error
        except (pa.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())
            raise AsdError(f"{self.path}: is not a whole Parquet file ({reason}): delete it and run again") from error
        metadata = self._file.metadata.metadata or {}
        if b"digest" not in metadata:
            raise AsdError(f"{self.path}: is a Parquet file, but not a clip table: delete it and run again")
        self.recipe: dict[str, Any] = json.loads(metadata[b"recipe"])
        self.notes: dict[str, Any] = json.loads(metadata[b"notes"])
        self.digest: str = metadata[b"digest"].decode()

    @property
    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Names and per-clip shapes of the tensor columns."""
        return {
            field.name: tuple(field.type.shape)
            for field in self._file.schema_arrow
            if isinstance(field.type, pa.FixedShapeTensorType)
        }

    def clips(self, *kinds: str) -> pa.Table:
        """Return the metadata of all clips, or of those kinds, without reading any tensor."""
        return self._read(self._groups(kinds), CLIP_FIELDS.names)

    def batches(self, tensor: str, *kinds: str) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Yield (metadata, tensor of shape (rows, …)) row group by row group; the arrays are read-only."""
        for group in self._groups(kinds):
            table = self._read([group], [*CLIP_FIELDS.names, tensor])
            yield table.select(CLIP_FIELDS.names), _to_numpy(table.column(tensor))

    def load(self, tensor: str, *kinds: str) -> tuple[pa.Table, np.ndarray]:
        """Return (metadata, tensor of shape (clips, …)) in one array; peak memory is that and a few row groups."""
        return load([self], tensor, *kinds)

    def _read(self, groups: list[int], columns: list[str]) -> pa.Table:
        try:
            return self._file.read_row_groups(groups, columns=columns, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())
            raise AsdError(f"{self.path}: is damaged ({reason}): delete it and run again") from error

    def _groups(self, kinds: Sequence[str]) -> list[int]:
        """Return the row groups that hold only these kinds (all, if none is named), from their statistics."""
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
    """Return (metadata, tensor of shape (clips, …)) of several tables, one after the other, in one array.

    With a folder `scratch` the array is a map of an unnamed file in it, else it is in memory.
    """
    clips = pa.concat_tables([table.clips(*kinds) for table in tables])
    array: np.ndarray | None = None
    row = 0
    for table in tables:
        for _, batch in table.batches(tensor, *kinds):
            if array is None:
                array = _allocate((len(clips), *batch.shape[1:]), batch.dtype, scratch)
            array[row : row + len(batch)] = batch
            row += len(batch)
    if array is None:
        missing = f"{' or '.join(kinds)} clips".lstrip()
        raise AsdError(f"{tables[0].path}: holds no {missing}: check the dataset")
    return clips, array


def _allocate(shape: tuple[int, ...], dtype: np.dtype, scratch: Path | None) -> np.ndarray:
    if scratch is None:
        return np.empty(shape, dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    try:
        with tempfile.TemporaryFile(dir=scratch) as handle:
            os.posix_fallocate(handle.fileno(), 0, size)  # a map of a file that the disk cannot hold ends in a signal
            return np.memmap(handle, dtype, "r+", shape=shape)
    except OSError as error:
        need = f"{size / 1e9:.1f} GB for the features of a joint training"
        raise AsdError(f"{scratch}: no room for {need} ({error.strerror}): make room there") from error


def clip_rows(rows: list[dict[str, Any]]) -> pa.Table:
    """Make a metadata table of rows with the fields of CLIP_FIELDS."""
    return pa.Table.from_pylist([{**row, "attributes": list(row["attributes"].items())} for row in rows], CLIP_FIELDS)


def _arrow_type(dtype: str) -> pa.DataType:
    return pa.from_numpy_dtype(np.dtype(dtype))


def _to_arrow(array: np.ndarray, kind: pa.DataType) -> pa.ExtensionArray:
    size = int(np.prod(kind.shape))
    if array.shape[1:] != tuple(kind.shape) or pa.from_numpy_dtype(array.dtype) != kind.value_type:
        raise ValueError(f"tensor {array.dtype}{array.shape} does not fit a column of {kind}")
    return pa.ExtensionArray.from_storage(kind, pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), size))


def _to_numpy(column: pa.ChunkedArray) -> np.ndarray:
    arrays = [chunk.to_numpy_ndarray() for chunk in column.chunks]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
