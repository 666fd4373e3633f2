"""`vigie live` as a process of its own, on a log that the test writes."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import psycopg

from connectors.civil_days import civil_days
from connectors.log import EventLog, LogWriter
from connectors.log.layout import to_us
from tests.test_engines import Rows, table

PATIENCE_S = 600.0
"""How long anything may take. A start alone takes minutes where ten times as much runs as there are cores."""
ZONE = "Europe/Paris"
SETTINGS = """\
[organisation]
root = "e"
name = "Enseigne"
languages = ["fr", "en"]

[privacy]
min_authors = 4
"""
STORE = """
[store]
dsn = "{dsn}"
"""
LOOKS = """
[detection]
early_look_minutes = {minutes}
"""
TABLES = {
    "signal": "ORDER BY signal_id",
    "signal_evidence": "ORDER BY signal_id, event_id",
    "tally": "ORDER BY bucket_at, perimeter, channel, voice, theme",
    "perimeter": "ORDER BY path",
}


def write_settings(folder: Path, dsn: str | None, *, looks: int = 0) -> Path:
    """The settings of a workspace whose log is `folder/log`; its store is the built-in one without a DSN.

    looks: minutes from one early look to the next; 0: none is taken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "vigie.toml"
    content = SETTINGS if dsn is None else SETTINGS + STORE.format(dsn=dsn)
    file.write_text(content + (LOOKS.format(minutes=looks) if looks else ""))
    return file


def commit(log: Path, segments: list[tuple[datetime, Rows]]) -> None:
    """Commit live segments, and a heartbeat two hours after each."""
    with LogWriter(log, now=lambda: datetime(2025, 1, 1, tzinfo=UTC)) as writer:
        for at, rows in segments:
            writer.append_live(table(rows), note={})
            writer.heartbeat(at + timedelta(hours=2))


def until(true: Callable[[], bool], what: str) -> None:
    """Look again and again; AssertionError where it takes too long."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, f"waited {PATIENCE_S:.0f} s for {what}"
        time.sleep(0.1)


def runs(process: psutil.Process) -> bool:
    """Whether a process has not ended; one that nobody asked for its exit code has."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Live:
    """A running `vigie live`, with what it said."""

    def __init__(self, settings: Path, *options: str) -> None:
        self._said = settings.parent / f"said-{time.monotonic_ns()}"
        self._out = self._said.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipelines", "live", "--settings", str(settings), *options],
            stdout=self._out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def said(self) -> str:
        """What it said so far."""
        return self._said.read_text("utf-8", errors="replace")

    def wait_for(self, pattern: str) -> None:
        """Wait until it says something."""

        def said() -> bool:
            assert self.process.poll() is None, f"it ended:\n{self.said}"
            return re.search(pattern, self.said) is not None

        until(said, f"{pattern!r} in:\n{self.said}")

    def children(self) -> list[psutil.Process]:
        """The processes that it started, and those that they did."""
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return found

    def kill(self) -> None:
        """End it at once, as a crash would; nothing of it is told."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to stop; gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """Leave no process behind."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._out.close()


@contextmanager
def running(settings: Path, *options: str) -> Iterator[Live]:
    """A `vigie live` that ends with the block."""
    live = Live(settings, *options)
    try:
        yield live
    finally:
        live.close()


def stored(dsn: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that readers of the store see."""
    with psycopg.connect(dsn) as connection:
        return {
            name: connection.execute(f"SELECT * FROM vigie.{name} {order}").fetchall()
            for name, order in TABLES.items()
        }


def closed_until(dsn: str) -> datetime | None:
    """Up to when what the store shows is closed; None before the first close."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT closed_until FROM vigie.run WHERE is_current").fetchone()
    return None if row is None else row[0]


def shows_all_closed(closed: datetime | None, log: Path) -> bool:
    """Whether a store that is closed until an instant shows every day that the log's clock has closed.

    It need not have heard of the log's head: manifests that close no day leave nothing in the store.
    """
    settled = EventLog(log).settled_until()
    if closed is None or settled is None:
        return False
    shown, due = civil_days(np.array([to_us(closed), to_us(settled)]), ZONE).tolist()
    return bool(shown >= due)
