"""Mismatch of score and verbatim, answers without text, and waves of invited answers."""

import math
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from river import checks, datasets

from detectors.drift import Drift
from detectors.mismatch import Answers, Mismatch, MismatchScores
from detectors.wave import Wave

ALARM = math.log(10_000)


def ids(*numbers: int) -> NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def counts(*values: float) -> NDArray[Any]:
    return np.array(values)


def answers(*series: tuple[int, int, list[float]]) -> Answers:
    """Series 1, 2, ...: answers, those without text, and score less mood of those with both."""
    gaps = [gap for _, _, gap in series]
    return Answers(
        ids(*range(1, len(series) + 1)),
        np.array([n for n, _, _ in series], np.int64),
        np.array([k for _, k, _ in series], np.int64),
        np.array([len(gap) for gap in gaps], np.int64),
        np.array([math.fsum(gap) for gap in gaps]),
        np.array([math.fsum(d * d for d in gap) for gap in gaps]),
    )


def same_state(one: Any, other: Any) -> bool:
    left, right = one.state_arrays(), other.state_arrays()
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


# --- A wave by hand: four answers a day, half of them without text --------------------------------------


def four_a_day(half_life: float = 1e12, days: int = 20) -> Wave:
    wave = Wave(half_life=half_life)
    for day in range(days):
        wave.learn_many(ids(1), counts(4), counts(2), bucket=day)
    return wave


def test_many_answers_without_text_by_hand() -> None:
    scores = four_a_day().score_many(ids(1), counts(10), counts(9), bucket=20)
    # Twice four are looked for, Poisson; and three quarters without text instead of half.
    expected = 10 * math.log(2) - 4 + 9 * math.log(0.75 / 0.5) - math.log(2)
    assert scores.evidence[0] == pytest.approx(expected)
    assert (scores.wave[0], scores.since[0], scores.observed[0]) == (True, 20, 10)
    assert scores.expected[0] == pytest.approx(4)


