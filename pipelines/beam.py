"""The stages on Apache Beam: the Direct runner by default, any other by its options."""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import apache_beam as beam
import pyarrow as pa
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.pvalue import AsIter, AsSingleton

from connectors.log import Piece
from pipelines.flow import MetFirst, RootView, Shard, Tallied, gather
from pipelines.shelf import Passed, Resident
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
    laid_out,
    read_rows,
    tally,
)

_T = TypeVar("_T")


class BeamEngine:
    """Runs each step as a Beam pipeline.

    workers: threads of the Direct runner: what takes time in them is compiled and lets the others run
    meanwhile, and what one slice leaves is at hand for the next. options: Beam's own flags, such as
    `--runner=FlinkRunner`.
    """

    def __init__(self, *, workers: int = 1, options: Sequence[str] = ()) -> None:
        if workers < 1:
            raise ValueError(f"workers is {workers}; it must be at least 1")
        mode = "in_memory" if workers == 1 else "multi_threading"
        direct = [f"--direct_num_workers={workers}", f"--direct_running_mode={mode}"]
        self._options = [*direct, *options]
        chosen = PipelineOptions(self._options)
        self.in_process = (
            chosen.view_as(StandardOptions).runner in (None, "DirectRunner")
            and chosen.view_as(DirectOptions).direct_running_mode != "multi_processing"
        )
        self._spread = not self.in_process or chosen.view_as(DirectOptions).direct_num_workers != 1
        self._task: Task | None = None
        self._pipeline: beam.Pipeline | None = None

    def run(self, step: Step, plan: Plan) -> Shard:
        """What a slice of the log gives."""
        with _cycles_collected():
            self._pipeline_of(step, plan).run().wait_until_finish()
        return kept(step, plan)

    def _pipeline_of(self, step: Step, plan: Plan) -> beam.Pipeline:
        """A pipeline of the step; in one process the one before, with another step at hand."""
        if self._task is not None and self._task.plan is plan:
            self._task.step = step
            return self._pipeline
        task = ResidentTask(plan, step) if self.in_process else Task(plan, step)
        pipeline = beam.Pipeline(options=PipelineOptions(self._options))
        _ = pipeline | "Replay" >> ReplayStep(task, spread=self._spread)
        if self.in_process:
            self._task, self._pipeline = task, pipeline
        return pipeline


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


class Task:
    """What all parts of a step are given: the step, its plan, and what other parts passed on."""

    def __init__(self, plan: Plan, step: Step) -> None:
        self.plan = plan
        self.step = step

    def lend(self, thing: _T) -> Passed[_T]:
        """What to pass on to another part in place of something."""
        return self.plan.shelf.lend(self.step.number, thing)

    def borrowed(self, passed: Passed[_T]) -> _T:
        """What was passed on, to others too."""
        return self.plan.shelf.borrowed(passed)

    def returned(self, passed: Passed[_T]) -> _T:
        """What was passed on, to the last who needs it."""
        return self.plan.shelf.returned(passed)


class ResidentTask(Resident, Task):
    """The same to all parts in this process, one step after the other."""

    def __init__(self, plan: Plan, step: Step) -> None:
        Resident.__init__(self)
        Task.__init__(self, plan, step)


class ReplayStep(beam.PTransform):  # type: ignore[misc]
    """One slice of the log, from its pieces to a file with what was found."""

    def __init__(self, task: Task, *, spread: bool = True) -> None:
        """spread: whether there are several workers to spread the pieces over."""
        super().__init__()
        self._task = task
        self._spread = spread

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Copies, tallies, views and shards are shuffled besides the understood rows; never a text."""
        task = self._task
        # What is done once is done with all of the others' results at its side, and divisions known before
        # come the way of the pieces: that takes a fraction of the stages that combining and joining them
        # would, and each pipeline pays for its stages.
        once = pipeline | "Once" >> beam.Impulse()
        work = once | "Work" >> beam.FlatMap(_work, task)
        if self._spread:
            work = work | "Spread" >> beam.Reshuffle()
        read = work | "Understand" >> beam.FlatMap(_understand, task)
        copies = read | "List copies" >> beam.FlatMap(_copies, task)
        compared = once | "Compare copies" >> beam.Map(_compare, AsIter(copies), task)
        met = AsSingleton(compared)
        # Where workers share no memory, rows are laid out by both steps that need them: that is cheaper than
        # to pass on what they become.
        divisions = read | "Hand over" >> beam.Map(_hand_over, task) | "By division" >> beam.GroupByKey()
        tallies = divisions | "Tally" >> beam.Map(_tally, met, task)
        root = AsSingleton(once | "Judge root" >> beam.Map(_judge_root, AsIter(tallies), task))
        shards = divisions | "Judge divisions" >> beam.Map(_judge, met, root, task)
        return once | "Gather" >> beam.Map(_gather, AsIter(shards), root, task)


Rows = tuple[str, pa.RecordBatch | None]
"""A division's name and rows of it; None stands for a division known from earlier slices."""
Grouped = tuple[str, Iterable[Passed[pa.RecordBatch] | None]]
"""A division's name with all of its rows."""


def _work(_: bytes, task: Task) -> Iterator[Piece | str]:
    """The pieces of a slice, and the names of divisions known before."""
    yield from task.step.pieces
    yield from task.step.divisions


def _understand(work: Piece | str, task: Task) -> Iterator[Rows]:
    if isinstance(work, str):
        yield work, None
    else:
        yield from read_rows(work, task.step, task.plan)


def _copies(rows: Rows, task: Task) -> Iterator[Passed[pa.Table]]:
    name, batch = rows
    if batch is not None:
        yield task.lend(list_copies(name, batch))


def _hand_over(rows: Rows, task: Task) -> tuple[str, Passed[pa.RecordBatch] | None]:
    name, batch = rows
    return name, None if batch is None else task.lend(batch)


def _compare(_: bytes, copies: Iterable[Passed[pa.Table]], task: Task) -> Passed[MetFirst]:
    return task.lend(compare(map(task.returned, copies), task.step, task.plan))


def _tally(grouped: Grouped, met: Passed[MetFirst], task: Task) -> Passed[Tallied]:
    name, batches = grouped
    return task.lend(tally(name, _returned(batches, task), task.borrowed(met), task.step, task.plan))


def _judge_root(_: bytes, tallies: Iterable[Passed[Tallied]], task: Task) -> Passed[tuple[RootView, Found]]:
    return task.lend(judge_root(map(task.returned, tallies), task.step, task.plan))


def _judge(
    grouped: Grouped, met: Passed[MetFirst], root: Passed[tuple[RootView, Found]], task: Task
) -> Passed[Shard]:
    name, batches = grouped
    division = laid_out(name, _returned(batches, task), task.borrowed(met), task.step, task.plan)
    return task.lend(judge_division(division, task.borrowed(root)[0], task.step, task.plan))


def _returned(batches: Iterable[Passed[pa.RecordBatch] | None], task: Task) -> Iterator[pa.RecordBatch]:
    """The rows, each given away when its turn comes: none where nobody asks."""
    return (task.returned(batch) for batch in batches if batch is not None)


def _gather(
    _: bytes, shards: Iterable[Passed[Shard]], root: Passed[tuple[RootView, Found]], task: Task
) -> None:
    at_root = task.returned(root)[1]
    keep(gather(map(task.returned, shards), at_root, task.plan.root), task.step, task.plan)
