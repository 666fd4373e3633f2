"""Emergence against hand-worked steps, scipy's negative binomial and a slow reference."""

import math
import pickle
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from detectors.emergence import DEFAULT_RATIOS, Emergence, EmergenceScores
from detectors.features import feature_id

ENDLESS = 1e18
"""A half-life without effect."""
OVER = 0.5
SCORES = ("log_e", "statistic", "evidence", "rate", "since", "observed", "expected")


def ids(*numbers: int) -> NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def numbers(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def rates(*values: float) -> NDArray[np.float64]:
    return np.array(values, np.float64)


def same_scores(one: EmergenceScores, other: EmergenceScores) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in SCORES)


def same_state(one: Emergence, other: Emergence) -> bool:
    left, right = one.state_arrays(), other.state_arrays()
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


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


# --- Whole histories against a slow reference ------------------------------------------------------------


@dataclass
class Slow:
    """The estimator as sums over everything it ever learned. Not fast, not clever."""

    parameters: Emergence
    history: list[tuple[int, int, dict[int, int]]] = field(default_factory=list)
    evidence: dict[int, float] = field(default_factory=dict)
    episodes: dict[int, dict[str, float]] = field(default_factory=dict)

    def faded(self, value: float, then: int, now: int) -> float:
        return float(value * 0.5 ** ((now - then) / self.parameters.half_life))

    def own(self, feature: int, now: int) -> float:
        return sum(self.faded(said.get(feature, 0), then, now) for then, _, said in self.history)

    def wrote(self, now: int) -> float:
        return sum(self.faded(n, then, now) for then, n, _ in self.history)

    def judge(
        self, feature: int, y: int, n: int, bucket: int, prior: float | None, season: float
    ) -> dict[str, float]:
        known = self.parameters
        strength = known.base_strength if prior is None else known.strength
        usual = max(prior or 0.0, known.base_rate)
        shape = self.own(feature, bucket) + strength
        scale = (self.wrote(bucket) + strength / usual) / season
        running = self.evidence.get(feature, 0.0)
        if running > 0:
            last = max(place for place, (_, _, said) in enumerate(self.history) if said.get(feature))
            silent = min(sum(n for _, n, _ in self.history[last + 1 :]), self.wrote(bucket))
            kept = [(scale / (scale + (ratio - 1) * silent)) ** shape for ratio in known.ratios]
            age = bucket - self.history[last][0]
            running = running * 0.5 ** (age / known.fade) + math.log(sum(kept) / len(kept))
            if running < OVER:
                running = 0.0
        log_e = self.log_ratio(y, shape, scale, n)
        episode = {"since": bucket, "rate": shape / scale, "observed": 0.0}
        if running > 0:
            episode = self.episodes[feature]
        exposure = n + sum(n for then, n, _ in self.history if then >= episode["since"])
        judged = not self.history or bucket - self.history[0][0] >= known.warm_up
        if not self.history:
            judged = known.warm_up == 0
        statistic = running + log_e if judged else 0.0
        observed, expected = episode["observed"] + y, episode["rate"] * exposure
        whole = self.log_ratio(observed, known.dispersion, known.dispersion / expected, 1.0)
        return {
            "log_e": log_e,
            "statistic": statistic,
            "evidence": min(statistic, whole),
            "rate": shape / scale,
            "since": episode["since"],
            "observed": observed,
            "expected": expected,
            "base": episode["rate"],
        }

    def log_ratio(self, y: float, shape: float, scale: float, n: float) -> float:
        """Negative binomials of rates that are Gamma(shape, scale): multiplied over as they are."""
        same = shape * math.log(scale / (scale + n)) + y * math.log(n / (scale + n))
        change = [
            shape * math.log(scale / (scale + ratio * n)) + y * math.log(ratio * n / (scale + ratio * n))
            for ratio in self.parameters.ratios
        ]
        return float(np.logaddexp.reduce(change)) - math.log(len(change)) - same

    def learn(self, said: dict[int, int], n: int, bucket: int, scores: dict[int, dict[str, float]]) -> None:
        for feature, y in said.items():
            if y:
                judged = scores[feature]
                self.evidence[feature] = max(0.0, judged["statistic"])
                self.episodes[feature] = {
                    "since": judged["since"],
                    "rate": judged["base"],
                    "observed": judged["observed"],
                }
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
        "fade": st.sampled_from([1.0, 14.0]),
        "dispersion": st.sampled_from([0.5, 4.0, 1e3]),
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
            found = {name: float(getattr(scores, name)[place]) for name in judged if name != "base"}
            judged = {name: value for name, value in judged.items() if name != "base"}
            assert found == pytest.approx(judged, rel=1e-7, abs=1e-7), (feature, now)
        slow.learn(part["said"], n, now, expected)
        detector.restart(ids(*part["restart"]))
        for feature in part["restart"]:
            slow.evidence[feature] = 0.0
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
    before = pickle.loads(pickle.dumps(detector))
    given_values: dict[str, Any] = {
        "features": ids(5, 6),
        "counts": numbers(1, 2),
        "exposure": 10,
        "bucket": 5,
    } | changes
    with pytest.raises(ValueError, match=message):
        (detector.learn_many if learn else detector.score_many)(**given_values)
    assert same_state(detector, before)
