"""Every query of every board on a real PostgreSQL, as the role that Grafana has."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.rows import dict_row

from connectors.alerts.actions import Actions
from connectors.contract import Accounting
from connectors.store import Store
from connectors.store.exports import read_export
from dashboards.building import build_boards
from dashboards.checking import query_faults, run
from dashboards.desk.pictures import Pictures
from dashboards.judged_plot import Judged
from dashboards.macros import TimeRange, expand, queries_of
from dashboards.rules import rules
from dashboards.words import KINDS

BOARDS = [board for boards in build_boards().values() for board in boards]
DURING = TimeRange(datetime(2023, 12, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC))
LATER = datetime(2024, 1, 20, 9, 41, 7, tzinfo=UTC)


@pytest.fixture
def filled(store: Store, made: ModuleType, published_events: ModuleType) -> Store:
    """Six stores that write much, a signal of every kind, and what was loaded. All of it is generated."""
    events = [
        published_events.Event(
            path,
            published_events.FIRST + timedelta(days=day),
            channel,
            f"{path}{day}{channel}{number}",
            (published_events.THEMES[number % 2 + (channel != "note")],) if number % 4 else (),
            channel == "survey",
            channel == "survey" and number > 7,
        )
        for path, day, channel, number in product(
            published_events.STORES, range(28), published_events.CHANNELS, range(10)
        )
    ]
    signals = [
        made.signal(
            number,
            kind=kind,
            perimeter="e/a/1",
            bucket=date(2024, 1, 20),
            bucket_at=LATER.replace(hour=0, minute=0, second=0),
            first_seen=LATER - timedelta(days=3),
            last_seen=LATER,
            status="open",
            dimension="trust",
            owning_function="logistics",
            explanation='{"threshold": 9.5, "strongest_evidence": 12.0, '
            '"growth": [["2024-01-20", 6]], "taught": '
            '{"dismissed": 3, "confirmed": 0, "times": 4.0, "since": "2024-01-12"}}',
        )
        for number, kind in enumerate(KINDS, start=1)
    ]
    proofs = [
        made.proof(number, event, occurred_at=LATER - timedelta(hours=event), perimeter="e/a/1")
        for number in range(1, len(KINDS) + 1)
        for event in range(1, 8)
    ]
    publication = published_events.publication(events, least=3)
    publication = type(publication)(publication.rules, dimensions(publication.themes), publication.crowds)
    store.replace_run(
        made.RUN,
        made.signals(*signals),
        made.proofs(*proofs),
        [published_events.tallies(events)],
        publication=publication,
    )
    today = made.RUN.closed_until
    store.replace_open(
        ["e/a"],
        made.tallies(
            made.tally("e/a", bucket=today.date(), bucket_at=today, channel="", voice="", texts=9, authors=9)
        ),
    )
    account = Accounting(120, 100, 5, {"bounce": 5}, {"bad_date": 10})
    store.record_ingest("1", LATER, {"survey": account, "mail": account})
    days = [
        Judged(
            LATER.date() - timedelta(days=3 - day), 3.0 * day or None, 0.5, 0.0, 2.0, 4.0 * day, 9.5, day == 3
        )
        for day in range(4)
    ]
    Pictures(store).keep_days(f"{1:032x}", days)
    Actions(store).act(
        f"{1:032x}", "dismiss", actor="Direction Nord", comment="déjà réparé", via="link", now=LATER
    )
    return store


def dimensions(themes: Any) -> Any:
    """The themes with words that boards know."""
    rows = themes.to_pylist()
    known = [
        ("trust", "shared", "praise"),
        ("conformity", "imposed", "complaint"),
        ("solicitude", "none", "neutral"),
    ]
    for row, (dimension, stance, polarity) in zip(rows, known, strict=True):
        row.update(dimension=dimension, stance=stance, polarity=polarity)
    return type(themes).from_pylist(rows, schema=themes.schema)


def test_every_query_gives_columns_that_fit_and_rows(filled: Store) -> None:
    faults, empty = query_faults(filled.connection, BOARDS, DURING)
    assert faults == []
    assert sorted(empty) == []


def test_what_does_not_fit_is_told(filled: Store) -> None:
    def broken(sql: str) -> dict[str, Any]:
        target = {"rawSql": sql, "format": "time_series"}
        empty: dict[str, Any] = {"list": []}
        return {
            "uid": "u",
            "panels": [{"title": "p", "targets": [target]}],
            "templating": empty,
            "annotations": empty,
        }

    for sql, fault in (
        ("SELECT 1 AS value", "needs a column `time`"),
        ("SELECT now() AS time, 'a' AS metric", "needs a number"),
        ("SELECT at FROM vigie_boards.nothing", 'relation "vigie_boards.nothing" does not exist'),
        ("SELECT texts FROM vigie.tally", "permission denied for schema vigie"),
        ("SELECT '$place'", "variable place is not one of the board's"),
    ):
        (found,), _ = query_faults(filled.connection, [broken(sql)], DURING)
        assert fault in found


def test_the_rules_of_alerts_ask_queries_that_work(filled: Store) -> None:
    for rule in rules():
        query = rule.build()["data"][0]["model"]
        if "rawSql" in query:
            columns, rows = run(filled.connection, expand(query["rawSql"], DURING, {}))
            assert set(columns.values()) <= {"text", "numeric", "float8"}
            assert rows == (2 if rule.name == "stale-source" else 0)


def test_a_perimeter_with_a_quote_in_its_name_is_no_trap(filled: Store) -> None:
    values = {
        "perimeter": "e'; DROP TABLE x; --",
        "channel": ["it's"],
        "voice": ["a'b"],
        "dimension": ["'"],
        "signal": "'",
    }
    for board in BOARDS:
        for _, _, sql in queries_of(board):
            run(filled.connection, expand(sql, DURING, values))


def test_the_reader_sees_views_only_and_changes_nothing(filled: Store, raw: psycopg.Connection) -> None:
    del filled
    tables = [
        row[0] for row in raw.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'vigie'").fetchall()
    ]
    views = raw.execute("SELECT viewname FROM pg_views WHERE schemaname = 'vigie_boards'").fetchall()
    assert {"tally", "signal_evidence", "published"} <= set(tables)
    with raw.transaction(force_rollback=True):
        raw.execute("SET LOCAL ROLE vigie_reader")
        for (view,) in views:
            raw.execute(f"SELECT * FROM vigie_boards.{view} LIMIT 1".encode())
        refused = [f"SELECT * FROM vigie.{table}" for table in tables]
        refused += [f"DELETE FROM vigie_boards.{view}" for view in ("perimeter",)]
        refused += [
            "SELECT vigie.refresh_published()",
            "CREATE TABLE vigie_boards.x (y int)",
            "CREATE SCHEMA z",
        ]
        for statement in refused:
            with pytest.raises(psycopg.errors.InsufficientPrivilege), raw.transaction():
                raw.execute(statement.encode())


def test_what_people_did_is_told_with_who_and_when(filled: Store) -> None:
    """On the signal's board and the follow-up's, and each list says how its signals stand."""
    (signal,) = (board for board in BOARDS if board["uid"] == "vigie-signal-en")
    (follow_up,) = (board for board in BOARDS if board["uid"] == "vigie-follow-up-en")
    values = {"signal": f"{1:032x}", "perimeter": "e"}

    def rows_of(board: dict[str, Any], title: str) -> list[dict[str, Any]]:
        (sql,) = (panel["targets"][0]["rawSql"] for panel in board["panels"] if panel["title"] == title)
        with filled.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(expand(sql, DURING, values).encode()).fetchall()

    told = {"who": "Direction Nord", "does what": "dismisses", "when": LATER, "comment": "déjà réparé"}
    (act,) = rows_of(signal, "What was done with it")
    assert act == {"signal_id": values["signal"], **told}
    (act,) = rows_of(follow_up, "Who answered")
    assert act.items() >= told.items()
    assert rows_of(signal, "The signal")[0]["answer"] == "dismissed"
    listed = {row["signal_id"]: row["answer"] for row in rows_of(follow_up, "Signals in the range")}
    assert listed == {
        f"{number:032x}": "dismissed" if number == 1 else "untouched" for number in range(1, len(KINDS) + 1)
    }
    # Of what is no signal any more nothing is told.
    Actions(filled).act(f"{99:032x}", "confirm", actor="Siège", comment=None, via="link", now=LATER)
    assert len(rows_of(follow_up, "Who answered")) == 1


def test_of_texts_the_day_alone_is_told(filled: Store) -> None:
    """The time of day is one person's."""
    told = {
        (table, column)
        for table, column in (
            ("signal", "first_seen"),
            ("signal", "last_seen"),
            ("excerpt", "at"),
            ("signal_growth", "at"),
            ("signal_day", "at"),
        )
        if filled.connection.execute(
            f"SELECT count(*) > 0 AND bool_and({column} = date_trunc('day', {column}, timezone))"
            f" FROM vigie_boards.{table}, vigie_boards.rules".encode()
        ).fetchone()
        == (True,)
    }
    assert len(told) == 5
    exported = read_export(filled, "signals").to_pylist()
    zone = ZoneInfo(filled.connection.execute("SELECT timezone FROM vigie_boards.rules").fetchall()[0][0])
    assert all(row["first_seen"].astimezone(zone).time() == time() for row in exported)


def test_no_view_gives_an_author_or_an_event_away(raw: psycopg.Connection, store: Store) -> None:
    del store
    columns = raw.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'vigie_boards'"
    ).fetchall()
    assert {name for _, name in columns} & {"author", "person", "agent", "event_id", "explanation"} == set()
    with_authors = {table for table, name in columns if "authors" in name}
    # Of signals, which have the minimum; the rules' own minimum; never of a cell of tallies.
    assert with_authors == {"signal", "signal_share", "rules"}
