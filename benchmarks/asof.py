"""What questions about the past cost: replay as of a time, and what other settings would have done."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks._data import ingest_demo, open_workspace, work_folder, write_demo
from benchmarks._report import Figure, Options, Report, Row, main
from benchmarks._run import Cost, in_child, median_cost, timed

RUNS, QUICK_RUNS = 3, 1
FULL, AS_OF, KEPT = "full replay", "as of the end", "full replay that keeps what was understood"
JUDGED, AFTER = "what-if: settings of detectors", "what-if: settings that act after scoring"
DETECTORS, CAP = {"detection.half_life_days": 30}, {"alerts.weekly_cap": 1}
TARGETS = {JUDGED: 5.0, AFTER: 20.0}
"""Times faster than a full replay."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Costs by what was done; same: whether as of the end gave the full replay's digest."""

    events: int
    costs: dict[str, Cost]
    same: bool


def measure(folder: Path, runs: int) -> Measured:
    """Ask all of it of an ingested demo, compiled code loaded before."""
    from pipelines.in_force import workspace_as_of
    from pipelines.plain import PlainEngine
    from pipelines.what_if import Past, outcome, with_values

    workspace = open_workspace(folder)
    engine, digests = PlainEngine(), set[str]()

    def replay(_: int = 0) -> int:
        replayed = workspace.replay(engine, use=lambda _: None)
        digests.add(replayed.digest)
        return replayed.events

    def as_of(_: int) -> None:
        past = workspace_as_of(workspace, workspace.now() + timedelta(minutes=1))
        digests.add(past.replay(engine, use=lambda _: None).digest)

    events = replay()
    costs = {FULL: median_cost(replay, runs=runs), AS_OF: median_cost(as_of, runs=runs)}
    with ExitStack() as stack:
        past, costs[KEPT] = timed(lambda: stack.enter_context(Past.opened(workspace)))

        def ask(values: Mapping[str, int]) -> None:
            settings = with_values(workspace.settings, values)
            run, again = past.under(settings)
            outcome(values, past.run, run, again, settings=settings, verdicts={}, subscriptions=[])

        costs[JUDGED] = median_cost(lambda _: ask(DETECTORS), runs=runs)
        costs[AFTER] = median_cost(lambda _: ask(CAP), runs=runs)
    return Measured(events, costs, len(digests) == 1)


def prepare(folder: Path, texts: int) -> None:
    """Write the demo and its log."""
    write_demo(folder, texts)
    ingest_demo(folder)


def run(asked: Options) -> Report:
    """Measure on the demo's log, in a process with one thread a library."""
    with work_folder() as work:
        folder = work / "demo"
        in_child(prepare, folder, asked.texts)
        measured = in_child(measure, folder, QUICK_RUNS if asked.quick else RUNS)
    return report(measured)


def report(measured: Measured) -> Report:
    """The table, and how many times faster than a full replay each is."""
    full = measured.costs[FULL].cpu_s
    times = {what: full / max(cost.cpu_s, 1e-9) for what, cost in measured.costs.items()}
    rows: list[Row] = [
        {"what": what, "CPU s": cost.cpu_s, "wall s": cost.wall_s, "times faster": times[what]}
        for what, cost in measured.costs.items()
    ]
    figures = [Figure(what, times[what], "x a full replay", target) for what, target in TARGETS.items()]
    notes = [
        f"{measured.events:,} generated events, plain functions, one core; as of the end gave "
        f"{'the same signals as' if measured.same else 'OTHER signals than'} the full replay"
    ]
    return Report("Questions about the past", rows, figures, notes)


if __name__ == "__main__":
    main("asof", __doc__ or "", run)
