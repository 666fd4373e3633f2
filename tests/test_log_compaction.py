"""Compaction: the same rows at the same positions, provable without the old files, whole at any moment."""

import os
import pickle
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import LogError
from connectors.events import EVENT
from connectors.log import EventLog, LogWriter, compaction, segment
from connectors.log.compaction import compact

T0 = datetime(2024, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def events(*numbers: int, grace: timedelta = HOUR) -> pa.Table:
    """Events of these numbers: event n is admitted n hours after T0 and occurred up to two hours before."""
    rows = [
        {
            "event_id": (n + 100).to_bytes(16),
            "occurred_at": T0 + n * HOUR - (n % 3) * HOUR,
            "admitted_at": T0 + n * HOUR,
            "grace_s": int(grace.total_seconds()),
            "source": "enquete",
            "channel": "survey",
            "voice": "customer",
            "perimeter": f"r/{'nord' if n % 2 else 'sud'}",
            "score": n / 1000 if n % 4 else None,
            "author": (n % 5).to_bytes(16) if n % 5 else None,
            "language": "fr",
            "flags": 2 * (n % 2),
            "text": f"texte n° {n}",
        }
        for n in numbers
    ]
    return pa.Table.from_pylist(rows, schema=EVENT)


@contextmanager
def written(path: Path, first: int = 0, until: int = 30, *, now: datetime = T0) -> Iterator[LogWriter]:
    """A log of a history of two runs, then a live segment an hour, days closed up to the last."""
    with LogWriter(path, now=lambda: now) as log:
        if log.clock is None:
            for numbers in ((-30, -20), (-40,)):
                past = events(*numbers)
                past = past.set_column(1, EVENT.field("occurred_at"), past["admitted_at"])
                log.append_history(past, loaded_at=T0, note={})
            for number in range(first, until):
                log.append_live(events(number), note={"n": number})
                if number == 5:
                    log.decide("settings", {"version": "x"})
            log.heartbeat(T0 + until * HOUR + 3 * DAY)
        yield log


def content(log: EventLog) -> pa.Table:
    """All rows with their positions, in order of position."""
    batches = [
        log.read_piece(piece)
        for part in log.slices(max_rows=10, zone="Europe/Paris")
        for piece in log.pieces(part)
    ]
    return pa.Table.from_batches(batches).sort_by("position")


def says(_: str) -> None:
    raise AssertionError("nothing is to be told")


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.rglob("*.parquet"))


