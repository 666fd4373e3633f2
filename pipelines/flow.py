"""How the stages follow one another, whatever the engine, and whatever holds the state.

    piece of the log -> understand -> rows by division -> copies compared -> tally -> root -> divisions
        -> what was found

Every function takes the state it needs and gives back the state it leaves. `pipelines.steps` keeps it in
files, for an engine that runs a log slice by slice (`pipelines.plain`, `pipelines.beam`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.log import EventLog, Piece
from connectors.perimeters import division as division_of
from detectors.emergence_tree import EmergenceTree
from detectors.schemas import FEATURE_TALLY, SUPPORT
from pipelines.columns import mapped
from pipelines.stages.arrivals import Arrivals
from pipelines.stages.copies import ELSEWHERE, compare_arrivals, compare_copies
from pipelines.stages.detect import (
    Detection,
    RootState,
    detect_division,
    detect_root,
    last_bucket,
    merge_tallies,
)
from pipelines.stages.division import LAID_OUT, Division
from pipelines.stages.finds import Found
from pipelines.stages.look import DivisionLooks, RootLooks
from pipelines.stages.looks import LOOK_TALLY, NO_LOOKS, Early, RootLooked, Turn, add_looks
from pipelines.stages.probe import Probe, Probing
from pipelines.stages.tally import CELLS, cells, with_root
from pipelines.stages.teaching import NOTHING_TAUGHT, Teaching
from pipelines.stages.understand import UNDERSTOOD, Reader, understand

BATCH_ROWS = 8_192
"""Rows understood at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What judging depends on besides the rows. teaching: what managers made of signals, as far as the log
    was read. probes: what to show of it besides what it finds.
    """

    root: str
    detection: Detection
    teaching: Teaching = NOTHING_TAUGHT
    probes: tuple[Probe, ...] = ()

    def taught(self, teaching: Teaching) -> "Rules":
        """These rules with what the log teaches by now."""
        return replace(self, teaching=teaching)

    def probing(self) -> Probing:
        """What the probes ask for, nothing gathered yet."""
        return Probing(self.probes, self.detection, self.teaching)


@dataclass(frozen=True, slots=True)
class Shard:
    """What one shard found in a slice: candidates with support, and cells for dashboards."""

    found: Found
    cells: pa.Table


class MetFirst(NamedTuple):
    """ELSEWHERE of the rows that close, and of all that came by the order they came in, for early looks."""

    closing: pa.Table
    arriving: pa.Table


class LaidOut(NamedTuple):
    """A division's rows as they are counted. arrivals: those that looks see, where any are due."""

    division: Division
    arrivals: Arrivals | None

    def tally(self) -> "Tallied":
        """What the division adds to the root."""
        division = self.division
        if self.arrivals is None:
            return Tallied(division.tally(), LOOK_TALLY.empty_table())
        return Tallied(division.tally(), self.arrivals.tally(division, window=division.window))


class Tallied(NamedTuple):
    """FEATURE_TALLY of the buckets that close, and LOOK_TALLY of the looks between them."""

    closing: pa.Table
    looks: pa.Table


class RootView(NamedTuple):
    """What divisions are told: ROOT_VIEW of the buckets that close, and the same of looks."""

    closing: pa.Table
    looks: RootLooked


class JudgedRoot(NamedTuple):
    """state: what the root carries to the next buckets."""

    view: RootView
    found: Found
    state: RootState


class JudgedDivision(NamedTuple):
    """tree, remembered: what the division carries on; remembered: LAID_OUT, None where nothing was heard
    and what was remembered before stands."""

    shard: Shard
    tree: EmergenceTree
    remembered: pa.Table | None


