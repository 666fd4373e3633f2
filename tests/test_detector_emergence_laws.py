"""Emergence over whole histories: a slow reference, and the laws that every history keeps."""

import math
import pickle
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.emergence import DEFAULT_RATIOS, Emergence, EmergenceScores
from detectors.features import feature_id

SCORES = ("log_e", "evidence", "rate", "since", "observed", "expected")


def ids(*numbers: int) -> NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def numbers(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def same_scores(one: EmergenceScores, other: EmergenceScores) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in SCORES)


def same_state(one: Emergence, other: Emergence) -> bool:
    left, right = one.state_arrays(), other.state_arrays()
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


# --- Whole histories against a slow reference ------------------------------------------------------------


@dataclass
class Slow:
    """The estimator as sums over everything it ever learned. Not fast, not clever.

    history: bucket, authors who wrote, and authors per feature. in_season: rate that a season let expect, by
    feature and place in the history. episodes: of each feature, the place in the history where the running
    one began, its rate and the mentions that was known by.
    """

    parameters: Emergence
    history: list[tuple[int, int, dict[int, int]]] = field(default_factory=list)
    in_season: dict[tuple[int, int], float] = field(default_factory=dict)
    episodes: dict[int, tuple[int, float, float]] = field(default_factory=dict)

    def faded(self, value: float, then: int, now: int) -> float:
        return float(value * 0.5 ** ((now - then) / self.parameters.half_life))

    def own(self, feature: int, now: int) -> float:
        return sum(self.faded(said.get(feature, 0), then, now) for then, _, said in self.history)

    def wrote(self, now: int) -> float:
        return sum(self.faded(n, then, now) for then, n, _ in self.history)

    def heard_since(self, feature: int, place: int, rate: float) -> tuple[int, float]:
        """Authors of an episode, and those expected."""
        observed, expected = 0, 0.0
        for there, (_, n, said) in enumerate(self.history[place:], place):
            observed += said.get(feature, 0)
            expected += n * max(rate, self.in_season.get((feature, there), 0.0))
        return observed, expected

    def judge(
        self, feature: int, y: int, n: int, bucket: int, prior: float | None, season: float
    ) -> dict[str, float]:
        given = self.parameters
        most, told = (given.base_strength, given.base_rate) if prior is None else (given.strength, prior)
        own, wrote = self.own(feature, bucket), self.wrote(bucket)
        strength = min(most, max(given.base_strength, told * (wrote + n) - own))
        known = own + strength
        rate = season * known / (wrote + strength / max(told, given.base_rate))
        log_e = self.log_ratio(y, rate * n, known)
        place, begun_rate, begun_known = self.episodes.get(feature, (0, 0.0, 0.0))
        observed, expected = self.heard_since(feature, place, begun_rate)
        old = place < len(self.history) and bucket - self.history[place][0] >= given.half_life
        if feature not in self.episodes or old or self.log_ratio(observed, expected, begun_known) <= 0:
            place, begun_rate, begun_known = len(self.history), rate / season, known
            observed, expected = 0, 0.0
        observed += y
        expected += n * (max(begun_rate, rate) if season > 1 else begun_rate)
        first = self.history[0][0] if self.history else bucket
        judged = bucket - first >= given.warm_up
        rehearsed = bucket - first >= given.warm_up - min(given.warm_up // 2, 56)
        running = self.log_ratio(observed, expected, begun_known) if rehearsed else 0.0
        return {
            "log_e": log_e,
            "evidence": running if judged else 0.0,
            "running": running,
            "rate": rate,
            "since": self.history[place][0] if place < len(self.history) else bucket,
            "observed": observed,
            "expected": expected,
            "place": place,
            "begun_rate": begun_rate,
            "begun_known": begun_known,
        }

    def log_ratio(self, y: float, mean: float, known: float) -> float:
        """Negative binomials of one shape, their means multiplied over as they are."""
        shape = 1 / (1 / known + 1 / self.parameters.dispersion)
        same = shape * math.log(shape / (shape + mean)) + y * math.log(mean / (shape + mean))
        change = [
            shape * math.log(shape / (shape + more)) + y * math.log(more / (shape + more))
            for more in (ratio * mean for ratio in self.parameters.ratios)
        ]
        return float(np.logaddexp.reduce(change)) - math.log(len(change)) - same

    def learn(
        self, said: dict[int, int], n: int, bucket: int, season: float, scores: dict[int, dict[str, float]]
    ) -> None:
        for feature, y in said.items():
            judged = scores[feature]
            if y and season > 1:
                self.in_season[feature, len(self.history)] = judged["rate"]
            if y and judged["running"] > 0:
                place = int(judged["place"])
                self.episodes[feature] = place, judged["begun_rate"], judged["begun_known"]
            elif y:
                self.episodes.pop(feature, None)
        self.history.append((bucket, n, said))


BUCKET = st.fixed_dictionaries(
    {
        "gap": st.sampled_from([1, 1, 1, 2, 9]),
        "said": st.dictionaries(st.integers(1, 6), st.integers(0, 12) | st.just(40), max_size=5),
        "others": st.integers(0, 20),
        "prior": st.none() | st.sampled_from([0.0, 1e-4, 0.02, 0.3]),
        "season": st.sampled_from([1.0, 1.0, 2.5]),
        "restart": st.sets(st.integers(1, 6), max_size=1),
    }
)
STREAM = st.lists(BUCKET, max_size=10)
PARAMETERS = st.fixed_dictionaries(
    {
        "half_life": st.sampled_from([1.0, 7.5, 60.0]),
        "strength": st.sampled_from([0.1, 1.0, 20.0]),
        "base_strength": st.sampled_from([1e-3, 0.5]),
        "dispersion": st.sampled_from([0.5, 4.0, math.inf]),
        "base_rate": st.sampled_from([1e-5, 1e-2]),
        "warm_up": st.sampled_from([0, 0, 3]),
        "ratios": st.sampled_from([(2.0,), DEFAULT_RATIOS]),
    }
)
Stream = list[dict[str, Any]]


@dataclass
class Bucket:
    """A bucket of a stream as arguments."""

    features: NDArray[np.uint64]
    counts: NDArray[np.int64]
    more: dict[str, Any]


def arguments(stream: Stream) -> list[Bucket]:
    buckets, now = [], 3
    for part in stream:
        now += part["gap"]
        said = part["said"]
        size = len(said)
        more = {
            "exposure": max(said.values(), default=0) + part["others"] + 1,
            "bucket": now,
            "prior": None if part["prior"] is None else np.full(size, part["prior"]),
            "season": np.full(size, part["season"]),
        }
        buckets.append(Bucket(ids(*said), numbers(*said.values()), more))
    return buckets


@settings(deadline=None, max_examples=150)
@given(stream=STREAM, parameters=PARAMETERS)
def test_a_stream_scores_as_the_slow_reference(stream: Stream, parameters: dict[str, Any]) -> None:
    detector = Emergence(**parameters)
    slow = Slow(detector)
    for part, bucket in zip(stream, arguments(stream), strict=True):
        scores = detector.learn_many(bucket.features, bucket.counts, **bucket.more)
        n, now = bucket.more["exposure"], bucket.more["bucket"]
        expected = {
            feature: slow.judge(feature, y, n, now, part["prior"], part["season"])
            for feature, y in part["said"].items()
        }
        for place, (feature, judged) in enumerate(expected.items()):
            judged = {name: judged[name] for name in SCORES}
            found = {name: float(getattr(scores, name)[place]) for name in SCORES}
            # What is remembered between buckets is in single precision.
            assert found == pytest.approx(judged, rel=2e-5, abs=2e-5), (feature, now)
        slow.learn(part["said"], n, now, part["season"], expected)
        detector.restart(ids(*part["restart"]))
        for feature in part["restart"]:
            slow.episodes.pop(feature, None)
    mentioned = {feature for _, _, said in slow.history for feature, y in said.items() if y}
    assert detector.features == len(mentioned)


@settings(deadline=None, max_examples=60)
@given(
    stream=STREAM, parameters=PARAMETERS, below=st.sampled_from([0.05, 0.5, 3.0]), later=st.integers(1, 90)
)
def test_forgetting_drops_what_has_faded_and_nothing_else(
    stream: Stream, parameters: dict[str, Any], below: float, later: int
) -> None:
    detector = Emergence(**parameters)
    slow = Slow(detector)
    for part, bucket in zip(stream, arguments(stream), strict=True):
        detector.learn_many(bucket.features, bucket.counts, **bucket.more)
        slow.history.append((bucket.more["bucket"], bucket.more["exposure"], part["said"]))
    now = detector.next_bucket - 1 + later
    before = detector.state_arrays()
    weights = {feature: slow.own(feature, now) for feature in range(1, 7)}
    assume(not any(math.isclose(weight, below, rel_tol=1e-9) for weight in weights.values()))
    remaining = [feature for feature, weight in weights.items() if weight >= below]
    assert detector.forget(below=below, bucket=now) == before["ids"].size - len(remaining)
    after = detector.state_arrays()
    assert after["ids"].tolist() == remaining
    assert detector.features == len(remaining)
    kept = np.isin(before["ids"], after["ids"])
    for name, values in after.items():
        if name != "totals":
            assert np.array_equal(values, before[name][kept])


# --- The contract ----------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(stream=STREAM, parameters=PARAMETERS, order=st.randoms(use_true_random=False))
def test_scoring_changes_nothing_and_the_order_of_features_neither(
    stream: Stream, parameters: dict[str, Any], order: Any
) -> None:
    detector, shuffled = Emergence(**parameters), Emergence(**parameters)
    for bucket in arguments(stream):
        before = detector.state_arrays()
        scored = detector.score_many(bucket.features, bucket.counts, **bucket.more)
        after = detector.state_arrays()
        assert all(np.array_equal(before[name], after[name]) for name in before)
        assert same_scores(scored, detector.learn_many(bucket.features, bucket.counts, **bucket.more))
        places = list(range(bucket.features.size))
        order.shuffle(places)
        other = shuffled.learn_many(bucket.features[places], bucket.counts[places], **bucket.more)
        assert all(np.array_equal(getattr(scored, name)[places], getattr(other, name)) for name in SCORES)
        assert same_state(detector, shuffled)


@settings(deadline=None, max_examples=60)
@given(stream=STREAM, parameters=PARAMETERS, cuts=st.sets(st.integers(0, 9)))
def test_checkpoints_anywhere_change_nothing(
    stream: Stream, parameters: dict[str, Any], cuts: set[int]
) -> None:
    whole, stopped = Emergence(**parameters), Emergence(**parameters)
    for number, bucket in enumerate(arguments(stream)):
        if number in cuts:
            arrays = stopped.state_arrays()
            stopped = Emergence(**parameters)
            stopped.load_state_arrays(arrays)
        if number - 1 in cuts:
            stopped = pickle.loads(pickle.dumps(stopped))
        one = whole.learn_many(bucket.features, bucket.counts, **bucket.more)
        other = stopped.learn_many(bucket.features, bucket.counts, **bucket.more)
        assert same_scores(one, other)
        assert same_state(whole, stopped)
        assert (whole.features, whole.buckets) == (stopped.features, stopped.buckets)


def test_a_checkpoint_is_a_copy() -> None:
    detector = Emergence(warm_up=0)
    detector.learn_many(ids(5), numbers(3), exposure=10, bucket=0)
    arrays = detector.state_arrays()
    kept = {name: values.copy() for name, values in arrays.items()}
    restored = Emergence(warm_up=0)
    restored.load_state_arrays(arrays)
    restored.learn_many(ids(5, 6), numbers(4, 1), exposure=10, bucket=1)
    detector.learn_many(ids(5, 7), numbers(1, 1), exposure=10, bucket=1)
    assert all(np.array_equal(arrays[name], kept[name]) for name in kept)


def test_many_features_find_room() -> None:
    detector = Emergence(warm_up=0)
    chance = np.random.default_rng(3)
    seen: set[int] = set()
    for bucket in range(6):
        features = np.unique(chance.integers(1, 2**64 - 1, 700, dtype=np.uint64))
        detector.learn_many(features, np.ones(features.size, np.int64), exposure=1, bucket=bucket)
        seen |= set(features.tolist())
        assert detector.features == len(seen)
    assert detector.state_arrays()["ids"].tolist() == sorted(seen)


@settings(deadline=None, max_examples=40)
@given(stream=st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), max_size=3), max_size=6))
def test_one_at_a_time_is_the_same_as_many(stream: list[dict[str, int]]) -> None:
    one, many = Emergence(warm_up=0), Emergence(warm_up=0)
    for bucket, said in enumerate(stream):
        x = {"n": 20, **said}
        heard = {name: y for name, y in said.items() if y}
        arrays = ids(*map(feature_id, heard)), numbers(*heard.values())
        scores = many.score_many(*arrays, exposure=20, bucket=bucket)
        assert one.evidence_one(x) == dict(zip(heard, scores.evidence.tolist(), strict=True))
        assert one.score_one(x) == max(scores.evidence.tolist(), default=0.0)
        one.learn_one(x)
        many.learn_many(*arrays, exposure=20, bucket=bucket)
        assert same_state(one, many)


