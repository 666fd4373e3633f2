"""Unusual day: planted odd days found in simulated perimeters, beside river's HalfSpaceTrees.

Each perimeter writes about 15 texts a day (from 3 to 80) in three channels, with a weekly rhythm, a season
and a hidden cause that moves volume, mood, score and a theme together. Components: three volumes, shares of
six themes, mean score, mean mood, share without text; shares and means are missing on days without answers.
Odd days: every component moved by 2.2 standard deviations, up or down (joint); the hidden cause moving volume
one way and mood the other, by 3 (broken); one component moved by 6 (single); three days of 1.3 each (spell).

`false a year, own` is what our own calibration gives where it promises one false alarm a perimeter a year.
The days found are at the threshold that gives each method one false alarm a perimeter a year on null streams
of the same kind, which no user of the peers would know. HalfSpaceTrees reads values scaled by river's
MinMaxScaler, missing ones filled by the first mean; raw, and as differences from a running mean of the
weekday. `distance` is the largest standardised component, by river's StandardScaler, of those differences.
Parameters were chosen on numpy seeds 1 to 22; here they come from seed 2,001 on.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import anomaly, preprocessing

from benchmarks._report import Figure, Options, Report, Row, main
from detectors.features import feature_id
from detectors.unusual_day import UnusualDay

SEED = 2_001
PERIMETERS, QUICK_PERIMETERS, PEER_PERIMETERS, QUICK_PEER_PERIMETERS = 240, 80, 60, 25
DAYS, WARM = 400, 100
KINDS = ("joint", "broken", "single", "spell")
JOINT, BROKEN, SINGLE, SPELL = range(4)
NOTHING = -1
SPELL_DAYS = 3
WEEK = np.array([1.1, 1.0, 1.0, 1.0, 1.2, 0.9, 0.15])
CHANNELS = (0.6, 0.3, 0.1)
THEMES = np.array([3.0, 2.0, 2.0, 1.0, 0.5, 0.3])
COUNTS = ["volume a", "volume b", "volume c"]
SHARES = [f"theme {number}" for number in range(THEMES.size)]
MEANS = ["score", "mood"]
NAMES = [*COUNTS, *SHARES, *MEANS, "without text"]
A_YEAR = 365.0

Floats = NDArray[np.float64]
"""Mostly of shape (perimeters, days)."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """values, weights: shape (perimeters, days, components). kinds: of each day, NOTHING if usual."""

    values: Floats
    weights: Floats
    kinds: NDArray[np.int64]


def run(asked: Options) -> Report:
    """One row a method."""
    many = QUICK_PERIMETERS if asked.quick else PERIMETERS
    few = QUICK_PEER_PERIMETERS if asked.quick else PEER_PERIMETERS
    rows = [
        _row("ours", judge_ours, many),
        _row("ours", judge_ours, few),
        _row("HalfSpaceTrees", lambda days: judge_trees(_filled(days.values)), few),
        _row("HalfSpaceTrees of differences", lambda days: judge_trees(_differences(days.values)), few),
        _row("distance of differences", lambda days: judge_distance(_differences(days.values)), few),
    ]
    heavy = _false_alarms(simulate(SEED + 2, many, odd=False, heavy=True))
    notes = [
        f"hidden cause with tails of Student's t, 4 degrees of freedom: ours has {heavy:.2f} false a year",
        "found: share of odd days, spells by any of their days, at one false alarm a perimeter a year.",
    ]
    return Report("unusual day: odd days found (%)", rows, _figures(rows), notes)


def simulate(seed: int, perimeters: int, *, odd: bool, heavy: bool = False) -> Simulated:
    """Perimeters' days. heavy: whether the hidden cause has heavy tails."""
    chance = np.random.default_rng(seed)
    shape = (perimeters, DAYS)
    kinds = _plan(chance, shape) if odd else np.full(shape, NOTHING)
    amount = np.select([kinds == JOINT, kinds == SPELL], [2.2, 1.3], 0.0)
    moved = chance.choice([-1.0, 1.0], size=(*shape, len(NAMES))) * amount[..., None]
    single = chance.integers(0, len(NAMES), size=shape)[..., None] == np.arange(len(NAMES))
    moved += 6.0 * (single & (kinds == SINGLE)[..., None])
    cause = _cause(chance, shape, heavy)
    busy, mood = (np.where(kinds == BROKEN, sign * 3.0, cause) for sign in (1.0, -1.0))

    volumes = _volumes(chance, busy, moved)
    texts: NDArray[np.int64] = np.sum(volumes, axis=0)
    columns = [volume.astype(float) for volume in volumes]
    weights: list[NDArray[Any]] = [np.ones(shape)] * len(volumes)
    usual = chance.dirichlet(THEMES, perimeters) * 0.5
    for place in range(THEMES.size):
        odds = usual[:, place] / (1 - usual[:, place])
        rate = 1 / (1 + np.exp(-0.3 * mood * (place == 0)) / odds[:, None])
        columns.append(_shares(chance, rate, texts, moved[..., len(COUNTS) + place]))
        weights.append(texts)
    scored = chance.binomial(texts, 0.6)
    for place, (level, spread, pull, answers) in enumerate(
        ((7.5, 2.0, -0.4, scored), (0.1, 0.5, -0.12, texts)), start=len(COUNTS) + THEMES.size
    ):
        error = np.sqrt(spread**2 / np.maximum(answers, 1) + (0.1 * spread) ** 2)
        rhythm = 0.1 * spread * np.sin(np.arange(DAYS) % 7)
        value = level + pull * mood + rhythm + (chance.normal(size=shape) + moved[..., place]) * error
        columns.append(np.where(answers > 0, value, np.nan))
        weights.append(answers)
    columns.append(_shares(chance, np.full(shape, 0.3), texts, moved[..., -1]))
    weights.append(texts)
    return Simulated(np.stack(columns, -1), np.stack(weights, -1).astype(float), kinds)


