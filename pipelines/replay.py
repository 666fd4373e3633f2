"""Replay: the whole closed log, slice by slice, through an engine to signals."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.civil_days import civil_days, day_of, midnight
from connectors.errors import LogError
from connectors.log import EventLog, Piece, Slice
from connectors.log.layout import to_us
from pipelines.chronicle import Chronicle, carriers_in, theme_names
from pipelines.flow import BATCH_ROWS, Shard
from pipelines.sealing import Seals, seals_of
from pipelines.settings import Settings
from pipelines.shelf import Files, Held
from pipelines.stages.explain import Signals, Telling
from pipelines.stages.looks import LookClock, Turn
from pipelines.stages.probe import Probe
from pipelines.stages.teaching import Teaching
from pipelines.stages.understand import Reader
from pipelines.steps import Plan, Step, discard, keep_reader

SLICE_ROWS = 65_536
"""Rows of a slice: memory follows the slice, not the log."""
EMPTY = "{}: the log holds no event yet; run `vigie ingest` first"
"""What to say of a log at a place."""


class Engine(Protocol):
    """Runs one step of a replay. in_process: whether all of it runs in this process, and each part once."""

    @property
    def in_process(self) -> bool: ...

    def run(self, step: Step, plan: Plan) -> Shard: ...


@dataclass(frozen=True, slots=True)
class Replayed:
    """Result of a replay. cells: Parquet files of CELLS, in order of time, of the days that were judged: all
    of them, unless it went on from what was known before; none where they were not asked for.

    events: rows that were closed. log_head: hash of the last manifest read.
    """

    signals: Signals
    cells: list[Path]
    events: int
    closed_until: datetime
    digest: str
    log_head: str


@dataclass(slots=True)
class Standing:
    """How far a replay has come. after: the last bucket judged, None before any. divisions: met so far."""

    chronicle: Chronicle
    after: int | None = None
    divisions: set[str] = field(default_factory=set)
    events: int = 0

    @classmethod
    def at_first(cls, plan: Plan, _sealed: Seals) -> "Standing":
        """Nothing was judged yet."""
        return cls(Chronicle.new(plan))


def replay(
    log: EventLog,
    settings: Settings,
    reader: Reader,
    telling: Telling,
    engine: Engine,
    *,
    work: Path,
    slice_rows: int = SLICE_ROWS,
    batch_rows: int = BATCH_ROWS,
    progress: Callable[[int, int], None] | None = None,
    begin: Callable[[Plan, Seals], Standing] = Standing.at_first,
    end: Callable[[Plan, Standing, int], None] | None = None,
    seals: Seals | None = None,
    with_cells: bool = True,
) -> Replayed:
    """Run the stages over all closed buckets of the log.

    begin: gives what the replay goes on from, having put the state of step 0 on the plan's shelf where
    something was judged before. end: is given how far it came, with the step whose state is on the shelf.
    work: an empty folder that the engine's workers reach; the caller removes it. progress: called with rows
    done and rows in all. seals: what erasures sealed, by default those of the log as it was opened.
    with_cells: whether cells are to be written.
    Raises LogError where the log holds no event.
    """
    plan, closed = make_plan(log, settings, reader, work=work, batch_rows=batch_rows)
    plan = _on_shelf(plan, engine)
    sealed = seals_of(log) if seals is None else seals
    standing = begin(plan, sealed)
    chronicle = standing.chronicle
    closing = slices_of(plan, max_rows=slice_rows, zone=reader.zone)
    slices = _later(closing, standing.after, plan, reader.zone)
    cells, themes = list[Path](), theme_names(telling)
    shards = judged(slices, plan, engine, progress, divisions=standing.divisions, keep=end is not None)
    for number, shard in enumerate(shards):
        last = plan.last_bucket if number == len(slices) - 1 else None
        first_day, last_day = days_of(slices[number], reader.zone)
        shard = sealed.restore(shard, first_day, min(last_day, plan.last_bucket))
        chronicle.take_in(shard, plan, themes, last=last, sealed=sealed.births)
        if with_cells:
            cells.append(write_cells(shard.cells, work / f"cells-{number:06d}.parquet"))
        standing.events += texts_in(shard.cells, plan.root)
    if end is not None:
        standing.after = plan.last_bucket
        end(plan, standing, len(slices))
    signals = sealed.put_back(
        chronicle.tell(log, carriers_in(log, telling), last_bucket=plan.last_bucket, teaching=plan.teaching),
        last_bucket=plan.last_bucket,
    )
    return Replayed(signals, cells, standing.events, closed, digest(signals), log.head_hash or "")


def _later(slices: Sequence[Slice], after: int | None, plan: Plan, zone: str) -> list[Slice]:
    """What of slices is left to judge once bucket `after` was judged; all of them where none was."""
    if after is None:
        return list(slices)
    if after >= plan.last_bucket:
        return []
    start = midnight(day_of(after + 1), zone)
    left = [replace(part, start=max(part.start, start)) for part in slices if part.end > start]
    # Days on which nothing came are judged too.
    return left or [Slice(start, midnight(day_of(plan.last_bucket + 1), zone), rows=0)]


def _on_shelf(plan: Plan, engine: Engine) -> Plan:
    """The plan with its state in memory, if the engine runs in this process."""
    # What stays in memory is neither written nor read again, which cost more than all the judging.
    in_memory = engine.in_process and isinstance(plan.shelf, Files)
    return replace(plan, shelf=Held()) if in_memory else plan


def make_plan(
    log: EventLog,
    settings: Settings,
    reader: Reader,
    *,
    work: Path,
    batch_rows: int = BATCH_ROWS,
    probes: Sequence[Probe] = (),
    until: int | None = None,
) -> tuple[Plan, datetime]:
    """What the steps need, and until when the log is closed; leaves the reader in `work`.

    until: last bucket to judge, by default the last closed one. Raises LogError where the log holds no event.
    """
    closed = log.closed_until()
    if closed is None:
        raise LogError(EMPTY.format(log.location))
    last = last_closed_bucket(log, closed, reader.zone)
    last = last if until is None else min(last, until)
    keep_reader(reader, work)
    plan = Plan(
        root=settings.organisation.root,
        detection=settings.stages,
        teaching=Teaching.of(log.manifests(), zone=reader.zone, place_of=reader.place_of),
        probes=tuple(probes),
        log=log,
        work=work,
        shelf=Files(work),
        last_bucket=last,
        looks=LookClock.of(log, every_us=settings.stages.look_every_us, zone=reader.zone),
        batch_rows=batch_rows,
    )
    return plan, closed


def slices_of(plan: Plan, *, max_rows: int, zone: str) -> list[Slice]:
    """The slices that close with a plan. Days after are for early looks alone, which the last one takes."""
    slices = plan.log.slices(max_rows=max_rows, zone=zone)
    if plan.looks is None:
        return slices
    return [part for part in slices if days_of(part, zone)[0] <= plan.last_bucket] or slices[:1]


def judged(
    slices: Sequence[Slice],
    plan: Plan,
    engine: Engine,
    progress: Callable[[int, int], None] | None = None,
    *,
    divisions: set[str] | None = None,
    keep: bool = False,
) -> Iterator[Shard]:
    """What each slice gives, one after the other; the state that one leaves goes to the next.

    divisions: met before, takes those that are met. keep: whether the last slice's state stays on the shelf.
    """
    plan = _on_shelf(plan, engine)
    total, done = sum(part.rows for part in slices), 0
    met = set[str]() if divisions is None else divisions
    for number, part in enumerate(slices):
        final = number == len(slices) - 1 and not keep
        turn = None if plan.looks is None else _turn(plan, plan.looks, slices, number)
        pieces = [*plan.log.pieces(part), *([] if turn is None else _ahead(plan, turn, part))]
        step = Step(number, pieces, tuple(sorted(met)), final, turn)
        shard = engine.run(step, plan)
        yield shard
        met |= _divisions(shard, plan.root)
        discard(step, plan)
        done += part.rows
        if progress is not None:
            progress(done, total)


def _turn(plan: Plan, clock: LookClock, slices: Sequence[Slice], number: int) -> Turn:
    """What closes with a slice, and which looks are taken on the way."""
    before = days_of(slices[number - 1], clock.zone)[1] if number else None
    final = number == len(slices) - 1
    closes = plan.last_bucket if final else days_of(slices[number], clock.zone)[1]
    return Turn(clock, before, closes, goes_on=final)


def _ahead(plan: Plan, turn: Turn, part: Slice) -> list[Piece]:
    """What was admitted before the last close of a turn, and counts after its slice."""
    until = plan.log.clock
    if until is None or until < part.end:
        return []
    if not turn.goes_on:
        until = min(until, turn.clock.closing(turn.closes))
    # The clock itself may be the instant of the last event.
    return plan.log.pieces(Slice(part.end, until + timedelta(microseconds=1), rows=0))


def canonical(signals: Signals) -> Iterator[str]:
    """The signals with their evidence, one JSON line each: equal signals give equal bytes."""
    evidence: dict[str, list[str]] = {}
    for row in signals.evidence.select(["signal_id", "event_id"]).to_pylist():
        evidence.setdefault(row["signal_id"], []).append(row["event_id"].hex())
    for row in signals.signals.to_pylist():
        plain = {name: _plain(name, value) for name, value in row.items()}
        plain["evidence_events"] = evidence.get(row["signal_id"], [])
        yield json.dumps(plain, ensure_ascii=False, sort_keys=True)


def digest(signals: Signals) -> str:
    """Hash of the canonical export; 32 hexadecimal digits."""
    return digest_of(canonical(signals))


def digest_of(lines: Iterable[str]) -> str:
    """Hash of the lines of a canonical export; 32 hexadecimal digits."""
    return blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def _plain(name: str, value: Any) -> Any:
    if name in ("channels", "voices", "explanation"):
        return json.loads(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if hasattr(value, "isoformat") else value


def days_of(part: Slice, zone: str) -> tuple[int, int]:
    """The first and last civil day of a slice, days since 1970."""
    ends = np.array([to_us(part.start), to_us(part.end) - 1])
    first, last = civil_days(ends, zone).tolist()
    return first, last


def last_closed_bucket(log: EventLog, closed: datetime, zone: str) -> int:
    """With a live part, the bucket that `closed` falls in is still open; history alone is complete."""
    instant = closed if log.has_live else closed - timedelta(microseconds=1)
    day = int(civil_days(np.array([to_us(instant)]), zone)[0])
    return day - 1 if log.has_live else day


def _divisions(shard: Shard, root: str) -> set[str]:
    paths = pc.unique(shard.cells["perimeter"]).to_pylist()
    return {path for path in paths if path.count("/") == 1 or path == root}


def write_cells(cells: pa.Table, file: Path) -> Path:
    """Write CELLS, in order of the key; gives the file."""
    pq.write_table(cells.sort_by([(name, "ascending") for name in cells.column_names[:5]]), file)
    return file


def texts_in(cells: pa.Table, root: str) -> int:
    """Events that CELLS count."""
    mine = cells.filter(
        pc.and_(pc.equal(cells["perimeter"], root), pc.equal(cells["theme"], pa.scalar(0, pa.uint64())))
    )
    return int(pc.sum(mine["texts"]).as_py() or 0)
