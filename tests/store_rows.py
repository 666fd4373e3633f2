"""Rows for tests of the signal store: a signal, its proof, a tally and a replay, any value of them changed.

Tests reach this through the fixture `made`.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from connectors.store import Run
from connectors.store.schemas import EVIDENCE, SIGNAL, TALLY

T0 = datetime(2024, 3, 4, 8, 30, 15, 250_000, tzinfo=UTC)
RUN = Run(
    log_head="ab" * 32,
    settings_version="s1",
    lexicon_version="l1",
    code_version="0.1.0",
    closed_until=T0,
    started_at=T0,
    finished_at=T0 + timedelta(seconds=9),
    digest="cd" * 32,
)


def signal(number: int = 1, **values: Any) -> dict[str, Any]:
    return {
        "signal_id": f"{number:032x}",
        "perimeter": "enseigne/nord/lille-2",
        "bucket": date(2024, 3, 4),
        "bucket_at": datetime(2024, 3, 3, 23, tzinfo=UTC),
        "kind": "emergence",
        "label": "badge refusé",
        "terms": ["badge", "badge refusé"],
        "theme": None,
        "dimension": None,
        "stance": None,
        "owning_function": None,
        "tone": "complaint",
        "observed": 7,
        "expected": 0.25,
        "evidence": 11.5,
        "channels": '{"email": 4, "survey": 3}',
        "voices": '{"customer": 6, "field": 1}',
        "distinct_authors": 7,
        "min_authors": 3,
        "first_seen": T0 - timedelta(days=2),
        "last_seen": T0,
        "status": "confirmed",
        "retrospective": True,
        "mean_score": 0.4,
        "sentence_fr": "Sept personnes parlent d'un badge refusé.",
        "sentence_en": "Seven people mention a refused badge.",
        "settings_version": "s1",
        "explanation": '{"baseline": {"a": 1.5}, "buckets": [1, 2]}',
    } | values


def proof(number: int = 1, event: int = 1, **values: Any) -> dict[str, Any]:
    return {
        "signal_id": f"{number:032x}",
        "event_id": event.to_bytes(16, "big"),
        "occurred_at": T0 + timedelta(minutes=event),
        "channel": "email",
        "voice": "customer",
        "perimeter": "enseigne/nord/lille-2",
        "excerpt": "le badge est refusé",
    } | values


def tally(perimeter: str = "enseigne/nord/lille-2", day: int = 0, **values: Any) -> dict[str, Any]:
    return {
        "perimeter": perimeter,
        "bucket": date(2024, 3, 4) + timedelta(days=day),
        "bucket_at": datetime(2024, 3, 3, 23, tzinfo=UTC) + timedelta(days=day),
        "channel": "email",
        "voice": "customer",
        "theme": "",
        "texts": 5,
        "authors": 4,
        "score_sum": 17_500,
        "scored": 3,
        "sentiment_sum": -2_500,
        "without_text": 1,
        "late": 0,
    } | values


def signals(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SIGNAL)


def proofs(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=EVIDENCE)


def tallies(*rows: dict[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(list(rows), schema=TALLY)


def dump(raw: psycopg.Connection) -> dict[str, bytes]:
    """Every table byte for byte, with where each row lies: a rewritten row would show."""
    tables = ("run", "perimeter", "signal", "signal_evidence", "tally", "ingest", "migration")
    content = {}
    for table in tables:
        query = sql.SQL("COPY (SELECT ctid, xmin, t.* FROM {} AS t ORDER BY ctid) TO STDOUT")
        with raw.cursor().copy(query.format(sql.Identifier("vigie", table))) as copy:
            content[table] = b"".join(bytes(block) for block in copy)
    return content
