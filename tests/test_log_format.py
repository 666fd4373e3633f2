"""docs/event-log.md is enough to read and verify a log.

Everything down to the line of dashes follows the document with json, hashlib and pyarrow alone.
"""

import hashlib
import json
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_manifests(log: Path) -> list[dict[str, Any]]:
    """Every manifest in order, the chain checked."""
    files = sorted(log.glob("generation-*/manifests/*.json"), key=lambda file: int(file.stem))
    manifests: list[dict[str, Any]] = []
    previous, clock = None, None
    for number, file in enumerate(files, start=1):
        content = file.read_bytes()
        manifest = json.loads(content)
        assert content.endswith(b"}\n")
        assert manifest["format"] == 1
        assert manifest["seq"] == int(file.stem) == number
        assert manifest["generation"] == int(file.parts[-3].removeprefix("generation-"))
        assert manifest["previous"] == previous
        assert clock is None or manifest["clock"] >= clock
        rows = sum(group[0] for group in (manifest["segment"] or {}).get("row_groups", []))
        assert manifest["rows"] == (0 if manifest["kind"] == "compaction" else rows)
        assert (manifest["replaces"] is not None) == (manifest["kind"] == "compaction")
        assert rows == sum(count for _, count in manifest["replaces"] or [[0, rows]])
        previous, clock = hashlib.sha256(content).hexdigest(), manifest["clock"]
        manifests.append(manifest)
    return manifests


