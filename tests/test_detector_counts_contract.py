"""Counts: purity, order, checkpoints, river's contract, and values that cannot be."""

import math
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from river import checks, datasets

from detectors.counts import YEAR_OF_DAYS, Counts, CountScores

SCORES = CountScores.__slots__


def ids(*numbers: int) -> NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def numbers(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def same_scores(one: CountScores, other: CountScores) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in SCORES)


def same_state(one: Counts, other: Counts) -> bool:
    left, right = one.state_arrays(), other.state_arrays()
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


SAID = st.dictionaries(
    st.integers(0, 5) | st.just(2**64 - 1),
    st.tuples(st.integers(0, 9) | st.just(10**15), st.sampled_from([1.0, 0.25, 1e6])) | st.just((0, 0.0)),
    max_size=5,
)
STREAM = st.lists(st.tuples(st.sampled_from([1, 1, 1, 5, 200]), SAID), max_size=12)
Stream = list[tuple[int, dict[int, tuple[int, float]]]]


def detector(warm_up: int = 1) -> Counts:
    return Counts(cycles=((52.0, 1),), warm_up=warm_up, patience=3.0)


def columns(stream: Stream) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.int64], dict[str, Any]]]:
    bucket = -2
    for gap, said in stream:
        bucket += gap
        more = {"bucket": bucket, "exposure": np.array([n for _, n in said.values()], np.float64)}
        yield ids(*said), numbers(*(y for y, _ in said.values())), more


@settings(deadline=None, max_examples=60)
@given(stream=STREAM, order=st.randoms(use_true_random=False))
def test_scoring_changes_nothing_and_order_neither(stream: Stream, order: Any) -> None:
    one, shuffled = detector(), detector()
    for series, counts, more in columns(stream):
        before = one.state_arrays()
        scored = one.score_many(series, counts, **more)
        assert all(np.array_equal(before[name], array) for name, array in one.state_arrays().items())
        assert same_scores(scored, one.learn_many(series, counts, **more))
        places = list(range(series.size))
        order.shuffle(places)
        given_there = more | {"exposure": more["exposure"][places]}
        other = shuffled.learn_many(series[places], counts[places], **given_there)
        assert all(np.array_equal(getattr(scored, name)[places], getattr(other, name)) for name in SCORES)
        assert same_state(one, shuffled)


@settings(deadline=None, max_examples=60)
@given(stream=STREAM)
def test_a_series_alone_is_as_among_many(stream: Stream) -> None:
    together, alone = detector(), detector()
    for series, counts, more in columns(stream):
        scores = together.learn_many(series, counts, **more)
        place = np.flatnonzero(series == 3)
        only = alone.learn_many(series[place], counts[place], **more | {"exposure": more["exposure"][place]})
        assert all(np.array_equal(getattr(scores, name)[place], getattr(only, name)) for name in SCORES)


@settings(deadline=None, max_examples=60)
@given(stream=STREAM, cuts=st.sets(st.integers(0, 11)))
def test_checkpoints_anywhere_change_nothing(stream: Stream, cuts: set[int]) -> None:
    whole, stopped = detector(), detector()
    for number, (series, counts, more) in enumerate(columns(stream)):
        if number in cuts:
            arrays = stopped.state_arrays()
            stopped = detector()
            stopped.load_state_arrays(arrays)
        if number - 1 in cuts:
            stopped = pickle.loads(pickle.dumps(stopped))
        assert same_scores(
            whole.learn_many(series, counts, **more), stopped.learn_many(series, counts, **more)
        )
        assert same_state(whole, stopped)
        assert whole.next_bucket == stopped.next_bucket


@settings(deadline=None, max_examples=60)
@given(stream=STREAM)
def test_all_that_is_said_is_a_number(stream: Stream) -> None:
    one = detector(warm_up=0)
    for series, counts, more in columns(stream):
        scores = one.learn_many(series, counts, **more)
        assert not any(np.isnan(getattr(scores, name)).any() for name in SCORES)
        assert (scores.log_lower <= 0).all()
        assert np.isfinite(scores.evidence).all()
        assert ((scores.mean > 0) == (more["exposure"] > 0)).all()
        assert (np.isfinite(scores.size) == (more["exposure"] > 0)).all()


