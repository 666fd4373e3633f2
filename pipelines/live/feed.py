"""The feed: what to read of the log next, and which buckets end, as parcels in an order that never changes.

It first goes through what the log holds, slice by slice, as a replay does; then it follows the log, manifest
by manifest. Where what came since changes what a replay makes of what was read already (rows of closed days,
a segment set aside, a new generation), a new epoch begins: the log is read again from its beginning.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from connectors.civil_days import civil_days
from connectors.log import EventLog, Manifest, Slice
from connectors.log.decisions import skipped_by
from connectors.log.layout import to_us
from pipelines.live.messages import Close, Parcel
from pipelines.replay import SLICE_ROWS, last_closed_bucket
from pipelines.stages.looks import NO_TICK, Graces, LookClock, Turn
from pipelines.stages.teaching import NOTHING_TAUGHT, Teaching

_NEVER = -(1 << 30)
"""A bucket before all others."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far the feed is. version: of the code and settings whose state the machines hold.

    parcels, closes: sent in this epoch. planned: number of the manifest up to which slices were planned;
    slice: the next of them, None once all are sent. head: number of the last manifest whose rows were sent.
    closed: last closed bucket. looked: tick of the last early look; newest: tick that sees all rows sent.
    """

    version: str
    epoch: int = 1
    parcels: int = 0
    closes: int = 0
    planned: int = 0
    slice: int | None = 0
    head: int = 0
    closed: int | None = None
    looked: int = NO_TICK
    newest: int = NO_TICK

    def to_json(self) -> str:
        """As `from_json` takes it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, content: str) -> "Position":
        """The position that `to_json` was called on."""
        return cls(**json.loads(content))

    def again(self, version: str) -> "Position":
        """The beginning of the next epoch."""
        return Position(version, epoch=self.epoch + 1)


