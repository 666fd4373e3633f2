"""Arrow columns: what several modules do with them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The column in one piece; copied only where it is in several.

    >>> one_array(pa.chunked_array([[1], [2]])).to_pylist()
    [1, 2]
    """
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def mapped(
    column: pa.Array | pa.ChunkedArray, value_of: Callable[[Any], object], to: pa.DataType
) -> pa.Array:
    """A function of each distinct value, in place of the values.

    >>> mapped(pa.array(["a", "b", "a"]), str.upper, pa.string()).to_pylist()
    ['A', 'B', 'A']
    """
    encoded = one_array(column).dictionary_encode()
    values = pa.array([value_of(value) for value in encoded.dictionary.to_pylist()], to)
    return values.take(encoded.indices)


def ranked(column: pa.Array | pa.ChunkedArray) -> tuple[list[str], NDArray[np.int32]]:
    """The distinct names of a column, in order, and the place of each row's among them.

    >>> ranked(pa.array(["b", "a", "b"]))
    (['a', 'b'], array([1, 0, 1], dtype=int32))
    """
    encoded = one_array(column).dictionary_encode()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.int32)
    rank[order] = np.arange(len(names), dtype=np.int32)
    return [names[place] for place in order], rank[encoded.indices.to_numpy()]
