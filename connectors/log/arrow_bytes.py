"""The bytes of Arrow columns, row by row, without making a Python value of each column cell first."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def fixed_matrix(column: pa.Array) -> npt.NDArray[np.uint8]:
    """A binary(w) column without nulls as uint8, shape (rows, w). ValueError if a value is missing."""
    if column.null_count:
        raise ValueError(f"{column.null_count} values are missing")
    width = column.type.byte_width
    buffer = column.buffers()[1]
    if buffer is None:
        return np.empty((0, width), dtype=np.uint8)
    flat = np.frombuffer(buffer, dtype=np.uint8)
    return flat[column.offset * width : (column.offset + len(column)) * width].reshape(-1, width)


def fixed_rows(column: pa.Array) -> Iterator[bytes]:
    """Each value of a binary(w) column without nulls."""
    matrix = fixed_matrix(column)
    width, content = matrix.shape[1], matrix.tobytes()
    return (content[start : start + width] for start in range(0, len(content), width))


def string_rows(column: pa.Array) -> Iterator[bytes]:
    """Each value of a string column without nulls, as UTF-8 bytes."""
    offsets, content = _string_buffers(column)
    ends = offsets.tolist()
    return (content[start:end].tobytes() for start, end in pairwise(ends))


def string_lengths(column: pa.Array) -> npt.NDArray[np.int64]:
    """Bytes of each value of a string column in UTF-8, shape (rows,)."""
    offsets, _ = _string_buffers(column)
    return np.diff(offsets.astype(np.int64))


def _string_buffers(column: pa.Array) -> tuple[npt.NDArray[np.int32], memoryview]:
    _, offsets, content = column.buffers()
    if offsets is None or len(column) == 0:
        return np.zeros(1, dtype=np.int32), memoryview(b"")
    bounds = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    return bounds, memoryview(content if content is not None else b"")
