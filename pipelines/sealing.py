"""What an erasure seals: the tallies that go with the texts, and the signals that rest on them.

Without its text a row is still counted as one, but no longer read: what its theme and mood added to the
tallies is sealed as a difference, and added again whenever the log is read. Signals cannot be derived again
from texts that are gone: they are sealed as they were, and told so.
"""

import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.log import EventLog
from connectors.store.schemas import EVIDENCE, SIGNAL
from pipelines.flow import MetFirst, Shard, by_division, lay_out
from pipelines.stages.cells import COUNTS
from pipelines.stages.copies import ELSEWHERE
from pipelines.stages.detect import Detection
from pipelines.stages.explain import Signals
from pipelines.stages.tally import CELL, CELLS, as_cells, cells, with_root
from pipelines.stages.understand import Reader, understand

_CELLS, _SIGNALS, _EVIDENCE = "cells.parquet", "signals.parquet", "evidence.parquet"
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Seals:
    """All that the erasures of a log sealed. cells: CELLS to add. signals: as they were, without excerpts.

    earliest: the first bucket that an erased text counted in, None where nothing was erased.
    """

    cells: pa.Table = field(default_factory=CELLS.empty_table)
    signals: pa.Table = field(default_factory=SIGNAL.empty_table)
    evidence: pa.Table = field(default_factory=EVIDENCE.empty_table)
    earliest: int | None = None

    @property
    def ids(self) -> frozenset[str]:
        """Of the signals sealed."""
        return frozenset(self.signals["signal_id"].to_pylist())

    @property
    def births(self) -> list[tuple[str, int]]:
        """Owner and bucket of birth of each emergence sealed: what else is found there is explained by it."""
        rows = self.signals.select(["perimeter", "bucket", "kind"]).to_pylist()
        return [
            (row["perimeter"], (row["bucket"] - _EPOCH).days) for row in rows if row["kind"] == "emergence"
        ]

    def restore(self, shard: Shard, first: int | None, last: int) -> Shard:
        """A shard of the buckets first..last (from the beginning where None) with its sealed tallies."""
        if not self.cells.num_rows:
            return shard
        inside = pc.less_equal(self.cells["bucket"], last)
        if first is not None:
            inside = pc.and_(inside, pc.greater_equal(self.cells["bucket"], first))
        mine = self.cells.filter(inside)
        return replace(shard, cells=add_cells([shard.cells, mine])) if mine.num_rows else shard

    def put_back(self, signals: Signals, last_bucket: int) -> Signals:
        """Signals with the sealed ones of buckets up to the last in place of what is left of them.

        What is told anew of texts that mostly belong to a sealed signal is that signal, told late: it goes.
        """
        if not self.signals.num_rows:
            return signals
        told = pc.less_equal(self.signals["bucket"], pa.scalar(_EPOCH + timedelta(days=last_bucket)))
        kept = self.signals.filter(told)
        ids = set(kept["signal_id"].to_pylist())
        proofs = self.evidence.filter(
            pc.is_in(self.evidence["signal_id"], pa.array(sorted(ids), pa.string()))
        )
        excerpts = {
            (row["signal_id"], row["event_id"]): row["excerpt"]
            for row in signals.evidence.select(["signal_id", "event_id", "excerpt"]).to_pylist()
        }
        known = [
            excerpts.get((row["signal_id"], row["event_id"])) or None
            for row in proofs.select(["signal_id", "event_id"]).to_pylist()
        ]
        place = EVIDENCE.get_field_index("excerpt")
        proofs = proofs.set_column(place, EVIDENCE.field("excerpt"), pa.array(known, pa.string()))
        gone = ids | _told_again(signals, set(proofs["event_id"].to_pylist()))
        stays = pa.array(sorted(gone), pa.string())
        rest = Signals(
            signals.signals.filter(pc.invert(pc.is_in(signals.signals["signal_id"], stays))),
            signals.evidence.filter(pc.invert(pc.is_in(signals.evidence["signal_id"], stays))),
        )
        return rest.and_those(Signals(kept, proofs))


def _told_again(signals: Signals, sealed_events: set[bytes]) -> set[str]:
    """Emergences most of whose evidence is that of sealed signals."""
    emergences = {
        row["signal_id"]
        for row in signals.signals.select(["signal_id", "kind"]).to_pylist()
        if row["kind"] == "emergence"
    }
    events: defaultdict[str, list[bool]] = defaultdict(list)
    for row in signals.evidence.select(["signal_id", "event_id"]).to_pylist():
        if row["signal_id"] in emergences:
            events[row["signal_id"]].append(row["event_id"] in sealed_events)
    return {signal_id for signal_id, known in events.items() if 2 * sum(known) > len(known)}


