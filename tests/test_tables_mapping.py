"""From one row's cells to an outcome."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Outcome, Parsed, Record, Rejected, SetAside
from connectors.source_settings import TableSource
from connectors.tables import Table
from connectors.tables.cells import clean, identifier

WHEN = datetime(2024, 3, 12, 13, 30, tzinfo=UTC)


def parse(payload: dict[str, Any], **given: Any) -> Outcome:
    plain: dict[str, Any] = {
        "kind": "table",
        "name": "avis",
        "path": "t.csv",
        "channel": "survey",
        "perimeter": "enseigne/{ville}",
        "columns": {
            "text": ["Titre", "Avis"],
            "occurred_at": ["publié", "vécu"],
            "id": "id",
            "score": "note",
            "author": "auteur",
            "agent": "vendeur",
        },
        "score": {"worst": 1, "best": 5},
    }
    source = Table(TableSource.model_validate(plain | given), base=Path(), zone="Europe/Paris")
    outcome = source.parse(Record("t.csv", 2, payload))
    again = source.parse(Record("t.csv", 2, json.loads(json.dumps(payload))))
    assert again == outcome, "a record parses the same after a stay in quarantine"
    if isinstance(outcome, Rejected):
        assert outcome.reason in source.reasons
    return outcome


ROW: dict[str, Any] = {
    "Titre": "Déçue",
    "Avis": "Trop long",
    "publié": "12/03/2024 14:30",
    "vécu": "10/03/2024",
    "id": "17",
    "note": "2",
    "auteur": "u1",
    "vendeur": "v9",
    "ville": "Lille",
}


def event(payload: dict[str, Any], **given: Any) -> Parsed:
    outcome = parse(payload, **given)
    assert isinstance(outcome, Parsed), outcome
    return outcome


def test_a_whole_row() -> None:
    assert event(ROW) == Parsed(
        occurred_at=WHEN,
        perimeter="enseigne/Lille",
        text="[Titre] Déçue\n[Avis] Trop long",
        own_id="17",
        score=0.25,
        author="u1",
        agent="v9",
    )


def test_several_texts_keep_their_labels_and_one_has_none() -> None:
    assert event(ROW | {"Titre": " "}).text == "[Avis] Trop long"
    one = {"text": "Avis", "occurred_at": "publié"}
    assert event(ROW, columns=one, score=None).text == "Trop long"


def test_brackets_in_a_label_are_replaced() -> None:
    columns = {"text": ["Avis [libre]", "Titre"], "occurred_at": "publié"}
    assert (
        event(ROW | {"Avis [libre]": "ok"}, columns=columns, score=None).text
        == "[Avis (libre)] ok\n[Titre] Déçue"
    )


def test_an_empty_text_with_a_score_is_an_event() -> None:
    outcome = event(ROW | {"Titre": "", "Avis": ""})
    assert (outcome.text, outcome.score) == ("", 0.25)


def test_an_empty_text_without_score_is_set_aside() -> None:
    assert parse(ROW | {"Titre": "", "Avis": "\u00a0", "note": " "}) == SetAside("blank")
    assert parse({"Titre": None, "Avis": None}) == SetAside("blank")


def test_the_first_date_that_is_filled() -> None:
    assert event(ROW | {"publié": ""}).occurred_at == datetime(2024, 3, 9, 23, tzinfo=UTC)


def test_the_order_of_day_and_month_travels_with_the_row() -> None:
    plain = ROW | {"publié": "03/04/2024"}
    assert event(plain).occurred_at.month == 4
    assert event(plain, day_first=False).occurred_at.month == 3
    assert event(plain | {"vigie:day_first": False}).occurred_at.month == 3


def test_the_zone_of_the_source_outweighs_the_organisation_s() -> None:
    assert event(ROW, timezone="America/Martinique").occurred_at == datetime(2024, 3, 12, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"publié": "31/02/2024"}, "bad_date"),
        ({"publié": "Camille Durand"}, "bad_date"),
        ({"publié": "", "vécu": None}, "no_date"),
        ({"note": "6"}, "bad_score"),
        ({"note": "Camille Durand"}, "bad_score"),
        ({"note": {"valeur": 3}}, "bad_row"),
        ({"Avis": {"fr": "Camille Durand"}}, "bad_row"),
        ({"ville": " "}, "no_perimeter"),
        ({"ville": None}, "no_perimeter"),
    ],
)
def test_rejections_name_the_column_and_no_content(change: dict[str, Any], reason: str) -> None:
    outcome = parse(ROW | change)
    assert isinstance(outcome, Rejected)
    assert outcome.reason == reason
    assert any(repr(column) in outcome.detail for column in change)
    for content in ("Camille", "Déçue", "Trop long", "u1", "v9"):
        assert content not in outcome.detail


def test_a_row_without_any_column_of_content() -> None:
    outcome = parse({"publié": "12/03/2024", "ville": "Lille"})
    assert outcome == Rejected(
        "missing_column",
        "no column 'Titre', 'Avis', 'note'; found 'publié', 'ville'; correct columns.text or columns.score",
    )


def test_bytes_are_no_row() -> None:
    settings = TableSource.model_validate(
        {
            "kind": "table",
            "name": "avis",
            "path": "t.csv",
            "channel": "survey",
            "perimeter": "p",
            "columns": {"text": "a", "occurred_at": "b"},
        }
    )
    outcome = Table(settings, base=Path(), zone="UTC").parse(Record("t.csv", 1, b"x"))
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "bad_row"


def test_scores_with_a_decimal_comma() -> None:
    assert event(ROW | {"note": "4,5"}, decimal_comma=True).score == pytest.approx(0.875)


def test_scores_of_labels_and_types() -> None:
    labels = {"labels": {"Positif": 1, "Neutre": 0.5, "Négatif": 0, "true": 1}}
    assert event(ROW | {"note": "NEGATIF"}, score=labels).score == 0
    assert event(ROW | {"note": True}, score=labels).score == 1
    assert event(ROW | {"note": 4.0}).score == 0.75


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1234.0", "1234"),
        ("1234,00", "1234"),
        (1234, "1234"),
        (1234.0, "1234"),
        ("0012", "0012"),
        ("570306133677760513", "570306133677760513"),
        (570306133677760513, "570306133677760513"),
        (5.70306133677760513e17, None),
        ("5.70306E+17", None),
        ("5,70306E+17", None),
        ("1E9", None),
        ("E12", "E12"),
        ("R_2YPO", "R_2YPO"),
        ("", None),
        (None, None),
    ],
)
def test_identifiers(cell: object, expected: str | None) -> None:
    assert event(ROW | {"id": cell}).own_id == expected
    assert event(ROW | {"auteur": cell}).author == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l\x92été \x80", "l’été €"),
        ("Q&amp;R &eacute;t&eacute; &#39;x&#x27;", "Q&R été 'x'"),
        ("a=1&copy=2 AT&T &inconnu;", "a=1&copy=2 AT&T &inconnu;"),
        ("a\x00b\x07c\x7fd\x81e", "abcde"),
        ("a\r\nb\rc\vd\te", "a\nb\nc\nd\te"),
        ("a\ud800b", "a\ufffdb"),
        ("&#0;&#55296;", "\ufffd\ufffd"),
        ("  x\u00a0", "x"),
    ],
)
def test_clean(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_identifier_of_blank() -> None:
    assert identifier("") is None


def test_residue_and_slashes_in_a_perimeter() -> None:
    assert event(ROW | {"ville": "L\x92Isle/Sorgue "}).perimeter == "enseigne/L’Isle-Sorgue"


def test_columns_by_number_under_a_header(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("Avis,3,quand\nbien,x,12/03/2024 14:30\n")
    settings = TableSource.model_validate(
        {
            "kind": "table",
            "name": "avis",
            "path": "t.csv",
            "channel": "survey",
            "perimeter": "{3}",
            "columns": {"text": [1, "3"], "occurred_at": 3},
        }
    )
    source = Table(settings, base=tmp_path, zone="Europe/Paris")
    [record] = source.records()
    assert source.parse(record) == Parsed(occurred_at=WHEN, perimeter="x", text="[1] bien\n[3] x")
