"""The stages as plain function calls in this process: the reference the engines must equal."""

import pickle
from collections import defaultdict, deque
from pathlib import Path

import pyarrow as pa

from pipelines.flow import Shard, gather
from pipelines.stages.copies import list_copies
from pipelines.steps import Plan, Step, compare, judge_division, judge_root, lay_out, read_rows

Rows = dict[str, list[pa.RecordBatch]]
"""Understood rows by division."""


class PlainEngine:
    """Runs a step in this process, one call after the other."""

    in_process = True

    def run(self, step: Step, plan: Plan) -> Shard:
        """What a slice of the log gives."""
        rows = self._rows(step, plan)
        copies = [list_copies(name, batch) for name, batches in rows.items() for batch in batches]
        met = compare(copies, step, plan)
        # What was used is let go at once: neither rows nor divisions are in memory longer than they must.
        names = sorted({*rows, *step.divisions})
        divisions = deque(lay_out(name, rows.pop(name, []), met, step, plan) for name in names)
        view, at_root = judge_root([division.tally() for division in divisions], step, plan)
        shards = [judge_division(divisions.popleft(), view, step, plan) for _ in names]
        return gather(shards, at_root, plan.root)

    def _rows(self, step: Step, plan: Plan) -> Rows:
        """Read and understand a step's pieces."""
        rows: Rows = defaultdict(list)
        for piece in step.pieces:
            for name, batch in read_rows(piece, step, plan):
                rows[name].append(batch)
        return rows


class KeepingEngine(PlainEngine):
    """Keeps what it understood in a folder, for a `JudgingEngine` to judge again under other settings."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept

    def _rows(self, step: Step, plan: Plan) -> Rows:
        rows = super()._rows(step, plan)
        with _file(self._kept, step).open("wb") as file:
            pickle.dump(dict(rows), file, protocol=pickle.HIGHEST_PROTOCOL)
        return rows


class JudgingEngine(PlainEngine):
    """Judges what a `KeepingEngine` kept of the same log, cut the same way; no text is read.

    Rows depend on lexicons, weights, tree, languages and time zone: those must be the same.
    """

    def __init__(self, kept: Path) -> None:
        self._kept = kept

    def _rows(self, step: Step, _plan: Plan) -> Rows:
        # This program's own file, in its own folder: pickle is safe there.
        with _file(self._kept, step).open("rb") as file:
            rows: Rows = pickle.load(file)
        return rows


def _file(kept: Path, step: Step) -> Path:
    return kept / f"rows-{step.number:06d}"
