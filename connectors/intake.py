"""From records of one source to events that are new, with every other record accounted for."""

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa

from connectors.admission import Admission, SourceAdmission
from connectors.admission.identity import Identity
from connectors.contract import Accounting, Outcome, Parsed, Record, Rejected, SetAside
from connectors.events import EVENT
from connectors.log import KnownIds
from connectors.log.arrow_bytes import fixed_matrix
from connectors.quarantine import Quarantine
from connectors.sources import OpenedSource


@dataclass(slots=True)
class Pending:
    """Admitted events not yet handed to the log."""

    batches: list[pa.RecordBatch] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Hold a batch of EVENT."""
        self.batches.append(batch)
        self.rows += batch.num_rows
        self.bytes += batch.nbytes

    def table(self) -> pa.Table:
        """All that is held, in order."""
        return pa.Table.from_batches(self.batches, schema=EVENT)


class Intake:
    """Takes records of one source, in its order, and says which events are new.

    account: what became of every record so far. known: ids of all events, which those found new join.
    live: events are admitted at `now`; otherwise as of their own time.
    """

    def __init__(
        self,
        opened: OpenedSource,
        admission: Admission,
        quarantine: Quarantine,
        known: KnownIds,
        *,
        live: bool,
        now: datetime,
    ) -> None:
        self.account = Accounting()
        self.newly_quarantined = 0
        self._source = opened.source
        self._quarantine = quarantine
        self._known = known
        self._now = now
        self._admission: SourceAdmission = admission.of_source(opened.settings, live=live, now=now)

    def move_to(self, now: datetime, *, live: bool) -> None:
        """Admit what comes from here on at a later time, aware, as live events or as history."""
        self._now = now
        self._admission.move_to(now, live=live)

    def settle(self) -> Accounting:
        """The account since the last call, which begins anew."""
        account, self.account, self.newly_quarantined = self.account, Accounting(), 0
        return account

    @property
    def identity(self) -> Identity:
        """What gives the events' ids."""
        return self._admission.identity

    def forget(self, part: Hashable) -> None:
        """Give the ids of later rows as if those of a part had never come; see Identity.forget."""
        self._admission.forget(part)

    def take(self, records: Sequence[Record], *, part: Hashable = None) -> tuple[pa.RecordBatch, list[int]]:
        """The new events, EVENT, and the indexes of the records that went to quarantine, durably.

        part: the file the records come from, where `forget` may be asked for.
        """
        outcomes = list(map(self._source.parse, records))
        self.account.read += len(records)
        parsed = [(i, outcome) for i, outcome in enumerate(outcomes) if isinstance(outcome, Parsed)]
        rejected = [(i, outcome) for i, outcome in enumerate(outcomes) if isinstance(outcome, Rejected)]
        self._set_aside(outcomes)
        admitted = self._admission.admit([(records[i], outcome) for i, outcome in parsed], part=part)
        rejected += [(parsed[i][0], why) for i, why in admitted.rejections]
        fresh = self._keep_new(admitted.events)
        self._quarantine_rows(records, rejected)
        return fresh, [i for i, _ in rejected]

    def _set_aside(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, SetAside):
                _count(self.account.set_aside, outcome.reason)

    def _keep_new(self, events: pa.RecordBatch) -> pa.RecordBatch:
        ids = events["event_id"]
        _, firsts = np.unique(fixed_matrix(ids).view("S16").ravel(), return_index=True)
        new = np.zeros(events.num_rows, dtype=bool)
        new[firsts] = True
        new &= ~self._known.contains(ids)
        fresh = events.filter(pa.array(new))
        self._known.add(fresh["event_id"])
        self.account.events += fresh.num_rows
        self.account.duplicates += events.num_rows - fresh.num_rows
        return fresh

    def _quarantine_rows(self, records: Sequence[Record], rejected: Collection[tuple[int, Rejected]]) -> None:
        for _, why in rejected:
            _count(self.account.quarantined, why.reason)
        if rejected:
            rows = [(records[i], why) for i, why in rejected]
            self.newly_quarantined += self._quarantine.add(self._source.name, rows, now=self._now)


def _count(counts: dict[str, int], reason: str) -> None:
    counts[reason] = counts.get(reason, 0) + 1
