"""What is known about a letter beside its text: sidecar files, a metadata.csv, the file's name."""

import csv
import json
import re
import tomllib
from pathlib import Path

from connectors.files import decode

TABLE_NAME = "metadata.csv"
_SIDECARS = (".json", ".toml")
_DELIMITERS = ";,\t|"


class MetadataError(Exception):
    """Metadata is there and cannot be read; the message names the file and the rule, and no value."""


def is_metadata(path: Path) -> bool:
    """Whether a file describes letters rather than being one: metadata.csv, or `x.pdf.json`."""
    sidecar = path.suffix.lower() in _SIDECARS and path.with_suffix("").suffix != ""
    return path.name.lower() == TABLE_NAME or sidecar


def metadata_places(letter: Path) -> tuple[Path, ...]:
    """Where what is known of a letter may stand."""
    sidecars = (letter.with_name(letter.name + suffix) for suffix in _SIDECARS)
    return (letter.parent / TABLE_NAME, *sidecars)


class Metadata:
    """Finds the metadata of letters. pattern: regular expression with named groups, tried on file names."""

    def __init__(self, pattern: str | None) -> None:
        self._pattern = re.compile(pattern) if pattern else None
        self._tables: dict[Path, dict[str, dict[str, str]]] = {}

    def of(self, path: Path) -> dict[str, str]:
        """Known fields of one letter; a sidecar is believed before metadata.csv, and that before the name.

        Raises MetadataError.
        """
        match = self._pattern.search(path.name) if self._pattern else None
        named = {name: value for name, value in match.groupdict().items() if value} if match else {}
        return named | self._rows(path.parent).get(path.name, {}) | _read_sidecars(path)

    def _rows(self, folder: Path) -> dict[str, dict[str, str]]:
        if folder not in self._tables:
            table = folder / TABLE_NAME
            self._tables[folder] = _read_table(table) if table.is_file() else {}
        return self._tables[folder]


def _read_sidecars(path: Path) -> dict[str, str]:
    fields: dict[str, str] = {}
    for suffix in _SIDECARS:
        sidecar = path.with_name(path.name + suffix)
        if sidecar.is_file():
            fields |= _read_sidecar(sidecar)
    return fields


def _read_sidecar(sidecar: Path) -> dict[str, str]:
    try:
        text, _ = decode(sidecar.read_bytes())
        content = json.loads(text) if sidecar.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise MetadataError(f"{sidecar.suffix} sidecar cannot be read ({type(error).__name__})") from error
    if not isinstance(content, dict):
        raise MetadataError(f"{sidecar.suffix} sidecar must hold one object with a date")
    simple = {str(key): value for key, value in content.items() if not isinstance(value, dict | list)}
    return {key: str(value) for key, value in simple.items() if value is not None}


def _read_table(table: Path) -> dict[str, dict[str, str]]:
    try:
        text, _ = decode(table.read_bytes())
        header = text.split("\n", 1)[0]
        delimiter = max(_DELIMITERS, key=header.count)
        rows = [_filled(row) for row in csv.DictReader(text.splitlines(), delimiter=delimiter)]
    except (OSError, csv.Error) as error:
        raise MetadataError(f"{TABLE_NAME} cannot be read ({type(error).__name__})") from error
    if rows and not any("file" in row for row in rows):
        raise MetadataError(f"{TABLE_NAME} must have a column `file` with the letters' file names")
    return {row["file"]: row for row in rows if "file" in row}


def _filled(row: dict[str | None, str | list[str] | None]) -> dict[str, str]:
    """Without empty cells and cells beyond the header."""
    return {
        key.strip(): value.strip()
        for key, value in row.items()
        if key is not None and isinstance(value, str) and value.strip()
    }
