"""What verdicts teach: hand-worked counts and thresholds, and the laws that keep budgets."""

import math
import pickle
import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from connectors.log import About, EventLog, LogWriter
from detectors.emergence_tails import CROSSING
from pipelines.stages.detect import SHARES
from pipelines.stages.finding import KINDS
from pipelines.stages.teaching import (
    EMERGENCE,
    MOST,
    NOTHING_TAUGHT,
    Count,
    Taught,
    Teaching,
    ThresholdWeights,
    feature_subject,
    series_subject,
)

HERE = "e/nord/a"
QUEUE, TILL, SMELL = 5, 9, 13
OF_KINDS = {kind: SHARES[kind] for kind in KINDS}


def verdict(
    number: int,
    judgement: str = "dismiss",
    *features: int,
    bucket: int = 10,
    perimeter: str = HERE,
    judged_us: int | None = None,
) -> Taught:
    """A verdict of signal `number`."""
    subjects = tuple(feature_subject(feature) for feature in features or (QUEUE,))
    when = bucket if judged_us is None else judged_us
    return Taught(bucket, when, judgement, f"{number:032x}", perimeter, EMERGENCE, subjects)


def weights_of(verdicts: Iterable[Taught]) -> ThresholdWeights:
    """The weights once all of the verdicts are in force."""
    return Teaching(verdicts).at(1000)


def ids(*features: int) -> NDArray[np.uint64]:
    return np.array(features, np.uint64)


def bars(
    weights: ThresholdWeights, place: str = HERE, *, heard: int = 10, apart: tuple[int, ...] = ()
) -> list[float]:
    """Thresholds of QUEUE, TILL and SMELL, 12 without verdicts, where `heard` features are heard."""
    others = np.arange(100, 100 + heard - 3, dtype=np.uint64)
    found = weights.bars(
        place,
        ids(QUEUE, TILL, SMELL),
        np.full(3, 12.0),
        heard=np.concatenate([ids(5, 9, 13), others]),
        apart=apart,
    )
    return [float(one) for one in found]


def test_three_dismissals_ask_for_four_times_the_evidence_there_and_below_and_nowhere_else() -> None:
    weights = weights_of(verdict(number) for number in range(3))
    four = pytest.approx([12 + math.log(4), 12, 12])
    assert bars(weights) == four
    assert bars(weights, "e/nord/a/rayon") == four
    assert bars(weights, "e/nord/b") == bars(weights, "e/nord") == bars(weights, "e") == [12, 12, 12]
    assert weights.count(HERE, EMERGENCE, feature_subject(QUEUE)) == Count(3, 0, 10)


def test_a_confirmation_halves_what_is_needed_and_the_others_pay_for_it() -> None:
    """Ten features are heard; one has weight 2: the mean is 1.1, and so what everything is raised by."""
    weights = weights_of([verdict(1, "confirm")])
    mean = math.log(1.1)
    assert bars(weights) == pytest.approx([12 - math.log(2) + mean, 12 + mean, 12 + mean])


def test_what_dismissals_free_pays_for_confirmations_and_for_nothing_else() -> None:
    """Weights 2, 1/2 and eight times 1: their mean is 1.05. With 2, 1/4 and 1/4 it is below 1."""
    one = weights_of([verdict(1, "confirm"), verdict(2, "dismiss", TILL)])
    assert bars(one) == pytest.approx([12 + math.log(1.05 / 2), 12 + math.log(1.05 * 2), 12 + math.log(1.05)])
    more = [verdict(number, "dismiss", TILL, SMELL) for number in (2, 3, 4)]
    four = weights_of([verdict(1, "confirm"), *more])
    assert bars(four) == pytest.approx([12 - math.log(2), 12 + math.log(4), 12 + math.log(4)])


def test_what_has_a_budget_of_its_own_may_need_more_and_never_less() -> None:
    weights = weights_of([verdict(1, "confirm", QUEUE), verdict(2, "dismiss", TILL)])
    assert bars(weights, apart=(QUEUE,)) == pytest.approx([12, 12 + math.log(2), 12])
    assert bars(weights, apart=(TILL,))[1] == pytest.approx(12 + math.log(2))


