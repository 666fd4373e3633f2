"""What a live job told that was killed again and again: `--as-of` its times gives it, byte for byte."""

import random
import tempfile
import threading
from datetime import timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest

from connectors.log import EventLog, LogWriter
from connectors.store.embedded import EmbeddedPostgres
from pipelines.in_force import put_in_force, workspace_as_of
from pipelines.plain import PlainEngine
from pipelines.settings import load_settings
from pipelines.workspace import Workspace
from tests.live_service import shows_all_closed, until, write_settings
from tests.test_engines import table
from tests.test_live_kills import Killed
from tests.test_live_machines import GRACE_S, LIVE, PAST

VICTIMS = ("worker", "job", "java", "postgres", "job")
LONGEST_S = 4.0
"""Between a commit and the kill, at most."""


def write_history(settings: Path, log: Path) -> None:
    """Load the past an hour before the first live segment, under the settings of the workspace."""
    loaded = LIVE[0][0] - timedelta(hours=1)
    with LogWriter(log, now=lambda: loaded) as writer:
        put_in_force(Workspace(load_settings(settings), say=lambda _: None), writer)
        rows = [{**row, "grace_s": GRACE_S} for row in PAST]
        writer.append_history(table(rows), loaded_at=loaded, note={})


def commit_as_it_comes(log: Path, first: int, last: int) -> None:
    """Commit live segments and a heartbeat two hours after each, each at its own time of the wall clock."""
    for at, rows in LIVE[first:last]:
        wall = {"now": at}
        with LogWriter(log, now=partial(wall.__getitem__, "now")) as writer:
            writer.append_live(table(rows), note={})
            wall["now"] = at + timedelta(hours=2)
            writer.heartbeat(wall["now"])


def live_and_be_killed(folder: Path, chance: random.Random) -> Killed:
    """A whole life: after each part of the log a kill under load, then all that is closed is told."""
    settings, pause = write_settings(folder, None), threading.Event()
    write_history(settings, folder / "log")
    run = Killed(folder)
    try:
        until(lambda: run.closed_until() is not None, "the history")
        for number, name in enumerate(VICTIMS):
            parts = (len(LIVE) * part // len(VICTIMS) for part in (number, number + 1))
            commit_as_it_comes(run.log, *parts)
            pause.wait(chance.random() * LONGEST_S)
            until(partial(run.kill, name), f"a process to kill: {name}")
            until(lambda: shows_all_closed(run.closed_until(), run.log), "the last close")
    except AssertionError as error:
        error.add_note(f"It said:\n{run.live.said}")
        raise
    finally:
        run.live.close()
    return run


@pytest.mark.heavy
def test_as_of_any_moment_is_what_a_job_that_was_killed_told_then() -> None:
    chance = random.Random(11)
    # Not under pytest's folder: as root the built-in store's server is another account.
    with tempfile.TemporaryDirectory(prefix="vigie-past-") as folder:
        run = live_and_be_killed(Path(folder), chance)
        with EmbeddedPostgres(run.data / "postgres") as dsn, psycopg.connect(dsn) as connection:
            told = connection.execute(
                "SELECT log_head, closed_until, digest FROM vigie.run ORDER BY closed_until"
            ).fetchall()
        world = Workspace(load_settings(run.settings), say=lambda _: None)
        log = EventLog(run.log)
        log.refresh()
        known = {log.hash_of(one.seq): one.written_at for one in log.manifests()}
        later = sorted({*known.values(), max(known.values()) + timedelta(hours=1)})
        compared, found = 0, set()
        for head, closed, digest in told:
            following = next(at for at in later if at > known[head])
            moment = known[head] + chance.random() * (following - known[head])
            past = workspace_as_of(world, moment)
            # Of a history alone a replay closes all days, a live job those that nothing live can reach.
            if past.log.has_live:
                replayed = past.replay(PlainEngine(), use=lambda _: None)
                assert (replayed.closed_until, replayed.digest) == (closed, digest)
                compared += 1
                found.add(digest)
        # All that was closed after each kill was told at least.
        assert compared >= len(VICTIMS)
        assert len(found) > 2
