"""Stories from hand-made candidates: one situation, one story, one owner."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.schemas import CANDIDATE, SUPPORT
from pipelines.stages.corroborate import Corroboration, corroborate
from pipelines.stages.detect import Detection
from pipelines.stages.finds import Found
from pipelines.stages.story import Story, within

LILLE, ARRAS, NICE = "e/nord/lille", "e/nord/arras", "e/sud/nice"
DETECTION = Detection(min_authors=4, window=10)


@dataclass(frozen=True)
class Flag:
    """A flagged feature. events: numbers of the events that carry it; where: an event's perimeter by its
    hundreds (LILLE from 100, ARRAS from 200, NICE from 300); an event's author is its number. topics: what
    each event says that few others do."""

    bucket: int
    perimeter: str
    feature: int
    events: Sequence[int]
    evidence: float = 12.0
    texts: int = 0
    topics: Sequence[Sequence[int]] | None = None


PLACE_OF = {1: LILLE, 2: ARRAS, 3: NICE, 4: "e/nord", 5: f"{LILLE}/b1", 6: f"{LILLE}/b2"}


def found(*flags: Flag, persons: dict[int, int] | None = None) -> Found:
    candidates = [
        {
            "bucket": flag.bucket,
            "perimeter": flag.perimeter,
            "feature": flag.feature,
            "evidence": flag.evidence,
            "threshold": 10.0,
            "expected": 0.5,
            "since": flag.bucket - 1,
            "history": 90,
            "texts": flag.texts,
            "told": flag.evidence,
        }
        for flag in flags
    ]
    support: list[dict[str, Any]] = [
        {
            "bucket": flag.bucket,
            "perimeter": flag.perimeter,
            "feature": flag.feature,
            "position": event,
            "event_id": event.to_bytes(16),
            "event_bucket": flag.bucket,
            "event_perimeter": PLACE_OF[event // 100],
            "channel": "survey",
            "voice": "customer",
            "person": (persons or {}).get(event, event),
            "score_e4": None,
            "sentiment": 0,
            "themes": [],
            "topic": list(topic),
        }
        for flag in flags
        for event, topic in zip(flag.events, flag.topics or [()] * len(flag.events), strict=True)
    ]
    return Found(
        pa.Table.from_pylist(candidates, schema=CANDIDATE), pa.Table.from_pylist(support, schema=SUPPORT)
    )


def told(*flags: Flag, persons: dict[int, int] | None = None) -> list[Story]:
    state = Corroboration()
    corroborate([found(*flags, persons=persons)], state, DETECTION)
    return state.stories


def events(story: Story) -> list[int]:
    return sorted(int.from_bytes(event) for event in story.support)


def test_terms_of_the_same_events_are_one_story() -> None:
    stories = told(
        Flag(50, LILLE, 5, range(101, 107), 15.0),
        Flag(50, LILLE, 9, range(101, 106), 11.0),
        Flag(50, "e/nord", 5, range(101, 108), 13.0),
        Flag(50, "e", 13, range(103, 108), 12.0),
    )
    assert len(stories) == 1
    (story,) = stories
    assert (story.owner, story.evidence, story.born.feature, story.born.perimeter) == (LILLE, 15.0, 5, LILLE)
    assert story.features == {5: 15.0, 9: 11.0, 13: 12.0}
    assert events(story) == [*range(101, 108)]
    assert story.part_of is None


def test_different_events_are_two_stories() -> None:
    stories = told(Flag(50, LILLE, 5, range(101, 107)), Flag(50, LILLE, 9, range(111, 117)))
    assert [events(story) for story in stories] in (
        [[*range(101, 107)], [*range(111, 117)]],
        [[*range(111, 117)], [*range(101, 107)]],
    )
    assert len({story.story_id for story in stories}) == 2


@pytest.mark.parametrize(
    ("other", "stories"),
    [
        ([*range(101, 105)], 1),  # all of four, 4 of 16
        ([*range(101, 104), 120, 121], 2),  # three of five, but 3 of 16
        ([*range(101, 105), *range(121, 125)], 1),  # half of eight, 4 of 16
        ([*range(101, 105), *range(121, 126)], 2),  # four of nine
    ],
)
def test_half_of_the_smaller_and_a_quarter_of_the_larger_are_shared(other: list[int], stories: int) -> None:
    assert len(told(Flag(50, LILLE, 5, range(101, 117)), Flag(50, LILLE, 9, other, 15.0))) == stories


def test_a_small_part_of_a_stronger_story_is_its_own() -> None:
    """Three of five events are the story's already."""
    (story,) = told(
        Flag(50, LILLE, 5, range(101, 117), 15.0), Flag(50, LILLE, 9, [*range(101, 104), 120, 121])
    )
    assert events(story) == [*range(101, 117), 120, 121]


