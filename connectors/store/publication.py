"""What boards and exports may count: the rules, the themes' names and the crowds behind the tallies.

How cells are withheld is the database's matter: `migrations/0010_publication.sql`.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date

import psycopg
import pyarrow as pa

from connectors.store.loading import Loader
from connectors.store.schemas import CROWD, THEME


@dataclass(frozen=True, slots=True)
class Rules:
    """Under which rules figures are published.

    min_authors: of each cell and of what is left beside it. weekly_depth: perimeters down to this depth have
    periods of 7 days, deeper ones of 28. timezone: whose days. false_alerts: budget, a perimeter a year.
    """

    min_authors: int
    weekly_depth: int
    timezone: str
    false_alerts: float


@dataclass(frozen=True, slots=True)
class Publication:
    """What is published with a replay.

    themes: in the schema THEME. crowds: tables in the schema CROWD, of all tallies; None where they were not
    counted: then tallies that came vouch for themselves.
    """

    rules: Rules
    themes: pa.Table
    crowds: Iterable[pa.Table] | None = None


def adopt(connection: psycopg.Connection, loader: Loader, publication: Publication) -> bool:
    """Put rules, themes and crowds in force, inside the caller's transaction; whether the rules are others.

    Where they are, everything must be published anew, and crowds counted under others vouch for nothing.
    """
    changed = connection.execute(_ADOPT, asdict(publication.rules)).rowcount > 0
    if changed:
        connection.execute("DELETE FROM vigie.crowd")
    loader.receive("theme", [publication.themes], THEME)
    loader.upsert("theme", THEME, key=("key",))
    loader.delete_vanished("theme", key=("key",))
    if publication.crowds is not None:
        learn_crowds(loader, publication.crowds)
        loader.delete_vanished("crowd", key=_CROWD_KEY)
    return changed


def learn_crowds(loader: Loader, crowds: Iterable[pa.Table]) -> None:
    """Insert or update crowds."""
    loader.receive("crowd", crowds, CROWD)
    loader.upsert("crowd", CROWD, key=_CROWD_KEY)


def forget_crowds(connection: psycopg.Connection) -> None:
    """Drop the crowds of the periods of `incoming_tally`: they do not vouch for what came since."""
    connection.execute(_FORGET)


def refresh(connection: psycopg.Connection, since: date | None = None) -> None:
    """Publish the tallies anew: those from the period of 28 days that `since` is in, or all."""
    connection.execute("SELECT vigie.refresh_published(%s)", (since,))


_CROWD_KEY = ("perimeter", "days", "starts", "voice")

_FORGET = """
DELETE FROM vigie.crowd USING (SELECT DISTINCT perimeter, bucket FROM incoming_tally) AS came
WHERE crowd.perimeter = came.perimeter AND crowd.starts = vigie.period_start(came.bucket, crowd.days)
"""

_ADOPT = """
UPDATE vigie.publication AS kept
SET min_authors = %(min_authors)s, weekly_depth = %(weekly_depth)s, timezone = %(timezone)s,
    false_alerts = %(false_alerts)s
WHERE (min_authors, weekly_depth, timezone, false_alerts)
   IS DISTINCT FROM (%(min_authors)s, %(weekly_depth)s, %(timezone)s, %(false_alerts)s)
"""
