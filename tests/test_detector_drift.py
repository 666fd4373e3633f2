"""Drift against hand-worked steps, scipy's confluent hypergeometric function and a slow reference."""

import math
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from river import checks, datasets
from scipy import integrate, special, stats

from detectors import _drift_kernel as kernel
from detectors.drift import Drift

Values = list[float]


def ids(*numbers: int) -> NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def sums(*series: Values) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """n, sum and sum of squares of each list of values."""
    return (
        np.array([len(values) for values in series]),
        np.array([math.fsum(values) for values in series]),
        np.array([math.fsum(value * value for value in values) for values in series]),
    )


def same_state(one: Drift, other: Drift) -> bool:
    left, right = one.state_arrays(), other.state_arrays()
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


# --- The moments of a Beta law ---------------------------------------------------------------------------


@pytest.mark.parametrize(("mean", "variance"), [(0.667, 0.022), (0.93, 0.04), (0.05, 0.02), (0.5, 0.0002)])
@pytest.mark.parametrize("tilt", [-30.0, -3.0, 0.0, 0.4, 3.0, 30.0])
def test_the_moment_is_that_of_the_integral(mean: float, variance: float, tilt: float) -> None:
    both = mean * (1 - mean) / variance - 1
    law = stats.beta(both * mean, both * (1 - mean))
    # Over quantiles, where the density has no poles.
    moment, _ = integrate.quad(lambda q: math.exp(tilt * (law.ppf(q) - mean)), 0, 1, limit=400)
    assert kernel.log_moment(mean, variance, tilt) == pytest.approx(math.log(moment), rel=1e-5, abs=1e-7)


@given(mean=st.floats(0.001, 0.999), share=st.floats(0.01, 0.95), tilt=st.floats(-60, 60))
@example(mean=0.0625, share=0.5, tilt=0.0)
@settings(deadline=None, max_examples=100)
def test_the_moment_is_scipys_confluent_hypergeometric(mean: float, share: float, tilt: float) -> None:
    # scipy's is infinite for a tilt that is all but 0.
    assume(tilt == 0 or abs(tilt) > 1e-100)
    variance = share * mean * (1 - mean)
    both = mean * (1 - mean) / variance - 1
    expected = math.log(special.hyp1f1(both * mean, both, tilt)) - tilt * mean
    assert kernel.log_moment(mean, variance, tilt) == pytest.approx(expected, rel=1e-7, abs=1e-7)


# --- By hand: 40 answers of which half are 1, then four that all are --------------------------------------


def test_a_first_episode_by_hand() -> None:
    detector = Drift(sizes=(1.0,))
    detector.learn_many(ids(5), *sums([0.0] * 20 + [1.0] * 20), bucket=0)
    scores = detector.score_many(ids(5), *sums([1.0] * 4), bucket=0 + 1)
    decay = 0.5 ** (1 / 730)
    weight = 40 * decay
    # Squares 40 - 20 + 20^2 / 40 = 10, all within the bucket, and one value half the range away.
    variance = (10 * decay + 0.25) / weight
    shape = min(variance, 0.95 * 0.25)
    tilt = 1 / math.sqrt(shape)
    both = 0.25 / shape - 1
    cost = math.log(special.hyp1f1(both / 2, both, tilt)) - tilt / 2
    statistic = 4 * (tilt * 0.5 - cost)
    expected = 0.5 * math.log1p(statistic * weight / (weight + 4) / 0.5)
    assert scores.evidence[0] == pytest.approx(expected)
    assert (scores.up[0], scores.down[0], scores.direction[0]) == (scores.evidence[0], 0, 1)
    assert (scores.since[0], scores.values[0], scores.observed[0]) == (1, 4, 1)
    assert scores.expected[0] == pytest.approx(0.5)
    assert scores.spread[0] == pytest.approx(math.sqrt(variance))
    assert scores.history[0] == pytest.approx(weight)
    assert scores.judged[0]


def test_units_are_those_of_the_values() -> None:
    stars, shares = Drift(1, 5), Drift()
    for bucket, values in enumerate([[1.0, 4.0, 5.0] * 10, [4.0] * 10, [2.0, 1.0], [1.0]]):
        unit = [(value - 1) / 4 for value in values]
        found = stars.learn_many(ids(5), *sums(values), bucket=bucket)
        plain = shares.learn_many(ids(5), *sums(unit), bucket=bucket)
        assert found.evidence == pytest.approx(plain.evidence)
        assert found.observed == pytest.approx(1 + 4 * plain.observed)
        assert found.expected == pytest.approx(1 + 4 * plain.expected)
        assert found.spread == pytest.approx(4 * plain.spread)
    assert (found.direction[0], found.since[0]) == (-1, 2)
    assert found.observed[0] == pytest.approx(4 / 3)


# --- River -----------------------------------------------------------------------------------------------


def buckets_with_a_fall() -> list[tuple[Mapping[str, float], bool]]:
    chance = np.random.default_rng(8)
    found: list[tuple[Mapping[str, float], bool]] = []
    for bucket in range(200):
        values = chance.beta(6, 3 if bucket < 150 else 6, 5)
        x = {"n": 5, "sum": float(values.sum()), "sum_sq": float((values**2).sum())}
        found.append((x, bucket >= 150))
    return found


