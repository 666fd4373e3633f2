"""Drift against a slow reference on random streams, and what holds for every stream."""

import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special

from detectors.drift import DEFAULT_SIZES, Drift, DriftScores

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


def same_scores(one: DriftScores, other: DriftScores) -> bool:
    return all(np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))


def same_state(one: Drift, other: Drift) -> bool:
    left, right = one.state_arrays(), other.state_arrays()
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


@dataclass
class Slow:
    """The estimator for one series, as sums over all it ever learned. Not fast, not clever."""

    sizes: tuple[float, ...]
    half_life: float
    warm_up: float
    level: list[tuple[int, float, float]] = field(default_factory=list)
    """Bucket, effective values and mean."""
    spread: list[tuple[int, float, float, float, float]] = field(default_factory=list)
    """Bucket, values, squares, squares between buckets, 1 but for the first bucket."""
    running: dict[float, dict[str, Any]] = field(default_factory=dict)

    def aged(self, then: int, now: int) -> float:
        return float(0.5 ** ((now - then) / self.half_life))

    def baseline(self, now: int) -> dict[str, float]:
        weight = math.fsum(self.aged(t, now) * w for t, w, _ in self.level)
        mean = math.fsum(self.aged(t, now) * w * m for t, w, m in self.level) / weight if weight else 0.0
        count, squares, between, buckets = (
            math.fsum(self.aged(row[0], now) * row[k] for row in self.spread) for k in (1, 2, 3, 4)
        )
        variance = max(1e-4, (squares + 0.25) / max(1, count))
        day = max(0.0, between - buckets * variance) / (variance * count) if count else 0.0
        return {"weight": weight, "mean": mean, "buckets": buckets, "variance": variance, "day": day}

    def step(self, values: Values, bucket: int, hold: bool) -> tuple[float, float]:
        """Highest evidence of a rise and of a fall, this bucket included; then learn it."""
        base = self.baseline(bucket)
        if values and base["weight"] >= self.warm_up:
            for size in (*self.sizes, *(-size for size in self.sizes)):
                self.advance(size, base, values)
        if hold:
            self.running = {size: episode for size, episode in self.running.items() if size < 0}
        found = [
            max((self.evidence(e) for size, e in self.running.items() if size * sign > 0), default=0.0)
            for sign in (1, -1)
        ]
        if values and not hold:
            self.learn(values, bucket, base)
        return found[0], found[1]

    def advance(self, size: float, base: dict[str, float], values: Values) -> None:
        mean = math.fsum(values) / len(values)
        if size not in self.running:
            self.running[size] = {"base": base, "buckets": []}
        episode = self.running[size]
        episode["buckets"].append((len(values), mean))
        statistic = self.statistic(size, episode)
        if statistic <= 0 or self.effective(episode) > 2 * episode["base"]["weight"]:
            del self.running[size]
        else:
            episode["statistic"] = statistic

    def effective(self, episode: dict[str, Any]) -> float:
        return math.fsum(n / (1 + n * episode["base"]["day"]) for n, _ in episode["buckets"])

    def statistic(self, size: float, episode: dict[str, Any]) -> float:
        base = episode["base"]
        mean = (base["weight"] * base["mean"] + 0.5) / (base["weight"] + 1)
        mean = min(max(mean, 5e-4), 1 - 5e-4)
        shape = min(base["variance"], 0.95 * mean * (1 - mean))
        both = mean * (1 - mean) / shape - 1
        tilt = size / math.sqrt(shape)
        cost = math.log(special.hyp1f1(both * mean, both, tilt)) - tilt * mean
        return math.fsum(
            n / (1 + n * base["day"]) * (tilt * (m - base["mean"]) - cost) for n, m in episode["buckets"]
        )

    def evidence(self, episode: dict[str, Any]) -> float:
        base = episode["base"]
        share = base["weight"] / (base["weight"] + self.effective(episode))
        freedom = 1 + base["buckets"]
        return float(freedom / 2 * math.log1p(2 * episode["statistic"] * share / freedom))

    def learn(self, values: Values, bucket: int, base: dict[str, float]) -> None:
        n, mean = len(values), math.fsum(values) / len(values)
        within = math.fsum((value - mean) ** 2 for value in values)
        between = (mean - base["mean"]) ** 2 * n * base["weight"] / (base["weight"] + n)
        self.level.append((bucket, n / (1 + n * base["day"]), mean))
        self.spread.append((bucket, n, within + between, between, 1.0 if self.spread else 0.0))

    def restart(self, bucket: int) -> None:
        if self.running:
            strongest = max(self.running.values(), key=self.evidence)
            count = sum(n for n, _ in strongest["buckets"])
            mean = math.fsum(n * m for n, m in strongest["buckets"]) / count
            self.level = [(bucket, self.effective(strongest) / 2, mean)]
        self.running = {}


BUCKET = st.fixed_dictionaries(
    {
        "gap": st.sampled_from([1, 1, 1, 4]),
        "values": st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.8, 1.0]), max_size=8)
        | st.sampled_from([[0.7] * 40, [0.2, 0.9] * 15]),
        "hold": st.sampled_from([False, False, False, True]),
        "restart": st.sampled_from([False, False, False, True]),
    }
)


