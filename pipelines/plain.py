"""The stages as plain function calls in this process: the reference the engines must equal."""

from collections import defaultdict, deque

import pyarrow as pa

from pipelines.flow import Shard, gather
from pipelines.stages.copies import list_copies
from pipelines.steps import Plan, Step, compare, judge_division, judge_root, lay_out, read_rows


class PlainEngine:
    """Runs a step in this process, one call after the other."""

    def run(self, step: Step, plan: Plan) -> Shard:
        """What a slice of the log gives."""
        rows: dict[str, list[pa.RecordBatch]] = defaultdict(list)
        copies = []
        for piece in step.pieces:
            for name, batch in read_rows(piece, plan):
                rows[name].append(batch)
                copies.append(list_copies(name, batch))
        elsewhere = compare(copies, step, plan)
        # What was used is let go at once: neither rows nor divisions are in memory longer than they must.
        names = sorted({*rows, *step.divisions})
        divisions = deque(lay_out(name, rows.pop(name, []), elsewhere, step, plan) for name in names)
        view, at_root = judge_root([division.tally() for division in divisions], step, plan)
        shards = [judge_division(divisions.popleft(), view, step, plan) for _ in names]
        return gather(shards, at_root, plan.root)
