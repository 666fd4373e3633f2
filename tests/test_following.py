"""Following sources in made-up time: what is committed when, what waits, and what the clock does."""

import errno
import os
import resource
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from connectors.contract import Accounting
from connectors.errors import LogError
from connectors.following import Limits
from connectors.log import LogWriter

MINUTE = 60.0


@pytest.fixture
def place(follow_time: ModuleType, tmp_path: Path) -> Any:
    return follow_time.Place(tmp_path)


def kinds(place: Any) -> list[str]:
    return [manifest.kind for manifest in place.log.manifests()]


def test_what_is_there_first_is_history_and_what_comes_then_is_live(
    follow_time: ModuleType, place: Any
) -> None:
    row = follow_time.row
    place.write("avis/a.csv", follow_time.HEADER + row("un") + row("deux", day=30))
    place.pass_time(MINUTE)
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY, live=False)
        follower.step()
        place.pass_time(1)
        place.write("avis/b.csv", follow_time.HEADER + row("trois"))
        follower.step()
        follower.close()
    assert kinds(place) == ["history", "heartbeat", "live"]
    assert place.texts() == ["deux", "un", "trois"]
    assert place.told("avis") == Accounting(read=3, events=3)
    assert list(place.log.verify()) == []
    # With a live part, the next service admits everything as of now.
    with place.writer() as log:
        place.write("avis/c.csv", follow_time.HEADER + row("quatre"))
        place.follower(log, follow_time.SURVEY, live=False).step()
    assert kinds(place) == ["history", "heartbeat", "live", "live"]


def test_segments_come_at_most_one_a_second_and_none_when_nothing_came(
    follow_time: ModuleType, place: Any
) -> None:
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY)
        assert follower.step() == Limits().poll_s
        place.write("avis/a.csv", follow_time.HEADER + follow_time.row("0"))
        follower.step()
        for number in range(1, 9):
            place.pass_time(0.25)
            place.write("avis/a.csv", follow_time.row(str(number)), more=True)
            follower.step()
        assert place.log.rows == 9
        place.pass_time(10)
        follower.step()
    written = [manifest.written_at for manifest in place.log.manifests()]
    assert [at - written[0] for at in written] == [timedelta(seconds=n) for n in range(3)]
    assert [manifest.rows for manifest in place.log.manifests()] == [1, 4, 4]
    assert place.texts() == [str(n) for n in range(9)]


def test_a_full_buffer_makes_reading_wait(follow_time: ModuleType, place: Any, monkeypatch: Any) -> None:
    from connectors import ingest

    monkeypatch.setattr(ingest, "CHUNK_ROWS", 10)
    rows = "".join(follow_time.row(str(n)) for n in range(100))
    place.write("avis/a.csv", follow_time.HEADER + rows)
    held: list[int] = []
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY, limits=Limits(segment_rows=30))

        def pause(seconds: float) -> None:
            held.append(follower.status.buffer_rows)
            place.pass_time(seconds)

        place.pause = pause
        follower.step()
        follower.close()
    assert [manifest.rows for manifest in place.log.manifests()] == [10, 30, 30, 30]
    assert held == [30, 30, 30]
    assert place.texts() == [str(n) for n in range(100)]


def test_a_stop_ends_after_the_chunk_and_its_commit(
    follow_time: ModuleType, place: Any, monkeypatch: Any
) -> None:
    from connectors import ingest

    monkeypatch.setattr(ingest, "CHUNK_ROWS", 10)
    place.write("avis/a.csv", follow_time.HEADER + "".join(follow_time.row(str(n)) for n in range(100)))
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY, limits=Limits(segment_rows=30))

        def stop(_: float) -> None:
            place.stopping = True

        place.pause = stop
        follower.step()
        follower.close()
    assert place.log.rows == 50
    place.stopping = False
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY)
        follower.step()
        follower.close()
    assert sorted(place.texts(), key=int) == [str(n) for n in range(100)]
    told = place.told("avis")
    assert (told.events, told.read, told.closes()) == (100, 150, True)


def test_heartbeats_come_once_a_tick_on_quiet_days_only(follow_time: ModuleType, place: Any) -> None:
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY)
        place.pass_time(20 * MINUTE)
        follower.step()  # nothing was ever admitted: there is no clock to advance
        place.write("avis/a.csv", follow_time.HEADER + follow_time.row("un"))
        follower.step()
        for _ in range(40):
            place.pass_time(MINUTE)
            follower.step()
    assert kinds(place) == ["live", "heartbeat", "heartbeat", "heartbeat"]
    # Admitted at 12:20; the ticks of a quarter of an hour are passed at 12:30, 12:45 and 13:00.
    start = follow_time.NOW
    assert [manifest.clock for manifest in place.log.manifests()] == [
        start + timedelta(minutes=minutes) for minutes in (20, 30, 45, 60)
    ]


def test_the_log_clock_stands_still_while_the_machine_clock_is_behind(
    follow_time: ModuleType, place: Any
) -> None:
    place.write("avis/a.csv", follow_time.HEADER + follow_time.row("un"))
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY)
        follower.step()
        place.wall -= timedelta(hours=2)
        for number in range(3):
            place.pass_time(MINUTE)
            place.write("avis/a.csv", follow_time.row(f"après {number}"), more=True)
            follower.step()
        assert log.clock == follow_time.NOW
        place.pass_time(2 * 60 * MINUTE)
        place.write("avis/a.csv", follow_time.row("fin"), more=True)
        follower.step()
        assert log.clock == follow_time.NOW + timedelta(minutes=3)
    clocks = [manifest.clock for manifest in place.log.manifests()]
    assert clocks == sorted(clocks)
    assert place.texts() == ["un", "après 0", "après 1", "après 2", "fin"]
    assert [line for line in place.said if "clock went back" in line] == [
        "the machine's clock went back from 2024-06-01T12:00:00.000000Z to 2024-06-01T10:01:00.000000Z: "
        "the log's clock stands still until it is passed"
    ]
    assert list(place.log.verify()) == []


