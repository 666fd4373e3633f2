"""Drift where nothing changes and where something does: how often it cries, how soon it finds."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from detectors.drift import DEFAULT_SIZES, Drift

Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Values]


def beta(mean: float = 2 / 3) -> Draw:
    return lambda chance, shape: chance.beta(9 * mean, 9 * (1 - mean), shape)


def stars(chance: np.random.Generator, shape: tuple[int, int]) -> Values:
    """Marks of one to five, crowded at five."""
    return chance.choice([0, 0.25, 0.5, 0.75, 1], shape, p=[0.03, 0.01, 0.03, 0.08, 0.85])


def shares(chance: np.random.Generator, shape: tuple[int, int]) -> Values:
    return (chance.random(shape) < 0.1).astype(np.float64)


def days(chance: np.random.Generator, shape: tuple[int, int]) -> Values:
    """Every bucket has a level of its own."""
    level = np.clip(2 / 3 + 0.05 * chance.standard_normal((shape[0], 1)), 0.1, 0.9)
    return chance.beta(9 * level, 9 * (1 - level), shape)


class Stream:
    """Many series of one law, judged bucket by bucket."""

    def __init__(self, series: int, per_bucket: int, seed: int) -> None:
        self.detector = Drift()
        self.series = np.arange(1, series + 1, dtype=np.uint64)
        self.n = np.full(series, per_bucket)
        self.chance = np.random.default_rng(seed)
        self.bucket = 0

    def evidence(self, draw: Draw) -> Values:
        """Learn one bucket."""
        return self.learn(draw(self.chance, (self.series.size, int(self.n[0]))))

    def learn(self, x: Values) -> Values:
        scores = self.detector.learn_many(self.series, self.n, x.sum(1), (x**2).sum(1), bucket=self.bucket)
        self.bucket += 1
        return scores.evidence

    def alarms(self, draw: Draw, buckets: int, threshold: float) -> int:
        """Learn buckets, beginning anew after each alarm; how many there were."""
        found = 0
        for _ in range(buckets):
            alarm = self.evidence(draw) >= threshold
            self.detector.restart(self.series[alarm])
            found += int(alarm.sum())
        return found

    def delays(self, draw: Draw, buckets: int, threshold: float) -> Values:
        """Observations until each series alarms, infinite where it does not."""
        first = np.full(self.series.size, math.inf)
        for bucket in range(buckets):
            alarm = (self.evidence(draw) >= threshold) & np.isinf(first)
            first[alarm] = (bucket + 1) * self.n[0]
        return first


@pytest.mark.parametrize("draw", [beta(), stars, shares, days])
@pytest.mark.parametrize(("per_bucket", "buckets"), [(1, 600), (3, 400), (20, 400)])
def test_false_alarms_are_about_one_in_c(draw: Draw, per_bucket: int, buckets: int) -> None:
    c, series = 300.0, 250
    alarms = Stream(series, per_bucket, seed=4_001).alarms(draw, buckets, math.log(c))
    # One in c at most, four standard deviations of chance aside; and not so rare that power is given away.
    most = series * buckets / c
    assert 0.15 * most < alarms < most + 4 * math.sqrt(most)


@pytest.mark.parametrize("per_bucket", [1, 2, 5, 10, 50, 200])
def test_the_sizes_together_cry_about_once_in_c(per_bucket: int) -> None:
    """Siegmund's rate of a Gaussian CUSUM, d^2 / 2 nu(d)^2 of 1 / c, over sizes and directions."""

    def nu(d: float) -> float:
        half = d / 2
        return float(
            (2 / d) * (stats.norm.cdf(half) - 0.5) / (half * stats.norm.cdf(half) + stats.norm.pdf(half))
        )

    shifts = [size * math.sqrt(per_bucket) for size in DEFAULT_SIZES]
    assert 0.3 < 2 * sum(d**2 / 2 * nu(d) ** 2 for d in shifts) < 1.1


@pytest.mark.parametrize(("shift", "median"), [(0.05, 220), (-0.05, 220), (0.10, 70), (-0.10, 70)])
def test_a_shift_is_found_soon(shift: float, median: int) -> None:
    stream = Stream(60, 1, seed=4_002)
    stream.alarms(beta(), 2_000, math.log(10_000))
    assert np.median(stream.delays(beta(2 / 3 + shift), 500, math.log(10_000))) <= median


def test_a_slow_decline_of_a_small_store_is_found() -> None:
    """Two answers a day; over 150 days the mean falls by as much as one standard deviation."""
    stream = Stream(60, 2, seed=4_003)
    stream.alarms(beta(), 200, math.log(10_000))
    first = np.full(60, math.inf)
    for day in range(150):
        alarm = stream.evidence(beta(2 / 3 - 0.15 * day / 150)) >= math.log(1_000)
        first[alarm & np.isinf(first)] = day
    assert np.isfinite(first).mean() > 0.95
    assert np.median(first) < 110


@pytest.mark.parametrize(("per_bucket", "kept"), [(10, 0.85), (50, 0.65)])
def test_evidence_hardly_depends_on_how_values_are_grouped(per_bucket: int, kept: float) -> None:
    series, before, after = 60, 2_000, 100
    chance = np.random.default_rng(4_004)
    x = np.hstack([beta()(chance, (series, before)), beta(0.57)(chance, (series, after))])
    singly, grouped = Stream(series, 1, 0), Stream(series, per_bucket, 0)
    for place in range(before + after):
        one = singly.learn(x[:, place : place + 1])
    for place in range(0, before + after, per_bucket):
        many = grouped.learn(x[:, place : place + per_bucket])
    assert np.median(one) > math.log(10_000)
    # Forty buckets are less sure of how days vary than two hundred, which takes some evidence.
    assert kept < np.median(many / one) < 1.05
    assert np.corrcoef(one, many)[0, 1] > 0.9
