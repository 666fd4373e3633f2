"""What may be told of the days of an episode: no count of too few people, nor two that differ by so few."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.civil_days import day_of
from pipelines.stages.finding import DOWN, SILENCE, Finding
from pipelines.stages.judged_days import JudgedDay, apart, days_of_feature, days_of_series

EPISODE = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 12)), min_size=1, max_size=12)
"""People who mention the feature and people who do not, day by day."""
EPISODES = st.lists(EPISODE, min_size=1, max_size=4)
LEAST = st.integers(1, 9)


@pytest.mark.parametrize(
    ("counts", "alert", "told"),
    [
        # The earliest that are far enough apart; equal counts tell nothing new.
        ([1, 4, 5, 6, 9, 10, 10, 14, 20], None, [False, False, True, False, False, True, True, False, True]),
        # The alert's count is told, and those before and after it keep away from it.
        ([5, 6, 8, 11, 12, 13, 20], 4, [True, False, False, False, True, False, True]),
        ([0, 0, 3, 3], 3, [False, False, False, True]),
        ([0, 0, 6], 2, [True, True, True]),
    ],
)
def test_days_that_tell_by_hand(counts: list[int], alert: int | None, told: list[bool]) -> None:
    days = len(counts)
    shown = apart([(one,) for one in counts], [0] * days, [at == alert for at in range(days)], least=5)
    assert shown == told


def test_every_count_of_a_day_keeps_its_distance_and_episodes_are_apart() -> None:
    counts = [(5, 20), (10, 23), (10, 25), (15, 30), None, (6, 9)]
    assert apart(counts, [1, 1, 1, 1, 1, 2], [False] * 6, least=5) == [True, False, True, True, False, True]


def _cumulated(
    episodes: Sequence[Sequence[tuple[int, int]]],
) -> Iterator[tuple[int, int, int, int, int, bool]]:
    """Bucket, first bucket of the episode, people of the day and since, writers of the day, whether last."""
    bucket = 0
    for episode in episodes:
        since = bucket
        sums = accumulate(people for people, _ in episode)
        for at, ((people, others), so_far) in enumerate(zip(episode, sums, strict=True)):
            yield bucket, since, people, so_far, people + others, at + 1 == len(episode)
            bucket += 1


def _differences(days: Sequence[JudgedDay], column: str, since: Sequence[int]) -> Iterator[float]:
    """Between every two counts told of one episode."""
    told = [(start, getattr(day, column)) for start, day in zip(since, days, strict=True)]
    for (one, first), (other, second) in combinations(told, 2):
        if one == other and first is not None and second is not None:
            yield abs(second - first)


@settings(max_examples=200, deadline=None)
@given(episodes=EPISODES, least=LEAST, alerts=st.booleans())
def test_no_two_days_of_a_feature_give_a_few_people_away(
    episodes: list[list[tuple[int, int]]], least: int, alerts: bool
) -> None:
    rows: list[dict[str, Any]] = [
        {
            "bucket": bucket,
            "since": since,
            "authors": people,
            "observed": so_far,
            "exposure": writers,
            "rate": 0.01,
            "expected": 0.1,
            "told": 1.0,
            "threshold": 9.0,
            # An alarm needs the minimum of people.
            "flagged": alerts and last and so_far >= least,
        }
        for bucket, since, people, so_far, writers, last in _cumulated(episodes)
    ]
    days = days_of_feature(rows, 1.0, since=day_of(0), min_authors=least)
    since = [row["since"] for row in rows[len(rows) - len(days) :]]
    for column in ("observed", "writers"):
        assert all(step == 0 or step >= least for step in _differences(days, column, since))
    shown = [count for day in days for count in (day.observed, day.writers) if count is not None]
    assert all(abs(one - other) >= least or one == other for one, other in combinations(shown, 2))
    assert all(day.observed is None or day.observed >= least for day in days)
    assert all((day.observed is None) == (day.writers is None) for day in days)
    assert all(day.evidence is None or day.observed is not None for day in days)
    assert all(day.observed is not None for day in days if day.raised)


@settings(max_examples=200, deadline=None)
@given(episodes=EPISODES, least=LEAST)
def test_no_two_days_of_a_silence_give_a_few_texts_away(
    episodes: list[list[tuple[int, int]]], least: int
) -> None:
    shown, raised = [], []
    for bucket, since, _, so_far, _, last in _cumulated(episodes):
        expected = 4.0 * (bucket - since + 1)
        one = Finding(bucket, "e", SILENCE, "", DOWN, 1.0, 5.0, so_far, expected, since, expected)
        shown.append(one)
        if last and so_far < expected:
            raised.append(one)
    days = days_of_series(shown, raised, since=day_of(0), min_authors=least)
    differences = _differences(days, "observed", [one.since for one in shown])
    assert all(step == 0 or step >= least for step in differences)
    assert all(not 0 < (day.observed or 0) < least for day in days)
    assert all(day.withheld == (day.observed is None) for day in days)


@settings(max_examples=100, deadline=None)
@given(writers=st.lists(st.integers(0, 12), min_size=1, max_size=8), least=LEAST)
def test_what_is_expected_of_a_day_gives_no_few_writers_away(writers: list[int], least: int) -> None:
    """A day before the episode is expected to say what so many writers say: whole steps of them."""
    rows = [
        {
            "bucket": bucket,
            "since": bucket,
            "observed": 0,
            "exposure": wrote,
            "rate": 0.25,
            "expected": 0.25 * wrote,
            "told": 0.0,
            "threshold": 9.0,
            "flagged": False,
        }
        for bucket, wrote in enumerate(writers)
    ]
    days = days_of_feature(rows, 1.0, since=day_of(100), min_authors=least)
    told = {day.day: 4 * day.expected for day in days}
    for bucket, wrote in enumerate(writers):
        assert told.get(day_of(bucket), 0) == wrote - wrote % least
