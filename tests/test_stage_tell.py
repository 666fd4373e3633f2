"""Episodes told as signals: who carries them, what of it is shown, and when nothing is told."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipelines.stages.carriers import MOST_EVENTS
from pipelines.stages.episodes import Episodes, follow
from pipelines.stages.explain import Signals
from pipelines.stages.finding import (
    BLIND_SPOT,
    DOWN,
    GAP,
    MOOD,
    NO_TEXT,
    SCORE,
    SILENCE,
    UNUSUAL_DAY,
    UP,
)
from pipelines.stages.tell import tell
from pipelines.stages.understand import Reader
from tests.episode_events import (
    BUCKET,
    LILLE,
    RAISED,
    SINCE,
    TELLING,
    THREE,
    Event,
    carriers,
    episode,
    event,
    log,
    story,
    told,
)


def test_a_signal_by_hand() -> None:
    events = [
        event(1, "nul", score=0.1),
        event(2, "", score=0.2, channel="email", day=1),
        event(3, "bien", score=0.7, day=2),
        event(4, "parfait", score=1.0),
    ]
    fallen = episode(SCORE, DOWN)
    (signal,) = told(fallen, events).signals.to_pylist()
    explanation = json.loads(signal.pop("explanation"))
    channels, voices = json.loads(signal.pop("channels")), json.loads(signal.pop("voices"))
    assert signal == {
        "signal_id": fallen.story_id,
        "perimeter": LILLE,
        "bucket": RAISED,
        "bucket_at": datetime(2026, 3, 3, 23, tzinfo=UTC),
        "kind": "score_drift",
        "label": "note en baisse",
        "terms": [],
        "theme": None,
        "dimension": None,
        "stance": None,
        "owning_function": None,
        "tone": "complaint",
        "observed": 0.5,
        "expected": 0.8,
        # 18 of its 20 values are told.
        "evidence": 10.8,
        "distinct_authors": 3,
        "min_authors": 3,
        "first_seen": datetime(2026, 3, 2, 9, 1, tzinfo=UTC),
        "last_seen": datetime(2026, 3, 4, 9, 3, tzinfo=UTC),
        "status": "open",
        "retrospective": True,
        "mean_score": 0.5,
        "sentence_fr": "Lille Centre : depuis le 2 mars, la note moyenne baisse : 5,0/10 pour 8,0/10 "
        "attendus.",
        "sentence_en": "Lille Centre: since 2 March the mean score falls: 5.0/10, 8.0 expected.",
        "settings_version": "v" * 32,
    }
    assert explanation == {
        "terms": {},
        "threshold": 10.0,
        "judged_at": LILLE,
        "since": "2026-03-02",
        "direction": "down",
        "details": [],
        "moved": [],
        "strongest_evidence": 10.8,
        "part_of": None,
        "subjects": ["down"],
        "taught": None,
    }
    # One mail would be found by subtraction.
    assert (channels, voices) == ({"survey": None, "email": None}, {"customer": 3})


@pytest.mark.parametrize(
    ("kind", "direction", "changes", "expected"),
    [
        # Scores under 0.8, with or without a text; above it, where they rise.
        (SCORE, DOWN, {}, [1, 2, 3, 6]),
        (SCORE, UP, {}, [4, 5, 7]),
        # Moods of texts: nul -1, moyen -0.2, bien 0.4, parfait 1.
        (MOOD, DOWN, {"expected": 0.3}, [1, 2, 7, 9]),
        (MOOD, UP, {"expected": 0.3}, [4, 5, 8]),
        # A score of 5/10 at least and an unhappy text, as of 2, 7 and 14; 5/10 at most and a happy one.
        (GAP, UP, {}, [2, 7, 14]),
        (GAP, DOWN, {}, [10, 11, 12]),
        (NO_TEXT, UP, {}, [3, 6, 13]),
        (NO_TEXT, DOWN, {}, [1, 2, 4, 5, 7]),
    ],
)
def test_those_who_carry_a_change_are_those_who_move_its_sums(
    kind: str, direction: int, changes: dict[str, Any], expected: list[int]
) -> None:
    events = [
        event(1, "nul", score=0.1),
        event(2, "moyen", score=0.6),
        event(3, "", score=0.3),
        event(4, "bien", score=0.9),
        event(5, "parfait", score=1.0),
        event(6, "", score=0.7),
        event(7, "nul", score=0.9),
        event(8, "parfait"),
        event(9, "moyen"),
    ]
    if (kind, direction) == (GAP, DOWN):
        events = [event(number, "parfait", score=0.5) for number in (10, 11, 12)] + events[:2]
    if (kind, direction) == (NO_TEXT, UP):
        events.append(event(13, "", score=1.0))
    if (kind, direction) == (GAP, UP):
        events.append(event(14, "nul", score=0.5))
    elsewhere = [{**one, "number": 20 + one["number"], "perimeter": "e/nord/lillebonne"} for one in events]
    assert carriers(told(episode(kind, direction, **changes), [*events, *elsewhere])) == expected


def test_events_of_smaller_perimeters_carry_it_too() -> None:
    events = [{**one, "perimeter": f"{LILLE}/b{one['number']}"} for one in THREE]
    assert carriers(told(episode(SCORE, DOWN), events)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("direction", "expected", "label"),
    [
        (UP, [1, 2, 3], "angle mort du terrain : Stationnement"),
        (DOWN, [4, 5, 6], "angle mort des clients : Stationnement"),
    ],
)
def test_a_blind_spot_is_carried_by_the_voice_that_speaks_of_it(
    direction: int, expected: list[int], label: str
) -> None:
    customers = [event(number, "le parking est nul") for number in (1, 2, 3)]
    field = [event(number, "parking", voice="field", channel="note") for number in (4, 5, 6)]
    others = [event(7, "nul"), event(8, "bien", voice="field")]
    spot = episode(BLIND_SPOT, direction, detail="parking", observed=0.0, expected=6.0)
    signals = told(spot, [*customers, *field, *others])
    assert carriers(signals) == expected
    (signal,) = signals.signals.to_pylist()
    assert (signal["label"], signal["theme"], signal["tone"]) == (label, "parking", "complaint")
    assert (signal["dimension"], signal["owning_function"]) == ("access", "works")


def test_an_unusual_day_is_carried_by_its_own_day_whatever_came_later() -> None:
    """A second odd day, a month later, is the same episode; the day told of is the first."""
    odd = episode(UNUSUAL_DAY, UP, since=BUCKET, moved=(("survey", 9.0, 2.0),))
    odd.grow(replace(odd.born, bucket=BUCKET + 20))
    odd.grow(replace(odd.born, bucket=BUCKET + 40))
    events = [event(number, "bien", day=2) for number in (1, 2, 3)] + [event(4, day=1), event(5, day=22)]
    signals = told(odd, events, last=BUCKET + 40)
    assert carriers(signals) == [1, 2, 3]
    assert signals.signals["status"].to_pylist() == ["open"]


def test_a_long_episode_shows_its_last_two_periods_that_have_something_to_show() -> None:
    """Of a window each, from the alert on; the earliest has what led to it."""
    asked: list[tuple[int, int]] = []
    long = episode(SCORE, DOWN)
    long.grow(replace(long.born, bucket=BUCKET + 90))
    later = [
        event(10 * day + number, "nul", score=0.1, day=day)
        for day in (2 + 30, 2 + 60, 2 + 85)
        for number in (1, 2, 3)
    ]
    quiet = [event(5, "nul", score=0.1, day=2 + 88)]
    found = log([*THREE, *later, *quiet], asked)
    signals = tell([long], [], found, last_bucket=BUCKET + 91, live_from=None)
    assert asked == [(BUCKET + 56, BUCKET + 90)]
    assert carriers(signals) == [621, 622, 623, 871, 872, 873]
    asked.clear()
    tell([long], [], log(THREE, asked), last_bucket=BUCKET + 91, live_from=None)
    assert asked == [(BUCKET + 56, BUCKET + 90), (BUCKET + 28, BUCKET + 55), (SINCE, BUCKET + 27)]


def test_the_most_telling_events_are_shown_and_no_more_than_a_hundred() -> None:
    mild = [event(number, score=0.7) for number in range(1, 90)]
    severe = [event(number, score=0.1) for number in range(100, 160)]
    shown = carriers(told(episode(SCORE, DOWN), [*mild, *severe]))
    assert len(shown) == MOST_EVENTS == 100
    assert shown == [*range(1, 41), *range(100, 160)]


def test_fewer_authors_than_the_minimum_are_not_told() -> None:
    two = [{**one, "author": one["author"] % 2} for one in THREE]
    assert told(episode(SCORE, DOWN), THREE).signals.num_rows == 1
    assert told(episode(SCORE, DOWN), two).signals.num_rows == 0
    assert told(episode(SCORE, DOWN), two).evidence.num_rows == 0


def test_a_silence_is_told_though_nobody_carries_it() -> None:
    quiet = episode(SILENCE, DOWN, detail="email", observed=0.0, expected=12.4)
    quiet.grow(replace(quiet.born, bucket=BUCKET + 3, detail="letter"))
    asked: list[tuple[int, int]] = []
    signals = tell([quiet], [], log(THREE, asked), last_bucket=BUCKET + 5, live_from=None)
    assert asked == []
    (signal,) = signals.signals.to_pylist()
    assert signal["distinct_authors"] == 0
    assert signal["tone"] == "mixed"
    assert signal["label"] == "silence : e-mail et courrier"
    # Observed and expected are those of the channel that fell silent first.
    assert signal["sentence_fr"] == (
        "Lille Centre : depuis le 2 mars, aucun texte par e-mail pour 12 attendus."
    )
    # Nobody was seen: from the first silent midnight to the last day found, in Paris.
    assert signal["first_seen"] == datetime(2026, 3, 1, 23, tzinfo=UTC)
    assert signal["last_seen"] == datetime(2026, 3, 6, 23, tzinfo=UTC)
    assert json.loads(signal["explanation"])["details"] == ["email", "letter"]
    assert signals.evidence.num_rows == 0


def part_of(signals: Signals) -> tuple[str, str | None]:
    (signal,) = signals.signals.to_pylist()
    return signal["status"], json.loads(signal["explanation"])["part_of"]


def test_what_a_storys_events_move_is_a_part_of_that_story() -> None:
    """One of five events is enough, where the story is of enough people to be told."""
    events = [event(number, "nul", score=0.1) for number in range(1, 11)]
    fallen = episode(SCORE, DOWN)
    two, one, none = ([1, 2, 90], [1, 90, 91], [90, 91, 92])
    assert part_of(told(fallen, events, [story(two)])) == ("merged", "cd" * 16)
    assert part_of(told(fallen, events, [story(one)])) == ("open", None)
    assert part_of(told(fallen, events, [story(none)])) == ("open", None)
    assert part_of(told(fallen, events, [story(two), story([1, 2, 3], "ef" * 16)])) == ("merged", "ef" * 16)


def test_a_part_of_a_story_that_is_itself_a_part_belongs_to_the_whole() -> None:
    events = [event(number, "nul", score=0.1) for number in range(1, 6)]
    whole = "ab" * 16
    assert part_of(told(episode(SCORE, DOWN), events, [story([1, 2, 3], part_of=whole)])) == ("merged", whole)


def test_a_story_of_too_few_to_be_told_explains_nothing() -> None:
    events = [event(number, "nul", score=0.1) for number in range(1, 6)]
    assert part_of(told(episode(SCORE, DOWN), events, [story([1, 2, 3], people=2)])) == ("open", None)


def test_a_part_of_an_episode_that_is_not_told_stands_for_itself() -> None:
    state = Episodes()
    fall = episode(SCORE, DOWN).born
    found = [
        fall,
        replace(fall, perimeter="e/nord/arras"),
        replace(fall, perimeter="e/nord", bucket=BUCKET + 1),
    ]
    follow(found, state, (), window=28)
    whole = next(one for one in state.all if one.owner == "e/nord")
    events = [
        *THREE,
        *({**event(one["number"] + 10, "nul", score=0.1), "perimeter": "e/nord/arras"} for one in THREE),
    ]
    by_owner = {row["perimeter"]: row for row in told(state.all, events).signals.to_pylist()}
    assert {place: row["status"] for place, row in by_owner.items()} == {
        "e/nord": "open",
        LILLE: "merged",
        "e/nord/arras": "merged",
    }
    assert json.loads(by_owner[LILLE]["explanation"])["part_of"] == whole.story_id
    # Where the whole expects less than the parts, nobody is below it.
    whole.born = replace(whole.born, expected=0.05)
    rows = told(state.all, events).signals.to_pylist()
    assert {(row["perimeter"], row["status"]) for row in rows} == {(LILLE, "open"), ("e/nord/arras", "open")}


@pytest.mark.parametrize(
    ("last", "status"), [(BUCKET, "open"), (BUCKET + 27, "open"), (BUCKET + 28, "ended")]
)
def test_an_episode_ends_a_window_after_it_was_last_found(last: int, status: str) -> None:
    assert told(episode(SCORE, DOWN), THREE, last=last).signals["status"].to_pylist() == [status]


def test_what_was_raised_before_the_live_part_is_retrospective() -> None:
    born_at = datetime(2026, 3, 3, 23, tzinfo=UTC)
    for live_from, retrospective in (
        (None, True),
        (born_at, False),
        (born_at + timedelta(microseconds=1), True),
    ):
        signals = told(episode(SCORE, DOWN), THREE, live_from=live_from)
        assert signals.signals["retrospective"].to_pylist() == [retrospective]


@pytest.mark.parametrize(
    ("kind", "direction", "tone"),
    [
        (SCORE, UP, "praise"),
        (SCORE, DOWN, "complaint"),
        (MOOD, UP, "praise"),
        (MOOD, DOWN, "complaint"),
        (GAP, UP, "complaint"),
        (GAP, DOWN, "praise"),
        (NO_TEXT, UP, "mixed"),
        (NO_TEXT, DOWN, "mixed"),
        (UNUSUAL_DAY, UP, "mixed"),
    ],
)
def test_the_tone_is_whether_people_are_more_or_less_content(kind: str, direction: int, tone: str) -> None:
    texts = {"praise": "parfait", "complaint": "nul", "mixed": "bien"}
    score = {UP: 1.0, DOWN: 0.0}[direction]
    if kind == GAP:
        score, texts = 0.5, {"praise": "parfait", "complaint": "nul"}
    text = "" if (kind, direction) == (NO_TEXT, UP) else texts[tone]
    events = [event(number, text, score=score, day=2) for number in (1, 2, 3)]
    (signal,) = told(episode(kind, direction), events).signals.to_pylist()
    assert signal["tone"] == tone


def test_a_mean_score_is_given_of_scores_only() -> None:
    assert told(episode(SCORE, DOWN), THREE).signals["mean_score"].to_pylist() == [0.5]
    assert told(episode(MOOD, DOWN), THREE).signals["mean_score"].to_pylist() == [None]


def evidence(events: list[Event]) -> list[dict[str, Any]]:
    return list(told(episode(SCORE, DOWN), events).evidence.to_pylist())


def test_evidence_names_groups_only_where_all_are_large_enough() -> None:
    """Three of each channel, voice and perimeter; one fewer of one, and none is named."""
    ones = [event(n, "nul", score=0.1) for n in (1, 2, 3)]
    others = [
        event(n, "bien", score=0.1, channel="email", voice="field", perimeter=f"{LILLE}/b1")
        for n in (4, 5, 6)
    ]
    large = evidence([*ones, *others])
    assert [(row["channel"], row["voice"], row["perimeter"]) for row in large] == [
        *[("survey", "customer", LILLE)] * 3,
        *[("email", "field", f"{LILLE}/b1")] * 3,
    ]
    assert [row["excerpt"] for row in large] == ["nul"] * 3 + ["bien"] * 3
    small = evidence([*ones, *others[:2]])
    assert [(row["channel"], row["voice"], row["perimeter"]) for row in small] == [("", "", LILLE)] * 5
    # Two of the field: their words are withheld, and those of the three customers are not.
    assert [row["excerpt"] for row in small] == ["nul"] * 3 + [None] * 2


def test_authors_count_and_not_texts() -> None:
    """A fourth text of one of the three makes no group larger."""
    ones = [event(n, "nul", score=0.1) for n in (1, 2, 3)]
    again = [event(n, "nul", score=0.1, channel="email", author=4) for n in (4, 5, 6)]
    rows = evidence([*ones, *again])
    assert {row["channel"] for row in rows} == {""}
    assert {row["voice"] for row in rows} == {"customer"}


def test_the_label_is_in_the_language_of_the_organisation() -> None:
    reader = Reader(
        {"en": TELLING.reader.tables["fr"], "fr": TELLING.reader.tables["fr"]}, "en", "Europe/Paris"
    )
    english = replace(TELLING, reader=reader, names={})
    (signal,) = told(episode(SCORE, DOWN), THREE, telling=english).signals.to_pylist()
    assert signal["label"] == "score falling"
    # A perimeter without a name is called by its place in the tree.
    assert signal["sentence_en"].startswith("lille: ")


def test_signals_and_evidence_are_in_order() -> None:
    late = episode(MOOD, DOWN)
    late.born, late.last_bucket = replace(late.born, bucket=BUCKET + 1), BUCKET + 1
    signals = told([late, episode(SCORE, DOWN)], [*THREE[::-1]])
    assert signals.signals["bucket"].to_pylist() == [RAISED, RAISED + timedelta(days=1)]
    keys = [(row["signal_id"], row["occurred_at"], row["event_id"]) for row in signals.evidence.to_pylist()]
    assert keys == sorted(keys)


def test_without_an_episode_there_is_no_signal() -> None:
    assert told([], THREE).signals.num_rows == 0


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no kind of finding is called 'rumour'"):
        told(episode("rumour", UP), THREE)