def _plan(chance: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.int64]:
    """An odd day or spell every 45 days or so."""
    kinds = np.full(shape, NOTHING)
    for own in kinds:
        for start in range(WARM + int(chance.integers(0, 40)), DAYS - 35, 45):
            day, kind = start + int(chance.integers(0, 30)), int(chance.integers(0, len(KINDS)))
            own[day : day + (SPELL_DAYS if kind == SPELL else 1)] = kind
    return kinds


def _cause(chance: np.random.Generator, shape: tuple[int, int], heavy: bool) -> Floats:
    """A hidden cause that lingers, of variance 1."""
    new = chance.standard_t(4, size=shape) / math.sqrt(2) if heavy else chance.normal(size=shape)
    cause = np.zeros(shape)
    for day in range(1, DAYS):
        cause[:, day] = 0.3 * cause[:, day - 1] + math.sqrt(1 - 0.3**2) * new[:, day]
    return cause


def _volumes(chance: np.random.Generator, busy: Floats, moved: Floats) -> list[NDArray[np.int64]]:
    day = np.arange(DAYS)
    size = np.exp(chance.normal(math.log(15), 1.0, busy.shape[0]))[:, None]
    season = 1 + 0.2 * np.sin(2 * np.pi * (day / A_YEAR + chance.random((busy.shape[0], 1))))
    volumes = []
    for place, share in enumerate(CHANNELS):
        mean = size * season * WEEK[day % 7] * share * np.exp(0.2 * busy)
        mean = np.maximum(mean + moved[..., place] * np.sqrt(1.3 * mean), 0.0)
        volumes.append(chance.poisson(mean * chance.gamma(15, 1 / 15, mean.shape)))
    return volumes


def _shares(chance: np.random.Generator, rate: Floats, answers: NDArray[np.int64], moved: Floats) -> Floats:
    error = np.sqrt(rate * (1 - rate) / np.maximum(answers, 1))
    said = chance.binomial(answers, np.clip(rate + moved * error, 0.0, 1.0))
    return np.where(answers > 0, said / np.maximum(answers, 1), np.nan)


# methods: a score of each day, the higher the odder -------------------------------------------------------


def judge_ours(days: Simulated) -> Floats:
    """Evidence."""
    detector = UnusualDay(counts=COUNTS, shares=[*SHARES, "without text"])
    series = np.arange(1, days.values.shape[0] + 1, dtype=np.uint64)
    components = np.array([feature_id(name) for name in NAMES], np.uint64)
    evidence = [
        detector.learn_many(
            series, days.values[:, day], components=components, bucket=day, weights=days.weights[:, day]
        ).evidence
        for day in range(DAYS)
    ]
    return np.stack(evidence, axis=1)


