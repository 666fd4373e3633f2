"""Workbooks, JSON, JSONL and Parquet; how a format is recognised."""

import json
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Outcome, Parsed, Record, Rejected
from connectors.source_settings import TableSource
from connectors.tables import Table


def read(base: Path, path: str, **given: Any) -> list[tuple[Record, Outcome]]:
    plain: dict[str, Any] = {
        "kind": "table",
        "name": "avis",
        "path": path,
        "channel": "survey",
        "perimeter": "enseigne",
        "columns": {"text": "avis", "occurred_at": "date"},
    }
    source = Table(TableSource.model_validate(plain | given), base=base, zone="Europe/Paris")
    return [(record, source.parse(record)) for record in source.records()]


def texts(rows: list[tuple[Record, Outcome]]) -> list[str]:
    return [outcome.text for _, outcome in rows if isinstance(outcome, Parsed)]


def rejections(rows: list[tuple[Record, Outcome]]) -> list[tuple[int, str]]:
    return [(record.line, outcome.reason) for record, outcome in rows if isinstance(outcome, Rejected)]


def parsed(rows: list[tuple[Record, Outcome]]) -> list[Parsed]:
    return [outcome for _, outcome in rows if isinstance(outcome, Parsed)]


# --- workbooks -------------------------------------------------------------------------------------------

_CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
)
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
# Style 1 shows a number as a date and time (built-in format 22).
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>'
    "</styleSheet>"
)


def cell(place: str, value: object) -> str:
    """One cell: text, number, ("date", serial), ("formula", text) or ("error", code)."""
    if isinstance(value, tuple):
        kind, content = value
        if kind == "date":
            return f'<c r="{place}" s="1"><v>{content}</v></c>'
        if kind == "formula":
            return f'<c r="{place}" t="str"><f>CONCAT("x")</f><v>{content}</v></c>'
        return f'<c r="{place}" t="e"><v>{content}</v></c>'
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
    return f'<c r="{place}"><v>{value}</v></c>'


