"""The service that follows sources: reads what is new, commits it, and keeps the log's clock going.

One thread does it all, so reading waits while the log cannot take more: memory holds at most one segment
that is to come and the chunk being read. Nothing is forgotten before it is durable: a record counts as read
once it is in a chunk that was handed over, quarantine is durable at once, and what a stopped or killed
service had read but not committed is read again by the next one, which knows events by their ids.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial, reduce
from typing import Any

import pyarrow.compute as pc

from connectors.admission import Admission
from connectors.contract import Accounting, Record, SourceFile
from connectors.errors import LogError, SourceError
from connectors.following.growth import Growth, Waits
from connectors.following.positions import Positions
from connectors.following.status import Status
from connectors.ingest import chunks, size_of
from connectors.intake import Intake, Pending
from connectors.loads import LeftOut, add, check_key, left_out, most_told, session_note, told_by_load
from connectors.log import EventLog, LogWriter
from connectors.log.compaction import KEPT, compact
from connectors.log.inbox import answer
from connectors.log.layout import to_iso, to_us
from connectors.mending import Mending, places
from connectors.quarantine import Quarantine
from connectors.sources import OpenedSource
from connectors.unread import stands_for_file

SEGMENT_S = 1.0
"""Live segments are at least this far apart, seconds of the monotonic clock."""
_RETRY_S = 5.0
_TELL_S = 60.0
_SAVE_S = 30.0
_JUMP = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the service sees it. now: the wall clock, aware. monotonic: seconds that only grow.

    pause: waits for some seconds, less if the service is to stop. stopping: whether it is.
    """

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    pause: Callable[[float], None]
    stopping: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what the service holds and how often it acts.

    segment_rows, segment_bytes: a segment is committed, and reading waits for it, at this many. tick: the
    log's clock advances at least once a tick. poll_s: seconds between two looks at the sources.
    """

    segment_rows: int = 50_000
    segment_bytes: int = 64 << 20
    tick: timedelta = timedelta(minutes=15)
    poll_s: float = 5.0


DEFAULT_WAITS, DEFAULT_LIMITS = Waits(), Limits()


@dataclass(slots=True)
class _Followed:
    """One source on its way. told: rows that one load left out at most; session: those of this load."""

    name: str
    intake: Intake
    growth: Growth
    told: LeftOut
    load: str
    session: LeftOut = field(default_factory=LeftOut)
    committed: Accounting = field(default_factory=Accounting)
    """What became of the records up to the last commit."""
    faulty: set[str] = field(default_factory=set)
    """Files that quarantine holds as unreadable, and what they lie in."""

    @property
    def has_news(self) -> bool:
        account = self.intake.account
        more = self.session + left_out(account) - (self.told | self.session)
        return bool(account.events or self.intake.newly_quarantined or more)


class Follower:
    """Follows sources into a log; `step` again and again, then `close`.

    Between two looks it takes the decisions that others ask for, and compacts closed days.
    zone: whose days they are. positions: how far earlier services read. live: whether what is there already
    is admitted as of now; otherwise, if the log has no live part yet, the first step loads it as history.
    say: receives lines for the user.
    Raises, as every method does, SecretError if the log was written with another key, LogError and
    QuarantineError if they cannot be written; a full disk under the log is waited for.
    """

    def __init__(
        self,
        sources: Sequence[OpenedSource],
        *,
        admission: Admission,
        log: LogWriter,
        quarantine: Quarantine,
        zone: str,
        positions: Positions,
        clock: Clock,
        say: Callable[[str], None],
        live: bool = False,
        waits: Waits = DEFAULT_WAITS,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        log.skip_damaged(say=say)
        written = EventLog(log.path)
        check_key(written, admission.secret)
        quarantine.purge(clock.now())
        known, told, by_load = written.known_ids(), most_told(written), told_by_load(written)
        self._log, self._quarantine = log, quarantine
        self._clock, self._say, self._limits = clock, say, limits
        self._key = admission.secret.fingerprint
        self._session = to_iso(clock.now())
        self._live = live or written.has_live
        self._pending = Pending()
        self._resolved: list[str] = []
        self._zone, self._positions = zone, positions
        self._midway, self._saved_at = False, clock.monotonic()
        self._house_at = clock.monotonic()
        self._last_commit = clock.monotonic() - SEGMENT_S
        self._wall = clock.now()
        self._admitted: datetime | None = None
        self.status = Status(clock=log.clock)
        self._sources = []
        for opened in sources:
            name = opened.source.name
            intake = Intake(opened, admission, quarantine, known, live=self._live, now=self._wall)
            load, saved = positions.load(name, log.chain)
            growth = Growth(
                opened.source,
                waits,
                clock.monotonic,
                lambda: clock.now().timestamp(),
                intake.forget,
                saved,
                positions.name_of,
                intake.identity.remember,
            )
            followed = _Followed(name, intake, growth, told.get(name, LeftOut()), load or self._session)
            followed.session += by_load.get((name, followed.load), LeftOut())
            for entry in quarantine.entries(name):
                if stands_for_file(entry.record):
                    followed.faulty.update(places(entry.record.file))
            self._sources.append(followed)
            self.status.accounts[name] = Accounting()
        self._told_at, self._told = clock.monotonic(), self._total()
        if not self._live:
            say("the log has no live part yet: what is there is loaded as history, what comes then is live")

    def step(self) -> float:
        """Take what is new, commit if it is time to; seconds until there may be something to do again."""
        for followed in self._sources:
            self._read(followed)
        if not self._live:
            self._commit()
            self._live = True
        elif self._since_commit() >= SEGMENT_S:
            self._commit()
        self._beat()
        self._mend()
        answer(self._log, self._say)
        self._keep_house()
        if self._clock.monotonic() - self._saved_at >= _SAVE_S:
            self._save()
        self._tell()
        return 0.0 if self._clock.stopping() else self._idle_s()

    def close(self) -> None:
        """Commit what was taken, and keep how far that is."""
        self._commit()
        self._mend()
        self._save()

    def _save(self) -> None:
        """Keep the positions, if all that was taken is durable and no file is half read."""
        if self._midway or any(followed.has_news for followed in self._sources):
            return
        for followed in self._sources:
            saved = followed.growth.to_save(followed.intake.identity.contents)
            self._positions.save(followed.name, saved, self._log.chain, load=followed.load)
        self._saved_at = self._clock.monotonic()

    def _read(self, followed: _Followed) -> None:
        try:
            files = followed.growth.scan()
        except SourceError as error:
            if followed.name not in self.status.unreachable:
                self._say(f"{followed.name}: {error}; the service goes on without it until it is there")
            self.status.unreachable.add(followed.name)
            return
        if followed.name in self.status.unreachable:
            self._say(f"{followed.name}: is there again")
            self.status.unreachable.discard(followed.name)
        for file in files:
            if self._clock.stopping():
                return
            # A file that goes while it is read is looked at again by the next step.
            with suppress(FileNotFoundError):
                self._read_file(followed, file)
        self.status.waiting[followed.name] = followed.growth.waiting

    def _read_file(self, followed: _Followed, file: SourceFile) -> None:
        mending = self._mending(followed, file)
        read = partial(_watched, mending, file) if mending else None
        part = followed.growth.part_of(file)
        for chunk in chunks(followed.growth.fresh(file, read), size_of):
            self._take(followed, chunk, part)
            if self._clock.stopping():
                self._midway = True
                return
        if mending:
            self._resolved += mending.resolved()

    def _mending(self, followed: _Followed, file: SourceFile) -> Mending | None:
        """The entries of quarantine that reading this file may resolve; looked up only if it has some."""
        if file.name not in followed.faulty:
            return None
        entries = self._quarantine.entries(followed.name)
        mine = (entry for entry in entries if file.name in places(entry.record.file))
        return Mending(followed.name, self._quarantine, mine)

    def _take(self, followed: _Followed, records: Sequence[Record], part: int) -> None:
        if self._is_full:
            self._commit()
        now = self._admission_time()
        followed.intake.move_to(now, live=self._live)
        events, rejected = followed.intake.take(records, part=part)
        for i in rejected:
            if stands_for_file(records[i]):
                followed.faulty.update(places(records[i].file))
        self.status.accounts[followed.name] = add(followed.committed, followed.intake.account)
        self._pending.add(events)
        if events.num_rows:
            self.status.latest[followed.name] = now
            newest = pc.max(events["occurred_at"]).as_py()
            self.status.occurred[followed.name] = max(newest, self.status.occurred.get(followed.name, newest))
        self.status.buffer_rows, self.status.buffer_bytes = self._pending.rows, self._pending.bytes
        if self._live and self._since_commit() >= SEGMENT_S:
            self._commit()

    @property
    def _is_full(self) -> bool:
        rows, size = self._pending.rows, self._pending.bytes
        return rows >= self._limits.segment_rows or size >= self._limits.segment_bytes

    def _admission_time(self) -> datetime:
        """The wall clock, but never before the log's, nor before what waits to be committed."""
        wall = self._clock.now()
        if wall < self._wall - _JUMP:
            self._say(
                f"the machine's clock went back from {to_iso(self._wall)} to {to_iso(wall)}: "
                "the log's clock stands still until it is passed"
            )
        self._wall = wall
        self._admitted = max(filter(None, (wall, self._log.clock, self._admitted)))
        return self._admitted

    def _since_commit(self) -> float:
        return self._clock.monotonic() - self._last_commit

    def _commit(self) -> None:
        """Hand what was taken to the log, if anything is new; waits for its turn, and for a full disk."""
        if not any(followed.has_news for followed in self._sources):
            return
        left = SEGMENT_S - self._since_commit()
        if self._live and left > 0 and not self._clock.stopping():
            self._clock.pause(left)
        accounts = {followed.name: followed.intake.account for followed in self._sources}
        for name, account in accounts.items():
            if not account.closes():
                raise AssertionError(f"{name}: the accounting does not close: {account}")
        self._append(accounts)
        for followed in self._sources:
            followed.session += left_out(followed.intake.account)
            followed.committed = add(followed.committed, followed.intake.settle())
        self._pending = Pending()
        self._last_commit = self._clock.monotonic()
        self.status.commits += 1
        self.status.committed_at, self.status.clock = self._clock.now(), self._log.clock
        self.status.buffer_rows = self.status.buffer_bytes = 0

    def _append(self, accounts: dict[str, Accounting]) -> None:
        events, note = self._pending.table(), self._note(accounts)
        while True:
            try:
                if self._live:
                    self._log.append_live(events, note=note)
                else:
                    self._log.append_history(events, loaded_at=self._clock.now(), note=note)
            except LogError as error:
                lost_hold = not self._live or not self._log.usable or self._clock.stopping()
                if lost_hold or not isinstance(error.__cause__, OSError):
                    raise
                if not self.status.blocked:
                    self._say(f"{error}; nothing is read until then, and nothing is lost")
                self.status.blocked = True
                self._clock.pause(_RETRY_S)
            else:
                if self.status.blocked:
                    self._say("the event log can be written again")
                self.status.blocked = False
                return

    def _note(self, accounts: dict[str, Accounting]) -> dict[str, Any]:
        loads = {followed.name: followed.load for followed in self._sources}
        return session_note(self._key, self._session, accounts, loads)

    def _beat(self) -> None:
        """Advance the log's clock once it is a tick behind: quiet days close too."""
        now, clock, tick = self._clock.now(), self._log.clock, self._limits.tick // timedelta(microseconds=1)
        if clock is None or self._pending.rows or to_us(now) // tick <= to_us(clock) // tick:
            return
        self._log.heartbeat(now)
        self.status.heartbeats += 1
        self.status.clock = self._log.clock

    def _mend(self) -> None:
        """Entries of quarantine that stood for files which are read now go once their events are durable."""
        if self._resolved and not self._pending.rows:
            self._quarantine.remove(self._resolved)
            self._resolved = []

    def _keep_house(self) -> None:
        """Merge a little of what closed days left, if nothing waits; then no more before the next tick.

        Once a tick, entries of quarantine that expired and files that were replaced go.
        """
        now = self._clock.monotonic()
        if not self._live or self._pending.rows or now < self._house_at:
            return
        merged = compact(self._log, zone=self._zone, say=self._say, most=1)
        self.status.compactions += len(merged)
        if not merged:
            self._log.remove_replaced(keep=KEPT)
            self._quarantine.purge(self._clock.now())
            self._house_at = now + self._limits.tick.total_seconds()

    def _total(self) -> Accounting:
        return reduce(add, self.status.accounts.values(), Accounting())

    def _tell(self) -> None:
        """A line once a minute, if something came."""
        total, now = self._total(), self._clock.monotonic()
        if now - self._told_at < _TELL_S or total == self._told:
            return
        events = total.events - self._told.events
        left = sum((left_out(total) - left_out(self._told)).values())
        self._say(
            f"{to_iso(self._clock.now())[:19]}Z: in {now - self._told_at:.0f} s {events:,} events, "
            f"{left:,} rows set aside or quarantined; {total.events:,} events in all"
        )
        self._told_at, self._told = now, total

    def _idle_s(self) -> float:
        """Until the next look at the sources, a file's due time, or the next segment's turn."""
        waits = [self._limits.poll_s, max(0.0, self._house_at - self._clock.monotonic())]
        if any(followed.has_news for followed in self._sources):
            waits.append(SEGMENT_S - self._since_commit())
        now = self._clock.monotonic()
        waits += [due - now for followed in self._sources if (due := followed.growth.next_due()) is not None]
        return max(0.0, min(waits))


def _watched(mending: Mending, file: SourceFile) -> Iterator[Record]:
    return mending.watch(file.read())
