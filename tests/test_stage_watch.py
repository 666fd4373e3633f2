"""The watch over streams of cells with one planted change each: that change is found, and nothing else."""

import math
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.stages.detect import SHARES, Detection
from pipelines.stages.finding import (
    BLIND_SPOT,
    DOWN,
    GAP,
    KINDS,
    MOOD,
    NO_TEXT,
    SCORE,
    SILENCE,
    UNUSUAL_DAY,
    UP,
    Finding,
)
from pipelines.stages.tally import CELLS
from pipelines.stages.watch import Watch, watch
from tests.watch_cells import ROOT, THEMES, Cells, above

FIRST, DAYS, CHANGE = 20_006, 130, 90
"""First bucket, number of days, and the day of the change."""
SLACK = 5
"""Days by which the beginning of a change may be missed."""
LILLE = "e/nord/lille"
STORES = (LILLE, "e/nord/arras", "e/sud/nice", "e/sud/cannes")
DETECTION = Detection()
Answer = dict[str, Any]
Change = Callable[[int, random.Random, list[Answer]], list[Answer]]
"""Answers of a day since the change as they come -> as they would have come."""


def usual(day: int, chance: random.Random) -> list[Answer]:
    """A day of a store: scored answers, most with a text, some mails and notes of the field."""
    weekend = day % 7 > 4
    answers: list[Answer] = []
    for _ in range(4 if weekend else 8):
        score, mood = felt(chance)
        answers.append({"channel": "survey", "score": score, "mood": None if chance.random() < 0.3 else mood})
    for _ in range(1 if weekend else 3):
        answers.append({"channel": "email", "mood": felt(chance)[1]})
    for _ in range(0 if weekend else 2):
        answers.append({"channel": "note", "voice": "field", "mood": felt(chance)[1]})
    return answers


def felt(chance: random.Random) -> tuple[float, float]:
    """A score, and the mood of a text that goes with it."""
    score = chance.choice([0.6, 0.7, 0.8, 0.9, 1.0])
    return score, min(1.0, 2 * score - 1 + chance.choice([-0.3, 0.0, 0.3]))


def unchanged(_day: int, _chance: random.Random, answers: list[Answer]) -> list[Answer]:
    return answers


def stream(change: Change, *, at: int = CHANGE, days: int = DAYS, place: str = LILLE) -> Cells:
    """Usual days of all stores; from day `at` on, those of one are changed."""
    cells = Cells()
    for store in STORES:
        chance = random.Random(f"7 {store}")
        for day in range(days):
            answers = usual(day, chance)
            if store == place and day >= at:
                answers = change(day, random.Random(f"{day}"), answers)
            for answer in answers:
                cells.add(FIRST + day, store, **answer)
    return cells


def findings(cells: Cells, detection: Detection = DETECTION, last: int | None = None) -> list[Finding]:
    return watch(cells.table(), Watch.new(ROOT, detection), detection, THEMES, last=last)


def falling_scores(_day: int, chance: random.Random, answers: list[Answer]) -> list[Answer]:
    """Only of those without a word, so that what is written and the gap to it stay."""
    return [
        {**one, "score": chance.choice([0.0, 0.2, 0.4])} if one.get("score") and one["mood"] is None else one
        for one in answers
    ]


def rising_scores(_day: int, _chance: random.Random, answers: list[Answer]) -> list[Answer]:
    return [{**one, "score": 1.0} if one.get("score") and one["mood"] is None else one for one in answers]


def worsening_moods(_day: int, _chance: random.Random, answers: list[Answer]) -> list[Answer]:
    """Only of texts without a score."""
    return [one if one.get("score") else {**one, "mood": -1.0} for one in answers]


def unhappy_texts(_day: int, chance: random.Random, answers: list[Answer]) -> list[Answer]:
    return [
        {**one, "mood": chance.choice([-0.8, -0.4, 0.0])}
        if one.get("score") and one["mood"] is not None
        else one
        for one in answers
    ]


