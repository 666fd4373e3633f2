"""What admission lets through, with which stamps, and what it refuses."""

from datetime import UTC, date, datetime, timedelta
from types import ModuleType
from typing import Any

import pyarrow.compute as pc
import pytest

from connectors.admission import REASONS, Admission, Admitted, Redactor
from connectors.contract import Parsed, Record
from connectors.events import EVENT, FLAG_HISTORY, FLAG_LATE, FLAG_REDACTED, check_schema
from connectors.perimeters import Perimeter, PerimeterTree
from connectors.secret import Secret
from connectors.source_settings import TableSource, Window

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
OCCURRED = datetime(2024, 5, 31, 8, tzinfo=UTC)


def admit(*rows: Parsed, live: bool = False, tree: PerimeterTree | None = None, **settings: Any) -> Admitted:
    admission = Admission(
        secret=Secret(bytes(32)),
        perimeters=tree or PerimeterTree("enseigne"),
        redactor=Redactor(["Aurélien Passerinot"]),
        languages=("fr", "en"),
        zone="Europe/Paris",
    )
    source = TableSource.model_validate(
        {
            "kind": "table",
            "name": "avis",
            "path": "avis.csv",
            "channel": "survey",
            "perimeter": "{Magasin}",
            "columns": {"text": "Avis", "occurred_at": "Date"},
            **settings,
        }
    )
    pairs = [(Record("avis.csv", i, {}), row) for i, row in enumerate(rows, start=2)]
    return admission.of_source(source, live=live, now=NOW).admit(pairs)


def row(text: str = "le magasin était fermé", **fields: Any) -> Parsed:
    return Parsed(**{"occurred_at": OCCURRED, "perimeter": "Nord/Lille 2", "text": text, **fields})


def test_an_event_in_full() -> None:
    admitted = admit(row("Rappelez le 06 12 34 56 78, le magasin était fermé", score=0.25, author="a@b.fr"))
    check_schema(admitted.events.schema, EVENT, where="admitted")
    (event,) = admitted.events.to_pylist()
    assert len(event.pop("event_id")) == 16
    assert len(event.pop("author")) == 16
    assert event == {
        "occurred_at": OCCURRED,
        "admitted_at": OCCURRED,
        "grace_s": 3 * 86400,
        "source": "avis",
        "channel": "survey",
        "voice": "customer",
        "perimeter": "enseigne/nord/lille-2",
        "score": 0.25,
        "agent": None,
        "language": "fr",
        "flags": FLAG_HISTORY | FLAG_REDACTED,
        "text": "Rappelez le [phone], le magasin était fermé",
    }
    assert admitted.rows == [0]
    assert admitted.rejections == []


def test_what_the_row_says_goes_before_the_settings() -> None:
    (event,) = admit(row(channel="email", voice="field"), voice="customer").events.to_pylist()
    assert (event["channel"], event["voice"]) == ("email", "field")


def test_live_events_carry_the_load_time_and_lateness() -> None:
    grace = timedelta(days=3)
    moments = [NOW, NOW - grace, NOW - grace - timedelta(microseconds=1)]
    events = admit(*(row(occurred_at=at) for at in moments), live=True).events
    assert set(events["admitted_at"].to_pylist()) == {NOW}
    assert events["flags"].to_pylist() == [0, 0, FLAG_LATE]


def test_history_is_never_late() -> None:
    events = admit(row(occurred_at=datetime(2001, 1, 1, tzinfo=UTC))).events
    assert events["flags"].to_pylist() == [FLAG_HISTORY]
    assert events["admitted_at"].equals(events["occurred_at"])


