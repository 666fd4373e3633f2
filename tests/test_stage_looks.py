"""Early looks: which are due, what they see, that closes bear them out, and what becomes of them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.log import EventLog, LogWriter
from connectors.log.layout import to_us
from detectors.emergence import Emergence
from pipelines.stages.corroborate import Corroboration, corroborate
from pipelines.stages.detect import Detection
from pipelines.stages.finds import Found
from pipelines.stages.looks import (
    EARLY_CANDIDATE,
    EARLY_SUPPORT,
    LOOK_TALLY,
    NO_TICK,
    Early,
    Graces,
    LookClock,
    Turn,
    add_looks,
    so_far,
)
from pipelines.stages.story import CONFIRMED, EARLY, NOT_SUSTAINED, Story
from tests.test_engines import ROWS, table

HOUR = 3_600_000_000
CLOCK = LookClock(every_us=6 * HOUR, zone="UTC", graces=((-1, 24 * HOUR),), last=40)
"""Four looks a day; a day closes a day after its end."""


def test_a_row_is_seen_by_the_first_tick_after_it_and_history_by_none() -> None:
    admitted = pa.chunked_array([pa.array([None, 0, 6 * HOUR - 1, 6 * HOUR], pa.int64())])
    assert CLOCK.ticks(admitted).tolist() == [NO_TICK, 1, 1, 2]
    # Midnight ends the day before; day 0 is closed from the end of day 1 on.
    ticks = np.array([4, 5, 7, 8, 12])
    assert CLOCK.days(ticks).tolist() == [0, 1, 1, 1, 2]
    assert CLOCK.closed(ticks).tolist() == [-1, -1, -1, 0, 1]


def test_a_grace_holds_from_when_the_log_knew_it() -> None:
    clock = LookClock(6 * HOUR, "UTC", graces=((-1, 0), (48 * HOUR, 24 * HOUR)), last=40)
    assert clock.closed(np.array([8, 12])).tolist() == [1, 1]


@given(
    st.lists(st.integers(NO_TICK, 45), max_size=12),
    st.lists(st.integers(-3, 9), max_size=3, unique=True),
)
def test_each_look_is_taken_in_one_turn_however_closes_are_cut(ticks: list[int], cuts: list[int]) -> None:
    whole = Turn(CLOCK, None, 9, goes_on=True).groups(np.array(ticks, np.int64))
    before, parts = None, []
    for closes in sorted({*cuts, 9}):
        turn = Turn(CLOCK, before, closes, goes_on=closes == 9)
        parts += turn.groups(np.array(ticks, np.int64))
        before = closes
    told = [(group.closed, group.ticks.tolist()) for group in parts]
    assert told == [(group.closed, group.ticks.tolist()) for group in whole]


def test_counts_of_a_look_are_those_of_all_that_came_so_far() -> None:
    one = [(5, NO_TICK, 0, 3), (5, NO_TICK, 7, 2), (5, 20, 0, 1), (5, 20, 7, 1)]
    other = [(5, 21, 0, 4), (5, 21, 7, 1), (5, 21, 9, 1)]
    names = LOOK_TALLY.names
    tables = [
        pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], LOOK_TALLY)
        for rows in (one, other)
    ]
    added = add_looks(tables)
    assert added.equals(add_looks(tables[::-1]))
    found = so_far(*(added[name].to_numpy() for name in names[1:]))
    looks = [(tick, features.tolist(), counts.tolist(), wrote) for tick, features, counts, wrote in found]
    assert looks == [(20, [7], [3], 4), (21, [7, 9], [4, 1], 8)]


@st.composite
def learned(draw: st.DrawFn) -> Emergence:
    """An estimator that has learned some days of one word."""
    estimator = Emergence(warm_up=0, ratios=(1.5, 3.0, 6.0, 12.0, 25.0))
    word = np.array([4], np.uint64)
    for day in range(draw(st.integers(5, 40))):
        wrote = draw(st.integers(1, 30))
        said = min(wrote, draw(st.sampled_from([0, 0, 0, 1, 2])))
        estimator.learn_many(word, np.array([said]), exposure=wrote, bucket=day)
    return estimator


@given(learned(), st.integers(0, 20), st.integers(0, 20), st.integers(1, 60), st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_what_a_look_finds_its_close_finds_unless_more_people_wrote_than_the_look_counted(
    estimator: Emergence, said: int, later: int, wrote: int, fewer: int
) -> None:
    """With the same texts or more of them, and no more who wrote, evidence only grows from look to close."""
    word, bucket = np.array([4], np.uint64), estimator.next_bucket
    wrote = max(wrote, said + later)
    look = estimator.score_many(word, np.array([said]), exposure=wrote + fewer, bucket=bucket)
    close = estimator.score_many(word, np.array([said + later]), exposure=wrote, bucket=bucket)
    assert look.evidence[0] <= close.evidence[0] + 1e-9


def test_a_look_learns_nothing() -> None:
    estimator, word = Emergence(warm_up=0), np.array([4], np.uint64)
    estimator.learn_many(word, np.array([1]), exposure=9, bucket=0)
    before = estimator.state_arrays()
    estimator.score_many(word, np.array([8]), exposure=9, bucket=3)
    assert all(np.array_equal(before[name], value) for name, value in estimator.state_arrays().items())


def test_those_who_usually_write_are_the_mean_of_days_on_which_anybody_did() -> None:
    estimator, word = Emergence(half_life=1e9), np.array([4], np.uint64)
    assert estimator.usual_exposure == 0
    for day, wrote in ((0, 4), (1, 8), (5, 12)):
        estimator.learn_many(word, np.array([0]), exposure=wrote, bucket=day)
    assert abs(estimator.usual_exposure - 8) < 1e-6


DETECTION = Detection(min_authors=4, window=10)


def at_look(
    closed: int,
    tick: int,
    day: int,
    events: Sequence[int],
    topic: Sequence[int] = (),
    *,
    evidence: float = 12.0,
) -> Found:
    """What one look flags: a word that events carry, each by its own author and all about one topic."""
    flag = {"bucket": day, "perimeter": "e/nord/lille", "feature": 5, "closed": closed, "tick": tick}
    judged = {
        "evidence": evidence,
        "threshold": 10.0,
        "expected": 0.5,
        "since": day,
        "history": 90,
        "texts": 0,
        "told": 11.0,
    }
    support = [
        {
            **flag,
            "position": event,
            "event_id": event.to_bytes(16),
            "event_bucket": day,
            "event_perimeter": "e/nord/lille",
            "channel": "survey",
            "voice": "customer",
            "person": event,
            "score_e4": None,
            "sentiment": 0,
            "themes": [],
            "topic": list(topic),
        }
        for event in events
    ]
    early = Early(
        pa.Table.from_pylist([{**flag, **judged}], EARLY_CANDIDATE),
        pa.Table.from_pylist(support, EARLY_SUPPORT),
    )
    nothing = EARLY_CANDIDATE.empty_table(), EARLY_SUPPORT.empty_table()
    return Found(*nothing, early=early)


def at_close(
    bucket: int, events: Sequence[int], topic: Sequence[int] = (), *, evidence: float = 12.0
) -> Found:
    """The same at the close of a day."""
    early = at_look(0, 0, bucket, events, topic, evidence=evidence).early
    moment = ["closed", "tick"]
    return Found(early.candidates.drop_columns(moment), early.support.drop_columns(moment))


def stories(*found: Found) -> list[Story]:
    state = Corroboration()
    for part in found:
        corroborate([part], state, DETECTION)
    return state.stories


def test_a_close_confirms_what_a_look_raised_under_its_id() -> None:
    raised = at_look(48, 199, 50, [1, 2, 3, 4])
    (early,) = stories(raised)
    assert [early.standing(bucket) for bucket in (48, 49, 50)] == [EARLY, EARLY, NOT_SUSTAINED]
    grown = at_look(48, 200, 50, [1, 2, 3, 4, 5])
    (story,) = stories(raised, grown, at_close(50, [1, 2, 3, 4, 5, 6]))
    assert story.story_id == early.story_id
    assert story.early == 199
    assert story.standing(50) == CONFIRMED
    assert {row["event_id"][-1]: row["step"] for row in story.support.values()} == {
        1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 3,
    }  # fmt: skip


def test_evidence_that_is_told_moves_at_closes_alone() -> None:
    looks = [at_look(48, 199, 50, [1, 2, 3, 4]), at_look(48, 200, 50, [1, 2, 3, 4, 5], evidence=13.0)]
    (early,) = stories(*looks)
    assert (early.evidence, early.features) == (12.0, {5: 12.0})
    assert len(early.support) == 5
    (closed,) = stories(*looks, at_close(50, [1, 2, 3, 4, 5], evidence=14.0))
    assert (closed.evidence, closed.features) == (14.0, {5: 14.0})


def test_what_no_close_confirms_is_not_sustained_and_what_comes_after_is_another_story() -> None:
    first, second = stories(at_look(48, 199, 50, [1, 2, 3, 4]), at_close(51, [1, 2, 3, 4, 5, 6, 7]))
    assert (first.standing(51), second.standing(51)) == (NOT_SUSTAINED, "")
    assert first.story_id != second.story_id


def test_looks_leave_what_a_close_raised_alone() -> None:
    (story,) = stories(at_close(49, [1, 2, 3, 4]), at_look(49, 199, 50, [1, 2, 3, 4, 5]))
    assert story.early is None
    assert len(story.support) == 4


def test_what_no_close_confirmed_takes_in_no_later_look_though_nothing_was_found_at_the_close() -> None:
    first, second = stories(at_look(47, 195, 48, [1, 2, 3, 4]), at_look(48, 199, 49, [1, 2, 3, 4, 5]))
    assert (first.standing(48), second.standing(48)) == (NOT_SUSTAINED, EARLY)
    assert len(first.support) == 4


def test_a_look_at_what_a_story_is_about_raises_no_other() -> None:
    (story,) = stories(at_close(47, [1, 2, 3, 4], [7]), at_look(48, 199, 50, [11, 12, 13, 14], [7]))
    assert story.early is None
    assert len(story.support) == 4
    (story,) = stories(
        at_close(47, [1, 2, 3, 4], [7]),
        at_look(48, 199, 50, [11, 12, 13, 14], [7]),
        at_close(50, [11, 12, 13, 14], [7]),
    )
    assert len(story.support) == 8


def test_the_close_that_confirms_a_story_tells_what_it_is_about() -> None:
    look = at_look(48, 199, 50, [1, 2, 3, 4], [7, 8])
    (story,) = stories(look)
    assert story.topic == {7, 8}
    (story,) = stories(look, at_close(50, [1, 2, 3, 4, 5], [7]), at_close(51, [1, 2, 3, 4, 5, 6], [9]))
    assert story.topic == {7}


def test_graces_of_a_log_that_grows_are_read_on(tmp_path: Path) -> None:
    now, graces = datetime(2024, 1, 1, tzinfo=UTC), Graces()
    for hour, grace_s in ((1, 60), (2, 3_600), (3, 60), (4, 7_200)):
        at = now + timedelta(hours=hour)
        with LogWriter(tmp_path / "log", now=lambda: now) as writer:
            row = {**ROWS[hour], "occurred_at": at, "admitted_at": at, "grace_s": grace_s}
            writer.append_live(table([row]), note={})
            writer.heartbeat(at + timedelta(minutes=10))
        log = EventLog(tmp_path / "log")
        found = LookClock.of(log, every_us=HOUR, zone="UTC", graces=graces)
        assert found == LookClock.of(log, every_us=HOUR, zone="UTC")
    assert found is not None
    clocks = [-1, *(to_us(now + timedelta(hours=hour, minutes=10)) for hour in (1, 3))]
    assert found.graces == tuple(zip(clocks, (60_000_000, 3_600_000_000, 7_200_000_000), strict=True))