def test_a_checkpoint_is_a_copy() -> None:
    one = detector()
    one.learn_many(ids(5), numbers(3), bucket=0)
    arrays = one.state_arrays()
    kept = {name: values.copy() for name, values in arrays.items()}
    other = detector()
    other.load_state_arrays(arrays)
    for each in (one, other):
        each.learn_many(ids(5, 6), numbers(4, 1), bucket=1)
        each.restart(ids(5))
    assert all(np.array_equal(arrays[name], kept[name]) for name in kept)


def test_series_are_kept_in_order_of_id() -> None:
    one = detector()
    one.learn_many(ids(9, 4), numbers(1, 2), bucket=0)
    one.learn_many(ids(7, 2**64 - 1, 4), numbers(1, 2, 3), bucket=1)
    assert one.state_arrays()["ids"].tolist() == [4, 7, 9, 2**64 - 1]
    assert one.state_arrays()["learned"].tolist() == [2, 1, 1, 1]


@settings(deadline=None, max_examples=40)
@given(
    stream=st.lists(st.tuples(st.none() | st.integers(0, 30), st.sampled_from([1.0, 0.5, 20.0])), max_size=9)
)
def test_one_at_a_time_is_the_same_as_many(stream: list[tuple[int | None, float]]) -> None:
    one, many = Counts(warm_up=0), Counts(warm_up=0)
    for bucket, (y, n) in enumerate(stream):
        x: dict[str, float] = {"n": n} if y is None else {"y": y, "n": n}
        arrays = ids(1), numbers(y or 0)
        exposure = np.array([0.0 if y is None else n])
        scores = many.score_many(*arrays, bucket=bucket, exposure=exposure)
        assert same_scores(one.scores_one(x), scores)
        assert one.score_one(x) == scores.evidence[0]
        one.learn_one(x)
        many.learn_many(*arrays, bucket=bucket, exposure=exposure)
        assert same_state(one, many)


# --- Buckets that say nothing, series that come and go -----------------------------------------------------


def steady(*, missing: str) -> Counts:
    one = Counts(cycles=(), warm_up=0)
    for bucket in range(40):
        one.learn_many(ids(1), numbers(6 if bucket < 38 else 15), bucket=bucket)
    if missing == "exposure":
        one.learn_many(ids(1), numbers(0), bucket=40, exposure=np.zeros(1))
    if missing == "series":
        one.learn_many(ids(), numbers(), bucket=40)
    return one


def test_no_exposure_and_not_given_are_the_same() -> None:
    models = [steady(missing=what) for what in ("exposure", "series", "bucket")]
    scores = [each.score_many(ids(1), numbers(9), bucket=41) for each in models]
    assert same_scores(scores[0], scores[1])
    assert same_scores(scores[0], scores[2])


def test_a_bucket_without_exposure_says_nothing() -> None:
    one = steady(missing="")
    nothing = one.score_many(ids(1, 2), numbers(0, 0), bucket=40, exposure=np.zeros(2))
    assert nothing.mean.tolist() == nothing.log_e.tolist() == nothing.log_lower.tolist() == [0, 0]
    assert nothing.size.tolist() == [math.inf, math.inf]
    assert nothing.since.tolist() == [38, 40]
    assert nothing.observed.tolist() == [30, 0]
    carried = one.state_arrays()["carried"][0]
    assert nothing.evidence[0] == pytest.approx(math.log(np.mean(0.75 + 0.25 * carried)))
    assert nothing.evidence[1] == 0


def test_a_series_that_was_away_for_long_begins_anew() -> None:
    one, fresh = (Counts(cycles=(), warm_up=0, forget_after=10) for _ in range(2))
    for bucket in range(30):
        one.learn_many(ids(1), numbers(50), bucket=bucket)
    known = one.score_many(ids(1), numbers(50), bucket=39)
    forgotten = one.score_many(ids(1), numbers(50), bucket=40)
    assert known.mean[0] == pytest.approx(50, rel=0.2)
    assert same_scores(forgotten, fresh.score_many(ids(1), numbers(50), bucket=40))