def judge_trees(values: Floats) -> Floats:
    """Scores of river's HalfSpaceTrees, one a perimeter, with a window that a year can fill."""
    scores = np.zeros(values.shape[:2])
    for perimeter, own in enumerate(values):
        make: Any = preprocessing.MinMaxScaler
        scaler = make()
        trees: Any = anomaly.HalfSpaceTrees(height=6, window_size=50, seed=SEED)
        for day, figures in enumerate(own.tolist()):
            x = dict(enumerate(figures))
            scaler.learn_one(x)
            x = scaler.transform_one(x)
            scores[perimeter, day] = trees.score_one(x) if day else 0.0
            trees.learn_one(x)
    return scores


def judge_distance(values: Floats) -> Floats:
    """The largest component in running standard deviations."""
    scores = np.zeros(values.shape[:2])
    for perimeter, own in enumerate(values):
        scaler: Any = preprocessing.StandardScaler()
        for day, figures in enumerate(own.tolist()):
            x = dict(enumerate(figures))
            scores[perimeter, day] = max(map(abs, scaler.transform_one(x).values())) if day else 0.0
            scaler.learn_one(x)
    return scores


def _filled(values: Floats) -> Floats:
    """Values with missing ones replaced by the mean of the component's first hundred days."""
    first = values[:, :WARM]
    known = np.maximum((~np.isnan(first)).sum(axis=1), 1)
    means = np.nansum(first, axis=1) / known
    return np.where(np.isnan(values), means[:, None, :], values)


def _differences(values: Floats) -> Floats:
    """Differences from a running mean of the same weekday, 0 where there is none yet."""
    filled = _filled(values)
    differences = np.zeros_like(filled)
    means = filled[:, :7].copy()
    for day in range(7, DAYS):
        differences[:, day] = filled[:, day] - means[:, day % 7]
        means[:, day % 7] += 0.1 * differences[:, day]
    return differences


# figures --------------------------------------------------------------------------------------------------


def _row(name: str, judge: Callable[[Simulated], Floats], perimeters: int) -> Row:
    null, days = (simulate(SEED + odd, perimeters, odd=bool(odd)) for odd in (0, 1))
    judge_ours(simulate(SEED, 1, odd=False))
    began = time.perf_counter()
    usual = judge(null)[:, WARM:]
    seconds = time.perf_counter() - began
    scores = judge(days)
    threshold = float(np.sort(usual, axis=None)[-round(usual.size / A_YEAR)])
    own = name == "ours"
    return {
        "method": name,
        "perimeters": perimeters,
        **{kind: 100 * _found(scores, days.kinds, place, threshold) for place, kind in enumerate(KINDS)},
        "false a year, own": float((usual >= math.log(A_YEAR)).mean() * A_YEAR) if own else None,
        "perimeter-days/s": null.values.shape[0] * DAYS / seconds,
    }


def _found(scores: Floats, kinds: NDArray[np.int64], kind: int, threshold: float) -> float:
    """Share of odd days, or spells, of a kind that reach the threshold."""
    flagged = (scores >= threshold) & (kinds == kind)
    if kind != SPELL:
        return float(flagged.sum() / (kinds == kind).sum())
    starts = kinds == kind
    starts[:, 1:] &= kinds[:, :-1] != kind
    spells = np.cumsum(starts, axis=None).reshape(kinds.shape)
    return float(np.unique(spells[flagged]).size / starts.sum())


def _false_alarms(null: Simulated) -> float:
    """False alarms a perimeter a year of ours at the threshold for one."""
    return float((judge_ours(null)[:, WARM:] >= math.log(A_YEAR)).mean() * A_YEAR)


def _figures(rows: list[Row]) -> list[Figure]:
    def mean(row: Row) -> float:
        return sum(float(row[kind] or 0.0) for kind in KINDS) / len(KINDS)

    best_peer = max(mean(row) for row in rows[2:])
    return [
        Figure("odd days found, mean of the kinds", mean(rows[1]), "%", round(2 * best_peer, 1)),
        Figure("false alarms", float(rows[0]["false a year, own"] or 0.0), "a year", 1.2, at_least=False),
        Figure("false alarms, least", float(rows[0]["false a year, own"] or 0.0), "a year", 0.5),
    ]


if __name__ == "__main__":
    main("unusual_day", __doc__ or "", run)