def no_texts(_day: int, chance: random.Random, answers: list[Answer]) -> list[Answer]:
    return [{**one, "mood": None} if one.get("score") and chance.random() < 0.8 else one for one in answers]


def no_mails(_day: int, _chance: random.Random, answers: list[Answer]) -> list[Answer]:
    return [one for one in answers if one["channel"] != "email"]


@pytest.mark.parametrize(
    ("change", "expected", "within"),
    [
        pytest.param(falling_scores, {(SCORE, "", DOWN)}, 14, id="scores fall"),
        pytest.param(rising_scores, {(SCORE, "", UP)}, 28, id="scores rise"),
        pytest.param(worsening_moods, {(MOOD, "", DOWN)}, 14, id="moods worsen"),
        pytest.param(unhappy_texts, {(GAP, "", UP), (MOOD, "", DOWN)}, 7, id="good scores, unhappy texts"),
        pytest.param(no_texts, {(NO_TEXT, "", UP)}, 14, id="answers lose their text"),
        pytest.param(no_mails, {(SILENCE, "email", DOWN)}, 14, id="a channel falls silent"),
    ],
)
def test_a_change_is_found_where_it_is_and_nothing_elsewhere(
    change: Change, expected: set[tuple[str, str, int]], within: int
) -> None:
    found = findings(stream(change))
    # Alarms begin anew at the level that they found, which later days may correct by another.
    first = {one.kind: one for one in reversed(found) if one.perimeter == LILLE and one.kind != UNUSUAL_DAY}
    assert {(one.kind, one.detail, one.direction) for one in first.values()} == expected
    for one in first.values():
        assert CHANGE <= one.bucket - FIRST < CHANGE + within
        assert abs(one.since - FIRST - CHANGE) <= SLACK
        assert one.evidence >= one.threshold
        assert one.size >= DETECTION.min_authors
    for one in found:
        assert one.perimeter in set(above(LILLE))
        assert one.bucket >= FIRST + CHANGE
        assert one.kind == UNUSUAL_DAY or (one.kind, one.detail, one.direction) in expected


def test_usual_days_give_nothing() -> None:
    assert findings(stream(unchanged)) == []


def test_thresholds_are_those_of_the_budget() -> None:
    """A year's tests over the false alerts that a kind may raise in it."""
    (first, *_) = findings(stream(falling_scores))
    assert (first.kind, DETECTION.false_alerts) == (SCORE, 0.25)
    assert first.threshold == pytest.approx(math.log(365 / (0.25 * SHARES[SCORE])))


def test_few_values_are_judged_when_there_are_enough_of_them() -> None:
    """Two answers a day: their fall is evident before five have answered, and still it is told."""

    def two_answers(_day: int, chance: random.Random) -> list[Answer]:
        return [{"channel": "survey", "score": chance.choice([0.8, 0.9]), "mood": None} for _ in range(2)]

    cells = Cells()
    for day in range(80):
        for answer in two_answers(day, random.Random(f"{day}")):
            cells.add(FIRST + day, "e/nord", **{**answer, **({"score": 0.0} if day >= 60 else {})})
    found = [one for one in findings(cells) if one.kind == SCORE and one.perimeter == "e/nord"]
    assert [(one.direction, one.bucket - FIRST, one.since - FIRST, one.size) for one in found] == [
        # Two on day 60, four on day 61, six on day 62.
        (DOWN, 62, 60, 6.0)
    ]


def test_an_alarm_of_one_kind_leaves_another_its_evidence() -> None:
    """Unhappy texts on one day, and from the same day on fewer texts, which takes longer to be evident."""

    def both(day: int, chance: random.Random, answers: list[Answer]) -> list[Answer]:
        return no_texts(day, chance, unhappy_texts(day, chance, answers))

    kinds = {one.kind for one in findings(stream(both)) if one.perimeter == LILLE}
    assert {GAP, NO_TEXT} <= kinds


