"""JSON, JSONL and Parquet; how a format is recognised."""

import json
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Parsed, Rejected, SetAside
from connectors.source_settings import TableSource
from connectors.tables import Table

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
def test_rows_are_found_in_a_document(tmp_path: Path, document: object, tables: ModuleType) -> None:
    write_json(tmp_path, document)
    rows = tables.read(tmp_path, "t.json")
    assert tables.texts(rows) == ["bien", "mal"]
    assert [record.line for record, _ in rows] == [1, 2]


def test_the_longest_list_of_objects_is_taken_where_no_column_tells(
    tmp_path: Path, tables: ModuleType
) -> None:
    write_json(tmp_path, {"a": [{"x": 1}] * 2, "b": {"c": [{"y": 1}] * 3}})
    assert tables.rejections(tables.read(tmp_path, "t.json")) == [
        (line, "missing_column") for line in (1, 2, 3)
    ]


def test_a_lone_object_is_one_row(tmp_path: Path, tables: ModuleType) -> None:
    write_json(tmp_path, ROWS[0] | {"champs": [{"id": 1}, {"id": 2}]})
    assert tables.texts(tables.read(tmp_path, "t.json")) == ["bien"]


def test_rows_at_a_path(tmp_path: Path, tables: ModuleType) -> None:
    write_json(tmp_path, {"a": {"b": [{"liste": ROWS}]}, "c": ROWS * 3})
    assert tables.texts(tables.read(tmp_path, "t.json", rows="a.b.0.liste")) == ["bien", "mal"]
    assert tables.rejections(tables.read(tmp_path, "t.json", rows="a.z")) == [(0, "missing_rows")]


def test_dotted_paths_reach_inside(tmp_path: Path, tables: ModuleType) -> None:
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
    rows = tables.read(
        tmp_path,
        "t.json",
        columns={"text": "reponses.0.texte", "occurred_at": "quand.cree", "score": "reponses.0.note"},
        score={"worst": 1, "best": 5},
        perimeter="fr/{lieu.ville}",
    )
    assert tables.rejections(rows) == [(2, "missing_column"), (3, "bad_row"), (4, "missing_column")]
    first, last = tables.parsed(rows)
    # 1710250200 is 12 March 2024, 13:30 UTC.
    assert first == Parsed(datetime(2024, 3, 12, 13, 30, tzinfo=UTC), "fr/Lille", "bien", score=0.75)
    assert last == Parsed(datetime(2024, 3, 12, 13, 30, tzinfo=UTC), "fr/Lens", "à plat")


def test_items_that_are_no_objects(tmp_path: Path, tables: ModuleType) -> None:
    write_json(tmp_path, [ROWS[0], 3, "x", None, [1], ROWS[1]])
    rows = tables.read(tmp_path, "t.json")
    assert tables.rejections(rows) == [(line, "bad_row") for line in (2, 3, 4, 5)]
    assert tables.texts(rows) == ["bien", "mal"]


@pytest.mark.parametrize("content", ['{"a": [', "[" * 100_000, "[1" + "0" * 5000 + "]", '["a" "b"]', "x\x00"])
def test_malformed_json_is_one_rejection(tmp_path: Path, content: str, tables: ModuleType) -> None:
    (tmp_path / "t.json").write_text(content)
    assert tables.rejections(tables.read(tmp_path, "t.json")) == [(0, "unreadable_file")]


