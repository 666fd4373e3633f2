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


def ids(*numbers: int) -> NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def numbers(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def rates(*values: float) -> NDArray[np.float64]:
    return np.array(values, np.float64)


# --- By hand: ratio 2 alone, so that e = 2^y ((k + m) / (k + 2m))^(k + y), m authors expected, k known ----


def doubling(**changes: float) -> Emergence:
    parameters: dict[str, Any] = {"half_life": 4, "strength": 1.0, "warm_up": 0, "dispersion": math.inf}
    return Emergence(ratios=(2.0,), **(parameters | changes))


@pytest.mark.parametrize(
    ("y", "expected"), [(0, 2 / 3), (1, 8 / 9), (2, 32 / 27), (3, 128 / 81), (10, 2**10 * (2 / 3) ** 11)]
)
def test_the_first_bucket(y: int, expected: float) -> None:
    # One author is expected, at a rate known by one mention.
    scores = doubling().score_many(ids(5), numbers(y), exposure=10, bucket=0, prior=rates(0.1))
    assert scores.log_e[0] == pytest.approx(math.log(expected))
    assert scores.evidence[0] == scores.log_e[0]
    assert scores.rate[0] == pytest.approx(0.1)
    assert (scores.since[0], scores.observed[0], scores.expected[0]) == (0, y, pytest.approx(1.0))


def test_an_episode_is_judged_by_the_rate_it_began_with() -> None:
    detector = doubling()
    detector.learn_many(ids(5), numbers(6), exposure=10, bucket=0, prior=rates(0.02))
    # Of 0.2 authors expected at first the prior is worth no more. After half a half-life it lets expect
    # less than what is left of those heard: it adds base_strength alone.
    scores = detector.score_many(ids(5), numbers(2), exposure=15, bucket=2, prior=rates(0.02))
    known = 6 * 0.5**0.5 + 1e-3
    rate = known / (10 * 0.5**0.5 + 1e-3 / 0.02)
    assert scores.rate[0] == pytest.approx(rate)
    now = rate * 15
    assert scores.log_e[0] == pytest.approx(math.log(4 * ((known + now) / (known + 2 * now)) ** (known + 2)))
    # 0.5 authors were expected of 25, and eight came.
    assert scores.evidence[0] == pytest.approx(math.log(2**8 * (0.7 / 1.2) ** 8.2))
    assert (scores.since[0], scores.observed[0], scores.expected[0]) == (0, 8, pytest.approx(0.5))


def test_silence_adds_to_what_an_episode_expected() -> None:
    detector = doubling()
    detector.learn_many(ids(5), numbers(8), exposure=10, bucket=0, prior=rates(0.1))
    detector.learn_many(ids(), numbers(), exposure=5, bucket=1)
    scores = detector.score_many(ids(5), numbers(2), exposure=15, bucket=2, prior=rates(0.1))
    assert scores.evidence[0] == pytest.approx(math.log(2**10 * (4 / 7) ** 11))
    assert (scores.since[0], scores.observed[0], scores.expected[0]) == (0, 10, pytest.approx(3.0))


@pytest.mark.parametrize(("silent", "since"), [(20, 0), (30, 2)])
def test_an_episode_that_silence_ends_begins_anew(silent: int, since: int) -> None:
    detector = doubling()
    detector.learn_many(ids(5), numbers(5), exposure=10, bucket=0, prior=rates(0.1))
    detector.learn_many(ids(), numbers(), exposure=silent, bucket=1)
    # Five authors for three expected, or for four.
    assert 2**5 * (4 / 7) ** 6 > 1 > 2**5 * (5 / 9) ** 6
    scores = detector.score_many(ids(5), numbers(2), exposure=15, bucket=2, prior=rates(0.1))
    assert (scores.since[0], scores.observed[0]) == (since, 2 if since else 7)
    assert (scores.evidence[0] == scores.log_e[0]) == (since == 2)


@pytest.mark.parametrize(("bucket", "since"), [(3, 0), (4, 4)])
def test_an_episode_lasts_a_half_life_at_most(bucket: int, since: int) -> None:
    detector = doubling()
    detector.learn_many(ids(5), numbers(9), exposure=10, bucket=0, prior=rates(0.1))
    scores = detector.score_many(ids(5), numbers(9), exposure=10, bucket=bucket, prior=rates(0.1))
    assert (scores.since[0], scores.observed[0]) == (since, 9 if since else 18)


@pytest.mark.parametrize(
    ("heard", "others"),
    [
        (0, 1.0),  # the prior lets expect three authors of 30: more than its strength
        (5, 0.5),  # half of five are left, and three less these
        (8, 0.01),  # four are left: what was heard here is more than the prior knows
    ],
)
def test_a_prior_is_worth_what_others_said(heard: int, others: float) -> None:
    detector = doubling(base_strength=0.01)
    detector.learn_many(ids(5), numbers(heard), exposure=20, bucket=0, prior=rates(0.1))
    scores = detector.score_many(ids(5), numbers(0), exposure=20, bucket=4, prior=rates(0.1))
    assert scores.rate[0] == pytest.approx((heard / 2 + others) / (10 + others / 0.1))


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
        # One author is expected, at a rate known by one mention: k = D / (D + 1).
        (1.0, 20, math.log(2**20 * (1.5 / 2.5) ** 20.5)),
        (4.0, 20, math.log(2**20 * (1.8 / 2.8) ** 20.8)),
        (1.0, 3, math.log(2**3 * (1.5 / 2.5) ** 3.5)),
        (math.inf, 20, math.log(2**20 * (2 / 3) ** 21)),
    ],
)
def test_rates_that_swell_by_themselves_prove_less(dispersion: float, y: int, evidence: float) -> None:
    detector = doubling(dispersion=dispersion)
    scores = detector.score_many(ids(5), numbers(y), exposure=20, bucket=0, prior=rates(0.05))
    assert scores.evidence[0] == pytest.approx(evidence)