def test_an_invited_wave_of_high_scores_is_no_rise() -> None:
    def invited(day: int, _chance: random.Random, answers: list[Answer]) -> list[Answer]:
        more = 60 if day < CHANGE + 6 else 0
        return [*answers, *({"channel": "survey", "score": 1.0, "mood": None} for _ in range(more))]

    assert {one.kind for one in findings(stream(invited))} <= {UNUSUAL_DAY}


def test_a_holiday_of_the_whole_organisation_is_no_silence() -> None:
    """Three days without a text anywhere, and a fourth with a tenth of the texts."""
    cells, holidays = Cells(), {CHANGE, CHANGE + 1, CHANGE + 2}
    for store in STORES:
        chance = random.Random(f"7 {store}")
        for day in range(DAYS):
            answers = usual(day, chance)
            kept = [] if day in holidays else answers[:1] if day == CHANGE + 3 else answers
            for answer in kept:
                cells.add(FIRST + day, store, **answer)
    assert not [one for one in findings(cells) if one.kind == SILENCE]


def test_a_channel_that_breaks_down_everywhere_makes_no_other_one_silent() -> None:
    """The survey, most of the texts, stops for a month: mails are as usual then and afterwards."""
    cells, out = Cells(), range(CHANGE, CHANGE + 30)
    for store in STORES:
        chance = random.Random(f"7 {store}")
        for day in range(DAYS + 30):
            for answer in usual(day, chance):
                if not (day in out and answer["channel"] == "survey"):
                    cells.add(FIRST + day, store, **answer)
    found = [one for one in findings(cells) if one.kind == SILENCE]
    assert {one.detail for one in found} == {"survey"}
    assert (ROOT, CHANGE) in {(one.perimeter, one.since - FIRST) for one in found}
    assert {one.bucket - FIRST for one in found} <= set(out)


def test_a_channel_that_only_one_perimeter_has_falls_silent_there() -> None:
    cells = stream(unchanged)
    for day in range(CHANGE):
        for _ in range(2):
            cells.add(FIRST + day, LILLE, channel="letter", mood=0.2)
    found = findings(cells)
    assert {(one.kind, one.detail) for one in found} == {(SILENCE, "letter")}
    assert {one.perimeter for one in found} == set(above(LILLE))
    assert {one.since - FIRST for one in found} == {CHANGE}


def test_a_joint_odd_day_is_an_unusual_day_with_what_moved() -> None:
    """Many mails, notes and severe scores on one day of Lille's."""

    def odd(day: int, _chance: random.Random, answers: list[Answer]) -> list[Answer]:
        if day > CHANGE + 3 or day < CHANGE + 3:
            return answers
        severe = [{**one, "score": 0.3} if one.get("score") else one for one in answers]
        return [*severe, *({"channel": "email", "mood": 0.2} for _ in range(12))]

    found = findings(stream(odd))
    unusual = [one for one in found if one.perimeter == LILLE and one.kind == UNUSUAL_DAY]
    assert [(one.bucket - FIRST, one.direction, one.since - FIRST) for one in unusual] == [
        (CHANGE + 3, UP, CHANGE + 3)
    ]
    moved = {name: (observed, expected) for name, observed, expected in unusual[0].moved}
    assert {"email", "mean score"} <= set(moved)
    # Three mails of the day and twelve more; three or one are expected.
    assert moved["email"][0] in (13, 15)
    assert moved["email"][1] < 4
    assert moved["mean score"] == pytest.approx((0.3, 0.8), abs=0.05)
    assert {one.bucket - FIRST for one in found if one.kind == UNUSUAL_DAY} == {CHANGE + 3}
    assert {one.perimeter for one in found} <= set(above(LILLE))


def test_components_are_told_from_channels_that_are_called_alike() -> None:
    cells = Cells()
    for day in range(40):
        for channel in ("score", "mood", "without_text"):
            cells.add(FIRST + day, "e/nord", channel=channel, score=0.5, mood=0.1)
    assert findings(cells) == []


