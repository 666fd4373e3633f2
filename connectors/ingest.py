"""Ingest: every record of every source becomes an event, a duplicate, a row set aside or one in quarantine.

Order makes it safe to stop anywhere: quarantine is durable before the log's commit, and what is run again
is recognised, events by their id and quarantined records by theirs.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from connectors.admission import Admission, SourceAdmission
from connectors.contract import Accounting, Outcome, Parsed, Record, Rejected, SetAside, Source
from connectors.errors import SourceError
from connectors.events import EVENT
from connectors.log import EventLog, KnownIds, LogWriter
from connectors.log.arrow_bytes import fixed_matrix
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
    check_key(log, admission)
    quarantine.purge(now)
    known, told = EventLog(log.path).known_ids(), _told(log)
    accounts = {}
    for opened in sources:
        before = told.get(opened.source.name, Counter())
        load = _Load(opened, admission, log, quarantine, known, live=live, now=now, told=before)
        mending = Mending(opened.source.name, quarantine, quarantine.entries(opened.source.name))
        for chunk in _chunks(mending.watch(opened.source.records()), _size):
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
    check_key(log, admission)
    known, told = EventLog(log.path).known_ids(), _told(log)
    accounts = {}
    for opened in sources:
        name = opened.source.name
        new_load = partial(_Load, opened, admission, log, quarantine, known, live=live, now=now)
        mending = Mending(name, quarantine, _wanted(quarantine, name, only))
        rows = new_load()
        done: list[str] = []
        of_rows = (e for e in _wanted(quarantine, name, only) if not stands_for_file(e.record))
        for chunk in _chunks(of_rows, lambda entry: _size(entry.record)):
            again = frozenset(rows.take([entry.record for entry in chunk]))
            done += [entry.id for i, entry in enumerate(chunk) if i not in again]
        if rows.has_read:
            accounts[name] = rows.finish()
            quarantine.remove(done)
        if mending:
            files = _read_again(opened.source, new_load(told=told.get(name, Counter())), mending)
            accounts[name] = _sum(accounts.get(name, Accounting()), files)
            quarantine.remove(mending.resolved())
    return accounts


def _wanted(quarantine: Quarantine, source: str, only: Collection[str] | None) -> Iterator[Entry]:
    return (entry for entry in quarantine.entries(source) if only is None or entry.id in only)


def _read_again(source: Source, load: "_Load", mending: Mending) -> Accounting:
    """Load the files that could not be read; those that give nothing now fail as they did."""
    # Where the whole place is gone, so are its files.
    with suppress(SourceError):
        for chunk in _chunks(filter(mending.concerns, mending.watch(source.records())), _size):
            load.take(chunk)
    load.take(mending.unread())
    return load.finish()


def _sum(one: Accounting, other: Accounting) -> Accounting:
    return Accounting(
        read=one.read + other.read,
        events=one.events + other.events,
        duplicates=one.duplicates + other.duplicates,
        set_aside=dict(Counter(one.set_aside) + Counter(other.set_aside)),
        quarantined=dict(Counter(one.quarantined) + Counter(other.quarantined)),
    )


def check_key(log: LogWriter, admission: Admission) -> None:
    """Raise SecretError if events were loaded into this log with another key."""
    for manifest in EventLog(log.path).manifests():
        admission.secret.check_fingerprint(manifest.note.get("key"), where=f"the log {log.path}")


def _told(log: LogWriter) -> dict[str, Counter[tuple[str, str]]]:
    """The most rows that one load set aside or quarantined for each reason, by source."""
    told: dict[str, Counter[tuple[str, str]]] = {}
    for manifest in EventLog(log.path).manifests():
        account = manifest.note.get("accounting")
        if account is not None:
            name = str(manifest.note["source"])
            told[name] = told.get(name, Counter()) | _left_out(
                account["set_aside_reasons"], account["quarantine_reasons"]
            )
    return told


def _left_out(set_aside: Mapping[str, int], quarantined: Mapping[str, int]) -> Counter[tuple[str, str]]:
    aside = {("set aside", reason): count for reason, count in set_aside.items()}
    return Counter(aside | {("quarantined", reason): count for reason, count in quarantined.items()})


@dataclass(slots=True)
class _Pending:
    """Admitted events not yet handed to the log."""

    batches: list[pa.RecordBatch] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self.batches.append(batch)
        self.rows += batch.num_rows
        self.bytes += batch.nbytes

    @property
    def is_full(self) -> bool:
        return self.rows >= COMMIT_ROWS or self.bytes >= COMMIT_BYTES


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
        told: Counter[tuple[str, str]] | None = None,
    ) -> None:
        self._source = opened.source
        self._log = log
        self._quarantine = quarantine
        self._known = known
        self._live = live
        self._now = now
        self._told = told
        self._newly_quarantined = 0
        self._key = admission.secret.fingerprint
        # The log's clock never goes back, even where the machine's did.
        admitted_at = max(filter(None, (now, log.clock if live else None)))
        self._admission: SourceAdmission = admission.of_source(opened.settings, live=live, now=admitted_at)
        self._account = Accounting()
        self._pending = _Pending()

    @property
    def has_read(self) -> bool:
        return self._account.read > 0

    def take(self, records: Sequence[Record]) -> list[int]:
        """Account for records; the indexes of those that went to quarantine."""
        outcomes = list(map(self._source.parse, records))
        self._account.read += len(records)
        parsed = [(i, outcome) for i, outcome in enumerate(outcomes) if isinstance(outcome, Parsed)]
        rejected = [(i, outcome) for i, outcome in enumerate(outcomes) if isinstance(outcome, Rejected)]
        self._set_aside(outcomes)
        admitted = self._admission.admit([(records[i], outcome) for i, outcome in parsed])
        rejected += [(parsed[i][0], why) for i, why in admitted.rejections]
        self._keep_new(admitted.events)
        self._quarantine_rows(records, rejected)
        if self._pending.is_full:
            self._commit(note={"source": self._source.name, "key": self._key})
        return [i for i, _ in rejected]

    def finish(self) -> Accounting:
        """Hand the rest to the log, with the accounting, if there was anything new."""
        if not self._account.closes():
            raise AssertionError(f"{self._source.name}: the accounting does not close: {self._account}")
        if self._has_news():
            account = self._account.as_json()
            self._commit(note={"source": self._source.name, "key": self._key, "accounting": account})
        return self._account

    def _has_news(self) -> bool:
        """Rows set aside have no identity: one more of them than ever is new."""
        account = self._account
        if self._told is None:
            return bool(account.events or account.set_aside)
        more = _left_out(account.set_aside, account.quarantined) - self._told
        return bool(account.events or self._newly_quarantined or more)

    def _set_aside(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, SetAside):
                _count(self._account.set_aside, outcome.reason)

    def _keep_new(self, events: pa.RecordBatch) -> None:
        ids = events["event_id"]
        _, firsts = np.unique(fixed_matrix(ids).view("S16").ravel(), return_index=True)
        new = np.zeros(events.num_rows, dtype=bool)
        new[firsts] = True
        new &= ~self._known.contains(ids)
        fresh = events.filter(pa.array(new))
        self._known.add(fresh["event_id"])
        self._pending.add(fresh)
        self._account.events += fresh.num_rows
        self._account.duplicates += events.num_rows - fresh.num_rows

    def _quarantine_rows(self, records: Sequence[Record], rejected: Sequence[tuple[int, Rejected]]) -> None:
        for _, why in rejected:
            _count(self._account.quarantined, why.reason)
        if rejected:
            rows = [(records[i], why) for i, why in rejected]
            self._newly_quarantined += self._quarantine.add(self._source.name, rows, now=self._now)

    def _commit(self, *, note: dict[str, Any]) -> None:
        events = pa.Table.from_batches(self._pending.batches, schema=EVENT)
        self._pending = _Pending()
        if self._live:
            self._log.append_live(events, note=note)
        else:
            self._log.append_history(events, loaded_at=self._now, note=note)


def _count(counts: dict[str, int], reason: str) -> None:
    counts[reason] = counts.get(reason, 0) + 1


_Item = TypeVar("_Item")


def _chunks(items: Iterable[_Item], size: Callable[[_Item], int]) -> Iterator[list[_Item]]:
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


def _size(record: Record) -> int:
    if isinstance(record.payload, bytes):
        return len(record.payload)
    return sum(len(value) for value in record.payload.values() if isinstance(value, str))
