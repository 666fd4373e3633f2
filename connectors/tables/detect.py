"""What a file is: its format, its encoding, its delimiter."""

import codecs
import csv
import io
import zipfile
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Literal, TextIO

from connectors.files import decode

Format = Literal["csv", "workbook", "json", "jsonl", "parquet", "archive"]

_SAMPLE_BYTES = 1 << 20
_BLANK_BYTES = 4096
_SAMPLE_CHARACTERS = 1 << 16
_SAMPLE_ROWS = 200
_DELIMITERS = ",;\t|"
ONE_COLUMN = "\x1f"
"""Stands for the delimiter of a file that has one column: a character no text holds."""


def format_of(path: Path) -> Format:
    """The format by the first bytes, then by the suffix, then by the first character; CSV otherwise.

    `archive` is a zip that holds no workbook. Raises OSError where the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "workbook" if _is_workbook(path) else "archive"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(bytes.fromhex("d0cf11e0a1b11ae1")):
        return "workbook"
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        return "jsonl"
    if suffix in (".csv", ".tsv", ".tab", ".txt"):
        return "csv"
    return "json" if suffix == ".json" or _starts_json(head) else "csv"


def is_blank(path: Path) -> bool:
    """Whether a file holds nothing but white space, if that. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        head = file.read(_BLANK_BYTES)
    return len(head) < _BLANK_BYTES and not head.removeprefix(codecs.BOM_UTF8).strip()


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return True  # a damaged workbook is more likely, and its reader says what is wrong
    return any(name.startswith("xl/") or name == "content.xml" for name in names)


def _starts_json(head: bytes) -> bool:
    return head.lstrip(codecs.BOM_UTF8 + b" \t\r\n")[:1] in (b"{", b"[")


def open_text(path: Path, encoding: str | None) -> tuple[TextIO, str]:
    """The file as a stream of text whose line ends are kept, and the beginning of it as text.

    encoding: as declared; otherwise found from the first MiB and its byte-order mark. Single cp1252 bytes
    within UTF-8 are read as such; no byte ever raises. Raises OSError where the file cannot be read.
    """
    with path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
    if len(sample) == _SAMPLE_BYTES:
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    wide = _wide_without_mark(sample)
    text, used = (sample.decode(wide, errors="replace"), wide) if wide else decode(sample, encoding)
    if used.startswith("utf-8"):
        used, errors = "utf-8", "vigie-cp1252"
    else:
        errors = "replace"
    stream = path.open(encoding=used, errors=errors, newline="")
    if stream.read(1) != "\ufeff":
        stream.seek(0)
    return stream, text.removeprefix("\ufeff")[:_SAMPLE_CHARACTERS]


def _wide_without_mark(sample: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of western text is NUL."""
    half = len(sample) // 2
    if half < 4 or sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return None
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if odd > 0.7 * half and even < 0.1 * half:
        return "utf-16-le"
    if even > 0.7 * half and odd < 0.1 * half:
        return "utf-16-be"
    return None


def find_delimiter(sample: str, *, wanted: Collection[str], header: bool) -> str:
    """The delimiter that cuts the sample best; ONE_COLUMN if none does.

    sample: the beginning of the file. wanted: column names the first row should hold; where there is a
    header, finding them outweighs all else. Then the share of rows with as many fields as the first (or
    as most, without header) decides, then the number of fields. Quotes are respected.
    """
    best = (_names_found(sample, ONE_COLUMN, wanted) if header else 0, 0.0, 1)
    chosen = ONE_COLUMN
    for delimiter in _DELIMITERS:
        counts = [len(row) for row in _sample_rows(sample, delimiter)]
        usual = counts[0] if header and counts else mode(counts)
        if usual < 2:
            continue
        body = counts[1:] if header else counts
        share = body.count(usual) / len(body) if body else 1.0
        found = _names_found(sample, delimiter, wanted) if header else 0
        if (share > 0.5 or found) and (found, share, usual) > best:
            best, chosen = (found, share, usual), delimiter
    return chosen


def usual_width(sample: str, delimiter: str) -> int:
    """The most frequent number of fields in the sample's rows, 0 if it has none."""
    return mode([len(row) for row in _sample_rows(sample, delimiter)])


def mode(counts: list[int]) -> int:
    """The most frequent value, the first met among equals; 0 for an empty list."""
    return Counter(counts).most_common(1)[0][0] if counts else 0


def _names_found(sample: str, delimiter: str, wanted: Collection[str]) -> int:
    first = next(iter(_sample_rows(sample, delimiter)), [])
    return len({cell.strip() for cell in first} & set(wanted))


def _sample_rows(sample: str, delimiter: str) -> list[list[str]]:
    rows = []
    try:
        for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) > _SAMPLE_ROWS:
                break
    except csv.Error:
        pass  # a field beyond the module's limit: what came before it tells enough
    # The sample may end inside its last row.
    return rows[:-1] if len(rows) > 1 and len(sample) == _SAMPLE_CHARACTERS else rows