STREAM = st.lists(BUCKET, max_size=14)


Stream = list[dict[str, Any]]


@settings(deadline=None, max_examples=150)
@given(
    stream=STREAM,
    half_life=st.sampled_from([2.0, 730.0]),
    warm_up=st.sampled_from([2.0, 12.0]),
    sizes=st.sampled_from([(1.0,), DEFAULT_SIZES]),
)
def test_a_stream_scores_as_the_slow_reference(
    stream: Stream, half_life: float, warm_up: float, sizes: tuple[float, ...]
) -> None:
    detector = Drift(half_life=half_life, warm_up=warm_up, sizes=sizes)
    slow, now = Slow(sizes, half_life, warm_up), 3
    for part in stream:
        now += part["gap"]
        scores = detector.learn_many(ids(9), *sums(part["values"]), bucket=now, hold=np.array([part["hold"]]))
        up, down = slow.step(part["values"], now, part["hold"])
        assert (scores.up[0], scores.down[0]) == pytest.approx((up, down), rel=1e-6, abs=1e-6)
        if part["restart"]:
            detector.restart(ids(9, 77))
            slow.restart(now)


MANY = st.lists(
    st.dictionaries(
        st.integers(1, 6), st.lists(st.sampled_from([0.0, 0.3, 0.9, 1.0]), max_size=20), max_size=5
    ),
    max_size=10,
)


Many = list[dict[int, Values]]


def learned(stream: Many, order: Callable[[list[int]], list[int]] = list) -> tuple[Drift, list[DriftScores]]:
    detector = Drift(warm_up=5)
    scores = []
    for bucket, said in enumerate(stream):
        names = order(list(said))
        scores.append(
            detector.learn_many(ids(*names), *sums(*(said[name] for name in names)), bucket=3 * bucket)
        )
    return detector, scores


@settings(deadline=None, max_examples=60)
@given(stream=MANY, said=st.lists(st.sampled_from([0.0, 1.0]), max_size=9))
def test_scoring_is_pure_and_says_what_learning_says(stream: Many, said: Values) -> None:
    detector, _ = learned(stream)
    before = pickle.loads(pickle.dumps(detector))
    bucket = detector.next_bucket + 2
    scores = detector.score_many(ids(4, 2), *sums(said, [0.3]), bucket=bucket)
    assert same_state(detector, before)
    assert same_scores(scores, detector.learn_many(ids(4, 2), *sums(said, [0.3]), bucket=bucket))


@settings(deadline=None, max_examples=60)
@given(stream=MANY)
def test_the_order_of_series_does_not_matter(stream: Many) -> None:
    one, scores = learned(stream)
    other, turned = learned(stream, lambda names: sorted(names, reverse=True))
    assert same_state(one, other)
    for said, left, right in zip(stream, scores, turned, strict=True):
        place = {name: i for i, name in enumerate(sorted(said, reverse=True))}
        for i, name in enumerate(said):
            assert left.evidence[i] == right.evidence[place[name]]


@settings(deadline=None, max_examples=60)
@given(stream=MANY, alone=st.integers(1, 6))
def test_a_series_alone_is_the_same_among_many(stream: Many, alone: int) -> None:
    _, scores = learned(stream)
    _, single = learned([{name: v for name, v in said.items() if name == alone} for said in stream])
    for said, among, own in zip(stream, scores, single, strict=True):
        if alone in said:
            i = list(said).index(alone)
            assert [getattr(among, f.name)[i] for f in fields(among)] == [
                getattr(own, f.name)[0] for f in fields(own)
            ]


@settings(deadline=None, max_examples=60)
@given(stream=MANY, cut=st.integers(0, 10))
def test_a_checkpoint_resumes_where_it_was_taken(stream: Many, cut: int) -> None:
    whole, _ = learned(stream)
    first, _ = learned(stream[:cut])
    resumed = Drift(warm_up=5)
    resumed.load_state_arrays(first.state_arrays())
    assert same_state(resumed, first)
    for bucket, said in list(enumerate(stream))[cut:]:
        resumed.learn_many(ids(*said), *sums(*said.values()), bucket=3 * bucket)
    assert same_state(resumed, whole)


def test_a_checkpoint_is_a_copy_in_order_of_id() -> None:
    detector = Drift()
    detector.learn_many(ids(8, 3), *sums([0.5], [0.1]), bucket=0)
    arrays = detector.state_arrays()
    assert arrays["ids"].tolist() == [3, 8]
    arrays["base"][:] = 7
    assert detector.state_arrays()["base"].max() < 7


def test_one_at_a_time_is_the_same_as_many() -> None:
    one, many = Drift(), Drift()
    chance = np.random.default_rng(5)
    for bucket in range(50):
        values = chance.random(6).tolist() if bucket < 40 else [0.95] * 6
        n, total, squares = sums(values)
        x = {"n": int(n[0]), "sum": float(total[0]), "sum_sq": float(squares[0])}
        score = one.score_one(x)
        one.learn_one(x)
        assert score == many.learn_many(ids(1), n, total, squares, bucket=bucket).evidence[0]
    assert score > 5
    assert same_state(one, many)