def test_no_confirmation_brings_a_threshold_under_what_is_calibrated() -> None:
    weights = weights_of(verdict(number, "confirm") for number in range(7))
    low, lower = CROSSING + 0.1, CROSSING - 1
    found = weights.bars(
        HERE, ids(QUEUE, TILL), np.array([low, lower]), heard=np.arange(1000, dtype=np.uint64)
    )
    assert found[0] == CROSSING
    assert found[1] >= lower


def test_the_verdict_judged_last_counts_whenever_it_came_into_the_log() -> None:
    dismissed = verdict(1, "dismiss", bucket=20, judged_us=5)
    confirmed = verdict(1, "confirm", bucket=10, judged_us=8)
    taught = Teaching([dismissed, confirmed])
    subject = feature_subject(QUEUE)
    assert taught.at(9).count(HERE, EMERGENCE, subject) == Count()
    assert taught.at(10).count(HERE, EMERGENCE, subject) == Count(0, 1, 10)
    assert taught.at(20).count(HERE, EMERGENCE, subject) == Count(0, 1, 10)
    changed = Teaching([confirmed, verdict(1, "dismiss", bucket=20, judged_us=9)])
    assert changed.at(20).count(HERE, EMERGENCE, subject) == Count(1, 0, 20)


def test_saying_the_same_again_teaches_nothing_new() -> None:
    weights = weights_of([verdict(1), verdict(1, bucket=14), verdict(2, bucket=12)])
    assert weights.count(HERE, EMERGENCE, feature_subject(QUEUE)) == Count(2, 0, 12)


def test_a_wider_perimeter_does_not_tell_a_store_what_it_dismissed() -> None:
    """Judged at the division, which dismissed none of it, the store asks for four times the evidence."""
    weights = weights_of(verdict(number) for number in range(3))
    assert weights.excess(HERE, QUEUE, "e/nord") == pytest.approx(math.log(4))
    assert weights.excess(HERE, QUEUE, HERE) == weights.excess("e/nord", QUEUE, "e/nord") == 0
    confirmed = weights_of([verdict(1, "confirm")])
    assert confirmed.excess(HERE, QUEUE, "e/nord") == 0


def series(number: int, judgement: str, kind: str, subject: str) -> Taught:
    return Taught(10, 10, judgement, f"{number:032x}", HERE, kind, (subject,))


def test_series_of_sums_share_what_a_perimeter_may_spend_on_them() -> None:
    """Silence spends 6 of 26 hundredths: with weight 2 the mean over the kinds is 32/26."""
    email = series_subject("down", "email")
    dismissed = weights_of([series(1, "dismiss", "silence", email)])
    assert dismissed.bar(9, HERE, "silence", email, OF_KINDS) == pytest.approx(9 + math.log(2))
    assert dismissed.bar(9, HERE, "silence", "down survey", OF_KINDS) == 9
    assert dismissed.bar(9, "e", "silence", email, OF_KINDS) == 9
    confirmed = weights_of([series(1, "confirm", "silence", email)])
    mean = math.log(32 / 26)
    assert confirmed.bar(9, HERE, "silence", email, OF_KINDS) == pytest.approx(9 - math.log(2) + mean)
    assert confirmed.bar(9, HERE, "score_drift", "down", OF_KINDS) == pytest.approx(9 + mean)
    assert confirmed.least(9, "silence") <= 9 - math.log(2) + mean
    assert confirmed.least(9, "score_drift") == 9


