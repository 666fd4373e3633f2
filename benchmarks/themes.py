"""Emerging themes in real text: new topics found, how soon, how often each, and what is cried for nothing.

Streams of 200 buckets of 200 background texts, in which topics of news begin at a known bucket and then give
one text a bucket, or one every second bucket. Topics are dealt into three trials. Every method's settings are
chosen on the first, for each background and within the same limits (`benchmarks.themes_settings`), and
reported on the other two: other topics, other draws of the background.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from benchmarks import _themes_ours as ours
from benchmarks import _themes_peers as peers
from benchmarks._report import Figure, Options, Report, Row, main
from benchmarks._themes_methods import CHOSEN, OURS, find
from benchmarks._themes_score import NOTHING, Score, score
from benchmarks._themes_streams import (
    A_BUCKET,
    BUCKETS,
    FILES,
    NEWS,
    ON_TRIAL,
    TEXTS,
    TOPICS,
    streams,
)

REPORTED = (1, 2)
"""Trials; trial 0 is for tuning."""
EVERY = (1, 2, 0)
"""Buckets from one text of a topic to its next; 0 where nothing is injected."""
STREAMS = ON_TRIAL // TOPICS
FALSE_SHARE = 0.05
"""False discovery proportion, at most."""
FALSE_WITHOUT = 0.5
"""False flags a stream in which nothing is injected, at most."""
SOON = 6
"""Texts of a topic by which it should be found."""


@dataclass(frozen=True, slots=True)
class Task:
    """A stream to be played."""

    background: str
    trial: int
    number: int
    every: int


def run(asked: Options) -> Report:
    """One row a background, rate and method."""
    if missing := sorted(name for name, file in FILES.items() if not file.exists()):
        return Report("themes", [{"": f"no texts of {', '.join(missing)} beside the checkout"}], [])
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        tasks = plan(quick=asked.quick)
        scores = total(tasks, list(pool.map(play, tasks)))
    return Report(
        "new topics in streams of real texts",
        [_row(*item) for item in scores.items()],
        figures(scores),
        NOTES,
    )


NOTES = [
    f"{BUCKETS} buckets of {A_BUCKET} background texts; {TEXTS} texts a topic, each by an author of its own."
    " Settings chosen on other topics.",
    "false share: of all flags, those of which not half the texts are one topic's. "
    "flags a topic: of those found.",
    "ours: from events to signals, three perimeters that hear the same. "
    "peers: words and pairs, one perimeter.",
]

Scores = dict[tuple[str, int, str], Score]
"""By background, `every` and method."""


def plan(*, quick: bool) -> list[Task]:
    """What is played; on one stream a rate in a quick run."""
    if quick:
        return [Task(NEWS, REPORTED[0], 0, every) for every in EVERY]
    return [
        Task(background, trial, number, every)
        for background in FILES
        for every in EVERY
        for trial in REPORTED
        for number in range(STREAMS)
    ]


def play(task: Task) -> dict[str, Score]:
    """What each method is worth on a stream."""
    *_, stream = streams(task.trial, task.every, background=task.background, count=task.number + 1)
    return {method: score(stream, flags) for method, flags in find(task.background, stream).items()}


def total(tasks: Sequence[Task], played: Sequence[dict[str, Score]]) -> Scores:
    """Sums over streams."""
    scores: Scores = {}
    for task, found in zip(tasks, played, strict=True):
        for method, worth in found.items():
            key = (task.background, task.every, method)
            scores[key] = scores.get(key, NOTHING) + worth
    return scores


def _row(key: tuple[str, int, str], of: Score) -> Row:
    background, every, method = key
    return {
        "background": background,
        f"a topic's texts per {A_BUCKET}": 1 / every if every else 0,
        "method": method,
        "topics": of.topics,
        "found %": 100 * of.found if of.topics else None,
        f"by text {SOON} %": 100 * of.found_in(SOON) if of.topics else None,
        "texts before": of.median_texts,
        "flags a topic": of.flags_a_topic,
        "false share": of.false_share if of.topics else None,
        "flags": of.flags,
        "false a stream": of.false / of.streams,
    }


def figures(scores: Scores) -> list[Figure]:
    """Ours on each background, against what is asked and against the best of the others."""
    backgrounds = dict.fromkeys(background for background, *_ in scores)
    return [figure for background in backgrounds for figure in _figures_on(background, scores)]


def _figures_on(background: str, scores: Scores) -> Iterator[Figure]:
    one, half, none = (scores[background, every, OURS] for every in EVERY)
    worst = max(one.false_share, half.false_share)
    a_year = none.false / none.streams / ours.PERIMETERS / ((BUCKETS - peers.WARM_UP) / 365)
    budget = CHOSEN[background, OURS]["false_alerts"]
    asked: list[tuple[str, float, str, float, bool]] = [
        ("topics found at 1", 100 * one.found, "%", 95, True),
        ("texts before, at 1", one.median_texts or TEXTS, "texts", 6, False),
        ("signals of a topic found, at 1", one.flags_a_topic or 0, "signals", 1.2, False),
        ("topics found at 0.5", 100 * half.found, "%", 75, True),
        ("false discovery proportion", worst, "", FALSE_SHARE, False),
        ("false alerts, nothing injected", a_year, "a perimeter a year", budget, False),
    ]
    for name, every in (("1", 1), ("0.5", 2)):
        others = [worth for key, worth in scores.items() if key[:2] == (background, every) and key[2] != OURS]
        mine = scores[background, every, OURS]
        ahead = mine.found - max(worth.found for worth in others)
        sooner = mine.found_in(SOON) - max(worth.found_in(SOON) for worth in others)
        asked.append((f"found at {name}, ahead of the best peer", 100 * ahead, "points", 0, True))
        asked.append((f"by text {SOON} at {name}, ahead of the best", 100 * sooner, "points", 0, True))
    for name, value, unit, target, at_least in asked:
        yield Figure(f"{background}: {name}", value, unit, target, at_least)


if __name__ == "__main__":
    main("themes", __doc__ or "", run)
