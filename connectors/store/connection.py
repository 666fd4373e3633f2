"""Connecting to the store's PostgreSQL, and its errors in words for the user.

A driver's text can hold the password, a row, or a customer's words: only what is known to be harmless is
passed on.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from connectors.errors import StoreError

OLDEST = 14
"""The oldest major version of PostgreSQL the store works on."""

_CONNECT_TIMEOUT_S = 10
_DSN_RULE = (
    "write postgresql://user:password@host:port/database, with the special characters of the password "
    "percent-encoded (@ is %40, / is %2F)"
)
_HOST = re.compile(r"[\w.,:/\-\[\]%]+")

_LOST = {"57P01", "57P02", "57P03", "08003", "08006"}
"""The server was shut down, or the connection broke. A connection that broke without a word has no code."""

_CONSTRAINTS = {
    "signal_min_authors": "a signal has fewer distinct authors than the minimum",
    "signal_id_form": "a signal's id is not 16 bytes in hexadecimal",
    "signal_tone": "a signal's tone is not complaint, praise or mixed",
    "signal_expected": "a signal's expected value is negative or not finite",
    "signal_observed": "a signal's observed value is negative or not finite",
    "signal_evidence": "a signal's evidence is not finite",
    "signal_evidence_signal_id_fkey": "evidence names a signal that is not there",
    "perimeter_path": "a perimeter is not a path such as enseigne/nord/lille",
    "ingest_closes": "rows read are not events + duplicates + set aside + quarantined",
}


def check_dsn(dsn: str) -> None:
    """StoreError, with the rule and without the DSN, where it is not one that `connect` understands."""
    _parse(dsn)


def connect(dsn: str) -> psycopg.Connection:
    """Connect to a server, in autocommit, in UTC.

    StoreError, one line, with host and port and without the password: the DSN is not valid, the server
    cannot be reached, it refuses the user, it is older than OLDEST or its database is not in UTF-8.
    """
    parameters = _parse(dsn)
    place = _place(parameters)
    try:
        connection = psycopg.connect(
            **{"connect_timeout": _CONNECT_TIMEOUT_S, "application_name": "vigie", **parameters},
            client_encoding="utf8",
            autocommit=True,
        )
    except psycopg.Error as error:
        reason = _scrub(_reason(error), parameters)
        raise StoreError(
            f"cannot open the signal store at {place}: {reason}. Check that PostgreSQL runs there and that "
            "the store's dsn is right, or leave the dsn empty to use the built-in one"
        ) from None
    try:
        _check_server(connection, place)
        connection.execute("SET TimeZone TO 'UTC'")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def in_words(place: str) -> Iterator[None]:
    """Turn the driver's errors into StoreError. The transaction they end is undone by then."""
    try:
        yield
    except psycopg.Error as error:
        raise StoreError(f"signal store at {place}: {_explain(error)}; nothing was changed") from None


def place_of(connection: psycopg.Connection) -> str:
    """`host:port, database x`, for messages."""
    return _place(connection.info.get_parameters())


def _parse(dsn: str) -> dict[str, Any]:
    try:
        parameters = conninfo_to_dict(dsn)
    except psycopg.Error:
        raise StoreError(f"the store's dsn cannot be understood: {_DSN_RULE}") from None
    # An unescaped @ or / in the password ends up in the parts that messages show.
    host, port, database = (str(parameters.get(key) or "") for key in ("host", "port", "dbname"))
    if (host and not _HOST.fullmatch(host)) or not re.fullmatch(r"[\d,]*", port) or "@" in database:
        raise StoreError(f"the store's dsn has an odd host, port or database: {_DSN_RULE}")
    return parameters


def _place(parameters: Mapping[str, Any]) -> str:
    host = parameters.get("host") or parameters.get("hostaddr") or "the local socket"
    port = parameters.get("port") or 5432
    database = parameters.get("dbname")
    return f"{host}:{port}" + (f", database {database}" if database else "")


def _reason(error: psycopg.Error) -> str:
    """The first line, without the place, which is said already."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line.rsplit("failed: ", 1)[-1].removeprefix("FATAL:").strip().rstrip(".")


def _scrub(text: str, parameters: Mapping[str, Any]) -> str:
    password = str(parameters.get("password") or "")
    return text.replace(password, "***") if password else text


def _check_server(connection: psycopg.Connection, place: str) -> None:
    version = connection.info.server_version // 10_000
    if version < OLDEST:
        raise StoreError(
            f"the signal store at {place} is PostgreSQL {version}; Vigie needs {OLDEST} or newer: upgrade "
            "it, or give the dsn of another server"
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"the signal store at {place} is encoded in {encoding}; Vigie needs UTF8: "
            "create the database with ENCODING 'UTF8'"
        )


def _explain(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return (
            f"{error.diag.message_primary}: grant the user the right to create in the database "
            "(GRANT CREATE ON DATABASE ...), or ownership of the schema vigie"
        )
    if isinstance(error, psycopg.errors.DiskFull):
        return "the server's disk is full: make room and run the same command again"
    if isinstance(error, psycopg.errors.CardinalityViolation):
        return "the same key comes twice in one load"
    if isinstance(error, psycopg.errors.IntegrityError):
        rule = _CONSTRAINTS.get(error.diag.constraint_name or "")
        column = error.diag.column_name or error.diag.constraint_name
        return rule or f"table {error.diag.table_name} refuses a row for its rule on {column}"
    if isinstance(error, psycopg.errors.DataError):
        return f"a value does not fit its column ({error.diag.message_primary or 'see the schema'})"
    if isinstance(error, psycopg.OperationalError) and (error.sqlstate or "57P01") in _LOST:
        return "the connection was lost: check that PostgreSQL still runs, and run the same command again"
    return f"the server refused ({error.sqlstate}: {error.diag.message_primary})"
