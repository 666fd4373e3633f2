"""Real tables: every file closes its accounting; counts agree with other readers; some rows by hand."""

import csv
import io
import json
import re
import zipfile
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from connectors.contract import Accounting, Outcome, Parsed, Record, Rejected, SetAside
from connectors.source_settings import TableSource
from connectors.tables import Table

DATA = Path(__file__).parents[2] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real data is not here")

SENTIMENT = {"labels": {"negative": 0, "neutral": 0.5, "positive": 1}}
AIRLINE: dict[str, Any] = {
    "perimeter": "{airline}",
    "columns": {
        "text": "text",
        "occurred_at": "tweet_created",
        "id": "tweet_id",
        "author": "name",
        "score": "airline_sentiment",
    },
    "score": SENTIMENT,
}


def read(path: str, **given: Any) -> list[tuple[Record, Outcome]]:
    """All rows with their outcomes; the accounting closes and every payload can wait in quarantine."""
    plain = {"kind": "table", "name": "essai", "path": path, "channel": "survey", "perimeter": "racine"}
    source = Table(TableSource.model_validate(plain | given), base=DATA, zone="Europe/Paris")
    rows = [(record, source.parse(record)) for record in source.records()]
    counts = account([outcome for _, outcome in rows])
    assert counts.closes()
    assert set(counts.quarantined) <= set(source.reasons)
    for record, outcome in rows[:50]:
        again = Record(record.file, record.line, json.loads(json.dumps(record.payload)))
        assert source.parse(again) == outcome
    return rows


def account(outcomes: list[Outcome]) -> Accounting:
    counts = Accounting(read=len(outcomes))
    for outcome in outcomes:
        match outcome:
            case Parsed():
                counts.events += 1
            case SetAside(reason):
                counts.set_aside[reason] = counts.set_aside.get(reason, 0) + 1
            case Rejected(reason):
                counts.quarantined[reason] = counts.quarantined.get(reason, 0) + 1
    return counts


def events(rows: list[tuple[Record, Outcome]]) -> list[Parsed]:
    return [outcome for _, outcome in rows if isinstance(outcome, Parsed)]


def reasons(rows: list[tuple[Record, Outcome]]) -> Counter[str]:
    return Counter(outcome.reason for _, outcome in rows if isinstance(outcome, Rejected | SetAside))


def frame(path: str) -> pl.DataFrame:
    """The same file by another reader, all cells as text."""
    return pl.read_csv(DATA / path, infer_schema=False, empty_string_is_null=False)


def test_metro_tweets() -> None:
    rows = read(
        "metro_tweets/m_tweets.csv",
        perimeter="ratp/{screen_name}",
        columns={"text": "text", "occurred_at": "created_at", "id": "status_id"},
    )
    expected = frame("metro_tweets/m_tweets.csv")
    found = events(rows)
    assert len(rows) == len(found) == expected.height == 64_107
    assert [event.own_id for event in found] == expected["status_id"].to_list()
    lines = expected["screen_name"].unique().to_list()
    assert {event.perimeter for event in found} == {f"ratp/{line}" for line in lines}
    # The first row says 05:39:58 on 22 March 2018; Paris was an hour ahead of UTC.
    assert found[0].occurred_at.isoformat() == "2018-03-22T04:39:58+00:00"
    assert min(event.occurred_at for event in found).strftime("%Y-%m") == "2014-05"
    assert max(event.occurred_at for event in found).strftime("%Y-%m") == "2020-01"


def test_services_publics() -> None:
    rows = read(
        "services_publics/balanced_dataset.csv",
        columns={
            "text": ["Titre", "Description"],
            "occurred_at": "Date de publication",
            "id": "ID expérience",
            "score": "Ressenti usager",
        },
        score={"labels": {"POSITIF": 1, "neutre": 0.5, "Negatif": 0}},
    )
    found = events(rows)
    assert len(rows) == len(found) == 1200
    assert Counter(event.score for event in found) == {1.0: 400, 0.5: 400, 0.0: 400}
    assert {event.occurred_at.year for event in found} == {2019, 2020, 2021, 2022, 2023}
    assert all(event.text.startswith("[Titre] ") and "\n[Description] " in event.text for event in found)
    raw = (DATA / "services_publics/balanced_dataset.csv").read_text(encoding="utf-8")
    assert any("\x80" <= char <= "\x9f" for char in raw)
    assert not any("\x80" <= char <= "\x9f" for event in found for char in event.text)
    assert all(isinstance(record.payload, dict) and record.payload["vigie:day_first"] for record, _ in rows)


