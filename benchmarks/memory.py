"""Whether memory stays flat: peak resident memory of replays of longer and longer logs."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks._data import ingest_demo, open_workspace, work_folder, write_demo, write_long_log
from benchmarks._report import Figure, Options, Report, Row, main
from benchmarks._run import Cost, in_child, peak_mib, timed
from benchmarks.replay import ENGINES, open_engine

TARGET = 1_024
LENGTHS = dict.fromkeys(ENGINES, (50_000, 200_000, 800_000))
QUICK_LENGTHS = {"plain": (6_000, 12_000, 24_000), "beam-1": (12_000,), "beam-2": (12_000,)}
QUICK_SLICE = 6_000
"""Rows of a slice in the quick run, so that its logs have several too."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One replay in a process of its own. before: MiB when everything is loaded, nothing replayed."""

    events: int
    signals: int
    before: float
    peak: float
    cost: Cost


def measure(folder: Path, log: str, engine: str, slice_rows: int | None) -> Measured:
    """Replay a log once; slice_rows: the product's own where None."""
    workspace, chosen = open_workspace(folder, log=log), open_engine(engine)
    workspace.reader()
    before = peak_mib()
    replayed, cost = timed(lambda: workspace.replay(chosen, use=_ignore, slice_rows=slice_rows))
    return Measured(replayed.events, replayed.signals.signals.num_rows, before, peak_mib(), cost)


def prepare(folder: Path, texts: int, lengths: Iterable[int]) -> None:
    """Write the demo, its log, and the longer ones."""
    write_demo(folder, texts)
    ingest_demo(folder)
    for length in lengths:
        write_long_log(folder, f"log-{length}", length)


def run(asked: Options) -> Report:
    """Measure replays of logs of several lengths, of the same number of texts a day."""
    lengths, slice_rows = (QUICK_LENGTHS, QUICK_SLICE) if asked.quick else (LENGTHS, None)
    with work_folder() as work:
        folder = work / "demo"
        in_child(prepare, folder, asked.texts, sorted({size for sizes in lengths.values() for size in sizes}))
        measured = {
            engine: [in_child(measure, folder, f"log-{size}", engine, slice_rows) for size in sizes]
            for engine, sizes in lengths.items()
        }
    return _report(measured, slice_rows)


def _report(measured: dict[str, list[Measured]], slice_rows: int | None) -> Report:
    rows: list[Row] = [
        {
            "what": ENGINES[engine],
            "events": one.events,
            "signals": one.signals,
            "MiB before": one.before,
            "peak MiB": one.peak,
            "wall s": one.cost.wall_s,
            "CPU s": one.cost.cpu_s,
            "events/s (CPU)": one.events / one.cost.cpu_s,
        }
        for engine, several in measured.items()
        for one in several
    ]
    figures = [
        Figure(
            f"peak memory, {ENGINES[engine]}", max(one.peak for one in several), "MiB", TARGET, at_least=False
        )
        for engine, several in measured.items()
    ]
    return Report(
        "Peak memory of a replay, by length of the log",
        rows,
        figures,
        [
            f"Each replay in a process of its own, in slices of {slice_rows or 'the usual number of'} rows. "
            "A longer log has more days, not more texts a day, and words never met before.",
            "MiB before: libraries, lexicons and compiled code. events/s: the start of pipelines included.",
        ],
    )


def _ignore(_: object) -> None:
    """What is measured is the replay, not what becomes of its result."""


if __name__ == "__main__":
    main("memory", __doc__ or "", run)
