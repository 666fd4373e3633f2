"""Episodes from findings made by hand: one situation, one episode, one owner."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.stages.episodes import SHADOW, Births, Episode, Episodes, follow
from pipelines.stages.finding import BLIND_SPOT, DOWN, MOOD, SCORE, SILENCE, UNUSUAL_DAY, UP, Finding

ROOT, NORD, LILLE, ARRAS, NICE = "e", "e/nord", "e/nord/lille", "e/nord/arras", "e/sud/nice"
WINDOW = 28


def finding(bucket: int, perimeter: str = LILLE, kind: str = SCORE, **changes: object) -> Finding:
    made = Finding(bucket, perimeter, kind, "", DOWN, 12.0, 10.0, 0.5, 0.8, bucket - 3, 20.0)
    return replace(made, **changes)  # type: ignore[arg-type]


def followed(*findings: Finding, births: Births = (), window: int = WINDOW) -> list[Episode]:
    state = Episodes()
    follow(findings, state, births, window=window)
    return state.all


def owners(episodes: list[Episode]) -> list[tuple[str, int, int]]:
    """Owner, first and last bucket of each."""
    return [(one.owner, one.born.bucket, one.last_bucket) for one in episodes]


def test_a_finding_is_an_episode() -> None:
    (one,) = followed(finding(100, evidence=11.5))
    assert (one.owner, one.last_bucket, one.strongest, one.details, one.part_of) == (
        LILLE,
        100,
        finding(100, evidence=11.5),
        {""},
        None,
    )
    assert one.born == finding(100, evidence=11.5)


def test_an_episode_grows_by_what_is_the_same() -> None:
    (one,) = followed(finding(100, evidence=11.0), finding(110, evidence=15.0), finding(130, evidence=12.0))
    assert owners([one]) == [(LILLE, 100, 130)]
    assert (one.strongest.evidence, one.born.evidence) == (15.0, 11.0)


def test_an_episode_ends_after_the_window() -> None:
    """Within 28 buckets it is the same; after them another one begins."""
    assert owners(followed(finding(100), finding(127))) == [(LILLE, 100, 127)]
    assert owners(followed(finding(100), finding(128))) == [(LILLE, 100, 100), (LILLE, 128, 128)]


def test_what_ended_is_kept_apart_from_what_lives() -> None:
    state = Episodes()
    follow([finding(100), finding(128, NICE)], state, (), window=WINDOW)
    assert [one.owner for one in state.ended] == [LILLE]
    assert [one.owner for one in state.living] == [NICE]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(finding(101, direction=UP), id="direction"),
        pytest.param(finding(101, kind=MOOD), id="kind"),
        pytest.param(finding(101, NICE), id="perimeter"),
        pytest.param(finding(101, ARRAS), id="sibling"),
    ],
)
def test_something_else_is_an_episode_of_its_own(other: Finding) -> None:
    episodes = followed(finding(100), other)
    assert len({one.story_id for one in episodes}) == 2
    assert [one.part_of for one in episodes] == [None, None]


def test_themes_are_situations_of_their_own_and_silent_channels_are_not() -> None:
    spots = [finding(100, kind=BLIND_SPOT, detail=theme) for theme in ("parking", "till")]
    assert [one.details for one in sorted(followed(*spots), key=lambda one: one.born.detail)] == [
        {"parking"},
        {"till"},
    ]
    (silence,) = followed(
        finding(100, kind=SILENCE, detail="email"), finding(104, kind=SILENCE, detail="survey")
    )
    assert silence.details == {"email", "survey"}
    assert silence.born.detail == "email"


def test_a_parent_stays_quiet_where_one_child_explains_it() -> None:
    """On the same day or later; and a shop of the child's is the child's."""
    assert owners(followed(finding(100, NORD, evidence=30.0), finding(100, LILLE))) == [(LILLE, 100, 100)]
    assert owners(followed(finding(100, LILLE), finding(103, NORD), finding(105, ROOT))) == [
        (LILLE, 100, 105)
    ]
    assert owners(followed(finding(100, LILLE), finding(103, f"{LILLE}/b1"))) == [(LILLE, 100, 103)]


def test_a_parent_takes_over_where_several_children_show_it() -> None:
    first, second, parent = (
        finding(100, LILLE),
        finding(101, ARRAS),
        finding(104, NORD, evidence=14.0),
    )
    episodes = {one.owner: one for one in followed(first, second, parent, finding(110, ARRAS))}
    assert set(episodes) == {LILLE, ARRAS, NORD}
    whole = episodes[NORD]
    assert whole.part_of is None
    assert (whole.born, whole.last_bucket) == (parent, 110)
    assert episodes[LILLE].part_of == episodes[ARRAS].part_of == whole.story_id
    # What comes later is the parent's: its parts grow no more.
    assert episodes[ARRAS].last_bucket == 101


def test_children_and_parent_of_one_day_are_placed_from_the_bottom_up() -> None:
    episodes = followed(finding(100, NORD, evidence=40.0), finding(100, ARRAS), finding(100, LILLE))
    whole = next(one for one in episodes if one.owner == NORD)
    assert {one.owner: one.part_of for one in episodes} == {
        LILLE: whole.story_id,
        ARRAS: whole.story_id,
        NORD: None,
    }


def test_the_root_takes_over_what_divisions_show() -> None:
    episodes = followed(finding(100, LILLE), finding(101, NICE), finding(102, ROOT))
    assert [(one.owner, one.part_of is None) for one in episodes] == [
        (LILLE, False),
        (NICE, False),
        (ROOT, True),
    ]


def test_two_shops_of_one_child_are_one_child() -> None:
    """The parent sees one child that shows it, in two places: the first of these goes on."""
    episodes = followed(finding(100, f"{LILLE}/b1"), finding(101, f"{LILLE}/b2"), finding(102, NORD))
    assert owners(episodes) == [(f"{LILLE}/b1", 100, 102), (f"{LILLE}/b2", 101, 101)]
    assert [one.part_of for one in episodes] == [None, None]


UNUSUAL = finding(110, kind=UNUSUAL_DAY)


@pytest.mark.parametrize("where", [LILLE, NORD, f"{LILLE}/b1"])
@pytest.mark.parametrize("days", [0, SHADOW - 1])
def test_an_unusual_day_that_something_else_explains_is_no_news(where: str, days: int) -> None:
    """Another finding, or the birth of a story, of that day or a few before, above or below."""
    before = finding(110 - days, where)
    assert [one.born.kind for one in followed(*sorted((before, UNUSUAL), key=lambda one: one.bucket))] == [
        SCORE
    ]
    assert followed(UNUSUAL, births=[(where, 110 - days)]) == []


@pytest.mark.parametrize(
    ("where", "bucket"),
    [(LILLE, 110 - SHADOW), (LILLE, 111), (ARRAS, 110), (NICE, 110), ("e/nord/lill", 110)],
)
def test_an_unusual_day_that_nothing_explains_is_told(where: str, bucket: int) -> None:
    assert owners(followed(UNUSUAL, births=[(where, bucket)])) == [(LILLE, 110, 110)]
    others = sorted((finding(bucket, where), UNUSUAL), key=lambda one: one.bucket)
    assert UNUSUAL_DAY in {one.born.kind for one in followed(*others)}


def test_one_unusual_day_explains_another_no_more_than_itself() -> None:
    """A second one is the first one's, not shadowed by it."""
    assert owners(followed(UNUSUAL, replace(UNUSUAL, bucket=112))) == [(LILLE, 110, 112)]


