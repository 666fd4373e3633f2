"""What a signal shows as it grows: of any two states the difference is a crowd, or nothing."""

import json
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.stages.evidence import (
    at_least,
    crowd,
    evidence_of,
    growth,
    people_told,
    quoted_of,
    until_last_step,
)

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 9),  # bucket
        st.integers(0, 30),  # person
        st.sampled_from(["customer", "customer", "field"]),
        st.sampled_from(["survey", "email"]),
        st.sampled_from(["e/a", "e/b"]),
    ),
    max_size=60,
)
LEAST = st.integers(1, 6)
Row = dict[str, Any]


def rows_of(events: list[tuple[int, int, str, str, str]]) -> list[Row]:
    return [
        {
            "event_id": number.to_bytes(16),
            "bucket": bucket,
            "person": person,
            "voice": voice,
            "channel": channel,
            "event_perimeter": perimeter,
        }
        for number, (bucket, person, voice, channel, perimeter) in enumerate(events)
    ]


def revisions(rows: list[Row], least: int) -> list[tuple[dict[str, Any], list[Row]]]:
    """The crowd and the evidence told at each bucket's close, from when there are enough people."""
    told = []
    texts = {
        row["event_id"]: {
            "text": "x",
            "occurred_at": datetime(2026, 3, 1, tzinfo=UTC) + timedelta(row["bucket"]),
        }
        for row in rows
    }
    for bucket in range(10):
        so_far = until_last_step([row for row in rows if row["bucket"] <= bucket], least)
        if so_far:
            told.append(
                (
                    crowd(so_far, least),
                    evidence_of("s", "e", so_far, texts, [], least, quoted=quoted_of(so_far, least)),
                ),
            )
    return told


def people_between(rows: list[Row], one: set[bytes], other: set[bytes]) -> int:
    return len({row["person"] for row in rows if row["event_id"] in one ^ other})


@settings(max_examples=200, deadline=None)
@given(events=EVENTS, least=LEAST)
def test_no_two_revisions_differ_by_a_few_people(
    events: list[tuple[int, int, str, str, str]], least: int
) -> None:
    rows = rows_of(events)
    told = revisions(rows, least)
    for (one, first), (other, second) in combinations(told, 2):
        counts = [
            count
            for crowd_of in (one, other)
            for count in (
                crowd_of["distinct_authors"],
                *json.loads(crowd_of["channels"]).values(),
                *json.loads(crowd_of["voices"]).values(),
            )
            if count is not None
        ]
        assert all(count >= least for count in counts)
        assert all(a == b or abs(a - b) >= least for a, b in combinations(counts, 2))
        carried = [{row["event_id"] for row in several} for several in (first, second)]
        quoted = [
            {row["event_id"] for row in several if row["excerpt"] is not None} for several in (first, second)
        ]
        for before, after in (carried, quoted):
            assert before <= after
            assert before == after or people_between(rows, before, after) >= least
        # Of each voice by itself too: excerpts say who speaks where both have enough people.
        for voice in ("customer", "field"):
            mine = {row["event_id"] for row in rows if row["voice"] == voice}
            before, after = (several & mine for several in quoted)
            assert before == after or people_between(rows, before, after) >= least


@settings(max_examples=200, deadline=None)
@given(events=EVENTS, least=LEAST)
def test_how_a_crowd_grew_is_told_the_same_ever_after(
    events: list[tuple[int, int, str, str, str]], least: int
) -> None:
    rows = rows_of(events)
    steps = growth(rows, least)
    for bucket in range(10):
        assert growth([row for row in rows if row["bucket"] <= bucket], least) == [
            step for step in steps if step <= bucket
        ]
    figures = [people_told([row for row in rows if row["bucket"] <= step], least) for step in steps]
    assert figures == sorted(figures)
    assert all(people >= least and people % least == 0 for people in figures)


@pytest.mark.parametrize(
    ("customers", "agents", "people", "voices"),
    [
        (12, 0, 10, {"customer": 10}),
        (12, 6, 15, {"customer": 10, "field": 5}),
        # Twelve excerpts and fifteen people would tell of three agents.
        (12, 3, 10, {"customer": None, "field": None}),
        (3, 4, 5, {"field": None, "customer": None}),
    ],
)
def test_a_voice_of_few_is_heard_and_not_counted(
    customers: int, agents: int, people: int, voices: dict[str, int | None]
) -> None:
    spoken = ["customer"] * customers + ["field"] * agents
    rows = rows_of([(0, person, voice, "survey", "e/a") for person, voice in enumerate(spoken)])
    told = crowd(rows, 5)
    assert told["distinct_authors"] == people
    assert json.loads(told["voices"]) == voices


def test_steps_by_hand() -> None:
    new_people = [5, 2, 0, 3, 1, 4, 9]
    rows = rows_of(
        [
            (bucket, 100 * bucket + one, "customer", "survey", "e/a")
            for bucket, size in enumerate(new_people)
            for one in range(size)
        ]
    )
    # 5 at once; 5 more on the third day after; 5 more on the fifth; 9 more on the last.
    assert growth(rows, 5) == [0, 3, 5, 6]
    assert [len(until_last_step([row for row in rows if row["bucket"] <= day], 5)) for day in range(7)] == [
        5, 5, 5, 10, 10, 15, 24,
    ]  # fmt: skip
    assert [at_least(count, 5) for count in (5, 10, 15, 24)] == [5, 10, 15, 20]
