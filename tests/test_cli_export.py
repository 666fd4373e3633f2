"""`vigie export`: the same rows whatever the kind of file, chosen by place and day, and nothing of a few."""

import csv
import json
import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from connectors.store import Store
from connectors.store.exports import EXPORTS


@pytest.fixture(scope="module")
def settings(shop: ModuleType, store_dsn: str, opened_store: Store) -> Iterator[Path]:
    """Of a shop that was replayed into the store."""
    assert opened_store.connection
    folder = Path(tempfile.mkdtemp(prefix="vigie-export-"))
    written = shop.write_shop(folder)
    with written.open("a", encoding="utf-8") as file:
        file.write(f"\n[store]\ndsn = {json.dumps(store_dsn)}\n")
    shop.run_json("ingest", "--settings", written)
    shop.run_json("replay", "--settings", written, "--engine", "plain")
    yield written
    shutil.rmtree(folder)


def exported(shop: ModuleType, settings: Path, what: str, to: Path, *options: str) -> list[dict[str, Any]]:
    """The rows of a JSONL export."""
    told = shop.run_json("export", what, "--settings", settings, "--to", to, *options)
    rows = [json.loads(line) for line in to.read_text("utf-8").splitlines()]
    assert told == {"file": str(to), "rows": len(rows), "columns": EXPORTS[what].schema.names}
    return rows


@pytest.mark.parametrize("what", list(EXPORTS))
def test_every_kind_of_file_holds_the_same_rows(
    shop: ModuleType, settings: Path, tmp_path: Path, what: str
) -> None:
    rows = exported(shop, settings, what, tmp_path / "out.jsonl")
    assert rows
    for name in ("out.parquet", "out.csv"):
        shop.run_json("export", what, "--settings", settings, "--to", tmp_path / name)
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.equals(EXPORTS[what].schema)
    plain = [
        {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
        for row in table.to_pylist()
    ]
    assert plain == rows
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = list(csv.DictReader(file))
    assert cells == [
        {name: "" if value is None else str(value) for name, value in row.items()} for row in rows
    ]


def test_signals_are_those_of_the_store_with_what_became_of_them(
    shop: ModuleType, settings: Path, tmp_path: Path
) -> None:
    listed = {row["signal_id"]: row for row in shop.run_json("signals", "--settings", settings)}
    shop.run_json("signals", "confirm", next(iter(listed)), "--by", "dana", "--settings", settings)
    rows = exported(shop, settings, "signals", tmp_path / "out.jsonl")
    assert {row["signal_id"]: row["label"] for row in rows} == {
        signal_id: row["label"] for signal_id, row in listed.items()
    }
    states = {row["signal_id"]: (row["state"], row["verdict"]) for row in rows}
    assert states[next(iter(listed))] == ("confirmed", "confirmed")
    assert "dana" not in (tmp_path / "out.jsonl").read_text("utf-8")


def test_events_are_shown_texts_and_tell_no_one(shop: ModuleType, settings: Path, tmp_path: Path) -> None:
    rows = exported(shop, settings, "events", tmp_path / "out.jsonl")
    assert {row["text"] for row in rows} <= {*shop.PLANTED, *shop.EVERYDAY}
    assert len(rows) >= shop.A_PLANTED_DAY
    assert not {"author", "agent", "event_id", "score"} & set(rows[0])
    # Days, not hours: midnight of the organisation's zone.
    assert all(row["at"].endswith(("T22:00:00+00:00", "T23:00:00+00:00")) for row in rows)


def test_excerpts_that_were_withheld_are_not_exported(
    shop: ModuleType, settings: Path, tmp_path: Path, raw: psycopg.Connection
) -> None:
    before = exported(shop, settings, "events", tmp_path / "out.jsonl")
    raw.execute(
        "CREATE TEMPORARY TABLE kept AS SELECT signal_id, event_id, excerpt FROM vigie.signal_evidence"
    )
    try:
        raw.execute("UPDATE vigie.signal_evidence SET excerpt = NULL")
        assert exported(shop, settings, "events", tmp_path / "out.jsonl") == []
    finally:
        raw.execute(
            "UPDATE vigie.signal_evidence AS evidence SET excerpt = kept.excerpt FROM kept"
            " WHERE (kept.signal_id, kept.event_id) = (evidence.signal_id, evidence.event_id)"
        )
        raw.execute("DROP TABLE kept")
    assert exported(shop, settings, "events", tmp_path / "out.jsonl") == before


def test_place_and_days_choose(shop: ModuleType, settings: Path, tmp_path: Path) -> None:
    to = tmp_path / "out.jsonl"
    everything = exported(shop, settings, "signals", to)
    assert exported(shop, settings, "signals", to, "--perimeter", "mag") == everything
    lille = exported(shop, settings, "signals", to, "--perimeter", "Lille centre")
    assert lille == [row for row in everything if row["perimeter"] == "mag/nord/lille"]
    assert exported(shop, settings, "signals", to, "--perimeter", "mag/nord/lens") == []
    assert exported(shop, settings, "signals", to, "--since", "2026-01-01") == []
    last = shop.FIRST_DAY + timedelta(shop.DAYS)
    assert exported(shop, settings, "signals", to, "--until", f"{last}") == everything
    assert exported(shop, settings, "signals", to, "--until", f"{shop.FIRST_DAY}") == []


def test_what_a_spreadsheet_would_run_is_defused(
    shop: ModuleType, settings: Path, tmp_path: Path, raw: psycopg.Connection
) -> None:
    raw.execute("UPDATE vigie.signal SET label = '=' || label")
    try:
        shop.run_json("export", "signals", "--settings", settings, "--to", tmp_path / "out.csv")
        rows = exported(shop, settings, "signals", tmp_path / "out.jsonl")
    finally:
        raw.execute("UPDATE vigie.signal SET label = ltrim(label, '=')")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = list(csv.DictReader(file))
    assert [cell["label"] for cell in cells] == [f"'{row['label']}" for row in rows]
    assert all(row["label"].startswith("=") for row in rows)


@pytest.mark.parametrize(
    ("options", "said", "code"),
    [
        (("signals", "--to", "out.xlsx"), "must end in .parquet, .csv, .jsonl", 2),
        (("signals", "--to", "nowhere/out.csv"), "there is no folder", 2),
        (("letters", "--to", "out.csv"), "letters", 2),
        (("signals", "--to", "out.csv", "--perimeter", "paris"), "must be a path of the tree", 2),
        (
            ("signals", "--to", "out.csv", "--since", "2025-03-02", "--until", "2025-03-01"),
            "before --since",
            2,
        ),
    ],
)
def test_what_cannot_be_done_is_told(
    shop: ModuleType,
    settings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    said: str,
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = shop.run("export", "--settings", settings, *options)
    assert result.exit_code == code
    assert said in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_without_a_store_nothing_is_written(shop: ModuleType, tmp_path: Path) -> None:
    written = shop.write_shop(tmp_path / "shop")
    result = shop.run("export", "signals", "--settings", written, "--to", tmp_path / "out.csv")
    assert result.exit_code == 5
    assert "there is no signal store yet" in result.stderr
    assert not (tmp_path / "out.csv").exists()
