"""How fast the log is replayed to signals, beside the floor and an ordinary per-event pipeline."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from benchmarks._data import (
    ingest_demo,
    open_workspace,
    work_folder,
    write_demo,
    write_dense_log,
    write_first_day,
)
from benchmarks._report import TEXTS, Figure, Options, Report, Row, main
from benchmarks._run import Cost, in_child, median_cost, since_start, timed

TARGET = 15_000
RUNS, QUICK_RUNS = 3, 1
SAMPLE, QUICK_SAMPLE = 4_000, 1_000
"""Texts that the per-event pipelines are run on; their cost grows with the number of texts."""
WHOLE, FIRST_DAY = "whole", "first-day"
CLEAR = 0.25
"""Share of a pipeline's cost that the log's own must reach for their difference to mean something."""
ENGINES = {"plain": "plain functions", "beam-1": "Beam, 1 worker", "beam-2": "Beam, 2 workers"}
STATISTICS = ("EWMean", "ADWIN")
_WORD = r"[\p{L}\p{N}]+"


@dataclass(frozen=True, slots=True)
class Measured:
    """One way through the log.

    start: of the process, until its code is loaded and compiled. pipeline: a replay of one day, which is what
    every pipeline costs whatever its rows. whole: the whole log, with that. digest: of the signals found.
    """

    what: str
    events: int
    start: Cost
    pipeline: Cost
    whole: Cost
    digest: str = ""

    def rate(self, clock: str = "cpu_s") -> float | None:
        """Events per second of a Cost's field, start-up and pipeline apart; None where noise hides it."""
        net = getattr(self.whole - self.pipeline, clock)
        return self.events / net if net >= CLEAR * getattr(self.pipeline, clock) else None


class Statistic(Protocol):
    """A running statistic of river."""

    def update(self, x: float) -> Any: ...


def prepare(folder: Path, texts: int) -> None:
    """Write the demo and its log; from that one the log to replay, and the log of that one's first day.

    The log to replay has as many texts a day as the demo of usual size, whatever the texts, since a part of
    the cost goes with days and perimeters.
    """
    write_demo(folder, texts)
    ingest_demo(folder)
    write_dense_log(folder, WHOLE, _share(texts))
    write_first_day(folder, FIRST_DAY, of=WHOLE)


def replay_with(folder: Path, engine: str, texts: int, runs: int) -> Measured:
    """Replay the demo's log with one of ENGINES, in a process that has done nothing else."""
    day, whole = (open_workspace(folder, log=log, share=_share(texts)) for log in (FIRST_DAY, WHOLE))
    chosen = open_engine(engine)
    day.replay(open_engine("plain"), use=_ignore)
    start = since_start()
    pipeline = median_cost(lambda _: day.replay(chosen, use=_ignore), runs=runs)
    digests: list[str] = []
    cost = median_cost(lambda _: digests.append(whole.replay(chosen, use=_ignore).digest), runs=runs)
    return Measured(ENGINES[engine], whole.open_log().rows, start, pipeline, cost, digests[0])


def _share(texts: int) -> float:
    return min(1.0, texts / TEXTS)


def open_engine(name: str) -> Any:
    """An engine by its name here; Beam is imported only where it is asked for."""
    if name == "plain":
        from pipelines.plain import PlainEngine

        return PlainEngine()
    from pipelines.beam import BeamEngine

    quiet = ["--default_sdk_harness_log_level=CRITICAL"]
    return BeamEngine(workers=int(name.removeprefix("beam-")), options=quiet)


def tokenise_with_polars(log: Path) -> int:
    """The floor: read every segment, lower the case, extract the words; returns the rows."""
    rows = 0
    for core in sorted(log.rglob("*.core.parquet")):
        pl.read_parquet(core)
        text = pl.read_parquet(core.with_name(core.name.replace(".core.", ".text.")))
        rows += text.select(pl.col("text").str.to_lowercase().str.extract_all(_WORD)).height
    return rows


def measure_floor(log: Path, runs: int) -> Measured:
    """The floor, in a process of its own."""
    rows, start = tokenise_with_polars(log), since_start()
    cost = median_cost(lambda _: tokenise_with_polars(log), runs=runs)
    return Measured("floor: polars", rows, start, Cost(0, 0), cost)


