"""Who was told of a signal, when, and what became of each message: the store's record, as it stands."""

from collections.abc import Sequence
from typing import Any

from psycopg.rows import dict_row

from connectors.store import Store

_TRAIL = b"""
SELECT subscription.subscriber, subscription.channel, alert.step, alert.people, alert.decided_at, alert.held,
       outbox.state, outbox.due_at, outbox.settled_at, outbox.attempts
FROM vigie.alert
JOIN vigie.subscription USING (subscription_id)
LEFT JOIN vigie.outbox USING (message_id)
WHERE alert.signal_id = %s
ORDER BY alert.decided_at, subscription.subscriber, alert.step
"""


def alerts_of(store: Store, signal_id: str) -> Sequence[dict[str, Any]]:
    """The alerts of a signal, the oldest first; no destination among what is given. May raise StoreError.

    step: 0 first, one more each time it had grown. held: why it waited for a digest, None if it did not.
    state, due_at, settled_at, attempts: of the message that carries it, None while it is held.
    """
    with store.transaction() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_TRAIL, (signal_id,)).fetchall()
