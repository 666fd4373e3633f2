"""Ingest: every record of every source becomes an event, a duplicate, a row set aside or one in quarantine.

Order makes it safe to stop anywhere: quarantine is durable before the log's commit, and what is run again
is recognised, events by their id and quarantined records by theirs.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from connectors.admission import Admission
from connectors.contract import Accounting, Record, Source
from connectors.errors import SourceError
from connectors.intake import Intake, Pending
from connectors.loads import LeftOut, add, check_key, left_out, load_note, most_told
from connectors.log import EventLog, KnownIds, LogWriter
from connectors.mending import Mending
from connectors.quarantine import Entry, Quarantine
from connectors.sources import OpenedSource
from connectors.unread import stands_for_file

CHUNK_ROWS = 5_000
"""Records parsed and admitted together."""
CHUNK_CHARS = 32 << 20
"""Fewer, where texts are long: memory follows characters, not rows."""
COMMIT_ROWS = 250_000
"""Events handed to the log at once."""
COMMIT_BYTES = 256 << 20

Progress = Callable[[str, int], None]
"""Called with a source's name and how many records were just read."""


def ingest(
    sources: Sequence[OpenedSource],
    *,
    admission: Admission,
    log: LogWriter,
    quarantine: Quarantine,
    live: bool,
    now: datetime,
    progress: Progress | None = None,
) -> dict[str, Accounting]:
    """Read sources into the log; the accounting of each, which is also kept in the log with its events.

    Entries of quarantine that stand for a whole file go once the file is read without that fault.
    A source that brings nothing new (no event, no row set aside or quarantined that was not before) leaves
    the log as it is.
    live: events are admitted now; otherwise they are history, admitted as of their own time. now: the load
    time, aware. Memory does not grow with the sources, but for the ids of events (16 bytes each).
    Raises SourceError if a source's place does not exist, SecretError if the log was written with another
    key, LogError and QuarantineError if they cannot be written. What was committed by then stays, and
    running again completes it without doubling.
    """
    written = EventLog(log.path)
    check_key(written, admission.secret)
    quarantine.purge(now)
    known, told = written.known_ids(), most_told(written)
    accounts = {}
    for opened in sources:
        before = told.get(opened.source.name, Counter())
        load = _Load(opened, admission, log, quarantine, known, live=live, now=now, told=before)
        mending = Mending(opened.source.name, quarantine, quarantine.entries(opened.source.name))
        for chunk in chunks(mending.watch(opened.source.records()), size_of):
            load.take(chunk)
            if progress is not None:
                progress(opened.source.name, len(chunk))
        accounts[opened.source.name] = load.finish()
        quarantine.remove(mending.resolved())
    return accounts


def retry(
    sources: Sequence[OpenedSource],
    *,
    admission: Admission,
    log: LogWriter,
    quarantine: Quarantine,
    live: bool,
    now: datetime,
    only: Collection[str] | None = None,
) -> dict[str, Accounting]:
    """Parse quarantined records again, with today's settings; what now passes moves to the log.

    An entry that stands for a whole file holds nothing of it, so the file itself is read again; where it
    gives no record any more, the entry stays.
    only: ids of the entries to try, all where None. Returns the accounting of each source that has
    entries. An entry goes once the log holds its event, so a kill in between neither loses nor doubles it.
    Raises as `ingest`, but for a place that is gone.
    """
    written = EventLog(log.path)
    check_key(written, admission.secret)
    known, told = written.known_ids(), most_told(written)
    accounts = {}
    for opened in sources:
        name = opened.source.name
        new_load = partial(_Load, opened, admission, log, quarantine, known, live=live, now=now)
        mending = Mending(name, quarantine, _wanted(quarantine, name, only))
        rows = new_load()
        done: list[str] = []
        of_rows = (e for e in _wanted(quarantine, name, only) if not stands_for_file(e.record))
        for chunk in chunks(of_rows, lambda entry: size_of(entry.record)):
            again = frozenset(rows.take([entry.record for entry in chunk]))
            done += [entry.id for i, entry in enumerate(chunk) if i not in again]
        if rows.has_read:
            accounts[name] = rows.finish()
            quarantine.remove(done)
        if mending:
            files = _read_again(opened.source, new_load(told=told.get(name, Counter())), mending)
            accounts[name] = add(accounts.get(name, Accounting()), files)
            quarantine.remove(mending.resolved())
    return accounts


