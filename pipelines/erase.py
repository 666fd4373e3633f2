"""Erasing texts of a workspace: what is asked for is found, what rests on it sealed, then the texts go."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from connectors.admission.pseudonyms import Pseudonyms
from connectors.civil_days import midnight
from connectors.errors import LogError
from connectors.log import EventLog, LogWriter
from connectors.log.erasing import erased_rows
from connectors.log.forget import erase, finish_erasures
from pipelines.plain import PlainEngine
from pipelines.replay import EMPTY, last_closed_bucket, replay
from pipelines.sealing import seal
from pipelines.snapshots.opening import forget_snapshots
from pipelines.stages.understand import buckets_of
from pipelines.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Asked:
    """Which texts are to go: those of any of these. events: ids; authors: pseudonyms, 16 bytes each. before:
    what happened before this day of the organisation's zone."""

    events: tuple[bytes, ...] = ()
    authors: tuple[bytes, ...] = ()
    before: date | None = None

    def as_json(self) -> dict[str, Any]:
        """For the log: pseudonyms and ids only."""
        return {
            "events": [one.hex() for one in self.events],
            "authors": [one.hex() for one in self.authors],
            "before": None if self.before is None else self.before.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Found:
    """The events asked for whose texts are there. waiting: more, in buckets that are still open.

    first_bucket: the first day that they count in, days since 1970.
    """

    ids: pa.Array
    positions: NDArray[np.int64]
    first_bucket: int
    waiting: int


def pseudonyms_of(workspace: Workspace, names: Sequence[str]) -> list[bytes]:
    """Pseudonyms of people, as the sources name them."""
    if not names:
        return []
    found = Pseudonyms(workspace.secret.key("pseudonym")).of(list(names))
    return [pseudonym for pseudonym in found if pseudonym is not None]


def find(log: EventLog, asked: Asked, *, zone: str) -> Found:
    """The events that are asked for, but for those already erased. LogError where the log holds no event."""
    closed = log.closed_until()
    if closed is None:
        raise LogError(EMPTY.format(log.location))
    last = last_closed_bucket(log, closed, zone)
    ids, positions, waiting, first = [pa.array([], pa.binary(16))], [np.empty(0, np.int64)], 0, last
    before = None if asked.before is None else midnight(asked.before, zone)
    for part in log.slices(max_rows=1 << 20, zone=zone):
        for piece in log.pieces(part):
            events = log.read_piece(piece, text=False)
            mine = np.flatnonzero(_wanted(events, asked, before))
            days = buckets_of(events, zone)[mine]
            waiting += int((days > last).sum())
            mine, days = mine[days <= last], days[days <= last]
            if len(mine):
                first = min(first, int(days.min()))
                ids.append(events["event_id"].take(pa.array(mine)))
                positions.append(np.asarray(events["position"])[mine])
    together, places = pa.concat_arrays(ids), np.concatenate(positions)
    fresh = ~np.isin(places, _already(log))
    return Found(together.filter(pa.array(fresh)), places[fresh], first, waiting)


def erase_found(
    workspace: Workspace,
    found: Found,
    asked: Asked,
    *,
    reason: str,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Seal what rests on the texts, decide, and erase them.

    Snapshots, which hold hashes of their words, go first; the next replay makes them anew. LogError if
    another writer holds the log, or they cannot be removed: nothing is erased then.
    """
    with LogWriter(workspace.log_path, now=workspace.now) as writer:
        finish_erasures(writer)
        log, telling = workspace.open_log(), workspace.telling()
        with tempfile.TemporaryDirectory(prefix="vigie-erase-") as work:
            signals = replay(
                log,
                workspace.settings,
                telling.reader,
                telling,
                PlainEngine(),
                work=Path(work),
                progress=progress,
            ).signals
        seals = seal(
            log,
            found.ids,
            signals,
            reader=telling.reader,
            detection=workspace.settings.stages,
            root=workspace.settings.organisation.root,
        )
        told = {**asked.as_json(), "earliest_bucket": found.first_bucket}
        forget_snapshots(workspace)
        erase(writer, found.positions, reason=reason, asked=told, seals=seals)


def finish(workspace: Workspace) -> int:
    """Complete erasures that were interrupted; how many."""
    workspace.open_log().refresh()
    with LogWriter(workspace.log_path, now=workspace.now) as writer:
        return len(finish_erasures(writer))


def erased_ids(log: EventLog) -> Sequence[bytes]:
    """Ids of all events whose texts are erased, for the store to forget their excerpts."""
    skipped = np.array(sorted(log.skipped), np.int64)
    positions = _already(log)
    positions = positions[~np.isin(positions >> 32, skipped)]
    return log.take(positions)["event_id"].to_pylist() if len(positions) else []


def _already(log: EventLog) -> NDArray[np.int64]:
    """Positions of the events whose texts are erased."""
    appended = [one for one in log.manifests() if one.kind != "compaction"]
    rows = erased_rows(appended, log.erasures)
    parts = [np.int64(seq << 32) + mine for seq, mine in rows.items()]
    return np.concatenate([np.empty(0, np.int64), *parts])


def _wanted(events: pa.RecordBatch, asked: Asked, before: datetime | None) -> NDArray[np.bool_]:
    wanted = pc.or_(
        pc.is_in(events["event_id"], pa.array(asked.events, pa.binary(16))),
        pc.is_in(events["author"], pa.array(asked.authors, pa.binary(16))),
    )
    if before is not None:
        occurred = pc.less(events["occurred_at"], pa.scalar(before, events["occurred_at"].type))
        wanted = pc.or_(wanted, occurred)
    return np.asarray(wanted.to_numpy(zero_copy_only=False), dtype=bool)