def test_river_accepts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Local:
        def take(self, _: int) -> list[tuple[Mapping[str, float], bool]]:
            return buckets_with_a_fall()

    monkeypatch.setattr(datasets, "CreditCard", Local)
    checks.check_estimator(Drift())


def test_river_clones_it() -> None:
    detector = Drift(low=-1, half_life=30, sizes=(1.0,), warm_up=9)
    detector.learn_one({"n": 1, "sum": -1, "sum_sq": 1})
    fresh = detector.clone()
    assert fresh._get_params() == detector._get_params()
    assert (fresh.next_bucket, detector.next_bucket) == (0, 1)


# --- Behaviour -------------------------------------------------------------------------------------------


def steady(detector: Drift, *names: int, buckets: int = 40) -> Drift:
    """Every series: ten values a bucket, .6 on average."""
    for bucket in range(buckets):
        detector.learn_many(ids(*names), *sums(*([[0.4] * 5 + [0.8] * 5] * len(names))), bucket=bucket)
    return detector


def test_both_directions_are_found_told_apart_and_explained() -> None:
    detector = steady(Drift(), 1, 2, 3)
    for bucket in range(40, 44):
        scores = detector.learn_many(
            ids(1, 2, 3), *sums([0.9] * 10, [0.3] * 10, [0.4] * 5 + [0.8] * 5), bucket=bucket
        )
    assert scores.direction.tolist() == [1, -1, 0]
    assert scores.evidence[:2].min() > math.log(10_000)
    assert scores.evidence[2] == 0
    assert scores.since.tolist() == [40, 40, 43]
    assert scores.values.tolist() == [40, 40, 10]
    assert scores.observed == pytest.approx([0.9, 0.3, 0.6])
    assert scores.expected == pytest.approx([0.6, 0.6, 0.6])


def test_warm_up_is_shown_and_not_judged() -> None:
    detector = Drift(warm_up=25)
    for bucket in range(3):
        scores = detector.learn_many(ids(7), *sums([0.5] * 10), bucket=bucket)
        assert scores.history[0] == pytest.approx(10 * bucket, rel=0.01)
        assert not scores.judged[0]
    scores = detector.score_many(ids(7, 8), *sums([1.0] * 10, [1.0] * 10), bucket=3)
    assert scores.judged.tolist() == [True, False]
    assert scores.evidence[0] > 0 == scores.evidence[1]
    assert (scores.history[1], scores.expected[1]) == (0, 0)


def test_a_restart_takes_the_new_level_for_normal() -> None:
    detector = steady(Drift(), 1, 2)
    for bucket in range(40, 45):
        detector.learn_many(ids(1, 2), *sums([0.3] * 10, [0.3] * 10), bucket=bucket)
    detector.restart(ids(1, 99))
    scores = detector.learn_many(ids(1, 2), *sums([0.3] * 10, [0.3] * 10), bucket=45)
    assert scores.expected == pytest.approx([0.3, 0.6])
    assert scores.evidence[0] == 0 < scores.evidence[1]
    assert scores.history[0] == pytest.approx(25, rel=0.1)
    back = [
        detector.learn_many(ids(1, 2), *sums([0.6] * 10, [0.3] * 10), bucket=bucket)
        for bucket in range(46, 54)
    ]
    assert back[-1].direction.tolist() == [1, -1]
    assert back[-1].evidence.min() > math.log(100)


def test_a_level_that_outweighs_its_baseline_becomes_it() -> None:
    detector = steady(Drift(half_life=60), 1, buckets=20)
    evidence = [
        detector.learn_many(ids(1), *sums([0.3] * 5 + [0.5] * 5), bucket=bucket).evidence[0]
        for bucket in range(20, 400)
    ]
    assert max(evidence) > math.log(10_000)
    assert evidence[-1] < 1


def test_held_values_are_neither_a_rise_nor_learned_but_may_fall() -> None:
    detector = steady(Drift(), 1, 2, 3)
    hold = np.array([True, False, True])
    before = detector.state_arrays()["base"][0].copy()
    for bucket in range(40, 44):
        scores = detector.learn_many(
            ids(1, 2, 3), *sums([0.9] * 10, [0.9] * 10, [0.3] * 10), bucket=bucket, hold=hold
        )
    assert scores.evidence[0] == 0
    assert scores.direction.tolist() == [0, 1, -1]
    assert scores.evidence[1:].min() > math.log(10_000)
    assert detector.state_arrays()["base"][0][kernel.MEAN] == before[kernel.MEAN]


def test_a_running_rise_ends_when_held() -> None:
    detector = steady(Drift(), 1)
    detector.learn_many(ids(1), *sums([0.9] * 10), bucket=40)
    held = detector.learn_many(ids(1), *sums([0.9] * 10), bucket=41, hold=np.array([True]))
    freed = detector.score_many(ids(1), *sums([0.9] * 10), bucket=42)
    assert held.evidence[0] == 0
    assert freed.since[0] == 42