def test_services_publics_without_a_region_go_to_quarantine() -> None:
    path, region = "services_publics/balanced_dataset.csv", "Intitulé région usager"
    rows = read(
        path,
        perimeter=f"fr/{{{region}}}",
        columns={"text": "Description", "occurred_at": "Date de publication"},
    )
    with_region = frame(path).filter(pl.col(region).str.strip_chars() != "").height
    assert len(events(rows)) == with_region > 0
    assert reasons(rows) == {"no_perimeter": 1200 - with_region}


def test_avis_assurance() -> None:
    rows = read(
        "avis_assurance/avis_1_traduit.xlsx",
        perimeter="{assureur}/{produit}",
        columns={"text": "avis", "occurred_at": "date_publication", "score": "note", "author": "auteur"},
        score={"worst": 1, "best": 5},
    )
    found = events(rows)
    assert len(rows) == len(found) == 1000
    assert [record.line for record, _ in rows] == list(range(2, 1002))
    notes = numbers_in_column_a(DATA / "avis_assurance/avis_1_traduit.xlsx")
    assert [event.score for event in found] == [(note - 1) / 4 for note in notes]
    # The first review, of 6 September 2021 (Paris midnight), gives five stars.
    assert found[0].occurred_at.isoformat() == "2021-09-05T22:00:00+00:00"
    assert found[0].score == 1.0


def test_us_airline() -> None:
    rows = read("us_airline/Tweets_original.csv", **AIRLINE)
    expected = frame("us_airline/Tweets_original.csv")
    found = events(rows)
    assert len(rows) == len(found) == expected.height == 14_640
    ids = [event.own_id for event in found]
    assert len(ids) - len(set(ids)) == 155
    assert Counter(event.score for event in found) == {
        score: expected["airline_sentiment"].to_list().count(label)
        for label, score in SENTIMENT["labels"].items()
    }
    # 11:35:52 at -0800.
    assert found[0].occurred_at.isoformat() == "2015-02-24T19:35:52+00:00"
    assert (found[0].own_id, found[0].perimeter) == ("570306133677760513", "Virgin America")


def test_us_airline_damaged_by_a_spreadsheet() -> None:
    rows = read("us_airline/Tweets_excel_mangled.csv", **AIRLINE)
    found = events(rows)
    assert len(rows) == len(found) == 14_640
    assert {event.own_id for event in found} == {None}
    assert found[0].occurred_at.isoformat() == "2015-02-24T10:35:00+00:00"
    assert {event.occurred_at.strftime("%Y-%m") for event in found} == {"2015-02"}
    whole = events(read("us_airline/Tweets_original.csv", **AIRLINE))
    # Two handles differ between the files; everything else the source reads is the same.
    differing = [1 for one, other in zip(found, whole, strict=True) if one.author != other.author]
    assert len(differing) == 2
    assert digest([event.text for event in found]) == digest([event.text for event in whole])


def test_spotifycares() -> None:
    path = "spotifycares/support_requests.csv"
    rows = read(
        path,
        columns={"text": "text", "occurred_at": "created_at", "id": "tweet_id", "author": "author_id"},
    )
    with (DATA / path).open(encoding="utf-8", newline="") as file:
        cells = [row for row in csv.reader(file) if row]
    short = [row for row in cells if len(row) < 7]
    assert len(rows) == len(cells) - 1 == 15_103
    # Seven texts hold a line end without quotes: what follows it is no row.
    assert reasons(rows) == {"field_count": len(short)} == {"field_count": 7}
    assert [event.own_id for event in events(rows)] == [row[2] for row in cells[1:] if len(row) >= 7]
    assert events(rows)[0].occurred_at.isoformat() == "2017-10-31T23:36:20+00:00"
    assert not any("&amp;" in event.text for event in events(rows))


def test_nhtsa_without_header() -> None:
    rows = read(
        "nhtsa/nhtsa-complaints.txt",
        header_rows=0,
        perimeter="{4}/{5}",
        columns={"text": 20, "occurred_at": 17, "id": 1},
    )
    found = events(rows)
    assert len(rows) == len(found) == 101
    assert {len(record.payload) for record, _ in rows} == {49}
    assert (found[0].own_id, found[0].perimeter) == ("1", "LINCOLN/TOWN CAR")
    # 3 January 1995, midnight in Paris.
    assert found[0].occurred_at.isoformat() == "1995-01-02T23:00:00+00:00"


