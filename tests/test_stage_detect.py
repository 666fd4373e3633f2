"""Candidates and their support on small streams worked by hand, in one go or in slices."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from detectors.emergence_tails import Tails
from detectors.emergence_tree import EmergenceTree
from detectors.features import THEME, feature_id
from detectors.schemas import CANDIDATE, FEATURE_TALLY, SUPPORT
from pipelines.stages.detect import (
    SHARES,
    Detection,
    RootState,
    detect_division,
    detect_root,
    last_bucket,
    merge_tallies,
)
from pipelines.stages.division import Division
from pipelines.stages.finds import Found
from pipelines.stages.story import within
from pipelines.stages.understand import UNDERSTOOD

USUAL, NEW, WAIT = feature_id("attente"), feature_id("odeur"), feature_id("wait", THEME)
FIRST = 20_000
STORES = ["e/nord/lille", "e/nord/arras", "e/sud/nice", "e/sud/toulon"]
DETECTION = Detection(warm_up=10, window=14, min_authors=4)


class Stream:
    """Rows of UNDERSTOOD; every author is another one unless said."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def say(
        self, day: int, perimeter: str, *features: int, person: int | None = None, text: bool = True
    ) -> int:
        """One event; returns its number."""
        number = len(self.rows) + 1
        self.rows.append(
            {
                "bucket": FIRST + day,
                "event_id": number.to_bytes(16),
                "position": number,
                "perimeter": perimeter,
                "channel": "survey",
                "voice": "customer",
                "person": person or 10_000 + number,
                "copy": 10_000 + number,
                "score_e4": 5_000,
                "sentiment": -1,
                "has_text": text,
                "late": False,
                "features": sorted(features),
            }
        )
        return number

    def background(self, days: range, stores: list[str] = STORES) -> None:
        """Five authors a day and store, one of whom says the usual."""
        for day, store in itertools.product(days, stores):
            self.say(day, store, USUAL)
            for _ in range(4):
                self.say(day, store)


Trees = dict[str, EmergenceTree]


def run(
    stream: Stream,
    detection: Detection = DETECTION,
    cuts: tuple[int, ...] = (),
    trees: Trees | None = None,
) -> Found:
    """What all slices find, the root's candidates first. trees: takes what divisions have learned."""
    root = RootState.new(detection)
    names = sorted({division(row) for row in stream.rows})
    trees = {} if trees is None else trees
    trees.update({name: EmergenceTree(detection.estimator()) for name in names})
    remembered = {name: UNDERSTOOD.empty_table() for name in names}
    candidates, support = [CANDIDATE.empty_table()], [SUPPORT.empty_table()]
    for start, end in itertools.pairwise([FIRST, *(FIRST + cut for cut in cuts), FIRST + 1_000]):
        rows = [row for row in stream.rows if start <= row["bucket"] < end]
        divisions = [
            Division(
                name,
                pa.Table.from_pylist([row for row in rows if division(row) == name], UNDERSTOOD),
                remembered[name],
                window=detection.window,
            )
            for name in names
        ]
        tally = merge_tallies(FEATURE_TALLY.empty_table(), *(part.tally() for part in divisions))
        view, flagged = detect_root(tally, root, "e", detection)
        candidates.append(flagged)
        for part in divisions:
            found = detect_division(part, view, trees[part.name], "e", detection)
            last = last_bucket(part, view)
            if last is not None:
                remembered[part.name] = part.to_remember(last, detection.window)
            candidates.append(found.candidates)
            support.append(found.support)
    return Found(pa.concat_tables(candidates), pa.concat_tables(support))


def division(row: dict[str, Any]) -> str:
    return "/".join(row["perimeter"].split("/")[:2])


def flagged(found: Found) -> set[tuple[str, int]]:
    return {(row["perimeter"], row["feature"]) for row in found.candidates.to_pylist()}


