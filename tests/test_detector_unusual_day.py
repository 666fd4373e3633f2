"""Unusual day against scipy, hand-worked days, and simulated perimeters."""

import math
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from river import checks, datasets
from scipy import stats

from detectors._unusual_day_math import COUNT, SHARE, log_e_of, log_upper_f, plain, stabilised
from detectors.features import feature_id
from detectors.unusual_day import LARGEST, UnusualDay

NAMES = ("mails", "calm", "mood", "score")
COMPONENTS = np.array([feature_id(name) for name in NAMES], np.uint64)


def ids(*numbers: int) -> NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def estimator(**changes: Any) -> UnusualDay:
    parameters: dict[str, Any] = {"counts": ["mails"], "shares": ["calm"], "warm_up": 3}
    return UnusualDay(**(parameters | changes))


def same_state(one: UnusualDay, other: UnusualDay) -> bool:
    left, right = one.state_arrays(), other.state_arrays()
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


# --- Functions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d1", [1.0, 3.0, 12.0, 30.0])
@pytest.mark.parametrize("d2", [3.0, 60.0, 1e4])
def test_the_tail_of_fishers_f_is_scipys(d1: float, d2: float) -> None:
    for x in (1e-9, 0.01, 0.5, 1.0, 2.0, 7.0, 40.0):
        expected = stats.f.logsf(x, d1, d2)
        if expected > -600:
            assert log_upper_f(x, d1, d2) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert log_upper_f(0.0, d1, d2) == 0.0


@pytest.mark.parametrize("p", [0.9, 0.5, 0.1, 1e-4])
def test_the_e_value_of_a_p_value(p: float) -> None:
    # The mean of k p^(k-1) over k in (0, 1), by the midpoint rule.
    k = (np.arange(200_000) + 0.5) / 200_000
    assert math.exp(log_e_of(-math.log(p))) == pytest.approx(float((k * p ** (k - 1)).mean()), rel=1e-6)


def test_the_e_value_of_a_sure_thing_is_a_half() -> None:
    assert math.exp(log_e_of(0.0)) == pytest.approx(0.5)
    assert math.exp(log_e_of(1e-3)) == pytest.approx(0.5, rel=1e-2)


@given(value=st.floats(0, 1e6))
def test_counts_come_back_from_their_scale(value: float) -> None:
    assert plain(stabilised(value, 1.0, COUNT), COUNT) == pytest.approx(value, abs=1e-6)


@given(share=st.floats(0, 1))
def test_shares_come_back_from_their_scale(share: float) -> None:
    assert plain(stabilised(share, 1e9, SHARE), SHARE) == pytest.approx(share, abs=1e-6)


# --- By hand ----------------------------------------------------------------------------------------------


def test_levels_are_discounted_means() -> None:
    detector = UnusualDay(half_life=1, memory=1, period=1, saturation=1e12)
    for mood in (4.0, 4.0):
        detector.learn_one({"mood": mood})
    # One and a half days say 4; a third says 1. Its residual is -3 over sqrt(1 + 1 / 0.75).
    (moved,) = detector.explain_one({"mood": 1.0})
    assert moved.expected == pytest.approx(4.0)
    residual = -3.0 / math.sqrt(1 + 1 / 0.75)
    # One half of a day with no residual is known: z^2 = r^2 (0.5 + 1) / (0 + r^2).
    assert moved.z == pytest.approx(-math.sqrt(0.5 + 1.0))
    detector.learn_one({"mood": 1.0})
    (moved,) = detector.explain_one({"mood": 1.0})
    assert moved.expected == pytest.approx((0.75 * 4.0 + 1.0) / 1.75)
    spread, days = residual**2 / 2, (0.5 + 1.0) / 2
    error = (1.0 - moved.expected) / math.sqrt(1 + 1 / (1.75 / 2))
    assert moved.z == pytest.approx(error * math.sqrt((days + 1) / (spread + error**2)))


def test_a_single_component_is_judged_by_fishers_f_and_the_prior_tail() -> None:
    detector = UnusualDay(period=1, warm_up=1, freedom=60, strength=1e9)
    for mood in (1.0, 2.0, 1.0, 2.0, 1.0, 2.0):
        detector.learn_one({"mood": mood})
    (moved,) = detector.explain_one({"mood": 5.0})
    raw = -stats.f.logsf(moved.z**2, 1, 60)
    prior = np.array([[0.05, 2.0]])
    scores = detector.score_many(
        ids(0),
        np.array([[5.0]]),
        components=COMPONENTS[2:3],
        bucket=6,
        prior=prior,
    )
    start = math.log(10)
    expected = raw * -math.log(0.05) / start if raw <= start else -math.log(0.05) + (raw - start) / 2
    assert scores.evidence[0] == pytest.approx(expected, rel=1e-6)
    assert scores.tail == pytest.approx(prior, rel=1e-6)


