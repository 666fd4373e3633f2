"""Where a live job keeps its state, and what it tells of itself."""

import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from connectors.errors import SettingsError
from connectors.log import EventLog
from connectors.store import Store
from pipelines.live.metrics import LiveCollector, LiveStatus, serving
from pipelines.live.opening import LiveFolder, checkpoints
from tests.live_service import commit
from tests.test_live_machines import LIVE


def checkpoint(run: Path, number: int, *, whole: bool = True) -> Path:
    place = run / "0f0f" / f"chk-{number}"
    place.mkdir(parents=True)
    (place / ("_metadata" if whole else "._metadata.inprogress")).write_bytes(b"12345")
    return place


def test_a_start_goes_on_from_the_newest_whole_checkpoint(tmp_path: Path) -> None:
    folder = LiveFolder(tmp_path / "live")
    with folder.held():
        assert folder.begin() == (1, None)
        kept = [checkpoint(folder.run(1), number) for number in (9, 10)]
        checkpoint(folder.run(1), 11, whole=False)
        assert checkpoints(folder.run(1)) == kept
        # A start that was killed before its first checkpoint leaves the one before to begin from.
        assert folder.begin() == (2, kept[-1])
        assert folder.begin() == (3, kept[-1])
        assert folder.runs == [1, 3]
        newest = checkpoint(folder.run(3), 1)
        assert folder.begin() == (4, newest)
        assert folder.runs == [3, 4]


def test_one_job_uses_a_folder(tmp_path: Path) -> None:
    with (
        LiveFolder(tmp_path).held(),
        pytest.raises(SettingsError, match="stop it, or name another"),
        LiveFolder(tmp_path).held(),
    ):
        pass
    with LiveFolder(tmp_path).held():
        pass


def test_metrics_tell_of_checkpoints_and_of_delay(
    tmp_path: Path, store: Store, store_dsn: str, made: ModuleType
) -> None:
    folder, status = LiveFolder(tmp_path / "live"), LiveStatus(running=True, restarts=2, run=1)
    folder.run(1).mkdir(parents=True)
    checkpoint(folder.run(1), 1)
    commit(tmp_path / "log", LIVE[:1])
    store.replace_run(made.RUN, made.signals(), made.proofs(), [made.tallies()])
    collector = LiveCollector(status, EventLog(tmp_path / "log"), folder, dsn=store_dsn, data=Path("unused"))
    with serving(collector, port=0) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        with pytest.raises(SettingsError, match=f"--metrics-port {port}: "), serving(collector, port=port):
            pass
    told = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    settled = LIVE[0][0] + timedelta(hours=2) - timedelta(days=2)
    assert float(told["vigie_live_running"]) == 1
    assert float(told["vigie_live_restarts_total"]) == 2
    assert float(told["vigie_live_checkpoint_bytes"]) == 5
    assert datetime.fromtimestamp(float(told["vigie_live_log_clock_timestamp_seconds"]), UTC) == LIVE[0][
        0
    ] + timedelta(hours=2)
    delay = (settled - made.RUN.closed_until).total_seconds()
    assert float(told["vigie_live_close_delay_seconds"]) == delay