def supporting(found: Found, perimeter: str, feature: int, bucket: int) -> list[int]:
    return sorted(
        row["position"]
        for row in found.support.to_pylist()
        if (row["perimeter"], row["feature"], row["bucket"]) == (perimeter, feature, bucket)
    )


@pytest.fixture(scope="module")
def rise() -> tuple[Stream, list[int]]:
    """From day 60 on, six more authors a day in Lille say something new."""
    stream = Stream()
    stream.background(range(70))
    said = [stream.say(day, STORES[0], NEW, WAIT) for day in range(60, 63) for _ in range(6)]
    return stream, said


def test_a_rise_is_flagged_where_it_is_and_above_and_what_is_usual_nowhere(
    rise: tuple[Stream, list[int]],
) -> None:
    stream, said = rise
    found = run(stream)
    places = {(perimeter, feature) for perimeter in ("e", "e/nord", STORES[0]) for feature in (NEW, WAIT)}
    assert flagged(found) == places
    first = min(row["bucket"] for row in found.candidates.to_pylist())
    assert FIRST + 60 <= first <= FIRST + 61
    for row in found.candidates.to_pylist():
        heard = supporting(found, row["perimeter"], row["feature"], row["bucket"])
        assert heard == [
            number for number in said if row["since"] <= stream.rows[number - 1]["bucket"] <= row["bucket"]
        ]
        assert row["evidence"] >= row["threshold"] > 0
        assert row["since"] >= FIRST + 60
        assert row["history"] == row["bucket"] - FIRST + 1
        written = [one for one in stream.rows if row["since"] <= one["bucket"] <= row["bucket"]]
        known = row["perimeter"] != "e"
        assert row["texts"] == known * sum(within(one["perimeter"], row["perimeter"]) for one in written)
        assert 0 < row["expected"] < 1


def test_support_says_what_the_event_was(rise: tuple[Stream, list[int]]) -> None:
    stream, said = rise
    row = next(row for row in run(stream).support.to_pylist() if row["perimeter"] == "e")
    assert row["position"] in said
    assert row["themes"] == [WAIT]
    shown = {name: row[name] for name in ("event_perimeter", "channel", "voice", "score_e4", "sentiment")}
    assert shown == {
        "event_perimeter": STORES[0],
        "channel": "survey",
        "voice": "customer",
        "score_e4": 5_000,
        "sentiment": -1,
    }
    assert row["event_id"] == row["position"].to_bytes(16)


@pytest.mark.parametrize("cuts", [(61,), (1, 2, 30), (59, 60, 61, 62, 63, 64), (10, 500)])
def test_slices_find_the_same(rise: tuple[Stream, list[int]], cuts: tuple[int, ...]) -> None:
    def ordered(table: pa.Table) -> list[dict[str, Any]]:
        keys = ("bucket", "perimeter", "feature", "position")
        return sorted(table.to_pylist(), key=lambda row: [row[key] for key in keys if key in row])

    whole, sliced = run(rise[0]), run(rise[0], cuts=cuts)
    assert ordered(sliced.candidates) == ordered(whole.candidates)
    assert ordered(sliced.support) == ordered(whole.support)


def late_authors(stream: Stream, authors: int) -> None:
    for day in range(60, 64):
        for person in range(1, authors + 1):
            stream.say(day, STORES[0], NEW, person=person)


def test_too_few_authors_are_not_heard_however_often_they_write() -> None:
    few, enough = Stream(), Stream()
    for stream, authors in ((few, 3), (enough, 12)):
        stream.background(range(66))
        late_authors(stream, authors)
    assert flagged(run(few)) == set()
    assert (STORES[0], NEW) in flagged(run(enough))


def test_nothing_is_flagged_during_the_warm_up() -> None:
    stream = Stream()
    stream.background(range(30))
    for _ in range(12):
        stream.say(9, STORES[0], NEW)
    assert flagged(run(stream)) == set()
    assert flagged(run(stream, replace(DETECTION, warm_up=8))) != set()


