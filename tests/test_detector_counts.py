"""Counts against a slow reference, hand-worked cases and what the evidence promises."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, special, stats

from detectors.counts import DISPERSIONS, YEAR_OF_DAYS, Counts, CountScores

Floats = NDArray[np.float64]
SCORES = CountScores.__slots__


def ids(*numbers: int) -> NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def numbers(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


# --- A slow reference: matrices, scipy's distributions, one series ---------------------------------------


class Slow:
    """The model as the docstring states it."""

    def __init__(self, known: Counts) -> None:
        self.known = known
        self.prior = np.array(
            [4.0, 1e-4] + [v for _, h in known.cycles for v in [0.4] * 2 + [0.2] * 2 * (h - 1)]
        )
        self.discounts = np.array([known.level_discount] + [known.discount] * (self.prior.size - 1))
        self.begin()

    def begin(self) -> None:
        self.theta = np.zeros(self.prior.size)
        self.theta[0] = math.log(self.known.prior_rate)
        self.cov = np.diag(self.prior)
        self.weights = np.full(len(DISPERSIONS), 1 / len(DISPERSIONS))
        self.shifts = (*self.known.shifts, self.known.burst)
        self.carried = np.ones(len(self.shifts))
        self.misfit, self.learned, self.last = 0.0, 0, 0
        self.episode: tuple[int, float, float] | None = None

    def learn(self, y: int, exposure: float, bucket: int) -> dict[str, float]:
        known, gap = self.known, 0
        if self.learned and bucket - self.last > known.forget_after:
            self.begin()
        if self.learned:
            gap = bucket - self.last
            move = np.eye(self.prior.size)
            move[0, 1] = gap
            self.theta = move @ self.theta
            wider = np.diag(self.discounts ** (-gap / 2))
            self.cov = wider @ move @ self.cov @ move.T @ wider
            tighter = np.diag(np.sqrt(np.minimum(1, self.prior / np.diag(self.cov))))
            self.cov = tighter @ self.cov @ tighter
        angles = [2 * math.pi * j * bucket / period for period, h in known.cycles for j in range(1, h + 1)]
        design = np.array([1.0, 0.0] + [f(angle) for angle in angles for f in (math.cos, math.sin)])
        eta, loading = float(design @ self.theta), self.cov @ design
        variance = max(float(design @ loading), 1e-6)
        shape = optimize.brentq(lambda r: special.polygamma(1, r) - variance, 1e-3, 1e7, xtol=1e-14)
        rate = math.exp(special.digamma(shape) - eta)
        mean = exposure * shape / rate

        def likelihood(mean_: Any, size: Any) -> Any:
            return stats.nbinom.logpmf(y, size, size / (size + mean_))

        grid = np.array(DISPERSIONS)
        excess = (grid - 1) * mean + mean**2 / shape
        fit = likelihood(mean, mean**2 / excess)
        used = self.weights >= 1e-6
        same = special.logsumexp(fit[used], b=self.weights[used])
        whole = (float(grid @ self.weights) - 1) * mean + mean**2 / shape
        deviation = math.sqrt(mean + whole)
        log_e = evidence = 0.0
        if self.learned >= known.warm_up:
            ratios = []
            for shift in self.shifts:
                risen = mean + shift * np.sqrt(mean + excess)
                size = mean**2 / excess if shift == known.burst else risen / (excess / mean)
                terms = likelihood(risen, size)[used]
                ratios.append(special.logsumexp(terms, b=self.weights[used]) - same)
            log_e = special.logsumexp(ratios) - math.log(len(ratios))
            kept = 1 + known.persistence**gap * (self.carried - 1)
            total = np.array(ratios) + np.log(kept)
            evidence = special.logsumexp(total) - math.log(len(ratios))
            self.carried = np.minimum(np.exp(np.minimum(total, 600)), known.carry)
        since, observed, expected = self.episode or (bucket, 0.0, 0.0)
        observed, expected = observed + y, expected + mean
        self.episode = (since, observed, expected) if evidence > 0 else None
        usual = 1 / (1 + known.doubt * math.exp(min(evidence, 100)))
        kept = 0.5 ** (gap / known.dispersion_half_life)
        log_weights = kept * np.log(self.weights) + (1 - kept) * -math.log(grid.size) + usual * fit
        weight = usual / float(grid @ self.weights)
        self.weights = np.maximum(np.exp(log_weights - special.logsumexp(log_weights)), 1e-320)
        learned_y = min(y, math.ceil(mean + 4 * deviation))
        new_shape, new_rate = shape + weight * learned_y, rate + weight * exposure
        change = special.digamma(new_shape) - math.log(new_rate) - eta
        gain = (variance - special.polygamma(1, new_shape)) / variance**2
        self.theta = self.theta + loading / variance * change
        self.cov = self.cov - np.outer(loading, loading) * gain
        departure = min(max((y - mean) / deviation, -2.0), 2.0)
        self.misfit += (departure - self.misfit) / known.patience
        if abs(self.misfit) > 1:
            self.cov[0, 0] += 1.0
            self.misfit, self.carried, self.episode = 0.0, np.ones(len(self.shifts)), None
        self.last, self.learned = bucket, self.learned + 1
        size = mean**2 / whole
        return {
            "log_e": log_e,
            "evidence": evidence,
            "mean": mean,
            "size": size,
            "log_lower": float(stats.nbinom.logcdf(y, size, size / (size + mean))),
            "since": since,
            "observed": observed,
            "expected": expected,
        }


STREAM = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 1, 2, 9, 30]),
        st.integers(0, 9) | st.sampled_from([40, 300]),
        st.sampled_from([1.0, 1.0, 0.2, 7.0]),
    ),
    min_size=1,
    max_size=14,
)
PARAMETERS = st.fixed_dictionaries(
    {
        "cycles": st.sampled_from([(), ((52.0, 2),), ((30.5, 1), (7.0, 3))]),
        "level_discount": st.sampled_from([0.9, 0.995, 1.0]),
        "discount": st.sampled_from([0.95, 1.0]),
        "dispersion_half_life": st.sampled_from([2.0, 500.0]),
        "shifts": st.sampled_from([(2.0,), (1.0, 2.0, 4.0)]),
        "burst": st.sampled_from([3.0, 8.0]),
        "persistence": st.sampled_from([0.0, 0.25, 0.9]),
        "carry": st.sampled_from([1.0, 300.0]),
        "doubt": st.sampled_from([0.0, 0.03, 1.0]),
        "patience": st.sampled_from([2.0, 13.0]),
        "warm_up": st.sampled_from([0, 0, 3]),
        "forget_after": st.sampled_from([8, 104]),
        "prior_rate": st.sampled_from([0.1, 1.0, 30.0]),
    }
)


@settings(deadline=None, max_examples=40)
@given(stream=STREAM, parameters=PARAMETERS)
def test_a_stream_scores_as_the_slow_reference(
    stream: list[tuple[int, int, float]], parameters: dict[str, Any]
) -> None:
    detector = Counts(**parameters)
    slow, bucket = Slow(detector), 100
    for gap, y, exposure in stream:
        bucket += gap
        found = detector.learn_many(ids(5), numbers(y), bucket=bucket, exposure=np.array([exposure]))
        expected = slow.learn(y, exposure, bucket)
        for name, value in expected.items():
            assert getattr(found, name)[0] == pytest.approx(value, rel=1e-5, abs=1e-5), (name, bucket)


# --- By hand ---------------------------------------------------------------------------------------------


def test_the_first_bucket_is_expected_by_the_prior() -> None:
    detector = Counts(cycles=(), warm_up=0, prior_rate=1.0)
    shape = optimize.brentq(lambda r: special.polygamma(1, r) - 4.0, 0.1, 10)
    scores = detector.score_many(ids(5, 6), numbers(0, 9), bucket=0, exposure=np.array([1.0, 20.0]))
    # A gamma whose logarithm has mean 0 and variance 4.
    mean = shape / math.exp(special.digamma(shape))
    assert scores.mean == pytest.approx([mean, 20 * mean])
    assert scores.since.tolist() == [0, 0]
    assert scores.observed.tolist() == [0, 9]
    assert scores.expected == pytest.approx(scores.mean)


def test_counts_that_never_vary_are_expected_as_they_are() -> None:
    detector = Counts(cycles=())
    for bucket in range(300):
        scores = detector.learn_many(ids(1, 2, 3), numbers(0, 7, 4000), bucket=bucket)
    assert scores.mean[0] < 0.02
    assert scores.mean[1:] == pytest.approx([7, 4000], rel=0.01)


def test_exposure_scales_what_is_expected() -> None:
    detector = Counts(cycles=())
    chance = np.random.default_rng(1)
    for bucket in range(300):
        exposure = chance.integers(20, 200)
        detector.learn_many(
            ids(1), chance.poisson([0.3 * exposure]), bucket=bucket, exposure=exposure * np.ones(1)
        )
    scores = detector.score_many(ids(1), numbers(3), bucket=300, exposure=np.array([1000.0]))
    assert scores.mean[0] == pytest.approx(300, rel=0.05)


def test_weekdays_and_years_are_part_of_the_expected() -> None:
    day = np.arange(3 * 365)
    weekday = np.array([10, 12, 12, 11, 15, 20, 0.5])
    mean = weekday[day % 7] * np.exp(0.4 * np.cos(2 * np.pi * day / 365.25))
    counts = np.random.default_rng(2).poisson(mean)
    detector = Counts(cycles=YEAR_OF_DAYS)
    expected = [detector.learn_many(ids(1), counts[t : t + 1], bucket=t).mean[0] for t in day]
    last = slice(2 * 365, None)
    assert np.mean(np.abs(np.log(np.array(expected)[last] / mean[last]))) < 0.12


@pytest.mark.parametrize(("dispersion", "low", "high"), [(1.0, 1.0, 1.15), (3.0, 2.4, 3.8)])
def test_dispersion_is_learned(dispersion: float, low: float, high: float) -> None:
    chance = np.random.default_rng(3)
    many, mean = 40, 12.0
    series = np.arange(1, many + 1, dtype=np.uint64)
    detector = Counts(cycles=())
    for bucket in range(300):
        rate = chance.gamma(mean / (dispersion - 1), dispersion - 1, many) if dispersion > 1 else mean
        scores = detector.learn_many(series, chance.poisson(rate, many), bucket=bucket)
    assert low < np.mean(1 + scores.mean / scores.size) < high


# --- The evidence keeps its promise ----------------------------------------------------------------------


@pytest.mark.parametrize("exposure", [0.05, 1.0, 8.0])
def test_the_e_value_means_one_under_what_is_expected(exposure: float) -> None:
    detector = Counts(warm_up=0)
    chance = np.random.default_rng(4)
    for bucket in range(60):
        detector.learn_many(
            ids(1), chance.poisson([2.0 * exposure]), bucket=bucket, exposure=np.full(1, exposure)
        )
    arrays = detector.state_arrays()
    weights = np.exp(arrays["log_weights"][0])
    total = mass = 0.0
    for y in range(900):
        scores = detector.score_many(ids(1), numbers(y), bucket=60, exposure=np.full(1, exposure))
        mean = scores.mean[0]
        # Of the moment-matched size, the part that the uncertain rate makes.
        shape = 1 / (1 / scores.size[0] - (weights @ np.array(DISPERSIONS) - 1) / mean)
        sizes = mean / (np.array(DISPERSIONS) - 1 + mean / shape)
        used = np.where(weights < 1e-6, 0, weights)
        chance_of_y = used / used.sum() @ stats.nbinom.pmf(y, sizes, sizes / (sizes + mean))
        total += chance_of_y * math.exp(scores.log_e[0])
        mass += chance_of_y
    assert mass == pytest.approx(1, abs=1e-6)
    assert total == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("mean", "dispersion"), [(0.1, 2.0), (1.0, 1.0), (2.0, 4.0), (30.0, 1.2)])
def test_quiet_series_seldom_reach_a_threshold(mean: float, dispersion: float) -> None:
    chance = np.random.default_rng(5)
    many, buckets = 150, 300
    series = np.arange(1, many + 1, dtype=np.uint64)
    detector = Counts()
    evidence = []
    for bucket in range(buckets):
        rate = chance.gamma(mean / (dispersion - 1), dispersion - 1, many) if dispersion > 1 else mean
        evidence.append(detector.learn_many(series, chance.poisson(rate, many), bucket=bucket).evidence)
    reached = np.array(evidence)[60:]
    for threshold in (10, 100):
        assert np.mean(reached >= math.log(threshold)) < 1 / threshold


def rising(detector: Counts, *more: int, normal: int = 6, weeks: int = 120) -> CountScores:
    """Scores of the last of `more`, after so many weeks of a steady count."""
    for bucket in range(weeks):
        detector.learn_many(ids(1), numbers(normal + bucket % 3 - 1), bucket=bucket)
    for bucket, y in enumerate(more, weeks):
        scores = detector.learn_many(ids(1), numbers(y), bucket=bucket)
    return scores


@pytest.mark.parametrize("exposure", [0.02, 1.0, 50.0])
@pytest.mark.parametrize("dispersion", [1.0, 5.0])
def test_more_counts_are_never_less_evidence(exposure: float, dispersion: float) -> None:
    chance = np.random.default_rng(6)
    detector = Counts()
    given_exposure = np.full(1, exposure)
    for bucket in range(150):
        rate = (
            chance.gamma(4 * exposure / (dispersion - 1), dispersion - 1) if dispersion > 1 else 4 * exposure
        )
        detector.learn_many(ids(1), chance.poisson([rate]), bucket=bucket, exposure=given_exposure)
    counts = [*range(int(4 * exposure), 500), 10**4, 10**6, 10**9, 10**18]
    evidence = [
        detector.score_many(ids(1), numbers(y), bucket=150, exposure=given_exposure).evidence[0]
        for y in counts
    ]
    assert (np.diff(evidence) > -1e-9).all()
    assert evidence[-1] > 1000


def test_an_episode_says_since_when_and_how_much() -> None:
    scores = rising(Counts(), 6, 15, 17)
    assert scores.evidence[0] > math.log(500)
    assert (scores.since[0], scores.observed[0]) == (121, 32)
    assert 11 < scores.expected[0] < 14


def test_two_moderate_weeks_say_more_than_one() -> None:
    assert rising(Counts(), 13, 13).evidence[0] > rising(Counts(), 6, 13).evidence[0] + 0.5


def test_a_rise_that_is_over_is_soon_forgotten() -> None:
    assert rising(Counts(), 40, 6).evidence[0] < math.log(50)
    assert rising(Counts(), 40, 6, 6, 6, 6).evidence[0] < 0


def test_an_outbreak_does_not_teach_itself_normal() -> None:
    assert rising(Counts(), 40, 40, 40, 6).mean[0] == pytest.approx(
        rising(Counts(), 6, 6, 6, 6).mean[0], rel=0.1
    )


@pytest.mark.parametrize("level", [1, 3, 15, 30, 300])
def test_a_lasting_change_becomes_the_new_normal(level: int) -> None:
    scores = rising(Counts(cycles=()), *([level] * 60))
    assert scores.mean[0] == pytest.approx(level, rel=0.25)
    assert scores.evidence[0] < 0


def test_too_few_are_improbable_too() -> None:
    detector = Counts()
    rising(detector, 6)
    few, usual = (detector.score_many(ids(1), numbers(y), bucket=121) for y in (0, 6))
    assert few.log_lower[0] < -4 < -1 < usual.log_lower[0] < 0
    assert few.evidence[0] < 0
    probability = stats.nbinom.cdf(0, few.size[0], few.size[0] / (few.size[0] + few.mean[0]))
    assert few.log_lower[0] == pytest.approx(math.log(probability))


def test_restart_begins_the_evidence_anew_and_keeps_what_was_learned() -> None:
    detector, other = Counts(), Counts()
    rising(detector, 15)
    rising(other, 15)
    detector.restart(ids(1, 77))
    fresh, running = (each.score_many(ids(1), numbers(12), bucket=121) for each in (detector, other))
    assert fresh.mean[0] == running.mean[0]
    assert fresh.log_e[0] == running.log_e[0] == fresh.evidence[0] < running.evidence[0]
    assert (fresh.since[0], running.since[0]) == (121, 120)


def test_warm_up_learns_without_judging() -> None:
    cold, warm = Counts(warm_up=0), Counts(warm_up=3)
    for bucket, y in enumerate((5, 50, 5, 5, 60)):
        one, other = (each.learn_many(ids(1), numbers(y), bucket=bucket) for each in (cold, warm))
        assert one.evidence[0] != 0
        assert (other.evidence[0] == 0) == (other.log_e[0] == 0) == (bucket < 3)
