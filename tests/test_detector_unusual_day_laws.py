"""What holds for every stream of unusual days: purity, checkpoints, order, company of others."""

import math
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.features import feature_id
from detectors.unusual_day import UnusualDay, UnusualDayScores

SCORES = ("evidence", "log_e", "since", "observed", "expected", "z", "tail")


NAMES = ("mails", "calm", "mood", "score")


COMPONENTS = np.array([feature_id(name) for name in NAMES], np.uint64)


def ids(*numbers: int) -> NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def estimator(**changes: Any) -> UnusualDay:
    parameters: dict[str, Any] = {"counts": ["mails"], "shares": ["calm"], "warm_up": 3}
    return UnusualDay(**(parameters | changes))


def same_scores(one: UnusualDayScores, other: UnusualDayScores) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in SCORES)


def same_state(one: UnusualDay, other: UnusualDay) -> bool:
    left, right = one.state_arrays(), other.state_arrays()
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


FIGURES = st.fixed_dictionaries(
    {},
    optional={
        "mails": st.integers(0, 50).map(float) | st.just(math.nan),
        "calm": st.sampled_from([0.0, 0.25, 0.5, 1.0, math.nan]),
        "mood": st.floats(-1e3, 1e3) | st.just(math.nan),
        "score": st.floats(0, 10),
    },
)


BUCKET = st.fixed_dictionaries(
    {
        "gap": st.sampled_from([1, 1, 1, 2, 40]),
        "series": st.dictionaries(st.integers(0, 4), FIGURES, max_size=4),
        "weight": st.sampled_from([0.0, 1.0, 12.0]),
        "restart": st.sets(st.integers(0, 4), max_size=1),
    }
)


STREAM = st.lists(BUCKET, max_size=9)


PARAMETERS = st.fixed_dictionaries(
    {
        "half_life": st.sampled_from([1.0, 20.0]),
        "period": st.sampled_from([1, 7]),
        "warm_up": st.sampled_from([1, 4]),
        "strength": st.sampled_from([5.0, 100.0]),
    }
)


Stream = list[dict[str, Any]]


def arguments(stream: Stream) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.float64], dict[str, Any]]]:
    bucket = 2
    for part in stream:
        bucket += part["gap"]
        rows = [[figures.get(name, math.nan) for name in NAMES] for figures in part["series"].values()]
        values = np.array(rows, np.float64).reshape(-1, len(NAMES))
        more = {"components": COMPONENTS, "bucket": bucket, "weights": np.full(values.shape, part["weight"])}
        yield ids(*part["series"]), values, more


@settings(deadline=None, max_examples=60)
@given(stream=STREAM, parameters=PARAMETERS, order=st.randoms(use_true_random=False))
def test_scoring_changes_nothing_and_order_neither(
    stream: Stream, parameters: dict[str, Any], order: Any
) -> None:
    detector, shuffled = estimator(**parameters), estimator(**parameters)
    for part, (series, values, more) in zip(stream, arguments(stream), strict=True):
        before = pickle.loads(pickle.dumps(detector))
        scored = detector.score_many(series, values, **more)
        assert same_state(before, detector)
        assert same_scores(scored, detector.learn_many(series, values, **more))
        rows, columns = list(range(series.size)), list(range(len(NAMES)))
        order.shuffle(rows)
        order.shuffle(columns)
        other = shuffled.learn_many(
            series[rows],
            values[rows][:, columns],
            **(more | {"components": COMPONENTS[columns], "weights": more["weights"][rows][:, columns]}),
        )
        for name in SCORES:
            expected = getattr(scored, name)[rows]
            if name in ("observed", "expected", "z"):
                expected = expected[:, columns]
            assert np.array_equal(expected, getattr(other, name), equal_nan=True), name
        for each in (detector, shuffled):
            each.restart(ids(*part["restart"]))
        assert same_state(detector, shuffled)


@settings(deadline=None, max_examples=60)
@given(stream=STREAM, parameters=PARAMETERS)
def test_a_series_alone_is_as_among_others(stream: Stream, parameters: dict[str, Any]) -> None:
    together, alone = estimator(**parameters), estimator(**parameters)
    for series, values, more in arguments(stream):
        scores = together.learn_many(series, values, **more)
        here = series == 1
        if here.any():
            more["weights"] = more["weights"][here]
            single = alone.learn_many(series[here], values[here], **more)
            for name in SCORES:
                assert np.array_equal(getattr(scores, name)[here], getattr(single, name), equal_nan=True)


@settings(deadline=None, max_examples=60)
@given(stream=STREAM, parameters=PARAMETERS, cuts=st.sets(st.integers(0, 8)))
def test_checkpoints_anywhere_change_nothing(
    stream: Stream, parameters: dict[str, Any], cuts: set[int]
) -> None:
    whole, stopped = estimator(**parameters), estimator(**parameters)
    for number, (series, values, more) in enumerate(arguments(stream)):
        if number in cuts:
            arrays = stopped.state_arrays()
            stopped = estimator(**parameters)
            stopped.load_state_arrays(arrays)
        one = whole.learn_many(series, values, **more)
        assert same_scores(one, stopped.learn_many(series, values, **more))
        assert same_state(whole, stopped)


@settings(deadline=None, max_examples=60)
@given(days=st.lists(FIGURES, max_size=9))
def test_one_at_a_time_is_the_same_as_many(days: list[dict[str, float]]) -> None:
    one, many = estimator(), estimator()
    for bucket, x in enumerate(days):
        components = np.array([feature_id(name) for name in x], np.uint64)
        values = np.array([list(x.values())], np.float64).reshape(1, -1)
        scores = many.score_many(ids(0), values, components=components, bucket=bucket)
        assert one.score_one(x) == scores.evidence[0]
        one.learn_one(x)
        many.learn_many(ids(0), values, components=components, bucket=bucket)
        assert same_state(one, many)
