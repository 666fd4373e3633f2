"""looks: when days that are still open are looked at, and what each look may know.

A look at tick t sees the state after the buckets that were closed at t, and the events of all open buckets
that were admitted before t. It tests what was said since the look before. Ticks are multiples of a span on
the log's clock, and all that is known of them is in the log: a look is the same whenever it is taken.
History, loaded in one go, was not admitted at any tick: nothing of it is looked at.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from connectors.civil_days import civil_days, day_of, midnight
from connectors.log import EventLog
from connectors.log.layout import to_us
from detectors.schemas import CANDIDATE, SUPPORT

NO_TICK = -1
"""Of what was not admitted live; before all ticks."""

_MOMENT = [
    pa.field("closed", pa.int32(), nullable=False),
    pa.field("tick", pa.int64(), nullable=False),
]
LOOK_TALLY = pa.schema(
    [
        *_MOMENT,
        pa.field("feature", pa.uint64(), nullable=False),
        pa.field("authors", pa.int64(), nullable=False),
    ]
)
"""Authors whom a tick adds to those of the open buckets, after bucket `closed` closed; NO_TICK: what came
before the ticks that are looked at. Feature 0 counts all who wrote. Tallies of divisions add up."""
LOOK_VIEW = pa.schema(
    [
        pa.field("closed", pa.int32(), nullable=False),
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("feature", pa.uint64(), nullable=False),
        pa.field("rate", pa.float64(), nullable=False),
        pa.field("season", pa.float64(), nullable=False),
    ]
)
"""What the root tells divisions, as in ROOT_VIEW. bucket: the day of the looks it is told for."""
LOOK_ASKED = pa.schema(
    [
        *_MOMENT,
        pa.field("feature", pa.uint64(), nullable=False),
        pa.field("since", pa.int32(), nullable=False),
    ]
)
"""What the root asks support for at a look, and the first bucket that it is to come from."""
EARLY_CANDIDATE = pa.schema([*CANDIDATE, *_MOMENT])
EARLY_SUPPORT = pa.schema([*SUPPORT, *_MOMENT])
"""As CANDIDATE and SUPPORT, of a look. bucket: the day of the look."""


@dataclass(frozen=True, slots=True)
class LookClock:
    """The log's clock as looks need it.

    every_us: microseconds from tick to tick, at least 1. zone: whose days count. graces: (instant, grace) in
    microseconds, in order: the largest grace by then, where the clock had not come further than the instant.
    last: the last tick that the clock has come to.
    """

    every_us: int
    zone: str
    graces: tuple[tuple[int, int], ...]
    last: int

    @classmethod
    def of(
        cls, log: EventLog, *, every_us: int, zone: str, graces: "Graces | None" = None
    ) -> "LookClock | None":
        """The clock of a log as it was opened; None where there is nothing to look at.

        graces: as far as they were read of this log before; None: not at all.
        """
        if every_us < 1 or log.clock is None or not log.has_live:
            return None
        found = (graces or Graces()).read_on(log)
        return cls(every_us, zone, found, to_us(log.clock) // every_us) if found else None

    def ticks(self, admitted_at: pa.ChunkedArray | pa.Array) -> NDArray[np.int64]:
        """The first tick that sees each event. admitted_at: microseconds, null where it was not live."""
        instants = admitted_at.fill_null(NO_TICK).to_numpy()
        found: NDArray[np.int64] = np.where(instants < 0, NO_TICK, instants // self.every_us + 1)
        return found

    def days(self, ticks: NDArray[np.int64]) -> NDArray[np.int32]:
        """The day that ends with, or goes on after, each tick."""
        return civil_days(ticks * self.every_us - 1, self.zone)

    def closed(self, ticks: NDArray[np.int64]) -> NDArray[np.int32]:
        """The last bucket that is closed at each tick."""
        instants = ticks * self.every_us
        steps = np.array([instant for instant, _ in self.graces], np.int64)
        graces = np.array([grace for _, grace in self.graces], np.int64)
        known = np.maximum(np.searchsorted(steps, instants, side="left") - 1, 0)
        return civil_days(instants - graces[known], self.zone) - np.int32(1)

    @property
    def largest_grace(self) -> int:
        """Of all graces, in microseconds."""
        return max(grace for _, grace in self.graces)

    def closing(self, bucket: int) -> datetime:
        """An instant at which a bucket is closed."""
        return midnight(day_of(bucket + 1), self.zone) + timedelta(microseconds=self.largest_grace)


@dataclass(slots=True)
class Graces:
    """The largest graces by the log's clock, as `LookClock` holds them. A log that grows is read on.

    read: number of the last manifest. clock: the log's by then, in microseconds.
    """

    read: int = 0
    clock: int = -1
    steps: list[tuple[int, int]] = field(default_factory=list)

    def read_on(self, log: EventLog) -> tuple[tuple[int, int], ...]:
        """Those of a log with what was committed to it since."""
        for manifest in log.manifests(self.read + 1):
            segment, self.read = manifest.segment, manifest.seq
            largest = self.steps[-1][1] if self.steps else -1
            if segment is not None and segment.max_grace_s * 1_000_000 > largest:
                self.steps.append((self.clock, segment.max_grace_s * 1_000_000))
            if manifest.clock is not None:
                self.clock = max(self.clock, to_us(manifest.clock))
        return tuple(self.steps)


class Group(NamedTuple):
    """Looks between two closes. closed: the bucket closed before them. ticks: of the looks, in order."""

    closed: int
    ticks: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of an engine takes: the looks before each of its closes, and the closes.

    before: last bucket closed before the turn, None: none. closes: last bucket that closes with it. after:
    looks up to this tick were taken in turns before. goes_on: whether the looks after the last close are
    taken too, as far as the log's clock has come.
    """

    clock: LookClock
    before: int | None
    closes: int
    after: int = NO_TICK
    goes_on: bool = False

    def groups(self, ticks: NDArray[np.int64]) -> list[Group]:
        """The looks of the turn, of which something was said at these ticks; in order."""
        due = np.unique(ticks)
        due = due[(due > self.after) & (due <= self.clock.last) & (due > NO_TICK)]
        if not due.size:
            return []
        closed = self.clock.closed(due)
        last = self.closes if self.goes_on else self.closes - 1
        mine = closed <= last
        if self.before is not None:
            mine &= closed >= self.before
        due, closed = due[mine], closed[mine]
        return [Group(int(bucket), due[closed == bucket]) for bucket in np.unique(closed).tolist()]


