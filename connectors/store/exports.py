"""What may leave as a file: rows of the views that boards read, where nothing tells of too few people."""

from dataclasses import dataclass
from datetime import date

import pyarrow as pa
from psycopg import sql
from psycopg.rows import dict_row

from connectors.events import TIME
from connectors.store.store import Store


@dataclass(frozen=True, slots=True)
class Export:
    """One kind of export. query: of the schema's columns, with `perimeter` and `at` to choose by."""

    about: str
    schema: pa.Schema
    query: str


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in columns.items()])


_TEXT, _REAL, _COUNT = pa.string(), pa.float64(), pa.int64()

EXPORTS = {
    "signals": Export(
        about="every signal, with what people made of it",
        schema=_schema(
            signal_id=_TEXT,
            perimeter=_TEXT,
            at=TIME,
            kind=_TEXT,
            label=_TEXT,
            theme=_TEXT,
            dimension=_TEXT,
            stance=_TEXT,
            owning_function=_TEXT,
            tone=_TEXT,
            observed=_REAL,
            expected=_REAL,
            evidence=_REAL,
            distinct_authors=_COUNT,
            channels=_TEXT,
            voices=_TEXT,
            first_seen=TIME,
            last_seen=TIME,
            status=_TEXT,
            retrospective=pa.bool_(),
            mean_score=_REAL,
            sentence_fr=_TEXT,
            sentence_en=_TEXT,
            state=_TEXT,
            verdict=_TEXT,
            acknowledged_at=TIME,
            resolved_at=TIME,
        ),
        query="SELECT signal.*, signal.raised_at AS at, state, verdict, acknowledged_at, resolved_at"
        " FROM vigie_boards.signal JOIN vigie_boards.lifecycle USING (signal_id)",
    ),
    "events": Export(
        about="every text that may be shown: those that carry a signal, by day",
        schema=_schema(
            signal_id=_TEXT, perimeter=_TEXT, place=_TEXT, at=TIME, channel=_TEXT, voice=_TEXT, text=_TEXT
        ),
        query="SELECT signal_id, signal.perimeter, excerpt.perimeter_name AS place, at, channel, voice,"
        " excerpt AS text FROM vigie_boards.excerpt JOIN vigie_boards.signal USING (signal_id)",
    ),
}
"""By name. events: no author, no score, no time of day, for nothing may be told of fewer than the minimum."""


def read_export(
    store: Store,
    name: str,
    *,
    perimeter: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> pa.Table:
    """The rows of an export, in order of time and id.

    perimeter: only its subtree. since, until: only days from, and up to and including, these, UTC.
    Raises StoreError, and KeyError for a name that EXPORTS does not hold.
    """
    export = EXPORTS[name]
    query = sql.SQL(
        "SELECT {columns} FROM ({query}) AS told"
        " WHERE (%(perimeter)s::text IS NULL OR perimeter = %(perimeter)s"
        " OR starts_with(perimeter, %(perimeter)s || '/'))"
        " AND (%(since)s::date IS NULL OR at >= %(since)s)"
        " AND (%(until)s::date IS NULL OR at < %(until)s::date + 1)"
        " ORDER BY at, signal_id, {columns}"
    ).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, export.schema.names)),
        query=sql.SQL(export.query),
    )
    values = {"perimeter": perimeter, "since": since, "until": until}
    with store.transaction() as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, values).fetchall()
    return pa.Table.from_pylist(rows, schema=export.schema)
