"""Tallies of days that are still open: replaced as they come, gone once their day is closed.

They come every second, also while days that closed are published: so they have a lock of their own. It is
taken last in a transaction, after perimeters are inserted, so that no two writers wait for each other.
"""

from collections.abc import Sequence

import psycopg

from connectors.store.schemas import TALLY


def replace_open(connection: psycopg.Connection, divisions: Sequence[str]) -> None:
    """Put `incoming_open_tally` in place of some divisions' tallies, inside the caller's transaction."""
    _lock(connection)
    connection.execute(_FORGET_OPEN, (list(divisions),))
    connection.execute(_KEEP_OPEN)


def forget_closed(connection: psycopg.Connection) -> None:
    """Drop the tallies of days up to the last one of `vigie.tally`, inside the caller's transaction."""
    _lock(connection)
    connection.execute(_FORGET_CLOSED)


def _lock(connection: psycopg.Connection) -> None:
    """Wait until no other writer has the open days, and keep them until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_OPEN_LOCK,))


_OPEN_LOCK = int.from_bytes(b"vigieODY", "big", signed=True)
_LAST_CLOSED = "coalesce((SELECT max(bucket_at) FROM vigie.tally), '-infinity')"
_FORGET_OPEN = "DELETE FROM vigie.open_tally WHERE division = ANY(%s)"
_FORGET_CLOSED = f"DELETE FROM vigie.open_tally WHERE bucket_at <= {_LAST_CLOSED}"
_KEEP_OPEN = f"""
INSERT INTO vigie.open_tally ({", ".join(TALLY.names)})
SELECT {", ".join(TALLY.names)} FROM incoming_open_tally WHERE bucket_at > {_LAST_CLOSED}
"""
