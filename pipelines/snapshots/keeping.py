"""Where a replay goes on from, and what it leaves for the next."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa

from connectors.civil_days import day_of, midnight
from connectors.log.erasing import Erasure
from pipelines.code_version import code_version
from pipelines.replay import SLICE_ROWS, Standing
from pipelines.sealing import Seals
from pipelines.snapshots.folder import Snapshot, SnapshotError, Snapshots
from pipelines.snapshots.journal import Journal, JournalKeeper
from pipelines.snapshots.known_days import KnownDays
from pipelines.snapshots.packing import StateError, packed, unpacked
from pipelines.stages.understand import UNDERSTOOD
from pipelines.stages.watch import Watch
from pipelines.steps import Plan, Step, read_rows, state_of

_WATCH = ".watch"
"""Name of the watch's state, which no division can be called."""


class Keeping:
    """Begins a replay at what is known of its log already, and keeps what it found; see `begin` and `end`.

    settings: version of those that judge. erasures: of texts that cannot be read any more. say: takes one
    line on what was used or written. now: the wall clock.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        *,
        settings: str,
        zone: str,
        erasures: Sequence[Erasure],
        say: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        self.used: Snapshot | None = None
        self.kept: Snapshot | None = None
        self._snapshots = snapshots
        self._settings = settings
        self._zone = zone
        self._erasures = erasures
        self._say = say
        self._now = now

    def at_first(self, plan: Plan, _sealed: Seals) -> Standing:
        """Nothing is known."""
        return Standing(JournalKeeper(Watch.new(plan.root, plan.detection), Journal()))

    def begin(self, plan: Plan, sealed: Seals) -> Standing:
        """What is known of the log up to the last bucket judged, or as far as there is a state to go on from.

        What is not as it was written is not used, and told.
        """
        ours = self.days_of(plan)
        for snapshot, until in sorted(self._usable(ours), key=lambda one: (-one[1], not one[0].state)):
            try:
                standing = self._standing(snapshot, until, plan, sealed)
            except (SnapshotError, StateError, FileNotFoundError) as error:
                self._say(f"snapshot {snapshot.name} is not used: {error}")
                continue
            self.used = snapshot
            return standing
        return self.at_first(plan, sealed)

    def end(self, plan: Plan, standing: Standing, number: int) -> None:
        """Keep what was found, and the state that step `number` would start from.

        Nothing is written where all of it was known; what cannot be written is told, and no fault.
        """
        days = self.days_of(plan)
        if self.used is not None and self.used.days.alike(days) == days.last:
            self.kept = self.used
            return
        assert isinstance(standing.chronicle, JournalKeeper)
        snapshot = Snapshot(
            settings=self._settings,
            code=code_version(),
            log_head=plan.log.head_hash or "",
            written_at=self._now(),
            days=days,
            divisions=tuple(sorted(standing.divisions)),
            files={},
            state={},
        )
        state = self._state(plan, standing, number)
        try:
            self.kept = self._snapshots.add(snapshot, standing.chronicle.journal, state)
        except OSError as error:
            self._say(f"{self._snapshots.folder}: no snapshot is written: {error.strerror or error}")
            return
        if self.kept is None:
            self._say(
                f"{self._snapshots.folder}: no snapshot is kept: it would take more than its share of the "
                "log's size, audit.snapshots_share"
            )

    def days_of(self, plan: Plan) -> KnownDays:
        """The days of a log that is replayed, by what was read of them."""
        return KnownDays.of(plan.log, plan.teaching, self._erasures, zone=self._zone, last=plan.last_bucket)

    def rows_again(self, plan: Plan, last: int, first: int) -> dict[str, pa.Table]:
        """Rows (UNDERSTOOD) of each division in the buckets first..last, understood again."""
        rows = defaultdict[str, list[pa.RecordBatch]](list)
        start, end = (midnight(day_of(bucket), self._zone) for bucket in (first, last + 1))
        for part in plan.log.slices(max_rows=SLICE_ROWS, zone=self._zone):
            if part.start < end and part.end > start:
                part = replace(part, start=max(part.start, start), end=min(part.end, end))
                for piece in plan.log.pieces(part):
                    for name, batch in read_rows(piece, Step(0), plan):
                        rows[name].append(batch)
        return {name: pa.Table.from_batches(batches, UNDERSTOOD) for name, batches in rows.items()}

    def _usable(self, ours: KnownDays) -> Iterator[tuple[Snapshot, int]]:
        """Snapshots with the last day up to which they serve: all that is asked, or all that they know."""
        for snapshot in self._snapshots.all():
            if (snapshot.settings, snapshot.code) != (self._settings, code_version()):
                continue
            until = snapshot.days.alike(ours)
            if until is not None and (until == ours.last or (until == snapshot.days.last and snapshot.state)):
                yield snapshot, until

    def _standing(self, snapshot: Snapshot, until: int, plan: Plan, sealed: Seals) -> Standing:
        journal = self._snapshots.journal(snapshot).until(until)
        watched = Watch.new(plan.root, plan.detection)
        if until < plan.last_bucket:
            # All of it is read before any of it is used.
            kept = dict(self._snapshots.state(snapshot))
            watched, again = kept.pop(_WATCH), partial(self.rows_again, plan, until)
            for name, part in list(unpacked(kept, snapshot.divisions, plan.detection, again)):
                plan.shelf.put(0, name, part)
        chronicle = JournalKeeper(watched, journal)
        chronicle.take_over(journal.found, journal.findings, plan, sealed=sealed.births)
        return Standing(chronicle, until, set(snapshot.divisions), journal.events)

    def _state(self, plan: Plan, standing: Standing, number: int) -> Iterator[tuple[str, Any]]:
        yield _WATCH, standing.chronicle.watched
        yield from packed(state_of(number, standing.divisions, plan))