def test_what_all_say_is_the_roots_alone_and_supported_from_everywhere() -> None:
    stream = Stream()
    stream.background(range(70))
    said = [stream.say(60, store, NEW) for store in (*STORES, "e") for _ in range(3)]
    found = run(stream)
    assert ("e", NEW) in flagged(found)
    assert not any(perimeter in STORES for perimeter, _ in flagged(found))
    assert supporting(found, "e", NEW, FIRST + 60) == sorted(said)


def test_a_quiet_division_still_gives_the_root_what_it_remembers() -> None:
    stream = Stream()
    stream.background(range(70), STORES[:2])
    south = [stream.say(60, STORES[2], NEW) for _ in range(3)]
    north = [stream.say(day, STORES[0], NEW) for day in (60, 61, 62) for _ in range(3)]
    found = run(stream, cuts=(61, 62))
    buckets = {row["bucket"] for row in found.candidates.to_pylist() if row["perimeter"] == "e"}
    assert buckets
    last = max(buckets)
    heard = supporting(found, "e", NEW, last)
    assert set(south) <= set(heard)
    assert set(heard) <= {*south, *north}


def test_a_score_alone_before_a_text_elsewhere_is_no_stumbling_block() -> None:
    stream = Stream()
    stream.background(range(3), ["e/sud/nice"])
    stream.say(1, "e/nord/lille", USUAL, person=7)
    stream.say(2, "e/nord/lille", person=7, text=False)
    stream.say(2, "e/nord/arras", USUAL, person=7)
    found = run(stream, replace(DETECTION, warm_up=0))
    assert flagged(found) == set()


def test_a_season_that_returns_is_not_flagged_again() -> None:
    stream = Stream()
    stream.background(range(400))
    for day, _ in itertools.product(itertools.chain(range(20, 27), range(385, 392)), range(4)):
        stream.say(day, STORES[0], NEW)
    days = {row["bucket"] - FIRST for row in run(stream).candidates.to_pylist() if row["perimeter"] == "e"}
    assert days
    assert all(day < 30 for day in days)


def test_a_day_without_a_word_that_counts_is_a_day_on_which_people_wrote() -> None:
    stream, without = Stream(), Stream()
    for one in (stream, without):
        one.background(range(20), STORES[:1])
        for _ in range(3):
            one.say(21, STORES[0], USUAL)
    for _ in range(50):
        stream.say(20, STORES[0])
    learned: list[Trees] = [{}, {}]
    for one, trees in zip((stream, without), learned, strict=True):
        assert flagged(run(one, trees=trees)) == set()
    wrote = [float(trees["e/nord"].state_arrays()["seen_exposure"][0]) for trees in learned]
    assert wrote[0] - wrote[1] == 50


def test_intent_to_leave_needs_less_evidence_than_other_features() -> None:
    leaving = feature_id("intent_to_leave", THEME)
    stream = Stream()
    stream.background(range(70))
    # Words enough for the threshold of ordinary features to be well above that of one test a day.
    for day in range(60):
        stream.say(day, STORES[0], *(feature_id(f"mot{number}") for number in range(40)))
    for day in range(60, 63):
        stream.say(day, STORES[0], NEW, leaving)
        stream.say(day, STORES[0], NEW, leaving)
    found = [row for row in run(stream).candidates.to_pylist() if row["perimeter"] == STORES[0]]
    first = {row["feature"]: row for row in reversed(found)}
    assert first[leaving]["threshold"] <= DETECTION.threshold(1, SHARES["urgent"])
    assert first[leaving]["threshold"] < first[NEW]["threshold"] - 0.5
    assert first[leaving]["bucket"] <= first[NEW]["bucket"]


