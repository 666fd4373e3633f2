"""Files from configured paths, text from bytes, paths from templates."""

import codecs
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from connectors.contract import Rejected
from connectors.errors import SourceError
from connectors.files import decode, expand, is_there, relative_name
from connectors.source_settings import SourceSettings
from connectors.sources import open_sources
from connectors.template import Template

WELL_KNOWN = ["utf-8", "latin-1", "cp1252", "utf-16", "utf-7", "shift_jis", "iso2022_jp", "ascii"]
WRONG = ["", "x-unknown", "unicode_escape", "idna", "base64", "rot13", "mbcs", "a\0b", "é", "../utf-8"]


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")


def names(base: Path, paths: list[Path]) -> list[str]:
    return [relative_name(base, path) for path in paths]


def test_a_folder_gives_its_files_by_path(tmp_path: Path) -> None:
    make(tmp_path, "in/b.csv", "in/a/z.csv", "in/a/y.CSV", "in/c.txt", "in/.hidden.csv", "in/.git/d.csv")
    assert names(tmp_path, expand(tmp_path, "in", suffixes=frozenset({".csv"}))) == [
        "in/a/y.CSV",
        "in/a/z.csv",
        "in/b.csv",
    ]
    assert len(expand(tmp_path, "in")) == 4


def test_locks_of_office_are_no_files_and_dead_links_are_told(tmp_path: Path) -> None:
    make(tmp_path, "in/avis.xlsx", "in/~$avis.xlsx", "~$named.csv")
    (tmp_path / "in" / "z.xlsx").symlink_to("gone.xlsx")
    (tmp_path / "in" / "y.txt").symlink_to("y.txt")
    for pattern in ("in", "in/*", "**/*.xlsx"):
        found = names(tmp_path, expand(tmp_path, pattern, suffixes=frozenset({".xlsx"})))
        assert found == ["in/avis.xlsx", "in/z.xlsx"]
    assert names(tmp_path, expand(tmp_path, "in")) == ["in/avis.xlsx", "in/y.txt", "in/z.xlsx"]
    assert names(tmp_path, expand(tmp_path, "~$named.csv")) == ["~$named.csv"]


@pytest.mark.parametrize(
    "kind",
    [
        {"kind": "mail"},
        {"kind": "letters"},
        {"kind": "table", "channel": "survey", "columns": {"text": "t", "occurred_at": "d"}},
    ],
)
def test_a_dead_link_is_one_row_that_cannot_be_read(tmp_path: Path, kind: dict[str, Any]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "lien.txt").symlink_to("gone.txt")
    settings = TypeAdapter(SourceSettings).validate_python(
        {"name": "a", "path": "in", "perimeter": "e"} | kind
    )
    (opened,) = open_sources([settings], base=tmp_path, zone="UTC")
    (record,) = opened.source.records()
    outcome = opened.source.parse(record)
    assert isinstance(outcome, Rejected)
    assert outcome.reason in opened.source.reasons
    assert (record.file, record.line) == ("in/lien.txt", 0)


def test_a_file_named_outright_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    make(tmp_path, "avis [2024].txt")
    assert expand(tmp_path, "avis [2024].txt", suffixes=frozenset({".csv"})) == [tmp_path / "avis [2024].txt"]


def test_globs_reach_files_and_folders_once(tmp_path: Path) -> None:
    make(tmp_path, "x/1/a.csv", "x/2/b.csv", "x/2/c.txt")
    csv = frozenset({".csv"})
    assert names(tmp_path, expand(tmp_path, "x/*/*.csv", suffixes=csv)) == ["x/1/a.csv", "x/2/b.csv"]
    assert names(tmp_path, expand(tmp_path, "x/**", suffixes=csv)) == ["x/1/a.csv", "x/2/b.csv"]
    assert names(tmp_path, expand(tmp_path, str(tmp_path / "x" / "?"), suffixes=csv)) == [
        "x/1/a.csv",
        "x/2/b.csv",
    ]


def test_maildir_subfolders_are_not_hidden(tmp_path: Path) -> None:
    make(tmp_path, "box/cur/1", "box/.Sent/cur/2", "box/.cache/3")
    assert names(tmp_path, expand(tmp_path, "box")) == ["box/.Sent/cur/2", "box/cur/1"]


@pytest.mark.parametrize("pattern", ["nowhere", "nowhere/*.csv", "in/*.nothing"])
def test_no_such_place_is_an_error_that_names_it(tmp_path: Path, pattern: str) -> None:
    make(tmp_path, "in/a.csv")
    with pytest.raises(SourceError, match="path") as error:
        expand(tmp_path, pattern)
    assert pattern in str(error.value)