def test_days_are_merged_and_readers_see_the_same(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with written(path) as log:
        before, positions = EventLog(path), content(EventLog(path))["position"]
        merged = compact(log, zone="UTC", say=says)
    assert [len(manifest.segment.replaces) for manifest in merged if manifest.segment] == [24, 6]
    assert [manifest.rows for manifest in merged] == [0, 0]
    after = EventLog(path)
    assert content(after).equals(content(before))
    assert (after.rows, after.clock, after.closed_until()) == (
        before.rows,
        before.clock,
        before.closed_until(),
    )
    assert after.take(positions.to_pylist()).equals(before.take(positions.to_pylist()))
    assert len(after.known_ids()) == 33
    assert list(after.verify()) == []
    assert [note for m in after.manifests() if (note := m.note.get("n")) is not None] == list(range(30))
    with written(path) as log:
        assert compact(log, zone="UTC", say=says) == []


def test_only_closed_days_of_the_zone_are_merged(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with LogWriter(path, now=lambda: T0) as log:
        for number in range(40):
            log.append_live(events(number, grace=6 * HOUR), note={})
        log.heartbeat(T0 + 30 * HOUR)  # behind: changes nothing
        merged = compact(log, zone="UTC", say=says)
        assert [m.segment.rows for m in merged if m.segment] == [24]
        # Paris is an hour ahead: its day begins at 23 h UTC; closed up to 33 h, the one from 23 h is open.
        log.heartbeat(T0 + 47 * HOUR + 6 * HOUR)
        merged = compact(log, zone="Europe/Paris", say=says)
        assert [m.segment.rows for m in merged if m.segment] == [16]
    assert list(EventLog(path).verify()) == []


def test_merges_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MERGED_SEGMENTS", 10)
    with written(tmp_path / "log") as log:
        assert [m.segment.rows for m in compact(log, zone="UTC", say=says, most=1) if m.segment] == [10]
        assert [m.segment.rows for m in compact(log, zone="UTC", say=says) if m.segment] == [10, 4, 6]


def test_replaced_files_go_a_day_later_and_the_equality_is_still_proved(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with written(path) as log:
        compact(log, zone="UTC", say=says)
        expected = content(EventLog(path))
        assert log.remove_replaced(keep=DAY) == 0
    with written(path, now=T0 + DAY) as log:
        assert log.remove_replaced(keep=DAY) == 60
        assert log.remove_replaced(keep=DAY) == 0
    assert files(path) == [f"{n:012d}.{kind}.parquet" for n in (1, 2, 35, 36) for kind in ("core", "text")]
    assert content(EventLog(path)).equals(expected)
    assert list(EventLog(path).verify()) == []


@pytest.mark.parametrize("text", [True, False])
def test_a_reader_mid_way_finds_its_rows_where_they_are_now(
    tmp_path: Path, text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "GROUP_ROWS", 4)
    path = tmp_path / "log"
    with written(path) as log:
        reader = EventLog(path)
        plan = [piece for part in reader.slices(max_rows=9, zone="UTC") for piece in reader.pieces(part)]
        expected = [reader.read_piece(piece, text=text) for piece in plan]
        compact(log, zone="UTC", say=says)
        log.remove_replaced(keep=timedelta())
    far, travelled = pickle.loads(pickle.dumps((reader, plan)))
    assert [far.read_piece(piece, text=text).to_pylist() for piece in travelled] == [
        batch.to_pylist() for batch in expected
    ]


def test_a_follower_of_the_manifests_reads_each_event_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "GROUP_ROWS", 4)
    path = tmp_path / "log"
    with written(path) as log:
        expected = content(EventLog(path))
        compact(log, zone="UTC", say=says)
        log.remove_replaced(keep=timedelta())
    reader = EventLog(path)
    batches = [reader.read_piece(piece) for m in reader.manifests() for piece in reader.pieces_of(m.seq)]
    assert pa.Table.from_batches(batches).sort_by("position").equals(expected)


def test_a_later_generation_carries_merged_segments_and_merges_its_own_alone(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with written(path) as log:
        merged = compact(log, zone="UTC", say=says, most=1)
        opening = log.new_generation()
        assert opening.carries is not None
        assert merged[0].seq in opening.carries
        assert compact(log, zone="UTC", say=says) == []
        log.remove_replaced(keep=timedelta())
    for generation in (1, None):
        assert len(content(EventLog(path, generation=generation))) == 33
    assert list(EventLog(path).verify()) == []


def forge(path: Path, merged: int, change: Any) -> None:
    """Write a merged segment's files again, changed, with a manifest that describes them well."""
    import json

    from connectors.log.durable import write_whole
    from connectors.log.layout import core_path, manifest_path, text_path
    from connectors.log.manifest import Manifest, from_bytes, to_bytes
    from connectors.log.rows import read_groups

    log = EventLog(path)
    file = path / manifest_path(1, merged)
    old = from_bytes(file.read_bytes(), name="x")
    assert old.segment is not None
    table = change(read_groups(log._files, 1, merged, None, text=True))
    new = segment.write_segment(
        table,
        core=path / core_path(1, merged),
        text=path / text_path(1, merged),
        generation=1,
        seq=merged,
        live=True,
        salts=bytes(16 * table.num_rows),
        write=write_whole,
        replaces=old.segment.replaces,
    )
    fields = {name: getattr(old, name) for name in old.__dataclass_fields__}
    file.write_bytes(to_bytes(Manifest(**{**fields, "segment": new})))
    assert json.loads(file.read_bytes())["kind"] == "compaction"


def test_a_merge_that_changed_a_row_is_found_without_the_old_files(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with written(path) as log:
        (last, *_) = reversed(compact(log, zone="UTC", say=says))
        log.remove_replaced(keep=timedelta())
    forge(path, last.seq, lambda table: table)
    (finding,) = EventLog(path).verify()
    assert finding.problem == "the ids, salts or texts of its rows are not those of segment 28"


def test_a_merge_of_segments_apart_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with written(path) as log:
        first, _, third, *_ = (one for one in log.chain.segments if one.live)
        with pytest.raises(LogError, match="do not stand side by side"):
            log.merge(events(0, 2), salts=bytes(32), replaces=[first, third])


def test_a_damaged_segment_is_set_aside_and_the_others_merged(tmp_path: Path) -> None:
    path, told = tmp_path / "log", list[str]()
    with written(path) as log:
        victim = path / "generation-0001/segments/000000000013.text.parquet"
        victim.write_bytes(victim.read_bytes()[:-40])
        merged = compact(log, zone="UTC", say=told.append)
    assert [m.segment.rows for m in merged if m.segment] == [23, 6]
    assert len(told) == 1
    assert "segment 13 with its 1 events is set aside, the rest goes on" in told[0]
    log_read = EventLog(path)
    assert log_read.rows == 32
    assert list(log_read.skipped) == [13]
    assert list(log_read.verify()) == []


def snapshots(path: Path, into: Path, act: Any) -> list[Path]:
    """Copies of a log before each operation on its files that `act` makes, and after the last."""
    taken: list[Path] = []

    def take() -> None:
        copy = into / f"{len(taken):03d}"
        shutil.copytree(path, copy)
        taken.append(copy)

    def before(real: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            take()
            return real(*args, **kwargs)

        return run

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink"), (Path, "open")):
            patch.setattr(owner, name, before(getattr(owner, name)))
        act()
    take()
    return taken


def test_a_crash_at_any_point_leaves_a_whole_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with written(path, 21, 27) as log:
        expected = content(EventLog(path))

        def act() -> None:
            assert len(compact(log, zone="UTC", say=says)) == 2
            assert log.remove_replaced(keep=timedelta()) == 12

        copies = snapshots(path, tmp_path, act)
    # Two merges of 8 operations that write, others that read, 12 removals, and the sync of the folder.
    assert len(copies) > 30
    unnamed = 0
    for copy in copies:
        reader = EventLog(copy)
        assert content(reader).equals(expected)
        findings = list(reader.verify())
        assert all("no manifest names this segment" in finding.problem for finding in findings)
        unnamed += bool(findings)
        # The next writer cleans up and ends what was begun.
        with written(copy) as log:
            compact(log, zone="UTC", say=says)
            log.remove_replaced(keep=timedelta())
        assert list(EventLog(copy).verify()) == []
        assert content(EventLog(copy)).equals(expected)
        assert len(files(copy)) == 8
    assert unnamed


@settings(deadline=None, max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=12),
    most=st.integers(2, 6),
    group_rows=st.integers(1, 5),
    asked=st.randoms(use_true_random=False),
)
def test_any_log_reads_the_same_once_it_is_compacted(
    sizes: list[int],
    most: int,
    group_rows: int,
    asked: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("law") / "log"
    with pytest.MonkeyPatch.context() as patch, LogWriter(path, now=lambda: T0) as log:
        patch.setattr(segment, "GROUP_ROWS", group_rows)
        patch.setattr(compaction, "MERGED_SEGMENTS", most)
        number = 0
        for size in sizes:
            log.append_live(events(*range(number, number + size)), note={})
            number += size
        log.heartbeat(T0 + 10 * DAY)
        before = content(EventLog(path))
        compact(log, zone="UTC", say=says)
        log.remove_replaced(keep=timedelta())
        reader = EventLog(path)
        assert content(reader).equals(before)
        positions = asked.sample(before["position"].to_pylist(), number)
        assert reader.take(positions)["position"].to_pylist() == positions
        assert list(reader.verify()) == []
