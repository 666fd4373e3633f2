"""Faults of windows, encodings, DSNs and trees, told among the others."""

import datetime as dt
from pathlib import Path

import pytest

from pipelines.settings import load_settings
from tests.test_settings_faults import GOOD, found

SOURCE = """
[[source]]
name = "a"
kind = "mail"
path = "."
perimeter = "x"
"""


def test_windows_encodings_and_dsns_are_faults_among_the_others(tmp_path: Path) -> None:
    content = (
        GOOD
        + '[privacy]\nmin_authors = 2\n[store]\ndsn = "mysql://vigie:canari-42@h/x"'
        + SOURCE
        + 'encoding = "utf-88"\nwindow = { first = 2025-02-01, last = 2025-01-31 }'
    )
    faults = found(tmp_path, content)
    assert len(faults) == 4
    assert faults[0].startswith("privacy.min_authors is 2;")
    assert faults[1].startswith('store.dsn is "mysql://..."; the store\'s dsn cannot be understood')
    assert "postgresql://user:password@host:port/database" in faults[1]
    assert faults[2] == (
        "source[1].window: first is 2025-02-01, last is 2025-01-31; first must not be after last"
    )
    assert faults[3] == (
        'source[1].encoding is "utf-88"; must be an encoding such as utf-8 or cp1252; '
        "without the key it is found"
    )
    assert not any("canari" in fault for fault in faults)


@pytest.mark.parametrize(
    "dsn", ["here", "password=canari-42 x", "postgresql://u:canari-42/x@h/d", "a\\u0000b"]
)
def test_a_dsn_that_is_none_is_not_repeated(tmp_path: Path, dsn: str) -> None:
    (fault,) = found(tmp_path, GOOD + f'[store]\ndsn = "{dsn}"')
    assert fault.startswith("store.dsn")
    assert "write postgresql://" in fault
    assert "canari" not in fault


@pytest.mark.parametrize("dsn", ["", "postgres://h/d", "postgresql://u@h:5433/d", "host=h dbname=d"])
def test_dsns_that_the_driver_takes(tmp_path: Path, dsn: str) -> None:
    file = tmp_path / "vigie.toml"
    file.write_text(GOOD + f'[store]\ndsn = "{dsn}"', encoding="utf-8")
    assert load_settings(file).store.dsn == dsn


@pytest.mark.parametrize("encoding", ["", "base64", "idna", "a\\u0000b", "é"])
def test_what_is_no_encoding_of_text_is_refused(tmp_path: Path, encoding: str) -> None:
    (fault,) = found(tmp_path, GOOD + SOURCE + f'encoding = "{encoding}"')
    assert fault.startswith("source[1].encoding is")


def test_a_window_of_one_day_or_without_end_is_right(tmp_path: Path) -> None:
    for window in ("first = 2025-01-01, last = 2025-01-01", "first = 2025-01-01"):
        file = tmp_path / "vigie.toml"
        file.write_text(GOOD + SOURCE + f"window = {{ {window} }}", encoding="utf-8")
        assert load_settings(file).source[0].window.first == dt.date(2025, 1, 1)


def test_faults_of_the_tree_stand_beside_those_of_the_form(tmp_path: Path) -> None:
    tree = tmp_path / "tree.csv"
    tree.write_text("perimeter,aliases\ne,\ne/a,x\ne/b,X\ne/a,\nf,\n", encoding="utf-8")
    content = GOOD + 'tree = "tree.csv"\n[privacy]\nmin_authors = 2'
    form, *others = found(tmp_path, content)
    assert form.startswith("privacy.min_authors is 2;")
    assert [fault.split(";")[0] for fault in others] == [
        f"{tree}:4: alias 'x' is already on line 3",
        f"{tree}:5: perimeter e/a is already on line 3",
        f"{tree}:6: a second root 'f', the first is 'e'",
    ]
    tree.write_text("perimeter\nf\n", encoding="utf-8")
    (_, other) = found(tmp_path, content)
    assert other == f"{tree}: the tree's root is 'f' but organisation.root is 'e'; they must be the same"
