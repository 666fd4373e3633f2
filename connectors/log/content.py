"""A hash of what a core says, whatever Parquet makes of it: equal rows give equal hashes in any file."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.events import CORE
from connectors.log.arrow_bytes import fixed_matrix, string_lengths, string_rows


def rows_sha256(core: pa.Table) -> str:
    """SHA-256 of the columns of CORE, one after the other, in hexadecimal.

    Of each: one byte a row, 1 if there is a value; then the values, absent ones as zeros. Numbers and times
    (microseconds) are little-endian; of strings come first the lengths in UTF-8, as int32, then all bytes.
    """
    found = hashlib.sha256()
    table = core.select(CORE.names).combine_chunks()
    for field in CORE:
        column = table[field.name]
        array = column.chunk(0) if column.num_chunks else pa.array([], field.type)
        found.update(pc.is_valid(array).cast(pa.uint8()).to_numpy(zero_copy_only=False).tobytes())
        for part in _values(array):
            found.update(part)
    return found.hexdigest()


def _values(array: pa.Array) -> list[bytes]:
    kind = array.type
    if pa.types.is_string(kind):
        return [string_lengths(array).astype("<i4").tobytes(), b"".join(string_rows(array))]
    if pa.types.is_fixed_size_binary(kind):
        filled = pc.fill_null(array, pa.scalar(bytes(kind.byte_width), kind)) if array.null_count else array
        return [fixed_matrix(filled).tobytes()]
    if pa.types.is_timestamp(kind):
        array = array.cast(pa.int64())
    zeroed = pc.fill_null(array, 0) if array.null_count else array
    values = zeroed.to_numpy(zero_copy_only=False)
    return [np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()]