def test_a_weekly_rhythm_is_expected() -> None:
    detector = estimator()
    for day in range(140):
        detector.learn_one({"mails": 4 if day % 7 == 6 else 60 + day % 3})
    assert detector.score_one({"mails": 61}) < 3
    assert detector.score_one({"mails": 4}) > 8
    for day in range(140, 146):
        detector.learn_one({"mails": 60 + day % 3})
    (moved,) = detector.explain_one({"mails": 61})
    assert moved.expected == pytest.approx(4, abs=2.5)
    assert detector.score_one({"mails": 4}) < 3 < 8 < detector.score_one({"mails": 61})


def test_together_components_tell_what_each_alone_does_not() -> None:
    chance = np.random.default_rng(4)
    detector = UnusualDay(period=1)
    for busy in chance.normal(size=300):
        detector.learn_one({"calls": busy + 0.2 * chance.normal(), "mood": -busy + 0.2 * chance.normal()})
    usual, odd = {"calls": 1.5, "mood": -1.5}, {"calls": 1.5, "mood": 1.5}
    assert detector.score_one(usual) < 3 < 8 < detector.score_one(odd)


def test_what_moved_most_comes_first() -> None:
    detector = estimator(period=1)
    for day in range(60):
        detector.learn_one({"mails": 20 + day % 4, "calm": 0.5, "mood": 1.0 + 0.1 * (day % 3)})
    moved = detector.explain_one({"mood": 3.0, "calm": 0.5, "mails": 24, "new": 1.0, "score": math.nan})
    assert moved[0].name == "mood"
    assert {component.name for component in moved} == {"mood", "calm", "mails"}
    assert moved[0].observed == 3.0
    assert moved[0].expected == pytest.approx(1.1, abs=0.05)
    assert moved[0].z > 5


def test_an_odd_day_does_not_teach_itself_normal() -> None:
    detector, spared = UnusualDay(period=1), UnusualDay(period=1)
    chance = np.random.default_rng(5)
    for mood in chance.normal(size=100):
        detector.learn_one({"mood": mood})
        spared.learn_one({"mood": mood})
    detector.learn_one({"mood": 1e6})
    spared.learn_one({"mood": 0.0})
    (after,), (without,) = detector.explain_one({"mood": 4.0}), spared.explain_one({"mood": 4.0})
    assert after.expected == pytest.approx(without.expected, abs=0.3)
    assert after.z > 0.8 * without.z


def test_few_answers_count_little() -> None:
    detector = estimator(period=1)
    values, weights = np.array([[0.1]]), np.array([[40.0]])
    for day in range(60):
        detector.learn_many(
            ids(7), values + 0.05 * (day % 2), components=COMPONENTS[1:2], bucket=day, weights=weights
        )
    z = {}
    for answers in (1.0, 40.0):
        scores = detector.score_many(
            ids(7),
            np.ones((1, 1)),
            components=COMPONENTS[1:2],
            bucket=60,
            weights=np.array([[answers]]),
        )
        z[answers] = float(scores.z[0, 0])
    assert z[1.0] < 2.5 < 5 < z[40.0]


def test_runs_of_odd_days_belong_together_until_restarted() -> None:
    detector = UnusualDay(period=1)
    chance = np.random.default_rng(6)
    for bucket, mood in enumerate(chance.normal(size=60)):
        detector.learn_many(ids(1, 2), np.full((2, 1), mood), components=COMPONENTS[2:3], bucket=bucket)
    odd = np.full((2, 1), 9.0)
    for bucket in (60, 61):
        scores = detector.learn_many(ids(1, 2), odd, components=COMPONENTS[2:3], bucket=bucket)
        assert scores.since.tolist() == [60, 60]
    detector.restart(ids(2, 99))
    scores = detector.learn_many(ids(1, 2), odd, components=COMPONENTS[2:3], bucket=62)
    assert scores.since.tolist() == [60, 62]
    scores = detector.learn_many(ids(1, 2), odd, components=COMPONENTS[2:3], bucket=64)
    assert scores.since.tolist() == [64, 64]