@pytest.mark.parametrize(
    ("pattern", "there"),
    [("a", True), ("a/b.txt", True), ("**/*.txt", True), ("a/*.pdf", False), ("c", False), ("~/d", True)],
)
def test_whether_a_place_is_there_is_known_without_listing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, there: bool
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    make(tmp_path, "a/b.txt", "home/d/e.txt")
    assert is_there(tmp_path, pattern) is there
    if there:
        assert expand(tmp_path, pattern)
    else:
        with pytest.raises(SourceError):
            expand(tmp_path, pattern)


def test_an_empty_folder_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert expand(tmp_path, "in") == []


def test_names_are_relative_even_outside_the_base(tmp_path: Path) -> None:
    assert relative_name(tmp_path / "a", tmp_path / "b" / "c.csv") == "../b/c.csv"


@pytest.mark.parametrize(
    ("data", "encoding", "text", "used"),
    [
        ("déjà".encode(), None, "déjà", "utf-8"),
        ("déjà".encode("cp1252"), None, "déjà", "cp1252"),
        ("l’été à Noël — “oui” 5 €".encode("cp1252"), None, "l’été à Noël — “oui” 5 €", "cp1252"),
        (codecs.BOM_UTF8 + "déjà".encode(), "latin-1", "déjà", "utf-8"),
        (codecs.BOM_UTF16_LE + "déjà".encode("utf-16-le"), None, "déjà", "utf-16-le"),
        ("déjà".encode(), "latin-1", "déjà", "utf-8"),
        ("déjà".encode("latin-1"), "us-ascii", "déjà", "cp1252"),
        ("déjà".encode("latin-1"), "utf-8", "déjà", "utf-8+cp1252"),
        (b"L\x92eau", "iso-8859-1", "L’eau", "cp1252"),
        (b"L\xc2\x92eau", None, "L’eau", "utf-8"),
        ("こんにちは".encode("iso2022_jp"), None, "こんにちは", "iso2022_jp_2"),
        ("こんにちは".encode("iso2022_jp"), "iso-2022-jp", "こんにちは", "iso2022_jp"),
        ("Привет, как дела? Это письмо.".encode("cp1251"), None, "Привет, как дела? Это письмо.", "cp1251"),
        (b"a\x00b\x1bc\x0cd", None, "abc\nd", "utf-8"),
        (b"+2AA-", "utf-7", "\ufffd", "utf-7"),
        (b"", None, "", "utf-8"),
    ],
)
def test_decode(data: bytes, encoding: str | None, text: str, used: str) -> None:
    assert decode(data, encoding) == (text, used)


def test_one_line_in_two_encodings_survives_whole() -> None:
    line = "très bien".encode() + " et déjà réglé".encode("cp1252") + " à l’été".encode()
    assert decode(line)[0] == "très bien et déjà réglé à l’été"


@given(data=st.binary(max_size=400), encoding=st.sampled_from([None, *WELL_KNOWN, *WRONG]))
@settings(deadline=None, max_examples=300)
def test_decode_is_total_and_storable(data: bytes, encoding: str | None) -> None:
    text, used = decode(data, encoding)
    assert text.encode("utf-8").decode("utf-8") == text
    assert "\0" not in text
    assert used


@given(text=st.text(st.characters(exclude_categories=["C"]), max_size=200))
@settings(deadline=None)
def test_utf8_comes_back_as_it_was(text: str) -> None:
    assert decode(text.encode("utf-8"), "utf-8")[0] == text.removeprefix("\ufeff")


@pytest.mark.parametrize(
    ("text", "values", "filled"),
    [
        ("enseigne", {}, "enseigne"),
        ("{Région}/{Magasin}", {"Région": "Nord", "Magasin": "Lille"}, "Nord/Lille"),
        ("e/{a}-{a}", {"a": 3}, "e/3-3"),
        ("{ a }", {"a": " x/y "}, "x-y"),
        ("{a}/{b}", {"a": "x", "b": "  "}, None),
        ("{a}", {"a": None}, None),
        ("{a}", {}, None),
    ],
)
def test_templates_fill(text: str, values: dict[str, object], filled: str | None) -> None:
    assert Template(text).fill(values) == filled


def test_template_fields_are_listed_once_in_order() -> None:
    assert Template("{b}/{a}/{b}").fields == ("b", "a")


@pytest.mark.parametrize("text", ["{a", "a}", "{}", "{a{b}}"])
def test_a_brace_without_its_pair_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="brace"):
        Template(text)
