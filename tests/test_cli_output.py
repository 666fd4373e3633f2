"""What commands print: tables where they fit, a line a cell where they do not."""

import pytest

from pipelines.cli.output import print_table

COLUMNS = {"id": "left", "rows": "right", "why": "wrap"}


def test_a_table_that_fits_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, [("a1", "3", "mot " * 60)])
    headings, _, first, *_ = capsys.readouterr().out.strip().splitlines()
    assert headings.split() == ["id", "rows", "why"]
    assert first.split()[:3] == ["a1", "3", "mot"]


def test_a_table_that_does_not_fit_keeps_every_cell_whole(capsys: pytest.CaptureFixture[str]) -> None:
    long = "chemin/" * 40
    print_table(COLUMNS, [("a1", long, "mot"), ("a2", "", "é\x1b[31m")])
    assert capsys.readouterr().out == f"id: a1\nrows: {long}\nwhy: mot\n\nid: a2\nwhy: é\ufffd[31m\n\n"


def test_a_table_without_rows_has_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, [])
    assert capsys.readouterr().out.split()[:3] == ["id", "rows", "why"]