def test_warm_up_learns_without_judging() -> None:
    detector = UnusualDay(period=1, warm_up=20)
    for bucket in range(20):
        scores = detector.learn_many(
            ids(1), np.array([[float(bucket % 2)]]), components=COMPONENTS[2:3], bucket=bucket
        )
        assert scores.evidence[0] == scores.log_e[0] == 0
    assert detector.score_one({"mood": 50.0}) == 0  # another series, of which nothing is known
    scores = detector.score_many(ids(1), np.array([[50.0]]), components=COMPONENTS[2:3], bucket=20)
    assert scores.evidence[0] > 5


# --- False alarms and odd days ----------------------------------------------------------------------------


SIX = np.arange(4, 28, 4, dtype=np.uint64)


def correlated(
    chance: np.random.Generator, perimeters: int, days: int, freedom: float
) -> NDArray[np.float64]:
    """Six figures a day that share a cause, with a rhythm and the tails of Student's t."""
    cause = chance.normal(size=(perimeters, days, 1))
    own = chance.standard_t(freedom, size=(perimeters, days, 6)) / math.sqrt(freedom / (freedom - 2))
    rhythm = 2.0 * (np.arange(days) % 7 == 6)[None, :, None]
    mixed: NDArray[np.float64] = 0.6 * cause + 0.8 * own + rhythm
    return mixed


@pytest.mark.parametrize(("freedom", "most"), [(1e4, 1.2), (8.0, 2.0)])
def test_false_alarms_are_about_one_in_c_days(freedom: float, most: float) -> None:
    values = correlated(np.random.default_rng(20240502), 100, 300, freedom)
    detector = UnusualDay()
    series = np.arange(1, 101, dtype=np.uint64)
    evidence = np.array(
        [
            detector.learn_many(series, values[:, day], components=SIX, bucket=day).evidence
            for day in range(300)
        ]
    )[60:]
    for c in (20.0, 100.0, 365.0):
        assert 0.4 < (evidence >= math.log(c)).mean() * c < most


def test_odd_days_of_every_kind_are_found() -> None:
    chance = np.random.default_rng(20240503)
    values = correlated(chance, 60, 260, 8.0)
    odd = values[:, 250].copy()
    odd[:20] += chance.choice([-2.5, 2.5], size=(20, 6))
    odd[20:40, 3] += 7.0
    detector = UnusualDay()
    series = np.arange(1, 61, dtype=np.uint64)
    for day in range(250):
        detector.learn_many(series, values[:, day], components=SIX, bucket=day)
    scores = detector.score_many(series, odd, components=SIX, bucket=250)
    found = scores.evidence >= math.log(365)
    assert found[:20].mean() >= 0.8
    assert found[20:40].mean() >= 0.8
    assert found[40:].mean() <= 0.1
    assert (np.abs(scores.z[20:40]).argmax(axis=1) == 3).all()


# --- The contract -------------------------------------------------------------------------------------------


def test_a_component_that_is_missing_is_left_out() -> None:
    with_gap, without = estimator(period=1), estimator(period=1)
    for day in range(40):
        with_gap.learn_one({"mails": 20 + day % 4, "mood": math.nan})
        without.learn_one({"mails": 20 + day % 4})
    assert with_gap.score_one({"mails": 90, "mood": math.nan}) == without.score_one({"mails": 90}) > 3
    assert with_gap.score_one({"mood": math.nan}) == with_gap.score_one({}) == 0


def test_weight_0_is_missing() -> None:
    detector = estimator()
    values, weights = np.array([[5.0, 0.5, 1.0, 2.0]]), np.array([[1.0, 0.0, 0.0, 1.0]])
    for bucket in range(9):
        scores = detector.learn_many(ids(1), values, components=COMPONENTS, bucket=bucket, weights=weights)
    assert np.isnan(scores.z[0, 1:3]).all()
    assert np.isfinite(scores.z[0, [0, 3]]).all()


def test_a_component_that_never_moved_has_a_defined_answer() -> None:
    detector = UnusualDay(period=1)
    for _ in range(50):
        detector.learn_one({"mood": 1.0})
    assert detector.explain_one({"mood": 1.0})[0].z == 0
    assert 3 < detector.explain_one({"mood": 1.1})[0].z < 8


