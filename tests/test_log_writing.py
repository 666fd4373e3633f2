"""The log's writer: what is committed, refused, locked, and left after a crash or a full disk."""

import errno
import os
import resource
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from connectors.errors import LogBusyError, LogError
from connectors.events import EVENT, SchemaError
from connectors.log import EventLog, LogWriter, segment, writer

T0 = datetime(2024, 3, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
BASE = {
    "grace_s": 3600,
    "source": "enquete",
    "channel": "survey",
    "voice": "customer",
    "perimeter": "enseigne/nord",
    "language": "fr",
    "flags": 0,
}


def events(*rows: tuple[int, datetime, datetime]) -> pa.Table:
    """Events of (number, occurred_at, admitted_at)."""
    listed = [
        {**BASE, "event_id": n.to_bytes(16), "occurred_at": at, "admitted_at": admitted, "text": f"texte {n}"}
        for n, at, admitted in rows
    ]
    return pa.Table.from_pylist(listed, schema=EVENT)


def past(*numbers: int) -> pa.Table:
    """History: event n occurred n hours after T0."""
    return events(*((n, T0 + n * HOUR, T0 + n * HOUR) for n in numbers))


def opened(path: Path) -> LogWriter:
    return LogWriter(path, now=lambda: T0)


def numbers(path: Path, generation: int | None = None) -> list[int]:
    """The numbers of the events a reader sees, in the order of their positions."""
    log = EventLog(path, generation=generation)
    found: list[tuple[int, bytes]] = []
    for part in log.slices(max_rows=1000, zone="UTC"):
        for piece in log.pieces(part):
            batch = log.read_piece(piece)
            found += zip(batch["position"].to_pylist(), batch["event_id"].to_pylist(), strict=True)
    return [int.from_bytes(event_id) for _, event_id in sorted(found)]


def files(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def test_history_is_a_sorted_run_with_its_true_load_time(tmp_path: Path) -> None:
    with opened(tmp_path / "log") as log:
        [manifest] = log.append_history(past(3, 1, 2), loaded_at=T0 + 99 * HOUR, note={"read": 3})
    assert numbers(tmp_path / "log") == [1, 2, 3]
    [stored] = EventLog(tmp_path / "log").manifests()
    assert stored == manifest
    assert stored.load is not None
    assert (stored.load.loaded_at, stored.load.run, stored.load.runs) == (T0 + 99 * HOUR, 1, 1)
    assert stored.note == {"read": 3}
    assert stored.segment is not None
    assert (stored.segment.first_effective, stored.segment.last_effective) == (T0 + HOUR, T0 + 3 * HOUR)


def test_equal_times_are_ordered_by_event_id(tmp_path: Path) -> None:
    with opened(tmp_path / "log") as log:
        log.append_history(events(*((n, T0, T0) for n in (7, 300, 2))), loaded_at=T0, note={})
    assert numbers(tmp_path / "log") == [2, 7, 300]


def test_a_large_load_is_several_runs_and_its_note_comes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RUN_ROWS", 2)
    with opened(tmp_path / "log") as log:
        runs = log.append_history(past(5, 4, 3, 2, 1), loaded_at=T0, note={"read": 5})
    assert [(run.load.run, run.load.runs) for run in runs if run.load] == [(1, 3), (2, 3), (3, 3)]
    assert [run.note for run in runs] == [{}, {}, {"read": 5}]
    assert numbers(tmp_path / "log") == [4, 5, 2, 3, 1]


def test_a_load_without_events_keeps_its_accounting(tmp_path: Path) -> None:
    with opened(tmp_path / "log") as log:
        log.append_history(past(), loaded_at=T0, note={"read": 4, "duplicates": 4})
    log_read = EventLog(tmp_path / "log")
    assert log_read.rows == 0
    assert [manifest.note for manifest in log_read.manifests()] == [{"read": 4, "duplicates": 4}]
    assert log_read.slices(max_rows=10, zone="UTC") == []
    assert log_read.closed_until() is None


def test_the_clock_only_moves_forward(tmp_path: Path) -> None:
    with opened(tmp_path / "log") as log:
        assert log.clock is None
        log.append_live(events((1, T0 - HOUR, T0), (2, T0, T0 + HOUR)), note={})
        assert log.clock == T0 + HOUR
        assert log.heartbeat(T0) is None
        assert log.heartbeat(T0 + HOUR) is None
        log.heartbeat(T0 + 2 * HOUR)
        assert log.clock == T0 + 2 * HOUR
        with pytest.raises(LogError, match="before the log's clock, 2024-03-01T12:00:00"):
            log.append_live(events((3, T0, T0 + HOUR)), note={})
        log.decide("settings", {"version": "abc"})
    assert EventLog(tmp_path / "log").clock == T0 + 2 * HOUR
    assert [manifest.kind for manifest in EventLog(tmp_path / "log").manifests()] == [
        "live",
        "heartbeat",
        "decision",
    ]


def test_closed_until_waits_for_the_largest_grace_of_the_live_part(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with opened(path) as log:
        log.append_history(past(1, 2), loaded_at=T0, note={})
        assert EventLog(path).closed_until() == T0 + 2 * HOUR + timedelta(microseconds=1)
        log.append_live(events((3, T0, T0 + 9 * HOUR)), note={})
        assert EventLog(path).closed_until() == T0 + 8 * HOUR
        log.heartbeat(T0 + 11 * HOUR)
        assert EventLog(path).closed_until() == T0 + 10 * HOUR


def test_decisions_are_chained_and_read_back(tmp_path: Path) -> None:
    payload: dict[str, Any] = {"label": "tarif été", "terms": ["a", 1, 0.5, None]}
    with opened(tmp_path / "log") as log:
        log.append_history(past(1), loaded_at=T0, note={})
        log.decide("lexicon", payload)
        with pytest.raises(ValueError, match="plain JSON"):
            log.decide("verdict", {"when": T0})
        with pytest.raises(ValueError, match="plain JSON"):
            log.decide("verdict", {"score": float("nan")})
        log.decide("verdict", {})
    found = [manifest.decision for manifest in EventLog(tmp_path / "log").decisions()]
    assert [(decision.kind, decision.payload) for decision in found if decision] == [
        ("lexicon", payload),
        ("verdict", {}),
    ]


def test_history_after_live_needs_a_new_generation(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with opened(path) as log:
        log.append_history(past(1, 2), loaded_at=T0, note={})
        log.append_live(events((3, T0 + 3 * HOUR, T0 + 3 * HOUR)), note={})
        with pytest.raises(LogError, match="start a new generation"):
            log.append_history(past(4), loaded_at=T0, note={})
        opening = log.new_generation()
        log.append_history(past(0), loaded_at=T0, note={})
        log.append_live(events((9, T0 + 9 * HOUR, T0 + 9 * HOUR)), note={})
    first, second, *_ = sealed = list(EventLog(path, generation=1).manifests())
    assert [manifest.seq for manifest in sealed] == [1, 2]
    assert (opening.generation, opening.seq, opening.carries) == (2, 3, (first.seq, second.seq))
    assert numbers(path) == [1, 2, 3, 0, 9]
    assert numbers(path, generation=1) == [1, 2, 3]
    assert EventLog(path).has_live
    assert list(EventLog(path).verify()) == []


def test_a_second_generation_carries_what_the_first_one_carried(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with opened(path) as log:
        with pytest.raises(LogError, match="holds nothing yet"):
            log.new_generation()
        for number in (1, 2, 3):
            log.append_history(past(number), loaded_at=T0, note={})
            log.new_generation()
    with opened(path) as log:
        log.append_history(past(4), loaded_at=T0, note={})
    assert numbers(path) == [1, 2, 3, 4]
    assert EventLog(path).rows == 4


def test_a_second_writer_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with opened(path) as log:
        with (
            pytest.raises(LogBusyError, match=f"process {os.getpid()} since 2024-03-01T10:00:00"),
            opened(path),
        ):
            pass
        log.append_history(past(1), loaded_at=T0, note={})
    with opened(path) as log:
        log.append_history(past(2), loaded_at=T0, note={})
    with pytest.raises(LogError, match="closed"):
        log.decide("settings", {})
    assert numbers(path) == [1, 2]


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        (past(1).drop_columns(["text"]), r"missing \['text'\]"),
        (past(1).set_column(3, "grace_s", pa.array([1], pa.int64())), "grace_s is int64, not int32"),
        (past(1).set_column(13, "text", pa.array([None], pa.string())), r"missing values in \['text'\]"),
    ],
)
def test_events_of_another_schema_are_refused(tmp_path: Path, table: pa.Table, rule: str) -> None:
    with opened(tmp_path / "log") as log, pytest.raises(SchemaError, match=rule):
        log.append_live(table, note={})
    assert EventLog(tmp_path / "log").head is None


def test_history_admitted_at_another_time_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "log") as log, pytest.raises(ValueError, match="admitted_at must equal"):
        log.append_history(events((1, T0, T0 + HOUR)), loaded_at=T0, note={})


def test_naive_times_are_refused(tmp_path: Path) -> None:
    naive = T0.replace(tzinfo=None)
    with opened(tmp_path / "log") as log:
        with pytest.raises(ValueError, match="no time zone"):
            log.heartbeat(naive)
        with pytest.raises(ValueError, match="no time zone"):
            log.append_history(past(1), loaded_at=naive, note={})
    assert files(tmp_path / "log") == ["writer.lock"]


def test_row_groups_end_at_rows_or_bytes_of_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "GROUP_ROWS", 3)
    monkeypatch.setattr(segment, "GROUP_TEXT_BYTES", 10)
    lengths = pa.array([4, 4, 4, 1, 1, 1, 1, 50, 1]).to_numpy()
    assert segment.group_lengths(lengths) == [2, 3, 2, 1, 1]


KILLED = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
import pyarrow.parquet as pq
from connectors.log import LogWriter

calls, fsync = [], os.fsync
def dying(descriptor):
    calls.append(descriptor)
    if len(calls) == int(sys.argv[3]):
        os._exit(9)
    fsync(descriptor)

with LogWriter(Path(sys.argv[1]), now=lambda: datetime(2024, 3, 1, tzinfo=UTC)) as log:
    os.fsync = dying
    log.append_live(pq.read_table(sys.argv[2]), note={})
"""


# An append syncs the core file, the text file, their folder, the manifest, and the manifests' folder.
@pytest.mark.parametrize(("killed_at", "seen"), [(1, [1]), (2, [1]), (3, [1]), (4, [1]), (5, [1, 2])])
def test_a_killed_writer_leaves_whole_segments_only(tmp_path: Path, killed_at: int, seen: list[int]) -> None:
    import pyarrow.parquet as pq

    path, batch = tmp_path / "log", tmp_path / "batch.parquet"
    with opened(path) as log:
        log.append_live(past(1), note={})
    pq.write_table(past(2), batch)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(batch), str(killed_at)], check=False, timeout=60
    )
    assert killed.returncode == 9
    assert numbers(path) == seen
    finished = sorted(path.glob("generation-0001/segments/000000000002.*.parquet")) if seen == [1] else []
    assert [finding.file for finding in EventLog(path).verify()] == list(map(str, finished))
    with opened(path) as log:
        assert not [name for name in files(path) if name.endswith(".tmp")]
        assert sum(name.endswith(".parquet") for name in files(path)) == 2 * len(seen)
        log.append_live(past(3), note={})
    assert numbers(path) == [*seen, 3]
    assert list(EventLog(path).verify()) == []


def fail_fsync(monkeypatch: pytest.MonkeyPatch, at: int, code: int) -> None:
    calls: list[int] = []

    def failing(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == at:
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", failing)


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_a_full_disk_is_one_clear_error_and_nothing_half_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    path = tmp_path / "log"
    with opened(path) as log:
        log.append_live(past(1), note={})
        before = files(path)
        with monkeypatch.context() as patch:
            fail_fsync(patch, failing, errno.ENOSPC)
            with pytest.raises(LogError, match="the disk is full: free some space") as caught:
                log.append_live(past(2), note={})
        assert str(path) in str(caught.value)
        assert files(path) == before
        assert numbers(path) == [1]
        log.append_live(past(3), note={})
    assert numbers(path) == [1, 3]


def test_a_writer_unsure_of_its_commit_stops_and_the_next_one_sees_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    with opened(path) as log:
        log.append_live(past(1), note={})
        with monkeypatch.context() as patch:
            fail_fsync(patch, 5, errno.EIO)
            with pytest.raises(LogError, match="check the disk"):
                log.append_live(past(2), note={})
        with pytest.raises(LogError, match="open the log again"):
            log.append_live(past(3), note={})
    with opened(path) as log:
        log.append_live(past(3), note={})
    assert numbers(path) == [1, 2, 3]
    assert list(EventLog(path).verify()) == []


def test_a_write_the_kernel_refuses_leaves_what_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(path) as log:
        log.append_live(past(1), note={})
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
            with pytest.raises(LogError, match="cannot write the event log"):
                log.append_live(past(2), note={})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert numbers(path) == [1]
    assert sum(name.endswith(".parquet") for name in files(path)) == 2


def test_a_folder_that_cannot_be_written_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(LogError, match="a file stands where a folder is needed"),
        opened(tmp_path / "file" / "log"),
    ):
        pass

    def denied(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", denied)
    with (
        pytest.raises(LogError, match="permission denied: give this user write access"),
        opened(tmp_path / "log"),
    ):
        pass


def test_lost_manifests_are_not_taken_for_a_killed_writer(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with opened(path) as log:
        for number in (1, 2, 3):
            log.append_live(past(number), note={})
    folder = path / "generation-0001" / "manifests"
    for number in (2, 3):
        (folder / f"{number:012d}.json").unlink()
    before = files(path)
    with pytest.raises(LogError, match="manifests were lost"), opened(path):
        pass
    assert files(path) == before


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with opened(path) as log:
        log.append_live(past(1), note={})
    stranger = path / "generation-0001" / "segments" / "notes.tmp"
    stranger.write_text("mine")
    with opened(path):
        pass
    assert stranger.read_text() == "mine"
    assert numbers(path) == [1]