NUMBERS = st.integers(0, 6)
VERDICTS = st.lists(
    st.builds(
        verdict,
        NUMBERS,
        st.sampled_from(["confirm", "dismiss"]),
        st.sampled_from([QUEUE, TILL, SMELL]),
        bucket=st.integers(8, 12),
        perimeter=st.sampled_from([HERE, "e/nord", "e", "e/sud"]),
        judged_us=st.integers(0, 4),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=50)
@given(VERDICTS, st.integers(3, 60))
def test_thresholds_are_bounded_and_the_weights_keep_the_budget(verdicts: list[Taught], heard: int) -> None:
    weights = weights_of(verdicts)
    found = bars(weights, heard=heard)
    assert all(12 - math.log(MOST) - 1e-9 <= one <= 12 + 2 * math.log(MOST) for one in found)
    # What is spent: as often as exp(-threshold) each, the features that nobody judged included.
    others = float(weights.bars(HERE, ids(77), np.full(1, 12.0), heard=_heard(heard))[0])
    spent = math.fsum([*(math.exp(12 - one) for one in found), (heard - 3) * math.exp(12 - others)])
    assert spent <= heard * (1 + 1e-9)
    # The same for evidence that falls off more slowly, as thresholds calibrated on the past assume.
    slow = math.fsum(
        [*(math.exp((12 - one) / 2) for one in found), (heard - 3) * math.exp((12 - others) / 2)]
    )
    assert slow <= heard * (1 + 1e-9)


def _heard(size: int) -> NDArray[np.uint64]:
    return np.concatenate([ids(QUEUE, TILL, SMELL), np.arange(100, 97 + size, dtype=np.uint64)])


@settings(deadline=None, max_examples=50)
@given(VERDICTS)
def test_a_dismissal_more_never_asks_for_less_and_a_confirmation_more_never_for_more(
    verdicts: list[Taught],
) -> None:
    usual = bars(weights_of(verdicts))
    dismissed = bars(weights_of([*verdicts, verdict(99, "dismiss")]))
    confirmed = bars(weights_of([*verdicts, verdict(99, "confirm")]))
    assert confirmed[0] - 1e-9 <= usual[0] <= dismissed[0] + 1e-9
    # Nobody is told of other things for having dismissed, beyond what confirmations were charged for.
    assert all(one >= 12 - math.log(MOST) for one in dismissed[1:])


@settings(deadline=None, max_examples=50)
@given(VERDICTS, st.integers())
def test_the_order_of_verdicts_makes_no_difference(verdicts: list[Taught], seed: int) -> None:
    shuffled = random.Random(seed).sample(verdicts, len(verdicts))
    one, other = Teaching(verdicts), Teaching(shuffled)
    assert one == other
    assert pickle.loads(pickle.dumps(one)) == one
    for bucket in range(7, 14):
        assert bars(one.at(bucket)) == bars(other.at(bucket))
        mine = [taught for taught in verdicts if taught.bucket <= bucket]
        assert bars(one.at(bucket)) == bars(weights_of(mine))


def test_nothing_taught_changes_nothing() -> None:
    before = np.array([7.25, 1.0])
    assert NOTHING_TAUGHT.at(3).bars(HERE, ids(1, 2), before, heard=ids(1, 2)) is before
    assert not NOTHING_TAUGHT.at(3).concerns(EMERGENCE)


def test_a_verdict_is_in_force_from_the_first_day_that_begins_after_it(tmp_path: Path) -> None:
    """Days of Paris: midnight of the 12th is 23:00 UTC on the 11th. Before live events, after all history."""
    at = datetime(2025, 3, 11, 15, tzinfo=UTC)
    about = About(HERE, EMERGENCE, (feature_subject(QUEUE),))
    with LogWriter(tmp_path, now=lambda: at) as log:
        log.verdict("0" * 32, "dismiss", about=about, judged_at=at)
        for hours in (0, 7, 8, 9):
            log.heartbeat(at + timedelta(hours=hours))
            log.verdict(f"{hours + 1:032x}", "dismiss", about=about, judged_at=at)
        log.verdict("f" * 32, "dismiss", judged_at=at)
    taught = Teaching.of(EventLog(tmp_path).manifests(), zone="Europe/Paris", place_of=lambda path: path)
    the_12th = (date(2025, 3, 12) - date(1970, 1, 1)).days
    counts = {
        bucket: taught.at(bucket).count(HERE, EMERGENCE, feature_subject(QUEUE)).dismissed
        for bucket in (1, the_12th - 1, the_12th, the_12th + 1)
    }
    # At 15:00, at 22:00, and at 23:00, which is midnight: for the 12th. At 00:00 UTC: for the 13th.
    assert counts == {1: 1, the_12th - 1: 1, the_12th: 4, the_12th + 1: 5}
    moved = Teaching.of(EventLog(tmp_path).manifests(), zone="Europe/Paris", place_of=lambda _: "e/est/a")
    assert moved.at(the_12th).count("e/est/a", EMERGENCE, feature_subject(QUEUE)).dismissed == 4
