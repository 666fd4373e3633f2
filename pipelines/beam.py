"""The stages on Apache Beam: the Direct runner by default, any other by its options."""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import apache_beam as beam
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.flow import LaidOut, MetFirst, RootView, Shard, Tallied, gather
from pipelines.stages.copies import list_copies
from pipelines.stages.finds import Found
from pipelines.steps import (
    Plan,
    Step,
    compare,
    judge_division,
    judge_root,
    keep,
    kept,
    lay_out,
    read_rows,
)


class BeamEngine:
    """Runs each step as a Beam pipeline, its state in files: held in memory, Beam's own left too little.

    workers: processes of the Direct runner; options: Beam's own flags, such as `--runner=FlinkRunner`.
    """

    in_process = False

    def __init__(self, *, workers: int = 1, options: Sequence[str] = ()) -> None:
        if workers < 1:
            raise ValueError(f"workers is {workers}; it must be at least 1")
        mode = "in_memory" if workers == 1 else "multi_processing"
        direct = [f"--direct_num_workers={workers}", f"--direct_running_mode={mode}"]
        self._options = [*direct, *options]

    def run(self, step: Step, plan: Plan) -> Shard:
        """What a slice of the log gives."""
        with _cycles_collected():
            self._run(step, plan)
        return kept(step, plan)

    def _run(self, step: Step, plan: Plan) -> None:
        # On its own, so that nothing holds the pipeline once this returns.
        with beam.Pipeline(options=PipelineOptions(self._options)) as pipeline:
            _ = pipeline | "Replay" >> ReplayStep(step, plan)


@contextmanager
def _cycles_collected() -> Iterator[None]:
    """Collect the cycles made within: a pipeline's hold its buffers, and memory would grow with the slices.

    What was there before, Beam's own modules above all, is not looked through: that is most of the cost.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()


class ReplayStep(beam.PTransform):  # type: ignore[misc]
    """One slice of the log, from its pieces to a file with what was found."""

    def __init__(self, step: Step, plan: Plan) -> None:
        super().__init__()
        self._step = step
        self._plan = plan

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Copies, tallies, views and shards are shuffled besides the understood rows; never a text."""
        step, plan = self._step, self._plan
        known = pipeline | "Known divisions" >> beam.Create([(name, None) for name in step.divisions])
        read = (
            pipeline
            | "Pieces" >> beam.Create(step.pieces)
            | "Spread" >> beam.Reshuffle()
            | "Understand" >> beam.FlatMap(read_rows, step, plan)
        )
        compared = (
            read
            | "List copies" >> beam.MapTuple(list_copies)
            | "All copies" >> beam.combiners.ToList()
            | "Compare copies" >> beam.Map(compare, step, plan)
        )
        met = beam.pvalue.AsSingleton(compared)
        # Rows are laid out by both steps that need them: that is cheaper than to pass on what they become.
        divisions = (read, known) | "All divisions" >> beam.Flatten() | "By division" >> beam.GroupByKey()
        root = (
            divisions
            | "Tally" >> beam.Map(_tally, met, step, plan)
            | "All tallies" >> beam.combiners.ToList()
            | "Judge root" >> beam.Map(judge_root, step, plan)
        )
        return (
            divisions
            | "Judge divisions" >> beam.Map(_judge, met, beam.pvalue.AsSingleton(root), step, plan)
            | "All shards" >> beam.combiners.ToList()
            | "Gather" >> beam.Map(_gather, beam.pvalue.AsSingleton(root), step, plan)
        )


Grouped = tuple[str, Iterable[pa.RecordBatch | None]]
"""A division's name with its rows; None stands for a division known from earlier slices."""


def _tally(grouped: Grouped, met: MetFirst, step: Step, plan: Plan) -> Tallied:
    return _lay_out(grouped, met, step, plan).tally()


def _judge(grouped: Grouped, met: MetFirst, root: tuple[RootView, Found], step: Step, plan: Plan) -> Shard:
    return judge_division(_lay_out(grouped, met, step, plan), root[0], step, plan)


def _lay_out(grouped: Grouped, met: MetFirst, step: Step, plan: Plan) -> LaidOut:
    name, batches = grouped
    return lay_out(name, [batch for batch in batches if batch is not None], met, step, plan)


def _gather(shards: list[Shard], root: tuple[RootView, Found], step: Step, plan: Plan) -> None:
    keep(gather(shards, root[1], plan.root), step, plan)
