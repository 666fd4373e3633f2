"""Reading rows of segments, with their positions."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import LogError
from connectors.events import CORE, EVENT, FLAG_ERASED, effective_at
from connectors.log.chain import Chain
from connectors.log.files import LogFiles
from connectors.log.layout import core_path, text_path
from connectors.log.manifest import Manifest, Segment
from connectors.log.plan import Part, Piece, plan_rows
from connectors.log.segment import POSITION


def read_piece(files: LogFiles, piece: Piece, *, text: bool) -> pa.RecordBatch:
    """The rows of a piece that fall in its slice; see EventLog.read_piece."""
    tables = [_read_part(files, part, piece, text=text) for part in piece.parts]
    table = pa.concat_tables(tables)
    if piece.positions is not None:
        first, end = piece.positions
        position = table["position"]
        table = table.filter(pc.and_(pc.greater_equal(position, first), pc.less(position, end)))
    return _one_batch(table)


def read_moved(files: LogFiles, chain: Chain, piece: Piece, *, text: bool) -> pa.RecordBatch:
    """As read_piece, of a piece some of whose segments a compaction replaced; chain: as it is now."""
    batches = []
    for part in piece.parts:
        place = chain.where(part.seq)
        if place is None or place[0].seq == part.seq:
            moved = [replace(piece, parts=(part,))]
        else:
            segment, offset = place
            position = (part.seq << 32) + part.first_row
            found = plan_rows(segment, first=offset + part.first_row, rows=part.rows, position=position)
            unfiltered = part.whole and piece.positions is None
            moved = found if unfiltered else [_within(one, piece) for one in found]
        batches += [read_piece(files, one, text=text) for one in moved]
    return _one_batch(pa.Table.from_batches(batches))


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _within(moved: Piece, piece: Piece) -> Piece:
    """Rows that are both in a range of positions and in a piece's slice and range."""
    assert moved.positions is not None
    first, end = moved.positions
    if piece.positions is not None:
        first, end = max(first, piece.positions[0]), min(end, piece.positions[1])
    parts = tuple(replace(part, whole=False) for part in moved.parts)
    return Piece(piece.start, piece.end, parts, moved.rows, (first, end))


def check_rows(files: LogFiles, manifest: Manifest, asked: npt.NDArray[np.int64]) -> None:
    """Raise LogError for a row that the segment of a manifest never had."""
    if len(asked) and asked.max() >= manifest.rows:
        raise LogError(
            f"{files.name(core_path(manifest.generation, manifest.seq))}: row {asked.max()} was asked for, "
            f"the segment has {manifest.rows}: the position is not one of this log"
        )


def take_rows(
    files: LogFiles, segment: Segment, rows: npt.NDArray[np.int64], positions: npt.NDArray[np.int64]
) -> pa.Table:
    """Some rows of a segment, EVENT and position, in the order asked; reads only their row groups.

    rows: places in the segment's files, of the events that have these positions.
    """
    starts = np.cumsum([0, *(group.rows for group in segment.row_groups)])
    group_of = np.searchsorted(starts, rows, side="right") - 1
    groups = np.unique(group_of)
    lengths = starts[groups + 1] - starts[groups]
    shifted = np.cumsum([0, *lengths[:-1]])
    within = shifted[np.searchsorted(groups, group_of)] + rows - starts[group_of]
    table = read_groups(files, segment.generation, segment.seq, groups.tolist(), text=True)
    return table.take(pa.array(within)).append_column(POSITION, pa.array(positions))


def read_groups(
    files: LogFiles,
    generation: int,
    seq: int,
    groups: Sequence[int] | None,
    *,
    text: bool,
    position: bool = False,
) -> pa.Table:
    """Row groups (all where None) as EVENT, or CORE without text; LogError if a file is damaged.

    position: with the positions, last, that a merged segment's core holds.
    """
    schema = pa.schema([*CORE, POSITION]) if position else CORE
    core = files.read_groups(core_path(generation, seq), groups, schema)
    if not text:
        return core
    path = text_path(generation, seq)
    texts = files.read_texts(path, groups)
    if not texts["event_id"].equals(core["event_id"]):
        raise LogError(
            f"{files.name(path)}: its rows are not those of the core file: restore it from a copy of the log"
        )
    if texts["leaf"].null_count < texts.num_rows:
        erased = pc.cast(pc.is_valid(texts["leaf"]), pa.uint16())
        flags = pc.bit_wise_or(core["flags"], pc.multiply(erased, pa.scalar(FLAG_ERASED, pa.uint16())))
        core = core.set_column(core.schema.get_field_index("flags"), CORE.field("flags"), flags)
    return core.add_column(len(CORE), EVENT.field("text"), texts["text"])


def _read_part(files: LogFiles, part: Part, piece: Piece, *, text: bool) -> pa.Table:
    groups = range(part.first_group, part.first_group + part.groups)
    table = read_groups(files, part.generation, part.seq, groups, text=text, position=part.merged)
    if table.num_rows != part.rows:
        raise LogError(
            f"{files.name(core_path(part.generation, part.seq))}: has {table.num_rows} rows, "
            f"its manifest says {part.rows}: restore it from a copy of the log"
        )
    if not part.merged:
        rows = np.arange(part.first_row, part.first_row + part.rows)
        table = table.append_column(POSITION, pa.array(np.int64(part.seq << 32) | rows))
    if part.whole:
        return table
    effective = effective_at(table)
    inside = pc.and_(
        pc.greater_equal(effective, pa.scalar(piece.start, effective.type)),
        pc.less(effective, pa.scalar(piece.end, effective.type)),
    )
    return table.filter(inside)