def test_ids_are_of_what_is_found_and_nothing_else() -> None:
    (one,) = followed(finding(100, evidence=11.0))
    (other,) = followed(finding(50, NICE), finding(100, evidence=13.0, size=99.0))[1:]
    assert one.story_id == other.story_id
    assert len(bytes.fromhex(one.story_id)) == 16
    changed = [finding(101), finding(100, ARRAS), finding(100, kind=MOOD), finding(100, direction=UP)]
    assert len({episode.story_id for each in changed for episode in followed(each)} | {one.story_id}) == 5


FINDINGS = st.lists(
    st.builds(
        finding,
        st.integers(100, 160),
        st.sampled_from([ROOT, NORD, LILLE, ARRAS, NICE]),
        st.sampled_from([SCORE, UNUSUAL_DAY]),
        direction=st.sampled_from([UP, DOWN]),
        evidence=st.integers(10, 14).map(float),
    ),
    max_size=25,
    unique_by=lambda one: (one.bucket, one.perimeter, one.kind, one.direction),
)


@settings(deadline=None, max_examples=150)
@given(found=FINDINGS, cut=st.integers(100, 161), chance=st.randoms(use_true_random=False))
def test_episodes_are_the_same_however_findings_are_cut_and_ordered(
    found: list[Finding], cut: int, chance: random.Random
) -> None:
    found.sort(key=lambda one: one.bucket)
    births = [(NORD, 120), (NICE, 140)]
    whole = followed(*found, births=births, window=14)
    state = Episodes()
    for part in (
        [one for one in found if one.bucket < cut],
        [one for one in found if one.bucket >= cut],
    ):
        shuffled = sorted(part, key=lambda one: (one.bucket, chance.random()))
        follow(shuffled, state, births, window=14)
    assert state.all == whole


@settings(deadline=None, max_examples=150)
@given(found=FINDINGS)
def test_no_two_episodes_that_live_are_one_situation(found: list[Finding]) -> None:
    """Of those that are no parts, none lies in another of its kind and direction while both live."""
    episodes = followed(*sorted(found, key=lambda one: one.bucket), window=14)
    assert len({one.story_id for one in episodes}) == len(episodes)
    assert {one.part_of for one in episodes} <= {None, *(one.story_id for one in episodes)}
    alone = [one for one in episodes if one.part_of is None]
    for one, other in pairwise(sorted(alone, key=lambda one: (one.owner, one.born.kind, one.born.direction))):
        same = (one.owner, one.born.kind, one.born.direction) == (
            other.owner,
            other.born.kind,
            other.born.direction,
        )
        assert not same or one.last_bucket + 14 <= other.born.bucket