def visible(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The manifests whose segments the latest generation sees."""
    seen: list[dict[str, Any]] = []
    for manifest in manifests:
        if manifest["kind"] == "generation":
            seen = [manifests[seq - 1] for seq in manifest["carries"]]
        elif manifest["kind"] == "compaction":
            first, *_ = replaced = [seq for seq, _ in manifest["replaces"]]
            at = [one["seq"] for one in seen].index(first)
            assert [one["seq"] for one in seen[at : at + len(replaced)]] == replaced
            seen[at : at + len(replaced)] = [manifest]
        elif manifest["kind"] == "decision" and manifest["decision"]["kind"] == "skip":
            seen = [one for one in seen if one["seq"] != manifest["decision"]["payload"]["seq"]]
        elif manifest["segment"]:
            seen.append(manifest)
    return seen


def rows_hash(rows: list[dict[str, Any]]) -> str:
    """The hash of what a core's rows say, value by value."""
    found = hashlib.sha256()
    for name in [name for name in rows[0] if name != "position"]:
        values = [row[name] for row in rows]
        found.update(bytes(value is not None for value in values))
        if name in ("source", "channel", "voice", "perimeter", "language"):
            texts = [value.encode() for value in values]
            found.update(b"".join(len(text).to_bytes(4, "little") for text in texts) + b"".join(texts))
        elif name.endswith("_at"):
            instants = [(value - EPOCH) // timedelta(microseconds=1) for value in values]
            found.update(b"".join(instant.to_bytes(8, "little", signed=True) for instant in instants))
        elif name == "score":
            found.update(b"".join(struct.pack("<d", value or 0.0) for value in values))
        elif name in ("grace_s", "flags"):
            size = {"grace_s": 4, "flags": 2}[name]
            found.update(b"".join(value.to_bytes(size, "little") for value in values))
        else:
            found.update(b"".join(value or bytes(16) for value in values))
    return found.hexdigest()


def merkle_root(level: list[bytes]) -> bytes:
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [hashlib.sha256(b"\x01" + b"".join(p)).digest() if len(p) == 2 else p[0] for p in pairs]
    return level[0]


def effective_us(row: dict[str, Any]) -> int:
    earliest = row["admitted_at"] - timedelta(seconds=row["grace_s"])
    at: datetime = min(max(row["occurred_at"], earliest), row["admitted_at"])
    return (at - EPOCH) // timedelta(microseconds=1)


def read_segment(log: Path, manifest: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Position and row (with its text) of each event of a verified segment."""
    segment = manifest["segment"]
    stem = f"generation-{manifest['generation']:04d}/segments/{manifest['seq']:012d}"
    core_file, text_file = log / f"{stem}.core.parquet", log / f"{stem}.text.parquet"
    assert hashlib.sha256(core_file.read_bytes()).hexdigest() == segment["core_sha256"]
    assert hashlib.sha256(text_file.read_bytes()).hexdigest() == text_sha256(log, manifest)
    rows, texts = pq.read_table(core_file).to_pylist(), pq.read_table(text_file).to_pylist()
    leaves = [
        hashlib.sha256(b"\x00" + text["salt"] + text["event_id"] + text["text"].encode()).digest()
        if text.get("leaf") is None
        else text["leaf"]
        for text in texts
    ]
    assert merkle_root(leaves).hex() == segment["text_root"]
    assert rows_hash(rows) == segment["rows_sha256"]
    check_index(segment, rows, texts)
    for file in (core_file, text_file):
        metadata = pq.ParquetFile(file).metadata
        groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        assert groups == [group[0] for group in segment["row_groups"]]
    for number, (row, text) in enumerate(zip(rows, texts, strict=True)):
        assert row["event_id"] == text["event_id"]
        position = row.pop("position", manifest["seq"] << 32 | number)
        row["flags"] |= 0 if text.get("leaf") is None else 8
        yield position, {**row, "text": text["text"]}


def text_sha256(log: Path, manifest: dict[str, Any]) -> str:
    """Of the text file as it was written, or as the last erasure left it."""
    found: str = manifest["segment"]["text_sha256"]
    for other in read_manifests(log):
        if (other["decision"] or {}).get("kind") == "erased":
            found = dict(other["decision"]["payload"]["texts"]).get(manifest["seq"], found)
    return found


def check_index(segment: dict[str, Any], rows: list[dict[str, Any]], texts: list[dict[str, Any]]) -> None:
    times = [effective_us(row) for row in rows]
    hours = [at // 3_600_000_000 for at in times]
    assert segment["hours"] == [[hour, hours.count(hour)] for hour in sorted(set(hours))]
    assert segment["max_grace_s"] == max(row["grace_s"] for row in rows)
    stated = [datetime.fromisoformat(segment[key]) for key in ("first_effective", "last_effective")]
    assert stated == [EPOCH + timedelta(microseconds=at) for at in (min(times), max(times))]
    start = 0
    for count, first, last, size in segment["row_groups"]:
        inside = slice(start, start + count)
        assert (first, last) == (min(times[inside]), max(times[inside]))
        if all(text.get("leaf") is None for text in texts[inside]):
            assert size == sum(len(text["text"].encode()) for text in texts[inside])
        start += count


# ---------------------------------------------------------------------------------------------------------

from connectors.events import CORE, EVENT, TEXT  # noqa: E402
from connectors.log import EventLog, LogWriter, forget, segment  # noqa: E402
from connectors.log.compaction import compact  # noqa: E402

DOCUMENT = Path(__file__).parents[1] / "docs" / "event-log.md"
T0 = datetime(2024, 3, 1, tzinfo=UTC)


def event(number: int, *, delay_h: int = 0) -> dict[str, Any]:
    return {
        "event_id": hashlib.md5(bytes([number])).digest(),
        "occurred_at": T0 + timedelta(hours=number),
        "admitted_at": T0 + timedelta(hours=number + delay_h),
        "grace_s": 7200,
        "source": "avis",
        "channel": "survey",
        "voice": "customer",
        "perimeter": f"enseigne/nord/lille-{number % 3}",
        "score": number / 100 if number % 2 else None,
        "author": None,
        "agent": bytes([number]) * 16 if number % 5 == 0 else None,
        "language": "fr",
        "flags": 1,
        "text": f"déjà {number} fois œuvré " * (number % 4),
    }


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two generations, every kind of manifest, several row groups, late events."""
    monkeypatch.setattr(segment, "GROUP_ROWS", 4)
    path = tmp_path / "log"
    with LogWriter(path, now=lambda: T0) as writer:
        writer.append_history(table(*map(event, range(10, 23))), loaded_at=T0, note={"read": 13})
        writer.decide("settings", {"version": "é"})
        writer.append_live(table(event(30), event(29, delay_h=5)), note={})
        writer.heartbeat(T0 + timedelta(hours=40))
        writer.new_generation()
        writer.append_history(table(*map(event, range(5))), loaded_at=T0, note={"read": 5})
        writer.append_history(table(), loaded_at=T0, note={"read": 0})
        for number in (41, 42, 43):
            writer.append_live(table(event(number, delay_h=1)), note={})
        writer.heartbeat(T0 + timedelta(hours=400))
        compact(writer, zone="UTC", say=print)
        assert writer.remove_replaced(keep=timedelta()) == 6
    return path


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=EVENT)


def test_a_reader_that_follows_the_document_reads_and_verifies_a_log(log: Path) -> None:
    manifests = read_manifests(log)
    assert {manifest["kind"] for manifest in manifests} == {
        "history",
        "live",
        "heartbeat",
        "decision",
        "generation",
        "compaction",
    }
    found = {
        position: row for manifest in visible(manifests) for position, row in read_segment(log, manifest)
    }
    expected = [event(n) for n in (*range(10, 23), 30)] + [event(29, delay_h=5)]
    expected += [event(n, delay_h=1) for n in (41, 42, 43)]
    expected += [event(n) for n in range(5)]
    assert len(found) == len(expected)
    assert all(row in expected for row in found.values())
    # And it agrees with the log's own reader, positions included.
    taken = EventLog(log).take(sorted(found)).drop_columns(["position"])
    assert taken.to_pylist() == [found[position] for position in sorted(found)]


def test_a_reader_that_follows_the_document_reads_and_verifies_erased_texts(log: Path) -> None:
    before = {
        position: row for one in visible(read_manifests(log)) for position, row in read_segment(log, one)
    }
    gone = sorted(before)[::3]
    with LogWriter(log, now=lambda: T0) as writer:
        forget.erase(writer, np.array(gone), reason="asked", asked={}, seals={"cells.parquet": b"sealed"})
    *_, decision, done = read_manifests(log)
    payload = decision["decision"]["payload"]
    assert payload["events"] == len(gone)
    runs = [(seq, run) for seq, found in payload["rows"] for run in found]
    named = [seq << 32 | row for seq, (first, count) in runs for row in range(first, first + count)]
    assert named == gone
    assert done["decision"]["payload"]["erasure"] == decision["seq"]
    sealed = log / f"generation-{decision['generation']:04d}/seals/{decision['seq']:012d}.cells.parquet"
    assert hashlib.sha256(sealed.read_bytes()).hexdigest() == payload["seals"]["cells.parquet"]
    after = {
        position: row for one in visible(read_manifests(log)) for position, row in read_segment(log, one)
    }
    assert after == {
        position: {**row, "text": "", "flags": row["flags"] | 8} if position in gone else row
        for position, row in before.items()
    }
    taken = EventLog(log).take(sorted(after)).drop_columns(["position"])
    assert taken.to_pylist() == [after[position] for position in sorted(after)]


def test_a_sealed_generation_is_read_by_stopping_at_its_last_manifest(log: Path) -> None:
    sealed = [manifest for manifest in read_manifests(log) if manifest["generation"] == 1]
    rows = [row for manifest in visible(sealed) for _, row in read_segment(log, manifest)]
    assert len(rows) == EventLog(log, generation=1).rows == 15


def test_the_document_shows_the_keys_and_columns_that_are_written(log: Path) -> None:
    document = DOCUMENT.read_text()
    found = re.search(r"```json\n(.*?)```", document, re.DOTALL)
    assert found
    example, written = json.loads(found[1]), read_manifests(log)[2]
    assert list(example) == list(written)
    assert list(example["segment"]) == list(written["segment"])
    for name in [
        *example,
        *example["segment"],
        *CORE.names,
        *TEXT.names,
        "loaded_at",
        "run",
        "runs",
        "payload",
        "effective",
        "position",
    ]:
        assert f"`{name}`" in document, name


def test_the_documents_example_agrees_with_itself() -> None:
    found = re.search(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found
    example = json.loads(found[1])
    described = example["segment"]
    first, last = (datetime.fromisoformat(described[key]) for key in ("first_effective", "last_effective"))
    microseconds = [(at - EPOCH) // timedelta(microseconds=1) for at in (first, last)]
    assert described["row_groups"][0][1:3] == microseconds
    assert [hour for hour, _ in described["hours"]] == [at // 3_600_000_000 for at in microseconds]
    assert example["rows"] == described["row_groups"][0][0] == sum(rows for _, rows in described["hours"])


def test_segments_are_compressed_and_checked_page_by_page(log: Path) -> None:
    for file in log.glob("generation-*/segments/*.parquet"):
        group = pq.ParquetFile(file).metadata.row_group(0)
        assert {group.column(i).compression for i in range(group.num_columns)} == {"ZSTD"}
