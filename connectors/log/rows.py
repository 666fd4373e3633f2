"""Reading rows of segments, with their positions."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import LogError
from connectors.events import CORE, EVENT, TEXT, effective_at
from connectors.log.files import LogFiles
from connectors.log.layout import core_path, text_path
from connectors.log.manifest import Segment
from connectors.log.plan import Part, Piece

POSITION = pa.field("position", pa.int64(), nullable=False)
"""seq << 32 | row: where an event stands in the log, stable, and unique over all generations."""

_TEXT_READ = pa.schema([TEXT.field("event_id"), TEXT.field("text")])


def read_piece(files: LogFiles, piece: Piece, *, text: bool) -> pa.RecordBatch:
    """The rows of a piece that fall in its slice; see EventLog.read_piece."""
    tables = [_read_part(files, part, piece, text=text) for part in piece.parts]
    table = pa.concat_tables(tables).combine_chunks()
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def take_rows(files: LogFiles, segment: Segment, rows: npt.NDArray[np.int64]) -> pa.Table:
    """Some rows of a segment, EVENT and position, in the order asked; reads only their row groups."""
    if len(rows) and (rows.min() < 0 or rows.max() >= segment.rows):
        raise LogError(
            f"{files.name(core_path(segment.generation, segment.seq))}: row {rows.max()} was asked for, "
            f"the segment has {segment.rows}: the position is not one of this log"
        )
    starts = np.cumsum([0, *(group.rows for group in segment.row_groups)])
    group_of = np.searchsorted(starts, rows, side="right") - 1
    groups = np.unique(group_of)
    lengths = starts[groups + 1] - starts[groups]
    shifted = np.cumsum([0, *lengths[:-1]])
    within = shifted[np.searchsorted(groups, group_of)] + rows - starts[group_of]
    table = read_groups(files, segment.generation, segment.seq, groups.tolist(), text=True)
    return _with_positions(table.take(pa.array(within)), segment.seq, rows)


def read_groups(
    files: LogFiles, generation: int, seq: int, groups: Sequence[int] | None, *, text: bool
) -> pa.Table:
    """Row groups (all where None) as EVENT, or CORE without text; LogError if a file is damaged."""
    core = files.read_groups(core_path(generation, seq), groups, CORE)
    if not text:
        return core
    path = text_path(generation, seq)
    texts = files.read_groups(path, groups, _TEXT_READ)
    if not texts["event_id"].equals(core["event_id"]):
        raise LogError(
            f"{files.name(path)}: its rows are not those of the core file: restore it from a copy of the log"
        )
    return core.append_column(EVENT.field("text"), texts["text"])


def _read_part(files: LogFiles, part: Part, piece: Piece, *, text: bool) -> pa.Table:
    groups = range(part.first_group, part.first_group + part.groups)
    table = read_groups(files, part.generation, part.seq, groups, text=text)
    if table.num_rows != part.rows:
        raise LogError(
            f"{files.name(core_path(part.generation, part.seq))}: has {table.num_rows} rows, "
            f"its manifest says {part.rows}: restore it from a copy of the log"
        )
    table = _with_positions(table, part.seq, np.arange(part.first_row, part.first_row + part.rows))
    if part.whole:
        return table
    effective = effective_at(table)
    inside = pc.and_(
        pc.greater_equal(effective, pa.scalar(piece.start, effective.type)),
        pc.less(effective, pa.scalar(piece.end, effective.type)),
    )
    return table.filter(inside)


def _with_positions(table: pa.Table, seq: int, rows: npt.NDArray[np.int64]) -> pa.Table:
    return table.append_column(POSITION, pa.array(np.int64(seq << 32) | rows.astype(np.int64)))