def write_workbook(path: Path, sheets: dict[str, dict[int, Sequence[object]]]) -> None:
    """Sheets of rows by row number; None leaves a cell out."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", _CONTENT_TYPES)
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="rId1" Type="{_OFFICE}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        listed = "".join(
            f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>'
            for number, name in enumerate(sheets, 1)
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
        )
        related = "".join(
            f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" '
            f'Target="worksheets/sheet{number}.xml"/>'
            for number in range(1, len(sheets) + 1)
        )
        styles = f'<Relationship Id="rId99" Type="{_OFFICE}/styles" Target="styles.xml"/>'
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{_PACKAGE}">{related}{styles}</Relationships>',
        )
        archive.writestr("xl/styles.xml", _STYLES)
        for number, rows in enumerate(sheets.values(), 1):
            drawn = "".join(
                f'<row r="{line}">'
                + "".join(
                    cell(f"{chr(65 + i)}{line}", value) for i, value in enumerate(cells) if value is not None
                )
                + "</row>"
                for line, cells in rows.items()
            )
            archive.writestr(
                f"xl/worksheets/sheet{number}.xml",
                f'<worksheet xmlns="{_MAIN}"><sheetData>{drawn}</sheetData></worksheet>',
            )


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


def test_workbook_cells(tmp_path: Path) -> None:
    write_workbook(tmp_path / "t.xlsx", {"Avis": SURVEY})
    rows = read(tmp_path, "t.xlsx", **SURVEY_MAPPING)
    assert [record.line for record, _ in rows] == [4, 6, 7]
    first, second, third = parsed(rows)
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


def test_named_sheet(tmp_path: Path) -> None:
    write_workbook(tmp_path / "t.xlsx", {"Notes": {1: ["x"]}, "Avis": SURVEY})
    assert len(read(tmp_path, "t.xlsx", sheet="Avis", **SURVEY_MAPPING)) == 3
    [(record, outcome)] = read(tmp_path, "t.xlsx", sheet="Autre", **SURVEY_MAPPING)
    assert record.line == 0
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "unreadable_file"
    assert "no sheet 'Autre'; found 'Notes', 'Avis'" in outcome.detail
    assert rejections(read(tmp_path, "t.xlsx", **SURVEY_MAPPING)) == [(0, "missing_column")]


def test_empty_sheet_has_no_records(tmp_path: Path) -> None:
    write_workbook(tmp_path / "t.xlsx", {"Avis": {}})
    assert read(tmp_path, "t.xlsx") == []


def test_workbook_without_header(tmp_path: Path) -> None:
    write_workbook(tmp_path / "t.xlsx", {"Avis": {1: ["2024-03-12", "bien"], 2: ["2024-03-13", "mal"]}})
    rows = read(tmp_path, "t.xlsx", header_rows=0, columns={"text": 2, "occurred_at": 1})
    assert texts(rows) == ["bien", "mal"]


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_damaged_workbook_is_one_rejection(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "t.xlsx")
        write_workbook(path, {"Avis": SURVEY})
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 8))):
            content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(4, len(content)))])
        for _, outcome in read(Path(folder), "t.xlsx", **SURVEY_MAPPING):
            assert outcome


# --- JSON ------------------------------------------------------------------------------------------------


def write_json(base: Path, document: object, name: str = "t.json") -> None:
    (base / name).write_text(json.dumps(document), encoding="utf-8")


ROWS = [{"date": "2024-03-12", "avis": "bien"}, {"date": "2024-03-13", "avis": "mal"}]


@pytest.mark.parametrize(
    "document",
    [
        ROWS,
        {"data": ROWS},
        {"meta": [{"x": 1}] * 5, "reponse": {"page": 1, "avis": ROWS}},
        {"a": [ROWS[:1], ROWS]},
    ],
)
def test_rows_are_found_in_a_document(tmp_path: Path, document: object) -> None:
    write_json(tmp_path, document)
    rows = read(tmp_path, "t.json")
    assert texts(rows) == ["bien", "mal"]
    assert [record.line for record, _ in rows] == [1, 2]


def test_the_longest_list_of_objects_is_taken_where_no_column_tells(tmp_path: Path) -> None:
    write_json(tmp_path, {"a": [{"x": 1}] * 2, "b": {"c": [{"y": 1}] * 3}})
    assert rejections(read(tmp_path, "t.json")) == [(line, "missing_column") for line in (1, 2, 3)]


def test_a_lone_object_is_one_row(tmp_path: Path) -> None:
    write_json(tmp_path, ROWS[0] | {"champs": [{"id": 1}, {"id": 2}]})
    assert texts(read(tmp_path, "t.json")) == ["bien"]


def test_rows_at_a_path(tmp_path: Path) -> None:
    write_json(tmp_path, {"a": {"b": [{"liste": ROWS}]}, "c": ROWS * 3})
    assert texts(read(tmp_path, "t.json", rows="a.b.0.liste")) == ["bien", "mal"]
    assert rejections(read(tmp_path, "t.json", rows="a.z")) == [(0, "unreadable_file")]


def test_dotted_paths_reach_inside(tmp_path: Path) -> None:
    document = [
        {
            "quand": {"cree": 1710250200},
            "reponses": [{"texte": "bien", "note": 4}],
            "lieu": {"ville": "Lille"},
        },
        {"quand": {"cree": 1710250200}, "reponses": [], "lieu": {"ville": "Lille"}},
        {"quand": {"cree": 1710250200}, "reponses": [{"texte": {"fr": "x"}}], "lieu": {"ville": "Lille"}},
        {"quand": {"cree": 1710250200}, "reponses": [{"texte": ["un", 2, None, True]}], "lieu": {}},
        {"quand.cree": "2024-03-12T13:30:00Z", "reponses.0.texte": "à plat", "lieu.ville": "Lens"},
    ]
    write_json(tmp_path, document)
    rows = read(
        tmp_path,
        "t.json",
        columns={"text": "reponses.0.texte", "occurred_at": "quand.cree", "score": "reponses.0.note"},
        score={"worst": 1, "best": 5},
        perimeter="fr/{lieu.ville}",
    )
    assert rejections(rows) == [(2, "missing_column"), (3, "bad_row"), (4, "no_perimeter")]
    first, last = parsed(rows)
    # 1710250200 is 12 March 2024, 13:30 UTC.
    assert first == Parsed(datetime(2024, 3, 12, 13, 30, tzinfo=UTC), "fr/Lille", "bien", score=0.75)
    assert last == Parsed(datetime(2024, 3, 12, 13, 30, tzinfo=UTC), "fr/Lens", "à plat")


def test_items_that_are_no_objects(tmp_path: Path) -> None:
    write_json(tmp_path, [ROWS[0], 3, "x", None, [1], ROWS[1]])
    rows = read(tmp_path, "t.json")
    assert rejections(rows) == [(line, "bad_row") for line in (2, 3, 4, 5)]
    assert texts(rows) == ["bien", "mal"]


@pytest.mark.parametrize("content", ['{"a": [', "[" * 100_000, "[1" + "0" * 5000 + "]", '["a" "b"]', "x\x00"])
def test_malformed_json_is_one_rejection(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.json").write_text(content)
    assert rejections(read(tmp_path, "t.json")) == [(0, "unreadable_file")]


def test_empty_json_has_no_records(tmp_path: Path) -> None:
    for content in ("", " \n", "[]", "\ufeff"):
        (tmp_path / "t.json").write_text(content, encoding="utf-8")
        assert read(tmp_path, "t.json") == []


def test_values_json_cannot_carry_further(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(
        '[{"date": "2024-03-12", "avis": "a\\ud800b \\ud83d\\ude00", "id": NaN, "vigie:fault": "x"}]'
    )
    rows = read(tmp_path, "t.json", columns={"text": "avis", "occurred_at": "date", "id": "id"})
    assert parsed(rows)[0].text == "a\ufffdb 😀"
    assert json.dumps(rows[0][0].payload, ensure_ascii=False).encode()
    assert parsed(rows)[0].own_id is None


def test_json_lines(tmp_path: Path) -> None:
    lines = [json.dumps(ROWS[0]), "", "{bad", "[1, 2]", json.dumps(ROWS[1], ensure_ascii=False)]
    for name in ("t.jsonl", "t.ndjson", "t.json", "t"):
        (tmp_path / name).write_text("\r\n".join(lines), encoding="utf-8")
        rows = read(tmp_path, name)
        assert texts(rows) == ["bien", "mal"]
        assert rejections(rows) == [(3, "bad_row"), (4, "bad_row")]
        assert [record.line for record, _ in rows] == [1, 3, 4, 5]


def test_json_detail_holds_no_content(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"avis": "Camille Durand" "x"}\n')
    [(_, outcome)] = read(tmp_path, "t.jsonl")
    assert outcome == Rejected("bad_row", "not JSON: Expecting ',' delimiter at line 1, column 27")


@settings(deadline=None, max_examples=80)
@given(content=st.binary(max_size=200) | st.text(st.sampled_from(list('{}[]",:\\u0d8 \n1ae')), max_size=200))
def test_any_bytes_as_json(content: bytes | str) -> None:
    with TemporaryDirectory() as folder:
        for name in ("t.json", "t.jsonl"):
            Path(folder, name).write_bytes(content if isinstance(content, bytes) else content.encode())
            for record, outcome in read(Path(folder), name):
                assert json.dumps(record.payload, ensure_ascii=False).encode()
                assert outcome


JSON_ROWS = st.lists(
    st.fixed_dictionaries({"date": st.just("2024-03-12"), "avis": st.text(min_size=1), "n": st.integers()}),
    max_size=8,
)


@settings(deadline=None, max_examples=50)
@given(rows=JSON_ROWS)
def test_json_rows_come_back(rows: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        base = Path(folder)
        write_json(base, rows)
        (base / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert [record.payload for record, _ in read(base, "t.json")] == rows
        assert [record.payload for record, _ in read(base, "t.jsonl")] == rows


# --- Parquet ---------------------------------------------------------------------------------------------


def test_parquet_types(tmp_path: Path) -> None:
    moment = datetime(2024, 3, 12, 14, 30)  # noqa: DTZ001 - naive on purpose
    marked = moment.replace(tzinfo=UTC)
    written = pa.table(
        {
            "naive": pa.array([moment, None, None, None], pa.timestamp("ns")),
            "aware": pa.array([None, marked, None, None], pa.timestamp("us", tz="Europe/Paris")),
            "jour": pa.array([None, None, date(2024, 3, 12), None], pa.date32()),
            "avis": pa.array(["un", "deux", "trois", "quatre"]).dictionary_encode(),
            "id": pa.array([1.0, 2.0, 3.0, None]),
            "note": pa.array([Decimal(1), Decimal(3), Decimal(5), None], pa.decimal128(6, 2)),
            "octets": pa.array([b"\xff", b"a", None, None]),
            "lieu": pa.array([{"ville": "Lille"}] * 4),
        }
    )
    pq.write_table(written, tmp_path / "t.parquet")
    mapping: dict[str, Any] = {
        "columns": {"text": "avis", "occurred_at": ["naive", "aware", "jour"], "id": "id", "score": "note"},
        "score": {"worst": 1, "best": 5},
    }
    rows = read(tmp_path, "t.parquet", **mapping)
    assert rejections(rows) == [(4, "no_date")]
    assert [(event.occurred_at.isoformat(), event.own_id, event.score) for event in parsed(rows)] == [
        ("2024-03-12T13:30:00+00:00", "1", 0.0),
        ("2024-03-12T14:30:00+00:00", "2", 0.5),
        ("2024-03-11T23:00:00+00:00", "3", 1.0),
    ]
    for record, _ in rows:
        assert json.dumps(record.payload)
    by_struct = read(tmp_path, "t.parquet", perimeter="{lieu}", **mapping)
    assert rejections(by_struct) == [(1, "bad_row"), (2, "bad_row"), (3, "bad_row"), (4, "no_date")]


def test_parquet_of_many_batches(tmp_path: Path) -> None:
    frame = pl.DataFrame({"avis": [f"texte {i}" for i in range(10_000)], "date": ["2024-03-12"] * 10_000})
    frame.write_parquet(tmp_path / "t.parquet")
    rows = read(tmp_path, "t.parquet")
    assert [record.line for record, _ in rows] == list(range(1, 10_001))
    assert texts(rows) == frame["avis"].to_list()


def test_parquet_missing_column(tmp_path: Path) -> None:
    pl.DataFrame({"Avis": ["x"]}).write_parquet(tmp_path / "t.parquet")
    assert rejections(read(tmp_path, "t.parquet")) == [(0, "missing_column")]


def test_damaged_parquet_is_one_rejection(tmp_path: Path) -> None:
    pl.DataFrame({"avis": ["x"], "date": ["2024-03-12"]}).write_parquet(tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    for length in (4, 8, len(whole) // 2, len(whole) - 1):
        (tmp_path / "t.parquet").write_bytes(whole[:length])
        assert rejections(read(tmp_path, "t.parquet")) == [(0, "unreadable_file")]


# --- recognition -----------------------------------------------------------------------------------------


def test_formats_are_known_by_their_bytes(tmp_path: Path) -> None:
    pl.DataFrame({"avis": ["parquet"], "date": ["2024-03-12"]}).write_parquet(tmp_path / "a.csv")
    write_workbook(tmp_path / "b.csv", {"Avis": {1: ["date", "avis"], 2: ["2024-03-12", "classeur"]}})
    write_json(tmp_path, [{"date": "2024-03-12", "avis": "json"}], "c.data")
    (tmp_path / "d.xlsx").write_text("date;avis\n2024-03-12;csv\n")
    assert texts(read(tmp_path, ".")) == ["parquet", "classeur", "json", "csv"]


def test_a_zip_without_workbook_is_unreadable(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("avis.csv", "date,avis\n")
    assert rejections(read(tmp_path, "t.zip")) == [(0, "unreadable_file")]


def test_a_file_that_cannot_be_opened_is_one_rejection(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("date,avis\n2024-03-12,bien\n")
    settings = {"kind": "table", "name": "avis", "path": ".", "channel": "survey", "perimeter": "enseigne"}
    columns = {"text": "avis", "occurred_at": "date"}
    source = Table(TableSource.model_validate(settings | {"columns": columns}), base=tmp_path, zone="UTC")
    records = source.records()
    next(records)
    (tmp_path / "b.csv").unlink()
    [last] = records
    assert (last.file, last.line) == ("b.csv", 0)
    assert source.parse(last) == Rejected("unreadable_file", "No such file or directory")
