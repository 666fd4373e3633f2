"""Reading the log: slices, pieces, positions, known ids, locations, and the laws they keep."""

import pickle
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import LogError
from connectors.events import CORE, EVENT, effective_at
from connectors.log import EventLog, KnownIds, LogWriter, plan, segment, writer

T0 = datetime(2024, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BASE = {
    "source": "enquete",
    "channel": "survey",
    "voice": "customer",
    "perimeter": "enseigne/nord",
    "score": 0.25,
    "language": "fr",
    "flags": 0,
}
Row = tuple[int, datetime, datetime, int]
"""Number, occurred_at, admitted_at, grace in seconds."""


def events(rows: list[Row]) -> pa.Table:
    listed = [
        {
            **BASE,
            "event_id": n.to_bytes(16),
            "occurred_at": occurred,
            "admitted_at": admitted,
            "grace_s": grace,
            "author": (n % 3).to_bytes(16) if n % 3 else None,
            "text": f"texte n° {n}",
        }
        for n, occurred, admitted, grace in rows
    ]
    return pa.Table.from_pylist(listed, schema=EVENT)


def past(first: int, count: int, step: timedelta = HOUR) -> pa.Table:
    times = [T0 + n * step for n in range(first, first + count)]
    return events([(first + i, at, at, 0) for i, at in enumerate(times)])


def opened(path: Path) -> LogWriter:
    return LogWriter(path, now=lambda: T0)


def effective(row: Row) -> datetime:
    _, occurred, admitted, grace = row
    return min(max(occurred, admitted - timedelta(seconds=grace)), admitted)


@contextmanager
def small_groups() -> Iterator[Path]:
    """A folder, with row groups, runs and pieces of a few rows, so that small logs cross their bounds."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(segment, "GROUP_ROWS", 3)
        patch.setattr(plan, "PIECE_ROWS", 7)
        patch.setattr(writer, "RUN_ROWS", 10)
        yield Path(folder) / "log"


def read_all(log: EventLog, *, max_rows: int = 1000, zone: str = "UTC") -> pa.Table:
    batches = [
        log.read_piece(piece)
        for part in log.slices(max_rows=max_rows, zone=zone)
        for piece in log.pieces(part)
    ]
    return pa.Table.from_batches(batches)


def test_effective_time_follows_the_rule() -> None:
    rows = [
        (1, T0, T0, 3600),  # admitted when it happened
        (2, T0 - HOUR / 2, T0, 3600),  # within its grace: counts where it happened
        (3, T0 - 5 * HOUR, T0, 3600),  # later than that: the earliest instant still open
        (4, T0 + HOUR, T0, 3600),  # never in the future of its admission
    ]
    assert effective_at(events(rows)).to_pylist() == [T0, T0 - HOUR / 2, T0 - HOUR, T0]


ROWS = st.lists(
    st.tuples(st.integers(0, 24 * 40), st.integers(0, 24 * 12), st.sampled_from([0, 3600, 3 * 86400])),
    max_size=40,
)
ZONES = st.sampled_from(["UTC", "Europe/Paris", "America/St_Johns", "Asia/Kolkata", "America/Sao_Paulo"])


@settings(max_examples=40, deadline=None)
@given(
    history=ROWS,
    live=ROWS,
    cuts=st.lists(st.integers(0, 40), max_size=4),
    max_rows=st.integers(1, 30),
    zone=ZONES,
    reload=st.booleans(),
)
def test_any_split_reads_the_same_rows_and_slices_partition_them(
    history: list[tuple[int, int, int]],
    live: list[tuple[int, int, int]],
    cuts: list[int],
    max_rows: int,
    zone: str,
    reload: bool,
) -> None:
    old = [(n, T0 + at * HOUR, T0 + at * HOUR, grace) for n, (at, _, grace) in enumerate(history)]
    arrivals = sorted(T0 + (41 * 24 + at) * HOUR for at, _, _ in live)
    new = [
        (1000 + n, admitted - delay * HOUR, admitted, grace)
        for n, (admitted, (_, delay, grace)) in enumerate(zip(arrivals, live, strict=True))
    ]
    with small_groups() as path:
        with opened(path) as log:
            log.append_history(events(old[: len(old) // 2]), loaded_at=T0, note={})
            if not reload:
                log.append_history(events(old[len(old) // 2 :]), loaded_at=T0, note={})
            bounds = [0, *sorted(min(cut, len(new)) for cut in cuts), len(new)]
            for start, end in pairwise(bounds):
                log.append_live(events(new[start:end]), note={})
            if reload:
                log.new_generation()
                log.append_history(events(old[len(old) // 2 :]), loaded_at=T0, note={})
        reader = EventLog(path)
        check_partition(reader, old + new, max_rows=max_rows, zone=zone)
        assert list(reader.verify()) == []


def check_partition(log: EventLog, rows: list[Row], *, max_rows: int, zone: str) -> None:
    slices = log.slices(max_rows=max_rows, zone=zone)
    assert all(before.end == after.start for before, after in pairwise(slices))
    positions: list[int] = []
    ids: list[bytes] = []
    for part in slices:
        for bound in (part.start, part.end):
            local = bound.astimezone(ZoneInfo(zone))
            assert (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0)
        batches = [log.read_piece(piece) for piece in log.pieces(part)]
        for batch in batches:
            assert batch.schema.names == [*EVENT.names, "position"]
            assert all(part.start <= at < part.end for at in effective_at(batch).to_pylist())
            positions += batch["position"].to_pylist()
            ids += batch["event_id"].to_pylist()
    assert Counter(ids) == Counter(row[0].to_bytes(16) for row in rows)
    assert len(set(positions)) == len(rows) == log.rows
    expected = {row[0].to_bytes(16): row for row in rows}
    taken = log.take(positions)
    assert taken["event_id"].to_pylist() == ids
    assert taken["text"].to_pylist() == [f"texte n° {expected[event_id][0]}" for event_id in ids]
    assert [effective(expected[event_id]) for event_id in ids] == effective_at(taken).to_pylist()


@settings(max_examples=25, deadline=None)
@given(counts=st.lists(st.integers(0, 9), min_size=1, max_size=25), max_rows=st.integers(1, 12))
def test_a_slice_holds_more_than_max_rows_only_if_one_day_does(counts: list[int], max_rows: int) -> None:
    rows = [
        (100 * day + n, T0 + day * DAY + n * HOUR, T0 + day * DAY + n * HOUR, 0)
        for day, count in enumerate(counts)
        for n in range(count)
    ]
    with small_groups() as path:
        with opened(path) as log:
            log.append_history(events(rows), loaded_at=T0, note={})
        slices = EventLog(path).slices(max_rows=max_rows, zone="UTC")
    per_day = {T0 + day * DAY: count for day, count in enumerate(counts) if count}
    assert sum(part.rows for part in slices) == len(rows)
    for part in slices:
        inside = [count for day, count in per_day.items() if part.start <= day < part.end]
        assert part.rows == sum(inside)
        assert part.rows <= max_rows or len(inside) == 1
    # No two neighbours could have been one slice.
    for before, after in pairwise(slices):
        next_day = min(day for day in per_day if day >= after.start)
        assert before.rows + per_day[next_day] > max_rows


def test_slices_begin_where_civil_days_do_even_when_clocks_change(tmp_path: Path) -> None:
    # Clocks went forward in Paris on 31 March 2024: that civil day has 23 hours.
    times = [datetime(2024, 3, 30, 12, tzinfo=UTC), datetime(2024, 3, 31, 12, tzinfo=UTC)]
    with opened(tmp_path / "log") as log:
        log.append_history(events([(n, at, at, 0) for n, at in enumerate(times)]), loaded_at=T0, note={})
    slices = EventLog(tmp_path / "log").slices(max_rows=1, zone="Europe/Paris")
    assert [(part.start, part.end) for part in slices] == [
        (datetime(2024, 3, 29, 23, tzinfo=UTC), datetime(2024, 3, 30, 23, tzinfo=UTC)),
        (datetime(2024, 3, 30, 23, tzinfo=UTC), datetime(2024, 3, 31, 22, tzinfo=UTC)),
    ]


def test_a_day_begins_at_the_change_where_clocks_skip_midnight(tmp_path: Path) -> None:
    # In Sao Paulo clocks went from 00:00 to 01:00 on 4 November 2018, at 03:00 UTC.
    at = datetime(2018, 11, 4, 3, tzinfo=UTC)
    with opened(tmp_path / "log") as log:
        log.append_history(events([(1, at, at, 0)]), loaded_at=T0, note={})
    [part] = EventLog(tmp_path / "log").slices(max_rows=1, zone="America/Sao_Paulo")
    assert part.start == at
    assert part.end.astimezone(ZoneInfo("America/Sao_Paulo")).date() == date(2018, 11, 5)


def test_slices_need_room_for_a_row(tmp_path: Path) -> None:
    with opened(tmp_path / "log"):
        pass
    with pytest.raises(ValueError, match="max_rows is 0; it must be at least 1"):
        EventLog(tmp_path / "log").slices(max_rows=0, zone="UTC")


def test_small_segments_are_read_together_and_big_ones_in_parts() -> None:
    with small_groups() as path:
        with opened(path) as log:
            for number in range(5):
                log.append_live(past(number, 1), note={})
        [part] = EventLog(path).slices(max_rows=100, zone="UTC")
        assert [len(piece.parts) for piece in EventLog(path).pieces(part)] == [5]
    with small_groups() as path:
        with opened(path) as log:
            log.append_history(past(0, 10), loaded_at=T0, note={})
        [part] = EventLog(path).slices(max_rows=100, zone="UTC")
        assert [(len(piece.parts), piece.rows) for piece in EventLog(path).pieces(part)] == [(1, 6), (1, 4)]


def test_pieces_name_only_row_groups_that_may_hold_the_slice() -> None:
    with small_groups() as path:
        with opened(path) as log:
            log.append_history(past(0, 9, step=8 * HOUR), loaded_at=T0, note={})
        log_read = EventLog(path)
        parts = [
            piece.parts for part in log_read.slices(max_rows=1, zone="UTC") for piece in log_read.pieces(part)
        ]
    assert [(part.first_group, part.groups, part.whole) for [part] in parts] == [
        (0, 1, True),
        (1, 1, True),
        (2, 1, True),
    ]


def test_a_piece_travels_and_is_read_without_texts(tmp_path: Path) -> None:
    with opened(tmp_path / "log") as log:
        log.append_history(past(0, 3), loaded_at=T0, note={})
    reader = EventLog(tmp_path / "log")
    [piece] = reader.pieces(reader.slices(max_rows=10, zone="UTC")[0])
    far, travelled = pickle.loads(pickle.dumps((reader, piece)))
    (tmp_path / "log/generation-0001/segments/000000000001.text.parquet").unlink()
    batch = far.read_piece(travelled, text=False)
    assert batch.schema == pa.schema([*CORE, pa.field("position", pa.int64(), nullable=False)])
    assert batch["position"].to_pylist() == [(1 << 32) | row for row in range(3)]
    with pytest.raises(LogError, match=r"000000000001\.text\.parquet: the segment is missing or damaged"):
        far.read_piece(travelled)


def test_a_reader_keeps_its_view_until_it_is_refreshed(tmp_path: Path) -> None:
    with opened(tmp_path / "log") as log:
        log.append_live(past(0, 2), note={})
        reader = EventLog(tmp_path / "log")
        assert reader.rows == 2
        log.append_live(past(2, 3), note={})
        log.new_generation()
        log.append_live(past(5, 1), note={})
        assert reader.rows == 2
        reader.refresh()
        assert reader.rows == 6
        assert [manifest.seq for manifest in reader.manifests(from_seq=3)] == [3, 4]
        sealed = EventLog(tmp_path / "log", generation=1)
        assert sealed.rows == 5
        sealed.refresh()
        assert sealed.rows == 5
        with pytest.raises(LogError, match="there is no generation 3, the latest is 2"):
            EventLog(tmp_path / "log", generation=3).refresh()


def test_take_keeps_the_order_asked_and_refuses_what_is_not_there(tmp_path: Path) -> None:
    with opened(tmp_path / "log") as log:
        log.append_history(past(0, 3), loaded_at=T0, note={})
        log.decide("settings", {})
        log.append_live(past(3, 2), note={})
    reader = EventLog(tmp_path / "log")
    asked = [(3 << 32) | 1, 1 << 32, 3 << 32, (1 << 32) | 2, 1 << 32]
    taken = reader.take(asked)
    assert taken["position"].to_pylist() == asked
    assert taken["text"].to_pylist() == [f"texte n° {n}" for n in (4, 0, 3, 2, 0)]
    assert reader.take([]).schema == taken.schema
    with pytest.raises(LogError, match="no segment has number 2"):
        reader.take([2 << 32])
    with pytest.raises(LogError, match="row 3 was asked for, the segment has 3"):
        reader.take([(1 << 32) | 3])


def test_a_log_is_read_from_other_file_systems(tmp_path: Path) -> None:
    with opened(tmp_path / "log") as log:
        log.append_history(past(0, 5), loaded_at=T0, note={})
    expected = read_all(EventLog(tmp_path / "log"))
    assert read_all(EventLog((tmp_path / "log").as_uri())).equals(expected)
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "log"), "/copied", recursive=True)
    try:
        far = EventLog("memory://copied")
        assert read_all(far).equals(expected)
        assert list(far.verify()) == []
        with pytest.raises(LogError, match="memory://nothing: there is no event log here"):
            EventLog("memory://nothing").refresh()
    finally:
        memory.rm("/copied", recursive=True)
    with pytest.raises(LogError, match="nope://x: cannot open this kind of location"):
        EventLog("nope://x").refresh()


def test_an_absent_log_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="there is no event log here"):
        _ = EventLog(tmp_path / "absent").rows


def test_an_empty_log_reads_as_empty(tmp_path: Path) -> None:
    with opened(tmp_path / "log"):
        pass
    log = EventLog(tmp_path / "log")
    assert (log.head, log.clock, log.rows, log.has_live, log.closed_until()) == (None, None, 0, False, None)
    assert len(log.known_ids()) == 0


def ids(*values: int) -> pa.Array:
    return pa.array([value.to_bytes(16) for value in values], pa.binary(16))


def test_known_ids_are_those_of_the_visible_events(tmp_path: Path) -> None:
    with opened(tmp_path / "log") as log:
        log.append_history(past(0, 3), loaded_at=T0, note={})
        log.append_live(past(3, 2), note={})
    known = EventLog(tmp_path / "log").known_ids()
    assert len(known) == 5
    assert known.contains(ids(4, 5, 0)).tolist() == [True, False, True]


# Few distinct halves, so that ids share their first or last 8 bytes.
IDS = st.builds(
    lambda high, low: (high << 64) | low,
    st.sampled_from([0, 1, 1 << 56, (1 << 63) + 5, (1 << 64) - 1]),
    st.integers(0, 12),
)


@settings(max_examples=100, deadline=None)
@given(batches=st.lists(st.lists(IDS, max_size=30), max_size=8), asked=st.lists(IDS, max_size=40))
def test_known_ids_behave_as_a_set(batches: list[list[int]], asked: list[int]) -> None:
    known, model = KnownIds(), set[int]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("connectors.log.ids._RECENT", 10)
        for batch in batches:
            known.add(pa.chunked_array([ids(*batch), ids(*batch[:3])]))
            model.update(batch)
            assert len(known) == len(model)
            assert known.contains(ids(*asked)).tolist() == [value in model for value in asked]


def test_known_ids_take_few_bytes_each() -> None:
    random = np.random.default_rng(5)
    count, batch = 1_000_000, 100_000
    tracemalloc.start()
    known = KnownIds()
    for _ in range(count // batch):
        known.add(
            pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(16), batch, [None, pa.py_buffer(random.bytes(16 * batch))]
            )
        )
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(known) == count
    assert held < 24 * count


def test_known_ids_refuse_other_widths_and_missing_ids() -> None:
    with pytest.raises(ValueError, match=r"event ids are fixed_size_binary\[8\]"):
        KnownIds().add(pa.array([b"8 octets"], pa.binary(8)))
    with pytest.raises(ValueError, match="1 values are missing"):
        KnownIds().contains(pa.array([None], pa.binary(16)))
