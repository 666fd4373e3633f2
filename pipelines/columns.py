"""Arrow columns: what several modules do with them."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa


def mapped(
    column: pa.Array | pa.ChunkedArray, value_of: Callable[[Any], object], to: pa.DataType
) -> pa.Array:
    """A function of each distinct value, in place of the values.

    >>> mapped(pa.array(["a", "b", "a"]), str.upper, pa.string()).to_pylist()
    ['A', 'B', 'A']
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    encoded = column.dictionary_encode()
    values = pa.array([value_of(value) for value in encoded.dictionary.to_pylist()], to)
    return values.take(encoded.indices)
