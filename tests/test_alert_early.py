"""Who was told of what an early look raised is not told again at the close, or once that it is withdrawn."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from connectors.alerts.envelope import Envelope
from connectors.alerts.links import Links
from connectors.alerts.outbox import Message
from connectors.alerts.plan import Told
from connectors.alerts.subscriptions import Kept
from connectors.store import Store
from dashboards.desk.compose import Composer
from dashboards.desk.shown import Organisation
from tests.test_alert_delivery import Post, envelope, no_signal_left, post, servers, subscribe
from tests.test_alert_plan import decided, subscribed

_ = (post, servers, subscribe)
"""Fixtures."""


class Inbox:
    """Subjects of what the desk's mails told in rounds of the courier, the clock moved on by hours before."""

    def __init__(self, post: Post, store: Store, made: ModuleType, alerts: ModuleType) -> None:
        self._post, self._store, self._made, self._alerts = post, store, made, alerts
        self._links = Links(alerts.SECRET, base="https://vigie.exemple.test", days=60, now=post.clock)

    def after(self, hours: float, *signals: dict[str, Any]) -> list[str]:
        before = len(self._post.inbox.mails)
        self._post.clock.pass_by(hours=hours)
        self._alerts.fill(self._store, self._made, *signals)
        composer = Composer(self._store, self._links, Organisation("Enseigne", 3, {}), link_days=60)
        self._post.round(composer.compose)
        return [str(mail["Subject"]) for mail in self._post.inbox.mails[before:]]


@pytest.fixture
def inbox(post: Post, store: Store, made: ModuleType, alerts: ModuleType) -> Inbox:
    return Inbox(post, store, made, alerts)


def test_an_early_signal_is_told_once_and_not_again_when_confirmed(alerts: ModuleType) -> None:
    one = subscribed(alerts)
    (first,) = decided([alerts.row(1, status="early")], [one], alerts.NOW)
    told = {(one.address_id, first.signal_id): Told(first.step, first.people, first.people)}
    assert decided([alerts.row(1, status="open")], [one], alerts.NOW, told=told) == []


def test_what_is_not_sustained_is_withdrawn_once_for_those_who_were_told(alerts: ModuleType) -> None:
    one, gone = subscribed(alerts), [alerts.row(1, status="not_sustained")]
    assert decided(gone, [one], alerts.NOW) == []
    told: dict[tuple[str, str], Any] = {(one.address_id, gone[0]["signal_id"]): Told(0, 5, 5)}
    unsent = {key: Told(one.step, one.people, None) for key, one in told.items()}
    assert decided(gone, [one], alerts.NOW, told=unsent) == []
    (withdrawal,) = decided(gone, [one], alerts.NOW, told=told)
    assert (withdrawal.step, withdrawal.people) == (1, 0)
    told = {(one.address_id, gone[0]["signal_id"]): Told(1, 0, 5)}
    assert decided(gone, [one], alerts.NOW, told=told) == []


def test_only_who_got_the_early_alert_gets_its_withdrawal_and_once(
    post: Post, subscribe: Callable[..., str], store: Store, made: ModuleType, alerts: ModuleType
) -> None:
    subscribe()
    subscribe(to="jour@exemple.test", rhythm="daily")
    steps: list[tuple[tuple[str, int], ...]] = []

    def compose(message: Message, _: Kept) -> Envelope:
        steps.append(message.signals)
        return envelope(message)

    alerts.fill(store, made, alerts.told_of(made, status="early"))
    assert post.round(compose) == {"sent": 1}
    alerts.fill(store, made, alerts.told_of(made, status="not_sustained"))
    # What waits for a digest was not told: nothing of it is to be withdrawn.
    assert post.round(compose) == {"sent": 1}
    assert post.round(compose) == {}
    assert steps == [((f"{1:032x}", 0),), ((f"{1:032x}", 1),)]


def test_a_message_that_had_nothing_left_to_tell_is_not_taken_back(
    post: Post, subscribe: Callable[..., str], store: Store, made: ModuleType, alerts: ModuleType
) -> None:
    subscribe()
    alerts.fill(store, made, alerts.told_of(made, status="early"))
    assert post.round(no_signal_left) == {"withdrawn": 1}
    alerts.fill(store, made, alerts.told_of(made, status="not_sustained"))
    assert post.round() == {}


def test_what_grew_and_did_not_leave_before_the_close_is_withdrawn_by_one_mail(
    inbox: Inbox, subscribe: Callable[..., str], made: ModuleType, alerts: ModuleType
) -> None:
    """Told at ten in Paris; grown in the quiet hours, and withdrawn in them."""
    subscribe(lang="en", quiet_from="10:30", quiet_until="12:00")
    (first,) = inbox.after(0, alerts.told_of(made, status="early"))
    assert first.endswith("(early, at least 7 people)")
    assert inbox.after(1, alerts.told_of(made, status="early", distinct_authors=14)) == []
    withdrawn = alerts.told_of(made, status="not_sustained", distinct_authors=14)
    assert inbox.after(0.5, withdrawn) == []
    (last,) = inbox.after(2)
    assert last.endswith("early alert withdrawn")
    assert inbox.after(24) == []


@pytest.mark.parametrize("grown", [7, 14])
def test_what_a_digest_left_out_is_not_withdrawn_after_it(
    inbox: Inbox, subscribe: Callable[..., str], made: ModuleType, alerts: ModuleType, grown: int
) -> None:
    """What was raised early, and grew or not, is withdrawn before the digest that was to tell of it."""
    subscribe(lang="en", rhythm="daily")
    other = alerts.told_of(made, 2, label="caisse")
    assert inbox.after(0, alerts.told_of(made, status="early"), other) == []
    assert inbox.after(1, alerts.told_of(made, status="early", distinct_authors=grown)) == []
    withdrawn = alerts.told_of(made, status="not_sustained", distinct_authors=grown)
    (digest,) = inbox.after(24, withdrawn)
    assert digest == "1 signal to read: lille-2"
    assert inbox.after(24) == []
    assert inbox.after(24) == []


def test_what_a_digest_told_early_the_next_one_withdraws_once(
    inbox: Inbox, subscribe: Callable[..., str], made: ModuleType, alerts: ModuleType, post: Post
) -> None:
    subscribe(lang="en", rhythm="daily")
    assert inbox.after(0, alerts.told_of(made, status="early")) == []
    assert len(inbox.after(24)) == 1
    assert inbox.after(1, alerts.told_of(made, status="not_sustained")) == []
    assert len(inbox.after(24)) == 1
    assert "not sustained" in post.inbox.mails[-1].get_body(("plain",)).get_content()
    assert inbox.after(24) == []


def test_what_a_later_close_bears_out_after_all_is_told_again(
    inbox: Inbox, subscribe: Callable[..., str], made: ModuleType, alerts: ModuleType
) -> None:
    subscribe(lang="en")
    for status, subjects in (
        ("early", ["lille-2: badge refusé (early, at least 7 people)"]),
        ("not_sustained", ["lille-2: badge refusé, early alert withdrawn"]),
        # Not that it grew: it was withdrawn.
        ("open", ["lille-2: badge refusé (at least 7 people)"]),
        ("open", []),
    ):
        assert inbox.after(1, alerts.told_of(made, status=status)) == subjects
