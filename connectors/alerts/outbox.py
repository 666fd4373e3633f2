"""The outbox: messages that are due, with what became of each attempt.

A message is written with the decision that made it, in one transaction, under an id that follows from what it
is. An attempt is recorded before it begins, and its end after: a process killed between the two leaves the
message due, so it leaves at least once, and twice only where the receiver had taken it and nobody wrote so.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg.rows import dict_row

from connectors.alerts.plan import WEEK, Decision, Digest, Told
from connectors.errors import AlertError
from connectors.store import Store

MOST_ATTEMPTS = 8
"""After so many a message is a dead letter."""
_FIRST_DELAY, _LONGEST_DELAY, _GROWTH = timedelta(minutes=1), timedelta(hours=6), 4
ENDED = "the subscription ended"
"""Why what waits for a subscription that ended is withdrawn."""
_LOCK = int.from_bytes(b"vigieOUT", "big", signed=True)

End = Literal["sent", "dead", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message that is due. signals: ids with their steps, those held by the cap among them in `capped`.

    earlier: ids of the messages that left before to the same address on the same signals, in order of steps,
    since what was raised early was last withdrawn.
    withdrawals: of signals that were raised early those that it tells are withdrawn.
    """

    id: str
    subscription_id: str
    kind: Literal["alert", "digest"]
    attempts: int
    signals: tuple[tuple[str, int], ...]
    capped: frozenset[str]
    earlier: tuple[str, ...] = ()
    withdrawals: frozenset[str] = frozenset()


def delay_after(attempt: int) -> timedelta:
    """How long after an attempt, the first is 1, the next may begin.

    >>> [str(delay_after(attempt)) for attempt in (1, 2, 3, 9)]
    ['0:01:00', '0:04:00', '0:16:00', '6:00:00']
    """
    return min(_FIRST_DELAY * float(_GROWTH ** (attempt - 1)), _LONGEST_DELAY)


