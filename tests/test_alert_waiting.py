"""Messages that wait: for the end of quiet hours, for a digest, while their signals grow and become one."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import pytest

from connectors.alerts.courier import Courier
from connectors.alerts.envelope import Envelope, UndeliveredError
from connectors.alerts.outbox import Message
from connectors.alerts.subscriptions import Kept, Subscriptions
from connectors.store import Store

LILLE, LENS, NORD = (f"{number:032x}" for number in (1, 2, 3))


class Post:
    """A courier whose channel keeps what is sent, over signals of a store and a clock that the test moves."""

    def __init__(self, store: Store, alerts: ModuleType, made: ModuleType) -> None:
        self.clock = alerts.Clock()
        self.told: list[Sequence[tuple[str, int]]] = []
        self.listed: list[Sequence[tuple[str, int]]] = []
        self.followed: list[int] = []
        self.down = False
        self._store, self._alerts, self._made = store, alerts, made
        self.subscriptions = Subscriptions(store, alerts.SEALER)
        self._courier = Courier(
            store,
            self.subscriptions,
            mail=self,
            notifier=self,
            min_authors=3,
            now=self.clock,
            say=lambda _: None,
        )

    def send(self, to: str, envelope: Envelope) -> None:
        del to
        if self.down:
            raise UndeliveredError("down", permanent=False)
        self.told.append([(signal, int(step)) for signal, step in envelope.facts.items()])

    def subscribe(self, **wishes: Any) -> str:
        (made,) = self.subscriptions.subscribe([self._alerts.subscription(**wishes)], now=self.clock())
        return made

    def signals(self, *signals: dict[str, Any]) -> None:
        self._alerts.fill(self._store, self._made, *signals)

    def round(self) -> dict[str, int]:
        self._courier.plan()
        done = self._courier.deliver(self._compose).as_json()
        return {name: count for name, count in done.items() if count}

    def _compose(self, message: Message, _: Kept) -> Envelope | None:
        """As the desk does: nothing is worded of a signal that became part of another."""
        self.listed.append(message.signals)
        self.followed.append(len(message.earlier))
        rows = {signal: self._store.signal(signal) for signal, _ in message.signals}
        live = {
            signal: str(step)
            for signal, step in message.signals
            if (row := rows[signal]) is not None and row["status"] != "merged"
        }
        return Envelope(message.id, "s", "t", "h", "b", "u", facts=live) if live else None


@pytest.fixture
def post(store: Store, alerts: ModuleType, made: ModuleType) -> Post:
    return Post(store, alerts, made)


def test_a_signal_that_grows_before_its_digest_stands_in_it_once(
    post: Post, alerts: ModuleType, made: ModuleType
) -> None:
    post.subscribe(rhythm="weekly")
    for people in (7, 14):
        post.signals(alerts.told_of(made, 1, distinct_authors=people), alerts.told_of(made, 2))
        assert post.round() == {}
    # NOW is a Wednesday: five days on it is Monday.
    post.clock.pass_by(days=5)
    assert post.round() == {"sent": 1}
    assert [sorted(listed) for listed in post.listed] == [[(LILLE, 1), (LENS, 0)]]


def test_a_digest_does_not_leave_in_quiet_hours(post: Post, alerts: ModuleType, made: ModuleType) -> None:
    post.subscribe(rhythm="daily", digest_at="08:00", quiet_from="20:00", quiet_until="09:30")
    post.signals(alerts.told_of(made))
    assert post.round() == {}
    # From ten in the morning, in Paris, to half past eight of the next.
    post.clock.pass_by(hours=22.5)
    assert post.round() == {}
    post.clock.pass_by(hours=1)
    assert post.round() == {"sent": 1}


def test_a_second_attempt_is_not_made_in_quiet_hours(
    post: Post, alerts: ModuleType, made: ModuleType
) -> None:
    post.subscribe(quiet_from="10:01", quiet_until="12:00")
    post.signals(alerts.told_of(made))
    post.down = True
    assert post.round() == {"failed": 1}
    post.down = False
    post.clock.pass_by(minutes=1)
    assert post.round() == {}
    post.clock.pass_by(hours=2)
    assert post.round() == {"sent": 1}


@pytest.mark.parametrize("wishes", [{"quiet_from": "09:00", "quiet_until": "12:00"}, {"rhythm": "daily"}])
def test_what_becomes_part_of_a_wider_signal_before_its_message_left_is_told_as_that(
    post: Post, alerts: ModuleType, made: ModuleType, wishes: dict[str, Any]
) -> None:
    post.subscribe(**wishes)
    post.signals(alerts.told_of(made, 1, distinct_authors=7))
    assert post.round() == {}
    post.signals(
        alerts.told_of(made, 1, distinct_authors=7, status="merged", part_of=NORD),
        alerts.told_of(made, 3, perimeter=alerts.NORD, distinct_authors=9),
    )
    post.clock.pass_by(hours=1)
    assert post.round() == {}
    post.clock.pass_by(days=1, hours=3)
    post.round()
    assert post.told == [[(NORD, 0)]]
    # Told of nine now, and of what they are part of nothing any more.
    post.clock.pass_by(days=1)
    assert post.round() == {}


@pytest.mark.parametrize("wishes", [{"quiet_from": "09:00", "quiet_until": "12:00"}, {"weekly_cap": 1}])
def test_what_waited_for_a_subscription_that_ended_is_told_by_another_of_the_address(
    post: Post, alerts: ModuleType, made: ModuleType, wishes: dict[str, Any]
) -> None:
    """The second of two signals, where the cap holds it; both, where they wait for the end of quiet hours."""
    ending = post.subscribe(perimeters=(alerts.LILLE,), **wishes)
    post.subscribe(rhythm="daily", digest_at="08:00")
    post.signals(alerts.told_of(made, 1, evidence=20.0), alerts.told_of(made, 2))
    before = post.round()
    assert post.subscriptions.end(ending, now=post.clock())
    post.clock.pass_by(hours=3)
    post.round()
    post.clock.pass_by(days=1)
    assert post.round() == {"sent": 1}
    told = [signal for several in post.told for signal, _ in several]
    assert sorted(told) == [LILLE, LENS]
    assert before == ({} if "quiet_from" in wishes else {"sent": 1})
    assert post.round() == {}


def test_a_message_follows_those_that_left(post: Post, alerts: ModuleType, made: ModuleType) -> None:
    post.subscribe()
    for people in (4, 8, 16):
        post.signals(alerts.told_of(made, 1, distinct_authors=people))
        post.down = people == 8
        post.round()
    assert post.followed == [0, 1, 1]
    post.down = False
    post.clock.pass_by(minutes=1)
    assert post.round() == {"sent": 1}
    assert post.listed[-1] == ((LILLE, 1),)
