"""What a signal of the watch shows as it goes on: what comes and what goes is of a crowd, or is nothing."""

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.stages.carriers import MOST_EVENTS, Carried
from pipelines.stages.evidence import crowd, distinct_authors
from pipelines.stages.finding import DOWN, SCORE, UNUSUAL_DAY, UP
from tests.episode_events import BUCKET, SINCE, TELLING, Event, episode, event, log

LEAST = TELLING.min_authors
WINDOW = 4
DAYS = 5 * WINDOW
RAISED = BUCKET - SINCE
BRIEF = replace(TELLING, window=WINDOW)
EVENTS = st.lists(
    st.tuples(
        st.integers(0, RAISED + DAYS),  # day from the episode's first
        st.integers(0, 30),  # author
        st.sampled_from(["customer", "customer", "field"]),
        st.sampled_from([0.0, 0.1, 0.3, 0.7, 0.9]),  # of 0.8 expected, the last does not carry it
    ),
    max_size=80,
)


def shown_on(day: int, events: list[Event]) -> Carried:
    """What is shown of an episode whose last finding is so many days after its first."""
    lasting = episode(SCORE, DOWN)
    lasting.grow(replace(lasting.born, bucket=BUCKET + day))
    return log(events, telling=BRIEF, size=1_000).of([lasting])[0]


def numbers(rows: object) -> list[int]:
    assert isinstance(rows, list)
    return sorted(int.from_bytes(one["event_id"]) for one in rows)


def falls(count: int, first: int, day: int, score: float = 0.1, **changes: object) -> list[Event]:
    return [event(number, "nul", score=score, day=day, **changes) for number in range(first, first + count)]


@settings(max_examples=60, deadline=None)
@given(events=EVENTS, days=st.lists(st.integers(0, DAYS), min_size=2, max_size=4, unique=True))
def test_what_comes_and_what_goes_between_two_days_is_of_the_minimum_of_people_or_nothing(
    events: list[tuple[int, int, str, float]], days: list[int]
) -> None:
    made = [
        event(number, "nul", day=day, author=author, voice=voice, score=score)
        for number, (day, author, voice, score) in enumerate(events)
    ]
    authors = {number.to_bytes(16): one[1] for number, one in enumerate(events)}
    voices = {number.to_bytes(16): one[2] for number, one in enumerate(events)}
    states = [shown_on(day, made) for day in days]
    for one, other in combinations(states, 2):
        for first, second in ((one.rows, other.rows), (one.quoted, other.quoted)):
            before, after = ({each["event_id"] for each in rows} for rows in (first, second))
            for changed in (before - after, after - before):
                people = {authors[key] for key in changed}
                assert not people or len(people) >= LEAST
        for voice in ("customer", "field"):
            before, after = (
                {each["event_id"] for each in state.quoted if voices[each["event_id"]] == voice}
                for state in (one, other)
            )
            for changed in (before - after, after - before):
                people = {authors[key] for key in changed}
                assert not people or len(people) >= LEAST
    for state in states:
        assert {one["event_id"] for one in state.quoted} <= {one["event_id"] for one in state.rows}
        assert state.texts.keys() == {one["event_id"] for one in state.rows}
        assert not state.rows or distinct_authors(state.rows) >= LEAST
        assert crowd(state.rows, LEAST)["distinct_authors"] % LEAST == 0


def test_a_few_more_wait_until_they_are_enough() -> None:
    events = [
        *falls(3, 1, RAISED),
        *falls(2, 10, RAISED + 1),
        *falls(1, 20, RAISED + 2),
        *falls(1, 30, RAISED + 3),
    ]
    assert [numbers(shown_on(day, events).rows) for day in range(4)] == [
        [1, 2, 3],
        [1, 2, 3],
        [1, 2, 3, 10, 11, 20],
        [1, 2, 3, 10, 11, 20],
    ]


def test_who_is_shown_already_makes_nobody_more() -> None:
    """Two new people and three of before are two."""
    again = [{**one, "author": one["number"] - 9} for one in falls(3, 10, RAISED + 1)]
    events = [*falls(3, 1, RAISED), *again, *falls(2, 20, RAISED + 1)]
    assert numbers(shown_on(1, events).rows) == [1, 2, 3]
    more = [*events, *falls(1, 30, RAISED + 2)]
    assert numbers(shown_on(2, more).rows) == [1, 2, 3, 10, 11, 12, 20, 21, 30]


def test_a_period_goes_as_a_whole_once_two_later_ones_have_something_to_show() -> None:
    events = [
        *falls(3, 1, RAISED),
        *falls(3, 10, RAISED + WINDOW),
        *falls(2, 20, RAISED + 2 * WINDOW),
        *falls(3, 30, RAISED + 3 * WINDOW),
    ]
    assert [numbers(shown_on(period * WINDOW, events).rows) for period in range(4)] == [
        [1, 2, 3],
        [1, 2, 3, 10, 11, 12],
        # Two people of a third period are shown neither then nor later.
        [1, 2, 3, 10, 11, 12],
        [10, 11, 12, 30, 31, 32],
    ]


def test_a_full_period_lets_nobody_in() -> None:
    """What is more telling and comes later would take the place of single texts."""
    events = [*falls(MOST_EVENTS - 2, 1, RAISED, score=0.7), *falls(5, 200, RAISED + 1, score=0.0)]
    assert numbers(shown_on(1, events).rows) == list(range(1, MOST_EVENTS - 1))
    # With room for five, those five are the most telling.
    fewer = [one for one in events if one["number"] > 3] + falls(4, 300, RAISED + 1, score=0.5)
    assert numbers(shown_on(1, fewer).rows) == [*range(4, MOST_EVENTS - 1), *range(200, 205)]


def test_a_voice_is_quoted_in_steps_of_its_own() -> None:
    events = [
        *falls(3, 1, RAISED),
        *falls(2, 10, RAISED, voice="field"),
        *falls(2, 20, RAISED + 1),
        *falls(1, 30, RAISED + 1, voice="field"),
    ]
    first, second = shown_on(0, events), shown_on(1, events)
    assert (numbers(first.rows), numbers(first.quoted)) == ([1, 2, 3, 10, 11], [1, 2, 3])
    # Three of the field by now, and two more customers: those wait.
    assert numbers(second.rows) == [1, 2, 3, 10, 11, 20, 21, 30]
    assert numbers(second.quoted) == [1, 2, 3, 10, 11, 30]


@pytest.mark.parametrize("later", [0, 30])
def test_an_odd_day_is_one_period_for_ever(later: int) -> None:
    odd = episode(UNUSUAL_DAY, UP, since=BUCKET)
    odd.grow(replace(odd.born, bucket=BUCKET + later))
    events = [*falls(4, 1, RAISED), *falls(3, 10, RAISED + later)] if later else falls(4, 1, RAISED)
    assert numbers(log(events, telling=BRIEF).of([odd])[0].rows) == [1, 2, 3, 4]