@dataclass(frozen=True, slots=True)
class RootLooked:
    """What looks at the root tell the divisions: LOOK_VIEW and LOOK_ASKED."""

    view: pa.Table = field(default_factory=LOOK_VIEW.empty_table)
    asked: pa.Table = field(default_factory=LOOK_ASKED.empty_table)


@dataclass(frozen=True, slots=True)
class Early:
    """What looks found: EARLY_CANDIDATE and EARLY_SUPPORT."""

    candidates: pa.Table = field(default_factory=EARLY_CANDIDATE.empty_table)
    support: pa.Table = field(default_factory=EARLY_SUPPORT.empty_table)

    @classmethod
    def all_of(cls, parts: Iterable["Early"]) -> "Early":
        """What several shards found."""
        some = [one for one in parts if one.candidates.num_rows or one.support.num_rows]
        if not some:
            return cls()
        return cls(
            pa.concat_tables([one.candidates for one in some]),
            pa.concat_tables([one.support for one in some]),
        )


class Looks(Protocol):
    """Looks that are taken between closes."""

    def before(self, bucket: int) -> None:
        """Take those that come before a bucket closes, and were not taken yet."""
        ...


class _NoLooks:
    def before(self, bucket: int) -> None:
        """None is taken."""


NO_LOOKS: Looks = _NoLooks()


def add_looks(tallies: Sequence[pa.Table]) -> pa.Table:
    """Sum of LOOK_TALLY tables, in order of (closed, feature, tick)."""
    together = pa.concat_tables([LOOK_TALLY.empty_table(), *tallies])
    summed = together.group_by(["closed", "feature", "tick"], use_threads=False)
    added = summed.aggregate([("authors", "sum")]).rename_columns(["closed", "feature", "tick", "authors"])
    order = [(name, "ascending") for name in ("closed", "feature", "tick")]
    return added.select(LOOK_TALLY.names).sort_by(order).cast(LOOK_TALLY)


def so_far(
    ticks: NDArray[np.int64], features: NDArray[np.uint64], authors: NDArray[np.int64]
) -> Iterator[tuple[int, NDArray[np.uint64], NDArray[np.int64], int]]:
    """Each look of a group of LOOK_TALLY rows, in order of (feature, tick): its tick, the features heard
    since the look before, their authors so far, and the authors so far who wrote at all."""
    starts = np.flatnonzero(np.diff(features, prepend=~features[:1]) != 0)
    total = np.cumsum(authors)
    counted = total - np.repeat((total - authors)[starts], np.diff(starts, append=features.size))
    wrote = features == 0
    for tick in np.unique(ticks[wrote & (ticks > NO_TICK)]).tolist():
        here = (ticks == tick) & ~wrote
        exposure = int(counted[wrote & (ticks == tick)][0])
        found = counted[here]
        yield tick, features[here], found, max(exposure, int(found.max(initial=0)))
