"""From log to signals: events a second beside the floor and a per-event pipeline, memory, growth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks._data import work_folder
from benchmarks._report import SEED, Figure, Options, Report, Row, main
from benchmarks._run import Cost, in_child, median_cost, peak_mib, since_start, timed
from benchmarks._throughput_log import A_DAY, Stirred, write_throughput_log
from benchmarks._throughput_ours import Way, learn_sentiment, measure
from benchmarks.replay import ENGINES, learn_per_event, tokenise_with_polars

EVENTS, QUICK_EVENTS = 1_000_000, 60_000
LENGTHS = (100_000, 1_000_000, 10_000_000)
"""Lengths at which growth is measured, as far as `--texts` goes."""
THIN = 0.1
"""Share of a day's texts in the log whose days are as many and whose texts are fewer."""
RUNS = 3
"""Of the floor; the rest is long enough for one."""
SAMPLE, QUICK_SAMPLE = 4_000, 1_000
"""Texts that the per-event pipeline is run on; its cost grows with the number of texts."""
_THIN = "log-thin"
SMALL, SCORED = 600, 20_000
"""Events of the log to warm up with, and of the one whose scores sentiment is learned from."""
KEYS = {
    "plain": "plain_events_per_s",
    "beam-1": "beam_events_per_s",
    "beam-2": "beam_2_workers_events_per_s",
    "flink": "flink_events_per_s",
}
"""Key of each of ENGINES in the JSON."""
TARGETS = {"text path": 50_000, "everything on": 30_000}
TIMES_FLOOR, TIMES_RIVER, TIMES_PLAIN, TIMES_ONE_WORKER = 2.5, 15, 1.15, 1.7
PEAK_MIB, GROWTH = 1_024, 1.1


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured. ways: the text path, by engine. growth: of it as plain functions, by length.

    thin: the same days with THIN of the texts.
    """

    log: Stirred
    floor: Way
    river: Way
    ways: dict[str, Way]
    everything: Way
    growth: list[Way]
    thin: Way

    @property
    def plain(self) -> Way:
        """The text path as plain functions."""
        return self.ways["plain"]


def run(asked: Options) -> Report:
    """Write the logs and measure every way through them."""
    with work_folder() as folder:
        events = min(asked.texts, EVENTS)
        lengths = sorted(
            {events, *(length for length in LENGTHS if length <= asked.texts and not asked.quick)}
        )
        logs = {size: in_child(_write, folder, size) for size in sorted({SMALL, SCORED, *lengths})}
        in_child(_write_thin, folder, round(THIN * events))
        small, whole = _name(SMALL), _name(events)
        sentiment = in_child(learn_sentiment, folder, _name(SCORED))
        floor = in_child(measure_floor, folder / whole, RUNS)
        river = in_child(measure_river, folder / whole, QUICK_SAMPLE if asked.quick else SAMPLE)
        ours: dict[str, Any] = {"runs": 1, "sentiment": None, "whole": False}
        growth = [in_child(measure, folder, _name(size), small, "plain", **ours) for size in lengths]
        thin = in_child(measure, folder, _THIN, small, "plain", **ours)
        ways = {"plain": next(way for way in growth if way.events == events)}
        for engine in [name for name in ENGINES if name != "plain"]:
            ways[engine] = in_child(measure, folder, whole, small, engine, **ours)
        _check_alike(ways)
        everything = in_child(measure, folder, whole, small, "plain", runs=1, sentiment=sentiment, whole=True)
    return report(Measured(logs[events], floor, river, ways, everything, growth, thin), asked)


def measure_floor(log: Path, runs: int) -> Way:
    """The floor: read the same segments and take the words with polars, nothing else."""
    rows, start = tokenise_with_polars(log), since_start()
    cost = median_cost(lambda _: tokenise_with_polars(log), runs=runs)
    return Way("floor: polars reads, takes words", rows, start, Cost(0, 0), cost, peak_mib())


def measure_river(log: Path, sample: int) -> Way:
    """The pipeline of an ordinary river user, on some of the texts, extrapolated to all of them."""
    from river import stats

    files = sorted(log.rglob("*.text.parquet"))
    texts = pl.concat([pl.read_parquet(file, columns=["text"]) for file in files])["text"]
    taken = texts.gather_every(max(1, texts.len() // sample)).to_list()
    start, factor = since_start(), texts.len() / len(taken)
    _, cost = timed(lambda: learn_per_event(taken, stats.EWMean))
    scaled = Cost(cost.wall_s * factor, cost.cpu_s * factor)
    return Way("peer: river, EWMean a term", texts.len(), start, Cost(0, 0), scaled, peak_mib())


def report(measured: Measured, asked: Options) -> Report:
    """The table, the figures against their targets, and the keys of the JSON."""
    floor, river, plain = measured.floor, measured.river, measured.plain
    longer = [way for way in measured.growth if way is not plain]
    order = [floor, river, *measured.ways.values(), measured.everything, *longer, measured.thin]
    rows: list[Row] = [
        {
            "what": way.what,
            "events": way.events,
            "start CPU": way.start.cpu_s,
            "pipe CPU": way.pipeline.cpu_s,
            "log s": way.run.wall_s,
            "log CPU": way.run.cpu_s,
            "/s (CPU)": way.rate(),
            "/s (wall)": way.rate("wall_s"),
            "× floor": floor.rate() / way.rate(),
            "× river": way.rate() / river.rate(),
            "peak MiB": way.peak,
        }
        for way in order
    ]
    values: dict[str, Any] = {
        "log": {"distinct_words": measured.log.distinct_words, "texts_from": measured.log.source},
        "floor_events_per_s": round(floor.rate()),
        "river_events_per_s": round(river.rate()),
        "plain_all_events_per_s": round(measured.everything.rate()),
        **{KEYS[name]: round(way.rate(_clock(name))) for name, way in measured.ways.items()},
        "peak_rss_mib": round(max(way.peak for way in (plain, measured.everything))),
        "growth": [
            {"events": way.events, "seconds": round(way.seconds(), 2), "peak_rss_mib": round(way.peak)}
            for way in measured.growth
        ],
    }
    title = "From the log to signals"
    return Report(title, rows, _figures(measured), _notes(measured, asked), values=values)


def _figures(measured: Measured) -> list[Figure]:
    floor, plain, whole = measured.floor, measured.plain, measured.everything
    one, two = measured.ways["beam-1"], measured.ways["beam-2"]
    shortest, longest = measured.growth[0], measured.growth[-1]
    gain = one.seconds("wall_s") / two.seconds("wall_s")
    peak = max(way.peak for way in (*measured.growth, whole))
    figures = [
        Figure("text path, one core", plain.rate(), "events/s", TARGETS["text path"]),
        Figure("text path", floor.rate() / plain.rate(), "× the floor's cost", TIMES_FLOOR, at_least=False),
        Figure("everything on, one core", whole.rate(), "events/s", TARGETS["everything on"]),
        Figure("text path", plain.rate() / measured.river.rate(), "× river's rate", TIMES_RIVER),
        Figure("Beam, 1 worker", plain.rate() / one.rate(), "× plain's cost", TIMES_PLAIN, at_least=False),
        Figure("Beam, 2 workers", gain, "× 1 worker's rate", TIMES_ONE_WORKER),
        Figure("peak memory", peak, "MiB", PEAK_MIB, at_least=False),
    ]
    if longest is not shortest:
        grown = shortest.rate() / longest.rate()
        figures.append(Figure("seconds an event, longest log", grown, "× shortest's", GROWTH, at_least=False))
    denser = measured.thin.rate() / plain.rate()
    name = "seconds an event, ten times the texts a day"
    figures.append(Figure(name, denser, "× those of a tenth", GROWTH, at_least=False))
    return figures


def _notes(measured: Measured, asked: Options) -> list[str]:
    log = measured.log
    sample = QUICK_SAMPLE if asked.quick else SAMPLE
    return [
        f"Texts: {log.source}; {log.words / log.events:.0f} words each, {log.distinct_words:,} distinct. "
        "Generated: who wrote when and where, and misspellings.",
        "One thread a library, each way in a process of its own. start: once a process. pipe: a log of "
        f"{SMALL} events, paid by every run. log: with that.",
        "A shorter or longer log is of the same organisation and as many texts a day, over fewer or more "
        f"days; the last row has {THIN:.0%} of the texts a day, over as many days.",
        "Rates are without both, from CPU time, but of two workers from wall time, as is their gain. "
        f"× floor: times its cost (median of {RUNS} runs). × river: times its rate.",
        "Peer: BagOfWords of words and pairs, a mean a term, one bag for all perimeters, "
        f"on {sample:,} texts and extrapolated.",
        "Text path: read, understand, tally at all levels, emergence, corroborate. Everything on: scores, "
        "moods by learned weights, mismatch, silence, blind spots, unusual days, signals in words, too.",
    ]


def _clock(engine: str) -> str:
    return "wall_s" if engine == "beam-2" else "cpu_s"


def _check_alike(ways: dict[str, Way]) -> None:
    if len({way.found for way in ways.values()}) > 1:
        raise ValueError(f"engines found {', '.join(f'{way.found} ({way.what})' for way in ways.values())}")


def _name(events: int) -> str:
    return f"log-{events}"


def _write_thin(folder: Path, events: int) -> Stirred:
    return write_throughput_log(folder, _THIN, events, seed=SEED, a_day=THIN * A_DAY)


def _write(folder: Path, events: int) -> Stirred:
    return write_throughput_log(folder, _name(events), events, seed=SEED)


if __name__ == "__main__":
    main("throughput", __doc__ or "", run, sizes=(EVENTS, QUICK_EVENTS))
