"""Retrying quarantined rows: what a fix lets through leaves for the log, the rest stays."""

import shutil
from pathlib import Path
from types import ModuleType

import pytest

from connectors.log import EventLog


@pytest.fixture
def settings(tmp_path: Path, shop: ModuleType) -> Path:
    path: Path = shop.write_shop(tmp_path)
    assert shop.run("ingest", "--settings", path).exit_code == 0
    return path


def reasons(settings: Path, shop: ModuleType) -> list[str]:
    return sorted(entry["reason"] for entry in shop.run_json("quarantine", "list", "--settings", settings))


def test_a_fix_lets_a_row_through_and_the_rest_stays(settings: Path, shop: ModuleType) -> None:
    (settings.parent / "perimeters.csv").write_text(shop.TREE + "mag/idf/paris,Paris,\n", encoding="utf-8")
    result = shop.run("quarantine", "retry", "--settings", settings)
    assert result.exit_code == 0, result.stderr
    row = next(line.split() for line in result.stdout.splitlines() if line.split()[:1] == ["avis"])
    assert row == ["avis", "2", "1", "0", "0", "1"]
    assert EventLog(settings.parent / "log").rows == shop.EVENTS + 1
    assert reasons(settings, shop) == ["bad_date"]


def test_only_the_rows_named_are_tried(settings: Path, shop: ModuleType) -> None:
    (settings.parent / "perimeters.csv").write_text(shop.TREE + "mag/idf/paris,Paris,\n", encoding="utf-8")
    entries = shop.run_json("quarantine", "list", "--settings", settings)
    (bad_date,) = (entry["id"] for entry in entries if entry["reason"] == "bad_date")
    tried = shop.run_json("quarantine", "retry", bad_date[:8], "--settings", settings)
    assert (tried["total"]["read"], tried["total"]["quarantined"]) == (1, 1)
    assert reasons(settings, shop) == ["bad_date", "unknown_perimeter"]


def test_rows_of_a_source_that_is_gone_are_named(settings: Path, shop: ModuleType) -> None:
    settings.write_text(shop.SETTINGS.replace('name = "avis"', 'name = "enquete"'), encoding="utf-8")
    result = shop.run("quarantine", "retry", "--settings", settings)
    assert result.exit_code == 0
    assert "warning: 2 entries cannot be tried: no source is called avis any more" in result.stderr
    assert "there was nothing to try again" in result.stderr
    assert len(reasons(settings, shop)) == 2


def test_listing_an_empty_quarantine_makes_no_key(tmp_path: Path, shop: ModuleType) -> None:
    settings = shop.write_shop(tmp_path)
    assert shop.run_json("quarantine", "list", "--settings", settings) == []
    assert shop.run_json("quarantine", "purge", "--settings", settings) == {"purged": 0}
    assert not (tmp_path / "secret").exists()


@pytest.mark.parametrize("command", ["show", "retry"])
def test_looking_up_an_entry_where_there_is_none_makes_no_key(
    tmp_path: Path, shop: ModuleType, command: str
) -> None:
    settings = shop.write_shop(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    result = shop.run("quarantine", command, "abcd", "--settings", settings)
    assert result.exit_code == 7
    assert "abcd: there is no such entry: quarantine is empty" in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_entries_kept_under_a_lost_key_get_no_new_one(settings: Path, shop: ModuleType) -> None:
    for folder in ("log", "secret"):
        shutil.rmtree(settings.parent / folder)
    result = shop.run("quarantine", "list", "--settings", settings)
    assert "was written with a key: put the key file back" in result.stderr
    assert not (settings.parent / "secret").exists()


def test_rows_alike_are_listed_together_and_the_first_of_many(tmp_path: Path, shop: ModuleType) -> None:
    settings: Path = shop.write_shop(tmp_path)
    header = "id;date;magasin;avis;note;client"
    rows = [f"n{number};03/03/2025;Nulle part {number};Bien.;6;" for number in range(12)]
    (tmp_path / "avis.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    assert shop.run("ingest", "--settings", settings).exit_code == 0
    result = shop.run("quarantine", "list", "--settings", settings)
    heading, *told = result.stdout.splitlines()
    assert heading.startswith("avis: 12 rows: the perimeter is not in the tree")
    ids = [entry["id"][:8] for entry in shop.run_json("quarantine", "list", "--settings", settings)]
    assert [line.split()[0] for line in told[:10]] == ids[:10]
    assert told[10:] == ["  and 2 more", ""]
    assert "2 rows left out: --all lists them" in result.stderr
    every = shop.run("quarantine", "list", "--all", "--settings", settings)
    assert [line.split()[0] for line in every.stdout.splitlines()[1:-1]] == ids
    assert "left out" not in every.stderr