def blind(weeks: int = 30, *, quiet_from: int, quiet: str) -> Cells:
    """Customers and the field mention the car park in every store; in Lille one voice ceases to."""
    cells, stores = Cells(), (LILLE, "e/nord/arras", "e/nord/lens", "e/nord/douai")
    for day in range(7 * weeks):
        for number, store in enumerate(stores):
            for author in range(6):
                for voice in ("customer", "field"):
                    silent = store == LILLE and voice == quiet and day >= quiet_from
                    says = (author + day + number) % 3 == 0 and not silent
                    themes = ["parking"] if says else ["till"] if author == 4 else []
                    channel = "note" if voice == "field" else "survey"
                    cells.add(FIRST + day, store, channel=channel, voice=voice, mood=0.1, themes=themes)
    return cells


@pytest.mark.parametrize(("quiet", "direction"), [("field", UP), ("customer", DOWN)])
def test_what_one_voice_raises_and_the_other_no_longer_is_a_blind_spot(quiet: str, direction: int) -> None:
    """Told at the end of a week, though the days before are as they are."""
    quiet_from = 7 * 12
    found = findings(blind(quiet_from=quiet_from, quiet=quiet))
    first = found[0]
    assert (first.perimeter, first.kind, first.detail, first.direction) == (
        LILLE,
        BLIND_SPOT,
        "parking",
        direction,
    )
    assert (first.bucket + 1) % 7 == 0
    assert first.since == FIRST + quiet_from
    assert first.observed == 0
    assert first.expected >= DETECTION.min_authors
    assert {(one.kind, one.detail, one.perimeter) for one in found} == {(BLIND_SPOT, "parking", LILLE)}


def test_nothing_is_told_during_the_warm_up() -> None:
    """What is found then is normal afterwards."""
    slow = replace(DETECTION, warm_up=60)
    early = stream(unhappy_texts, at=40, days=100)
    before = [one for one in findings(early, replace(slow, warm_up=28)) if one.bucket < FIRST + 60]
    assert {one.kind for one in before} >= {GAP, MOOD}
    assert findings(early, slow) == [
        one for one in findings(early, replace(slow, warm_up=28)) if one.bucket >= FIRST + 60
    ]


def test_a_silence_goes_on_after_the_last_text() -> None:
    """`last` closes days on which nobody writes any more, and days are judged once."""
    cells = stream(unchanged, days=60)
    state = Watch.new(ROOT, DETECTION)
    assert watch(cells.table(), state, DETECTION, THEMES, last=FIRST + 70) == []
    assert state.following == FIRST + 71
    assert watch(CELLS.empty_table(), state, DETECTION, THEMES) == []
    assert watch(CELLS.empty_table(), state, DETECTION, THEMES, last=FIRST + 70) == []
    assert state.following == FIRST + 71


def test_without_a_cell_there_is_no_first_day() -> None:
    state = Watch.new(ROOT, DETECTION)
    assert watch(CELLS.empty_table(), state, DETECTION, THEMES, last=FIRST) == []
    assert state.first is None


LOOSE = replace(DETECTION, false_alerts=60.0, min_authors=3)
"""Low thresholds: many findings of every kind to compare."""
BUSY = stream(
    lambda day, chance, answers: no_mails(day, chance, unhappy_texts(day, chance, answers)), at=45, days=75
)
WHOLE = findings(BUSY, LOOSE)


@settings(deadline=None, max_examples=8)
@given(cuts=st.sets(st.integers(1, 74), max_size=12))
def test_findings_are_the_same_whatever_the_slices(cuts: set[int]) -> None:
    state, found = Watch.new(ROOT, LOOSE), []
    for start, end in pairwise([0, *sorted(cuts), 75]):
        cells = BUSY.table(range(FIRST + start, FIRST + end))
        found += watch(cells, state, LOOSE, THEMES)
    assert found == WHOLE


def test_the_slices_are_compared_on_findings_of_many_kinds() -> None:
    assert {one.kind for one in WHOLE} >= {SCORE, MOOD, GAP, SILENCE}
    assert len(WHOLE) > 12
    assert [(one.bucket, one.kind) for one in WHOLE] == sorted((one.bucket, one.kind) for one in WHOLE)
    assert {one.kind for one in WHOLE} <= set(KINDS)