class Feed:
    """Reads the log from a position on. ends: take the log as it is, and close what a replay would close;
    otherwise a live part is awaited, and the last days stay open as long as it may reach back to them.
    place_of: where a perimeter stands today. look_every_us: as in `Detection`.
    """

    def __init__(
        self,
        log: EventLog,
        position: Position,
        *,
        zone: str,
        place_of: Callable[[str], str],
        slice_rows: int = SLICE_ROWS,
        ends: bool,
        look_every_us: int = 0,
    ) -> None:
        self.position = position
        self._log = log
        self._zone = zone
        self._slice_rows = slice_rows
        self._ends = ends
        self._look_every_us = look_every_us
        self._place_of = place_of
        self._slices: list[Slice] | None = None
        self._taught: tuple[int, Teaching] = 0, NOTHING_TAUGHT
        self._graces = Graces()

    def step(self) -> Iterator[Parcel]:
        """The parcels of the next slice or of what was committed since; none where nothing is new.

        `position` moves as they are taken. LogError if the log cannot be read.
        """
        if self._slices is None:
            self._plan()
        if self.position.slice is not None:
            yield from self._next_slice()
        else:
            yield from self._follow()

    @property
    def caught_up(self) -> bool:
        """Whether all the slices that were planned are sent."""
        return self.position.slice is None

    def _plan(self) -> None:
        """See the log as of the position; at the beginning of an epoch, as it is."""
        if self.position.planned:
            self._log.read_to(max(self.position.planned, self.position.head))
            if self._skipped_since():
                self._log, self.position = (
                    EventLog(self._log.location),
                    self.position.again(self.position.version),
                )
        if not self.position.planned:
            self._log.refresh()
            head = self._log.head
            seq = 0 if head is None else head.seq
            self.position = replace(self.position, planned=seq, head=seq)
        self._slices, self._graces, self._taught = [], Graces(), (0, NOTHING_TAUGHT)
        if self.position.slice is not None:
            self._slices = self._log.slices(max_rows=self._slice_rows, zone=self._zone)

    def _skipped_since(self) -> bool:
        """Whether segments of the slices that are still to be sent were set aside."""
        if self.position.slice is None:
            return False
        now = EventLog(self._log.location)
        return any(seq <= self.position.planned for seq in now.skipped.keys() - self._log.skipped.keys())

    def _next_slice(self) -> Iterator[Parcel]:
        assert self._slices is not None
        assert self.position.slice is not None
        number, closable = self.position.slice, self._closable()
        if number < len(self._slices):
            part = self._slices[number]
            for piece in self._log.pieces(part):
                yield self._parcel(piece=piece)
            self.position = replace(self.position, slice=number + 1)
            if number + 1 < len(self._slices):
                # Signals are told at the last close alone, so that one is left for the end.
                if (bucket := self._complete(part)) < closable:
                    yield from self._close(bucket, caught_up=False)
                return
        head = self._log.head
        newest = self.position.newest if head is None else self._newest(head)
        self.position = replace(self.position, slice=None, newest=newest)
        yield from self._close(closable, caught_up=True)

    def _complete(self, part: Slice) -> int:
        """Last bucket that can be closed once a slice is sent: the looks before it see nothing later."""
        clock = self._clock()
        back = timedelta() if clock is None else timedelta(microseconds=clock.largest_grace)
        return _day(part.end - back, self._zone) - 1

    def _follow(self) -> Iterator[Parcel]:
        """What was committed since; the clock decides at the end, when all rows before it are sent."""
        fresh = list(iter(self._log.read_next, None))
        if any(self._contradicts(manifest) for manifest in fresh):
            self._slices, self.position = None, self.position.again(self.position.version)
            return
        rows, closable = 0, self._closable()
        for manifest in fresh:
            for piece in self._log.pieces_of(manifest.seq):
                yield self._parcel(piece=piece, followed=True)
                rows += piece.rows
            newest = self._newest(manifest) if manifest.rows else self.position.newest
            self.position = replace(self.position, head=manifest.seq, newest=newest)
            if rows >= self._slice_rows and (bucket := self._closable_at(manifest)) < closable:
                rows = 0
                yield from self._close(bucket, caught_up=False)
        if fresh:
            closed = self.position.closed
            yield from self._close(closable, caught_up=True)
            if closed is not None and self.position.closed == closed:
                yield from self._look(closed)

    def _look(self, closed: int) -> Iterator[Parcel]:
        """Look at the open buckets, if the clock came to a tick that sees rows no look saw."""
        clock, every_us, looked = self._log.clock, self._look_every_us, self.position.looked
        if not every_us or clock is None:
            return
        if to_us(clock) // every_us > looked < self.position.newest:
            yield from self._turn(closed, caught_up=True)

    def _contradicts(self, manifest: Manifest) -> bool:
        """Whether rows of closed buckets came, or what was read already is no longer what is visible."""
        if manifest.carries is not None:
            return True
        skip = skipped_by(manifest.decision) if manifest.decision else None
        if skip is not None and skip[0] <= self.position.head:
            return True
        segment = manifest.segment
        if segment is None or segment.replaces or self.position.closed is None:
            return False
        return _day(segment.first_effective, self._zone) <= self.position.closed

    def _closable_at(self, manifest: Manifest) -> int:
        """Last bucket that can be closed once all rows up to a manifest are sent."""
        until, clock = self._log.settled_until(), self._log.clock
        if until is None or clock is None or manifest.clock is None:
            return _NEVER
        return _day(manifest.clock - (clock - until), self._zone) - 1

    def _parcel(self, **content: object) -> Parcel:
        self.position = replace(self.position, parcels=self.position.parcels + 1)
        return Parcel(self.position.epoch, self.position.parcels, **content)  # type: ignore[arg-type]

    def _close(self, bucket: int, *, caught_up: bool) -> Iterator[Parcel]:
        if self.position.closed is None or bucket > self.position.closed:
            yield from self._turn(bucket, caught_up=caught_up)

    def _turn(self, bucket: int, *, caught_up: bool) -> Iterator[Parcel]:
        """The end of the buckets up to one, where they did not end yet, with the looks that are due."""
        until, head, clock = self._closed_until(), self._log.head, self._clock()
        if until is None or head is None:
            return
        turn = None
        if clock is not None:
            turn = Turn(clock, self.position.closed, bucket, self.position.looked, goes_on=caught_up)
            if caught_up:
                self.position = replace(self.position, looked=clock.last)
        self.position = replace(self.position, closes=self.position.closes + 1, closed=bucket)
        close = Close(
            self.position.closes,
            bucket,
            until,
            self._log.head_hash or "",
            head.seq,
            caught_up=caught_up,
            teaching=self._teaching(),
            turn=turn,
        )
        yield self._parcel(close=close)

    def _clock(self) -> LookClock | None:
        """The log's clock as it was read, None where no looks are taken."""
        every_us, graces = self._look_every_us, self._graces
        return LookClock.of(self._log, every_us=every_us, zone=self._zone, graces=graces)

    def _newest(self, manifest: Manifest) -> int:
        """The tick that sees all rows up to a manifest."""
        if not self._look_every_us or manifest.clock is None:
            return self.position.newest
        return to_us(manifest.clock) // self._look_every_us + 1

    def _teaching(self) -> Teaching:
        """What the log as it was read teaches.

        What is in force in a bucket was taken before the log's clock came to it, so before it closed: what
        was read besides makes no difference to it.
        """
        read, taught = self._taught
        fresh = list(self._log.manifests(read + 1))
        if fresh and (not read or any(manifest.decision for manifest in fresh)):
            taught = Teaching.of(self._log.manifests(), zone=self._zone, place_of=self._place_of)
        self._taught = (fresh[-1].seq if fresh else read), taught
        return taught

    def _closed_until(self) -> datetime | None:
        return self._log.closed_until() if self._ends else self._log.settled_until()

    def _closable(self) -> int:
        """Last bucket that can be closed; before all days where nothing can."""
        until = self._closed_until()
        if until is None:
            return _NEVER
        if self._ends:
            return last_closed_bucket(self._log, until, self._zone)
        return _day(until, self._zone) - 1


def _day(instant: datetime, zone: str) -> int:
    return int(civil_days(np.array([to_us(instant)]), zone)[0])
