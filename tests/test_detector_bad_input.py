"""Input that cannot be, for every estimator: refused in words, and nothing is learned of it.

Series that appear and vanish, empty buckets and clocks that jump are in tests/test_detector_contract.py:
all its laws hold with them.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from detectors.blind_spot import BlindSpot
from detectors.counts import Counts
from detectors.drift import Drift
from detectors.emergence import Emergence
from detectors.emergence_tree import EmergenceTree, Heard
from detectors.mismatch import Mismatch
from detectors.novelty import Novelty
from detectors.silence import Silence
from detectors.text_weights import TextWeights
from detectors.unusual_day import UnusualDay
from detectors.wave import Wave

NOT_NUMBERS = (math.nan, math.inf, -math.inf)
X = Mapping[str, float]

BUCKETS: dict[type, X] = {
    Counts: {"y": 4},
    Silence: {"authors": 4, "factor": 1.0},
    BlindSpot: {"customer": 2, "field": 1, "customer_exposure": 9, "field_exposure": 5},
    Drift: {"n": 4, "sum": 2.0, "sum_sq": 1.5},
    Emergence: {"n": 20, "queue": 2},
    Wave: {"answers": 6, "without_text": 2},
    Mismatch: {"answers": 6, "without_text": 2, "both": 4, "gap_sum": 0.4, "gap_sum_sq": 0.2},
}
"""An ordinary bucket of each; none of its numbers may be missing or infinite."""
SIGNED = {"gap_sum", "sum"}
"""Sums that may be negative."""


def learned(kind: type, x: X, **parameters: Any) -> Any:
    detector = kind(**parameters)
    for _ in range(20):
        detector.learn_one(x)
    return detector


def assert_refused(detector: Any, x: X) -> None:
    before = {name: values.copy() for name, values in detector.state_arrays().items()}
    for method in (detector.score_one, detector.learn_one):
        with pytest.raises(ValueError, match=r" is | are | go | run | hold| has "):
            method(x)
    after = detector.state_arrays()
    assert all(np.array_equal(values, after[name], equal_nan=True) for name, values in before.items())


@pytest.mark.parametrize("kind", list(BUCKETS))
def test_numbers_that_cannot_be_are_refused_and_leave_no_trace(kind: type) -> None:
    x = BUCKETS[kind]
    detector = learned(kind, x)
    for name in x:
        for value in (*NOT_NUMBERS, *(() if name in SIGNED else (-1.0,))):
            assert_refused(detector, {**x, name: value})
    detector.learn_one(x)


@pytest.mark.parametrize("kind", list(BUCKETS))
def test_nothing_at_all_is_a_bucket_like_others(kind: type) -> None:
    """Exposure, answers, values and counts of 0: nobody wrote."""
    x = BUCKETS[kind]
    detector = learned(kind, x)
    nothing = dict.fromkeys(x, 0.0)
    for _ in range(5):
        assert math.isfinite(detector.score_one(nothing))
        detector.learn_one(nothing)
    assert math.isfinite(detector.score_one(x))
    fresh = kind()
    assert math.isfinite(fresh.score_one(nothing))
    fresh.learn_one(nothing)


def test_what_is_missing_of_a_day_is_left_out_and_what_cannot_be_is_refused() -> None:
    x = {"mails": 20.0, "calm": 0.5, "mood": -1.0}
    detector = learned(UnusualDay, x, counts=("mails",), shares=("calm",))
    assert detector.score_one({**x, "mood": math.nan}) == detector.score_one({"mails": 20.0, "calm": 0.5})
    for name, value in (("mails", -1.0), ("calm", 1.5), ("calm", -0.1), *((one, math.inf) for one in x)):
        assert_refused(detector, {**x, name: value})


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_words_whose_value_is_no_number_teach_nothing(value: float) -> None:
    model = TextWeights(("low", "high"), min_authors=1)
    model.learn_one({"panne": 1.0}, "low")
    before = model.state_arrays()
    with pytest.raises(ValueError, match=f"a value is {value}; values must be finite"):
        model.learn_one({"panne": value}, "low")
    assert all(np.array_equal(values, before[name]) for name, values in model.state_arrays().items())


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ({"n": 20, "queue": 1.5}, "queue is 1.5; each must be a whole number of authors"),
        ({"n": 2.5, "queue": 1}, "n is 2.5; each must be a whole number of authors"),
        ({"n": 10**20, "queue": 1}, "n is 100000000000000000000; there must be at most 9007199254740992"),
        ({"n": 0, "queue": 1}, r"counts run from 0 to 1; each must lie in \[0, exposure=0\]"),
        ({"n": 3, "queue": 4}, r"counts run from 0 to 4; each must lie in \[0, exposure=3\]"),
    ],
)
def test_authors_are_whole_and_no_more_than_wrote(x: X, message: str) -> None:
    detector = learned(Emergence, BUCKETS[Emergence])
    assert_refused(detector, x)
    with pytest.raises(ValueError, match=message):
        detector.learn_one(x)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("prior", one) for one in (*NOT_NUMBERS, -0.1)] + [("season", math.nan), ("season", 0.5)],
)
def test_what_a_wider_perimeter_says_is_a_rate_and_a_season_a_factor(name: str, wrong: float) -> None:
    expected: Mapping[str, Any] = {
        "prior": np.array([0.1]),
        "season": np.array([1.0]),
        name: np.array([wrong]),
    }
    features, counts = np.array([5], np.uint64), np.array([2])
    detector, tree = Emergence(), EmergenceTree(Emergence())
    heard = Heard(["nord"], np.array([0, 1]), np.array([20]), features, counts, np.array([-1]))
    with pytest.raises(ValueError, match=f"{name} holds {wrong}; each must be finite and at least"):
        detector.learn_many(features, counts, exposure=20, bucket=0, **expected)
    with pytest.raises(ValueError, match=f"{name} holds {wrong}; each must be finite and at least"):
        tree.learn_many(heard, bucket=0, **expected)
    assert (detector.features, tree.features) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": np.array([math.nan])}, "counts are float64; they must be integers"),
        ({"counts": np.array([2.5])}, "counts are float64; they must be integers"),
        ({"exposure": 20.5}, "exposure are float64; they must be integers"),
        ({"exposure": math.nan}, "exposure are float64; they must be integers"),
        ({"bucket": 2**31}, "bucket is 2147483648; it must lie between"),
    ],
)
def test_columns_of_authors_are_integers_and_buckets_can_be_kept(
    changes: Mapping[str, Any], message: str
) -> None:
    given: dict[str, Any] = {"counts": np.array([2]), "exposure": 20, "bucket": 1, **changes}
    features, one = np.array([5], np.uint64), np.ones(1)
    detector, tree = Emergence(), EmergenceTree(Emergence())
    detector.learn_many(features, np.array([2]), exposure=20, bucket=0)
    before = detector.state_arrays()
    for method in (detector.score_many, detector.learn_many):
        with pytest.raises(ValueError, match=message):
            method(features, given["counts"], exposure=given["exposure"], bucket=given["bucket"])
    starts, above = np.array([0, 1]), np.array([-1])
    heard = Heard(["nord"], starts, np.array([given["exposure"]]), features, given["counts"], above)
    for judge in (tree.score_many, tree.learn_many):
        with pytest.raises(ValueError, match=message):
            judge(heard, bucket=given["bucket"], prior=0.1 * one, season=one)
    assert all(np.array_equal(values, before[name]) for name, values in detector.state_arrays().items())
    assert tree.features == 0


@pytest.mark.parametrize("value", [*NOT_NUMBERS, -1.0, 7.0])
def test_of_a_text_to_gather_only_the_words_count(value: float) -> None:
    one, other = Novelty(warm_up=0), Novelty(warm_up=0)
    for _ in range(3):
        assert one.score_one({"panne": value, "caisse": 1}) == other.score_one({"panne": 1, "caisse": 1})
        one.learn_one({"panne": value, "caisse": 1})
        other.learn_one({"panne": 1, "caisse": 1})
    before, after = one.state_arrays(), other.state_arrays()
    assert all(np.array_equal(values, after[name], equal_nan=True) for name, values in before.items())


def test_texts_that_gather_bear_empty_buckets_and_jumps_of_the_clock() -> None:
    detector = Novelty(warm_up=0)
    texts, people = np.array([0, 2, 4]), np.array([1, 2], np.uint64)
    words = np.array([11, 12, 11, 13], np.uint64)
    nothing = (np.zeros(1, np.int64), np.empty(0, np.uint64), np.empty(0, np.uint64))
    assert detector.learn_many(*nothing, bucket=0).evidence.size == 0
    for bucket in (1, 20, 5_000_000):
        assert np.isfinite(detector.learn_many(texts, words, people, bucket=bucket).evidence).all()
    for bucket in (20, 5_000_000):
        with pytest.raises(
            ValueError, match=f"bucket is {bucket}; buckets up to 5000000 are learned already"
        ):
            detector.learn_many(texts, words, people, bucket=bucket)


PARAMETERS: dict[type, tuple[str, ...]] = {
    BlindSpot: ("half_life", "tolerance", "strength", "together", "caution", "warm_up", "min_authors"),
    Counts: ("level_discount", "dispersion_half_life", "carry", "patience", "warm_up", "forget_after"),
    Drift: ("half_life", "warm_up", "low", "high"),
    Emergence: (
        *("half_life", "strength", "base_rate", "base_strength", "dispersion"),
        *("warm_up", "least", "follow"),
    ),
    Mismatch: ("half_life", "warm_up"),
    Novelty: ("half_life", "join", "merge", "common", "strength"),
    Silence: ("half_life", "period", "trend", "day_strength", "doubt", "warm_up", "min_authors"),
    TextWeights: ("min_authors", "rate", "balance", "hint_value", "levels"),
    UnusualDay: ("half_life", "memory", "period", "saturation", "strength", "freedom", "warm_up"),
    Wave: ("half_life", "ratio", "chance", "warm_up"),
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in PARAMETERS.items() for name in names]
)
def test_no_parameter_is_no_number(kind: type, name: str) -> None:
    with pytest.raises(ValueError, match="nan"):
        kind(**{name: math.nan})


@pytest.mark.parametrize("kind", [BlindSpot, Emergence, Silence])
def test_ratios_are_numbers_above_1(kind: type) -> None:
    for ratios in ((2.0, math.nan), (math.nan, 2.0), (1.0,), ()):
        with pytest.raises(ValueError, match="each must be above 1"):
            kind(ratios=ratios)
