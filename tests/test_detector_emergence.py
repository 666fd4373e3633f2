"""Emergence against hand-worked steps and scipy's negative binomial."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from detectors.emergence import DEFAULT_RATIOS, Emergence

ENDLESS = 1e18
"""A half-life without effect."""
OVER = 0.5


def ids(*numbers: int) -> NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def numbers(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def rates(*values: float) -> NDArray[np.float64]:
    return np.array(values, np.float64)


# --- By hand: ratio 2 alone, so that e = 2^y ((B + n) / (B + 2n))^(A + y) -------------------------------


def doubling(**changes: float) -> Emergence:
    parameters: dict[str, Any] = {"half_life": 1, "strength": 1.0, "warm_up": 0, "fade": ENDLESS}
    return Emergence(ratios=(2.0,), **(parameters | changes))


@pytest.mark.parametrize(
    ("y", "expected"), [(0, 2 / 3), (1, 8 / 9), (2, 32 / 27), (3, 128 / 81), (10, 2**10 * (2 / 3) ** 11)]
)
def test_the_first_bucket(y: int, expected: float) -> None:
    # A = 1 mention of strength, B = 1 / 0.1.
    scores = doubling().score_many(ids(5), numbers(y), exposure=10, bucket=0, prior=rates(0.1))
    assert scores.log_e[0] == pytest.approx(math.log(expected))
    assert scores.statistic[0] == scores.log_e[0]
    assert scores.rate[0] == pytest.approx(0.1)
    assert (scores.since[0], scores.observed[0], scores.expected[0]) == (0, y, pytest.approx(1.0))


def test_the_second_bucket_remembers_half() -> None:
    detector = doubling()
    detector.learn_many(ids(5), numbers(6), exposure=10, bucket=0, prior=rates(0.1))
    # Evidence 2^6 (20 / 30)^7; then A = 6 / 2 + 1, B = 10 / 2 + 10.
    scores = detector.score_many(ids(5), numbers(2), exposure=15, bucket=1, prior=rates(0.1))
    assert scores.rate[0] == pytest.approx(4 / 15)
    assert scores.log_e[0] == pytest.approx(math.log(4 * (30 / 45) ** 6))
    assert scores.statistic[0] == pytest.approx(math.log(2**6 * (2 / 3) ** 7 * 4 * (2 / 3) ** 6))
    assert (scores.since[0], scores.observed[0], scores.expected[0]) == (0, 8, pytest.approx(0.1 * 25))


def test_silence_between_two_mentions_is_one_test() -> None:
    detector = doubling()
    detector.learn_many(ids(5), numbers(8), exposure=10, bucket=0, prior=rates(0.1))
    detector.learn_many(ids(), numbers(), exposure=5, bucket=1)
    # Evidence 2^8 (20 / 30)^9; then A = 8 / 4 + 1, B = (10 / 2 + 5) / 2 + 10, and 5 authors kept silent.
    scores = detector.score_many(ids(5), numbers(2), exposure=15, bucket=2, prior=rates(0.1))
    before = math.log(2**8 * (2 / 3) ** 9 * (15 / 20) ** 3)
    assert before > OVER
    assert scores.statistic[0] == pytest.approx(before + math.log(4 * (30 / 45) ** 5))
    assert (scores.since[0], scores.observed[0], scores.expected[0]) == (0, 10, pytest.approx(0.1 * 30))


def test_an_episode_that_silence_ends_begins_anew() -> None:
    detector = doubling()
    detector.learn_many(ids(5), numbers(5), exposure=10, bucket=0, prior=rates(0.1))
    detector.learn_many(ids(), numbers(), exposure=5, bucket=1)
    # 2^5 (20 / 30)^6 (15 / 20)^2.25 is above 1, yet below e^OVER.
    assert 0 < math.log(2**5 * (2 / 3) ** 6 * (15 / 20) ** 2.25) < OVER
    scores = detector.score_many(ids(5), numbers(2), exposure=15, bucket=2, prior=rates(0.1))
    assert scores.statistic[0] == scores.log_e[0]
    assert (scores.since[0], scores.observed[0]) == (2, 2)
    assert scores.expected[0] == pytest.approx(2.25 / 15 * 15)


def test_evidence_fades() -> None:
    detector = doubling(fade=2)
    detector.learn_many(ids(5), numbers(9), exposure=10, bucket=0, prior=rates(0.1))
    detector.learn_many(ids(), numbers(), exposure=0, bucket=1)
    # Two buckets and no author later, half of log(2^9 (20 / 30)^10); A = 9 / 4 + 1, B = 10 / 4 + 10.
    scores = detector.score_many(ids(5), numbers(0), exposure=25, bucket=2, prior=rates(0.1))
    expected = math.log(2**9 * (2 / 3) ** 10) / 2 + 3.25 * math.log(37.5 / 62.5)
    assert scores.statistic[0] == pytest.approx(expected)


def test_a_gap_of_buckets_forgets_as_much_as_buckets_do() -> None:
    detector = doubling(half_life=2)
    detector.learn_many(ids(5), numbers(4), exposure=8, bucket=3, prior=rates(0.5))
    # Four buckets are two half-lives: A = 4 / 4 + 1, B = 8 / 4 + 2.
    scores = detector.score_many(ids(5), numbers(0), exposure=4, bucket=7, prior=rates(0.5))
    assert scores.rate[0] == pytest.approx(2 / 4)
    assert scores.log_e[0] == pytest.approx(2 * math.log(8 / 12))


@pytest.mark.parametrize(
    ("dispersion", "y", "evidence"),
    [
        # One author is expected and twenty are heard: 2^20 ((D + 1) / (D + 2))^(20 + D).
        (0.5, 20, math.log(2**20 * (1.5 / 2.5) ** 20.5)),
        (0.8, 20, math.log(2**20 * (1.8 / 2.8) ** 20.8)),
        (0.5, 3, math.log(2**3 * (1.5 / 2.5) ** 3.5)),
        # Otherwise the statistic, 2^20 (40 / 60)^21.
        (1.0, 20, math.log(2**20 * (2 / 3) ** 21)),
        (1e6, 20, math.log(2**20 * (2 / 3) ** 21)),
    ],
)
def test_evidence_is_no_more_than_the_whole_episode_gives(dispersion: float, y: int, evidence: float) -> None:
    detector = doubling(dispersion=dispersion)
    scores = detector.score_many(ids(5), numbers(y), exposure=20, bucket=0, prior=rates(0.05))
    assert scores.statistic[0] == pytest.approx(math.log(2**y * (2 / 3) ** (y + 1)))
    assert scores.evidence[0] == pytest.approx(evidence)


def test_an_episode_is_judged_by_all_it_heard() -> None:
    detector = doubling(dispersion=0.5)
    detector.learn_many(ids(5), numbers(20), exposure=40, bucket=0, prior=rates(0.025))
    scores = detector.score_many(ids(5), numbers(30), exposure=40, bucket=1, prior=rates(0.025))
    # 50 authors for two expected.
    assert scores.evidence[0] == pytest.approx(math.log(2**50 * (2.5 / 4.5) ** 50.5))
    assert scores.evidence[0] < scores.statistic[0]


def test_a_season_raises_what_is_expected() -> None:
    scores = doubling().score_many(
        ids(5), numbers(1), exposure=10, bucket=0, prior=rates(0.1), season=rates(2.0)
    )
    assert scores.rate[0] == pytest.approx(0.2)
    assert scores.log_e[0] == pytest.approx(math.log(2 * (15 / 25) ** 2))


def test_without_a_wider_perimeter_the_base_rate_counts_a_little() -> None:
    detector = doubling(base_rate=0.01, base_strength=0.5)
    scores = detector.score_many(ids(5), numbers(1), exposure=50, bucket=0)
    assert scores.rate[0] == pytest.approx(0.01)
    assert scores.log_e[0] == pytest.approx(math.log(2 * (100 / 150) ** 1.5))


def test_warm_up_learns_without_judging() -> None:
    detector, warm = doubling(warm_up=0), doubling(warm_up=3)
    for bucket in range(10, 16):
        plain = detector.learn_many(ids(5), numbers(9), exposure=10, bucket=bucket, prior=rates(0.1))
        scores = warm.learn_many(ids(5), numbers(9), exposure=10, bucket=bucket, prior=rates(0.1))
        assert scores.log_e[0] == plain.log_e[0]
        assert (scores.statistic[0] > 0) == (bucket >= 13)
        assert scores.since[0] == max(bucket if bucket < 13 else 13, 10)


def test_restart_begins_the_evidence_anew_and_keeps_what_was_learned() -> None:
    detector = doubling()
    detector.learn_many(ids(5, 6), numbers(4, 4), exposure=10, bucket=0, prior=rates(0.1, 0.1))
    detector.restart(ids(5, 77))
    scores = detector.score_many(ids(5, 6), numbers(2, 2), exposure=15, bucket=1, prior=rates(0.1, 0.1))
    assert scores.log_e[0] == scores.log_e[1]
    assert scores.rate[0] == scores.rate[1]
    assert scores.statistic[0] == scores.log_e[0] < scores.statistic[1]
    assert scores.since.tolist() == [1, 0]


# --- The evidence of a bucket is a ratio of negative binomials ------------------------------------------


@settings(deadline=None, max_examples=100)
@given(
    y=st.integers(0, 40),
    silent=st.integers(0, 60),
    strength=st.floats(0.01, 50),
    prior=st.floats(1e-4, 0.5),
)
def test_log_e_is_scipys_ratio(y: int, silent: int, strength: float, prior: float) -> None:
    n = y + silent + 1
    detector = Emergence(strength=strength, warm_up=0)
    scores = detector.score_many(ids(5), numbers(y), exposure=n, bucket=0, prior=rates(prior))
    scale = strength / prior
    same = stats.nbinom.logpmf(y, strength, scale / (scale + n))
    change = [stats.nbinom.logpmf(y, strength, scale / (scale + ratio * n)) for ratio in DEFAULT_RATIOS]
    assert scores.log_e[0] == pytest.approx(np.logaddexp.reduce(change) - math.log(4) - same, abs=1e-6)


@pytest.mark.parametrize(("strength", "prior"), [(4.0, 0.002), (0.5, 0.01), (100.0, 0.005)])
def test_the_mean_e_value_is_one_where_nothing_changes(strength: float, prior: float) -> None:
    n = 4_000
    detector = Emergence(strength=strength, warm_up=0)
    y = np.arange(n + 1)
    scores = detector.score_many(
        y.astype(np.uint64) + np.uint64(1), y, exposure=n, bucket=0, prior=np.full(n + 1, prior)
    )
    log_probability = stats.nbinom.logpmf(y, strength, strength / (strength + prior * n))
    assert np.exp(log_probability + scores.log_e).sum() == pytest.approx(1, abs=2e-3)


# --- False alarms where nothing changes -----------------------------------------------------------------


@pytest.mark.parametrize("mean", [0.05, 0.5, 5.0])
@pytest.mark.parametrize("dispersion", [math.inf, 1.0])
def test_false_alarms_are_rarer_than_one_in_c_tests(mean: float, dispersion: float) -> None:
    """Rates that stay, and rates that are another each day, by as much as the dispersion admits."""
    c, features, buckets, n, strength = 100.0, 2_000, 150, 200, 2.0
    chance = np.random.default_rng(20240501)
    prior = np.full(features, mean / n)
    own = chance.gamma(strength, mean / strength, features)
    detector = Emergence(half_life=ENDLESS, strength=strength, fade=ENDLESS, warm_up=0)
    everything = np.arange(1, features + 1, dtype=np.uint64)
    alarms = tests = 0
    for bucket in range(buckets):
        today = own * chance.gamma(dispersion, 1 / dispersion, features) if dispersion < math.inf else own
        y = np.minimum(chance.poisson(today), n)
        said = np.flatnonzero(y)
        scores = detector.learn_many(everything[said], y[said], exposure=n, bucket=bucket, prior=prior[said])
        flagged = scores.evidence >= math.log(c)
        detector.restart(everything[said][flagged])
        alarms, tests = alarms + int(flagged.sum()), tests + said.size
    assert tests > 10_000
    assert alarms <= tests / c


def test_a_rise_is_found_at_once_and_a_steady_rate_never() -> None:
    detector = Emergence(warm_up=0)
    for bucket in range(60):
        scores = detector.learn_many(ids(5, 6), numbers(2, 2), exposure=40, bucket=bucket)
        assert scores.statistic.max() < math.log(1_000)
    scores = detector.learn_many(ids(5, 6), numbers(20, 2), exposure=40, bucket=60)
    assert scores.statistic[0] > math.log(100) > 1 > scores.statistic[1]
    assert scores.since[0] == 60


# --- Bad values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"half_life": 0.5}, "half_life is 0.5 buckets"),
        ({"strength": 0}, "must be above 0"),
        ({"base_strength": 0}, "must be above 0"),
        ({"dispersion": 0}, "dispersion is 0"),
        ({"fade": 0.9}, "fade is 0.9 buckets"),
        ({"ratios": ()}, "each must be above 1"),
        ({"ratios": (3.0, 1.0)}, "each must be above 1"),
        ({"base_rate": 0.0}, "between 0 and 1"),
        ({"base_rate": 1.0}, "between 0 and 1"),
        ({"warm_up": -1}, "at least 0"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Emergence(**parameters)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": numbers(1, -1)}, "counts run from -1 to"),
        ({"counts": numbers(1, 11)}, r"exposure=10"),
        ({"counts": numbers(1)}, "2 features but 1 counts"),
        ({"bucket": 4}, "buckets up to 4 are learned already"),
        ({"bucket": 2}, "bucket is 2"),
        ({"features": ids(5, 5)}, "distinct"),
        ({"features": ids(0, 5)}, "distinct"),
        ({"prior": rates(0.1)}, "prior"),
        ({"season": rates(1, 1, 1)}, "season"),
        ({"features": ids(), "counts": numbers(), "exposure": -1}, "exposure is -1"),
    ],
)
@pytest.mark.parametrize("learn", [False, True])
def test_a_bucket_that_cannot_be_is_refused_and_leaves_no_trace(
    changes: dict[str, Any], message: str, learn: bool
) -> None:
    detector = Emergence(warm_up=0)
    detector.learn_many(ids(5), numbers(1), exposure=10, bucket=4)
    before = detector.state_arrays()
    given_values: dict[str, Any] = {
        "features": ids(5, 6),
        "counts": numbers(1, 2),
        "exposure": 10,
        "bucket": 5,
    } | changes
    with pytest.raises(ValueError, match=message):
        (detector.learn_many if learn else detector.score_many)(**given_values)
    after = detector.state_arrays()
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
