"""Settings for `benchmarks.themes`: of each method those that find the most topics within the same limits.

Every setting of a grid is played on the tuning trial of each background, in several draws of it: false flags
are few, and one draw would choose by luck. Its topics and draws are reported nowhere. Within the limits are
settings whose false discovery proportion is at most .05 at either rate, and also over both with one false
flag more than was seen (few flags prove little; the knockoff+ filter counts so too: Barber & Candès, Annals
of Statistics 2015), and that cry falsely in at most every second stream in which nothing is injected. Of
those that find as many topics as the best, over both rates and within a standard error, the soonest is
chosen; of equals the one with the fewest false flags. Where a method has none within the limits, that with
the smallest share of false flags is.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from math import sqrt
from multiprocessing import get_context

from benchmarks import _themes_ours as ours
from benchmarks import _themes_peers as peers
from benchmarks._report import Options, Report, Row, main
from benchmarks._themes_methods import ADWIN, KLEINBERG, METHODS, OURS, PEERS, SIGNITREND, THRESHOLD
from benchmarks._themes_score import NOTHING, Score, score
from benchmarks._themes_streams import FILES, NEWS, ON_TRIAL, TEXTS, TOPICS, Stream, streams
from benchmarks.themes import EVERY, FALSE_SHARE, FALSE_WITHOUT

TRIAL, DRAWS = 0, 3
SHOWN = 3
"""Settings of each method that are shown, the best first."""

Given = tuple[tuple[str, float], ...]
"""Names and values of a setting."""
Grid = Sequence[tuple[str, Given, Sequence[float]]]
"""Method, what its strength is given, and thresholds on that."""
Task = tuple[str, int, int, int]
"""Background, `every`, number and draw of a stream."""

EPOCH, SHORTEST, DELTAS = 5, (1, 2), (0.002, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
"""ADWIN's."""
OURS_GRID = [
    (("false_alerts", budget), ("half_life", 180.0))
    for budget in (0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0)
]
PEERS_GRID: Grid = [
    *(
        (SIGNITREND, (("epoch", epoch), ("beta", beta), ("half_life", half_life)), range(5, 19))
        for epoch in (5, 7, 10, 14)
        for beta in (1e-5, 5e-5, 1.5e-4)
        for half_life in (28.0, 56.0)
    ),
    *((KLEINBERG, (("ratio", ratio),), (*range(7, 21), 7.5, 8.5, 9.5)) for ratio in (3.0, 4.0, 6.0, 8.0)),
    *(
        (ADWIN, (("delta", delta), ("epoch", EPOCH), ("shortest", shortest)), (1,))
        for shortest in SHORTEST
        for delta in DELTAS
    ),
]


@dataclass(frozen=True, slots=True)
class Tried:
    """A setting of a method, and what it is worth on a background at each rate, by `every`."""

    background: str
    method: str
    given: Given
    worth: Mapping[int, Score]

    @property
    def found(self) -> float:
        """Mean share of the topics, of the two rates."""
        one, half, _ = (self.worth[every] for every in EVERY)
        return (one.found + half.found) / 2

    @property
    def within(self) -> bool:
        """Whether it keeps to the limits."""
        one, half, none = (self.worth[every] for every in EVERY)
        few = none.false <= FALSE_WITHOUT * none.streams
        together = (one.false + half.false + 1) / max(1, one.flags + half.flags)
        return few and max(one.false_share, half.false_share, together) <= FALSE_SHARE

    @property
    def error(self) -> float:
        """Standard error of the share found; topics are the same at both rates."""
        return sqrt(self.found * (1 - self.found) / self.worth[EVERY[0]].topics)

    def order(self, enough: float) -> tuple[float, ...]:
        """Sorts the best first. enough: share of the topics from which settings within limits are equals."""
        false = sum(worth.false for worth in self.worth.values())
        beyond = 0.0 if self.within else false / sum(worth.flags for worth in self.worth.values())
        soon = self.worth[EVERY[0]].median_texts or TEXTS
        found = -self.found if self.found < enough else -1.0
        return not self.within, beyond, found, soon, false, -self.found


def run(asked: Options) -> Report:
    """The best settings of each method on each background, those chosen first."""
    backgrounds, count, draws = ([NEWS], 1, 1) if asked.quick else (list(FILES), ON_TRIAL // TOPICS, DRAWS)
    tasks = list(product(backgrounds, EVERY, range(count), range(draws)))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        played = list(pool.map(play, tasks))
    tried = total(tasks, played)
    best = [one for name in backgrounds for method in METHODS for one in choose(tried, name, method)[:SHOWN]]
    return Report(
        "settings within the limits, on the tuning trial",
        [_row(one) for one in best],
        [],
        [
            f"{len(tried) // len(backgrounds)} settings tried on {count * draws} stream(s) a background and "
            "rate; the first of each method is used."
        ],
    )


def play(task: Task) -> dict[tuple[str, Given], Score]:
    """What each setting of each method is worth on a stream of the tuning trial."""
    background, every, number, draw = task
    *_, stream = streams(TRIAL, every, background=background, count=number + 1, draw=draw)
    return {**dict(_ours(stream)), **dict(_peers(stream))}


def _ours(stream: Stream) -> Iterator[tuple[tuple[str, Given], Score]]:
    for given in OURS_GRID:
        yield (OURS, given), score(stream, ours.find(stream, **dict(given)))


def _peers(stream: Stream) -> Iterator[tuple[tuple[str, Given], Score]]:
    counted = peers.count(stream)
    may_drift = {
        float(shortest): peers.drifting(counted, delta=max(DELTAS), epoch=EPOCH, shortest=shortest)
        for shortest in SHORTEST
    }
    for method, given, thresholds in PEERS_GRID:
        among = {"among": may_drift[dict(given)["shortest"]]} if method == ADWIN else {}
        strength = PEERS[method](counted, **dict(given), **among)
        for threshold in thresholds:
            setting = (*given, (THRESHOLD, threshold))
            yield (method, setting), score(stream, peers.flags(counted, strength, threshold))


def total(tasks: Sequence[Task], played: Sequence[Mapping[tuple[str, Given], Score]]) -> list[Tried]:
    """Sums over streams, in the order of the grids."""
    worth: dict[tuple[str, str, Given], dict[int, Score]] = {}
    for (background, every, *_), scores in zip(tasks, played, strict=True):
        for (method, given), one in scores.items():
            sums = worth.setdefault((background, method, given), {})
            sums[every] = sums.get(every, NOTHING) + one
    return [Tried(*key, sums) for key, sums in worth.items()]


def choose(tried: Sequence[Tried], background: str, method: str) -> list[Tried]:
    """Settings of a method, the best first."""
    mine = [one for one in tried if (one.background, one.method) == (background, method)]
    best = max((one for one in mine if one.within), key=lambda one: one.found, default=None)
    enough = 0.0 if best is None else best.found - best.error
    return sorted(mine, key=lambda one: one.order(enough))


def _row(tried: Tried) -> Row:
    one, half, none = (tried.worth[every] for every in EVERY)
    return {
        "background": tried.background,
        "method": tried.method,
        "setting": ", ".join(f"{name} {value:g}" for name, value in tried.given),
        "found % at 1": 100 * one.found,
        "texts before": one.median_texts,
        "flags a topic": one.flags_a_topic,
        "false share": one.false_share,
        "found % at 0.5": 100 * half.found,
        "false share at 0.5": half.false_share,
        "false, nothing injected": none.false,
        "within": "yes" if tried.within else "no",
    }


if __name__ == "__main__":
    main("themes_settings", __doc__ or "", run)
