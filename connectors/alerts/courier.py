"""From signals in the store to messages that have left: decide, write to the outbox, send, record."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Protocol

from connectors.alerts.actions import Actions
from connectors.alerts.envelope import Envelope, UndeliveredError
from connectors.alerts.outbox import ENDED, MOST_ATTEMPTS, Message, Outbox
from connectors.alerts.plan import decide, digests_due
from connectors.alerts.schedule import leaves_at
from connectors.alerts.subscription import EMAIL
from connectors.alerts.subscriptions import Kept, Subscriptions
from connectors.store import Store

Compose = Callable[[Message, Kept], Envelope | None]
"""Words a message; None where nothing is left to tell, the signals being gone or out of the perimeters."""


class Channel(Protocol):
    """A way out."""

    def send(self, to: str, envelope: Envelope) -> None:
        """Send; returns once the message is taken. Raises UndeliveredError."""


@dataclass(slots=True)
class Delivered:
    """What a round did. failed: attempts that will be made again; dead: messages given up."""

    sent: int = 0
    failed: int = 0
    dead: int = 0
    withdrawn: int = 0

    def as_json(self) -> dict[str, int]:
        """Plain values."""
        return asdict(self)


class Courier:
    """Plans and delivers. now: the wall clock, aware. say: receives a line for each attempt that failed."""

    def __init__(
        self,
        store: Store,
        subscriptions: Subscriptions,
        *,
        mail: Channel,
        notifier: Channel,
        min_authors: int,
        now: Callable[[], datetime],
        say: Callable[[str], None],
    ) -> None:
        self._store = store
        self._subscriptions = subscriptions
        self._channels: Mapping[bool, Channel] = {True: mail, False: notifier}
        self._min_authors = min_authors
        self._now = now
        self._say = say
        self.outbox = Outbox(store)

    def plan(self, *, digests_now: bool = False) -> None:
        """Write what is to be told to the outbox. digests_now: do not wait for the time of digests."""
        now = self._now()
        subscribed = [one.subscribed for one in self._subscriptions.in_force()]
        decisions = decide(
            self._store.signals(),
            subscribed,
            told=self.outbox.told(),
            dismissed=Actions(self._store).dismissed(),
            sent=self.outbox.sent_since(now),
            min_authors=self._min_authors,
            now=now,
        )
        self.outbox.write(decisions, now=now)
        for digest in digests_due(subscribed, self.outbox.held_since(), now=now, at_once=digests_now):
            self.outbox.write_digest(digest, now=now)

    def due(self) -> list[Message]:
        """The messages to attempt now: none in its subscriber's quiet hours, a digest or a second attempt
        neither.
        """
        now = self._now()
        return [message for message in self.outbox.due(now) if not self._is_quiet(message, now)]

    def _is_quiet(self, message: Message, now: datetime) -> bool:
        kept = self._subscriptions.get(message.subscription_id)
        return kept is not None and leaves_at(kept.subscription, now) > now

    def deliver(self, compose: Compose) -> Delivered:
        """Attempt every message that is due, each once."""
        done = Delivered()
        for message in self.due():
            kept = self._subscriptions.get(message.subscription_id)
            if message.attempts >= MOST_ATTEMPTS:
                # The last attempt was begun and never ended: whoever made it was killed.
                self.outbox.settle(message, "dead", problem="the last attempt did not end", now=self._now())
                done.dead += 1
            elif kept is None or kept.ended_at is not None:
                self.outbox.settle(message, "withdrawn", problem=ENDED, now=self._now())
                done.withdrawn += 1
            else:
                self._attempt(message, kept, compose, done)
        return done

    def _attempt(self, message: Message, kept: Kept, compose: Compose, done: Delivered) -> None:
        attempt = self.outbox.begin(message, now=self._now())
        envelope = compose(message, kept)
        if envelope is None:
            self.outbox.settle(message, "withdrawn", problem="nothing is left to tell", now=self._now())
            done.withdrawn += 1
            return
        wanted = kept.subscription
        try:
            self._channels[wanted.channel == EMAIL].send(wanted.to, envelope)
        except UndeliveredError as error:
            problem = str(error)
            if error.permanent or attempt >= MOST_ATTEMPTS:
                self.outbox.settle(message, "dead", problem=problem, now=self._now())
                done.dead += 1
            else:
                self.outbox.fail(message, problem)
                done.failed += 1
            self._say(f"message {message.id[:8]} to {kept.subscription.subscriber}: {problem}")
        else:
            self.outbox.settle(message, "sent", left_out=envelope.left_out, now=self._now())
            done.sent += 1
