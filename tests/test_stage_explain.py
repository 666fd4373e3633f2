"""Stories told as signals: golden sentences, and nothing shown of too few authors."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from connectors.events import EVENT
from connectors.store.schemas import EVIDENCE, SIGNAL
from detectors.features import THEME, feature_id, pair_id
from pipelines.lexicon import Lexicon, Theme
from pipelines.stages.evidence import EXCERPT_LENGTH, excerpt
from pipelines.stages.explain import Signals, Telling, explain
from pipelines.stages.lexicon_table import compile_lexicon
from pipelines.stages.story import Candidate, Story
from pipelines.stages.understand import Reader

LILLE = "e/nord/lille"
BORN = date(2026, 3, 4)
BUCKET = (BORN - date(1970, 1, 1)).days
FRENCH = Lexicon(
    "fr",
    frozenset({"la", "de", "est", "une", "très"}),
    {("mauvaise",): -2, ("odeur",): -1, ("bravo",): 3, ("dommage",): -1},
    {"pas": 3},
    {},
    {("mauvaise", "odeur"): ("smell",), ("mur", "humide"): ("damp",), ("bravo",): ("cheers",)},
)
READER = Reader({"fr": compile_lexicon(FRENCH)}, "fr", "Europe/Paris")
ODEUR, CAVE = feature_id("odeur"), feature_id("cav")
SMELL, DAMP, CHEERS = (feature_id(key, THEME) for key in ("smell", "damp", "cheers"))
TELLING = Telling(
    reader=READER,
    names={LILLE: "Lille Centre"},
    themes={
        SMELL: Theme("smell", "Odeurs", "Smells", "conformity", "none", "facilities", "complaint"),
        DAMP: Theme("damp", "Humidité", "Damp", "solicitude", "imposed", "works", "complaint"),
        CHEERS: Theme("cheers", "Bravos", "Cheers", "trust", "shared", "people", "praise"),
    },
    min_authors=3,
    window=28,
    settings_version="v" * 32,
)
Event = dict[str, Any]


def event(number: int, text: str = "Une mauvaise odeur de cave", **changes: Any) -> Event:
    """One event, and what detection carried of it."""
    base = {
        "day": -1,
        "channel": "survey",
        "voice": "customer",
        "person": number,
        "score": None,
        "themes": [SMELL],
        "perimeter": LILLE,
        "language": "fr",
    }
    return {"number": number, "text": text} | base | changes


def occurred(one: Event) -> datetime:
    return datetime(2026, 3, 4, 9, tzinfo=UTC) + timedelta(days=one["day"], minutes=one["number"])


def support(events: list[Event]) -> dict[bytes, Mapping[str, Any]]:
    return {
        one["number"].to_bytes(16): {
            "position": 1000 + one["number"],
            "event_id": one["number"].to_bytes(16),
            "bucket": BUCKET + max(one["day"], 0),
            "event_bucket": BUCKET + one["day"],
            "event_perimeter": one["perimeter"],
            "channel": one["channel"],
            "voice": one["voice"],
            "person": one["person"],
            "score_e4": None if one["score"] is None else round(one["score"] * 10_000),
            "sentiment": 0,
            "themes": one["themes"],
        }
        for one in events
    }


def story(events: list[Event], **changes: Any) -> Story:
    carried = support(events)
    features = {pair_id(ODEUR, CAVE): 11.0, ODEUR: 12.0, SMELL: 10.5}
    born = Candidate(BUCKET, LILLE, ODEUR, 12.0, 9.5, 0.25, BUCKET - 2, 90, 0, 11.0, carried)
    made = Story("ab" * 16, LILLE, born, BUCKET + 3, 13.0, frozenset(features), dict(features), carried)
    for name, value in changes.items():
        setattr(made, name, value)
    # Less than it is: what is told of evidence is another figure.
    made.told, made.strongest = {one: value - 1 for one, value in made.features.items()}, 11.5
    return made


def told(
    *stories: tuple[Story, list[Event]],
    telling: Telling = TELLING,
    last: int = BUCKET + 10,
    live_from: datetime | None = None,
) -> Signals:
    events = {1000 + one["number"]: one for _, several in stories for one in several}

    def take(positions: NDArray[np.int64]) -> pa.Table:
        rows = [
            {
                "event_id": events[position]["number"].to_bytes(16),
                "occurred_at": occurred(events[position]),
                "admitted_at": occurred(events[position]),
                "grace_s": 0,
                "source": "s",
                "flags": 0,
                **{
                    name: events[position][name]
                    for name in ("channel", "voice", "perimeter", "score", "language", "text")
                },
            }
            for position in positions.tolist()
        ]
        return pa.Table.from_pylist(rows, schema=EVENT)

    return explain([one for one, _ in stories], take, telling, last_bucket=last, live_from=live_from)


def only(events: list[Event], **more: Any) -> dict[str, Any]:
    signals = told((story(events), events), **more).signals
    assert signals.schema == SIGNAL
    (signal,) = signals.to_pylist()
    return dict(signal)


def test_a_signal_by_hand() -> None:
    events = [
        event(1, day=-2),
        event(2, channel="email", score=0.5),
        event(3, themes=[SMELL, DAMP]),
        event(4, "Odeur, mauvaise odeur de cave !", day=3, channel="email", themes=[]),
        event(5, "Odeur de cave", day=3, themes=[]),
        event(6, "Odeur de cave", day=4, themes=[]),
        event(7, "Odeur de cave", day=5, themes=[]),  # too few more to be told
    ]
    signal = only(events)
    explanation = json.loads(signal.pop("explanation"))
    channels, voices = json.loads(signal.pop("channels")), json.loads(signal.pop("voices"))
    assert signal == {
        "signal_id": "ab" * 16,
        "perimeter": LILLE,
        "bucket": BORN,
        "bucket_at": datetime(2026, 3, 3, 23, tzinfo=UTC),
        "kind": "emergence",
        "label": "odeur de cave",
        "terms": ["odeur de cave"],
        "theme": "smell",
        "dimension": "conformity",
        "stance": "none",
        "owning_function": "facilities",
        "tone": "complaint",
        "observed": 6,
        "expected": 0.25,
        "evidence": 11.0,
        "distinct_authors": 6,
        "min_authors": 3,
        "first_seen": occurred(events[0]),
        "last_seen": occurred(events[5]),
        "status": "open",
        "retrospective": True,
        "mean_score": None,
        "sentence_fr": "Lille Centre : depuis le 2 mars, au moins 6 personnes se plaignent de « odeur de "
        "cave », par enquête et e-mail (alerte du 4 mars : au moins 6 pour 0,2 attendues).",
        "sentence_en": "Lille Centre: since 2 March, at least 6 people complain of “odeur de cave”, "
        "by survey and e-mail (alert of 4 March: at least 6 for 0.2 expected).",
        "settings_version": "v" * 32,
    }
    assert channels == {"email": None, "survey": None}
    assert voices == {"customer": 6}
    assert explanation == {
        "terms": {"odeur": 11.0, "odeur de cave": 10.0, "Odeurs": 9.5},
        "threshold": 9.5,
        "judged_at": LILLE,
        "feature": f"{ODEUR:016x}",
        "term": "odeur",
        "since": "2026-03-02",
        "days_of_history": 90,
        "strongest_evidence": 11.5,
        "growth": [["2026-03-04", 3], ["2026-03-08", 6]],
        "part_of": None,
        # The theme first, then the features by evidence.
        "subjects": [f"{feature:016x}" for feature in (SMELL, ODEUR, pair_id(ODEUR, CAVE))],
        "taught": None,
    }


@pytest.mark.parametrize(
    ("channels", "shown"),
    [
        (["survey"] * 3 + ["email"] * 4, {"email": 3, "survey": 3}),
        (["survey"] * 2 + ["email"] * 4, {"email": None, "survey": None}),
        (["survey"] * 3 + ["email"] * 3 + ["letter"], {"email": None, "survey": None, "letter": None}),
        (["survey"] * 7, {"survey": 6}),
    ],
)
@pytest.mark.parametrize("column", ["channel", "voice"])
def test_counts_are_shown_where_all_are_large_enough(
    channels: list[str], shown: dict[str, int | None], column: str
) -> None:
    events = [event(number, **{column: name}) for number, name in enumerate(channels, start=1)]
    assert json.loads(only(events)[f"{column}s"]) == shown


def test_an_author_counts_once_a_channel() -> None:
    events = [event(number, person=number % 3) for number in range(1, 9)]
    assert json.loads(only(events)["channels"]) == {"survey": 3}
    assert only(events)["distinct_authors"] == 3


def test_too_few_authors_are_not_told() -> None:
    few = [event(number, person=number % 2) for number in range(1, 9)]
    enough = [event(number) for number in range(11, 15)]
    signals = told((story(few, story_id="cd" * 16), few), (story(enough), enough))
    assert signals.signals["signal_id"].to_pylist() == ["ab" * 16]
    assert set(signals.evidence["signal_id"].to_pylist()) == {"ab" * 16}


def test_excerpts_are_of_voices_with_enough_authors() -> None:
    events = [
        *(event(number, f"Texte {number} : odeur") for number in range(1, 4)),
        *(event(number, "Note interne : odeur", voice="field", person=number % 2) for number in range(4, 8)),
    ]
    evidence = told((story(events), events)).evidence
    assert evidence.schema == EVIDENCE
    texts = {int.from_bytes(row["event_id"]): row["excerpt"] for row in evidence.to_pylist()}
    customers = {number: f"Texte {number} : odeur" for number in range(1, 4)}
    assert texts == customers | dict.fromkeys(range(4, 8))


@pytest.mark.parametrize(
    ("changes", "column", "shown"),
    [
        ({"channel": "email"}, "channel", ""),
        ({"voice": "field"}, "voice", ""),
        ({"perimeter": f"{LILLE}/caisse"}, "perimeter", LILLE),
    ],
)
def test_rows_withhold_what_could_be_counted_into_too_small_a_group(
    changes: dict[str, str], column: str, shown: str
) -> None:
    many = [event(number) for number in range(1, 5)]
    for size, kept in ((2, False), (3, True)):
        events = [*many, *(event(number, **changes) for number in range(11, 11 + size))]
        rows = told((story(events), events)).evidence.to_pylist()
        values = {row[column] for row in rows}
        assert values == ({event(1)[column], *changes.values()} if kept else {shown})


def test_evidence_is_every_event_once_in_order_of_time() -> None:
    events = [event(number, day=-number) for number in range(1, 6)]
    evidence = told((story(events), events)).evidence.to_pylist()
    assert [int.from_bytes(row["event_id"]) for row in evidence] == [5, 4, 3, 2, 1]
    assert [row["occurred_at"] for row in evidence] == [occurred(one) for one in reversed(events)]


@pytest.mark.parametrize(
    ("scores", "mean"),
    [([0.9, 0.6], None), ([0.9, 0.6, 0.3], 0.6), ([1.0, None, 0.0, 0.5], 0.5)],
)
def test_a_mean_score_needs_enough_scores(scores: list[float | None], mean: float | None) -> None:
    events = [event(number, score=score) for number, score in enumerate(scores, start=1)]
    events += [event(number) for number in range(11, 14)]
    assert only(events)["mean_score"] == (None if mean is None else pytest.approx(mean))


def test_a_mean_score_needs_enough_people() -> None:
    events = [event(number, person=1, score=0.9) for number in range(1, 6)]
    events += [event(number) for number in range(11, 14)]
    assert only(events)["mean_score"] is None


SAYS_SMELL, SAYS_NOTHING = "une mauvaise odeur", "une odeur"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([SAYS_SMELL] * 2 + [SAYS_NOTHING] * 4, "smell"),  # a third
        ([SAYS_SMELL] * 2 + [SAYS_NOTHING] * 5, None),
        ([SAYS_SMELL, f"{SAYS_SMELL} du mur humide"] + ["odeur du mur humide"] * 2, "damp"),
        (["une odeur. Le mur humide !"] * 4, None),  # another clause
        (["Bravo à tous, mais une mauvaise odeur"] * 4, "smell"),
    ],
)
def test_a_theme_is_said_with_the_terms_in_a_third_of_the_texts(
    texts: list[str], expected: str | None
) -> None:
    signal = only([event(number, text, themes=[]) for number, text in enumerate(texts, start=1)])
    assert signal["theme"] == expected
    assert (signal["owning_function"] is None) == (expected is None)


@pytest.mark.parametrize(
    ("text", "themes", "expected"),
    [
        ("une odeur", [[DAMP], [DAMP, SMELL], [DAMP], []], "damp"),
        ("une odeur", [[DAMP], [DAMP, SMELL], [], []], None),  # half is no majority
        ("une odeur", [[], [], [], []], None),
        ("une odeur. bravo", [[CHEERS, DAMP]] * 3 + [[CHEERS]], "damp"),  # praise of something else
        ("une odeur. bravo", [[CHEERS]] * 4, None),
        ("merci pour cette odeur. bravo pour l'odeur, un mur humide", [[DAMP]] * 4, "cheers"),
    ],
)
def test_where_the_terms_come_without_a_theme_it_is_that_of_most_texts(
    text: str, themes: list[list[int]], expected: str | None
) -> None:
    signal = only([event(number, text, themes=which) for number, which in enumerate(themes, start=1)])
    assert signal["theme"] == expected


def test_without_a_spelled_term_the_theme_is_the_label() -> None:
    events = [event(number) for number in range(1, 5)]
    themed = story(events, features={SMELL: 12.0})
    (signal,) = told((themed, events)).signals.to_pylist()
    assert signal["terms"] == ["Odeurs"]


@pytest.mark.parametrize(
    ("last", "part_of", "status"),
    [(BUCKET + 30, None, "open"), (BUCKET + 31, None, "ended"), (BUCKET + 31, "cd" * 16, "merged")],
)
def test_a_story_ends_when_it_is_silent_for_a_window(last: int, part_of: str | None, status: str) -> None:
    """Last heard three days after its birth; the window is 28 days."""
    events = [event(number) for number in range(1, 5)]
    (signal,) = told((story(events, part_of=part_of), events), last=last).signals.to_pylist()
    assert signal["status"] == status


@pytest.mark.parametrize(
    ("live_from", "retrospective"),
    [
        (None, True),
        (datetime(2026, 3, 3, 23, 0, 0, 1, tzinfo=UTC), True),
        (datetime(2026, 3, 3, 23, tzinfo=UTC), False),
    ],
)
def test_what_was_raised_before_the_live_part_is_retrospective(
    live_from: datetime | None, retrospective: bool
) -> None:
    events = [event(number) for number in range(1, 5)]
    assert only(events, live_from=live_from)["retrospective"] == retrospective


def test_the_field_is_first_if_it_wrote_on_an_earlier_day() -> None:
    events = [event(number) for number in range(1, 5)]
    first = [*events, event(9, voice="field", day=-2)]
    assert "Le terrain l'a signalé avant les clients." in only(first)["sentence_fr"]
    assert "Field teams said so before customers." in only(first)["sentence_en"]
    for others in (
        events,
        [*events, event(9, voice="field", day=-1)],
        [one | {"voice": "field"} for one in events],
    ):
        assert "terrain" not in only(others)["sentence_fr"]


def test_names_and_zone_are_those_given() -> None:
    events = [event(number, day=0) for number in range(1, 5)]
    late = [one | {"number": one["number"] + 14 * 60} for one in events]  # 23:01 UTC is the next day in Paris
    telling = replace(TELLING, names={})
    assert only(late, telling=telling)["sentence_en"].startswith("lille: since 5 March,")


def test_no_stories_give_empty_tables() -> None:
    signals = told()
    assert signals.signals.equals(SIGNAL.empty_table())
    assert signals.evidence.equals(EVIDENCE.empty_table())


def test_excerpts_are_cut_around_the_first_term() -> None:
    long = "mot " * 100 + "la barrière du parking " + "fin " * 100
    cut = excerpt(long, ["absent", "barrière"])
    assert "la barrière du parking" in cut
    assert cut.startswith("… ")
    assert cut.endswith(" …")
    assert len(cut) <= EXCERPT_LENGTH + 4
    assert excerpt("mot " * 100, ["absent"]).startswith("mot mot")
    assert excerpt("un\n\n deux\ttrois ", []) == "un deux trois"
    assert excerpt("a" * EXCERPT_LENGTH, []) == "a" * EXCERPT_LENGTH
    assert excerpt("mot " * 100 + "fin", ["fin"]).endswith("mot fin")
