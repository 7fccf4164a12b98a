"""Columns of tensors as NumPy arrays, and the reverse."""

import numpy as np
import pyarrow as pa


def arrow_type(dtype: str) -> pa.DataType:
    """Return the Arrow type of a NumPy dtype."""
    return pa.from_numpy_dtype(np.dtype(dtype))


def to_arrow(array: np.ndarray, kind: pa.DataType) -> pa.ExtensionArray:
    """Return an array (rows, …) as a column of tensors; raise ValueError if its shape or dtype does not fit."""
    size = int(np.prod(kind.shape))
    if array.shape[1:] != tuple(kind.shape) or pa.from_numpy_dtype(array.dtype) != kind.value_type:
        raise ValueError(f"tensor {array.dtype}{array.shape} does not fit a column of {kind}")
    return pa.ExtensionArray.from_storage(kind, pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), size))


def to_numpy(column: pa.ChunkedArray) -> np.ndarray:
    """Return a column of tensors as one array (rows, …); a single chunk is not copied."""
    arrays = [chunk.to_numpy_ndarray() for chunk in column.chunks]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