def read_rows(
    piece: Piece, log: EventLog, reader: Reader, *, batch_rows: int = BATCH_ROWS
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Understand a piece; yields rows (UNDERSTOOD) by division."""
    events = log.read_piece(piece)
    for start in range(0, events.num_rows, batch_rows):
        yield from by_division(understand(events.slice(start, batch_rows), reader))


def by_division(rows: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Rows (UNDERSTOOD) of each division, in the order they came in."""
    names = mapped(rows["perimeter"], division_of, pa.string()).dictionary_encode()
    numbers = names.indices.to_numpy()
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(np.bincount(numbers, minlength=len(names.dictionary))).tolist()
    for name, begin, end in zip(names.dictionary.to_pylist(), [0, *ends], ends, strict=False):
        # A copy each, not parts of one: engines pickle the whole of what a batch is a part of.
        yield name, rows.take(pa.array(order[begin:end]))


def lay_out(
    name: str,
    batches: Iterable[pa.RecordBatch],
    met: MetFirst,
    remembered: pa.Table | None,
    detection: Detection,
    turn: Turn | None = None,
) -> LaidOut:
    """A division's rows behind those it remembers, ready to be counted.

    turn: with which some of them close, and the others are looked at; None: all close, and none is.
    """
    rows = pa.Table.from_batches(list(batches), UNDERSTOOD)
    before, arrivals = LAID_OUT.empty_table() if remembered is None else remembered, None
    if turn is not None:
        arrivals = Arrivals(turn, rows, met.arriving)
        rows = rows.filter(pc.less_equal(rows["bucket"], turn.closes))
    division = Division(name, rows, before, window=detection.window, elsewhere=met.closing)
    return LaidOut(division, arrivals)


def compare(
    listed: Iterable[pa.Table], met: pa.Table | None, detection: Detection, turn: Turn | None = None
) -> tuple[MetFirst, pa.Table]:
    """Compare the copies that divisions list; gives also MET, what is to be remembered of those that close.

    turn: as in `lay_out`.
    """
    copies = list(listed)
    arriving = ELSEWHERE.empty_table()
    if turn is not None:
        arriving = compare_arrivals(copies, met, turn, window=detection.window)
        copies = [table.filter(pc.less_equal(table["bucket"], turn.closes)) for table in copies]
    compared = compare_copies(copies, met, window=detection.window)
    return MetFirst(compared.elsewhere, arriving), compared.met


def judge_root(
    tallies: Iterable[Tallied], state: RootState | None, rules: Rules, turn: Turn | None = None
) -> JudgedRoot:
    """Sum the tallies and judge them at the root, with the looks of the turn between the closes.

    Changes `state`; None: the root has heard nothing yet.
    """
    state = state or RootState.new(rules.detection)
    parts = list(tallies)
    tally = merge_tallies(FEATURE_TALLY.empty_table(), *(part.closing for part in parts))
    looks = None
    if turn is not None:
        added = add_looks([part.looks for part in parts])
        looks = RootLooks(added, turn.clock, state, rules.root, rules.detection, rules.teaching)
    return judge_sum(tally, state, rules, looks)


def judge_sum(
    tally: pa.Table, state: RootState | None, rules: Rules, looks: RootLooks | None = None
) -> JudgedRoot:
    """Judge tallies at the root that were summed (`merge_tallies`); the rest as in `judge_root`."""
    state = state or RootState.new(rules.detection)
    probing = rules.probing()
    view, candidates = detect_root(
        tally, state, rules.root, rules.detection, probing, rules.teaching, looks or NO_LOOKS
    )
    looked, early = (RootLooked(), Early()) if looks is None else looks.finish()
    found = Found(candidates, SUPPORT.empty_table(), probing.table(), early)
    return JudgedRoot(RootView(view, looked), found, state)


def judge_division(
    laid_out: LaidOut,
    view: RootView,
    tree: EmergenceTree | None,
    rules: Rules,
    turn: Turn | None = None,
    *,
    with_cells: bool = True,
) -> JudgedDivision:
    """Judge a division's perimeters with what the root tells, and sum its cells.

    Changes `tree`; None: the division has heard nothing yet. turn: as in `judge_root`. with_cells: whether
    they are to be summed; none are given otherwise.
    """
    tree = tree or EmergenceTree(rules.detection.estimator())
    division, told = laid_out.division, view.closing
    looks = None
    if turn is not None and laid_out.arrivals is not None:
        looks = DivisionLooks(
            division,
            laid_out.arrivals,
            view.looks,
            turn.clock,
            tree,
            rules.root,
            rules.detection,
            rules.teaching,
        )
    probing = rules.probing()
    found = detect_division(
        division, told, tree, rules.root, rules.detection, probing, rules.teaching, looks or NO_LOOKS
    )
    if looks is not None:
        found = replace(found, early=looks.finish())
    last = last_bucket(division, told)
    remembered = None if last is None else division.to_remember(last, rules.detection.window)
    summed = cells(division.new_rows) if with_cells else CELLS.empty_table()
    return JudgedDivision(Shard(found, summed), tree, remembered)


def gather(shards: Iterable[Shard], at_root: Found, root: str) -> Shard:
    """One shard of all of a slice's, with what was found at the root, and the root's cells."""
    parts = list(shards)
    cells = with_root([part.cells for part in parts], root)
    return Shard(all_found([at_root, *(part.found for part in parts)]), cells)


def all_found(found: Sequence[Found]) -> Found:
    """What was found at the root and in divisions, as one."""
    candidates = pa.concat_tables([one.candidates for one in found])
    support = pa.concat_tables([one.support for one in found])
    probed = pa.concat_tables([one.probed for one in found])
    early = Early.all_of(one.early for one in found)
    return Found(candidates, support, probed, early)