def seals_of(log: EventLog) -> Seals:
    """All that the erasures of a log sealed. LogError where a sealed file is missing or was touched."""
    decided = [one for one in log.erasures if _CELLS in one.seals]
    if not decided:
        return Seals()
    added, kept = [], dict[str, pa.Table]()
    proofs: dict[str, pa.Table] = {}
    for erasure in decided:
        added.append(_read(log.read_seal(erasure, _CELLS)))
        signals, evidence = (_read(log.read_seal(erasure, name)) for name in (_SIGNALS, _EVIDENCE))
        for signal_id in signals["signal_id"].to_pylist():
            # A signal that was sealed stays as it was the first time.
            if signal_id not in kept:
                kept[signal_id] = signals.filter(pc.equal(signals["signal_id"], signal_id))
                proofs[signal_id] = evidence.filter(pc.equal(evidence["signal_id"], signal_id))
    summed = add_cells(added)
    together = Signals(SIGNAL.empty_table(), EVIDENCE.empty_table()).and_those(
        Signals(
            pa.concat_tables([SIGNAL.empty_table(), *kept.values()]),
            pa.concat_tables([EVIDENCE.empty_table(), *proofs.values()]),
        )
    )
    earliest = min(int(erasure.asked["earliest_bucket"]) for erasure in decided)
    return Seals(summed, together.signals, together.evidence, earliest)


def seal(
    log: EventLog, ids: pa.Array, signals: Signals, *, reader: Reader, detection: Detection, root: str
) -> Mapping[str, bytes]:
    """What must be kept when the texts of some events go, as files by name. LogError if one cannot be read.

    ids: of the events, binary(16). signals: of the log as it is.
    """
    resting = pc.is_in(signals.evidence["event_id"], ids)
    names = pc.unique(signals.evidence.filter(resting)["signal_id"])
    kept = signals.signals.filter(pc.is_in(signals.signals["signal_id"], names))
    proofs = signals.evidence.filter(pc.is_in(signals.evidence["signal_id"], names))
    place = EVIDENCE.get_field_index("excerpt")
    without = proofs.set_column(place, EVIDENCE.field("excerpt"), pa.nulls(proofs.num_rows, pa.string()))
    return {
        _CELLS: _written(_lost(log, ids, reader, detection, root)),
        _SIGNALS: _written(kept.select(SIGNAL.names).cast(SIGNAL)),
        _EVIDENCE: _written(without.select(EVIDENCE.names).cast(EVIDENCE)),
    }


def _lost(log: EventLog, ids: pa.Array, reader: Reader, detection: Detection, root: str) -> pa.Table:
    """What the tallies of the touched days lose with the texts."""
    lost = [CELLS.empty_table()]
    for part in log.slices(max_rows=1, zone=reader.zone):
        # One slice a day, of which only those with a text that goes are read with their texts.
        pieces = log.pieces(part)
        plain = [log.read_piece(piece, text=False) for piece in pieces]
        if not any(pc.any(pc.is_in(events["event_id"], ids)).as_py() for events in plain):
            continue
        events = pa.Table.from_batches([log.read_piece(piece) for piece in pieces])
        going = pc.is_in(events["event_id"], ids)
        place = events.schema.get_field_index("text")
        blank = pc.if_else(going, pa.scalar(""), events["text"])
        after = events.set_column(place, events.schema.field("text"), blank)
        before_cells, after_cells = (_cells(table, reader, detection, root) for table in (events, after))
        lost.append(add_cells([before_cells, _negative(after_cells)]))
    return pa.concat_tables(lost)


def _cells(events: pa.Table, reader: Reader, detection: Detection, root: str) -> pa.Table:
    """CELLS of one day's events, the root's included."""
    (batch,) = events.combine_chunks().to_batches()
    rows = understand(batch, reader)
    # Tallies of a day count what each division heard, wherever else it was heard.
    nowhere = MetFirst(ELSEWHERE.empty_table(), ELSEWHERE.empty_table())
    found = [
        cells(lay_out(name, [mine], nowhere, None, detection).division.new_rows)
        for name, mine in by_division(rows)
    ]
    return with_root(found, root)


def add_cells(tables: Iterable[pa.Table]) -> pa.Table:
    """The sums of CELLS, by key and in its order, without cells that count nothing."""
    frame: pl.DataFrame = pl.from_arrow(pa.concat_tables(tables))  # type: ignore[assignment]
    summed = frame.group_by(CELL).agg(pl.col(COUNTS).sum()).filter(pl.any_horizontal(pl.col(COUNTS) != 0))
    return as_cells(summed)


def _negative(table: pa.Table) -> pa.Table:
    return pa.table(
        [pc.negate(table[name]) if name in COUNTS else table[name] for name in CELLS.names], schema=CELLS
    )


def _written(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", write_page_checksum=True)
    return out.getvalue()


def _read(content: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(content))