def learn_per_event(texts: Iterable[str], new_statistic: Callable[[], Statistic]) -> dict[Any, Statistic]:
    """What an ordinary river user writes: BagOfWords of words and pairs, one statistic a term."""
    from river.feature_extraction import BagOfWords

    words: Any = BagOfWords(ngram_range=(1, 2))
    statistics: dict[Any, Statistic] = defaultdict(new_statistic)
    for text in texts:
        for term, times in words.transform_one(text).items():
            statistics[term].update(times)
    return statistics


def measure_river(folder: Path, sample: int) -> list[Measured]:
    """The per-event pipelines on some texts of the log, extrapolated to all of them."""
    from river import drift, stats

    kinds: dict[str, Callable[[], Statistic]] = {"EWMean": stats.EWMean, "ADWIN": drift.ADWIN}
    segments = sorted((folder / WHOLE).rglob("*.text.parquet"))
    texts = pl.concat([pl.read_parquet(file, columns=["text"]) for file in segments])["text"]
    # Every n-th text stands for all of them, of every time of the year.
    taken = texts.gather_every(max(1, texts.len() // sample)).to_list()
    start, factor = since_start(), texts.len() / len(taken)
    measured = []
    for name in STATISTICS:
        _, cost = timed(lambda new=kinds[name]: learn_per_event(taken, new))  # type: ignore[misc]
        scaled = Cost(cost.wall_s * factor, cost.cpu_s * factor)
        measured.append(Measured(f"peer: river, {name}", texts.len(), start, Cost(0, 0), scaled))
    return measured


def run(asked: Options) -> Report:
    """Measure the replay of the demo's log by every engine, beside the floor and the per-event pipelines."""
    runs, sample = (QUICK_RUNS, QUICK_SAMPLE) if asked.quick else (RUNS, SAMPLE)
    with work_folder() as work:
        folder = work / "demo"
        in_child(prepare, folder, asked.texts)
        ours = [in_child(replay_with, folder, engine, asked.texts, runs) for engine in ENGINES]
        floor = in_child(measure_floor, folder / WHOLE, runs)
        peers = in_child(measure_river, folder, sample)
    if len({one.digest for one in ours}) != 1:
        raise SystemExit(f"the engines found different signals: {[(one.what, one.digest) for one in ours]}")
    return _report(ours, floor, peers, notes=_notes(runs, sample))


def _notes(runs: int, sample: int) -> list[str]:
    return [
        f"Median of {runs} run(s), one thread a library. CPU: of all threads and processes; targets are read "
        "from it. The three of ours give the same signals.",
        "start: once a process. pipe: a replay of one day, paid by every pipeline. log: the whole log, with "
        "that. events/s: the log without start and pipe.",
        "floor: read the same segments, to lower case, extract words, nothing else.",
        f"peers: BagOfWords of words and pairs, one statistic a term, text by text, on {sample:,} texts and "
        "extrapolated to all; one bag for all perimeters, no themes, no moods, no evidence.",
    ]


def _report(ours: list[Measured], floor: Measured, peers: list[Measured], notes: list[str]) -> Report:
    rows: list[Row] = [
        {
            "what": one.what,
            "events": one.events,
            "start s": one.start.wall_s,
            "start CPU": one.start.cpu_s,
            "pipe s": one.pipeline.wall_s,
            "pipe CPU": one.pipeline.cpu_s,
            "log s": one.whole.wall_s,
            "log CPU": one.whole.cpu_s,
            "/s (CPU)": one.rate(),
            "/s (wall)": one.rate("wall_s"),
            "× floor": _times(one, floor),
            "× peer": _times(one, peers[0]),
        }
        for one in (*ours, floor, *peers)
    ]
    one_core = [(one, one.rate()) for one in ours if one.what != ENGINES["beam-2"]]
    figures = [
        Figure(f"replay, {one.what}", rate, "events/s", TARGET) for one, rate in one_core if rate is not None
    ]
    return Report("Replay of the demo's log to signals", rows, figures, notes)


def _times(one: Measured, other: Measured) -> float | None:
    rate, other_rate = one.rate(), other.rate()
    return None if rate is None or other_rate is None else rate / other_rate


def _ignore(_: object) -> None:
    """What is measured is the replay, not what becomes of its result."""


if __name__ == "__main__":
    main("replay", __doc__ or "", run)