def test_a_season_raises_what_is_expected() -> None:
    scores = doubling().score_many(
        ids(5), numbers(1), exposure=10, bucket=0, prior=rates(0.1), season=rates(2.0)
    )
    assert scores.rate[0] == pytest.approx(0.2)
    assert scores.log_e[0] == pytest.approx(math.log(2 * (15 / 25) ** 2))


def test_in_season_an_episode_expects_what_the_season_does() -> None:
    detector = doubling()
    detector.learn_many(ids(5), numbers(9), exposure=10, bucket=0, prior=rates(0.1))
    seasoned = {"prior": rates(0.1), "season": rates(3.0)}
    scores = detector.score_many(ids(5), numbers(4), exposure=10, bucket=1, **seasoned)
    # One author was expected at first. The season says three times what has been learned since.
    assert scores.rate[0] > 1
    assert scores.expected[0] == pytest.approx(1 + 10 * scores.rate[0])
    out_of_season = detector.score_many(ids(5), numbers(4), exposure=10, bucket=1, prior=rates(0.1))
    assert out_of_season.expected[0] == pytest.approx(2.0)
    assert scores.evidence[0] < out_of_season.evidence[0]


def test_without_a_wider_perimeter_the_base_rate_counts_a_little() -> None:
    detector = doubling(base_rate=0.01, base_strength=0.5)
    scores = detector.score_many(ids(5), numbers(1), exposure=50, bucket=0)
    assert scores.rate[0] == pytest.approx(0.01)
    assert scores.log_e[0] == pytest.approx(math.log(2 * (100 / 150) ** 1.5))


def test_warm_up_learns_without_judging() -> None:
    detector, warm = doubling(warm_up=0), doubling(warm_up=3)
    for bucket in range(10, 16):
        heard = numbers(1 if bucket < 13 else 9)
        plain = detector.learn_many(ids(5), heard, exposure=10, bucket=bucket, prior=rates(0.1))
        scores = warm.learn_many(ids(5), heard, exposure=10, bucket=bucket, prior=rates(0.1))
        assert scores.log_e[0] == plain.log_e[0]
        assert (scores.evidence[0] > 0) == (bucket >= 13)
        assert scores.since[0] == min(bucket, 13)


def test_restart_begins_the_evidence_anew_and_keeps_what_was_learned() -> None:
    detector = doubling()
    detector.learn_many(ids(5, 6), numbers(4, 4), exposure=10, bucket=0, prior=rates(0.1, 0.1))
    detector.restart(ids(5, 77))
    scores = detector.score_many(ids(5, 6), numbers(2, 2), exposure=15, bucket=1, prior=rates(0.1, 0.1))
    assert scores.log_e[0] == scores.log_e[1]
    assert scores.rate[0] == scores.rate[1]
    assert scores.evidence[0] == scores.log_e[0] < scores.evidence[1]
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
    detector = Emergence(strength=strength, warm_up=0, dispersion=math.inf)
    strength = min(strength, max(detector.base_strength, prior * n))
    scores = detector.score_many(ids(5), numbers(y), exposure=n, bucket=0, prior=rates(prior))
    scale = strength / prior
    same = stats.nbinom.logpmf(y, strength, scale / (scale + n))
    change = [stats.nbinom.logpmf(y, strength, scale / (scale + ratio * n)) for ratio in DEFAULT_RATIOS]
    assert scores.log_e[0] == pytest.approx(np.logaddexp.reduce(change) - math.log(4) - same, abs=1e-6)


@pytest.mark.parametrize("dispersion", [math.inf, 2.0])
@pytest.mark.parametrize(("strength", "prior"), [(4.0, 0.002), (0.5, 0.01), (20.0, 0.005)])
def test_the_mean_e_value_is_one_where_nothing_changes(
    strength: float, prior: float, dispersion: float
) -> None:
    n = 4_000
    detector = Emergence(strength=strength, warm_up=0, dispersion=dispersion)
    y = np.arange(n + 1)
    scores = detector.score_many(
        y.astype(np.uint64) + np.uint64(1), y, exposure=n, bucket=0, prior=np.full(n + 1, prior)
    )
    shape = 1 / (1 / strength + 1 / dispersion)
    log_probability = stats.nbinom.logpmf(y, shape, shape / (shape + prior * n))
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
    detector = Emergence(half_life=ENDLESS, strength=strength, warm_up=0)
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
        assert scores.evidence.max() < math.log(1_000)
    scores = detector.learn_many(ids(5, 6), numbers(20, 2), exposure=40, bucket=60)
    assert scores.evidence[0] > math.log(100) > 1 > scores.evidence[1]
    assert scores.since[0] == 60


# --- Bad values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"half_life": 0.5}, "half_life is 0.5 buckets"),
        ({"strength": 0}, "must be above 0"),
        ({"base_strength": 0}, "must be above 0"),
        ({"dispersion": 0}, "dispersion is 0"),
        ({"ratios": ()}, "each must be above 1"),
        ({"ratios": (3.0, 1.0)}, "each must be above 1"),
        ({"base_rate": 0.0}, "between 0 and 1"),
        ({"base_rate": 1.0}, "between 0 and 1"),
        ({"warm_up": -1}, "at least 0"),
        ({"least": 0}, "least is 0 authors"),
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
