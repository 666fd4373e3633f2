"""The subscriptions in the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from connectors.alerts.plan import Subscribed
from connectors.alerts.subscription import Sealer, Subscription
from connectors.errors import AlertError
from connectors.store import Store

_LISTS = ("perimeters", "dimensions", "themes", "functions", "kinds")
_KEPT_AS_IS = (
    "subscriber",
    "descendants",
    "min_evidence",
    "lang",
    "timezone",
    "quiet_from",
    "quiet_until",
    "rhythm",
    "digest_at",
    "weekly_cap",
    "history",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A subscription as the store keeps it. ended_at: None while it is in force."""

    id: str
    address_id: str
    subscription: Subscription
    began_at: datetime
    ended_at: datetime | None

    @property
    def subscribed(self) -> Subscribed:
        """What planning needs of it."""
        return Subscribed(self.id, self.address_id, self.subscription, self.began_at)

    def as_json(self) -> dict[str, Any]:
        """Plain values, without what a destination may hold of tokens."""
        plain = self.subscription.model_dump(mode="json", exclude={"to"})
        return {
            "subscription_id": self.id,
            **plain,
            "to": self.subscription.shown_to,
            "began_at": self.began_at,
            "ended_at": self.ended_at,
        }


class Subscriptions:
    """Subscriptions, kept in the store with their destinations sealed. Methods may raise StoreError."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer

    def subscribe(self, subscriptions: Sequence[Subscription], *, now: datetime) -> list[str]:
        """Keep subscriptions, all or none; their ids, in order.

        One of the same subscriber, destination and perimeters takes the new wishes; one that had ended begins
        again now.
        """
        rows = [self._row(one) | {"now": now} for one in subscriptions]
        with self._store.transaction() as connection:
            for row in rows:
                connection.execute(_SUBSCRIBE, row)
        return [row["subscription_id"] for row in rows]

    def end(self, subscription_id: str, *, now: datetime) -> bool:
        """End a subscription; whether it was in force. What still waits for it is withdrawn."""
        with self._store.transaction() as connection:
            ended = connection.execute(
                "UPDATE vigie.subscription SET ended_at = %(now)s"
                " WHERE subscription_id = %(id)s AND ended_at IS NULL",
                {"id": subscription_id, "now": now},
            ).rowcount
            connection.execute(
                "UPDATE vigie.outbox SET state = 'withdrawn', settled_at = %(now)s,"
                " problem = 'the subscription ended' WHERE subscription_id = %(id)s AND state = 'due'",
                {"id": subscription_id, "now": now},
            )
        return bool(ended)

    def all(self) -> list[Kept]:
        """Every subscription, those that ended too, by subscriber."""
        return self._select("ORDER BY subscriber, subscription_id")

    def in_force(self) -> list[Kept]:
        """Those that have not ended."""
        return [one for one in self.all() if one.ended_at is None]

    def get(self, subscription_id: str) -> Kept | None:
        """One by its id, ended or not."""
        found = self._select("WHERE subscription_id = %(id)s", {"id": subscription_id})
        return found[0] if found else None

    def pick(self, beginning: str) -> Kept:
        """The one whose id begins so; AlertError where there is none, or several."""
        found = [one for one in self.all() if beginning and one.id.startswith(beginning.lower())]
        if len(found) != 1:
            many = f"{len(found)} subscriptions begin" if found else "no subscription begins"
            raise AlertError(f"{many} with {beginning!r}; `vigie subscriptions` shows the ids")
        return found[0]

    def _select(self, clauses: str, values: dict[str, Any] | None = None) -> list[Kept]:
        with self._store.transaction() as connection, connection.cursor(row_factory=dict_row) as cursor:
            query = "SELECT * FROM vigie.subscription " + clauses
            return [self._kept(row) for row in cursor.execute(query.encode(), values).fetchall()]

    def _row(self, one: Subscription) -> dict[str, Any]:
        return {
            "subscription_id": self._sealer.subscription_id(one),
            "channel": one.channel,
            "destination": self._sealer.seal(one.to),
            "address_id": self._sealer.address_id(one.to),
            **{name: list(getattr(one, name)) for name in _LISTS},
            **{name: getattr(one, name) for name in _KEPT_AS_IS},
        }

    def _kept(self, row: dict[str, Any]) -> Kept:
        wishes = {name: tuple(row[name]) for name in _LISTS} | {name: row[name] for name in _KEPT_AS_IS}
        to = self._sealer.open(row["destination"])
        return Kept(
            row["subscription_id"],
            row["address_id"],
            # Checked when it was subscribed; the rules may be stricter by now.
            Subscription.model_construct(**wishes, to=to),
            row["began_at"],
            row["ended_at"],
        )


_COLUMNS = ("subscription_id", "channel", "destination", "address_id", *_LISTS, *_KEPT_AS_IS)
_SUBSCRIBE = f"""
INSERT INTO vigie.subscription AS kept ({", ".join(_COLUMNS)}, began_at)
VALUES ({", ".join(f"%({name})s" for name in _COLUMNS)}, %(now)s)
ON CONFLICT (subscription_id) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])},
    began_at = CASE WHEN kept.ended_at IS NULL THEN kept.began_at ELSE excluded.began_at END,
    ended_at = NULL
""".encode()
