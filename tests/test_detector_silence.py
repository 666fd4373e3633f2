"""Silence against a slow reference with scipy's negative binomial, and on simulated streams."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from detectors.silence import DEFAULT_RATIOS, Silence, SilenceScores

STORE = np.array([7], np.uint64)
YEAR = 365


def counts(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def learned(detector: Silence, stream: Any, start: int = 0) -> SilenceScores:
    """Scores of the last bucket of one series' stream."""
    for bucket, y in enumerate(stream, start):
        scores = detector.learn_many(STORE, counts(y), bucket=bucket)
    return scores


# --- A slow reference --------------------------------------------------------------------------------------


@dataclass
class Slow:
    """The estimator as sums over everything one series ever learned. Not fast, not clever."""

    known: Silence
    days: list[dict[str, float]] = field(default_factory=list)
    weeks: list[dict[str, float]] = field(default_factory=list)
    week: list[dict[str, float]] = field(default_factory=list)
    r: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    run: float = 0.0
    peak: float = 0.0
    episode: dict[str, float] = field(default_factory=dict)

    def kept(self, age: float, half_lives: float = 1.0) -> float:
        return float(0.5 ** (age / (half_lives * self.known.half_life)))

    def dispersion(self, now: int) -> float:
        period = self.known.period
        weigh = [w["weight"] * self.kept((now // period - w["closed"]) * period, 2) for w in self.weeks]
        off = sum(k * (w["y"] - w["mean"]) ** 2 for k, w in zip(weigh, self.weeks, strict=True))
        fit = sum(k * w["mean"] for k, w in zip(weigh, self.weeks, strict=True))
        return max(1.0, (off + 20) / (fit + 20))

    def profile(self, now: int) -> tuple[float, float]:
        weigh = np.array([d["weight"] * self.kept(now - d["bucket"], 2) for d in self.days])
        y = np.array([d["y"] for d in self.days])
        factor = np.array([d["factor"] for d in self.days])
        same = np.array([d["bucket"] % self.known.period == now % self.known.period for d in self.days])
        if not (weigh * factor).sum():
            return 1.0, 1 / self.known.day_strength
        usual = (weigh * y).sum() / (weigh * factor).sum() * (weigh * factor * same).sum()
        strength = self.known.day_strength
        return ((weigh * y * same).sum() + strength) / (usual + strength), 1 / (usual + strength)

    def level(self, now: int, dispersion: float) -> tuple[float, float]:
        """A weighted straight line through rates over time, its slope shrunk."""
        weigh = np.array([d["weight"] * self.kept(now - d["bucket"]) for d in self.days])
        y, x, t = (np.array([d[name] for d in self.days]) for name in ("y", "x", "bucket"))
        w = weigh * x
        if not (weigh * y).sum() > 0 or not w.sum() > 0:
            return 0.0, 0.0
        rate = (weigh * y).sum() / w.sum()
        middle = (w * t).sum() / w.sum()
        spread = (w * (t - middle) ** 2).sum()
        variance = dispersion / (weigh * y).sum()
        if rate * spread <= 1e-9:
            return rate, variance
        slope = (weigh * y * (t - middle)).sum() / spread / rate
        noise = dispersion / (rate * spread)
        share = self.known.trend**2 / (self.known.trend**2 + noise)
        turn = np.clip(share * slope * (now - middle), -math.log(2), math.log(2))
        return rate * math.exp(turn), variance + share * noise * (now - middle) ** 2

    def learn(self, y: int, factor: float, now: int) -> dict[str, float]:
        """Judge and learn one bucket after the other, none skipped."""
        # A week counts from the bucket after the one that closes it.
        dispersion = self.dispersion(now - 1)
        profile, profile_variance = self.profile(now)
        level, variance = self.level(now, dispersion)
        mean = level * profile * factor
        variance += dispersion * profile_variance
        log_e, same, taught, evidence = 0.0, 1.0, float(y), 0.0
        if self.run == 0:
            self.episode = {"since": now, "observed": 0.0, "expected": 0.0}
        self.episode["observed"] += y
        self.episode["expected"] += mean
        first = int(self.days[0]["bucket"]) if self.days else now
        if now - first >= self.known.warm_up and mean > 1e-9:
            excess = dispersion - 1 + mean * variance
            shape = mean / max(excess, 1e-9)
            usual = stats.nbinom.logpmf(y, shape, shape / (shape + mean))
            e = [
                math.exp(stats.nbinom.logpmf(y, shape, shape / (shape + mean / ratio)) - usual)
                for ratio in DEFAULT_RATIOS
            ]
            log_e = math.log(sum(e) / 3)
            self.r = [(1 + r) * one for r, one in zip(self.r, e, strict=True)]
            strong = sum(self.r) / 3
            self.run = max(0.0, self.run + log_e)
            self.peak = max(self.peak, self.run)
            same = 1 / (1 + strong / self.known.doubt)
            if self.peak - self.run >= 3:
                self.run, self.r = 0.0, [0.0, 0.0, 0.0]
            self.peak = self.peak if self.run else 0.0
            taught = min(y, mean + 3 * math.sqrt(mean * (1 + excess)) + 1)
        if self.run and self.episode["expected"] >= self.known.min_authors:
            evidence = max(0.0, math.log(sum(self.r) / 3))
        self.after(now, first, taught, mean, same)
        day = {"bucket": now, "y": taught, "x": profile * factor, "factor": factor}
        self.days.append({**day, "weight": max(0.25, same) if factor else 0.0})
        return {"log_e": log_e, "evidence": evidence, "usual": mean, **self.episode}

    def after(self, now: int, first: int, y: float, mean: float, same: float) -> None:
        if now % self.known.period == 0:
            whole = {name: sum(d[name] for d in self.week) for name in ("y", "mean")}
            self.weeks.append({**whole, "weight": same, "closed": now // self.known.period})
            self.week = []
        if now - first >= self.known.period:
            self.week.append({"y": y, "mean": mean})


DAY = st.tuples(st.integers(0, 9) | st.just(40), st.sampled_from([1.0, 1.0, 1.0, 0.4, 0.0]))


@settings(deadline=None, max_examples=40)
@given(
    stream=st.lists(DAY, max_size=30),
    silent=st.integers(0, 20),
    start=st.integers(0, 9),
    half_life=st.sampled_from([3.0, 60.0]),
    period=st.sampled_from([1, 3, 7]),
    trend=st.sampled_from([0.0, 0.01]),
)
def test_a_stream_scores_as_the_slow_reference(
    stream: list[tuple[int, float]], silent: int, start: int, half_life: float, period: int, trend: float
) -> None:
    detector = Silence(half_life=half_life, period=period, trend=trend, warm_up=5, doubt=20.0)
    slow = Slow(detector)
    begun = False
    for bucket, (y, factor) in enumerate([*stream, *[(0, 1.0)] * silent, (3, 1.0), (9, 1.0)], start):
        factors = np.array([factor])
        scores = detector.learn_many(STORE, counts(y), bucket=bucket, factor=factors)
        begun = begun or y > 0
        if begun:
            expected = slow.learn(y, factor, bucket)
            found = {name: float(getattr(scores, name)[0]) for name in expected}
            assert found == pytest.approx(expected, rel=1e-6, abs=1e-6), bucket
            assert bool(scores.running[0]) == (slow.run > 0)
        else:
            assert (scores.usual[0], scores.evidence[0]) == (0, 0)


# --- What it is for ----------------------------------------------------------------------------------------


def weekly(weeks: int, size: int = 12) -> list[int]:
    return [size if day % 7 == 2 else 0 for day in range(7 * weeks)]


def test_a_source_that_delivers_weekly_is_judged_at_that_rhythm() -> None:
    detector = Silence()
    for bucket, y in enumerate(weekly(30)):
        scores = detector.learn_many(STORE, counts(y), bucket=bucket)
        assert scores.evidence[0] < 2
        if bucket > 150:
            assert scores.usual[0] == pytest.approx(y, abs=2)
    missed = [detector.learn_many(STORE, counts(0), bucket=bucket).evidence[0] for bucket in range(210, 220)]
    assert max(missed[:2]) < 2
    assert missed[2] > math.log(YEAR)


def test_an_episode_says_what_was_expected_and_ends_when_volume_is_back() -> None:
    detector = Silence()
    before = learned(detector, [5] * 70)
    assert not before.running[0]
    silent = learned(detector, [0] * 10, start=70)
    assert silent.running[0]
    assert silent.since[0] == 70
    assert silent.observed[0] == 0
    assert silent.expected[0] == pytest.approx(50, rel=0.2)
    back = learned(detector, [5, 5], start=80)
    assert not back.running[0]
    assert back.evidence[0] == 0
    later = detector.score_many(STORE, counts(5), bucket=82)
    assert later.usual[0] == pytest.approx(5, rel=0.15)


def test_half_the_volume_after_a_silence_is_still_an_episode() -> None:
    detector = Silence()
    learned(detector, [10] * 70)
    scores = learned(detector, [0, 0, 0, 4, 5, 4, 5], start=70)
    assert scores.running[0]
    assert (scores.since[0], scores.observed[0]) == (70, 18)


def test_a_series_that_is_not_given_wrote_nothing() -> None:
    given, left_out = Silence(), Silence()
    other = np.array([3], np.uint64)
    for detector in (given, left_out):
        learned(detector, [4] * 60)
    for bucket in range(60, 66):
        one = given.learn_many(STORE, counts(0), bucket=bucket)
        two = left_out.learn_many(other, counts(2), bucket=bucket, absent_factor=1.0)
        place = int(np.flatnonzero(two.series == STORE[0])[0])
        assert two.evidence[place] == one.evidence[0]
    assert two.evidence[place] > math.log(YEAR)
    empty = left_out.learn_many(other[:0], counts(), bucket=66)
    assert empty.evidence[np.flatnonzero(empty.series == STORE[0])[0]] > two.evidence[place]


def test_a_closing_day_expects_nothing() -> None:
    detector = Silence()
    learned(detector, [6] * 60)
    for bucket in range(60, 75):
        scores = detector.learn_many(STORE, counts(0), bucket=bucket, factor=np.zeros(1))
        assert (scores.usual[0], scores.evidence[0], scores.running[0]) == (0, 0, False)
    for bucket in range(75, 80):
        scores = detector.learn_many(STORE[:0], counts(), bucket=bucket, absent_factor=0.0)
        assert scores.evidence[0] == 0
    after = detector.score_many(STORE, counts(6), bucket=80)
    assert after.usual[0] == pytest.approx(6, rel=0.1)


def test_skipped_buckets_are_unknown_not_silent() -> None:
    detector = Silence()
    learned(detector, [6] * 60)
    scores = detector.score_many(STORE, counts(0), bucket=90)
    assert scores.since[0] == 90
    assert scores.expected[0] < 8
    long_after = detector.score_many(STORE, counts(0), bucket=60 + 20 * 365)
    assert long_after.evidence[0] < 2


def test_what_never_wrote_is_new_or_is_rare_stays_quiet() -> None:
    never, new, rare = Silence(), Silence(), Silence()
    for bucket in range(400):
        scores = never.learn_many(STORE, counts(0), bucket=bucket)
        assert (scores.evidence[0], scores.usual[0]) == (0, 0)
    for bucket in range(28):
        scores = new.learn_many(STORE, counts(9 if bucket < 20 else 0), bucket=bucket)
        assert scores.evidence[0] == 0
    for bucket in range(400):
        y = 1 if bucket % 45 == 0 and bucket < 200 else 0
        assert rare.learn_many(STORE, counts(y), bucket=bucket).evidence[0] < math.log(YEAR)


def test_fewer_expected_authors_than_the_minimum_have_no_evidence() -> None:
    for least, told in ((0.0, True), (5.0, False)):
        detector = Silence(min_authors=least)
        scores = learned(detector, [4] * 60 + [0])
        assert (scores.evidence[0] > 0) == told
        assert scores.running[0]


@pytest.mark.parametrize("rush", [[60] * 5, [25] * 14])
def test_the_end_of_a_rush_is_no_silence(rush: list[int]) -> None:
    chance = np.random.default_rng(45)
    detector = Silence()
    learned(detector, chance.poisson(5, 80).tolist() + rush)
    for bucket in range(80 + len(rush), 150):
        scores = detector.learn_many(STORE, counts(int(chance.poisson(5))), bucket=bucket)
        assert scores.evidence[0] < math.log(YEAR)


def test_a_closing_day_in_an_episode_leaves_evidence_as_it_is() -> None:
    detector = Silence()
    before = learned(detector, [4] * 60 + [0] * 8)
    closed: dict[str, Any] = {"counts": counts(0), "factor": np.zeros(1)}
    assert detector.score_many(STORE, bucket=68, **closed).evidence[0] == before.evidence[0]
    detector.restart(STORE)
    assert detector.score_many(STORE, bucket=68, **closed).evidence[0] == 0


def test_after_an_alarm_evidence_begins_anew_and_the_episode_goes_on() -> None:
    detector = Silence()
    before = learned(detector, [4] * 60 + [0] * 8)
    detector.restart(STORE)
    after = detector.learn_many(STORE, counts(0), bucket=68)
    assert after.evidence[0] < before.evidence[0] / 2
    assert (after.since[0], after.running[0]) == (60, True)
    assert after.expected[0] > before.expected[0]


# --- Bad values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"half_life": 0.5}, "half_life is 0.5"),
        ({"period": 0}, "period is 0"),
        ({"ratios": ()}, "each must be above 1"),
        ({"ratios": (2.0, 1.0)}, "each must be above 1"),
        ({"trend": -0.1}, "trend is -0.1"),
        ({"day_strength": 0}, "both must be above 0"),
        ({"doubt": 0}, "both must be above 0"),
        ({"warm_up": 0}, "warm_up is 0"),
        ({"min_authors": -1}, "min_authors is -1"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Silence(**parameters)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": counts(1, -1)}, "go down to -1"),
        ({"counts": np.array([1.0, math.nan])}, "must be integers"),
        ({"counts": counts(1)}, "2 series but 1 counts"),
        ({"factor": np.ones(3)}, "2 series but 3 factor"),
        ({"factor": np.array([1.0, math.nan])}, "a factor is nan"),
        ({"factor": np.array([1.0, math.inf])}, "a factor is inf"),
        ({"factor": np.array([-0.5, 1.0])}, "a factor is -0.5"),
        ({"absent_factor": math.nan}, "a factor is nan"),
        ({"series": np.array([7, 7], np.uint64)}, "distinct"),
        ({"bucket": 4}, "bucket is 4"),
    ],
)
@pytest.mark.parametrize("method", ["score_many", "learn_many"])
def test_a_bucket_that_cannot_be_is_refused_and_leaves_no_trace(
    changes: dict[str, Any], message: str, method: str
) -> None:
    detector = Silence()
    learned(detector, [3, 2, 4, 1, 2])
    before = detector.state_arrays()
    usual = {"series": np.array([7, 8], np.uint64), "counts": counts(1, 2), "bucket": 5}
    with pytest.raises(ValueError, match=message):
        getattr(detector, method)(**(usual | changes))
    after = detector.state_arrays()
    assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("value", [math.nan, math.inf, 1.5])
def test_one_at_a_time_refuses_what_is_no_count(value: float) -> None:
    with pytest.raises(ValueError, match="authors is"):
        Silence().learn_one({"authors": value})
    assert Silence().score_one({}) == 0
