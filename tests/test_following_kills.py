"""The service killed at random moments under load, on clocks that jump: nothing lost, nothing twice.

One process imports what the service needs and makes a child for each run, so that a run starts at once.
Moments are seeded: a number of commits to wait for, then a fraction of a second.
"""

import json
import os
import random
import select
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest

from connectors.contract import Accounting
from connectors.loads import accounts_of, add
from connectors.log import EventLog
from connectors.quarantine import Quarantine
from connectors.secret import load_secret

SETTINGS = """\
[organisation]
root = "r"
name = "R"
languages = ["fr"]

[follow]
poll = "1s"
settle = "1s"
patience = "1h"
segment_rows = 40

[[source]]
name = "avis"
kind = "table"
path = "avis"
channel = "survey"
perimeter = "{lieu}"
columns = { text = "avis", occurred_at = "date" }

[[source]]
name = "mail"
kind = "mail"
path = "mail"
perimeter = "siège"
"""
SERVICE = """
import os, sys
from datetime import datetime, timedelta
import connectors.following, connectors.mail, connectors.quarantine, connectors.tables, watchfiles
from connectors import ingest
from connectors.following import follower
from pipelines import workspace
from pipelines.cli import app

ingest.CHUNK_ROWS, follower.SEGMENT_S, follower._SAVE_S = 15, 0.01, 0.02

class Shifted(datetime):
    ahead = 0

    @classmethod
    def now(cls, zone=None):
        return datetime.now(zone) + timedelta(seconds=cls.ahead)

workspace.datetime = Shifted
for line in sys.stdin:
    child = os.fork()
    if not child:
        Shifted.ahead = int(line)
        os.dup2(2, 1)
        app(["--verbose", "ingest", "--follow", "--json", "--settings", sys.argv[1]])
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
LONGEST_S = 120.0
AHEAD = (0, 20, -3600, -2 * 86400)
"""Wall clocks jump from one run to the next, seconds. Not far ahead: that makes files seem to be at rest."""


class Services:
    """Starts the service again and again. One runs at a time; `ended` waits for it."""

    def __init__(self, process: "subprocess.Popen[str]", printed: Path) -> None:
        self._process = process
        self._printed = printed
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders, self._answers = process.stdin, process.stdout
        self._running: int | None = None

    def start(self, ahead: int = 0) -> int:
        """Start a service whose wall clock is some seconds ahead; its process."""
        self._orders.write(f"{ahead}\n")
        self._orders.flush()
        self._running = int(self._answers.readline())
        return self._running

    def close(self) -> None:
        """Leave no service behind."""
        if self._running is not None:
            os.kill(self._running, signal.SIGKILL)
        self._orders.close()

    def ended(self, seconds: float) -> bool:
        """Whether the service ended by itself within some seconds."""
        return bool(select.select([self._answers], [], [], seconds)[0])

    def code(self) -> int:
        code, self._running = int(self._answers.readline()), None
        return code

    def last_words(self) -> str:
        """How the service ended, and what it printed last."""
        return f"the service ended with {self.code()}: {self._printed.read_text('utf-8')[-2000:]}"

    def until(self, what: Callable[[], bool]) -> None:
        """Wait for something the running service does."""
        for _ in range(int(LONGEST_S * 200)):
            if what():
                return
            assert not self.ended(0.005), self.last_words()
        raise AssertionError("the service did not come that far")


@contextmanager
def services(folder: Path) -> Iterator[Services]:
    with (folder / "printed").open("w") as printed:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVICE, str(folder / "vigie.toml")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=printed,
            text=True,
        )
        with process:
            running = Services(process, folder / "printed")
            try:
                yield running
            finally:
                running.close()


class Writers:
    """Those who write the sources: rows, some of them wrong, and messages, often cut anywhere."""

    def __init__(self, folder: Path, follow_time: ModuleType, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.texts: list[str] = []
        self.wrong = 0
        self._helper = follow_time
        self._rests: dict[Path, str] = {}
        for name in ("avis", "mail"):
            (folder / name).mkdir()

    def write(self, rows: int, *, whole: bool = False) -> None:
        """Append rows and messages to some files; what the last burst cut comes first."""
        survey, mail = [], []
        for _ in range(rows):
            number = len(self.texts) + self.wrong
            if self.random.random() < 0.1:
                self.wrong += 1
                survey.append(f"hier;nord;faux {number}\n")
            elif self.random.random() < 0.15:
                self.texts.append(f"[Subject] avis\nlettre {number}")
                mail.append(self._helper.message(f"lettre {number}", number=number))
            else:
                self.texts.append(f"texte {number}")
                survey.append(self._helper.row(f"texte {number}"))
        self._append(f"avis/{self.random.randrange(4)}.csv", "".join(survey), whole=whole)
        self._append("mail/boite.mbox", "".join(mail), whole=whole)
        if whole:
            for path in list(self._rests):
                self._append(str(path.relative_to(self.folder)), "", whole=True)

    def _append(self, name: str, content: str, *, whole: bool) -> None:
        path = self.folder / name
        header = "" if path.exists() or path.suffix != ".csv" else self._helper.HEADER
        content = header + self._rests.pop(path, "") + content
        cut = len(content) if whole else max(0, len(content) - self.random.randrange(30))
        self._rests[path] = content[cut:]
        if content:
            with path.open("a", encoding="utf-8") as file:
                file.write(content[:cut])


def manifests(folder: Path) -> int:
    return sum(1 for _ in folder.glob("log/generation-*/manifests/*.json"))


def comes_to(folder: Path, writers: Writers, number: int) -> Callable[[], bool]:
    """Whether the log has so many manifests; until then somebody writes a few rows twice a second.

    How many manifests come of some rows is the service's affair: only more rows are sure to bring more.
    """
    looks = count(1)

    def look() -> bool:
        if manifests(folder) >= number:
            return True
        if next(looks) % 100 == 0:
            writers.write(10)
        return False

    return look


def check_killed(folder: Path, follow_time: ModuleType, *, seed: int, kills: int) -> None:
    (folder / "vigie.toml").write_text(SETTINGS, encoding="utf-8")
    writers = Writers(folder, follow_time, seed)
    moments = random.Random(seed + 1)
    with services(folder) as service:
        for _ in range(kills):
            writers.write(60)
            pid, before = service.start(moments.choice(AHEAD)), manifests(folder)
            wanted = moments.randrange(6)
            if wanted:
                service.until(comes_to(folder, writers, before + wanted))
            writers.write(30)
            assert not service.ended(moments.random() * (0.05 if wanted else 0.4)), service.last_words()
            os.kill(pid, signal.SIGKILL)
            assert service.code() == -signal.SIGKILL
        writers.write(60, whole=True)
        pid = service.start()
        service.until(lambda: manifests(folder) > 0 and EventLog(folder / "log").rows == len(writers.texts))
        os.kill(pid, signal.SIGTERM)
        assert service.code() == 0
    check_log(folder, writers)


def check_log(folder: Path, writers: Writers) -> None:
    log = EventLog(folder / "log")
    found = [
        text
        for part in log.slices(max_rows=100_000, zone="UTC")
        for piece in log.pieces(part)
        for text in log.read_piece(piece)["text"].to_pylist()
    ]
    assert Counter(found) == Counter(writers.texts)
    assert max(Counter(writers.texts).values()) == 1
    assert list(log.verify()) == []
    clocks = [manifest.clock for manifest in log.manifests() if manifest.clock is not None]
    assert clocks == sorted(clocks)
    total = Accounting()
    for manifest in log.manifests():
        accounts = accounts_of(manifest.note)
        assert all(account.closes() for account in accounts.values())
        if manifest.rows:
            assert sum(account.events for account in accounts.values()) == manifest.rows
        for account in accounts.values():
            total = add(total, account)
    assert total.events == log.rows
    key = load_secret(folder / "secret/vigie.key", log_folder=folder / "log", on_created=print)
    entries = list(Quarantine(folder / "quarantine", key).entries())
    assert [entry.reason for entry in entries] == ["bad_date"] * writers.wrong
    again = subprocess.run(
        [sys.executable, "-m", "pipelines", "ingest", "--json", "--settings", str(folder / "vigie.toml")],
        capture_output=True,
        check=True,
        text=True,
    )
    assert json.loads(again.stdout)["total"]["events"] == 0
    assert EventLog(folder / "log").head_hash == log.head_hash


def test_a_service_killed_fifteen_times_loses_and_doubles_nothing(
    tmp_path: Path, follow_time: ModuleType
) -> None:
    check_killed(tmp_path, follow_time, seed=5, kills=15)


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(100, 102))
def test_a_service_killed_many_times_loses_and_doubles_nothing(
    tmp_path: Path, follow_time: ModuleType, seed: int
) -> None:
    check_killed(tmp_path, follow_time, seed=seed, kills=40)