class Outbox:
    """Decisions and messages in the store. Methods may raise StoreError; each is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Only one process delivers at a time; AlertError while another does. A killed one holds nothing."""
        with self._store.transaction() as connection:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        if not row or not row[0]:
            raise AlertError("alerts are being delivered by another process: end it, or let it do the work")
        try:
            yield
        finally:
            with self._store.transaction() as connection:
                connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))

    def told(self) -> dict[tuple[str, str], Told]:
        """The last alert of each signal to each address.

        What waited for a subscription that ended was told to nobody: another of the address may want it.
        """
        return {
            (row["address_id"], row["signal_id"]): Told(row["step"], row["people"], row["reached"])
            for row in self._rows(_TOLD, {"ended": ENDED})
        }

    def sent_since(self, now: datetime) -> dict[str, int]:
        """Alerts that were not held in the last week, by address."""
        rows = self._rows(
            "SELECT address_id, count(*) AS alerts FROM vigie.alert"
            " WHERE held IS NULL AND decided_at > %(since)s GROUP BY address_id",
            {"since": now - WEEK},
        )
        return {row["address_id"]: row["alerts"] for row in rows}

    def held_since(self) -> dict[str, datetime]:
        """When the oldest alert that waits for a digest was held, by subscription."""
        rows = self._rows(
            "SELECT subscription_id, min(decided_at) AS oldest FROM vigie.alert"
            " WHERE message_id IS NULL GROUP BY subscription_id"
        )
        return {row["subscription_id"]: row["oldest"] for row in rows}

    def write(self, decisions: Sequence[Decision], *, now: datetime) -> None:
        """Keep decisions, and the messages of those that are not held; all or none. Again changes nothing."""
        with self._store.transaction() as connection:
            for one in decisions:
                row = {
                    "address": one.address_id,
                    "subscription": one.subscription_id,
                    "signal": one.signal_id,
                    "step": one.step,
                    "people": one.people,
                    "held": one.held,
                    "message": None if one.held else one.message_id,
                    "due": one.due_at,
                    "now": now,
                }
                if not one.held:
                    connection.execute(_WRITE_ALERT_MESSAGE, row)
                connection.execute(_WRITE_ALERT, row)

    def write_digest(self, digest: Digest, *, now: datetime) -> None:
        """Write a digest of what was held for its subscription by its time. Again changes nothing."""
        row = {
            "message": digest.message_id,
            "subscription": digest.subscription_id,
            "until": digest.at,
            "now": now,
        }
        with self._store.transaction() as connection:
            if connection.execute(_WRITE_DIGEST, row).rowcount:
                connection.execute(_LIST_HELD, row)

    def due(self, now: datetime) -> list[Message]:
        """The messages to attempt now, in the order they are due."""
        return [_message(row) for row in self._rows(_DUE, {"now": now})]

    def begin(self, message: Message, *, now: datetime) -> int:
        """Record that an attempt begins, and when the next may; its number, from 1."""
        attempt = message.attempts + 1
        self._change(
            "UPDATE vigie.outbox SET attempts = %(attempt)s, next_attempt_at = %(next)s"
            " WHERE message_id = %(id)s AND state = 'due'",
            {"id": message.id, "attempt": attempt, "next": now + delay_after(attempt)},
        )
        return attempt

    def fail(self, message: Message, problem: str) -> None:
        """Record why an attempt failed; the message stays due."""
        self._change(
            "UPDATE vigie.outbox SET problem = %(problem)s WHERE message_id = %(id)s AND state = 'due'",
            {"id": message.id, "problem": problem},
        )

    def settle(
        self,
        message: Message,
        end: End,
        *,
        problem: str | None = None,
        left_out: Collection[str] = (),
        now: datetime,
    ) -> None:
        """Record how a message ended. left_out: ids of its signals that it told nothing of."""
        with self._store.transaction() as connection:
            connection.execute(
                "UPDATE vigie.outbox SET state = %(end)s, settled_at = %(now)s, problem = %(problem)s"
                " WHERE message_id = %(id)s AND state = 'due'",
                {"id": message.id, "end": end, "problem": problem, "now": now},
            )
            connection.execute(
                "DELETE FROM vigie.alert WHERE message_id = %(id)s AND signal_id = ANY(%(left_out)s)",
                {"id": message.id, "left_out": list(left_out)},
            )

    def messages(self, state: str | None = None) -> list[dict[str, Any]]:
        """Every message, or those of one state, the oldest first: rows of the table, with `signals`."""
        return self._rows(_ALL, {"state": state})

    def retry(self, beginning: str | None, *, now: datetime) -> int:
        """Make dead letters due again, all of them or those whose id begins so; how many."""
        with self._store.transaction() as connection:
            return connection.execute(
                "UPDATE vigie.outbox SET state = 'due', settled_at = NULL, attempts = 0,"
                " next_attempt_at = %(now)s"
                " WHERE state = 'dead' AND (%(id)s::text IS NULL OR starts_with(message_id, %(id)s))",
                {"id": beginning, "now": now},
            ).rowcount

    def _rows(self, query: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        with self._store.transaction() as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def _change(self, statement: str, values: Mapping[str, Any]) -> None:
        with self._store.transaction() as connection:
            connection.execute(statement.encode(), values)


def _message(row: Mapping[str, Any]) -> Message:
    # A signal that grew while it waited for a digest is held at several steps, and told of once.
    last = {one["signal_id"]: one for one in sorted(row["signals"], key=lambda one: int(one["step"]))}
    signals = tuple(
        (one, last[one]["step"]) for one in dict.fromkeys(one["signal_id"] for one in row["signals"])
    )
    capped = frozenset(one["signal_id"] for one in row["signals"] if one["held"] == "cap")
    return Message(
        row["message_id"],
        row["subscription_id"],
        row["kind"],
        row["attempts"],
        signals,
        capped,
        tuple(row["earlier"]),
        frozenset(signal for signal, one in last.items() if not one["people"]),
    )


_TOLD = """
SELECT address_id, signal_id, max(step) AS step, max(people) FILTER (WHERE state = 'sent') AS reached,
       -- None after a withdrawal, which is the last to tell.
       CASE (array_agg(people ORDER BY step DESC) FILTER (WHERE stands))[1]
           WHEN 0 THEN 0 ELSE max(people) FILTER (WHERE stands)
       END AS people
FROM (
    SELECT alert.address_id, signal_id, step, people, state,
           state = 'sent'
               OR ended_at IS NULL AND (state IS DISTINCT FROM 'withdrawn' OR problem <> %(ended)s) AS stands
    FROM vigie.alert JOIN vigie.subscription USING (subscription_id) LEFT JOIN vigie.outbox USING (message_id)
) AS told
GROUP BY address_id, signal_id
"""
_WRITE_ALERT_MESSAGE = """
INSERT INTO vigie.outbox (message_id, subscription_id, kind, written_at, due_at, next_attempt_at)
VALUES (%(message)s, %(subscription)s, 'alert', %(now)s, %(due)s, %(due)s)
ON CONFLICT DO NOTHING
"""
_WRITE_ALERT = """
INSERT INTO vigie.alert (address_id, signal_id, step, subscription_id, people, decided_at, held, message_id)
VALUES (%(address)s, %(signal)s, %(step)s, %(subscription)s, %(people)s, %(now)s, %(held)s, %(message)s)
ON CONFLICT DO NOTHING
"""
_WRITE_DIGEST = """
INSERT INTO vigie.outbox (message_id, subscription_id, kind, written_at, due_at, next_attempt_at)
VALUES (%(message)s, %(subscription)s, 'digest', %(now)s, %(now)s, %(now)s)
ON CONFLICT DO NOTHING
"""
_LIST_HELD = """
UPDATE vigie.alert SET message_id = %(message)s
WHERE subscription_id = %(subscription)s AND message_id IS NULL AND decided_at <= %(until)s
"""
_WITH_SIGNALS = """
SELECT outbox.*, (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'signal_id', alert.signal_id, 'step', alert.step, 'held', alert.held, 'people', alert.people
    ) ORDER BY alert.decided_at, alert.signal_id), '[]')
    FROM vigie.alert WHERE alert.message_id = outbox.message_id
) AS signals
FROM vigie.outbox
"""
_DUE = f"""
SELECT listed.*, ARRAY(
    SELECT gone.message_id
    FROM vigie.alert AS mine
    JOIN vigie.alert AS before USING (address_id, signal_id)
    JOIN vigie.outbox AS gone ON gone.message_id = before.message_id
    WHERE mine.message_id = listed.message_id AND before.step < mine.step AND gone.state = 'sent'
      AND NOT EXISTS (
        SELECT FROM vigie.alert AS taken_back
        WHERE taken_back.address_id = mine.address_id AND taken_back.signal_id = mine.signal_id
          AND taken_back.people = 0 AND taken_back.step >= before.step AND taken_back.step < mine.step
      )
    ORDER BY before.step, gone.message_id
) AS earlier
FROM ({_WITH_SIGNALS}) AS listed
WHERE state = 'due' AND next_attempt_at <= %(now)s ORDER BY next_attempt_at, message_id
"""
_ALL = _WITH_SIGNALS + ("WHERE %(state)s::text IS NULL OR state = %(state)s ORDER BY written_at, message_id")
