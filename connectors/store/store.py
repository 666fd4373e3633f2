"""The signal store: writes are idempotent by a deterministic key; a replay replaces its projection whole."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import fields
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from connectors.contract import Accounting
from connectors.store.connection import connect, in_words, place_of
from connectors.store.embedded import EmbeddedPostgres
from connectors.store.loading import Days, Loader
from connectors.store.migrate import check_up_to_date, migrate, read_migrations
from connectors.store.open_days import forget_closed, replace_open
from connectors.store.publication import Publication, adopt, forget_crowds, learn_crowds, refresh
from connectors.store.run import Run, make_current
from connectors.store.schemas import EVIDENCE, PERIMETER, SIGNAL, TALLY

_WRITE_LOCK = int.from_bytes(b"vigieDML", "big", signed=True)
_TALLY_KEY = ("bucket_at", "perimeter", "channel", "voice", "theme")
_EVIDENCE_KEY = ("signal_id", "event_id")


@contextmanager
def open_store(dsn: str | None, *, data: Path, read_only: bool = False) -> Iterator["Store"]:
    """Open the signal store, its schema up to date.

    read_only: change nothing; StoreError where the schema is not up to date.
    dsn: a PostgreSQL server; None or empty: the built-in one, in `<data>/postgres`, started if it does not
    run and stopped when its last user leaves.
    StoreError: the server cannot be started, reached or used, or its schema is not one this version knows.
    """
    with ExitStack() as stack:
        connection = connect(dsn or stack.enter_context(EmbeddedPostgres(data / "postgres")))
        stack.enter_context(closing(connection))
        with in_words(place_of(connection)):
            if read_only:
                connection.execute("SET default_transaction_read_only = on")
                check_up_to_date(connection, read_migrations())
            else:
                migrate(connection, read_migrations())
        yield Store(connection)


class Store:
    """Reads and writes the tables of the schema `vigie`.

    Every method may raise StoreError, and SchemaError for a table whose columns are not those of
    `connectors.store.schemas`; what fails changes nothing.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._place = place_of(connection)

    @property
    def connection(self) -> psycopg.Connection:
        """For readers of the views in the schema vigie_boards."""
        return self._connection

    def replace_run(
        self,
        run: Run,
        signals: pa.Table,
        evidence: pa.Table,
        tallies: Iterable[pa.RecordBatch | pa.Table],
        *,
        perimeters: Mapping[str, str] | None = None,
        publication: Publication | None = None,
    ) -> None:
        """Make the store reflect a full replay: new rows in, changed rows updated, vanished rows out.

        Readers see the replay before or this one, never a mixture. perimeters: path to displayed name,
        beyond or among the paths met; a path without one is named by its last part, and ancestors are added.
        publication: by which rules boards count, and with which themes and crowds; as before where None.
        """
        with self._loading() as loader:
            self._replace(loader, run, signals, evidence, tallies, perimeters)
            loader.delete_vanished("tally", key=_TALLY_KEY)
            loader.delete_vanished("perimeter", key=("path",))
            if publication is not None:
                adopt(self._connection, loader, publication)
            if publication is None or publication.crowds is None:
                forget_crowds(self._connection)
            refresh(self._connection)
            forget_closed(self._connection)

    def continue_run(
        self,
        run: Run,
        signals: pa.Table,
        evidence: pa.Table,
        tallies: pa.RecordBatch | pa.Table,
        *,
        days: Days,
        perimeters: Mapping[str, str] | None = None,
    ) -> None:
        """Make the store reflect a run that went on: these are all its signals, and all tallies of some days.

        Tallies of other days and perimeters stay. What boards count waits for `refresh_published`.
        perimeters: as in `replace_run`.
        """
        with self._loading() as loader:
            self._replace(loader, run, signals, evidence, [tallies], perimeters)
            loader.delete_vanished("tally", key=_TALLY_KEY, days=days)
            forget_crowds(self._connection)
            forget_closed(self._connection)

    def replace_tallies(self, tallies: pa.RecordBatch | pa.Table, *, days: Days) -> None:
        """Make these all the tallies of some days; those of other days stay.

        What boards count waits for `refresh_published`.
        """
        with self._loading() as loader:
            loader.receive("tally", [tallies], TALLY)
            loader.receive_perimeters(("tally",), {})
            loader.upsert("perimeter", PERIMETER, key=("path",), update=False)
            loader.upsert("tally", TALLY, key=_TALLY_KEY)
            loader.delete_vanished("tally", key=_TALLY_KEY, days=days)
            forget_crowds(self._connection)
            forget_closed(self._connection)

    def replace_open(self, divisions: Sequence[str], tallies: pa.RecordBatch | pa.Table) -> None:
        """Make these all the open days' tallies of some divisions; those of others stay.

        Channel and voice are empty where a tally is of all of them. Tallies of days up to the last closed one
        are left out, and go from the store when it is told that their day is closed. Waits for no other
        writer but for the moment in which that is told.
        """
        with self._transaction() as loader:
            loader.receive("open_tally", [tallies], TALLY)
            loader.receive_perimeters(("open_tally",), {})
            loader.upsert("perimeter", PERIMETER, key=("path",), update=False)
            replace_open(self._connection, divisions)

    def upsert_tallies(self, tallies: pa.RecordBatch | pa.Table) -> None:
        """Insert or update tallies, by perimeter, bucket, channel, voice and theme."""
        with self._loading() as loader:
            loader.receive("tally", [tallies], TALLY)
            loader.receive_perimeters(("tally",), {})
            loader.upsert("perimeter", PERIMETER, key=("path",), update=False)
            loader.upsert("tally", TALLY, key=_TALLY_KEY)
            forget_crowds(self._connection)

    def refresh_published(
        self,
        since: date | None = None,
        crowds: Iterable[pa.Table] = (),
        *,
        publication: Publication | None = None,
    ) -> None:
        """Publish the tallies to boards anew, from the period of 28 days that `since` is in; by default all.

        Of what writes tallies, only `replace_run` does it by itself. crowds: those of periods with new
        tallies, which else show what a single day vouches for. publication: as in `replace_run`; under other
        rules than before all is published.
        """
        with self._loading() as loader:
            changed = publication is not None and adopt(self._connection, loader, publication)
            learn_crowds(loader, crowds)
            refresh(self._connection, None if changed else since)

    def upsert_signals(self, signals: pa.Table, evidence: pa.Table) -> None:
        """Insert or update signals; `evidence` is all the evidence these signals have."""
        with self._loading() as loader:
            _receive_signals(loader, signals, evidence)
            loader.receive_perimeters(("signal",), {})
            loader.upsert("perimeter", PERIMETER, key=("path",), update=False)
            loader.upsert("signal", SIGNAL, key=("signal_id",))
            loader.upsert("signal_evidence", EVIDENCE, key=_EVIDENCE_KEY)
            loader.delete_vanished("signal_evidence", key=_EVIDENCE_KEY, within="signal")

    def record_ingest(self, load_id: str, loaded_at: datetime, accounts: Mapping[str, Accounting]) -> None:
        """Keep what became of every row of one load, by source."""
        rows = [
            {"load_id": load_id, "source": source, "loaded_at": loaded_at, **_as_row(account)}
            for source, account in sorted(accounts.items())
        ]
        with self._loading():
            for row in rows:
                self._connection.execute(_RECORD_INGEST, row)

    def forget_texts(self, event_ids: Sequence[bytes]) -> int:
        """Remove the excerpts of events whose texts are erased; how many there were."""
        with self._loading():
            return self._connection.execute(_FORGET_TEXTS, {"ids": list(event_ids)}).rowcount

    def record_head(self, seq: int, sha256: str) -> None:
        """Keep a head of the log, so that a tail that is cut or rewritten later is found."""
        with self._loading():
            self._connection.execute(_RECORD_HEAD, {"seq": seq, "sha256": sha256})

    def heads(self) -> list[tuple[int, str]]:
        """The heads of the log that were seen: number and SHA-256 of a manifest, by number."""
        rows = self._select(["seq", "sha256"], "log_head", "ORDER BY seq, sha256")
        return [(row["seq"], row["sha256"]) for row in rows]

    def signal_tables(self) -> tuple[pa.Table, pa.Table]:
        """All signals and their evidence in the schemas SIGNAL and EVIDENCE, in order of (bucket, id) and
        (id, time, event)."""
        signals = self._select(SIGNAL.names, "signal", "ORDER BY bucket, signal_id")
        for row in signals:
            row.update({name: json.dumps(row[name]) for name in ("channels", "voices", "explanation")})
        evidence = self._select(
            EVIDENCE.names, "signal_evidence", "ORDER BY signal_id, occurred_at, event_id"
        )
        return pa.Table.from_pylist(signals, SIGNAL), pa.Table.from_pylist(evidence, EVIDENCE)

    def run(self) -> Run | None:
        """The replay the store reflects; None before the first."""
        names = [field.name for field in fields(Run)]
        rows = self._select(names, "run", "WHERE is_current")
        return Run(**rows[0]) if rows else None

    def signals(
        self, perimeter: str | None = None, since: date | None = None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Signals, the newest bucket first and the strongest first within it, with the columns of SIGNAL.

        perimeter: only its subtree. since: only buckets of this day or later.
        `channels`, `voices` and `explanation` come as dictionaries.
        """
        return self._select(
            SIGNAL.names,
            "signal",
            "WHERE (%(perimeter)s::text IS NULL OR perimeter = %(perimeter)s"
            " OR starts_with(perimeter, %(perimeter)s || '/'))"
            " AND (%(since)s::date IS NULL OR bucket >= %(since)s)"
            " ORDER BY bucket_at DESC, evidence DESC, signal_id LIMIT %(limit)s",
            {"perimeter": perimeter, "since": since, "limit": limit},
        )

    def signal(self, signal_id: str) -> dict[str, Any] | None:
        """One signal, with the columns of SIGNAL; None if there is none of this id."""
        rows = self._select(SIGNAL.names, "signal", "WHERE signal_id = %(id)s", {"id": signal_id})
        return rows[0] if rows else None

    def evidence(self, signal_id: str) -> list[dict[str, Any]]:
        """The events that carry a signal, the oldest first, with the columns of EVIDENCE."""
        return self._select(
            EVIDENCE.names,
            "signal_evidence",
            "WHERE signal_id = %(id)s ORDER BY occurred_at, event_id",
            {"id": signal_id},
        )

    def tallies(
        self, perimeter: str, since: date | None = None, until: date | None = None, theme: str = ""
    ) -> pa.Table:
        """The tallies of one perimeter and theme ('' for all texts), in the schema TALLY, in order of time.

        since, until: only buckets of these days, both included.
        """
        rows = self._select(
            TALLY.names,
            "tally",
            "WHERE perimeter = %(perimeter)s AND theme = %(theme)s"
            " AND (%(since)s::date IS NULL OR bucket >= %(since)s)"
            " AND (%(until)s::date IS NULL OR bucket <= %(until)s)"
            " ORDER BY bucket_at, channel, voice",
            {"perimeter": perimeter, "theme": theme, "since": since, "until": until},
        )
        return pa.Table.from_pylist(rows, schema=TALLY)

    def perimeters(self) -> list[dict[str, Any]]:
        """The tree: path, name, parent (None at the root), depth (0 at the root) and division, by path."""
        return self._select(["path", "name", "parent", "depth", "division"], "perimeter", "ORDER BY path")

    def ingests(self) -> list[dict[str, Any]]:
        """What became of every row read, by load and source, the oldest load first."""
        return self._select(_INGEST, "ingest", "ORDER BY loaded_at, load_id, source")

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection]:
        """The store's connection in a transaction of its own, the driver's errors in words."""
        with in_words(self._place), self._connection.transaction():
            yield self._connection

    @contextmanager
    def _loading(self) -> Iterator[Loader]:
        """A transaction that no other writer overlaps, but for the open days' tallies."""
        with self._transaction() as loader:
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (_WRITE_LOCK,))
            yield loader

    @contextmanager
    def _transaction(self) -> Iterator[Loader]:
        with self.transaction() as connection:
            yield Loader(connection)

    def _replace(
        self,
        loader: Loader,
        run: Run,
        signals: pa.Table,
        evidence: pa.Table,
        tallies: Iterable[pa.RecordBatch | pa.Table],
        perimeters: Mapping[str, str] | None,
    ) -> None:
        """Bring in tallies and all signals of a run, and make it the current one."""
        loader.receive("tally", tallies, TALLY)
        _receive_signals(loader, signals, evidence)
        loader.receive_perimeters(("tally", "signal"), perimeters or {})
        loader.upsert("perimeter", PERIMETER, key=("path",))
        loader.upsert("tally", TALLY, key=_TALLY_KEY)
        loader.upsert("signal", SIGNAL, key=("signal_id",))
        loader.upsert("signal_evidence", EVIDENCE, key=_EVIDENCE_KEY)
        loader.delete_vanished("signal_evidence", key=_EVIDENCE_KEY)
        loader.delete_vanished("signal", key=("signal_id",))
        make_current(self._connection, run)

    def _select(
        self, columns: Sequence[str], table: str, clauses: str, values: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        query = sql.SQL("SELECT {} FROM {} " + clauses).format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier("vigie", table)
        )
        with in_words(self._place), self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, values).fetchall()


