"""Numbered migrations: applied once, in order, all or none, and never changed afterwards."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg

from connectors.errors import StoreError

_FOLDER = Path(__file__).with_name("migrations")
_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_LOCK = int.from_bytes(b"vigieDDL", "big", signed=True)

_BOOKS = """
CREATE TABLE IF NOT EXISTS vigie.migration (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema, from `NNNN_name.sql`."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the statements; line endings do not count."""
        return hashlib.sha256("\n".join(self.sql.splitlines()).encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.number:04}_{self.name}"


def read_migrations(folder: Path = _FOLDER) -> list[Migration]:
    """The migrations of a folder, in order of their numbers; there may be gaps between these.

    ValueError: a file is not named NNNN_name.sql, or a number is used twice.
    """
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        named = _NAME.match(path.name)
        if not named:
            raise ValueError(f"{path}: a migration is named NNNN_name.sql")
        migrations.append(Migration(int(named[1]), named[2], path.read_text(encoding="utf-8")))
    numbers = [migration.number for migration in migrations]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise ValueError(f"{folder}: migrations of one number: {twice}; each has a number of its own")
    return migrations


def migrate(connection: psycopg.Connection, migrations: Sequence[Migration]) -> list[Migration]:
    """Bring the schema `vigie` up to the last migration; return those applied now.

    All in one transaction, under a lock that makes a second process wait. A reader without the right to
    change the schema may call this on a schema that is up to date.
    StoreError: the schema is newer than the migrations, or an applied migration was changed since.
    psycopg.Error: the database refused a statement; nothing was applied.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        applied = _applied(connection)
        _check(applied, migrations)
        pending = [migration for migration in migrations if migration.number not in applied]
        if not pending:
            return []
        if not _exists(connection, "to_regnamespace('vigie')"):
            connection.execute("CREATE SCHEMA vigie")
        connection.execute(_BOOKS)
        for migration in pending:
            connection.execute(migration.sql.encode())
            connection.execute(
                "INSERT INTO vigie.migration (number, name, checksum) VALUES (%s, %s, %s)",
                (migration.number, migration.name, migration.checksum),
            )
        return pending


def check_up_to_date(connection: psycopg.Connection, migrations: Sequence[Migration]) -> None:
    """StoreError unless exactly these migrations were applied; changes nothing."""
    applied = _applied(connection)
    _check(applied, migrations)
    pending = [migration for migration in migrations if migration.number not in applied]
    if pending:
        raise StoreError(
            f"the signal store's schema lacks migration {pending[0]}, and nothing is changed here: "
            "`vigie replay` brings it up to date"
        )


def _exists(connection: psycopg.Connection, expression: LiteralString) -> bool:
    row = connection.execute("SELECT " + expression + " IS NOT NULL").fetchone()
    return bool(row and row[0])


def _applied(connection: psycopg.Connection) -> dict[int, tuple[str, str]]:
    if not _exists(connection, "to_regclass('vigie.migration')"):
        return {}
    rows = connection.execute("SELECT number, name, checksum FROM vigie.migration").fetchall()
    return {number: (name, checksum) for number, name, checksum in rows}


def _check(applied: Mapping[int, tuple[str, str]], migrations: Sequence[Migration]) -> None:
    unknown = applied.keys() - {migration.number for migration in migrations}
    if unknown:
        newest = max(unknown)
        raise StoreError(
            f"the signal store's schema is at migration {newest:04}_{applied[newest][0]}, made by a newer "
            f"Vigie; this one knows {len(migrations)} migrations: install the newer version"
        )
    for migration in migrations:
        if migration.number in applied and applied[migration.number][1] != migration.checksum:
            raise StoreError(
                f"migration {migration} is not the one the signal store was made with: its checksum "
                "differs. An applied migration must not change; restore the file and add a new migration"
            )
