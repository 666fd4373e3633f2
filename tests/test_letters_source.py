"""Letters as a source: text, DOCX and PDF, their metadata, and files that are none of these."""

import base64
import csv
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import docx
import pytest

from connectors.contract import Outcome, Parsed, Record, Rejected, SetAside
from connectors.errors import SourceError
from connectors.letters import MAX_LETTER_BYTES, Letters
from connectors.source_settings import LettersSource

TEXT = "Madame,\nle colis est arrivé abîmé."
MARCH_12 = datetime(2024, 3, 11, 23, tzinfo=UTC)  # midnight in Paris


def letters(base: Path, **settings: Any) -> Letters:
    fields = {"kind": "letters", "name": "courrier", "path": ".", "perimeter": "e/{magasin}", **settings}
    return Letters(LettersSource.model_validate(fields), base=base, zone="Europe/Paris")


def outcomes(base: Path, **settings: Any) -> dict[str, Outcome]:
    source = letters(base, **settings)
    return {record.file: source.parse(record) for record in source.records()}


def pdf(text: str, *, encrypted: bool = False) -> bytes:
    """A one-page PDF by hand, after ISO 32000-1, annex H.2; without text, a page that shows nothing."""
    shown = b" ".join(b"(" + line.encode("cp1252") + b") Tj T*" for line in text.split("\n")) if text else b""
    stream = b"BT /F1 12 Tf 72 720 Td 14 TL " + shown + b" ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%b\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        b"<</Filter/Standard/V 1/R 2/O<" + b"41" * 32 + b">/U<" + b"42" * 32 + b">/P -4>>",
    ]
    data, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj%b endobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    lock = b"/Encrypt 6 0 R/ID[<00><00>]" if encrypted else b""
    return (
        data
        + b"xref\n0 7\n0000000000 65535 f \n%btrailer<</Size 7/Root 1 0 R%b>>\nstartxref\n%d\n%%%%EOF"
        % (
            table,
            lock,
            len(data),
        )
    )


def word(*paragraphs: str, table: tuple[str, ...] = ()) -> bytes:
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    if table:
        cells = document.add_table(rows=1, cols=len(table)).rows[0].cells
        for cell, text in zip(cells, table, strict=True):
            cell.text = text
    stream = BytesIO()
    document.save(stream)
    return stream.getvalue()


def dated(folder: Path, *names: str) -> None:
    rows = [f"{name};12/03/2024;lille" for name in names]
    (folder / "metadata.csv").write_text("\n".join(["file;date;magasin", *rows]), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", TEXT.encode()),
        ("a.txt", TEXT.encode("cp1252")),
        ("a.TXT", TEXT.replace("\n", "\r\n").encode("utf-16")),
        ("a.docx", word("Madame,", "le colis est arrivé abîmé.")),
        ("a.docx", word("Madame,", table=("le colis est arrivé abîmé.",))),
        ("a.pdf", pdf(TEXT)),
    ],
)
def test_each_format_gives_the_same_event(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    dated(tmp_path, name)
    assert outcomes(tmp_path) == {name: Parsed(occurred_at=MARCH_12, perimeter="e/lille", text=TEXT)}


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("scan.pdf", pdf(""), Rejected("no_text_layer", "1 page(s) of images")),
        ("locked.pdf", pdf(TEXT, encrypted=True), Rejected("encrypted", "the PDF asks for a password")),
        ("bad.pdf", b"%PDF-1.7 nothing", Rejected("unreadable", "not a PDF, or a damaged one")),
        ("cut.pdf", pdf(TEXT)[:40], Rejected("unreadable", "not a PDF, or a damaged one")),
        ("bad.docx", b"PK\x03\x04", Rejected("unreadable", "not a DOCX, or a damaged one (BadZipFile)")),
        ("old.doc", b"\xd0\xcf\x11\xe0", Rejected("not_a_letter", "the file ends in .doc")),
        ("README", b"x", Rejected("not_a_letter", "the file ends in nothing")),
        ("blank.txt", b" \n\n", SetAside("empty")),
        ("blank.docx", word(""), SetAside("empty")),
    ],
)
def test_files_that_give_no_event(tmp_path: Path, name: str, data: bytes, expected: Outcome) -> None:
    (tmp_path / name).write_bytes(data)
    dated(tmp_path, name)
    assert outcomes(tmp_path) == {name: expected}


