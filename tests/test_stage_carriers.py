"""The events that carry episodes of the watch: which they are, and that what is known of a day is kept."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.features import THEME, feature_id
from pipelines.stages.carriers import Carried
from pipelines.stages.episodes import Episode
from pipelines.stages.finding import BLIND_SPOT, DOWN, SCORE, UP
from tests.episode_events import BUCKET, LILLE, SINCE, Event, episode, event, log


def grown(one: Episode, *, by: int) -> Episode:
    one.grow(replace(one.born, bucket=BUCKET + by))
    return one


def test_a_day_is_read_once_for_all_episodes_and_not_again_when_they_grow() -> None:
    asked: list[tuple[int, int]] = []
    events = [event(number, "nul", score=0.1, day=number) for number in range(6)]
    found = log(events, asked)
    worse, parted = episode(SCORE, DOWN), episode(SCORE, UP, expected=0.05)
    found.of([worse, parted])
    assert asked == [(SINCE, BUCKET)]
    # Three days later the one is still found; the other's days are as they were.
    shown, _ = found.of([grown(worse, by=3), parted])
    assert asked == [(SINCE, BUCKET), (BUCKET + 1, BUCKET + 3)]
    assert sorted(int.from_bytes(key) for key in shown.texts) == [0, 1, 2, 3, 4, 5]
    # Nothing carries a signal before it is raised.
    assert sorted((row["event_bucket"], row["bucket"]) for row in shown.rows) == [
        (SINCE, BUCKET),
        (SINCE + 1, BUCKET),
        (BUCKET, BUCKET),
        (BUCKET + 1, BUCKET + 1),
        (BUCKET + 2, BUCKET + 2),
        (BUCKET + 3, BUCKET + 3),
    ]


def test_days_of_an_episode_that_is_about_more_than_before_are_read_again() -> None:
    asked: list[tuple[int, int]] = []
    found = log([event(number, "parking") for number in (1, 2, 3)], asked)
    blind = episode(BLIND_SPOT, UP, detail="other")
    assert found.of([blind]) == [Carried()]
    blind.grow(replace(blind.born, detail="parking"))
    (shown,) = found.of([blind])
    assert [row["themes"] for row in shown.rows] == [[feature_id("parking", THEME)]] * 3
    assert asked == [(SINCE, BUCKET)] * 2


made = st.builds(
    event,
    st.integers(0, 40),
    st.sampled_from(["nul", "bien", ""]),
    day=st.integers(0, 6),
    score=st.sampled_from([None, 0.1, 0.4, 0.7]),
    perimeter=st.sampled_from([LILLE, "e/nord", "e/nord/arras", f"{LILLE}/b1"]),
)


@settings(deadline=None, max_examples=25)
@given(
    events=st.lists(made, max_size=40, unique_by=lambda one: one["number"]),
    steps=st.lists(st.integers(0, 3), max_size=4),
)
def test_what_is_kept_makes_no_difference(events: list[Event], steps: list[int]) -> None:
    kept = log(events, size=1_000)
    episodes = [episode(SCORE, DOWN), owned_by(episode(SCORE, DOWN), "e/nord")]
    for by in np.cumsum(steps, dtype=np.int64).tolist():
        episodes = [grown(one, by=by) for one in episodes]
        assert kept.of(episodes) == log(events, size=1_000).of(episodes)


def owned_by(one: Episode, perimeter: str) -> Episode:
    return replace(one, born=replace(one.born, perimeter=perimeter))
