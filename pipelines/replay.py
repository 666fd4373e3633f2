"""Replay: the whole closed log, slice by slice, through an engine to signals."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.civil_days import civil_days, midnight
from connectors.errors import LogError
from connectors.log import EventLog, Slice
from connectors.log.layout import to_us
from pipelines.flow import BATCH_ROWS, Plan, Shard, Step, discard, keep_reader
from pipelines.settings import Settings
from pipelines.stages.corroborate import Corroboration, corroborate
from pipelines.stages.episodes import Episodes, follow
from pipelines.stages.explain import Signals, Telling, explain
from pipelines.stages.probe import Probe
from pipelines.stages.tell import tell
from pipelines.stages.understand import Reader
from pipelines.stages.watch import Watch, watch

SLICE_ROWS = 65_536
"""Rows of a slice: memory follows the slice, not the log."""


class Engine(Protocol):
    """Runs one step of a replay."""

    def run(self, step: Step, plan: Plan) -> Shard: ...


@dataclass(frozen=True, slots=True)
class Replayed:
    """Result of a replay. cells: Parquet files of CELLS, in order of time. events: rows that were closed.

    log_head: hash of the last manifest read.
    """

    signals: Signals
    cells: list[Path]
    events: int
    closed_until: datetime
    digest: str
    log_head: str


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
) -> Replayed:
    """Run the stages over all closed buckets of the log.

    work: an empty folder that the engine's workers reach; the caller removes it. progress: called with rows
    done and rows in all. Raises LogError where the log holds no event.
    """
    plan, closed = make_plan(log, settings, reader, work=work, batch_rows=batch_rows)
    slices = log.slices(max_rows=slice_rows, zone=reader.zone)
    last_bucket, events = plan.last_bucket, 0
    stories, episodes, cells = Corroboration(), Episodes(), list[Path]()
    watched = Watch.new(plan.root, plan.detection)
    themes = {feature: theme.key for feature, theme in telling.themes.items()}
    for number, shard in enumerate(judged(slices, plan, engine, progress)):
        corroborate([shard.found], stories, plan.detection)
        end = last_bucket if number == len(slices) - 1 else None
        findings = watch(shard.cells, watched, plan.detection, themes, last=end)
        births = [(story.owner, story.born.bucket) for story in stories.stories]
        follow(findings, episodes, births, window=plan.detection.window)
        cells.append(_write_cells(shard.cells, work / f"cells-{number:06d}.parquet"))
        events += _texts(shard.cells, plan.root)
    live_from, events_of = _live_from(log), partial(_events_of, log, reader.zone)
    told = stories.stories
    signals = explain(told, log.take, telling, last_bucket=last_bucket, live_from=live_from)
    others = tell(episodes.all, told, events_of, telling, last_bucket=last_bucket, live_from=live_from)
    signals = signals.and_those(others)
    return Replayed(signals, cells, events, closed, digest(signals), log.head_hash or "")


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
        raise LogError(f"{log.location}: the log holds no event yet; run `vigie ingest` first")
    last = _last_bucket(log, closed, reader.zone)
    last = last if until is None else min(last, until)
    keep_reader(reader, work)
    return Plan(
        log, settings.stages, settings.organisation.root, work, last, batch_rows, tuple(probes)
    ), closed


def judged(
    slices: Sequence[Slice], plan: Plan, engine: Engine, progress: Callable[[int, int], None] | None = None
) -> Iterator[Shard]:
    """What each slice gives, one after the other; the state that one leaves goes to the next."""
    total, done = sum(part.rows for part in slices), 0
    divisions: set[str] = set()
    for number, part in enumerate(slices):
        step = Step(number, plan.log.pieces(part), tuple(sorted(divisions)))
        shard = engine.run(step, plan)
        yield shard
        divisions |= _divisions(shard, plan.root)
        discard(step, plan)
        done += part.rows
        if progress is not None:
            progress(done, total)


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
    return blake2b("\n".join(canonical(signals)).encode(), digest_size=16).hexdigest()


def _plain(name: str, value: Any) -> Any:
    if name in ("channels", "voices", "explanation"):
        return json.loads(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if hasattr(value, "isoformat") else value


def _last_bucket(log: EventLog, closed: datetime, zone: str) -> int:
    """With a live part, the bucket that `closed` falls in is still open; history alone is complete."""
    instant = closed if log.has_live else closed - timedelta(microseconds=1)
    day = int(civil_days(np.array([to_us(instant)]), zone)[0])
    return day - 1 if log.has_live else day


def _events_of(log: EventLog, zone: str, first: int, last: int) -> Iterator[pa.RecordBatch]:
    """Events of the buckets first..last, with texts and positions."""
    start, end = (midnight(date(1970, 1, 1) + timedelta(days=day), zone) for day in (first, last + 1))
    for piece in log.pieces(Slice(start, end, rows=0)):
        yield log.read_piece(piece)


def _live_from(log: EventLog) -> datetime | None:
    admitted = [
        m.segment.first_effective for m in log.manifests() if m.segment is not None and m.segment.live
    ]
    return min(admitted, default=None)


def _divisions(shard: Shard, root: str) -> set[str]:
    paths = pc.unique(shard.cells["perimeter"]).to_pylist()
    return {path for path in paths if path.count("/") == 1 or path == root}


def _write_cells(cells: pa.Table, file: Path) -> Path:
    pq.write_table(cells.sort_by([(name, "ascending") for name in cells.column_names[:5]]), file)
    return file


def _texts(cells: pa.Table, root: str) -> int:
    mine = cells.filter(
        pc.and_(pc.equal(cells["perimeter"], root), pc.equal(cells["theme"], pa.scalar(0, pa.uint64())))
    )
    return int(pc.sum(mine["texts"]).as_py() or 0)
