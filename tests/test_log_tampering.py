"""Whatever is flipped, dropped, swapped, cut or added anywhere in a log is found, and where it was."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.log import EventLog, LogWriter, segment
from connectors.log.compaction import compact
from connectors.log.segment_faults import Finding
from tests import log_events
from tests.log_events import T0


def events(first: int, count: int) -> pa.Table:
    return log_events.events(first, count, score=lambda n: n % 11 / 10)


@pytest.fixture(scope="module")
def whole() -> Iterator[Path]:
    """1: history, 20 rows in row groups of 8. 2: a decision. 3, 4: live, 6 rows each, merged by 6, whose
    files are gone. 5: a heartbeat. 7: live, 9 rows. 8: a heartbeat, the head."""
    folder = Path(tempfile.mkdtemp(prefix="vigie-tampering-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment, "GROUP_ROWS", 8)
        with LogWriter(folder / "log", now=lambda: T0) as log:
            log.append_history(events(0, 20), loaded_at=T0, note={})
            log.decide("settings", {"version": 1})
            log.append_live(events(20, 6), note={})
            log.append_live(events(26, 6), note={})
            log.heartbeat(T0 + timedelta(days=9))
            assert len(compact(log, zone="UTC", say=print)) == 1
            log.remove_replaced(keep=timedelta(0))
            log.append_live(events(300, 9), note={})
            log.heartbeat(T0 + timedelta(days=30))
    yield folder / "log"
    shutil.rmtree(folder)


@pytest.fixture
def log(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "log"))


def files_of(log: Path) -> list[Path]:
    return sorted(file for file in log.rglob("*") if file.suffix in (".json", ".parquet"))


def seq_of(file: Path) -> int:
    return int(file.name[:12])


def findings(log: Path, *, rows: bool = False) -> list[Finding]:
    return list(EventLog(log).verify(rows=rows))


def test_the_log_is_whole_by_hashes_and_by_rows(log: Path) -> None:
    assert findings(log) == findings(log, rows=True) == []


HEAD = 8


def assert_located(log: Path, file: Path) -> None:
    """The file that was touched is named, or the link after it where a manifest still reads as one.

    A head that still reads as one has no link after it: only its hash, kept elsewhere, tells.
    """
    found = findings(log)
    if file.suffix == ".json":
        assert {one.seq for one in found} & {seq_of(file), seq_of(file) + 1} or seq_of(file) == HEAD
    else:
        assert [one.file for one in found] == [str(file)]
        assert found[0].seq == seq_of(file)


def damaged(whole: Path, damage: Callable[[Path, Path], None], number: int) -> None:
    """Damage one file of a copy, and see it located."""
    with tempfile.TemporaryDirectory(prefix="vigie-tampered-") as folder:
        log = Path(shutil.copytree(whole, Path(folder) / "log"))
        files = files_of(log)
        file = files[number % len(files)]
        before, head = file.read_bytes(), EventLog(log).head_hash
        damage(log, file)
        if file.exists() and file.read_bytes() == before:
            return
        assert_located(log, file)
        if file.suffix == ".json" and seq_of(file) == HEAD and not findings(log):
            assert EventLog(log).head_hash != head


@settings(max_examples=120, deadline=None)
@given(number=st.integers(0, 99), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(whole: Path, number: int, place: float, bit: int) -> None:
    def flip(_: Path, file: Path) -> None:
        content = bytearray(file.read_bytes())
        content[int(place * len(content))] ^= 1 << bit
        file.write_bytes(content)

    damaged(whole, flip, number)


@settings(max_examples=60, deadline=None)
@given(number=st.integers(0, 99), keep=st.floats(0, 1, exclude_max=True), more=st.binary(min_size=1))
def test_any_cut_and_anything_added_is_found(whole: Path, number: int, keep: float, more: bytes) -> None:
    def cut(_: Path, file: Path) -> None:
        content = file.read_bytes()
        file.write_bytes(content[: int(keep * len(content))])

    def add(_: Path, file: Path) -> None:
        file.write_bytes(file.read_bytes() + more)

    damaged(whole, cut, number)
    damaged(whole, add, number)


@settings(max_examples=40, deadline=None)
@given(number=st.integers(0, 99), other=st.integers(0, 99))
def test_any_two_files_that_change_places_are_found(whole: Path, number: int, other: int) -> None:
    with tempfile.TemporaryDirectory(prefix="vigie-tampered-") as folder:
        log = Path(shutil.copytree(whole, Path(folder) / "log"))
        alike = [file for file in files_of(log) if file.suffix == files_of(log)[number % 10].suffix]
        one, two = alike[number % len(alike)], alike[other % len(alike)]
        first, second = one.read_bytes(), two.read_bytes()
        one.write_bytes(second)
        two.write_bytes(first)
        found = {finding.file for finding in findings(log)}
        assert (one == two) == (not found)
        assert one == two or {str(one), str(two)} <= found


def test_every_file_that_is_dropped_is_found(whole: Path) -> None:
    for number, file in enumerate(files_of(whole)):
        if seq_of(file) == HEAD:
            continue
        with tempfile.TemporaryDirectory(prefix="vigie-tampered-") as folder:
            log = Path(shutil.copytree(whole, Path(folder) / "log"))
            gone = files_of(log)[number]
            gone.unlink()
            found = findings(log)
            assert {one.seq for one in found} & {seq_of(file), seq_of(file) + 1}, file


def text(log: Path, seq: int) -> Path:
    return log / f"generation-0001/segments/{seq:012d}.text.parquet"


def core(log: Path, seq: int) -> Path:
    return log / f"generation-0001/segments/{seq:012d}.core.parquet"


def rewrite(file: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Write a file again as our writer would, row groups and all."""
    table = change(pq.read_table(file))
    with pq.ParquetWriter(file, table.schema, compression="zstd", write_page_checksum=True) as writer:
        for start in range(0, table.num_rows, 8):
            writer.write_table(table.slice(start, 8))


