"""The pictures of signals, and the days they show, in the store: drawing one takes reading the log again."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.store import Store
from dashboards.judged_plot import Judged


def shows(signal: Mapping[str, Any]) -> str:
    """What tells whether a picture is of the signal as it is now."""
    return f"{signal['settings_version']} {signal['distinct_authors']} {signal['last_seen']:%Y-%m-%d}"


class Pictures:
    """Pictures in the store, two of each signal and language: a whole one, and a compact one for mails."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def whole(self, signal_id: str, lang: str) -> str | None:
        """SVG with the evidence; None where there is no picture."""
        return self._one("svg", signal_id, lang)

    def compact(self, signal_id: str, lang: str) -> str | None:
        """SVG of observed and expected; None where there is no picture."""
        return self._one("compact", signal_id, lang)

    def missing(self, wanted: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Of signals and languages, those whose picture is absent or of an earlier state."""
        with self._store.transaction() as connection:
            rows = connection.execute("SELECT signal_id, lang, shows FROM vigie.signal_picture").fetchall()
        drawn = {(signal_id, lang): state for signal_id, lang, state in rows}
        absent = []
        for signal_id, lang in sorted(set(wanted)):
            signal = self._store.signal(signal_id)
            if signal is not None and drawn.get((signal_id, lang)) != shows(signal):
                absent.append((signal_id, lang))
        return absent

    def keep(self, signal: Mapping[str, Any], lang: str, *, whole: str, compact: str) -> None:
        """Keep the picture of a signal, in place of an earlier one."""
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT INTO vigie.signal_picture (signal_id, lang, shows, svg, compact)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (signal_id, lang) DO UPDATE"
                " SET shows = excluded.shows, svg = excluded.svg, compact = excluded.compact",
                (signal["signal_id"], lang, shows(signal), whole, compact),
            )

    def keep_days(self, signal_id: str, days: Sequence[Judged]) -> None:
        """Keep the days that a signal's picture shows, in the unit of its kind, in place of earlier ones."""
        with self._store.transaction() as connection, connection.cursor() as cursor:
            cursor.execute("DELETE FROM vigie.signal_day WHERE signal_id = %s", (signal_id,))
            cursor.executemany(
                "INSERT INTO vigie.signal_day"
                " (signal_id, day, observed, expected, low, high, evidence, threshold)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    (
                        signal_id,
                        one.day,
                        one.observed,
                        one.expected,
                        one.low,
                        one.high,
                        one.evidence,
                        one.threshold,
                    )
                    for one in days
                ],
            )

    def _one(self, column: str, signal_id: str, lang: str) -> str | None:
        query = f"SELECT {column} FROM vigie.signal_picture WHERE signal_id = %s AND lang = %s"
        with self._store.transaction() as connection:
            row = connection.execute(query.encode(), (signal_id, lang)).fetchone()
        return None if row is None else str(row[0])
