"""Workbooks, their cells written by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Parsed, Rejected

SURVEY: dict[int, Sequence[object]] = {
    3: ["date", "avis", "id", "note"],
    4: [("date", 45363.5), "bien", 1234, 4],
    6: ["13/03/2024", ("formula", "assez bien"), 570306133677760513, ("error", "#DIV/0!")],
    7: [("date", 45365), None, "A-1", 5],
}
SURVEY_MAPPING: dict[str, Any] = {
    "columns": {"text": "avis", "occurred_at": "date", "id": "id", "score": "note"},
    "score": {"worst": 1, "best": 5},
}


def test_workbook_cells(tmp_path: Path, tables: ModuleType) -> None:
    tables.write_workbook(tmp_path / "t.xlsx", {"Avis": SURVEY})
    rows = tables.read(tmp_path, "t.xlsx", **SURVEY_MAPPING)
    assert [record.line for record, _ in rows] == [4, 6, 7]
    first, second, third = tables.parsed(rows)
    # Serial day 45363 is 12 March 2024: 19794 days after day 25569, 1 January 1970.
    assert first == Parsed(
        occurred_at=datetime(2024, 3, 12, 11, tzinfo=UTC),
        perimeter="enseigne",
        text="bien",
        own_id="1234",
        score=0.75,
    )
    assert (second.text, second.score) == ("assez bien", None)
    assert second.own_id is None  # a double cannot hold eighteen digits
    assert (third.text, third.score, third.own_id) == ("", 1.0, "A-1")


def test_named_sheet(tmp_path: Path, tables: ModuleType) -> None:
    tables.write_workbook(tmp_path / "t.xlsx", {"Notes": {1: ["x"]}, "Avis": SURVEY})
    assert len(tables.read(tmp_path, "t.xlsx", sheet="Avis", **SURVEY_MAPPING)) == 3
    [(record, outcome)] = tables.read(tmp_path, "t.xlsx", sheet="Autre", **SURVEY_MAPPING)
    assert record.line == 0
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "missing_sheet"
    assert outcome.detail == "no sheet 'Autre'; found 'Notes', 'Avis'; correct sheet"
    assert tables.rejections(tables.read(tmp_path, "t.xlsx", **SURVEY_MAPPING)) == [(0, "missing_column")]


def test_empty_sheet_has_no_records(tmp_path: Path, tables: ModuleType) -> None:
    tables.write_workbook(tmp_path / "t.xlsx", {"Avis": {}})
    assert tables.read(tmp_path, "t.xlsx") == []


def test_workbook_without_header(tmp_path: Path, tables: ModuleType) -> None:
    tables.write_workbook(
        tmp_path / "t.xlsx", {"Avis": {1: ["2024-03-12", "bien"], 2: ["2024-03-13", "mal"]}}
    )
    rows = tables.read(tmp_path, "t.xlsx", header_rows=0, columns={"text": 2, "occurred_at": 1})
    assert tables.texts(rows) == ["bien", "mal"]


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_damaged_workbook_is_one_rejection(data: st.DataObject, tables: ModuleType) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "t.xlsx")
        tables.write_workbook(path, {"Avis": SURVEY})
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 8))):
            content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(4, len(content)))])
        for _, outcome in tables.read(Path(folder), "t.xlsx", **SURVEY_MAPPING):
            assert outcome
