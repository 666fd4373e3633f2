"""The following service as a whole: decisions, compaction, damage, metrics, waiting, and the command."""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from connectors.contract import Accounting
from connectors.errors import LogError
from connectors.following import Status, Waker, stopped_by_signals, watching
from connectors.following.metrics import serving
from connectors.log import EventLog
from connectors.log.inbox import ask_verdict

DAY = 86_400.0


@pytest.fixture
def place(follow_time: ModuleType, tmp_path: Path) -> Any:
    return follow_time.Place(tmp_path)


def days_of_one_row_an_hour(follow_time: ModuleType, place: Any, follower: Any, days: int) -> None:
    for number in range(24 * days):
        place.write(f"avis/{number}.csv", follow_time.HEADER + follow_time.row(f"heure {number}"))
        follower.step()
        place.pass_time(DAY / 24)


def test_closed_days_are_compacted_and_their_files_go_in_the_end(follow_time: ModuleType, place: Any) -> None:
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY)
        days_of_one_row_an_hour(follow_time, place, follower, 3)
        before = sum(1 for _ in place.folder.rglob("*.core.parquet"))
        for _ in range(10):  # the grace of three days and a day for readers pass
            place.pass_time(DAY / 2)
            for _ in range(3):
                follower.step()
    merged = [m.segment for m in place.log.manifests() if m.kind == "compaction"]
    # It began at noon UTC, 14 h in Paris: ten hours of the first day are followed by two whole ones.
    assert [len(segment.replaces) for segment in merged] == [10, 24, 24, 14]
    assert (before, sum(1 for _ in place.folder.rglob("*.core.parquet"))) == (72, 4)
    assert follower.status.compactions == 4
    assert place.texts() == [f"heure {number}" for number in range(72)]
    assert list(place.log.verify()) == []


def test_verdicts_asked_for_are_decided_while_it_runs(follow_time: ModuleType, place: Any) -> None:
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY)
        ask_verdict(log.path, "1" * 32, "dismiss", by=None, now=place.wall)
        follower.step()
    assert place.log.in_force(place.wall).verdicts["1" * 32].judgement == "dismiss"


def test_a_poisoned_segment_is_set_aside_at_the_start_and_its_texts_come_again(
    follow_time: ModuleType, place: Any
) -> None:
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY)
        for number in range(3):
            place.write(f"avis/{number}.csv", follow_time.HEADER + follow_time.row(f"texte {number}"))
            follower.step()
            place.pass_time(2)
        follower.close()
    core = place.folder / "log/generation-0001/segments/000000000002.core.parquet"
    core.write_bytes(core.read_bytes()[:-100])
    for _ in range(2):
        with place.writer() as log:
            follower = place.follower(log, follow_time.SURVEY)
            follower.step()
            follower.close()
    assert [line for line in place.said if "set aside" in line] == place.said
    assert len(place.said) == 1
    assert place.texts() == ["texte 0", "texte 2", "texte 1"]
    assert list(place.log.verify()) == []


