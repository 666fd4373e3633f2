"""What people do with signals: acknowledge, comment, confirm, dismiss, resolve; kept with who and when."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from psycopg.rows import dict_row

from connectors.alerts.verdicts import Verdicts, about_of_signal
from connectors.errors import AlertError
from connectors.store import Store

ACTIONS = ("acknowledge", "comment", "confirm", "dismiss", "resolve")
LONGEST_COMMENT = 2000
_LOCK = int.from_bytes(b"vigieACT", "big", signed=True)

Via = Literal["command", "link"]


class Actions:
    """Actions in the store, append-only. Methods may raise StoreError.

    verdicts: where what is confirmed or dismissed goes besides; None where the log cannot be written.
    """

    def __init__(self, store: Store, verdicts: Verdicts | None = None) -> None:
        self._store = store
        self._verdicts = verdicts

    def act(
        self,
        signal_id: str,
        action: str,
        *,
        actor: str,
        comment: str | None,
        via: Via,
        now: datetime,
        subscription_id: str | None = None,
    ) -> bool:
        """Keep an action; whether it was kept. The same twice in a row, by the same actor, is kept once.

        comment: redacted by the caller. AlertError: no such action, no actor, or no comment to keep, or one
        longer than LONGEST_COMMENT. LogError: a verdict cannot be asked for; then nothing is kept.
        """
        said = (comment or "").strip() or None
        who = actor.strip()
        if action not in ACTIONS:
            raise AlertError(f"{action!r} is not something to do with a signal: {', '.join(ACTIONS)}")
        if not who:
            raise AlertError("nobody is named who acts: an action is kept with who and when")
        if action == "comment" and said is None:
            raise AlertError("the comment is empty: write some text")
        if said is not None and len(said) > LONGEST_COMMENT:
            raise AlertError(f"the comment has {len(said)} characters; {LONGEST_COMMENT} at most are kept")
        row = {
            "signal": signal_id,
            "action": action,
            "comment": said,
            "actor": who,
            "via": via,
            "subscription": subscription_id,
            "now": now,
        }
        with self._store.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            kept = bool(connection.execute(_ACT, row).rowcount)
            if kept and self._verdicts is not None:
                # Before the store commits: killed here, the log has a verdict that is given again.
                signal = self._store.signal(signal_id)
                about = None if signal is None else about_of_signal(signal)
                self._verdicts.ask(signal_id, action, actor=who, now=now, about=about)
            return kept

    def of(self, signal_id: str) -> list[dict[str, Any]]:
        """What was done with a signal, the oldest first: action, comment, actor, via, acted_at."""
        query = (
            b"SELECT action, comment, actor, via, acted_at FROM vigie.actions"
            b" WHERE signal_id = %s ORDER BY action_id"
        )
        with self._store.transaction() as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, (signal_id,)).fetchall()

    def states(self) -> dict[str, dict[str, Any]]:
        """How each signal stands that somebody acted on: rows of the view `signal_state`, by id."""
        with self._store.transaction() as connection, connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(b"SELECT * FROM vigie.signal_state").fetchall()
        return {row["signal_id"]: row for row in rows}

    def dismissed(self) -> frozenset[str]:
        """Ids of the signals whose last verdict is that they are none."""
        return frozenset(key for key, row in self.states().items() if row["verdict"] == "dismissed")


def state_of(history: Sequence[dict[str, Any]]) -> str:
    """How a signal stands after a history: open, acknowledged, confirmed, dismissed or resolved."""
    states = {
        "acknowledge": "acknowledged",
        "confirm": "confirmed",
        "dismiss": "dismissed",
        "resolve": "resolved",
    }
    done = [states[row["action"]] for row in history if row["action"] in states]
    return done[-1] if done else "open"


_ACT = b"""
INSERT INTO vigie.actions (signal_id, action, comment, actor, via, subscription_id, acted_at)
SELECT %(signal)s, %(action)s, %(comment)s::text, %(actor)s, %(via)s, %(subscription)s, %(now)s
WHERE NOT EXISTS (
    SELECT FROM (
        SELECT action, comment, actor FROM vigie.actions
        WHERE signal_id = %(signal)s ORDER BY action_id DESC LIMIT 1
    ) AS last
    WHERE last.action = %(action)s AND last.actor = %(actor)s
      AND last.comment IS NOT DISTINCT FROM %(comment)s::text
)
"""