def test_the_shares_of_the_budget_are_the_whole_of_it() -> None:
    assert math.fsum(SHARES.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("tests", "alerts", "expected"),
    [(100, 1.0, math.log(36_500)), (0.2, 1.0, math.log(365)), (10, 0.1, math.log(36_500)), (1, 5e5, 0.0)],
)
def test_the_threshold_spends_the_budget(tests: float, alerts: float, expected: float) -> None:
    assert replace(DETECTION, false_alerts=alerts).threshold(tests, 1.0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("crossings", "slope", "tests", "expected"),
    [
        # A crossing in three is a story: 3 * 0.1 / 3 a day are 36.5 a year, for a budget of 0.7.
        (0.3, 1.0, 1e6, 3 + math.log(36.5 / 0.7)),
        # What falls off half as steeply has to be twice as high above the crossing.
        (0.3, 0.5, 1e9, 3 + 2 * math.log(36.5 / 0.7)),
        # Never above what the number of tests alone asks for, never under the crossing.
        (0.3, 1e-3, 10, math.log(3_650 / 0.7)),
        (math.inf, 1.0, 10, math.log(3_650 / 0.7)),
        (1e-6, 1.0, 10, 3.0),
    ],
)
def test_thresholds_follow_what_the_past_shows(
    crossings: float, slope: float, tests: float, expected: float
) -> None:
    tails = Tails(np.array([crossings]), np.array([slope]))
    found = replace(DETECTION, false_alerts=1.0).thresholds(tails, np.array([tests]))
    assert found.tolist() == [pytest.approx(expected)]


def test_an_urgent_theme_has_a_lower_threshold_whatever_that_of_others() -> None:
    leaving, detection = np.array([NEW, *DETECTION.urgent], np.uint64), replace(DETECTION, false_alerts=1.0)
    # It may spend 0.04 of the budget, others 0.7, and is one crossing in a hundred: 40 / 7 times more each.
    assert detection.bars(leaving, np.array([9.0, 9.0])).tolist() == [
        9.0,
        pytest.approx(min(9 - math.log(40 / 7), math.log(365 / 0.04))),
    ]
    assert detection.bars(leaving, np.array([14.0, 14.0])).tolist() == [
        14.0,
        pytest.approx(math.log(365 / 0.04)),
    ]
    assert detection.bars(leaving, np.array([3.5, 3.5])).tolist() == [3.5, 3.0]


@pytest.mark.parametrize("empty", [lambda: run(Stream()), lambda: run(one_score())])
def test_nothing_to_judge(empty: Callable[[], Found]) -> None:
    found = empty()
    assert found.candidates.equals(CANDIDATE.empty_table())
    assert found.support.equals(SUPPORT.empty_table())


def one_score() -> Stream:
    stream = Stream()
    stream.say(1, "e/nord", text=False)
    return stream


@pytest.mark.parametrize("cuts", [(), (60,), (59, 60, 61)])
def test_what_few_say_but_most_of_the_candidates_events_is_their_topic(cuts: tuple[int, ...]) -> None:
    beside, once = feature_id("poubelle"), feature_id("jaune")
    stream = Stream()
    for _ in range(4):
        stream.background(range(70))
    said = [
        stream.say(60, STORES[0], NEW, WAIT, USUAL, *([beside] if number % 2 else [once] * (not number)))
        for number in range(6)
    ]
    support = run(stream, cuts=cuts).support.to_pylist()
    topics = {
        row["position"]: set(row["topic"])
        for row in support
        if (row["perimeter"], row["feature"], row["bucket"]) == (STORES[0], NEW, FIRST + 60)
    }
    assert topics == {event: {NEW, beside} if place % 2 else {NEW} for place, event in enumerate(said)}


def test_what_every_text_of_a_place_says_is_no_topic_however_rare_it_is_elsewhere() -> None:
    town = feature_id("lille")
    stream = Stream()
    for _ in range(80):
        stream.background(range(50, 61), STORES[1:])
    for day in range(50, 61):
        stream.say(day, STORES[0], town)
        stream.say(day, STORES[0])
    for _ in range(6):
        stream.say(60, STORES[0], NEW, town)
    support = run(stream).support.to_pylist()
    topics = [row["topic"] for row in support if (row["perimeter"], row["feature"]) == (STORES[0], NEW)]
    assert topics == [[NEW]] * 6
