"""Silence on simulated streams: the budget of false alarms, and how soon a silent store is noticed."""

import math
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.silence import Silence

YEAR = 365


def simulated(kind: str, rate: float, series: int, days: int, seed: int) -> NDArray[np.int64]:
    """Authors a day, shape (days, series), of streams in which nothing falls silent."""
    chance = np.random.default_rng(seed)
    day = np.arange(days)[:, None]
    mean = np.full((days, series), rate)
    if kind in ("weekly", "weekly and uneven"):
        profile = np.array([1.4, 1.2, 1.2, 1.1, 1.1, 0.8, 0.2])
        mean = mean * (profile / profile.mean())[day % 7]
    if kind in ("uneven", "weekly and uneven"):
        mean = mean * chance.gamma(2, 0.5, mean.shape)
    if kind == "delivered":
        mean = mean * 7 * (day % 7 == 2)
    if kind == "growing":
        mean = mean * 3 ** ((day - days / 2) / YEAR)
    if kind == "shrinking":
        mean = mean * 0.5 ** ((day - 200) / YEAR)
    if kind == "wandering":
        mood, moods = np.zeros(series), []
        for _ in range(days):
            mood = 0.95 * mood + chance.normal(0, 0.3 * math.sqrt(1 - 0.95**2), series)
            moods.append(mood)
        mean = mean * np.exp(np.array(moods) - 0.045)
    return chance.poisson(mean)


QUIET = ("steady", "weekly", "uneven", "weekly and uneven", "delivered", "growing", "shrinking", "wandering")


SETTLED = 90


@cache
def alarms_a_year(rate: float, budget: float, series: int = 250) -> dict[str, float]:
    """False alarms a series and year by kind of stream, as a share of `budget`, at its threshold."""
    stream = np.concatenate(
        [simulated(kind, rate, series, SETTLED + YEAR, seed) for seed, kind in enumerate(QUIET, 41)], axis=1
    )
    detector, everything = Silence(), np.arange(1, stream.shape[1] + 1, dtype=np.uint64)
    alarms = np.zeros(everything.size)
    for day, authors in enumerate(stream):
        hit = detector.learn_many(everything, authors, bucket=day).evidence >= math.log(YEAR / budget)
        detector.restart(everything[hit])
        alarms += hit & (day >= SETTLED)
    means = alarms.reshape(len(QUIET), series).mean(axis=1) / budget
    return dict(zip(QUIET, means.tolist(), strict=True))


@pytest.mark.parametrize("kind", QUIET)
@pytest.mark.parametrize("rate", [0.5, 2.0, 10.0])
def test_false_alarms_stay_within_the_budget(kind: str, rate: float) -> None:
    assert alarms_a_year(rate, 1.0)[kind] <= 1.2


@pytest.mark.parametrize("kind", [kind for kind in QUIET if kind not in ("delivered", "growing")])
def test_the_budget_is_used(kind: str) -> None:
    """Deliveries are tests once a week, and the end of a growth is granted: they raise fewer."""
    assert alarms_a_year(0.5, 1.0)[kind] >= 0.2


def test_a_smaller_budget_is_kept_too() -> None:
    """Over all kinds: 2,400 series-years."""
    assert 0.2 <= np.mean(list(alarms_a_year(1.0, 0.1, 300).values())) <= 1.2


@pytest.mark.parametrize(
    ("rate", "median", "nine_in_ten"), [(0.5, 14, 18), (2.0, 5, 7), (10.0, 1, 2), (50.0, 1, 1)]
)
def test_a_silent_store_is_noticed(rate: float, median: int, nine_in_ten: int) -> None:
    """Without overdispersion, one day of n silent ones has a likelihood ratio of about e^(.95 rate)."""
    stream = simulated("steady", rate, 200, 260, seed=44)
    stream[200:] = 0
    detector, everything = Silence(), np.arange(1, 201, dtype=np.uint64)
    delays = np.full(200, 99)
    for day in range(260):
        scores = detector.learn_many(everything, stream[day], bucket=day)
        hit = scores.evidence >= math.log(YEAR)
        if day < 200:
            detector.restart(everything[hit])
        else:
            delays = np.where(hit & (delays == 99), day - 199, delays)
    assert np.median(delays) <= median
    assert np.quantile(delays, 0.9) <= nine_in_ten
