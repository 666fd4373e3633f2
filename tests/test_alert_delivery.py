"""Delivery to a real mail server and a real HTTP receiver: once, again after failures, and under kill -9."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from connectors.alerts.courier import Courier
from connectors.alerts.envelope import Envelope, UndeliveredError
from connectors.alerts.mailers import Mailbox, SmtpMailer, SmtpServer
from connectors.alerts.notifier import Notifier, check_url
from connectors.alerts.outbox import MOST_ATTEMPTS, Message, Outbox, delay_after
from connectors.alerts.subscriptions import Kept, Subscriptions
from connectors.errors import AlertError
from connectors.store import Store

SENDER = "Vigie <vigie@exemple.test>"
HERE = Path(__file__).parent


def envelope(message: Message, _: Kept | None = None) -> Envelope:
    return Envelope(
        message_id=message.id,
        subject="badge refusé",
        text="du texte",
        html="<p>du texte</p>",
        brief="en bref",
        unsubscribe="https://vigie.exemple.test/u/" + "j" * 120,
        pictures={"observed": b"\x89PNG"},
        facts={"signal_id": message.signals[0][0]},
    )


def no_signal_left(_: Message, __: Kept) -> None:
    return None


class Post:
    """A courier over the store, with both servers and a clock that the test moves."""

    def __init__(self, store: Store, alerts: ModuleType, inbox: Any, hook: Any) -> None:
        self.clock, self.inbox, self.hook = alerts.Clock(), inbox, hook
        self.said: list[str] = []
        self.subscriptions = Subscriptions(store, alerts.SEALER)
        self.courier = Courier(
            store,
            self.subscriptions,
            mail=SmtpMailer(SmtpServer("127.0.0.1", inbox.port, "none"), sender=SENDER, now=self.clock),
            notifier=Notifier(),
            min_authors=3,
            now=self.clock,
            say=self.said.append,
        )
        self.outbox = Outbox(store)

    def round(self, compose: Any = envelope, **options: Any) -> dict[str, int]:
        """What one round did, without what it did not."""
        self.courier.plan(**options)
        done = self.courier.deliver(compose).as_json()
        return {name: count for name, count in done.items() if count}


@pytest.fixture(scope="module")
def servers(alerts: ModuleType) -> Iterator[tuple[Any, Any]]:
    with alerts.mail_server() as inbox, alerts.web_hook() as hook:
        yield inbox, hook


@pytest.fixture
def post(store: Store, alerts: ModuleType, servers: tuple[Any, Any]) -> Post:
    inbox, hook = servers
    inbox.mails.clear()
    hook.posts.clear()
    inbox.answers[:], hook.statuses[:] = ["250 taken"], [200]
    return Post(store, alerts, inbox, hook)


@pytest.fixture
def subscribe(post: Post, alerts: ModuleType) -> Callable[..., str]:
    def make(**wishes: Any) -> str:
        return post.subscriptions.subscribe([alerts.subscription(**wishes)], now=post.clock())[0]

    return make


def test_an_alert_leaves_once(
    post: Post, subscribe: Callable[..., str], store: Store, made: ModuleType, alerts: ModuleType
) -> None:
    subscribe()
    subscribe(to=post.hook.url)
    alerts.fill(store, made, alerts.told_of(made))
    assert post.round() == {"sent": 2}
    assert post.round() == {}
    (mail,) = post.inbox.mails
    assert mail["To"] == "nord@exemple.test"
    assert mail["From"] == SENDER
    assert mail["List-Unsubscribe"] == f"<https://vigie.exemple.test/u/{'j' * 120}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    (headers, body) = post.hook.posts[0]
    assert body["title"], body["message"] == ("badge refusé", "en bref")
    assert (body["id"], body["signal_id"]) == (headers["Idempotency-Key"], f"{1:032x}")
    sent = {row["message_id"] for row in post.outbox.messages("sent")}
    assert sent == {*post.inbox.ids, *post.hook.keys}


def test_growth_is_a_message_of_its_own(
    post: Post, subscribe: Callable[..., str], store: Store, made: ModuleType, alerts: ModuleType
) -> None:
    subscribe()
    steps = []

    def compose(message: Message, _: Kept) -> Envelope:
        steps.append(message.signals)
        return envelope(message)

    for people in (7, 9, 14):
        alerts.fill(store, made, alerts.told_of(made, distinct_authors=people))
        post.round(compose)
    assert steps == [((f"{1:032x}", 0),), ((f"{1:032x}", 1),)]
    assert len(set(post.inbox.ids)) == 2


def test_what_the_cap_held_back_is_listed_in_the_digest_of_monday(
    post: Post, subscribe: Callable[..., str], store: Store, made: ModuleType, alerts: ModuleType
) -> None:
    subscribe(weekly_cap=1)
    alerts.fill(store, made, *(alerts.told_of(made, number, evidence=10.0 + number) for number in (1, 2, 3)))
    messages: list[Message] = []

    def compose(message: Message, _: Kept) -> Envelope:
        messages.append(message)
        return envelope(message)

    assert post.round(compose) == {"sent": 1}
    assert post.round(compose) == {}
    # NOW is a Wednesday: five days on it is Monday.
    post.clock.pass_by(days=5)
    assert post.round(compose) == {"sent": 1}
    post.clock.pass_by(days=7)
    assert post.round(compose) == {}
    alert, digest = messages
    assert [signal for signal, _ in alert.signals] == [f"{3:032x}"]
    assert digest.kind == "digest"
    held = {f"{1:032x}", f"{2:032x}"}
    assert {signal for signal, _ in digest.signals} == held == digest.capped


def test_quiet_hours_keep_a_message_back_and_lose_nothing(
    post: Post, subscribe: Callable[..., str], store: Store, made: ModuleType, alerts: ModuleType
) -> None:
    subscribe(quiet_from="09:00", quiet_until="11:00")
    alerts.fill(store, made, alerts.told_of(made))
    assert post.round() == {}
    post.clock.pass_by(minutes=59)
    assert post.round() == {}
    post.clock.pass_by(minutes=1)
    assert post.round() == {"sent": 1}


def test_what_fails_is_tried_again_later_and_later_then_given_up_and_kept(
    post: Post, subscribe: Callable[..., str], store: Store, made: ModuleType, alerts: ModuleType
) -> None:
    subscribe(to=post.hook.url)
    alerts.fill(store, made, alerts.told_of(made))
    post.hook.statuses[:] = [500]
    for attempt in range(1, MOST_ATTEMPTS):
        assert post.round() == {"failed": 1}
        assert post.round() == {}, "not before its time"
        post.clock.now += delay_after(attempt)
    assert post.round() == {"dead": 1}
    post.clock.pass_by(days=30)
    assert post.round() == {}
    (dead,) = post.outbox.messages("dead")
    assert (dead["attempts"], dead["problem"]) == (
        MOST_ATTEMPTS,
        "json: the service did not take the message",
    )
    assert post.outbox.retry("0" * 32, now=post.clock()) == 0
    assert post.outbox.retry(dead["message_id"][:6], now=post.clock()) == 1
    post.hook.statuses[:] = [200]
    assert post.round() == {"sent": 1}
    assert post.hook.keys == [dead["message_id"]]


def test_a_server_that_recovers_gets_the_message_once(
    post: Post, subscribe: Callable[..., str], store: Store, made: ModuleType, alerts: ModuleType
) -> None:
    subscribe()
    alerts.fill(store, made, alerts.told_of(made))
    post.inbox.answers[:] = ["451 try later", "250 taken"]
    assert post.round() == {"failed": 1}
    post.clock.pass_by(minutes=1)
    assert post.round() == {"sent": 1}
    assert len(post.inbox.mails) == 1
    (said,) = post.said
    assert said.endswith("to Direction Nord: the mail server refused the message (451)")


def test_a_refusal_for_good_is_not_tried_again(
    post: Post, subscribe: Callable[..., str], store: Store, made: ModuleType, alerts: ModuleType
) -> None:
    subscribe()
    alerts.fill(store, made, alerts.told_of(made))
    post.inbox.answers[:] = ["554 never"]
    assert post.round() == {"dead": 1}


def test_a_dead_letter_does_not_hold_up_the_others(
    post: Post, subscribe: Callable[..., str], store: Store, made: ModuleType, alerts: ModuleType
) -> None:
    subscribe(to="json://127.0.0.1:1/nobody-listens-there")
    subscribe()
    alerts.fill(store, made, alerts.told_of(made))
    assert post.round() == {"sent": 1, "failed": 1}


def test_what_is_gone_or_ended_is_withdrawn(
    post: Post, subscribe: Callable[..., str], store: Store, made: ModuleType, alerts: ModuleType
) -> None:
    ending = subscribe(quiet_from="09:00", quiet_until="11:00")
    subscribe(to="autre@exemple.test")
    alerts.fill(store, made, alerts.told_of(made))
    assert post.round(no_signal_left) == {"withdrawn": 1}
    assert post.subscriptions.end(ending, now=post.clock())
    assert not post.subscriptions.end(ending, now=post.clock())
    post.clock.pass_by(hours=3)
    assert post.round() == {}
    assert {row["problem"] for row in post.outbox.messages("withdrawn")} == {
        "nothing is left to tell",
        "the subscription ended",
    }


def test_an_attempt_that_never_ended_counts(
    post: Post, subscribe: Callable[..., str], store: Store, made: ModuleType, alerts: ModuleType
) -> None:
    subscribe()
    alerts.fill(store, made, alerts.told_of(made))

    def killed(_: Message, __: Kept) -> Envelope:
        raise KeyboardInterrupt

    for attempt in range(1, MOST_ATTEMPTS + 1):
        with pytest.raises(KeyboardInterrupt):
            post.round(killed)
        post.clock.now += delay_after(attempt)
    assert post.round() == {"dead": 1}


def test_one_process_delivers_at_a_time(post: Post, store_dsn: str) -> None:
    from connectors.store import open_store

    with open_store(store_dsn, data=Path("unused")) as other:
        with post.outbox.alone(), pytest.raises(AlertError, match="another process"), Outbox(other).alone():
            pass
        with Outbox(other).alone():
            pass


def test_tokens_and_passwords_show_nowhere(
    post: Post,
    subscribe: Callable[..., str],
    store: Store,
    made: ModuleType,
    alerts: ModuleType,
    raw: psycopg.Connection,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    subscribe(to=f"json://user:canari-pass@127.0.0.1:{post.hook.port}/canari-token")
    alerts.fill(store, made, alerts.told_of(made))
    post.hook.statuses[:] = [500, 200]
    post.round()
    post.clock.pass_by(hours=1)
    assert post.round() == {"sent": 1}
    with raw.cursor().copy("COPY (SELECT s, o FROM vigie.subscription s, vigie.outbox o) TO STDOUT") as copy:
        stored = b"".join(bytes(block) for block in copy).decode()
    (kept,) = post.subscriptions.all()
    logged = [record.getMessage() for record in caplog.records]
    shown = [repr(kept), json.dumps(kept.as_json(), default=str), *post.said, *logged]
    everything = "\n".join([*capfd.readouterr(), stored, *shown])
    assert "canari" not in everything
    assert stored.count("Direction Nord") == 1
    server = SmtpServer("127.0.0.1", 1, "none", "moi", "canari-smtp")
    assert "canari" not in repr(server)
    with pytest.raises(UndeliveredError, match=r"127.0.0.1:1: ConnectionRefused") as caught:
        SmtpMailer(server, sender=SENDER, now=post.clock).send("a@exemple.test", envelope(_message()))
    assert "canari" not in str(caught.value)
    with pytest.raises(AlertError) as refused:
        check_url("nosuchservice://canari-token")
    assert "canari" not in str(refused.value)


def test_a_password_goes_over_tls_alone_and_to_a_server_that_is_known(
    tmp_path: Path, alerts: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = alerts.Inbox()
    certificate = alerts.certificate(tmp_path)
    with alerts.secured(inbox, certificate, user="moi", password="canari"):

        def mailer(user: str, password: str, **server: Any) -> SmtpMailer:
            plain = {"security": "starttls", **server}
            at = SmtpServer("127.0.0.1", inbox.port, plain["security"], user, password)
            return SmtpMailer(at, sender=SENDER, now=alerts.Clock())

        with pytest.raises(UndeliveredError, match="SSLCertVerificationError"):
            mailer("moi", "canari").send("a@exemple.test", envelope(_message()))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with pytest.raises(UndeliveredError, match="refused the user or the password") as refused:
            mailer("moi", "faux").send("a@exemple.test", envelope(_message()))
        assert not refused.value.permanent
        with pytest.raises(UndeliveredError):
            mailer("", "", security="none").send("a@exemple.test", envelope(_message()))
        assert inbox.mails == []
        mailer("moi", "canari").send("a@exemple.test", envelope(_message()))
        assert inbox.ids == ["ab" * 16]


def test_a_mailbox_holds_each_message_once_whole(tmp_path: Path, alerts: ModuleType) -> None:
    mailbox = Mailbox(tmp_path / "box", sender=SENDER, now=alerts.Clock())
    for _ in range(2):
        mailbox.send("Nord@exemple.test", envelope(_message()))
    (file,) = (tmp_path / "box").iterdir()
    assert file.name == "nord-exemple-test-abababababab.eml"
    assert b"multipart/related" in file.read_bytes()
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UndeliveredError, match="cannot be written"):
        Mailbox(tmp_path / "taken", sender=SENDER, now=alerts.Clock()).send("a@b.test", envelope(_message()))


def _message() -> Message:
    return Message("ab" * 16, "1" * 16, "alert", 0, (("1" * 32, 0),), frozenset())


def test_killed_between_any_two_steps_every_message_leaves_and_twice_only_if_unrecorded(
    post: Post, store_dsn: str, alerts: ModuleType
) -> None:
    """tests/alert_killed.py delivers signal k in a process that kills itself at its k-th step, then in one
    that lives, two minutes later. A step is the begin, the last statement or the end of a transaction, or
    the begin or the end of a sending."""
    for to in ("nord@exemple.test", post.hook.url):
        post.subscriptions.subscribe([alerts.subscription(to=to, weekly_cap=1000)], now=post.clock())
    done = subprocess.run(
        [sys.executable, str(HERE / "alert_killed.py"), store_dsn, str(post.inbox.port)],
        capture_output=True,
        text=True,
        check=True,
        cwd=HERE.parent,
    )
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    killed, lived = runs[:-1], runs[-1]
    assert all(run["killed"] for run in killed)
    assert not lived["killed"]
    assert len(killed) > 30
    received = post.inbox.ids + post.hook.keys
    sent = post.outbox.messages("sent")
    assert len(sent) == 2 * len(runs) == len(post.outbox.messages())
    twice = 0
    for message in sent:
        number = int(message["signals"][0]["signal_id"], 16)
        copies = received.count(message["message_id"])
        assert copies >= 1
        if copies > 1:
            twice += 1
            # Taken by the receiver and not recorded: from the end of its sending to the record's commit.
            assert copies == 2
            assert runs[number - 1]["step"] in ("sent", "settle begins", "settle ends")
    # Each of two messages at each of three such steps.
    assert twice == 6
    assert post.clock() - message["written_at"] < timedelta(days=1)