def test_totals() -> None:
    detector = Emergence(half_life=1, warm_up=0)
    assert (detector.next_bucket, detector.buckets, detector.features, detector.tests_per_bucket) == (
        0,
        0,
        0,
        0,
    )
    detector.learn_many(ids(5, 6, 7, 8), numbers(1, 1, 1, 0), exposure=10, bucket=30)
    assert (detector.next_bucket, detector.buckets, detector.features) == (31, 1, 3)
    assert detector.tests_per_bucket == 4
    detector.learn_many(ids(5), numbers(1), exposure=10, bucket=31)
    # A half-life of one bucket: (4 / 2 + 1) tests in (1 / 2 + 1) buckets.
    assert detector.tests_per_bucket == pytest.approx(2)
    detector.learn_many(ids(), numbers(), exposure=0, bucket=40)
    assert (detector.next_bucket, detector.buckets, detector.features) == (41, 11, 3)


def test_river_clones_it() -> None:
    detector = Emergence(half_life=30, strength=2, ratios=(2.0, 5.0), warm_up=1, exposure="authors")
    detector.learn_one({"authors": 9, "queue": 3})
    fresh = detector.clone()
    assert isinstance(fresh, Emergence)
    assert fresh._get_params() == detector._get_params()
    assert (fresh.features, detector.features) == (0, 1)
    assert detector.clone({"half_life": 7.0}).half_life == 7.0
    assert same_state(pickle.loads(pickle.dumps(detector)), detector)