@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
@pytest.mark.parametrize("content", ["", " \n", "\ufeff"])
def test_an_empty_file_is_one_record_set_aside(
    tmp_path: Path, name: str, content: str, tables: ModuleType
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    [(record, outcome)] = tables.read(tmp_path, name)
    assert (record.line, outcome) == (0, SetAside("empty_file"))


def test_an_empty_list_has_no_records(tmp_path: Path, tables: ModuleType) -> None:
    (tmp_path / "t.json").write_text("[]", encoding="utf-8")
    assert tables.read(tmp_path, "t.json") == []


def test_values_json_cannot_carry_further(tmp_path: Path, tables: ModuleType) -> None:
    (tmp_path / "t.json").write_text(
        '[{"date": "2024-03-12", "avis": "a\\ud800b \\ud83d\\ude00", "id": NaN, "vigie:fault": "x"}]'
    )
    rows = tables.read(tmp_path, "t.json", columns={"text": "avis", "occurred_at": "date", "id": "id"})
    assert tables.parsed(rows)[0].text == "a\ufffdb 😀"
    assert json.dumps(rows[0][0].payload, ensure_ascii=False).encode()
    assert tables.parsed(rows)[0].own_id is None


def test_json_lines(tmp_path: Path, tables: ModuleType) -> None:
    lines = [json.dumps(ROWS[0]), "", "{bad", "[1, 2]", json.dumps(ROWS[1], ensure_ascii=False)]
    for name in ("t.jsonl", "t.ndjson", "t.json", "t"):
        (tmp_path / name).write_text("\r\n".join(lines), encoding="utf-8")
        rows = tables.read(tmp_path, name)
        assert tables.texts(rows) == ["bien", "mal"]
        assert tables.rejections(rows) == [(3, "bad_row"), (4, "bad_row")]
        assert [record.line for record, _ in rows] == [1, 3, 4, 5]


def test_json_detail_holds_no_content(tmp_path: Path, tables: ModuleType) -> None:
    (tmp_path / "t.jsonl").write_text('{"avis": "Camille Durand" "x"}\n')
    [(_, outcome)] = tables.read(tmp_path, "t.jsonl")
    assert outcome == Rejected("bad_row", "not JSON: Expecting ',' delimiter at line 1, column 27")


@settings(deadline=None, max_examples=80)
@given(content=st.binary(max_size=200) | st.text(st.sampled_from(list('{}[]",:\\u0d8 \n1ae')), max_size=200))
def test_any_bytes_as_json(content: bytes | str, tables: ModuleType) -> None:
    with TemporaryDirectory() as folder:
        for name in ("t.json", "t.jsonl"):
            Path(folder, name).write_bytes(content if isinstance(content, bytes) else content.encode())
            for record, outcome in tables.read(Path(folder), name):
                assert json.dumps(record.payload, ensure_ascii=False).encode()
                assert outcome


JSON_ROWS = st.lists(
    st.fixed_dictionaries({"date": st.just("2024-03-12"), "avis": st.text(min_size=1), "n": st.integers()}),
    min_size=1,
    max_size=8,
)


@settings(deadline=None, max_examples=50)
@given(rows=JSON_ROWS)
def test_json_rows_come_back(rows: list[dict[str, Any]], tables: ModuleType) -> None:
    with TemporaryDirectory() as folder:
        base = Path(folder)
        write_json(base, rows)
        (base / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert [record.payload for record, _ in tables.read(base, "t.json")] == rows
        assert [record.payload for record, _ in tables.read(base, "t.jsonl")] == rows


# --- Parquet ---------------------------------------------------------------------------------------------


def test_parquet_types(tmp_path: Path, tables: ModuleType) -> None:
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
    rows = tables.read(tmp_path, "t.parquet", **mapping)
    assert tables.rejections(rows) == [(4, "no_date")]
    assert [(event.occurred_at.isoformat(), event.own_id, event.score) for event in tables.parsed(rows)] == [
        ("2024-03-12T13:30:00+00:00", "1", 0.0),
        ("2024-03-12T14:30:00+00:00", "2", 0.5),
        ("2024-03-11T23:00:00+00:00", "3", 1.0),
    ]
    for record, _ in rows:
        assert json.dumps(record.payload)
    by_struct = tables.read(tmp_path, "t.parquet", perimeter="{lieu}", **mapping)
    assert tables.rejections(by_struct) == [(1, "bad_row"), (2, "bad_row"), (3, "bad_row"), (4, "no_date")]


def test_parquet_of_many_batches(tmp_path: Path, tables: ModuleType) -> None:
    frame = pl.DataFrame({"avis": [f"texte {i}" for i in range(10_000)], "date": ["2024-03-12"] * 10_000})
    frame.write_parquet(tmp_path / "t.parquet")
    rows = tables.read(tmp_path, "t.parquet")
    assert [record.line for record, _ in rows] == list(range(1, 10_001))
    assert tables.texts(rows) == frame["avis"].to_list()


def test_parquet_missing_column(tmp_path: Path, tables: ModuleType) -> None:
    pl.DataFrame({"Avis": ["x"]}).write_parquet(tmp_path / "t.parquet")
    assert tables.rejections(tables.read(tmp_path, "t.parquet")) == [(0, "missing_column")]


def test_damaged_parquet_is_one_rejection(tmp_path: Path, tables: ModuleType) -> None:
    pl.DataFrame({"avis": ["x"], "date": ["2024-03-12"]}).write_parquet(tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    for length in (4, 8, len(whole) // 2, len(whole) - 1):
        (tmp_path / "t.parquet").write_bytes(whole[:length])
        assert tables.rejections(tables.read(tmp_path, "t.parquet")) == [(0, "unreadable_file")]


# --- recognition -----------------------------------------------------------------------------------------


def test_formats_are_known_by_their_bytes(tmp_path: Path, tables: ModuleType) -> None:
    pl.DataFrame({"avis": ["parquet"], "date": ["2024-03-12"]}).write_parquet(tmp_path / "a.csv")
    tables.write_workbook(tmp_path / "b.csv", {"Avis": {1: ["date", "avis"], 2: ["2024-03-12", "classeur"]}})
    write_json(tmp_path, [{"date": "2024-03-12", "avis": "json"}], "c.data")
    (tmp_path / "d.xlsx").write_text("date;avis\n2024-03-12;csv\n")
    assert tables.texts(tables.read(tmp_path, ".")) == ["parquet", "classeur", "json", "csv"]


def test_a_zip_without_workbook_is_unreadable(tmp_path: Path, tables: ModuleType) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("avis.csv", "date,avis\n")
    assert tables.rejections(tables.read(tmp_path, "t.zip")) == [(0, "unreadable_file")]


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