PARIS_2024 = Window(first=date(2024, 1, 1), last=date(2024, 3, 31))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(occurred_at=NOW + timedelta(microseconds=1)), "future_date"),
        # civil days of Paris: winter time begins the window at 23:00 UTC, summer time ends it at 22:00
        (row(occurred_at=datetime(2023, 12, 31, 22, 59, 59, tzinfo=UTC)), "outside_window"),
        (row(occurred_at=datetime(2024, 3, 31, 22, 0, tzinfo=UTC)), "outside_window"),
        (row(perimeter=" / "), "unknown_perimeter"),
        (row(score=1.01), "score_range"),
        (row(score=-0.01), "score_range"),
        (row(score=float("nan")), "score_range"),
        (row(" \n"), "empty"),
        (row(voice="robot"), "unknown_voice"),
        (row(channel="E-mail"), "bad_channel"),
    ],
)
def test_refused_with_its_reason(bad: Parsed, reason: str) -> None:
    good = row(occurred_at=datetime(2024, 2, 1, tzinfo=UTC))
    if reason not in ("future_date", "outside_window"):
        bad = Parsed(**{**{f: getattr(bad, f) for f in Parsed.__slots__}, "occurred_at": good.occurred_at})
    admitted = admit(good, bad, good, window=PARIS_2024)
    assert admitted.rows == [0, 2]
    ((index, rejected),) = admitted.rejections
    assert (index, rejected.reason) == (1, reason)
    assert rejected.detail
    assert set(REASONS) >= {reason}


@pytest.mark.parametrize(
    "at", [datetime(2023, 12, 31, 23, tzinfo=UTC), datetime(2024, 3, 31, 21, 59, 59, tzinfo=UTC), NOW]
)
def test_both_ends_of_the_window_are_inside(at: datetime) -> None:
    window = PARIS_2024 if at < NOW else Window()
    assert admit(row(occurred_at=at), window=window).events.num_rows == 1


def test_a_closed_tree_refuses_unknown_places() -> None:
    tree = PerimeterTree("r", {"r/nord": Perimeter("r/nord", "Le Nord")})
    admitted = admit(row(perimeter="le nord"), row(perimeter="l'ouest"), tree=tree)
    assert admitted.events["perimeter"].to_pylist() == ["r/nord"]
    assert [why.reason for _, why in admitted.rejections] == ["unknown_perimeter"]


def test_a_score_without_text_is_an_event() -> None:
    (event,) = admit(row("", score=0.0)).events.to_pylist()
    assert (event["text"], event["score"], event["language"]) == ("", 0.0, "und")


def test_a_row_keeps_its_id_when_others_are_refused() -> None:
    both = admit(row(), row("", perimeter="x"), row()).events["event_id"]
    alone = admit(row(), row()).events["event_id"]
    assert both.equals(alone)
    assert pc.count_distinct(both).as_py() == 2


def test_nothing_and_everything_refused() -> None:
    assert admit().events.num_rows == 0
    refused = admit(row(""), row(""))
    check_schema(refused.events.schema, EVENT, where="refused")
    assert [index for index, _ in refused.rejections] == [0, 1]


def test_no_canary_passes(canaries: ModuleType) -> None:
    signed = f"{canaries.planted_text()} Zoé Canarivelle, dossier {canaries.AGENT}"
    admitted = admit(
        row(signed, author=canaries.AUTHOR, agent=canaries.AGENT, own_id=canaries.TEXT_CANARIES["email"]),
        row("", author=canaries.AUTHOR, agent=canaries.AGENT),
        row("x", voice=canaries.AUTHOR),
        row("x", channel=canaries.AGENT),
        row("x", perimeter="/", author=canaries.AUTHOR),
    )
    assert admitted.events.num_rows == 1
    assert len(admitted.rejections) == 4
    assert canaries.found_in(str(admitted.events.to_pylist())) == []
    assert canaries.found_in(repr([why for _, why in admitted.rejections])) == []


def test_the_names_an_author_signs_by_are_redacted_and_not_part_of_the_identity() -> None:
    signed, bare = "mon colis est en retard. Zoé Exemple", "mon colis est en retard. [name]"
    named = admit(row(signed, names=("Zoé Exemple",))).events
    assert named["text"].to_pylist() == [bare]
    assert named["event_id"].equals(admit(row(signed)).events["event_id"])
