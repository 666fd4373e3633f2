"""How the stages follow one another, whatever the engine, and whatever holds the state.

    piece of the log -> understand -> rows by division -> copies compared -> tally -> root -> divisions
        -> what was found

Every function takes the state it needs and gives back the state it leaves. `pipelines.steps` keeps it in
files, for an engine that runs a log slice by slice (`pipelines.plain`, `pipelines.beam`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa

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
from pipelines.stages.division import LAID_OUT, Division
from pipelines.stages.finds import Found
from pipelines.stages.probe import Probe, Probing
from pipelines.stages.tally import cells, with_root
from pipelines.stages.teaching import NOTHING_TAUGHT, Teaching
from pipelines.stages.understand import UNDERSTOOD, Reader, understand

BATCH_ROWS = 16_384


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


class JudgedRoot(NamedTuple):
    """view: ROOT_VIEW, what divisions are told. state: what the root carries to the next buckets."""

    view: pa.Table
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
    elsewhere: pa.Table,
    remembered: pa.Table | None,
    detection: Detection,
) -> Division:
    """A division's rows behind those it remembers, ready to be counted. elsewhere: ELSEWHERE of the rows."""
    rows = pa.Table.from_batches(list(batches), UNDERSTOOD)
    before = LAID_OUT.empty_table() if remembered is None else remembered
    return Division(name, rows, before, window=detection.window, elsewhere=elsewhere)


def judge_root(tallies: Iterable[pa.Table], state: RootState | None, rules: Rules) -> JudgedRoot:
    """Sum the tallies and judge them at the root. Changes `state`; None: the root has heard nothing yet."""
    state = state or RootState.new(rules.detection)
    tally = merge_tallies(FEATURE_TALLY.empty_table(), *tallies)
    probing = rules.probing()
    view, candidates = detect_root(tally, state, rules.root, rules.detection, probing, rules.teaching)
    return JudgedRoot(view, Found(candidates, SUPPORT.empty_table(), probing.table()), state)


def judge_division(
    division: Division, view: pa.Table, tree: EmergenceTree | None, rules: Rules
) -> JudgedDivision:
    """Judge a division's perimeters with what the root tells, and sum its cells.

    Changes `tree`; None: the division has heard nothing yet.
    """
    tree = tree or EmergenceTree(rules.detection.estimator())
    probing = rules.probing()
    found = detect_division(division, view, tree, rules.root, rules.detection, probing, rules.teaching)
    last = last_bucket(division, view)
    remembered = None if last is None else division.to_remember(last, rules.detection.window)
    return JudgedDivision(Shard(found, cells(division.new_rows)), tree, remembered)


def gather(shards: Iterable[Shard], at_root: Found, root: str) -> Shard:
    """One shard of all of a slice's, with what was found at the root, and the root's cells."""
    parts = list(shards)
    found = [at_root, *(part.found for part in parts)]
    candidates = pa.concat_tables([one.candidates for one in found])
    support = pa.concat_tables([one.support for one in found])
    probed = pa.concat_tables([one.probed for one in found])
    return Shard(Found(candidates, support, probed), with_root([part.cells for part in parts], root))
