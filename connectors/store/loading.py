"""From Arrow to PostgreSQL: COPY into a temporary table, then one idempotent upsert."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import polars as pl
import psycopg
import pyarrow as pa
from psycopg import sql

from connectors.events import check_schema

_NULL = "\\N"
_REPLACEMENT = "�"
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": _REPLACEMENT}


def copy_text(table: pa.Table | pa.RecordBatch, schema: pa.Schema) -> bytes:
    """A table in PostgreSQL's COPY text format, columns in the order of the schema.

    Binary becomes hexadecimal and a list of strings an array literal. PostgreSQL has no NUL character: it
    becomes U+FFFD. SchemaError: the table lacks a column or has another type.

    >>> copy_text(pa.table({"a": ["x\\ty", None]}), pa.schema([("a", pa.string())]))
    b'x\\\\ty\\n\\\\N\\n'
    """
    check_schema(table.schema, schema, where="signal store")
    if table.num_rows == 0:
        return b""
    whole = pa.table(table) if isinstance(table, pa.RecordBatch) else table
    frame = pl.DataFrame(pl.from_arrow(whole.select(schema.names)))
    text = frame.select(_rendered(field) for field in schema).write_csv(
        include_header=False, separator="\t", quote_style="never", null_value=_NULL
    )
    return text.encode()


def _rendered(field: pa.Field) -> pl.Expr:
    column = pl.col(field.name)
    if pa.types.is_string(field.type):
        return _escaped(column)
    if pa.types.is_fixed_size_binary(field.type):
        return pl.lit("\\\\x") + column.bin.encode("hex")
    if pa.types.is_list(field.type):
        quoted = pl.element().str.replace_many(["\\", '"'], ["\\\\", '\\"'])
        items = column.list.eval(pl.lit('"') + quoted + pl.lit('"')).list.join(",")
        return _escaped(pl.lit("{") + items + pl.lit("}"))
    return column


def _escaped(text: pl.Expr) -> pl.Expr:
    return text.str.replace_many(list(_ESCAPES), list(_ESCAPES.values()))


Days = tuple[date | None, date]
"""First and last civil day, both included; from the beginning where the first is None."""


class Loader:
    """Loads tables into the schema `vigie` inside the caller's transaction, one temporary table for each."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._cursor = connection.cursor()

    def receive(self, table: str, batches: Iterable[pa.Table | pa.RecordBatch], schema: pa.Schema) -> None:
        """COPY batches into `incoming_<table>`, which lasts until the transaction ends."""
        columns = [sql.Identifier(name) for name in schema.names]
        incoming, target = sql.Identifier(f"incoming_{table}"), sql.Identifier("vigie", table)
        self._cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
                incoming, sql.SQL(", ").join(columns), target
            )
        )
        command = sql.SQL("COPY {} FROM STDIN").format(incoming)
        with self._cursor.copy(command) as copy:
            for batch in batches:
                copy.write(copy_text(batch, schema))
        self._cursor.execute(sql.SQL("ANALYZE {}").format(incoming))

    def receive_perimeters(self, tables: Sequence[str], names: Mapping[str, str]) -> None:
        """Gather `incoming_perimeter` from the tables that came in and from names (path to displayed name),
        with all ancestors."""
        met = sql.SQL(" ").join(
            sql.SQL("UNION SELECT perimeter FROM {}").format(sql.Identifier(f"incoming_{table}"))
            for table in tables
        )
        query = sql.SQL(_PERIMETERS).format(met=met)
        self._cursor.execute(query, {"paths": list(names), "names": list(names.values())})

    def withhold_excerpts(self) -> None:
        """Drop the incoming excerpts of every voice with too few authors in its signal."""
        self._cursor.execute(_WITHHOLD)

    def upsert(self, table: str, schema: pa.Schema, *, key: Sequence[str], update: bool = True) -> None:
        """Insert what came in; where the key exists, update the row if it differs, or leave it."""
        others = [name for name in schema.names if name not in key]
        conflict = "UPDATE SET {assignments} WHERE ({kept}) IS DISTINCT FROM ({new})" if update else "NOTHING"
        self._cursor.execute(
            sql.SQL(
                "INSERT INTO {target} AS kept ({columns}) SELECT {columns} FROM {incoming} "
                "ON CONFLICT ({key}) DO " + conflict
            ).format(
                target=sql.Identifier("vigie", table),
                incoming=sql.Identifier(f"incoming_{table}"),
                columns=_names(schema.names),
                key=_names(key),
                assignments=sql.SQL(", ").join(
                    sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in others
                ),
                kept=_names(others, of="kept"),
                new=_names(others, of="excluded"),
            )
        )

    def delete_vanished(
        self, table: str, *, key: Sequence[str], within: str | None = None, days: Days | None = None
    ) -> None:
        """Delete the rows whose key did not come in; to be called after `upsert`.

        within: only rows of the signals that came in (`incoming_<within>`, by signal_id). days: only rows
        whose bucket is one of these days.
        """
        if self._holds_just_what_came(table):
            return
        scope: sql.Composable = sql.SQL("")
        if within is not None:
            scope = sql.SQL("AND kept.signal_id IN (SELECT signal_id FROM {})").format(
                sql.Identifier(f"incoming_{within}")
            )
        if days is not None:
            scope = sql.SQL("AND kept.bucket BETWEEN coalesce({}, '-infinity'::date) AND {}").format(*days)
        self._cursor.execute(
            sql.SQL(
                "DELETE FROM {target} AS kept WHERE NOT EXISTS "
                "(SELECT FROM {incoming} AS new WHERE ({kept}) = ({new})) {scope}"
            ).format(
                target=sql.Identifier("vigie", table),
                incoming=sql.Identifier(f"incoming_{table}"),
                kept=_names(key, of="kept"),
                new=_names(key, of="new"),
                scope=scope,
            )
        )

    def _holds_just_what_came(self, table: str) -> bool:
        """After the upsert every incoming row is in the table, once: equal counts mean equal keys. Counting
        is much quicker than comparing half a million keys."""
        count = sql.SQL("SELECT (SELECT count(*) FROM {}) = (SELECT count(*) FROM {})")
        self._cursor.execute(
            count.format(sql.Identifier(f"incoming_{table}"), sql.Identifier("vigie", table))
        )
        row = self._cursor.fetchone()
        return bool(row and row[0])


_PERIMETERS = """
CREATE TEMPORARY TABLE incoming_perimeter ON COMMIT DROP AS
WITH given AS (SELECT * FROM unnest(%(paths)s::text[], %(names)s::text[]) AS given (path, name)),
met AS (SELECT path COLLATE "C" AS perimeter FROM given {met}),
parts AS (SELECT string_to_array(perimeter, '/') AS part FROM met),
tree AS (
    SELECT DISTINCT array_to_string(part[:depth], '/') COLLATE "C" AS path, part[depth] AS last
    FROM parts, generate_series(1, cardinality(part)) AS depth
)
SELECT path, coalesce(given.name, last) AS name FROM tree LEFT JOIN given USING (path) ORDER BY path
"""

_WITHHOLD = """
UPDATE incoming_signal_evidence AS evidence SET excerpt = NULL FROM incoming_signal AS signal
WHERE signal.signal_id = evidence.signal_id
  AND evidence.voice <> ''
  AND coalesce((signal.voices ->> evidence.voice)::bigint, 0) < signal.min_authors
"""


def _names(names: Iterable[str], *, of: str | None = None) -> sql.Composed:
    qualified = [sql.Identifier(of, name) if of else sql.Identifier(name) for name in names]
    return sql.SQL(", ").join(qualified)
