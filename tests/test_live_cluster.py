"""`vigie live --cluster` on a standalone cluster from the packages, whose managers are killed."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from connectors.errors import SettingsError
from connectors.store import Store
from pipelines.live.cluster import LocalCluster, cancel_jobs
from tests.live_service import closed_until, commit, running, shows_all_closed, stored, until, write_settings
from tests.test_engines import history
from tests.test_live_machines import GRACE_S, LIVE, PAST
from tests.test_live_service import replayed_into


def free_ports() -> int:
    """A port that is free, and the next one too."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                other.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    cluster = LocalCluster(tmp_path / "cluster", free_ports())
    try:
        cluster.up(2)
        yield cluster
    finally:
        for pid in cluster.pids():
            for child in psutil.Process(pid).children(recursive=True):
                child.kill()
            os.kill(pid, signal.SIGKILL)


@pytest.mark.faults
def test_the_store_follows_the_log_though_managers_are_killed(
    tmp_path: Path, store: Store, store_dsn: str, cluster: LocalCluster
) -> None:
    settings = write_settings(tmp_path / "work", store_dsn)
    log = tmp_path / "work" / "log"
    history(log, [{**row, "grace_s": GRACE_S} for row in PAST])
    options = ("--checkpoint-every", "1", "--cluster", cluster.address)

    def told() -> bool:
        return shows_all_closed(closed_until(store_dsn), log)

    with running(settings, *options) as live:
        live.wait_for("ready: ")
        commit(log, LIVE[:20])
        cluster.start("taskmanager")
        os.kill(cluster.pids("taskmanager")[0], signal.SIGKILL)
        until(told, "the last close after a task manager was killed")
        # The job outlives the process that submitted it; the next start stops it, and goes on.
        live.kill()
    with running(settings, *options) as live:
        live.wait_for("stopped the job that an earlier start left")
        commit(log, LIVE[20:40])
        live.wait_for("ready: ")
        until(told, "the last close after the process was killed")
        os.kill(cluster.pids("jobmanager")[0], signal.SIGKILL)
        until(lambda: live.process.poll() is not None, "the end")
        assert "start again" in live.said
    commit(log, LIVE[40:])
    cluster.start("jobmanager")
    until(lambda: cluster_answers(cluster), "the new job manager")
    with running(settings, *options) as live:
        until(told, "the last close after the job manager was killed")
        assert live.stop() == 0
    followed = stored(store_dsn)
    assert followed["signal"]
    replayed_into(settings, store)
    assert stored(store_dsn) == followed


def cluster_answers(cluster: LocalCluster) -> bool:
    """Whether a job manager answers."""
    try:
        return cancel_jobs(cluster.address, "none of this name") == 0
    except SettingsError:
        return False


def test_where_no_cluster_answers_that_is_told() -> None:
    with pytest.raises(SettingsError, match="no Flink cluster answers"):
        cancel_jobs(f"127.0.0.1:{free_ports()}", "any")
