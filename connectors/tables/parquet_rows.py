"""Rows of Parquet, a batch at a time."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.source_settings import TableSource
from connectors.tables.cells import jsonable
from connectors.tables.rows import FileError, Header, Row

_BATCH_ROWS = 4096


def read_parquet(path: Path, settings: TableSource) -> Iterator[Row]:
    """Rows numbered from 1; columns have the file's names, `header_rows` does not apply.

    Raises FileError where the file cannot be read or lacks a configured column.
    """
    line = 0
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            header = Header(names, width=len(names), settings=settings)
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                columns = [_cells(column) for column in batch.columns]
                for cells in zip(*columns, strict=True):
                    line += 1
                    yield line, header.payload(cells)
    except (pa.ArrowException, OSError, ValueError) as error:
        kind = type(error).__name__
        raise FileError("unreadable_file", f"not readable as Parquet ({kind}); write it again") from error


def _cells(column: pa.Array) -> list[object]:
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        # datetime has no nanoseconds.
        column = pc.cast(column, pa.timestamp("us", tz=column.type.tz), safe=False)
    return [jsonable(value) for value in column.to_pylist()]
