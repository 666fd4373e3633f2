"""How the stages follow one another over a slice of the log, whatever the engine.

    piece of the log -> understand -> rows by division -> tally -> root -> divisions -> what was found

An engine (`pipelines.plain`, `pipelines.beam`) moves the values between these functions and holds no logic.
State travels as files, one a shard, written whole under a new name: a step that runs twice writes the same.
"""

import pickle
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from connectors.log import EventLog, Piece
from connectors.perimeters import division as division_of
from detectors.emergence_tree import EmergenceTree
from detectors.schemas import FEATURE_TALLY, SUPPORT
from pipelines.columns import mapped
from pipelines.stages.detect import (
    Detection,
    RootState,
    detect_division,
    detect_root,
    last_bucket,
    merge_tallies,
)
from pipelines.stages.division import Division
from pipelines.stages.finds import Found
from pipelines.stages.probe import Probe, Probing
from pipelines.stages.tally import CELLS, cells, root_cells
from pipelines.stages.understand import UNDERSTOOD, Reader, understand

BATCH_ROWS = 16_384
_FOUND = ".found"
_ROOT = ".root"
_REMEMBERED = ".rows"
"""Names of files beside those of divisions, which cannot be called so."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What every step of a replay needs; light, for it is pickled with every step.

    work: a folder that all workers reach, which holds the reader (`keep_reader`) and the state.
    """

    log: EventLog
    detection: Detection
    root: str
    work: Path
    last_bucket: int
    """Last closed bucket; later rows are left for the next replay."""
    batch_rows: int = BATCH_ROWS
    probes: tuple[Probe, ...] = ()
    """What to show of detection besides what it finds."""


@dataclass(frozen=True, slots=True)
class Shard:
    """What one shard found in a slice: candidates with support, and cells for dashboards."""

    found: Found
    cells: pa.Table


@dataclass(frozen=True, slots=True)
class Step:
    """One slice of a replay. number: from 0; state of slice n is what slice n - 1 left."""

    number: int
    pieces: list[Piece] = field(default_factory=list)
    divisions: tuple[str, ...] = ()
    """Divisions met so far: they answer for the root's flags even if the slice holds none of their rows."""


def read_rows(piece: Piece, plan: Plan) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Understand a piece; yields rows by division."""
    events, reader = plan.log.read_piece(piece), _reader(plan.work)
    for start in range(0, events.num_rows, plan.batch_rows):
        rows = understand(events.slice(start, plan.batch_rows), reader)
        rows = rows.filter(pc.less_equal(rows["bucket"], plan.last_bucket))
        names = mapped(rows["perimeter"], division_of, pa.string())
        for name in sorted(pc.unique(names).to_pylist()):
            yield name, rows.filter(pc.equal(names, name))


def keep_reader(reader: Reader, work: Path) -> None:
    """Leave the reader, which holds whole lexicons, where each worker loads it once."""
    _write(_reader_file(work), reader)


@lru_cache(maxsize=1)
def _reader(work: Path) -> Reader:
    reader: Reader = pickle.loads(_reader_file(work).read_bytes())
    return reader


def _reader_file(work: Path) -> Path:
    return work / "reader.pickle"


def lay_out(name: str, batches: Iterable[pa.RecordBatch], step: Step, plan: Plan) -> Division:
    """A division's rows behind those it remembers, ready to be counted."""
    remembered = _load(plan, step.number, name + _REMEMBERED)
    if remembered is None:
        remembered = UNDERSTOOD.empty_table()
    rows = pa.Table.from_batches(list(batches), UNDERSTOOD)
    return Division(name, rows, remembered, window=plan.detection.window)


def judge_root(tallies: Iterable[pa.Table], step: Step, plan: Plan) -> tuple[pa.Table, Found]:
    """Sum the tallies and judge them at the root; gives ROOT_VIEW and what was found there."""
    state = _load(plan, step.number, _ROOT) or RootState(plan.detection.estimator())
    tally = merge_tallies(FEATURE_TALLY.empty_table(), *tallies)
    probing = Probing(plan.probes, plan.detection)
    view, candidates = detect_root(tally, state, plan.root, plan.detection, probing)
    _save(plan, step.number + 1, _ROOT, state)
    return view, Found(candidates, SUPPORT.empty_table(), probing.table())


def judge_division(division: Division, view: pa.Table, step: Step, plan: Plan) -> Shard:
    """Judge a division's perimeters with what the root tells, and sum its cells."""
    tree = _load(plan, step.number, division.name) or EmergenceTree(plan.detection.estimator())
    probing = Probing(plan.probes, plan.detection)
    found = detect_division(division, view, tree, plan.root, plan.detection, probing)
    _save(plan, step.number + 1, division.name, tree)
    last = last_bucket(division, view)
    if last is not None:
        remembered = division.to_remember(last, plan.detection.window)
        _save(plan, step.number + 1, division.name + _REMEMBERED, remembered)
    return Shard(found, cells(division.new_rows))


def gather(shards: Iterable[Shard], at_root: Found, plan: Plan) -> Shard:
    """One shard of all of a slice's, with what was found at the root, and the root's cells."""
    parts = list(shards)
    found = [at_root, *(part.found for part in parts)]
    candidates = pa.concat_tables([one.candidates for one in found])
    support = pa.concat_tables([one.support for one in found])
    probed = pa.concat_tables([one.probed for one in found])
    below = pa.concat_tables([CELLS.empty_table(), *(part.cells for part in parts)])
    top = root_cells(below, plan.root)
    below = below.filter(pc.not_equal(below["perimeter"], plan.root))
    return Shard(Found(candidates, support, probed), pa.concat_tables([top, below]))


def keep(shard: Shard, step: Step, plan: Plan) -> None:
    """Leave what a slice found where the process that asked for it can read it."""
    _save(plan, step.number, _FOUND, shard)


def kept(step: Step, plan: Plan) -> Shard:
    """What `keep` left."""
    shard: Shard = _load(plan, step.number, _FOUND)
    return shard


def discard(step: Step, plan: Plan) -> None:
    """Remove what a finished step started from and found."""
    shutil.rmtree(_place(plan, step.number, _ROOT).parent, ignore_errors=True)


def _place(plan: Plan, number: int, shard: str) -> Path:
    return plan.work / f"state-{number:06d}" / f"{shard.replace('/', '+')}.state"


def _load(plan: Plan, number: int, shard: str) -> Any:
    """State files are this program's own, in its own folder: pickle is safe there."""
    place = _place(plan, number, shard)
    return pickle.loads(place.read_bytes()) if place.exists() else None


def _save(plan: Plan, number: int, shard: str, state: Any) -> None:
    place = _place(plan, number, shard)
    place.parent.mkdir(parents=True, exist_ok=True)
    _write(place, state)


def _write(place: Path, content: Any) -> None:
    beside = place.with_name(f".{place.name}.{uuid4().hex}")
    beside.write_bytes(pickle.dumps(content, protocol=pickle.HIGHEST_PROTOCOL))
    beside.replace(place)
