"""`vigie check` tries rows: what the settings name and a source has not is a fault of the settings."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

HEAD = '[organisation]\nroot = "mag"\nname = "Mag"\n[[source]]\nname = "avis"\nchannel = "survey"\n'
TABLE = HEAD + 'kind = "table"\nperimeter = "{magasin}"\n'
COLUMNS = 'columns = { occurred_at = "date", text = "avis" }\n'
CSV = "date;magasin;texte\n01/02/2025;Lille;bien\n02/02/2025;Lens;mal\n"
ROWS = [{"date": "2025-02-01", "magasin": "Lille", "avis": "bien"}] * 2


def checked(folder: Path, settings: str, shop: ModuleType) -> tuple[int, list[str]]:
    (folder / "vigie.toml").write_text(settings, encoding="utf-8")
    result = shop.run("check", "--settings", folder / "vigie.toml")
    assert "the settings are right" not in result.stderr
    return result.exit_code, result.stderr.splitlines()


def fault(folder: Path, detail: str) -> tuple[int, list[str]]:
    return 2, [f'error: {folder / "vigie.toml"}: source[1], "avis": no row fits; {detail}']


def test_a_column_that_is_not_in_the_file(tmp_path: Path, shop: ModuleType) -> None:
    (tmp_path / "avis.csv").write_text(CSV, encoding="utf-8")
    (tmp_path / "a.csv").touch()
    assert checked(tmp_path, TABLE + 'path = "*.csv"\n' + COLUMNS, shop) == fault(
        tmp_path,
        "avis.csv: no column 'avis'; found 'date', 'magasin', 'texte'; correct columns.text or header_rows",
    )


def test_a_sheet_that_is_not_in_the_workbook(tmp_path: Path, shop: ModuleType, tables: ModuleType) -> None:
    tables.write_workbook(tmp_path / "avis.xlsx", {"Notes": {1: ["x"]}, "Avis": {1: ["y"]}})
    settings = TABLE + 'path = "avis.xlsx"\nsheet = "Autre"\n' + COLUMNS
    assert checked(tmp_path, settings, shop) == fault(
        tmp_path, "avis.xlsx: no sheet 'Autre'; found 'Notes', 'Avis'; correct sheet"
    )


@pytest.mark.parametrize(
    ("columns", "place", "detail"),
    [
        (
            'occurred_at = "quand", text = "avis"',
            '"{magasin}"',
            "avis.json:1: no column 'quand'; found 'date', 'magasin', 'avis'; correct columns.occurred_at",
        ),
        (
            'occurred_at = "date", text = ["titre", "corps"]',
            '"{magasin}"',
            "avis.json:1: no column 'titre', 'corps'; found 'date', 'magasin', 'avis'; correct columns.text",
        ),
        (
            'occurred_at = "date", text = "avis"',
            '"{ville}/{magasin}"',
            "avis.json:1: no column 'ville'; found 'date', 'magasin', 'avis'; correct perimeter",
        ),
    ],
)
def test_a_field_that_no_row_has(
    tmp_path: Path, shop: ModuleType, columns: str, place: str, detail: str
) -> None:
    (tmp_path / "avis.json").write_text(json.dumps(ROWS), encoding="utf-8")
    settings = HEAD + f'kind = "table"\npath = "avis.json"\nperimeter = {place}\ncolumns = {{ {columns} }}'
    assert checked(tmp_path, settings, shop) == fault(tmp_path, detail)


def test_a_list_that_is_not_in_the_document(tmp_path: Path, shop: ModuleType) -> None:
    (tmp_path / "avis.json").write_text(json.dumps({"reponses": ROWS}), encoding="utf-8")
    settings = TABLE + 'path = "avis.json"\nrows = "answers"\n' + COLUMNS
    assert checked(tmp_path, settings, shop) == fault(
        tmp_path, "avis.json: no list at 'answers'; found 'reponses'; correct rows"
    )


def test_a_field_that_no_letter_has(tmp_path: Path, shop: ModuleType) -> None:
    (tmp_path / "a.txt").write_text("Bonjour, le portillon est cassé.", encoding="utf-8")
    (tmp_path / "a.txt.json").write_text('{"date": "2025-02-01", "ville": "Lille"}', encoding="utf-8")
    settings = HEAD + 'kind = "letters"\npath = "*.txt"\nperimeter = "{magasin}"\n'
    assert checked(tmp_path, settings, shop) == fault(
        tmp_path,
        "a.txt: no field 'magasin' in the metadata; found 'date', 'ville'; correct perimeter or pattern",
    )


def lines(found: Sequence[str], start: str) -> list[str]:
    return [line for line in found if line.startswith(start)]


def test_other_reasons_are_told_by_their_first_row(tmp_path: Path, shop: ModuleType) -> None:
    (tmp_path / "avis.csv").write_text(CSV.replace("/02/", "/99/"), encoding="utf-8")
    code, found = checked(
        tmp_path, TABLE + 'path = "avis.csv"\n' + COLUMNS.replace('"avis"', '"texte"'), shop
    )
    assert code == 0
    (warning,) = lines(found, "warning: avis: 2 rows of 2: the date is not one")
    assert "; the first: avis.csv:2: column 'date': " in warning
    assert lines(found, "warning: no row of avis fits")


def test_where_some_rows_fit_what_is_missing_is_a_warning(tmp_path: Path, shop: ModuleType) -> None:
    (tmp_path / "avis.json").write_text(json.dumps([{"date": "2025-02-01"}, *ROWS]), encoding="utf-8")
    (tmp_path / "vigie.toml").write_text(TABLE + 'path = "avis.json"\n' + COLUMNS, encoding="utf-8")
    result = shop.run("check", "--settings", tmp_path / "vigie.toml")
    assert result.exit_code == 0
    assert "avis: 1 row of 3: a column that the settings name" in result.stderr
    assert "the first: avis.json:1: no column 'avis'; found 'date'; correct columns.text" in result.stderr
    assert "the settings are right" in result.stderr


def test_a_name_that_the_tree_does_not_know_is_redacted(tmp_path: Path, shop: ModuleType) -> None:
    settings = shop.write_shop(tmp_path)
    with (tmp_path / "avis.csv").open(encoding="utf-8") as file:
        head = file.readline()
    row = "x2;03/03/2025 10:15;{};rien;5;cliente\n"
    (tmp_path / "avis.csv").write_text(
        head + row.format("jeanne@exemple.fr") + row.format("Lille"), encoding="utf-8"
    )
    result = shop.run("check", "--settings", settings)
    assert result.exit_code == 0
    assert "the first: avis.csv:2: " in result.stderr
    assert "is not in the tree, or fits several; add it or an alias" in result.stderr
    assert "jeanne" not in result.stderr
