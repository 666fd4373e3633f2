"""`vigie live` and its built-in store killed at random moments under load: the store ends as a replay's.

Who is killed, and after how long, is drawn from a seed: the job's process, its Java (which is Flink's job and
task manager), a Python worker, or PostgreSQL. A job that ended is started again, as a supervisor would.
"""

import os
import random
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from connectors.errors import StoreError
from connectors.events import FLAG_HISTORY
from connectors.log import LogWriter
from connectors.store import Store, open_store
from pipelines.plain import PlainEngine
from pipelines.publish import publish
from pipelines.settings import load_settings
from pipelines.workspace import Workspace
from tests.live_service import PATIENCE_S, Live, commit, shows_all_closed, until, write_settings
from tests.test_engines import history
from tests.test_live_machines import GRACE_S, LIVE, PAST

OPTIONS = ("--checkpoint-every", "1")
LONGEST_S = 4.0
"""Between a commit and the kill, at most."""


def described(store: Store) -> list[Any]:
    """What readers see."""
    signals = store.signals()
    return [
        signals,
        [store.evidence(signal["signal_id"]) for signal in signals],
        [store.tallies(one["path"]).to_pylist() for one in store.perimeters()],
    ]


class Killed:
    """A live job on a workspace of its own, whose processes are killed by name."""

    def __init__(self, folder: Path, *, looks: int = 0) -> None:
        self.settings = write_settings(folder, None, looks=looks)
        self.log = folder / "log"
        self.data = folder / "store"
        self.live = Live(self.settings, *OPTIONS)
        self._store_killed = False
        self.victims: dict[str, Callable[[], int | None]] = {
            "job": lambda: self.live.process.pid,
            "java": lambda: self._child("java"),
            "worker": lambda: self._child("beam_boot"),
            "postgres": self._postgres,
        }

    def kill(self, name: str) -> bool:
        """Kill one of the processes; whether it was there. A job that ended is started again."""
        self._supervise()
        pid = self.victims[name]()
        if pid is None:
            return False
        try:
            victim = psutil.Process(pid)
            victim.kill()
            self._store_killed |= name == "postgres"
            if name in ("job", "java"):
                self.live.process.wait(PATIENCE_S)
                self._start()
        except psutil.NoSuchProcess:
            return False
        return True

    def _supervise(self) -> None:
        """Start a job again that ended by itself: one that is just starting does, if the store is killed."""
        if self.live.process.poll() is not None:
            assert self._store_killed, f"it ended:\n{self.live.said}"
            self._start()

    def _start(self) -> None:
        self.live.close()
        self.live, self._store_killed = Live(self.settings, *OPTIONS), False

    def closed_until(self) -> datetime | None:
        """Up to when what the store shows is closed; None before the first close."""
        self._supervise()
        try:
            with open_store(None, data=self.data) as store:
                run = store.run()
        except StoreError:
            # The server was killed, and the job has not started it again yet.
            return None
        return None if run is None else run.closed_until

    def _child(self, word: str) -> int | None:
        try:
            children = psutil.Process(self.live.process.pid).children(recursive=True)
            found = [one.pid for one in children if self._is(one, word)]
        except psutil.NoSuchProcess:
            return None
        return found[0] if found else None

    @staticmethod
    def _is(process: psutil.Process, word: str) -> bool:
        try:
            if process.name() in ("bash", "tee"):
                return False
            return process.name() == word or word in " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            return False

    def _postgres(self) -> int | None:
        file = self.data / "postgres" / "cluster" / "postmaster.pid"
        return int(file.read_text().split()[0]) if file.exists() else None


def killed_many_times(
    folder: Path, kills: int, names: list[str], seed: int, *, looks: int = 0
) -> Counter[str]:
    """Load, kill, and compare with a replay at the end; gives how often each was killed. looks: as in
    `write_settings`."""
    chance, pause = random.Random(seed), threading.Event()
    history(folder / "log", [{**row, "grace_s": GRACE_S, "flags": FLAG_HISTORY} for row in PAST])
    run, killed = Killed(folder, looks=looks), Counter[str]()
    try:
        until(lambda: run.closed_until() is not None, "the history")
        for number in range(kills):
            start, end = (len(LIVE) * part // kills for part in (number, number + 1))
            commit(run.log, LIVE[start:end])
            pause.wait(chance.random() * LONGEST_S)
            name = names[number] if number < len(names) else chance.choice(names)
            until(lambda name=name: run.kill(name), f"a process to kill: {name}")  # type: ignore[misc]
            killed[name] += 1
        with LogWriter(run.log, now=lambda: LIVE[-1][0]) as writer:
            # All days close, so that no look at an open one is left to wait for.
            writer.heartbeat(LIVE[-1][0] + timedelta(days=5))
        until(lambda: shows_all_closed(run.closed_until(), run.log), "the last close")
    except AssertionError as error:
        error.add_note(f"It said:\n{run.live.said}")
        raise
    finally:
        run.live.close()
    workspace = Workspace(load_settings(run.settings), say=lambda _: None)
    with open_store(None, data=run.data) as store:
        followed = described(store)
        assert followed[0]
        raised_early = [signal for signal in followed[0] if "early" in signal["explanation"]]
        assert bool(raised_early) == bool(looks)
        workspace.replay(
            PlainEngine(),
            use=lambda replayed: publish(workspace, replayed, store, started_at=workspace.now()),
        )
        assert described(store) == followed
    return killed


@pytest.fixture
def readable() -> Iterator[Path]:
    """A folder; not under pytest's, since as root the built-in store's server is another account."""
    folder = Path(tempfile.mkdtemp(prefix="vigie-kills-"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.faults
def test_a_worker_and_the_store_are_killed(readable: Path) -> None:
    assert killed_many_times(readable, 2, ["worker", "postgres"], seed=1) == {"worker": 1, "postgres": 1}


@pytest.mark.faults
def test_all_are_killed_where_open_days_are_looked_at(readable: Path) -> None:
    names = ["job", "worker", "postgres", "java"]
    assert killed_many_times(readable, 4, names, seed=3, looks=240) == dict.fromkeys(names, 1)


@pytest.mark.faults
def test_everything_is_killed_many_times(readable: Path) -> None:
    kills = int(os.environ.get("VIGIE_KILLS", "50"))
    names = ["job", "java", "worker", "postgres"]
    killed = killed_many_times(readable, kills, names, seed=2)
    assert killed.total() == kills