def test_a_bucket_without_values_says_what_was_said_before() -> None:
    detector = steady(Drift(), 1)
    before = detector.learn_many(ids(1), *sums([0.9] * 10), bucket=40)
    scores = detector.learn_many(ids(1), *sums([]), bucket=41)
    assert scores.evidence[0] == before.evidence[0] > 0
    assert (scores.since[0], scores.values[0]) == (40, 10)
    assert detector.next_bucket == 42


def test_an_empty_bucket_is_one() -> None:
    detector = steady(Drift(), 1)
    scores = detector.learn_many(ids(), *sums(), bucket=40)
    assert scores.evidence.size == 0
    assert detector.next_bucket == 41


def test_a_series_that_was_away_has_an_older_baseline() -> None:
    detector = steady(Drift(half_life=50), 1, 2)
    before = detector.score_many(ids(1), *sums([0.6]), bucket=40).history[0]
    detector.learn_many(ids(2), *sums([0.6]), bucket=89)
    scores = detector.score_many(ids(1), *sums([0.6]), bucket=90)
    assert scores.history[0] == pytest.approx(before / 2)
    assert scores.expected[0] == pytest.approx(0.6)


def test_a_clock_that_jumps_far_leaves_nothing_to_judge_by() -> None:
    detector = steady(Drift(half_life=2), 1)
    scores = detector.learn_many(ids(1), *sums([0.1] * 10), bucket=10**9)
    assert not scores.judged[0]
    assert np.isfinite(scores.evidence).all()
    assert detector.learn_many(ids(1), *sums([0.1] * 10), bucket=10**9 + 1).expected[0] == pytest.approx(0.1)


def test_values_that_never_vary_are_no_certainty() -> None:
    detector = Drift()
    for bucket in range(30):
        detector.learn_many(ids(1), *sums([1.0]), bucket=bucket)
    for bucket in range(30, 32):
        scores = detector.learn_many(ids(1), *sums([0.0]), bucket=bucket)
    assert 0 < scores.evidence[0] < math.log(10_000)
    assert scores.direction[0] == -1


def test_memory_is_one_row_a_series() -> None:
    detector = Drift()
    for bucket in range(5):
        detector.learn_many(ids(*range(bucket, bucket + 20)), *sums(*([[0.5]] * 20)), bucket=bucket)
    assert detector.state_arrays()["ids"].tolist() == list(range(24))


# --- Bad values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"low": 1.0}, r"the range is \[1.0, 1.0\]"),
        ({"high": math.inf}, "must be finite"),
        ({"low": math.nan}, "must be finite"),
        ({"half_life": 0.5}, "half_life is 0.5 buckets"),
        ({"half_life": math.nan}, "half_life is nan buckets"),
        ({"sizes": ()}, "each must be above 0"),
        ({"sizes": (1.0, -1.0)}, "each must be above 0"),
        ({"sizes": (math.inf,)}, "each must be above 0 and finite"),
        ({"warm_up": 1}, "warm_up is 1 values"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Drift(**parameters)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"series": ids(5, 5)}, "series must be distinct"),
        ({"n": np.array([2])}, "2 series but 1 n"),
        ({"n": np.array([2, -1])}, "n of series 6 is -1; it must be whole, at least 0"),
        ({"n": np.array([2, 1.5])}, "n of series 6 is 1.5"),
        ({"n": np.array([2, math.nan])}, "n of series 6 is nan; it must be finite"),
        ({"sums": np.array([math.inf, 1])}, "sums of series 5 is inf; it must be finite"),
        ({"squares": np.array([1, math.nan])}, "squares of series 6 is nan; it must be finite"),
        ({"sums": np.array([2.1, 1])}, r"no values in \[0.0, 1.0\] give these"),
        ({"sums": np.array([-0.1, 1])}, "series 5 has n 2, sum -0.1"),
        ({"squares": np.array([0.4, 1])}, "no values"),
        ({"squares": np.array([1.2, 1])}, "no values"),
        ({"n": np.array([0, 2])}, "series 5 has n 0, sum 1.0"),
        ({"hold": np.array([True])}, "2 series but 1 hold"),
        ({"bucket": 4}, "bucket is 4; buckets up to 4 are learned already"),
    ],
)
@pytest.mark.parametrize("learn", [False, True])
def test_a_bucket_that_cannot_be_is_refused_and_leaves_no_trace(
    changes: dict[str, Any], message: str, learn: bool
) -> None:
    detector = Drift()
    detector.learn_many(ids(5), *sums([0.5]), bucket=4)
    before = pickle.loads(pickle.dumps(detector))
    n, total, squares = sums([0.5, 0.5], [0.0, 1.0])
    given_values: dict[str, Any] = {
        "series": ids(5, 6),
        "n": n,
        "sums": total,
        "squares": squares,
        "bucket": 5,
    } | changes
    with pytest.raises(ValueError, match=message):
        (detector.learn_many if learn else detector.score_many)(**given_values)
    assert same_state(detector, before)
