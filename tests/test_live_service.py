"""`vigie live` keeps the store as a replay of the log would leave it, through stops and crashes."""

from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from connectors.log import EventLog
from connectors.store import Store
from pipelines.plain import PlainEngine
from pipelines.publish import publish
from pipelines.settings import load_settings
from pipelines.workspace import Workspace
from tests.live_service import (
    closed_until,
    commit,
    running,
    runs,
    shows_all_closed,
    stored,
    until,
    write_settings,
)
from tests.test_engines import PARIS, Rows, history
from tests.test_live_machines import GRACE_S, LIVE, PAST, day_counted

pytestmark = pytest.mark.slow


def open_texts(dsn: str) -> int:
    """Texts that the store shows of days that are open."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "SELECT coalesce(sum(texts), 0)::bigint FROM vigie.open_tally"
            " WHERE perimeter = division AND channel = '' AND theme = ''"
        ).fetchone()
    assert found is not None
    return int(found[0])


def open_rows(log: Path) -> int:
    """Live events of the days that the log's clock has not closed."""
    settled = EventLog(log).settled_until()
    assert settled is not None
    last = settled.astimezone(PARIS).date() - timedelta(days=1)
    found = sum(day_counted(row) > last for _, rows in LIVE for row in rows)
    assert found
    return found


def replayed_into(settings: Path, store: Store) -> None:
    """Load what a replay by plain functions finds."""
    workspace = Workspace(load_settings(settings), say=lambda _: None)
    workspace.replay(
        PlainEngine(),
        use=lambda replayed: publish(workspace, replayed, store, started_at=workspace.now()),
    )


@pytest.mark.faults
def test_the_store_follows_the_log_through_a_stop_and_a_crash(
    tmp_path: Path, store: Store, store_dsn: str
) -> None:
    settings = write_settings(tmp_path, store_dsn)
    history(tmp_path / "log", [{**row, "grace_s": GRACE_S} for row in PAST])
    parts = [LIVE[:20], LIVE[20:40], LIVE[40:]]
    options = ("--checkpoint-every", "1")

    def told(part: list[tuple[datetime, Rows]]) -> None:
        commit(tmp_path / "log", part)
        until(lambda: shows_all_closed(closed_until(store_dsn), tmp_path / "log"), "the last close")

    with running(settings, *options) as live:
        live.wait_for("ready: ")
        told(parts[0])
        assert live.stop() == 0
    with running(settings, *options) as live:
        live.wait_for("starting from /.*/run-000001/")
        told(parts[1])
        left = live.children()
        assert {"java", "bash"} <= {process.name() for process in left}
        live.kill()
        # Its Java ends with it, and its workers with their Java.
        until(lambda: not any(map(runs, left)), "the end of all it started")
    with running(settings, *options) as live:
        live.wait_for("ready: ")
        told(parts[2])
        until(lambda: open_texts(store_dsn) == open_rows(tmp_path / "log"), "the open days")
    followed = stored(store_dsn)
    assert followed["signal"]
    replayed_into(settings, store)
    assert stored(store_dsn) == followed