def test_a_count_beyond_all_measure_does_no_lasting_harm() -> None:
    one = Counts(cycles=())
    for bucket in range(60):
        one.learn_many(ids(1), numbers(10**18 if bucket == 50 else 5), bucket=bucket)
    scores = one.score_many(ids(1), numbers(5), bucket=60)
    assert scores.mean[0] == pytest.approx(5, rel=0.1)
    assert scores.evidence[0] < 0


# --- river -------------------------------------------------------------------------------------------------


class Bursts:
    """A few buckets as river's data sets are: five columns, and whether the bucket is a burst."""

    def take(self, _: int) -> list[tuple[dict[str, float], int]]:
        chance = np.random.default_rng(1)
        made = []
        for _ in range(150):
            burst = int(chance.random() < 0.1)
            x = {"y": int(chance.poisson(5 + 20 * burst)), "n": 1.0, "rain": 0.5, "wind": 1.0, "shops": 2.0}
            made.append((x, burst))
        return made


def test_river_accepts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "CreditCard", Bursts)
    checks.check_estimator(Counts())


def test_river_clones_it() -> None:
    one = Counts(cycles=YEAR_OF_DAYS, doubt=0.1, count="authors")
    one.learn_one({"authors": 9})
    fresh = one.clone()
    assert isinstance(fresh, Counts)
    assert fresh._get_params() == one._get_params()
    assert (fresh.next_bucket, one.next_bucket) == (0, 1)
    assert one.clone({"doubt": 0.2}).doubt == 0.2


# --- Values that cannot be ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"cycles": ((1.0, 1),)}, "period must be above 1"),
        ({"cycles": ((math.inf, 1),)}, "period must be above 1"),
        ({"cycles": ((7.0, 0),)}, "harmonics at least 1"),
        ({"level_discount": 0.0}, "level_discount is 0.0"),
        ({"discount": 1.01}, "discount is 1.01"),
        ({"discount": math.nan}, "discount is nan"),
        ({"dispersion_half_life": 0.5}, "dispersion_half_life is 0.5 buckets"),
        ({"shifts": ()}, "one or more"),
        ({"shifts": (1.0, 0.0)}, "each above 0"),
        ({"burst": 0.0}, "burst is 0.0 standard deviations"),
        ({"persistence": 1.0}, "persistence is 1.0"),
        ({"carry": 0.9}, "carry is 0.9"),
        ({"doubt": -0.1}, "doubt is -0.1"),
        ({"patience": 1.0}, "patience is 1.0 buckets"),
        ({"warm_up": -1}, "warm_up is -1 buckets"),
        ({"forget_after": 0}, "forget_after is 0 buckets"),
        ({"prior_rate": 0.0}, "prior_rate is 0.0"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Counts(**parameters)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": numbers(1, -1)}, "counts go down to -1"),
        ({"counts": numbers(1)}, "2 series but 1 counts"),
        ({"counts": np.array([1.0, 2.0])}, "counts are float64; they must be integers"),
        ({"bucket": 4}, "buckets up to 4 are learned already"),
        ({"series": ids(5, 5)}, "distinct"),
        ({"exposure": np.ones(3)}, "2 series but 3 exposure"),
        ({"exposure": np.array([1.0, math.nan])}, "exposure is nan"),
        ({"exposure": np.array([1.0, math.inf])}, "exposure is inf"),
        ({"exposure": np.array([-1.0, 1.0])}, "exposure is -1.0"),
        ({"exposure": np.array([1.0, 0.0])}, "a count is 2 where exposure is 0"),
    ],
)
@pytest.mark.parametrize("learn", [False, True])
def test_a_bucket_that_cannot_be_is_refused_and_leaves_no_trace(
    changes: dict[str, Any], message: str, learn: bool
) -> None:
    one = detector()
    one.learn_many(ids(5), numbers(1), bucket=4)
    before = pickle.loads(pickle.dumps(one))
    values: dict[str, Any] = {"series": ids(5, 6), "counts": numbers(1, 2), "bucket": 5} | changes
    with pytest.raises(ValueError, match=message):
        (one.learn_many if learn else one.score_many)(**values)
    assert same_state(one, before)


@pytest.mark.parametrize("y", [math.nan, math.inf, 2.5])
def test_a_count_that_is_no_number_is_refused(y: float) -> None:
    with pytest.raises(ValueError, match=f"y is {y}; a count must be a whole number"):
        Counts().learn_one({"y": y})
