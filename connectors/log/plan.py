"""Planning reads from manifests alone: slices of effective time, and the pieces that may hold their rows."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from connectors.civil_days import civil_days, midnight
from connectors.log.layout import EPOCH, HOUR_US, to_us
from connectors.log.manifest import Segment

PIECE_ROWS = 16_384
PIECE_TEXT_BYTES = 32 << 20
"""A piece ends at this many rows or bytes of text (but holds at least one row group)."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A half-open range of effective time, start <= t < end, both UTC. rows: about how many, for progress."""

    start: datetime
    end: datetime
    rows: int


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive row groups of one segment. first_row: row number of the first one's first row.

    whole: every row is inside the slice, none needs to be filtered. merged: the core holds the positions.
    """

    generation: int
    seq: int
    first_group: int
    groups: int
    first_row: int
    rows: int
    whole: bool
    merged: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A unit of reading, small and picklable. rows: at most how many it yields.

    positions: only rows whose position is in this half-open range; all where None.
    """

    start: datetime
    end: datetime
    parts: tuple[Part, ...]
    rows: int
    positions: tuple[int, int] | None = None


def plan_slices(segments: Iterable[Segment], *, max_rows: int, zone: str) -> list[Slice]:
    """Consecutive slices, cut at civil midnights of `zone`, that cover every event; see EventLog.slices."""
    if max_rows < 1:
        raise ValueError(f"max_rows is {max_rows}; it must be at least 1")
    instants: list[int] = []
    counted: list[int] = []
    for segment in segments:
        # The first and last events name their days exactly; an hour may straddle midnight in a few zones.
        instants += [to_us(segment.first_effective), to_us(segment.last_effective)]
        counted += [0, 0]
        for hour, rows in segment.hours:
            instants.append(hour * HOUR_US)
            counted.append(rows)
    if not instants:
        return []
    rows_by_day: dict[int, int] = defaultdict(int)
    for day, rows in zip(civil_days(np.array(instants), zone).tolist(), counted, strict=True):
        rows_by_day[day] += rows
    days = sorted(rows_by_day)
    starts, counts = [days[0]], [0]
    for day in days:
        if counts[-1] and counts[-1] + rows_by_day[day] > max_rows:
            starts.append(day)
            counts.append(0)
        counts[-1] += rows_by_day[day]
    bounds = [midnight(_date(day), zone) for day in [*starts, days[-1] + 1]]
    return [Slice(start, end, rows) for start, end, rows in zip(bounds, bounds[1:], counts, strict=False)]


def plan_pieces(segments: Iterable[Segment], within: Slice) -> list[Piece]:
    """The pieces that together hold every row of the slice, each once; see EventLog.pieces."""
    pieces: list[Piece] = []
    parts: list[Part] = []
    rows = text_bytes = 0
    for part, part_bytes in _parts(segments, to_us(within.start), to_us(within.end)):
        if parts and (rows + part.rows > PIECE_ROWS or text_bytes + part_bytes > PIECE_TEXT_BYTES):
            pieces.append(Piece(within.start, within.end, tuple(parts), rows))
            parts, rows, text_bytes = [], 0, 0
        if parts and _follows(parts[-1], part):
            parts[-1] = _joined(parts[-1], part)
        else:
            parts.append(part)
        rows += part.rows
        text_bytes += part_bytes
    if parts:
        pieces.append(Piece(within.start, within.end, tuple(parts), rows))
    return pieces


def plan_rows(segment: Segment, *, first: int, rows: int, position: int) -> list[Piece]:
    """The pieces that hold consecutive rows of a segment, whose first one has this position."""
    start, end = segment.first_effective, segment.last_effective + timedelta(microseconds=1)
    wanted = position, position + rows
    pieces, first_row = [], 0
    for number, group in enumerate(segment.row_groups):
        inside = min(first_row + group.rows, first + rows) - max(first_row, first)
        if inside > 0:
            part = Part(
                segment.generation,
                segment.seq,
                number,
                1,
                first_row,
                group.rows,
                whole=True,
                merged=bool(segment.replaces),
            )
            pieces.append(Piece(start, end, (part,), inside, wanted))
        first_row += group.rows
    return pieces


def _parts(segments: Iterable[Segment], start: int, end: int) -> Iterator[tuple[Part, int]]:
    """Each row group that may hold rows of [start, end), and its bytes of text."""
    for segment in segments:
        first_row = 0
        for number, group in enumerate(segment.row_groups):
            if group.first_us < end and group.last_us >= start:
                whole = start <= group.first_us and group.last_us < end
                merged = bool(segment.replaces)
                yield (
                    Part(segment.generation, segment.seq, number, 1, first_row, group.rows, whole, merged),
                    group.text_bytes,
                )
            first_row += group.rows


def _follows(before: Part, part: Part) -> bool:
    adjacent = before.seq == part.seq and before.first_group + before.groups == part.first_group
    return adjacent and before.whole == part.whole


def _joined(before: Part, part: Part) -> Part:
    return Part(
        before.generation,
        before.seq,
        before.first_group,
        before.groups + part.groups,
        before.first_row,
        before.rows + part.rows,
        before.whole,
        before.merged,
    )


def _date(day: int) -> date:
    return EPOCH.date() + timedelta(days=day)