def metrics(port: int) -> dict[tuple[str, tuple[str, ...]], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    return {
        (sample.name.removeprefix("vigie_ingest_"), tuple(sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_tell_the_status() -> None:
    at = datetime(2024, 6, 1, tzinfo=UTC)
    status = Status(
        accounts={"avis": Accounting(10, 5, 2, {"blank": 1}, {"bad_date": 2}), "mail": Accounting()},
        latest={"avis": at},
        occurred={"avis": at - timedelta(hours=1)},
        waiting={"avis": 3},
        unreachable={"mail"},
        commits=4,
        heartbeats=6,
        compactions=1,
        committed_at=at,
        clock=at + timedelta(seconds=1),
        buffer_rows=7,
        buffer_bytes=900,
    )
    with serving(status, port=0) as port:
        found = metrics(port)
        status.accounts["avis"] = Accounting(11, 6, 2, {"blank": 1}, {"bad_date": 2})
        assert metrics(port)["events_total", ("avis",)] == 6
        with (
            pytest.raises(LogError, match=f"--metrics-port {port}: cannot listen"),
            serving(status, port=port),
        ):
            pass
    assert found == {
        ("records_total", ("avis",)): 10,
        ("records_total", ("mail",)): 0,
        ("events_total", ("avis",)): 5,
        ("events_total", ("mail",)): 0,
        ("duplicates_total", ("avis",)): 2,
        ("duplicates_total", ("mail",)): 0,
        ("set_aside_total", ("avis", "blank")): 1,
        ("quarantined_total", ("avis", "bad_date")): 2,
        ("commits_total", ()): 4,
        ("heartbeats_total", ()): 6,
        ("compactions_total", ()): 1,
        ("last_commit_timestamp_seconds", ()): 1717200000,
        ("log_clock_timestamp_seconds", ()): 1717200001,
        ("source_last_event_timestamp_seconds", ("avis",)): 1717200000,
        ("source_last_occurrence_timestamp_seconds", ("avis",)): 1717196400,
        ("source_up", ("avis",)): 1,
        ("source_up", ("mail",)): 0,
        ("source_waiting_files", ("avis",)): 3,
        ("buffer_rows", ()): 7,
        ("buffer_bytes", ()): 900,
        ("blocked", ()): 0,
    }


def test_a_wait_ends_when_woken_and_every_wait_once_stopped() -> None:
    with Waker() as waker:
        threading.Timer(0.01, waker.wake).start()
        waker.wait(60)
        waker.wake()
        waker.pause(0.01)  # not ended by it, but it is kept
        waker.wait(60)
        assert not waker.stopping
        with stopped_by_signals(waker):
            os.kill(os.getpid(), signal.SIGTERM)
            waker.wait(60)
            assert waker.stopping
            waker.wait(60)
            waker.pause(60)


def test_a_second_interrupt_is_not_waited_for() -> None:
    with Waker() as waker, stopped_by_signals(waker):
        os.kill(os.getpid(), signal.SIGINT)
        assert waker.stopping
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_file_system_tells_of_changes_but_not_of_our_own(tmp_path: Path) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/log").mkdir()
    told: list[str] = []
    seen = threading.Event()
    places = [(tmp_path / "in", True), (tmp_path / "absent", True)]
    with watching(places, ours=[tmp_path / "in/log"], changed=seen.set, say=told.append):
        for number in range(600):  # until the watch stands and the change is told
            (tmp_path / "in/log/x").write_text(str(number))
            (tmp_path / "in/deep/a.csv").write_text(str(number))
            if seen.wait(0.1):
                break
        assert seen.is_set()
    assert told == []


def test_the_command_follows_until_it_is_told_to_end(tmp_path: Path, shop: ModuleType) -> None:
    settings = shop.write_shop(tmp_path / "shop")
    service = subprocess.Popen(
        [sys.executable, "-m", "pipelines", "ingest", "--follow", "--json", "--settings", str(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with service:
        assert service.stderr is not None
        lines = iter(service.stderr.readline, "")
        assert any("following 2 sources; SIGTERM or Ctrl-C ends" in line for line in lines)
        with (tmp_path / "shop/avis.csv").open("a", encoding="utf-8") as file:
            file.write("n1;12/04/2025 10:00;Lille;une de plus;5;cliente n1\n")
        log = EventLog(tmp_path / "shop/log")
        for _ in range(1200):
            if (tmp_path / "shop/log/generation-0001").exists():
                log.refresh()
                if log.rows == shop.EVENTS + 1:
                    break
            assert service.poll() is None
            threading.Event().wait(0.05)
        refused = shop.run("ingest", "--settings", settings)
        assert refused.exit_code == 4
        assert f"is being written by process {service.pid}" in refused.stderr
        service.send_signal(signal.SIGTERM)
        printed, _ = service.communicate(timeout=60)
    assert service.returncode == 0
    assert json.loads(printed)["total"] == {
        "read": shop.EVENTS + 3,
        "events": shop.EVENTS + 1,
        "duplicates": 0,
        "set_aside": 0,
        "quarantined": 2,
    }
    verified = shop.run("log", "verify", "--settings", settings)
    assert verified.exit_code == 0
    assert "whole" in verified.stdout


def test_metrics_need_a_service(tmp_path: Path, shop: ModuleType) -> None:
    settings = shop.write_shop(tmp_path / "shop")
    result = shop.run("ingest", "--metrics-port", "0", "--settings", settings)
    assert result.exit_code == 2
    assert "metrics are served with --follow only" in result.stderr


def test_compacting_and_setting_aside_by_hand(
    tmp_path: Path, shop: ModuleType, follow_time: ModuleType
) -> None:
    settings = shop.write_shop(tmp_path / "shop")
    absent = shop.run("log", "compact", "--settings", settings)
    assert (absent.exit_code, "there is no event log here" in absent.stderr) == (4, True)
    place = follow_time.Place(tmp_path / "shop")
    with place.writer() as log:
        days_of_one_row_an_hour(follow_time, place, place.follower(log, follow_time.SURVEY), 2)
        log.heartbeat(place.wall + timedelta(days=9))
        # Undo what the service merged by itself: it had nothing to, no day was closed yet.
        assert [m.kind for m in EventLog(log.path).manifests()].count("compaction") == 0
    merged = shop.run("log", "compact", "--settings", settings)
    assert merged.stdout == "48 segments became 3; the old files go in a day\n"
    again = shop.run("log", "compact", "--settings", settings)
    assert again.stdout == "nothing to merge: no closed day has several segments\n"
    number = str(EventLog(log.path).head.seq)  # type: ignore[union-attr]
    whole = shop.run("log", "set-aside", number, "--settings", settings)
    assert (whole.exit_code, f"segment {number} is whole" in whole.stderr) == (4, True)
    core = log.path / f"generation-0001/segments/{int(number):012d}.core.parquet"
    core.write_bytes(b"PAR1" + core.read_bytes()[4:-9])
    assert shop.run("log", "verify", "--settings", settings).exit_code == 4
    done = shop.run("log", "set-aside", number, "--settings", settings)
    assert done.exit_code == 0
    assert f"segment {number} with its 14 events is set aside" in done.stderr
    verified = shop.run("log", "verify", "--settings", settings)
    assert (verified.exit_code, f"segment {number} was set aside" in verified.stderr) == (0, True)
