"""Delivers in processes that kill themselves: `alert_killed.py DSN SMTP_PORT`, a line of JSON for each.

Run k puts signal k into the store and delivers it in a child that kills itself at its k-th step; another
child then delivers what is left, two minutes later. It ends with the first child that comes through.
"""

import importlib.util
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from connectors.alerts.courier import Courier
from connectors.alerts.envelope import Envelope
from connectors.alerts.mailers import SmtpMailer, SmtpServer
from connectors.alerts.notifier import Notifier, check_url
from connectors.alerts.outbox import Message, Outbox
from connectors.alerts.subscriptions import Kept, Subscriptions
from connectors.store import Store, open_store

MOST_RUNS = 200
Step = Callable[[str], None]


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class Suicidal:
    """Kills the process at its n-th step, having written the step's name."""

    def __init__(self, at: int, told: int) -> None:
        self._left, self._told = at, told

    def __call__(self, name: str) -> None:
        self._left -= 1
        if self._left == 0:
            os.write(self._told, name.encode())
            os.kill(os.getpid(), signal.SIGKILL)


class Stepping:
    """A channel whose sendings are steps."""

    def __init__(self, channel: Any, step: Step) -> None:
        self._channel, self._step = channel, step

    def send(self, to: str, envelope: Envelope) -> None:
        self._step("sending")
        self._channel.send(to, envelope)
        self._step("sent")


def step_through(step: Step) -> None:
    """Make steps of the transactions of the outbox: its methods that write name them."""
    plain = Store.transaction
    doing = ["read"]

    @contextmanager
    def stepping(self: Store) -> Iterator[psycopg.Connection]:
        step(f"{doing[-1]} begins")
        with plain(self) as connection:
            yield connection
            step(f"{doing[-1]} ends")
        step(f"{doing[-1]} is done")

    def named(name: str) -> None:
        method = getattr(Outbox, name)

        def run(self: Outbox, *args: Any, **options: Any) -> Any:
            doing.append(name)
            try:
                return method(self, *args, **options)
            finally:
                doing.pop()

        setattr(Outbox, name, run)

    Store.transaction = stepping  # type: ignore[method-assign]
    for name in ("write", "begin", "settle"):
        named(name)


def worded(message: Message, _: Kept) -> Envelope:
    return Envelope(message.id, "sujet", "texte", "<p>texte</p>", "en bref", "https://exemple.test/u/x")


def deliver(dsn: str, port: int, alerts: Any, late: timedelta, step: Step) -> None:
    def now() -> Any:
        return alerts.NOW + late

    with open_store(dsn, data=Path("unused")) as store:
        server = SmtpServer("127.0.0.1", port, "none")
        courier = Courier(
            store,
            Subscriptions(store, alerts.SEALER),
            mail=Stepping(SmtpMailer(server, sender="vigie@exemple.test", now=now), step),
            notifier=Stepping(Notifier(), step),
            min_authors=3,
            now=now,
            say=lambda _: None,
        )
        step_through(step)
        courier.plan()
        courier.deliver(worded)


def forked(work: Callable[[int], None]) -> tuple[int, str]:
    """The exit code of a child that does some work, minus the signal that killed it, and what it wrote."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(writes)
        except BaseException:  # a child must never come back into the parent's loop
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    os.close(writes)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with os.fdopen(reads) as pipe:
        return code, pipe.read()


def main() -> None:
    dsn, port = sys.argv[1], int(sys.argv[2])
    alerts, made = load("alert_rows"), load("store_rows")
    # Imported before forking, once.
    check_url("json://127.0.0.1/")
    for number in range(1, MOST_RUNS):
        with open_store(dsn, data=Path("unused")) as store:
            alerts.fill(store, made, alerts.told_of(made, number))
        killed, at = forked(
            lambda told, number=number: deliver(dsn, port, alerts, timedelta(0), Suicidal(number, told))  # type: ignore[misc]
        )
        lived, _ = forked(lambda _: deliver(dsn, port, alerts, timedelta(minutes=2), lambda _: None))
        assert lived == 0
        assert killed in (0, -signal.SIGKILL)
        sys.stdout.write(json.dumps({"killed": killed != 0, "step": at}) + "\n")
        sys.stdout.flush()
        if killed == 0:
            return


if __name__ == "__main__":
    main()