def _receive_signals(loader: Loader, signals: pa.Table, evidence: pa.Table) -> None:
    loader.receive("signal", [signals], SIGNAL)
    loader.receive("signal_evidence", [evidence], EVIDENCE)
    loader.withhold_excerpts()


def _as_row(account: Accounting) -> dict[str, Any]:
    return {
        name: Jsonb(value) if isinstance(value, dict) else value for name, value in account.as_json().items()
    }


_INGEST = (
    "load_id",
    "source",
    "loaded_at",
    "read",
    "events",
    "duplicates",
    "set_aside",
    "quarantined",
    "set_aside_reasons",
    "quarantine_reasons",
)

_RECORD_INGEST = """
INSERT INTO vigie.ingest AS kept
VALUES (%(load_id)s, %(source)s, %(loaded_at)s, %(read)s, %(events)s, %(duplicates)s, %(set_aside)s,
        %(quarantined)s, %(set_aside_reasons)s, %(quarantine_reasons)s)
ON CONFLICT (load_id, source) DO UPDATE SET
    loaded_at = excluded.loaded_at, read = excluded.read, events = excluded.events,
    duplicates = excluded.duplicates, set_aside = excluded.set_aside, quarantined = excluded.quarantined,
    set_aside_reasons = excluded.set_aside_reasons, quarantine_reasons = excluded.quarantine_reasons
WHERE ROW(kept.*) IS DISTINCT FROM ROW(excluded.*)
"""

_FORGET_TEXTS = """
UPDATE vigie.signal_evidence SET excerpt = NULL WHERE event_id = ANY(%(ids)s) AND excerpt IS NOT NULL
"""

_RECORD_HEAD = """
INSERT INTO vigie.log_head (seq, sha256) VALUES (%(seq)s, %(sha256)s) ON CONFLICT DO NOTHING
"""
