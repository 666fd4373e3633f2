"""Building a segment: the two Parquet tables and the index its manifest keeps."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.events import CORE, EVENT, LEAF, TEXT, SchemaError, check_schema, effective_at
from connectors.log import merkle
from connectors.log.arrow_bytes import string_lengths
from connectors.log.content import rows_sha256
from connectors.log.layout import HOUR_US, from_us
from connectors.log.manifest import RowGroup, Segment

GROUP_ROWS = 16_384
GROUP_TEXT_BYTES = 16 << 20
"""A row group ends at this many rows or bytes of text: what a reader holds at once is bounded by both."""

SALT_BYTES = 16
POSITION = pa.field("position", pa.int64(), nullable=False)
"""seq << 32 | row: where an event stands in the log, stable, and unique over all generations."""
_REPETITIVE = ["grace_s", "source", "channel", "voice", "perimeter", "language", "flags"]


@dataclass(frozen=True, slots=True)
class Index:
    """What a manifest says of a segment's rows, computed from the rows alone."""

    first_effective_us: int
    last_effective_us: int
    max_grace_s: int
    hours: tuple[tuple[int, int], ...]
    row_groups: tuple[RowGroup, ...]


def normalise(events: pa.Table) -> pa.Table:
    """The events as one chunk of exactly EVENT; SchemaError for a column absent, of another type or null."""
    check_schema(events.schema, EVENT, where="events to append to the log")
    chosen = events.select(EVENT.names)
    empty = [field.name for field in EVENT if not field.nullable and chosen[field.name].null_count]
    if empty:
        raise SchemaError(f"events to append to the log: missing values in {empty}")
    return chosen.cast(EVENT).combine_chunks()


def group_lengths(text_bytes: npt.NDArray[np.int64]) -> list[int]:
    """Cut rows into row groups of at most GROUP_ROWS rows and GROUP_TEXT_BYTES of text (but one row each)."""
    ends = np.cumsum(text_bytes)
    lengths, start = [], 0
    while start < len(ends):
        before = int(ends[start - 1]) if start else 0
        fitting = int(np.searchsorted(ends, before + GROUP_TEXT_BYTES, side="right"))
        end = max(start + 1, min(fitting, start + GROUP_ROWS, len(ends)))
        lengths.append(end - start)
        start = end
    return lengths


def index(core: pa.Table, text_bytes: npt.NDArray[np.int64], lengths: list[int]) -> Index:
    """Index of rows cut into groups of the given lengths. At least one row."""
    effective = pc.cast(effective_at(core), pa.int64()).to_numpy()
    hours, counts = np.unique(effective // HOUR_US, return_counts=True)
    starts = np.cumsum([0, *lengths[:-1]])
    columns = (
        lengths,
        np.minimum.reduceat(effective, starts).tolist(),
        np.maximum.reduceat(effective, starts).tolist(),
        np.add.reduceat(text_bytes, starts).tolist(),
    )
    return Index(
        first_effective_us=int(effective.min()),
        last_effective_us=int(effective.max()),
        max_grace_s=int(pc.max(core["grace_s"]).as_py()),
        hours=tuple(zip(hours.tolist(), counts.tolist(), strict=True)),
        row_groups=tuple(RowGroup(*group) for group in zip(*columns, strict=True)),
    )


def write_segment(
    events: pa.Table,
    *,
    core: Path,
    text: Path,
    generation: int,
    seq: int,
    live: bool,
    salts: bytes,
    write: Callable[[Path, Callable[[BinaryIO], None]], None],
    replaces: tuple[tuple[int, int], ...] = (),
    leaves: pa.ChunkedArray | None = None,
) -> Segment:
    """Write both files with `write` and describe them.

    events: normalised, not empty. salts: 16 bytes a row. replaces: pairs (number, rows) of the segments
    whose rows these are, in order; their positions then stand in the core. leaves: of texts that were erased
    before, null for others.
    """
    salt_column = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(SALT_BYTES), events.num_rows, [None, pa.py_buffer(salts)]
    )
    texts = pa.table([events["event_id"], salt_column, events["text"]], schema=TEXT)
    if leaves is not None and leaves.null_count < len(leaves):
        texts = texts.append_column(LEAF, leaves.combine_chunks())
    cores = events.select(CORE.names)
    text_bytes = string_lengths(texts["text"].chunk(0))
    lengths = group_lengths(text_bytes)
    stored = cores.append_column(POSITION, positions_of(replaces)) if replaces else cores
    write(core, lambda file: _write_parquet(file, stored, lengths))
    write(text, lambda file: write_texts(file, texts, lengths))
    core_sha256, text_sha256 = map(_sha256, (core, text))
    described = index(cores, text_bytes, lengths)
    return Segment(
        generation=generation,
        seq=seq,
        live=live,
        rows=events.num_rows,
        core_sha256=core_sha256,
        text_root=merkle.root(merkle.leaves(texts.to_batches()[0])).hex(),
        first_effective=from_us(described.first_effective_us),
        last_effective=from_us(described.last_effective_us),
        max_grace_s=described.max_grace_s,
        hours=described.hours,
        row_groups=described.row_groups,
        rows_sha256=rows_sha256(cores),
        text_sha256=text_sha256,
        replaces=replaces,
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def positions_of(replaces: tuple[tuple[int, int], ...]) -> pa.Array:
    """The positions of the rows of some segments, one after the other, int64."""
    parts = [np.int64(seq << 32) + np.arange(rows, dtype=np.int64) for seq, rows in replaces]
    return pa.array(np.concatenate(parts))


def write_texts(file: BinaryIO, texts: pa.Table, lengths: list[int]) -> None:
    """A text file, TEXT or TEXT_READ, in row groups of these lengths."""
    _write_parquet(file, texts, lengths)


def _write_parquet(file: BinaryIO, table: pa.Table, lengths: list[int]) -> None:
    with pq.ParquetWriter(
        file,
        table.schema,
        compression="zstd",
        use_dictionary=[name for name in table.schema.names if name in _REPETITIVE],
        write_page_checksum=True,
    ) as writer:
        start = 0
        for length in lengths:
            writer.write_table(table.slice(start, length), row_group_size=length)
            start += length
