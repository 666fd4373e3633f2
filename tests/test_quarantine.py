"""Quarantine: encrypted, expiring, the same record once, whole after a kill."""

import errno
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Record, Rejected
from connectors.errors import QuarantineError
from connectors.payloads import payload_from_json, payload_to_json
from connectors.quarantine import Quarantine
from connectors.secret import Secret

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
WHY = Rejected("bad_date", "'x' is not a date")
ROW = Record("avis.csv", 7, {"Date": "x", "Avis": "très bien"})


@pytest.fixture
def quarantine(tmp_path: Path) -> Quarantine:
    return Quarantine(tmp_path / "quarantine", Secret(bytes(32)))


def test_what_goes_in_comes_out(quarantine: Quarantine) -> None:
    mail = Record("a.mbox", 0, b"From \xff\x00")
    assert quarantine.add("avis", [(ROW, WHY), (mail, Rejected("bad_mail", "d"))], now=NOW) == 2
    first, second = quarantine.entries()
    assert (first.source, first.reason, first.detail, first.record) == ("avis", "bad_date", WHY.detail, ROW)
    assert second.record == mail
    assert first.quarantined_at == NOW
    assert first.expires_at == NOW + timedelta(days=30)
    assert quarantine.show(first.id) == quarantine.show(first.id[:8]) == first
    assert list(quarantine.entries("other")) == []


def test_the_same_record_is_one_entry(quarantine: Quarantine, tmp_path: Path) -> None:
    assert quarantine.add("avis", [(ROW, WHY), (ROW, WHY)], now=NOW) == 1
    assert quarantine.add("avis", [(ROW, Rejected("other", ""))], now=NOW + timedelta(days=1)) == 0
    again = Quarantine(tmp_path / "quarantine", Secret(bytes(32)))
    assert again.add("avis", [(ROW, WHY)], now=NOW + timedelta(days=2)) == 0
    others = [
        Record("autre.csv", 7, ROW.payload),
        Record("avis.csv", 8, ROW.payload),
        Record("avis.csv", 7, {}),
    ]
    assert again.add("avis", [(other, WHY) for other in others], now=NOW) == 3
    assert again.add("other", [(ROW, WHY)], now=NOW) == 1
    assert quarantine.add("other", [(ROW, WHY)], now=NOW) == 0  # sees what another object wrote
    assert len(list(quarantine.entries())) == 5


def test_expired_entries_are_purged(quarantine: Quarantine) -> None:
    later = Record("avis.csv", 8, {})
    quarantine.add("avis", [(ROW, WHY)], now=NOW)
    quarantine.add("avis", [(later, WHY)], now=NOW + timedelta(days=1))
    assert quarantine.purge(NOW + timedelta(days=30) - timedelta(microseconds=1)) == 0
    assert quarantine.purge(NOW + timedelta(days=30)) == 1
    assert [entry.record for entry in quarantine.entries()] == [later]
    assert quarantine.purge(NOW + timedelta(days=400)) == 1
    assert list(quarantine.folder.glob("*.jsonl")) == []


def test_removed_entries_are_gone_from_the_file(quarantine: Quarantine) -> None:
    quarantine.add("avis", [(ROW, WHY), (Record("avis.csv", 8, {}), WHY)], now=NOW)
    first, second = quarantine.entries()
    assert quarantine.remove([first.id, "unknown"]) == 1
    assert list(quarantine.entries()) == [second]
    (path,) = quarantine.folder.glob("*.jsonl")
    assert first.id not in path.read_text()
    assert quarantine.add("avis", [(ROW, WHY)], now=NOW) == 1


def test_nothing_to_purge_makes_no_folder(quarantine: Quarantine) -> None:
    assert quarantine.purge(NOW) == 0
    assert quarantine.remove(["x"]) == 0
    assert list(quarantine.entries()) == []
    assert not quarantine.folder.exists()