def test_usual_text_holds_a_wave_back_and_a_multitude_is_enough() -> None:
    wave = four_a_day()
    few, many = (wave.score_many(ids(1), counts(y), counts(y // 2), bucket=20) for y in (12, 24))
    expected = 12 * math.log(2) - 4 + 6 * math.log(0.75 / 0.5) - 6 * math.log(2)
    assert few.evidence[0] == pytest.approx(expected)
    assert (few.wave[0], many.wave[0]) == (False, True)


def test_less_text_without_more_answers_is_no_wave() -> None:
    wave = four_a_day()
    for day in range(20, 60):
        scores = wave.learn_many(ids(1), counts(4), counts(4), bucket=day)
        assert scores.evidence[0] == 0


def test_busy_days_make_a_wave_less_certain() -> None:
    busy = Wave(half_life=1e12)
    for day in range(20):
        busy.learn_many(ids(1), counts(0 if day % 2 else 8), counts(0 if day % 2 else 4), bucket=day)
    calm = four_a_day().score_many(ids(1), counts(12), counts(11), bucket=20).evidence[0]
    assert 0 < busy.score_many(ids(1), counts(12), counts(11), bucket=20).evidence[0] < calm / 2


def test_days_not_given_are_days_without_answers() -> None:
    given, absent = Wave(half_life=9), Wave(half_life=9)
    for day in range(60):
        y = 5 if day % 3 == 0 else 0
        given.learn_many(ids(1), counts(y), counts(y), bucket=day)
        if y:
            absent.learn_many(ids(1), counts(y), counts(y), bucket=day)
    last = {"bucket": 60}
    one = given.score_many(ids(1), counts(9), counts(9), **last)
    other = absent.score_many(ids(1), counts(9), counts(9), **last)
    assert other.expected[0] == pytest.approx(one.expected[0])
    # Ages and dispersion are those of the same days, but for the order of taking them in.
    assert other.evidence[0] == pytest.approx(one.evidence[0], rel=0.3)


def test_a_wave_ends_with_its_answers_and_by_itself_in_weeks() -> None:
    short, lasting = four_a_day(half_life=28, days=60), four_a_day(half_life=28, days=60)
    on: list[tuple[bool, bool]] = []
    for day in range(60, 130):
        y = 16 if day < 70 else 4
        scores = short.learn_many(ids(1), counts(y), counts(y - 2), bucket=day)
        other = lasting.learn_many(ids(1), counts(16), counts(14), bucket=day)
        on.append((bool(scores.wave[0]), bool(other.wave[0])))
    assert all(one for one, _ in on[:10])
    assert not any(one for one, _ in on[16:])
    assert all(other for _, other in on[:21])
    assert not any(other for _, other in on[50:])


def test_warm_up_of_a_wave() -> None:
    wave = Wave(warm_up=5)
    for day in range(5):
        assert wave.learn_many(ids(1), counts(4), counts(2), bucket=day).evidence[0] == 0
        assert wave.score_many(ids(2), counts(90), counts(90), bucket=day + 1).evidence[0] == 0
    assert wave.score_many(ids(1), counts(20), counts(20), bucket=5).wave[0]


def test_a_wave_can_be_begun_anew() -> None:
    wave = four_a_day()
    wave.learn_many(ids(1), counts(20), counts(20), bucket=20)
    wave.restart(ids(1, 9))
    assert wave.score_many(ids(1), counts(4), counts(2), bucket=21).evidence[0] == 0


# --- A wave is no recovery ------------------------------------------------------------------------------


def test_invited_answers_do_not_read_as_recovery_nor_their_end_as_a_fall() -> None:
    """Stores of two answers a day; for three weeks eight invited ones come on top, kind and wordless."""
    stores, chance = 60, np.random.default_rng(7_001)
    series = np.arange(1, stores + 1, dtype=np.uint64)
    wave, held, plain = Wave(), Drift(), Drift()
    alarms = {"held": np.zeros(stores, bool), "plain": np.zeros(stores, bool)}
    for day in range(260):
        invited = chance.poisson(8, stores) if 200 <= day < 221 else np.zeros(stores, int)
        own = chance.poisson(2, stores)
        n = own + invited
        scores = [
            np.r_[chance.beta(6, 3, a), chance.beta(9, 1, b)] for a, b in zip(own, invited, strict=True)
        ]
        sums = np.array([x.sum() for x in scores]), np.array([(x**2).sum() for x in scores])
        without_text = chance.binomial(own, 0.5) + chance.binomial(invited, 0.9)
        on = wave.learn_many(series, n, without_text, bucket=day).wave
        for name, drift, hold in (("held", held, on), ("plain", plain, None)):
            evidence = drift.learn_many(series, n, *sums, bucket=day, hold=hold).evidence
            alarms[name] |= (evidence >= math.log(1_000)) & (day >= 200)
    assert alarms["plain"].mean() > 0.9
    assert alarms["held"].mean() < 0.1


def test_a_real_recovery_is_found() -> None:
    stores, chance = 60, np.random.default_rng(7_002)
    series = np.arange(1, stores + 1, dtype=np.uint64)
    wave, drift = Wave(), Drift()
    found = np.zeros(stores, bool)
    for day in range(260):
        n = chance.poisson(2.5 if day >= 200 else 2, stores)
        scores = [chance.beta(6, 3, k) if day < 200 else chance.beta(7.5, 1.5, k) for k in n]
        on = wave.learn_many(series, n, chance.binomial(n, 0.5), bucket=day).wave
        sums = np.array([x.sum() for x in scores]), np.array([(x**2).sum() for x in scores])
        found |= drift.learn_many(series, n, *sums, bucket=day, hold=on).up >= math.log(1_000)
    assert found.mean() > 0.95


# --- Mismatch -------------------------------------------------------------------------------------------

USUAL = (6, 2, [0.3, -0.2, 0.1, 0.0])
KIND_SCORE = (6, 2, [1.3, 0.8, 1.1, 1.0])
KIND_TEXT = (6, 2, [-1.3, -0.8, -1.1, -1.0])
WORDLESS: tuple[int, int, list[float]] = (6, 6, [])


def usual_days(series: int, days: int = 40) -> Mismatch:
    detector = Mismatch()
    for day in range(days):
        scores = detector.learn_many(answers(*[USUAL] * series), bucket=day)
        assert scores.evidence.max(initial=0) < 1
    return detector


def test_scores_and_texts_that_part_are_found_either_way_and_explained() -> None:
    detector = usual_days(4)
    for day in range(40, 46):
        scores = detector.learn_many(answers(KIND_SCORE, KIND_TEXT, WORDLESS, USUAL), bucket=day)
    assert scores.gap.direction.tolist() == [1, -1, 0, 0]
    assert scores.silent.direction[2] == 1
    assert scores.evidence[:3].min() > ALARM
    assert scores.evidence[3] < 1
    assert not scores.wave.any()
    assert scores.gap.expected[:2] == pytest.approx([0.05, 0.05])
    assert scores.gap.observed[:2] == pytest.approx([1.05, -1.05])
    assert scores.gap.since[:2].tolist() == [40, 40]
    assert scores.silent.expected[2] == pytest.approx(1 / 3)
    assert scores.silent.observed[2] == 1


def test_evidence_is_the_stronger_of_both_less_the_price_of_two_chances() -> None:
    detector = usual_days(1)
    scores = detector.score_many(answers((6, 5, [2.0])), bucket=40)
    gap, silent = scores.gap.evidence[0], scores.silent.evidence[0]
    assert min(gap, silent) > 0
    assert scores.evidence[0] == pytest.approx(max(gap, silent) - math.log(2))


def test_both_series_are_drifts_of_the_same_kernel() -> None:
    detector, gap, silent = Mismatch(), Drift(-2, 2), Drift()
    chance = np.random.default_rng(11)
    for day in range(60):
        n = 5
        k = int(chance.integers(0, 4))
        d = chance.uniform(-1, 1, n - k)
        scores = detector.learn_many(answers((n, k, d.tolist())), bucket=day)
        sums = counts(math.fsum(d)), counts(math.fsum(d * d))
        assert scores.gap.evidence == gap.learn_many(ids(1), counts(n - k), *sums, bucket=day).evidence
        share = counts(float(k))
        assert scores.silent.up == silent.learn_many(ids(1), counts(n), share, share, bucket=day).up


def test_invited_answers_without_text_are_a_wave_and_not_a_silence() -> None:
    detector = usual_days(2)
    for day in range(40, 46):
        scores = detector.learn_many(answers((40, 36, USUAL[2]), WORDLESS), bucket=day)
        assert scores.wave.tolist() == [True, False]
    assert scores.silent.evidence[0] == 0
    assert scores.silent.evidence[1] > ALARM
    assert scores.waves.observed[0] == 240
    assert scores.silent.expected[0] == pytest.approx(1 / 3)


def test_texts_of_unknown_mood_count_for_the_share_alone() -> None:
    detector = usual_days(1)
    before = detector.score_many(answers((0, 0, [])), bucket=40).gap
    detector.learn_many(answers((6, 2, [])), bucket=40)
    after = detector.score_many(answers((0, 0, [])), bucket=41)
    assert after.gap.history[0] < before.history[0]
    assert after.silent.history[0] > before.history[0]


def test_a_restart_takes_the_new_levels_for_normal() -> None:
    detector = usual_days(1)
    for day in range(40, 46):
        detector.learn_many(answers(KIND_SCORE), bucket=day)
    detector.restart(ids(1, 5))
    scores = detector.learn_many(answers(KIND_SCORE), bucket=46)
    assert scores.evidence[0] == 0
    assert scores.gap.expected[0] == pytest.approx(1.05)


# --- Laws -----------------------------------------------------------------------------------------------

DAY = st.lists(
    st.tuples(
        st.integers(0, 30), st.integers(0, 9), st.lists(st.sampled_from([-2.0, -0.5, 0.0, 1.5]), max_size=9)
    ),
    max_size=4,
)
STREAM = st.lists(DAY, max_size=25)
Stream = list[list[tuple[int, int, list[float]]]]


def day_of(said: list[tuple[int, int, list[float]]]) -> Answers:
    return answers(*((more + k + len(gap), k, gap) for more, k, gap in said))


def learned(stream: Stream) -> Mismatch:
    detector = Mismatch(warm_up=4)
    for day, said in enumerate(stream):
        detector.learn_many(day_of(said), bucket=2 * day)
    return detector


def parts(scores: MismatchScores) -> list[float]:
    columns = (scores.evidence, scores.gap.evidence, scores.silent.evidence, scores.waves.evidence)
    return [float(value) for column in columns for value in column]


@settings(deadline=None, max_examples=40)
@given(stream=STREAM, said=DAY)
def test_scoring_is_pure_and_says_what_learning_says(stream: Stream, said: Any) -> None:
    detector = learned(stream)
    before = pickle.loads(pickle.dumps(detector))
    scores = detector.score_many(day_of(said), bucket=90)
    assert same_state(detector, before)
    assert parts(scores) == parts(detector.learn_many(day_of(said), bucket=90))


@settings(deadline=None, max_examples=40)
@given(stream=STREAM, cut=st.integers(0, 25))
def test_a_checkpoint_resumes_where_it_was_taken(stream: Stream, cut: int) -> None:
    resumed = Mismatch(warm_up=4)
    resumed.load_state_arrays(learned(stream[:cut]).state_arrays())
    for day, said in list(enumerate(stream))[cut:]:
        resumed.learn_many(day_of(said), bucket=2 * day)
    assert same_state(resumed, learned(stream))


@settings(deadline=None, max_examples=40)
@given(stream=STREAM, seed=st.integers(0, 9))
def test_the_order_of_series_does_not_matter(stream: Stream, seed: int) -> None:
    turned = Mismatch(warm_up=4)
    for day, said in enumerate(stream):
        x = day_of(said)
        order = np.random.default_rng(seed).permutation(len(said))
        columns = {name: getattr(x, name)[order] for name in x.__dataclass_fields__}
        turned.learn_many(Answers(**columns), bucket=2 * day)
    assert same_state(turned, learned(stream))


def test_river_accepts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Local:
        def take(self, _: int) -> list[tuple[dict[str, float], bool]]:
            usual: dict[str, float] = {
                "answers": 6,
                "without_text": 2,
                "both": 4,
                "gap_sum": 0.4,
                "gap_sum_sq": 0.5,
            }
            parted: dict[str, float] = {
                "answers": 20,
                "without_text": 16,
                "both": 4,
                "gap_sum": 5.0,
                "gap_sum_sq": 6.5,
            }
            return [(usual, False)] * 60 + [(parted, True)] * 20

    monkeypatch.setattr(datasets, "CreditCard", Local)
    for detector in (Mismatch(), Wave()):
        checks.check_estimator(detector)
        assert detector.clone({"half_life": 90.0}).half_life == 90.0


# --- Bad values -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"half_life": 0}, "half_life is 0 buckets"),
        ({"ratio": 1.0}, "ratio is 1.0"),
        ({"ratio": math.nan}, "ratio is nan"),
        ({"chance": 0.0}, "chance is 0.0"),
        ({"warm_up": 0}, "warm_up is 0 buckets"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Wave(**parameters)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answers": counts(-1)}, "answers of series 1 is -1; it must be whole, at least 0"),
        ({"answers": counts(math.nan)}, "answers of series 1 is nan; it must be finite"),
        (
            {"without_text": counts(7)},
            "without_text of series 1 is 7; it must be whole, at least 0 and at most",
        ),
        ({"without_text": counts(1.5)}, "without_text of series 1 is 1.5"),
        ({"both": counts(5)}, "at most answers, 6"),
        ({"both": counts(1, 1)}, "1 series but 2 both"),
        ({"gap_sums": counts(math.inf)}, "sums of series 1 is inf"),
        ({"gap_sums": counts(9.0)}, r"no values in \[-2.0, 2.0\] give these"),
        ({"series": ids(1, 1)}, "distinct"),
    ],
)
@pytest.mark.parametrize("learn", [False, True])
def test_answers_that_cannot_be_are_refused_and_leave_no_trace(
    changes: dict[str, Any], message: str, learn: bool
) -> None:
    detector = usual_days(1, days=3)
    before = pickle.loads(pickle.dumps(detector))
    with pytest.raises(ValueError, match=message):
        (detector.learn_many if learn else detector.score_many)(replace(answers(USUAL), **changes), bucket=3)
    with pytest.raises(ValueError, match="bucket is 2; buckets up to 2 are learned already"):
        (detector.learn_many if learn else detector.score_many)(answers(USUAL), bucket=2)
    assert same_state(detector, before)