def test_a_full_disk_is_told_once_waited_for_and_loses_nothing(
    follow_time: ModuleType, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write("avis/a.csv", follow_time.HEADER + follow_time.row("un"))
    fsync, failures = os.fsync, list[int]()

    def full(descriptor: int) -> None:
        if len(failures) < 3:
            failures.append(descriptor)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY)
        monkeypatch.setattr(os, "fsync", full)
        follower.step()
        assert follower.status.blocked is False
    assert len(failures) == 3
    assert place.pauses[-3:] == [5.0, 5.0, 5.0]
    told = [line for line in place.said if "disk" in line or "written again" in line]
    assert len(told) == 2
    assert "the disk is full: free some space" in told[0]
    assert place.texts() == ["un"]
    assert list(place.log.verify()) == []


def test_a_segment_the_kernel_refuses_is_waited_for_and_written_whole(
    follow_time: ModuleType, place: Any
) -> None:
    place.write("avis/a.csv", follow_time.HEADER + "".join(follow_time.row(str(n)) for n in range(300)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY)
        left: list[list[str]] = []

        def pause(seconds: float) -> None:
            left.append(sorted(file.name for file in place.folder.rglob("0000*")))
            if len(left) == 3:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            place.pass_time(seconds)

        place.pause = pause
        try:
            # Less than the core file needs: the write fails in its middle, as on a disk that fills up.
            resource.setrlimit(resource.RLIMIT_FSIZE, (1500, hard))
            follower.step()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left == [[], [], []]
    assert len(place.said) == 2
    assert "cannot write the event log" in place.said[0]
    assert place.texts() == [str(n) for n in range(300)]
    assert list(place.log.verify()) == []


def test_a_fault_of_the_log_that_waiting_does_not_mend_is_raised(
    follow_time: ModuleType, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write("avis/a.csv", follow_time.HEADER + follow_time.row("un"))

    def broken(*_: object, **__: object) -> None:
        raise LogError("the chain is broken")

    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY)
        monkeypatch.setattr(LogWriter, "append_live", broken)
        with pytest.raises(LogError, match="the chain is broken"):
            follower.step()


def test_a_place_that_goes_is_told_once_and_read_when_it_is_back(follow_time: ModuleType, place: Any) -> None:
    place.write("avis/a.csv", follow_time.HEADER + follow_time.row("un"))
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY)
        follower.step()
        (place.folder / "avis").rename(place.folder / "parti")
        for _ in range(3):
            place.pass_time(5)
            follower.step()
        assert follower.status.unreachable == {"avis"}
        (place.folder / "parti").rename(place.folder / "avis")
        place.write("avis/a.csv", follow_time.row("deux"), more=True)
        follower.step()
        assert follower.status.unreachable == set()
    assert place.texts() == ["un", "deux"]
    assert len(place.said) == 2
    assert "no such file or folder" in place.said[0]
    assert place.said[1] == "avis: is there again"


def test_two_sources_share_segments_and_each_has_its_account(follow_time: ModuleType, place: Any) -> None:
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY, follow_time.MAIL)
        place.write("avis/a.csv", follow_time.HEADER + follow_time.row("un"))
        follower.step()
        place.write("avis/a.csv", follow_time.row("deux") + "31/05/2024 09:00;;rien\n", more=True)
        place.write("mail/a.mbox", follow_time.message("trois", number=1))
        for _ in range(8):
            place.pass_time(0.5)
            follower.step()
    first, second, third = place.log.manifests()
    assert [list(manifest.note["accounts"]) for manifest in (first, second, third)] == [
        ["avis"],
        ["avis"],
        ["mail"],
    ]
    assert {m.note["session"] for m in (first, second, third)} == {"2024-06-01T12:00:00.000000Z"}
    assert place.told("avis") == Accounting(read=3, events=2, quarantined={"no_perimeter": 1})
    assert place.told("mail") == Accounting(read=1, events=1)
    assert follower.status.accounts == {name: place.told(name) for name in ("avis", "mail")}
    assert [entry.reason for entry in place.quarantine.entries()] == ["no_perimeter"]


def test_entries_of_quarantine_expire_while_it_runs(follow_time: ModuleType, place: Any) -> None:
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY)
        place.write("avis/a.csv", follow_time.HEADER + "hier;nord;rien\n")
        follower.step()
        for left in (1, 1, 0):
            place.pass_time(14 * 86_400)
            follower.step()
            assert len(list(place.quarantine.entries())) == left


def test_a_service_started_again_leaves_the_log_as_it_is(follow_time: ModuleType, place: Any) -> None:
    place.write("avis/a.csv", follow_time.HEADER + follow_time.row("un") + "hier;nord;rien\n;;\n")
    for _ in range(2):
        with place.writer() as log:
            follower = place.follower(log, follow_time.SURVEY)
            follower.step()
            follower.close()
        place.pass_time(10)
    assert place.told("avis") == Accounting(
        read=3, events=1, set_aside={"blank": 1}, quarantined={"bad_date": 1}
    )
    assert kinds(place) == ["live"]
