"""The stages as plain function calls in this process: the reference the engines must equal."""

from collections import defaultdict, deque
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pipelines.flow import LaidOut, Shard, all_found, gather
from pipelines.shelf import read_state, write_state
from pipelines.stages.copies import list_copies
from pipelines.stages.detect import merge_tallies
from pipelines.stages.understand import UNDERSTOOD
from pipelines.steps import (
    Plan,
    Step,
    compare,
    judge_division,
    judge_root,
    judge_sum,
    lay_out,
    lay_out_again,
    read_rows,
)

Rows = dict[str, list[pa.RecordBatch]]
"""Understood rows by division."""


class PlainEngine:
    """Runs a step in this process, one call after the other."""

    in_process = True

    def run(self, step: Step, plan: Plan) -> Shard:
        """What a slice of the log gives."""
        divisions = self._divisions(step, plan)
        view, at_root = judge_root([division.tally() for division in divisions], step, plan)
        shards = [judge_division(divisions.popleft(), view, step, plan) for _ in range(len(divisions))]
        return gather(shards, at_root, plan.root)

    def _divisions(self, step: Step, plan: Plan) -> deque[LaidOut]:
        """The divisions laid out, in order of their names."""
        rows = self._rows(step, plan)
        copies = [list_copies(name, batch) for name, batches in rows.items() for batch in batches]
        met = compare(copies, step, plan)
        # What was used is let go at once: neither rows nor divisions are in memory longer than they must.
        names = sorted({*rows, *step.divisions})
        return deque(lay_out(name, rows.pop(name, []), met, step, plan) for name in names)

    def _rows(self, step: Step, plan: Plan) -> Rows:
        """Read and understand a step's pieces."""
        rows: Rows = defaultdict(list)
        for piece in step.pieces:
            for name, batch in read_rows(piece, step, plan):
                rows[name].append(batch)
        return rows


class _Kept(NamedTuple):
    """What was kept of a step. laid_out: LAID_OUT rows by division, compared within so many buckets. tally:
    FEATURE_TALLY of them all. cells: CELLS of them, with the root's.
    """

    window: int
    laid_out: dict[str, pa.Table]
    tally: pa.Table
    cells: pa.Table


class KeepingEngine(PlainEngine):
    """Keeps what detectors are given in a folder, for a `JudgingEngine` to judge again under other settings.

    Where looks are taken that is what was understood: what they are given hangs on the order of arrival.
    """

    def __init__(self, kept: Path) -> None:
        self._kept = kept

    def run(self, step: Step, plan: Plan) -> Shard:
        """What a slice of the log gives, kept."""
        if step.turn is not None:
            return super().run(step, plan)
        divisions = self._divisions(step, plan)
        tally = merge_tallies(*(division.tally().closing for division in divisions))
        laid_out = {one.division.name: one.division.laid_out for one in divisions}
        view, at_root = judge_sum(tally, step, plan)
        shards = [judge_division(divisions.popleft(), view, step, plan) for _ in range(len(divisions))]
        shard = gather(shards, at_root, plan.root)
        write_state(_file(self._kept, step), _Kept(plan.detection.window, laid_out, tally, shard.cells))
        return shard

    def _rows(self, step: Step, plan: Plan) -> Rows:
        rows = super()._rows(step, plan)
        if step.turn is not None:
            write_state(_file(self._kept, step), dict(rows))
        return rows


class JudgingEngine(PlainEngine):
    """Judges what a `KeepingEngine` kept of the same log, cut the same way; no text is read.

    Rows depend on lexicons, weights, tree, languages and time zone, and on whether looks are taken: those
    must be the same. What is new in them depends on how long authors are remembered: where that is other,
    they are compared again.
    """

    def __init__(self, kept: Path) -> None:
        self._kept = kept

    def run(self, step: Step, plan: Plan) -> Shard:
        """What a slice of the log gives."""
        if step.turn is not None:
            return super().run(step, plan)
        kept: _Kept = read_state(_file(self._kept, step))
        if kept.window != plan.detection.window:
            return super().run(step, plan)
        view, at_root = judge_sum(kept.tally, step, plan)
        found = [at_root]
        for name in sorted({*kept.laid_out, *step.divisions}):
            laid_out = lay_out_again(name, kept.laid_out.get(name), step, plan)
            found.append(judge_division(laid_out, view, step, plan, with_cells=False).found)
        return Shard(all_found(found), kept.cells)

    def _rows(self, step: Step, _plan: Plan) -> Rows:
        kept: _Kept | Rows = read_state(_file(self._kept, step))
        if isinstance(kept, _Kept):
            return {
                name: table.select(UNDERSTOOD.names).to_batches() for name, table in kept.laid_out.items()
            }
        return kept


def _file(kept: Path, step: Step) -> Path:
    return kept / f"rows-{step.number:06d}"