def test_a_zip_that_is_no_docx_and_one_that_expands_too_far(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as archive:
        archive.writestr("a.txt", "x")
    with zipfile.ZipFile(tmp_path / "b.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", bytes(20 * 2**20))
    dated(tmp_path, "a.docx", "b.docx")
    assert [getattr(outcome, "reason", None) for outcome in outcomes(tmp_path).values()] == [
        "unreadable",
        "oversized",
    ]


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.txt").open("wb") as stream:
        stream.truncate(MAX_LETTER_BYTES + 1)
    assert outcomes(tmp_path) == {"a.txt": Rejected("oversized", f"over {MAX_LETTER_BYTES} bytes")}


# Metadata


def test_metadata_from_json_toml_and_the_file_name(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "2024-03-12_lille_Z7.txt"):
        (tmp_path / name).write_text(TEXT, encoding="utf-8")
    (tmp_path / "a.txt.json").write_text(
        json.dumps({"Date": "12 mars 2024", "magasin": "lille", "ID": 7, "author": None, "tags": ["x"]}),
        encoding="utf-8",
    )
    (tmp_path / "b.txt.toml").write_text(
        'date = 2024-03-12\nmagasin = "lille"\nauthor = "Zoé Exemple"', encoding="utf-8"
    )
    pattern = r"^(?P<date>\d{4}-\d\d-\d\d)_(?P<magasin>[a-z]+)_(?P<id>\w+)\."
    plain = Parsed(occurred_at=MARCH_12, perimeter="e/lille", text=TEXT)
    assert outcomes(tmp_path, pattern=pattern) == {
        "2024-03-12_lille_Z7.txt": replace(plain, own_id="Z7"),
        "a.txt": replace(plain, own_id="7"),
        "b.txt": replace(plain, author="Zoé Exemple"),
    }


def test_a_sidecar_is_believed_before_the_table_and_that_before_the_name(tmp_path: Path) -> None:
    (tmp_path / "1999_arras.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "metadata.csv").write_text(
        'file,date,magasin,author\n1999_arras.txt,2024-03-12,"douai",Zoé\n', encoding="cp1252"
    )
    (tmp_path / "1999_arras.txt.json").write_text('{"magasin": "lille"}', encoding="utf-8")
    assert outcomes(tmp_path, pattern=r"(?P<date>\d+)_(?P<magasin>\w+)") == {
        "1999_arras.txt": Parsed(occurred_at=MARCH_12, perimeter="e/lille", text=TEXT, author="Zoé")
    }


@pytest.mark.parametrize(
    ("name", "content", "detail"),
    [
        ("a.txt.json", "{", ".json sidecar cannot be read (JSONDecodeError)"),
        ("a.txt.json", "[1]", ".json sidecar must hold one object with a date"),
        ("a.txt.json", "[" * 100_000, ".json sidecar cannot be read (RecursionError)"),
        ("a.txt.toml", "date = ", ".toml sidecar cannot be read (TOMLDecodeError)"),
        ("metadata.csv", "nom;date\na.txt;2024", "metadata.csv must have a column `file`"),
    ],
)
def test_metadata_that_cannot_be_understood(tmp_path: Path, name: str, content: str, detail: str) -> None:
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / name).write_text(content, encoding="utf-8")
    (outcome,) = outcomes(tmp_path).values()
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "bad_metadata"
    assert outcome.detail.startswith(detail)


def test_a_table_with_a_cell_too_long(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "metadata.csv").write_text("file\n" + "x" * 200_000, encoding="utf-8")
    before = csv.field_size_limit(131_072)
    try:
        assert outcomes(tmp_path) == {
            "a.txt": Rejected("bad_metadata", "metadata.csv cannot be read (Error)")
        }
    finally:
        csv.field_size_limit(before)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"magasin": "lille"}, "no_date"),
        ({"magasin": "lille", "date": ""}, "no_date"),
        ({"magasin": "lille", "date": "bientôt"}, "no_date"),
        ({"date": "2024-03-12"}, "missing_field"),
        ({"date": "2024-03-12", "magasin": " "}, "no_perimeter"),
    ],
)
def test_a_date_and_a_perimeter_are_needed(tmp_path: Path, metadata: dict[str, str], reason: str) -> None:
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "a.txt.json").write_text(json.dumps(metadata), encoding="utf-8")
    (outcome,) = outcomes(tmp_path).values()
    assert isinstance(outcome, Rejected)
    assert outcome.reason == reason


def test_a_date_that_is_none_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "a.txt.json").write_text('{"date": "Zoé Exemple, Lille"}', encoding="utf-8")
    (outcome,) = outcomes(tmp_path).values()
    assert isinstance(outcome, Rejected)
    assert "Exemple" not in outcome.detail


# Records


def test_a_record_survives_json_and_parses_alone(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf(TEXT))
    dated(tmp_path, "a.pdf")
    (record,) = letters(tmp_path).records()
    assert not isinstance(record.payload, bytes)
    again = Record(record.file, record.line, json.loads(json.dumps(dict(record.payload))))
    assert letters(Path("/nowhere")).parse(again) == letters(tmp_path).parse(record)
    assert base64.b64decode(again.payload["bytes"]) == pdf(TEXT)  # type: ignore[call-overload]


@pytest.mark.parametrize("payload", [b"bytes", {}, {"file": "a.txt", "bytes": "é"}, {"bytes": "QQ=="}])
def test_a_payload_of_another_kind_is_a_rejection(payload: Any) -> None:
    outcome = letters(Path()).parse(Record("a.txt", 0, payload))
    assert outcome == Rejected("unreadable", "the record is not a letter's")


def test_folders_are_walked_in_order_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    for name in ("b/1.txt", "a/2.txt", "a/.~lock.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(TEXT, encoding="utf-8")
    assert list(outcomes(tmp_path)) == ["a/2.txt", "b/1.txt"]
    with pytest.raises(SourceError, match="nowhere"):
        list(letters(tmp_path, path="nowhere").records())