class Odd:
    """Days of three figures, one in twenty odd, as river's checks ask for it."""

    def take(self, days: int) -> Iterator[tuple[dict[str, float], bool]]:
        chance = np.random.default_rng(8)
        for day in range(days):
            odd = day % 20 == 19
            shift = 5.0 if odd else 0.0
            yield (
                {name: float(chance.normal() + shift) for name in ("one", "two", "three", "four", "five")},
                odd,
            )


def test_river_accepts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "CreditCard", Odd)
    checks.check_estimator(UnusualDay())


# --- Bad values ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"half_life": 0.5}, "half_life is 0.5 buckets"),
        ({"memory": 5}, "memory is 5 buckets"),
        ({"period": 0}, "period is 0 buckets"),
        ({"saturation": 0}, "must be above 0"),
        ({"strength": 0}, "must be above 0"),
        ({"freedom": 2}, "freedom is 2"),
        ({"warm_up": 0}, "warm_up is 0 buckets"),
        ({"counts": ["a"], "shares": ["a"]}, "they can be only one"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UnusualDay(**parameters)


GOOD = np.array([[3.0, 0.5, 1.0, 2.0], [3.0, 0.5, 1.0, 2.0]])


def changed(place: int, value: float) -> NDArray[np.float64]:
    values = GOOD.copy()
    values[1, place] = value
    return values


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": changed(2, math.inf)}, "infinite"),
        # Squares of these would be infinite, and the oddest day there can be an ordinary one.
        ({"values": changed(2, 1e200)}, r"values hold 1e\+200; each must lie within -1e\+140 and 1e\+140"),
        ({"values": changed(2, -1e200)}, r"values hold -1e\+200; each must"),
        ({"values": changed(0, -1.0)}, "negative count"),
        ({"values": changed(1, 1.5)}, r"share outside \[0, 1\]"),
        ({"values": GOOD[:1]}, r"values has shape \(1, 4\)"),
        ({"weights": changed(2, -1.0)}, "at least 0"),
        ({"weights": changed(2, math.nan)}, "at least 0"),
        ({"weights": GOOD[:, :2]}, "weights has shape"),
        ({"prior": np.array([[0.1, 1.0]])}, "prior has shape"),
        ({"prior": np.array([[0.1, 1.0], [1.0, 1.0]])}, "prior holds"),
        ({"prior": np.array([[0.1, 1.0], [0.1, 0.0]])}, "prior holds"),
        ({"series": ids(5, 5)}, "series must be distinct"),
        ({"components": COMPONENTS[[0, 1, 2, 2]]}, "components must be distinct"),
        ({"bucket": 4}, "buckets up to 4 are learned already"),
    ],
)
@pytest.mark.parametrize("learn", [False, True])
def test_a_bucket_that_cannot_be_is_refused_and_leaves_no_trace(
    changes: dict[str, Any], message: str, learn: bool
) -> None:
    detector = estimator()
    detector.learn_many(ids(5), GOOD[:1], components=COMPONENTS, bucket=4)
    before = pickle.loads(pickle.dumps(detector))
    asked: dict[str, Any] = {"series": ids(5, 6), "values": GOOD, "components": COMPONENTS, "bucket": 5}
    with pytest.raises(ValueError, match=message):
        (detector.learn_many if learn else detector.score_many)(**(asked | changes))
    assert same_state(detector, before)


@pytest.mark.parametrize("far", [LARGEST, -LARGEST])
def test_a_value_as_large_as_is_allowed_is_as_odd_as_can_be_and_is_hardly_learned(far: float) -> None:
    chance = np.random.default_rng(3)
    detector = UnusualDay(warm_up=10)
    for _ in range(60):
        detector.learn_one({"a": chance.normal(), "b": chance.normal()})
    ordinary, odd = {"a": 0.2, "b": 0.1}, {"a": 1e6, "b": 0.1}
    before = detector.score_one(odd)
    assert detector.score_one({**ordinary, "a": far}) == pytest.approx(before, rel=1e-3)
    detector.learn_one({**ordinary, "a": far})
    assert detector.score_one(ordinary) < 1 < detector.score_one(odd)


def test_levels_of_a_tree_may_learn_one_after_the_other_in_a_bucket() -> None:
    detector = estimator()
    detector.learn_many(ids(5), GOOD[:1], components=COMPONENTS, bucket=4)
    detector.learn_many(ids(6), GOOD[:1], components=COMPONENTS, bucket=4)
    assert detector.next_bucket == 5
