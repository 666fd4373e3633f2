"""A replay's steps, one a slice of the log, with the state between them on a shelf.

An engine moves the values between these functions and holds no logic.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.log import EventLog, Piece
from pipelines import flow
from pipelines.flow import BATCH_ROWS, LaidOut, MetFirst, RootView, Rules, Shard, Tallied
from pipelines.shelf import Shelf, read_state, write_state
from pipelines.stages.division import LAID_OUT, Division
from pipelines.stages.finds import Found
from pipelines.stages.looks import LookClock, Turn
from pipelines.stages.understand import Reader

_FOUND = ".found"
_ROOT = ".root"
_COPIES = ".copies"
_REMEMBERED = ".rows"
_LAID_OUT = ".laid"
"""Names of states beside those of divisions, which cannot be called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Rules):
    """What every step of a replay needs; light, for it is pickled with every step.

    work: a folder that all workers reach, which holds the reader (`keep_reader`). shelf: holds the state.
    """

    log: EventLog
    work: Path
    shelf: Shelf
    last_bucket: int
    """Last closed bucket; later rows are left for the next replay, but for early looks."""
    looks: LookClock | None = None
    """The log's clock, for early looks; None: none is taken."""
    batch_rows: int = BATCH_ROWS


@dataclass(frozen=True, slots=True)
class Step:
    """One slice of a replay. number: from 0; state of slice n is what slice n - 1 left."""

    number: int
    pieces: list[Piece] = field(default_factory=list)
    divisions: tuple[str, ...] = ()
    """Divisions met so far: they answer for the root's flags even if the slice holds none of their rows."""
    final: bool = False
    """Whether no slice follows: then the state it leaves is not kept."""
    turn: Turn | None = None
    """What closes with the slice, and the looks on the way; None: no looks. Rows after its last close are
    read for looks alone: the slice they are in closes them."""


def read_rows(piece: Piece, step: Step, plan: Plan) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Understand the closed rows of a piece, and those that are looked at; yields them by division."""
    rows_of = flow.read_rows(piece, plan.log, _reader(plan.work), batch_rows=plan.batch_rows)
    for name, rows in rows_of:
        if step.turn is None:
            closed = pc.less_equal(rows["bucket"], plan.last_bucket)
            if not pc.all(closed).as_py():
                rows = rows.filter(closed)
        if rows.num_rows:
            yield name, rows


def keep_reader(reader: Reader, work: Path) -> None:
    """Leave the reader, which holds whole lexicons, where each worker loads it once."""
    write_state(_reader_file(work), reader)


@lru_cache(maxsize=1)
def _reader(work: Path) -> Reader:
    reader: Reader = read_state(_reader_file(work))
    return reader


def _reader_file(work: Path) -> Path:
    return work / "reader.pickle"


def compare(listed: Iterable[pa.Table], step: Step, plan: Plan) -> MetFirst:
    """Compare the copies that divisions list."""
    first, met = flow.compare(listed, plan.shelf.take(step.number, _COPIES), plan.detection, step.turn)
    _hand_on(plan, step, _COPIES, met)
    return first


def lay_out(name: str, batches: Iterable[pa.RecordBatch], met: MetFirst, step: Step, plan: Plan) -> LaidOut:
    """A division's rows behind those it remembers, ready to be counted."""
    remembered = plan.shelf.take(step.number, name + _REMEMBERED)
    return flow.lay_out(name, batches, met, remembered, plan.detection, step.turn)


def lay_out_again(name: str, rows: pa.Table | None, step: Step, plan: Plan) -> LaidOut:
    """A division's rows, laid out before, behind those it remembers. rows: LAID_OUT; None: it heard none."""
    remembered = plan.shelf.take(step.number, name + _REMEMBERED)
    rows = LAID_OUT.empty_table() if rows is None else rows
    before = LAID_OUT.empty_table() if remembered is None else remembered
    return LaidOut(Division(name, rows, before, window=plan.detection.window), None)


def tally(name: str, batches: Iterable[pa.RecordBatch], met: MetFirst, step: Step, plan: Plan) -> Tallied:
    """The tally of a division, which is laid out for it, and left so where that costs nothing."""
    division = lay_out(name, batches, met, step, plan)
    if plan.shelf.shared:
        plan.shelf.put(step.number, name + _LAID_OUT, division)
    return division.tally()


def laid_out(name: str, batches: Iterable[pa.RecordBatch], met: MetFirst, step: Step, plan: Plan) -> LaidOut:
    """A division that `tally` laid out, or the same made again."""
    division: LaidOut | None = plan.shelf.take(step.number, name + _LAID_OUT)
    return division or lay_out(name, batches, met, step, plan)


def judge_root(tallies: Iterable[Tallied], step: Step, plan: Plan) -> tuple[RootView, Found]:
    """Sum the tallies and judge them at the root; gives what divisions are told and what was found there."""
    judged = flow.judge_root(tallies, plan.shelf.take(step.number, _ROOT), plan, step.turn)
    _hand_on(plan, step, _ROOT, judged.state)
    return judged.view, judged.found


def judge_sum(tally: pa.Table, step: Step, plan: Plan) -> tuple[RootView, Found]:
    """The same of tallies that were summed; no look is due."""
    judged = flow.judge_sum(tally, plan.shelf.take(step.number, _ROOT), plan)
    _hand_on(plan, step, _ROOT, judged.state)
    return judged.view, judged.found


def judge_division(
    laid_out: LaidOut, view: RootView, step: Step, plan: Plan, *, with_cells: bool = True
) -> Shard:
    """Judge a division's perimeters with what the root tells, and sum its cells if that is asked for."""
    name = laid_out.division.name
    judged = flow.judge_division(
        laid_out, view, plan.shelf.take(step.number, name), plan, step.turn, with_cells=with_cells
    )
    _hand_on(plan, step, name, judged.tree)
    if judged.remembered is not None:
        _hand_on(plan, step, name + _REMEMBERED, judged.remembered)
    return judged.shard


def keep(shard: Shard, step: Step, plan: Plan) -> None:
    """Leave what a slice found where the process that asked for it can read it."""
    plan.shelf.put(step.number, _FOUND, shard)


def kept(step: Step, plan: Plan) -> Shard:
    """What `keep` left."""
    shard: Shard = plan.shelf.take(step.number, _FOUND)
    return shard


def discard(step: Step, plan: Plan) -> None:
    """Let go of what a finished step started from and found."""
    plan.shelf.drop(step.number)


def state_of(number: int, divisions: Iterable[str], plan: Plan) -> Iterator[tuple[str, Any]]:
    """The state that a step starts from, by name; a shelf in memory gives it away."""
    for name in (_COPIES, _ROOT, *(name + part for name in sorted(divisions) for part in ("", _REMEMBERED))):
        state = plan.shelf.take(number, name)
        if state is not None:
            yield name, state


def remembered_by(division: str) -> str:
    """Name of the state that holds the rows which a division remembers."""
    return division + _REMEMBERED


def _hand_on(plan: Plan, step: Step, shard: str, state: Any) -> None:
    """Keep what the next slice starts from, if there is one."""
    if not step.final:
        plan.shelf.put(step.number + 1, shard, state)
