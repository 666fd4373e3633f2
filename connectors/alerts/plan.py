"""What goes to whom: a pure function of signals, subscriptions, what was told before, and the time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal

from connectors.alerts.schedule import last_digest_time, leaves_at
from connectors.alerts.subscription import Subscription

STEP = 2
"""A live signal alerts again once so many times the people told of before have written."""
WEEK = timedelta(days=7)
BUCKET = timedelta(days=1)

Held = Literal["cap", "digest"]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription in force. began_at: aware; signals of earlier buckets are not its business."""

    id: str
    address_id: str
    subscription: Subscription
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """The last alert of a signal to an address. reached: people told of by messages that left, or None.

    people: those that messages told of which left, or wait to leave; None of none, 0 where the last of them
    withdraws what was raised early.
    """

    step: int
    people: int | None
    reached: int | None


@dataclass(frozen=True, slots=True)
class Decision:
    """That a signal goes to an address. held: why it waits for a digest; None: it leaves at `due_at`."""

    address_id: str
    subscription_id: str
    signal_id: str
    step: int
    people: int
    held: Held | None
    due_at: datetime

    @property
    def message_id(self) -> str:
        """Of the alert's own message: 32 hexadecimal characters."""
        return message_id("alert", self.address_id, self.signal_id, str(self.step))


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest that is due: everything held for a subscription before its time."""

    subscription_id: str
    at: datetime

    @property
    def message_id(self) -> str:
        """32 hexadecimal characters."""
        return message_id("digest", self.subscription_id, self.at.isoformat())


def message_id(*origin: str) -> str:
    """What identifies a message, from what it is: the same message has the same id whenever it is made."""
    return blake2b("\n".join(origin).encode(), digest_size=16).hexdigest()


def may_be_shown(signal: Row, min_authors: int) -> bool:
    """Whether enough people stand behind a signal: written, or expected where it tells of a silence.

    min_authors: the organisation's minimum today; the one in force when it was raised holds as well.
    """
    least = max(min_authors, signal["min_authors"])
    people = signal["expected"] if signal["kind"] == "silence" else signal["distinct_authors"]
    return bool(people >= least)


def decide(
    signals: Iterable[Row],
    subscribed: Sequence[Subscribed],
    *,
    told: Mapping[tuple[str, str], Told],
    dismissed: frozenset[str],
    sent: Mapping[str, int],
    min_authors: int,
    now: datetime,
) -> list[Decision]:
    """What is to be told now, and was not yet; in order of address, then the strongest first.

    signals: rows of the store. told: by address and signal. dismissed: ids; they are not told again however
    they grow. sent: alerts of the last WEEK by address, those held not counted. An address is told once of a
    signal, whatever the number of its subscriptions; those that want it at once come first. A signal that
    others became part of is told where it is a step beyond what was told of those by messages that left, for
    of a part none leaves any more. What was raised early is not told again when it is confirmed; where it
    was not sustained, those to whom a message on it left learn so once.
    """
    ranked = sorted(subscribed, key=lambda one: (one.subscription.rhythm != "immediate", one.id))
    room = dict(sent)
    decisions: dict[tuple[str, str], Decision] = {}
    rows = list(signals)
    parts = _parts(rows)
    live = [row for row in rows if row["status"] != "merged" and may_be_shown(row, min_authors)]
    for signal in sorted(live, key=lambda row: (-row["evidence"], row["signal_id"])):
        for one in ranked:
            key = one.address_id, signal["signal_id"]
            of_parts = [told.get((one.address_id, part)) for part in parts.get(key[1], ())]
            step = _step(signal, told.get(key), of_parts, dismissed)
            if key in decisions or step is None or not _concerns(signal, one):
                continue
            held = _held(one.subscription, room.get(one.address_id, 0))
            if held is None:
                room[one.address_id] = room.get(one.address_id, 0) + 1
            decisions[key] = Decision(
                one.address_id,
                one.id,
                signal["signal_id"],
                step,
                0 if signal["status"] == "not_sustained" else signal["distinct_authors"],
                held,
                leaves_at(one.subscription, now),
            )
    return sorted(decisions.values(), key=lambda one: one.address_id)


def digests_due(
    subscribed: Iterable[Subscribed],
    held_since: Mapping[str, datetime],
    *,
    now: datetime,
    at_once: bool = False,
) -> list[Digest]:
    """The digests to write now. held_since: of each subscription, when the oldest alert that waits was held.

    at_once: all that have something to tell, without waiting for their time.
    """
    due = []
    for one in subscribed:
        at = now if at_once else last_digest_time(one.subscription, now)
        held = held_since.get(one.id)
        if held is not None and (held < at or at_once):
            due.append(Digest(one.id, at))
    return due


def _concerns(signal: Row, one: Subscribed) -> bool:
    if not one.subscription.wants(signal):
        return False
    # The alert of a bucket is raised when the bucket ends.
    return one.subscription.history or signal["bucket_at"] + BUCKET > one.began_at


def _parts(signals: Iterable[Row]) -> dict[str, list[str]]:
    """Ids of the signals that became part of a wider one, by the wider one's id."""
    parts: dict[str, list[str]] = {}
    for row in signals:
        if whole := row["explanation"].get("part_of"):
            parts.setdefault(whole, []).append(row["signal_id"])
    return parts


def _step(
    signal: Row, told: Told | None, of_parts: Sequence[Told | None], dismissed: frozenset[str]
) -> int | None:
    """The step to tell of; None where nothing is new. of_parts: what was told of signals now part of it."""
    if signal["signal_id"] in dismissed:
        return None
    if signal["status"] == "not_sustained":
        return told.step + 1 if told and told.reached and told.people else None
    heard = [told.people if told else None, *(one.reached for one in of_parts if one is not None)]
    before = max((people for people in heard if people is not None), default=None)
    if before is not None and signal["distinct_authors"] < STEP * max(before, 1):
        return None
    return told.step + 1 if told else 0


def _held(subscription: Subscription, sent: int) -> Held | None:
    if subscription.rhythm != "immediate":
        return "digest"
    return "cap" if sent >= subscription.weekly_cap else None