def test_qualtrics() -> None:
    [(record, _)] = rows = read(
        "qualtrics/sample.csv",
        header_rows=3,
        columns={"text": "Q2", "occurred_at": "RecordedDate", "id": "ResponseId"},
    )
    assert record.line == 4
    assert len(events(rows)) == 1
    [(record, _)] = rows = read(
        "qualtrics/sample_legacy.csv",
        header_rows=2,
        columns={"text": "Q2", "occurred_at": "V9", "id": "V1"},
    )
    assert record.line == 3
    assert events(rows)[0].occurred_at.isoformat() == "2017-07-18T06:28:48+00:00"
    assert events(rows)[0].text == "Hello World!"
    # A coding sheet made of an export: it has texts and no date.
    rows = read(
        "qualtrics/HEGSRR_final_full_Q6_coding.csv",
        columns={"text": "Q6.x", "occurred_at": "ResponseId"},
    )
    assert reasons(rows) + Counter(events=len(events(rows))) == Counter(bad_date=218)
    rows = read("qualtrics/HEGSRR.qsf", columns={"text": "Q6.x", "occurred_at": "StartDate"})
    assert set(reasons(rows)) == {"missing_column"}


PAYLOADS = {
    "gorgias_tickets.json": (None, "subject", "created_datetime", 2),
    "hubspot_tests_list-tickets.json": ("output.items", "content", "createdAt", 22),
    "hubspot_tests_service-tickets.json": ("nango.batchSave.Ticket", "content", "createdAt", 22),
    "intercom_tests_conversations.json": ("nango.batchSave.Conversation", "source.body", "created_at", 6),
    "salesforce_tests_cases.json": ("nango.batchSave.Case", "subject", "created_at", 26),
    "salesforce_tests_tickets.json": ("nango.batchSave.Ticket", "subject", "created_date", 26),
    "servicenow_tests_incidents.json": (
        "nango.batchSave.Incident",
        "short_description",
        "sys_created_on",
        73,
    ),
    "typeform_tests_responses.json": (None, "title", "created_at", 5),
    "typeform_tests_webhooks.json": ("nango.batchSave.Webhook", "tag", "created_at", 2),
    "zendesk_tests_search-tickets.json": ("output.tickets", "description", "created_at", 4),
    "zendesk_tests_ticket-comments.json": ("nango.batchSave.TicketComment", "body", "created_at", 9),
    "zendesk_tests_tickets.json": ("nango.batchSave.Ticket", "description", "created_at", 4),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_payloads_of_tools(name: str) -> None:
    place, text, moment, count = PAYLOADS[name]
    columns = {"text": text, "occurred_at": moment, "id": "id"}
    rows = read(f"tool_payloads/{name}", rows=place, columns=columns)
    assert len(rows) == count
    assert len(events(rows)) + reasons(rows)["blank"] + reasons(rows)["missing_column"] == count
    assert events(rows)


def test_every_payload_is_covered() -> None:
    assert {path.name for path in (DATA / "tool_payloads").glob("*.json")} == set(PAYLOADS)


def test_news_have_no_time() -> None:
    rows = read("news_topics/news_t.jsonl", columns={"text": "textCleaned", "occurred_at": "date"})
    assert reasons(rows) == {"missing_column": 11_109}


def test_mails_are_no_tables() -> None:
    rows = read("mail_ham/*.eml", columns={"text": "text", "occurred_at": "date"})
    assert reasons(rows) == {"missing_column": 600}
    details = [outcome.detail for _, outcome in rows if isinstance(outcome, Rejected)]
    assert any("@" in detail for detail in details)
    assert not any(re.search(r"@[^\s']*[b-zB-Z0-8]", detail) for detail in details)


def test_texts_are_those_of_another_reader() -> None:
    """All texts of a column, compared by digest with the csv module's own reading of the decoded file."""
    path = "us_airline/Tweets_original.csv"
    rows = read(path, **AIRLINE)
    decoded = (DATA / path).read_bytes().decode("utf-8")
    expected = [row["text"] for row in csv.DictReader(io.StringIO(decoded, newline=""))]
    found = [record.payload["text"] for record, _ in rows if isinstance(record.payload, dict)]
    assert digest(found) == digest(expected)


def numbers_in_column_a(path: Path) -> list[float]:
    """The numbers of the first sheet's first column, read from its XML."""
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    return [
        float(value) for value in re.findall(r'<c r="A\d+"(?: s="\d+")?(?: t="n")?><v>([\d.]+)</v>', sheet)
    ]


def digest(texts: list[str]) -> str:
    return sha256("\0".join(texts).encode()).hexdigest()