def _wanted(quarantine: Quarantine, source: str, only: Collection[str] | None) -> Iterator[Entry]:
    return (entry for entry in quarantine.entries(source) if only is None or entry.id in only)


def _read_again(source: Source, load: "_Load", mending: Mending) -> Accounting:
    """Load the files that could not be read; those that give nothing now fail as they did."""
    # Where the whole place is gone, so are its files.
    with suppress(SourceError):
        for chunk in chunks(filter(mending.concerns, mending.watch(source.records())), size_of):
            load.take(chunk)
    load.take(mending.unread())
    return load.finish()


class _Load:
    """One source on its way into the log.

    told: the most rows a load of it left out by reason; None for rows that come from quarantine.
    """

    def __init__(
        self,
        opened: OpenedSource,
        admission: Admission,
        log: LogWriter,
        quarantine: Quarantine,
        known: KnownIds,
        *,
        live: bool,
        now: datetime,
        told: LeftOut | None = None,
    ) -> None:
        self._name = opened.source.name
        self._log = log
        self._live = live
        self._now = now
        self._told = told
        self._key = admission.secret.fingerprint
        # The log's clock never goes back, even where the machine's did.
        admitted_at = max(filter(None, (now, log.clock if live else None)))
        self._intake = Intake(opened, admission, quarantine, known, live=live, now=admitted_at)
        self._pending = Pending()

    @property
    def has_read(self) -> bool:
        return self._intake.account.read > 0

    def take(self, records: Sequence[Record]) -> list[int]:
        """Account for records; the indexes of those that went to quarantine."""
        events, rejected = self._intake.take(records)
        self._pending.add(events)
        if self._pending.rows >= COMMIT_ROWS or self._pending.bytes >= COMMIT_BYTES:
            self._commit(load_note(self._name, self._key))
        return rejected

    def finish(self) -> Accounting:
        """Hand the rest to the log, with the accounting, if there was anything new."""
        account = self._intake.account
        if not account.closes():
            raise AssertionError(f"{self._name}: the accounting does not close: {account}")
        if self._has_news():
            self._commit(load_note(self._name, self._key, account))
        return account

    def _has_news(self) -> bool:
        """Rows set aside have no identity: one more of them than ever is new."""
        account = self._intake.account
        if self._told is None:
            return bool(account.events or account.set_aside)
        more = left_out(account) - self._told
        return bool(account.events or self._intake.newly_quarantined or more)

    def _commit(self, note: dict[str, Any]) -> None:
        events, self._pending = self._pending.table(), Pending()
        if self._live:
            self._log.append_live(events, note=note)
        else:
            self._log.append_history(events, loaded_at=self._now, note=note)


_Item = TypeVar("_Item")


def chunks(items: Iterable[_Item], size: Callable[[_Item], int]) -> Iterator[list[_Item]]:
    """Items in chunks bounded by their number and by the characters they hold."""
    chunk: list[_Item] = []
    chars = 0
    for item in items:
        chunk.append(item)
        chars += size(item)
        if len(chunk) >= CHUNK_ROWS or chars >= CHUNK_CHARS:
            yield chunk
            chunk, chars = [], 0
    if chunk:
        yield chunk


def size_of(record: Record) -> int:
    """Characters or bytes that a record holds, about."""
    if isinstance(record.payload, bytes):
        return len(record.payload)
    return sum(len(value) for value in record.payload.values() if isinstance(value, str))