@pytest.mark.parametrize(
    ("carried", "owner"),
    [
        ([*range(101, 107), 201, 202], LILLE),  # six of eight
        ([*range(101, 106), 201, 202], "e/nord"),  # five of seven
        ([*range(101, 104), 201], "e/nord"),  # three are too few authors
        ([*range(301, 307), 201], NICE),  # six of seven
        ([*range(401, 408)], "e/nord"),  # said of the region itself
        ([*range(501, 507), 101, 102], f"{LILLE}/b1"),
        ([*range(501, 504), *range(601, 604), 201], LILLE),  # shared by two counters of the store
        ([101, 102, 103, 201, 202, 203, 301, 302], "e/nord"),
        ([101, 102, 103, 201, 202, 301, 302], "e"),
    ],
)
def test_the_owner_is_the_smallest_perimeter_with_three_quarters(carried: list[int], owner: str) -> None:
    (story,) = told(Flag(50, "e", 5, carried))
    assert story.owner == owner
    assert events(story) == [event for event in sorted(carried) if within(PLACE_OF[event // 100], owner)]


def test_a_story_that_spreads_climbs_and_the_first_becomes_a_part() -> None:
    first, parent = told(
        Flag(50, LILLE, 5, range(101, 107)),
        Flag(50, "e/nord", 5, range(101, 107)),
        Flag(52, ARRAS, 5, range(201, 207), 14.0),
        Flag(52, "e/nord", 5, [*range(101, 107), *range(201, 207)], 20.0),
    )
    assert (first.owner, first.last_bucket) == (LILLE, 50)
    assert (parent.owner, parent.part_of, parent.born.bucket) == ("e/nord", None, 52)
    assert first.part_of == parent.story_id
    assert events(parent) == [*range(101, 107), *range(201, 207)]


def test_siblings_that_no_parent_flags_stay_two() -> None:
    first, second = told(Flag(50, LILLE, 5, range(101, 107)), Flag(52, ARRAS, 5, range(201, 207)))
    assert (first.owner, second.owner) == (LILLE, ARRAS)
    assert (first.part_of, second.part_of) == (None, None)


def test_a_story_that_lives_takes_in_what_comes() -> None:
    (story,) = told(
        Flag(50, LILLE, 5, range(101, 107), 12.0),
        Flag(55, LILLE, 5, range(111, 117), 18.0),  # the term it was born with
        Flag(57, LILLE, 9, [*range(111, 115), *range(121, 125)], 11.0),  # other terms of its events
        Flag(58, f"{LILLE}/b1", 5, range(501, 505), 11.0),  # within its perimeter
    )
    assert (story.born.bucket, story.last_bucket, story.evidence) == (50, 58, 18.0)
    assert story.features == {5: 18.0, 9: 11.0}
    assert len(story.support) == 6 + 6 + 4 + 4


@pytest.mark.parametrize(("later", "stories"), [(59, 1), (60, 2)])
def test_a_story_ends_a_window_after_it_was_last_heard(later: int, stories: int) -> None:
    told_again = told(Flag(50, LILLE, 5, range(101, 107)), Flag(later, LILLE, 5, range(111, 117)))
    assert len(told_again) == stories
    assert [story.born.bucket for story in told_again] == [50, later][:stories]


def test_fewer_than_the_minimum_of_authors_never_pass() -> None:
    assert told(Flag(50, LILLE, 5, range(101, 104), 1e6)) == []
    assert told(Flag(50, LILLE, 5, range(101, 109)), persons={n: n % 3 for n in range(101, 109)}) == []
    (story,) = told(Flag(50, LILLE, 5, range(101, 109)), persons={n: n % 4 for n in range(101, 109)})
    assert story.born.observed == 4


def test_the_id_is_of_birth_place_bucket_kind_and_terms() -> None:
    flags = [Flag(50, LILLE, 9, range(101, 107)), Flag(50, LILLE, 5, range(101, 107))]
    later = Flag(52, LILLE, 13, range(101, 107))
    name = f"{LILLE}\n50\nemergence\n0000000000000005,0000000000000009"
    expected = blake2b(name.encode(), digest_size=16).hexdigest()
    assert [story.story_id for story in told(*flags, later)] == [expected]
    others = [
        told(Flag(51, LILLE, 9, range(101, 107)), Flag(51, LILLE, 5, range(101, 107))),
        told(Flag(50, ARRAS, 9, range(201, 207)), Flag(50, ARRAS, 5, range(201, 207))),
        told(flags[0]),
    ]
    assert len({story.story_id for (story,) in others} | {expected}) == 4


FLAG = st.builds(
    Flag,
    bucket=st.integers(50, 56),
    perimeter=st.sampled_from(["e", "e/nord", LILLE, ARRAS]),
    feature=st.sampled_from([5, 9, 13]),
    events=st.lists(
        st.integers(101, 108) | st.integers(201, 206) | st.integers(301, 303),
        unique=True,
        min_size=3,
        max_size=9,
    ),
    evidence=st.sampled_from([11.0, 12.0, 20.0]),
).map(
    lambda flag: replace(
        flag, events=[event for event in flag.events if within(PLACE_OF[event // 100], flag.perimeter)]
    )
)
FLAGS = st.lists(FLAG, max_size=8, unique_by=lambda flag: (flag.bucket, flag.perimeter, flag.feature))


def plain(stories: list[Story]) -> list[dict[str, Any]]:
    return [
        {
            "id": story.story_id,
            "owner": story.owner,
            "part_of": story.part_of,
            "events": events(story),
            "features": sorted(story.features.items()),
            "evidence": story.evidence,
            "born": (story.born.bucket, story.born.perimeter, story.born.feature),
            "last": story.last_bucket,
        }
        for story in stories
    ]


@settings(deadline=None, max_examples=80)
@given(flags=FLAGS, order=st.randoms(use_true_random=False), parts=st.integers(1, 3))
def test_the_order_of_candidates_and_the_split_of_buckets_change_nothing(
    flags: list[Flag], order: random.Random, parts: int
) -> None:
    expected = plain(told(*flags))
    shuffled = [
        Flag(f.bucket, f.perimeter, f.feature, order.sample(f.events, len(f.events)), f.evidence)
        for f in flags
    ]
    order.shuffle(shuffled)
    spread = [found(*shuffled[part::parts]) for part in range(parts)]
    together = Corroboration()
    corroborate(spread, together, DETECTION)
    assert plain(together.stories) == expected
    by_bucket = Corroboration()
    for bucket in range(50, 57):
        corroborate([found(*(flag for flag in shuffled if flag.bucket == bucket))], by_bucket, DETECTION)
    assert plain(by_bucket.stories) == expected


@settings(deadline=None, max_examples=80)
@given(flags=FLAGS)
def test_laws_of_stories(flags: list[Flag]) -> None:
    stories = told(*flags)
    by_id = {story.story_id: story for story in stories}
    assert len(by_id) == len(stories)
    for story in stories:
        assert len(story.support) >= DETECTION.min_authors
        assert all(within(row["event_perimeter"], story.owner) for row in story.support.values())
        assert story.born.bucket <= story.last_bucket
        assert story.evidence == max(story.features.values())
        if story.part_of is not None:
            assert within(story.owner, by_id[story.part_of].owner)
    assert bool(stories) == any(len(flag.events) >= DETECTION.min_authors for flag in flags)


def heard(state: Corroboration, flag: Flag) -> None:
    """Support without a candidate: a followed feature that is mentioned again."""
    tables = found(flag)
    corroborate([Found(CANDIDATE.empty_table(), tables.support)], state, DETECTION)


def test_a_story_grows_by_later_mentions_of_its_terms_under_its_owner() -> None:
    state = Corroboration()
    corroborate([found(Flag(50, LILLE, 5, range(101, 106)))], state, DETECTION)
    heard(state, Flag(58, LILLE, 5, [110]))
    heard(state, Flag(59, LILLE, 9, [111]))  # a term that is not the story's
    heard(state, Flag(59, "e", 5, [301]))  # its term, elsewhere
    (story,) = state.stories
    assert events(story) == [101, 102, 103, 104, 105, 110]
    assert (story.last_bucket, story.born.observed) == (58, 5)


def test_a_story_lives_a_window_after_it_was_last_heard_of() -> None:
    state = Corroboration()
    corroborate([found(Flag(50, LILLE, 5, range(101, 106)))], state, DETECTION)
    heard(state, Flag(59, LILLE, 5, [110]))
    # Bucket 68 is beyond a window of 10 from birth, within one of what was heard.
    corroborate([found(Flag(68, LILLE, 5, range(120, 125)))], state, DETECTION)
    assert len(state.stories) == 1


@pytest.mark.parametrize(("shared", "stories"), [(2, 1), (1, 2)])
def test_a_third_of_the_events_makes_a_new_term_part_of_a_story(shared: int, stories: int) -> None:
    state = Corroboration()
    corroborate([found(Flag(50, LILLE, 5, range(101, 109)))], state, DETECTION)
    others = [*range(101, 101 + shared), *range(130, 136 - shared)]
    corroborate([found(Flag(52, LILLE, 9, others))], state, DETECTION)
    assert len(state.stories) == stories


def test_events_that_say_a_word_of_its_birth_are_the_story_s_whatever_new_word_is_stronger() -> None:
    (story,) = told(
        Flag(50, LILLE, 5, range(101, 107)),
        # One event of nine was the story's before; eight say the term it was born with.
        Flag(51, LILLE, 9, [106, *range(111, 115)], 15.0),
        Flag(51, LILLE, 5, range(111, 119), 11.0),
    )
    assert story.features == {5: 12.0, 9: 15.0}
    assert len(story.support) == 6 + 8


@pytest.mark.parametrize(("texts", "stories"), [(0, 2), (159, 2), (160, 1)])
def test_a_quarter_of_the_events_is_enough_where_it_is_no_chance(texts: int, stories: int) -> None:
    """Eight of so many texts say the new word, and one of those since then the old: at random 8 / texts."""
    state = Corroboration()
    corroborate([found(Flag(50, LILLE, 5, range(102, 107)))], state, DETECTION)
    heard(state, Flag(51, LILLE, 5, [101]))
    corroborate([found(Flag(52, LILLE, 9, [101, 102, *range(130, 136)], texts=texts))], state, DETECTION)
    assert len(state.stories) == stories


@pytest.mark.parametrize(
    ("texts", "stories"),
    # Three of so many texts say the new word, and two of those since then the old: at random 3 * 2 / texts
    # say both, which may be one in twenty.
    [(0, 2), (6, 2), (119, 2), (120, 1), (5000, 1)],
)
def test_one_event_in_common_is_chance_where_few_texts_came(texts: int, stories: int) -> None:
    state, few = Corroboration(), replace(DETECTION, min_authors=3)
    corroborate([found(Flag(50, LILLE, 5, range(102, 107)))], state, few)
    heard(state, Flag(51, LILLE, 5, [101, 110]))  # since the new word's episode began
    corroborate([found(Flag(52, LILLE, 9, [101, 130, 131], texts=texts))], state, few)
    assert len(state.stories) == stories


@pytest.mark.parametrize(
    ("topics", "stories"),
    [
        ([[7], [7], [], []], 1),
        ([[7], [], [], []], 2),
        ([[8], [8], [8], [8]], 2),
    ],
)
def test_texts_that_say_what_those_of_a_story_s_birth_do_are_its_own(
    topics: list[list[int]], stories: int
) -> None:
    first = Flag(50, LILLE, 5, range(101, 105), topics=[[7], [7], [7], [9]])
    then = Flag(53, LILLE, 13, range(111, 115), topics=topics)
    assert len(told(first, then)) == stories


def test_what_a_story_takes_in_does_not_widen_what_it_is_about() -> None:
    first = Flag(50, LILLE, 5, range(101, 105), topics=[[7]] * 4)
    then = Flag(53, LILLE, 13, range(111, 115), topics=[[7, 8]] * 4)
    other = Flag(56, LILLE, 17, range(121, 125), topics=[[8]] * 4)
    assert [len(events(story)) for story in told(first, then, other)] == [8, 4]


def test_events_in_common_weigh_more_than_what_a_story_is_about() -> None:
    older = Flag(50, LILLE, 5, range(101, 105), topics=[[7]] * 4)
    nearer = Flag(51, LILLE, 9, range(111, 115), topics=[[8]] * 4)
    then = Flag(53, LILLE, 13, range(112, 117), topics=[[7]] * 5)
    assert [events(story) for story in told(older, nearer, then)] == [[*range(101, 105)], [*range(111, 117)]]


def test_a_region_s_story_takes_in_a_store_s_about_the_same() -> None:
    store = Flag(50, LILLE, 5, range(101, 105), topics=[[7]] * 4)
    region = Flag(52, "e/nord", 9, [111, 112, 211, 212], topics=[[7]] * 4)
    first, second = told(store, region)
    assert (first.owner, second.owner, first.part_of) == (LILLE, "e/nord", second.story_id)


def test_an_event_of_two_candidates_says_what_either_tells_of_it() -> None:
    first = Flag(50, LILLE, 5, range(101, 105), 15.0, topics=[[7]] * 4)
    weaker = Flag(50, LILLE, 9, range(101, 105), 11.0, topics=[[8]] * 4)
    assert [story.topic for story in told(first, weaker)] == [{7, 8}]
