"""What is told of evidence moves in the steps of the counts that are told: no count follows from it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from detectors.emergence import Emergence, EmergenceScores
from pipelines.stages.finding import BLIND_SPOT, SCORE, SILENCE, UNUSUAL_DAY, Finding
from pipelines.stages.told_evidence import divergence, told_fewer, told_of_finding, told_of_rise

ONE_RATIO = Emergence(ratios=(3.0,), dispersion=1.0)
"""Evidence by hand: y ln 3 + (s + y) ln((s + x) / (s + 3x)), s being 1/2 where a rate is known by 1."""


def scores(observed: list[float], expected: float = 0.5, known: float = 1.0) -> EmergenceScores:
    size = len(observed)
    column = np.full(size, expected)
    evidence = np.array([rise(one, expected) for one in observed])
    return EmergenceScores(
        log_e=evidence,
        evidence=evidence,
        rate=column,
        since=np.zeros(size, np.int32),
        observed=np.array(observed),
        expected=column,
        known=np.full(size, known),
        followed=np.zeros(size, np.bool_),
    )


def rise(people: float, expected: float) -> float:
    return people * math.log(3) + (0.5 + people) * math.log((0.5 + expected) / (0.5 + 3 * expected))


def test_people_of_one_step_have_the_same_evidence_told() -> None:
    told = told_of_rise(scores([5, 6, 9, 10, 14, 15]), ONE_RATIO, 5)
    # 5 ln 3 + 5.5 ln(1 / 2) = 5.4931 - 3.8123; each five more add 5 ln(3 / 2) = 2.0273.
    assert told == pytest.approx([1.6808, 1.6808, 1.6808, 3.7081, 3.7081, 5.7354], abs=1e-4)


def test_what_is_not_judged_yet_stays_without_evidence() -> None:
    early = replace(scores([7]), evidence=np.zeros(1))
    assert told_of_rise(early, ONE_RATIO, 5).tolist() == [0.0]


def found(kind: str, observed: float, expected: float, size: float, evidence: float) -> Finding:
    return Finding(
        bucket=100,
        perimeter="e/nord",
        kind=kind,
        detail="",
        direction=-1,
        evidence=evidence,
        threshold=4.0,
        observed=observed,
        expected=expected,
        since=90,
        size=size,
    )


@pytest.mark.parametrize(("size", "told"), [(20, 8.0), (22, 8.0), (24, 8.0), (25, 10.0)])
def test_a_mean_is_told_as_of_the_values_that_are_told(size: int, told: float) -> None:
    # Each value brings 0.4: 20 of them 8, and 25 of them 10.
    assert told_of_finding(found(SCORE, 0.3, 0.6, size, 0.4 * size), 5) == pytest.approx(told)


@pytest.mark.parametrize("kind", [SILENCE, BLIND_SPOT])
@pytest.mark.parametrize(
    ("texts", "by_hand"), [(0, 26.7897), (4, 26.7897), (5, 17.5751), (9, 17.5751), (10, 11.3025)]
)
def test_few_texts_are_told_as_of_the_most_that_they_may_be(kind: str, texts: int, by_hand: float) -> None:
    # Of 40 expected, 4 texts diverge by 4 ln(4/40) + 36, 9 by 9 ln(9/40) + 31, 14 by 14 ln(14/40) + 26.
    told = told_of_finding(found(kind, texts, 40.0, 40.0, divergence(texts, 40.0)), 5)
    assert told == math.floor(10 * by_hand) / 10


def test_of_an_unusual_day_whole_units_are_told() -> None:
    told = {told_of_finding(found(UNUSUAL_DAY, 9, 3, 9, evidence), 5) for evidence in (6.0, 6.3, 6.99)}
    assert told == {6.0}


def test_an_alarm_reached_its_threshold() -> None:
    # 14 values of 0.29 reach 4; the 10 of them that are told would not.
    assert told_of_finding(found(SCORE, 0.3, 0.6, 14, 4.06), 5) == 4.0
    assert told_of_finding(found(SCORE, 0.3, 0.6, 14, 3.92), 5) == 2.8


@pytest.mark.parametrize("needed", range(1, 26))
def test_people_fewer_are_told_in_steps_and_are_always_enough(needed: int) -> None:
    """needed: people with whom there still is an alert."""
    told: dict[int, set[int]] = {}
    for people in range(max(5, needed), 40):
        fewer = told_fewer(people - needed + 1, people, 5)
        assert people - fewer < needed
        told.setdefault(people // 5, set()).add(fewer)
    assert all(len(one) == 1 and one.pop() % 5 == 0 for one in told.values())


def test_an_estimator_says_of_its_scores_what_it_found() -> None:
    detector, rng = Emergence(warm_up=0, least=1), np.random.default_rng(7)
    ids = np.arange(1, 30, dtype=np.uint64)
    for bucket in range(60):
        counts = rng.poisson(1.5, ids.size).astype(np.int64)
        scored = detector.learn_many(ids, counts, exposure=40, bucket=bucket)
        again = detector.evidence_of(scored.observed, scored.expected, scored.known)
        judged = scored.evidence > 0
        assert np.array_equal(again[judged], scored.evidence[judged])
