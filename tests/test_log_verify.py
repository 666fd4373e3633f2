"""Verification: a whole log has no finding, each kind of damage has one clear line in the right place."""

import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import LogError
from connectors.events import TEXT
from connectors.log import EventLog, LogWriter, merkle
from tests import log_events
from tests.log_events import T0


def events(first: int, count: int) -> pa.Table:
    return log_events.events(first, count, text="texte {}".format)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Manifests 1 (history, 20 rows), 2 (a decision), 3 (live, 5 rows), 4 (a heartbeat)."""
    path = tmp_path / "log"
    with LogWriter(path, now=lambda: T0, randomness=bytes) as writer:
        writer.append_history(events(0, 20), loaded_at=T0, note={})
        writer.decide("settings", {"version": 1})
        writer.append_live(events(20, 5), note={})
        writer.heartbeat(T0 + timedelta(days=9))
    return path


def manifest(log: Path, seq: int) -> Path:
    return log / f"generation-0001/manifests/{seq:012d}.json"


def core(log: Path, seq: int) -> Path:
    return log / f"generation-0001/segments/{seq:012d}.core.parquet"


def text(log: Path, seq: int) -> Path:
    return log / f"generation-0001/segments/{seq:012d}.text.parquet"


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-50])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)


def change_text(file: Path) -> None:
    table = pq.read_table(file)
    changed = ["un autre texte", *table["text"].to_pylist()[1:]]
    pq.write_table(table.set_column(2, TEXT.field("text"), pa.array(changed)), file)


def shuffle_rows(file: Path) -> None:
    table = pq.read_table(file)
    pq.write_table(table.take(pa.array(range(table.num_rows - 1, -1, -1))), file)


def edit(old: str, new: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        content = file.read_text()
        assert old in content
        file.write_text(content.replace(old, new))

    return change


def test_a_whole_log_has_no_finding(log: Path) -> None:
    assert list(EventLog(log).verify()) == []


@pytest.mark.parametrize(
    ("file", "damage", "problem"),
    [
        (core, truncate, "its SHA-256 is not the one in its manifest"),
        (core, flip, "its SHA-256 is not the one in its manifest"),
        (core, Path.unlink, "cannot be read"),
        (text, truncate, "the segment is missing or damaged"),
        (text, Path.unlink, "the segment is missing or damaged"),
        (text, change_text, "the Merkle root of its rows is not the one in its manifest"),
        (text, shuffle_rows, "the event ids of row group 0 are not those of the core file"),
        (manifest, truncate, "not a manifest: it is not JSON: restore"),
        (manifest, edit('"max_grace_s":0,', ""), "not a manifest: it lacks `max_grace_s`: restore"),
        (manifest, edit('"max_grace_s":0', '"max_grace_s":[]'), "not a manifest: a value in it is not of"),
        (manifest, edit('"format":1', '"format":2'), "format 2, this version reads format 1"),
        (manifest, edit('"seq":3', '"seq":7'), "says generation 1, number 7: not those of its place"),
    ],
)
def test_each_damage_is_one_finding_that_names_the_file(
    log: Path, file: Callable[[Path, int], Path], damage: Callable[[Path], None], problem: str
) -> None:
    damaged = file(log, 3)
    damage(damaged)
    first, *rest = EventLog(log).verify()
    assert first.file == str(damaged)
    assert problem in first.problem
    assert "\n" not in str(first)
    # An altered manifest also breaks the link of the one after it, and only that.
    assert [finding.file for finding in rest] in ([], [str(manifest(log, 4))])
    assert not (rest and file is not manifest)


def test_a_flipped_bit_of_a_text_file_is_found_wherever_it_is_in_the_data(log: Path) -> None:
    file = text(log, 1)
    whole = file.read_bytes()
    [column] = [
        c for c in range(3) if pq.ParquetFile(file).metadata.row_group(0).column(c).path_in_schema == "text"
    ]
    place = pq.ParquetFile(file).metadata.row_group(0).column(column)
    for offset in range(place.data_page_offset, place.data_page_offset + place.total_compressed_size, 7):
        altered = bytearray(whole)
        altered[offset] ^= 4
        file.write_bytes(altered)
        findings = [finding.file for finding in EventLog(log).verify()]
        assert findings in ([str(file)], []), offset
        if not findings:
            # A bit of the page header that nothing depends on: every text is still read right.
            assert pq.read_table(file)["text"].to_pylist() == [f"texte {n}" for n in range(20)]


def test_an_altered_decision_breaks_the_next_link(log: Path) -> None:
    edit('"version":1', '"version":2')(manifest(log, 2))
    [finding] = EventLog(log).verify()
    assert finding.file == str(manifest(log, 3))
    assert "is not the SHA-256 of manifest 2, one of the two was altered" in finding.problem
    with pytest.raises(
        LogError, match=r"000000000003\.json: its `previous` is not the SHA-256 of manifest 2"
    ):
        list(EventLog(log).manifests())


def test_a_missing_manifest_is_named(log: Path) -> None:
    manifest(log, 2).unlink()
    [finding] = EventLog(log).verify()
    assert str(finding) == f"{manifest(log, 3)}: manifests 2 to 2 are missing before it"
    with pytest.raises(LogError, match=r"000000000002\.json: cannot be read"):
        _ = EventLog(log).rows
    with (
        pytest.raises(LogError, match=r"000000000002\.json: cannot be read"),
        LogWriter(log, now=lambda: T0),
    ):
        pass


def relink(log: Path, seq: int, change: Callable[[dict[str, object]], None]) -> None:
    """Alter a manifest and make every later link fit again, as a forger would."""
    for number in range(seq, 5):
        content = json.loads(manifest(log, number).read_bytes())
        if number == seq:
            change(content)
        else:
            content["previous"] = hashlib.sha256(manifest(log, number - 1).read_bytes()).hexdigest()
        manifest(log, number).write_text(json.dumps(content))


def test_a_clock_that_goes_back_is_found_though_the_hashes_fit(log: Path) -> None:
    relink(log, 4, lambda content: content.update(clock="2024-03-01T00:00:00.000000Z"))
    [finding] = EventLog(log).verify()
    assert str(finding) == f"{manifest(log, 4)}: its clock is behind the manifest before"


def test_an_index_that_is_not_that_of_the_rows_is_found(log: Path) -> None:
    def forge(content: dict[str, object]) -> None:
        segment = content["segment"]
        assert isinstance(segment, dict)
        segment["hours"] = [[segment["hours"][0][0], 20]]

    relink(log, 1, forge)
    [finding] = EventLog(log).verify()
    assert (
        "its manifest's index (hours, row groups, effective times, grace) is not that of its rows"
        in finding.problem
    )


def test_reading_a_damaged_segment_names_it(log: Path) -> None:
    reader = EventLog(log)
    [part] = reader.slices(max_rows=1000, zone="UTC")[:1]
    [piece] = reader.pieces(part)
    truncate(core(log, 1))
    with pytest.raises(LogError, match=r"000000000001\.core\.parquet: the segment is missing or damaged"):
        reader.read_piece(piece)
    with pytest.raises(LogError, match=r"000000000001\.core\.parquet: the segment is missing or damaged"):
        reader.known_ids()


# The test vectors of the Certificate Transparency reference implementation (RFC 6962): inputs and the
# roots of their first 1, 2, ... 8.
CT_INPUTS = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    leaf_hashes = [hashlib.sha256(b"\x00" + bytes.fromhex(entry)).digest() for entry in CT_INPUTS[:size]]
    assert merkle.root(leaf_hashes).hex() == CT_ROOTS[size - 1]


def rfc6962_root(entries: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, as it is written there: split at the largest power of two below n."""
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = 1 << (len(entries) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + rfc6962_root(entries[:split]) + rfc6962_root(entries[split:])).digest()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.text()),
        min_size=1,
        max_size=40,
    ),
    st.data(),
)
def test_the_root_of_salted_rows_is_the_tree_of_the_rfc(
    rows: list[tuple[bytes, bytes, str]], data: st.DataObject
) -> None:
    listed = [{"salt": salt, "event_id": event_id, "text": text} for salt, event_id, text in rows]
    batch = pa.RecordBatch.from_pylist(listed, schema=TEXT)
    start = data.draw(st.integers(0, len(rows) - 1))
    entries = [salt + event_id + text.encode() for salt, event_id, text in rows[start:]]
    assert merkle.root(merkle.leaves(batch.slice(start))) == rfc6962_root(entries)


def test_a_tree_needs_a_leaf() -> None:
    with pytest.raises(ValueError, match="at least one leaf"):
        merkle.root([])


def test_segments_that_no_manifest_names_are_found_and_readers_do_not_care(log: Path) -> None:
    manifest(log, 4).unlink()
    manifest(log, 3).unlink()
    findings = list(EventLog(log).verify())
    assert [finding.file for finding in findings] == [str(core(log, 3)), str(text(log, 3))]
    assert all("no manifest names this segment" in finding.problem for finding in findings)
    assert EventLog(log).rows == 20


def test_a_segment_beside_a_record_without_one_is_an_orphan(log: Path) -> None:
    shutil.copy(core(log, 3), core(log, 2))
    [finding] = EventLog(log).verify()
    assert finding.file == str(core(log, 2))


def test_a_damaged_manifest_still_names_its_segment(log: Path) -> None:
    truncate(manifest(log, 3))
    assert [finding.file for finding in EventLog(log).verify()] == [str(manifest(log, 3))]
