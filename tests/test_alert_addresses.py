"""Addresses: what no mail can bear is refused when it is subscribed, and holds up no other message later."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import ValidationError

from connectors.alerts.courier import Courier
from connectors.alerts.envelope import Envelope, UndeliveredError, as_mail
from connectors.alerts.mailers import Mailbox
from connectors.alerts.notifier import Notifier
from connectors.alerts.subscriptions import Subscriptions
from connectors.store import Store
from pipelines.settings import Alerts

ENVELOPE = Envelope("ab" * 16, "sujet", "texte", "<p>texte</p>", "bref", "https://vigie.exemple.test/u/x")
BAD = ("zoé@exemple.test", "a..b@exemple.test", ".a@exemple.test", "a.@exemple.test", "a@exemple..test")


@pytest.mark.parametrize("to", BAD)
def test_an_address_that_no_mail_can_bear_is_refused(alerts: ModuleType, to: str) -> None:
    with pytest.raises(ValidationError, match="must be an e-mail address"):
        alerts.subscription(to=to)
    # One that was subscribed to before it was refused is given up, and named nowhere.
    with pytest.raises(UndeliveredError, match="no mail can bear") as refused:
        as_mail(ENVELOPE, sender="vigie@exemple.test", to=to, at=alerts.NOW)
    assert refused.value.permanent
    assert to not in str(refused.value)


@pytest.mark.parametrize(
    "to", ["zoe@exemple.test", "o'neil@exemple.test", "a+b@sub.exemple.test", "a!b@localhost"]
)
def test_others_are_taken_as_they_are(alerts: ModuleType, to: str) -> None:
    assert alerts.subscription(to=to).shown_to == to
    assert as_mail(ENVELOPE, sender="vigie@exemple.test", to=to, at=alerts.NOW)["To"] == to


@pytest.mark.parametrize("to", ["json://127.0.0.1/é..x", "mailtos://u:p@exemple.test?to=zoé@exemple.test"])
def test_addresses_of_services_are_not_those_of_mails(alerts: ModuleType, to: str) -> None:
    assert alerts.subscription(to=to).channel == to.partition(":")[0]


@pytest.mark.parametrize("sender", ["Vigie <zoé@exemple.test>", "a..b@exemple.test", "x@y z@exemple.test"])
def test_a_sender_that_no_mail_can_bear_is_refused_in_the_settings(sender: str) -> None:
    with pytest.raises(ValidationError, match="must be an e-mail address, with a name or without"):
        Alerts(sender=sender)
    assert Alerts(sender="Vigie (données) <vigie@exemple.test>").sender.startswith("Vigie")


def test_one_that_was_subscribed_before_it_was_refused_is_given_up_and_the_others_are_told(
    store: Store, made: ModuleType, alerts: ModuleType, tmp_path: Path
) -> None:
    subscriptions = Subscriptions(store, alerts.SEALER)
    good = alerts.subscription()
    bad = good.model_copy(update={"subscriber": "Zoé", "to": BAD[0]})
    subscriptions.subscribe([bad, good], now=alerts.NOW)
    alerts.fill(store, made, alerts.told_of(made))
    said: list[str] = []
    courier = Courier(
        store,
        subscriptions,
        mail=Mailbox(tmp_path, sender="vigie@exemple.test", now=alerts.Clock()),
        notifier=Notifier(),
        min_authors=3,
        now=alerts.Clock(),
        say=said.append,
    )
    courier.plan()
    done = courier.deliver(lambda message, _: replace(ENVELOPE, message_id=message.id))
    assert (done.sent, done.dead) == (1, 1)
    assert len(list(tmp_path.glob("*.eml"))) == 1
    (line,) = said
    assert line.endswith("to Zoé: no mail can bear the recipient's address")