def test_files_hold_no_canary_in_clear(quarantine: Quarantine, canaries: ModuleType) -> None:
    record = Record(f"{canaries.AUTHOR}.eml", 3, {"texte": canaries.planted_text(), "agent": canaries.AGENT})
    quarantine.add("avis", [(record, Rejected("bad_date", canaries.planted_text()))], now=NOW)
    canaries.assert_no_canary(quarantine.folder)
    (entry,) = quarantine.entries()
    assert entry.record == record


def test_a_line_cut_by_a_kill_is_dropped_and_written_again(quarantine: Quarantine) -> None:
    other = Record("avis.csv", 8, {})
    quarantine.add("avis", [(ROW, WHY), (other, WHY)], now=NOW)
    (path,) = quarantine.folder.glob("*.jsonl")
    whole = path.read_bytes()
    for length in range(whole.index(b"\n") + 1, len(whole), 97):
        path.write_bytes(whole[:length])
        reopened = Quarantine(quarantine.folder, Secret(bytes(32)))
        assert [entry.record for entry in reopened.entries()] == [ROW]
        assert reopened.add("avis", [(ROW, WHY), (other, WHY)], now=NOW) == 1
        assert [entry.record for entry in reopened.entries()] == [ROW, other]


def test_another_key_or_a_changed_file_is_told(quarantine: Quarantine) -> None:
    quarantine.add("avis", [(ROW, WHY)], now=NOW)
    with pytest.raises(QuarantineError, match="another secret key"):
        list(Quarantine(quarantine.folder, Secret(bytes(31) + b"\1")).entries())
    (path,) = quarantine.folder.glob("*.jsonl")
    line = json.loads(path.read_text())
    path.write_text(json.dumps({**line, "expires_at": "2034-01-01T00:00:00+00:00"}) + "\n")
    with pytest.raises(QuarantineError, match="does not open"):
        list(quarantine.entries())
    path.write_text("nonsense\n")
    with pytest.raises(QuarantineError, match=r"2024-06-01\.jsonl:1: not an entry"):
        list(quarantine.entries())


def test_show_wants_one_entry(quarantine: Quarantine) -> None:
    quarantine.add("avis", [(ROW, WHY)], now=NOW)
    for unknown in ("", "zz"):
        with pytest.raises(QuarantineError, match="none begins with"):
            quarantine.show(unknown)


def test_a_full_disk_is_one_clear_error(quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("connectors.quarantine.os.fsync", full)
    with pytest.raises(QuarantineError, match="No space left on device"):
        quarantine.add("avis", [(ROW, WHY)], now=NOW)
    monkeypatch.undo()
    quarantine.add("avis", [(ROW, WHY)], now=NOW)
    assert len(list(quarantine.entries())) == 1


PAYLOADS: list[Any] = [
    b"\x00\xff",
    {},
    {"a": None, "b": True, "c": 1.5, "d": 10**30, "e": "é\ud800", "f": [1, {"g": "h"}]},
    {
        "day": date(2024, 3, 1),
        "at": datetime(2024, 3, 1, 12, 30, 0, 5, tzinfo=UTC),
        "naive": datetime(2024, 3, 1, 12),  # noqa: DTZ001 - spreadsheets hold such times
        "time": time(9, 30),
        "span": timedelta(days=1, microseconds=3),
        "price": Decimal("1.10"),
        "blob": b"x",
    },
    {"$date": "2024-03-01"},
    {"outer": {"$pairs": [["a", 1]]}},
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_payloads_come_back_as_they_were(payload: Any) -> None:
    back = payload_from_json(json.loads(json.dumps(payload_to_json(payload))))
    assert back == payload
    assert repr(back) == repr(payload)  # 1 is not True, a date is not a time


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.dates()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.text(), _JSON, max_size=4) | st.binary())
def test_any_payload_comes_back(payload: Any) -> None:
    assert repr(payload_from_json(json.loads(json.dumps(payload_to_json(payload))))) == repr(payload)


def test_a_payload_no_reader_makes_is_refused() -> None:
    with pytest.raises(TypeError, match="a payload holds a object"):
        payload_to_json({"x": object()})