def test_a_row_group_that_cannot_be_read_is_told_by_its_rows(log: Path) -> None:
    file = text(log, 1)
    column = pq.ParquetFile(file).metadata.row_group(1).column(2)
    content = bytearray(file.read_bytes())
    content[column.data_page_offset + column.total_compressed_size - 3] ^= 1
    file.write_bytes(content)
    [found] = findings(log)
    assert (found.file, found.seq, found.rows) == (str(file), 1, (8, 15))
    assert str(found).startswith(f"{file}: rows 8 to 15: ")


def test_rows_that_changed_places_are_told_by_the_first(log: Path) -> None:
    rewrite(text(log, 1), lambda table: table.take([*range(10), 11, 10, *range(12, 20)]))
    [found] = findings(log)
    assert found.rows == (10, 10)
    assert "the event ids of row group 1 are not those of the core file" in found.problem


@pytest.mark.parametrize(("row", "part"), [(2, (0, 5)), (7, (6, 11))])
def test_a_merged_segment_tells_which_of_its_parts_was_altered(
    log: Path, row: int, part: tuple[int, int]
) -> None:
    def say_otherwise(table: pa.Table) -> pa.Table:
        texts = table["text"].to_pylist()
        texts[row] = "un autre texte"
        return table.set_column(2, table.schema.field("text"), pa.array(texts))

    rewrite(text(log, 6), say_otherwise)
    [found] = findings(log)
    assert (found.seq, found.rows) == (6, part)
    assert "a text, salt or id was altered" in found.problem


def test_a_core_with_another_score_is_told_by_its_part(log: Path) -> None:
    def score_otherwise(table: pa.Table) -> pa.Table:
        scores = table["score"].to_pylist()
        scores[8] = 0.95
        place = table.schema.get_field_index("score")
        return table.set_column(place, table.schema.field("score"), pa.array(scores))

    rewrite(core(log, 6), score_otherwise)
    [found] = findings(log)
    assert (found.file, found.rows) == (str(core(log, 6)), (6, 11))


def test_a_core_whose_rows_changed_places_is_told_by_the_first(log: Path) -> None:
    rewrite(core(log, 7), lambda table: table.take([0, 1, 2, 4, 3, 5, 6, 7, 8]))
    [found] = findings(log)
    assert found.rows == (3, 3)


@pytest.mark.parametrize(
    "change", [lambda table: table.slice(1), lambda table: pa.concat_tables([table] * 2)]
)
def test_rows_dropped_or_added_are_counted(log: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    rewrite(core(log, 7), change)
    [found] = findings(log)
    assert "rows were added or removed" in found.problem


def test_a_file_that_says_the_same_in_other_bytes_is_told_as_such(log: Path) -> None:
    for file in (core(log, 7), text(log, 7)):
        rewrite(file, lambda table: table)
    assert [found.problem for found in findings(log)] == [
        "its SHA-256 is not the one in its manifest, though its rows are as they were written"
    ] * 2
