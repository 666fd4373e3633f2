"""What every reader of rows gives: a line number and a payload that can be written as JSON.

A payload maps columns to cells. Keys that begin with `vigie:` are ours; a column of the file never takes
one of them, because names already taken get a number.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.source_settings import TableSource
from connectors.tables.cells import clean
from connectors.template import Template
from connectors.values import shape

Payload = dict[str, Any]
Row = tuple[int, Payload]
Start = tuple[int, int]
"""Where a row of a file of lines starts: its first byte, and its line from 1."""

FAULT = "vigie:fault"
"""Why the row, or the file, cannot be read: one of the source's reasons."""
DETAIL = "vigie:detail"
RAW = "vigie:raw"
"""The line as it stands, where it could not be cut into cells."""
EXTRA = "vigie:extra"
"""Cells beyond the last column."""
EMPTY_FILE = "vigie:empty_file"
"""There is nothing in the file at all, not even a header."""
DAY_FIRST = "vigie:day_first"
"""What the whole column of dates says of 03/04/2024, where it says something."""

RESERVED = frozenset({FAULT, DETAIL, RAW, EXTRA, EMPTY_FILE, DAY_FIRST})

_MOST_NAMES = 60
_LONGEST_NAME = 60
_MOST_DIGITS = 5


class FileError(Exception):
    """The file cannot be read as rows; becomes one rejected record. reason: one of the source's."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def faulty(reason: str, detail: str) -> Payload:
    """The payload of a row, or of a whole file, that is rejected whatever the mapping says."""
    return {FAULT: reason, DETAIL: detail}


def column_key(column: str | int, *, header_rows: int) -> str:
    """The payload key of a configured column; a number under a header is kept apart from its name."""
    if isinstance(column, str) or header_rows == 0:
        return str(column)
    return f"vigie:{column}"


def wanted_columns(settings: TableSource) -> dict[str | int, str]:
    """Every column the settings name, perimeter fields included, with the key that names it first."""
    wanted: dict[str | int, str] = {}
    for field in ("text", "occurred_at", "id", "score", "author", "agent"):
        named = getattr(settings.columns, field)
        for column in named if isinstance(named, list) else [named]:
            if column is not None:
                wanted.setdefault(column, f"columns.{field}")
    for column in Template(settings.perimeter).fields:
        wanted.setdefault(column, "perimeter")
    return wanted


class Header:
    """The columns of one file, and how its rows become payloads.

    cells: the header row's, or None where the file has none and columns are numbers from 1. width: number
    of columns. Raises FileError (`missing_column`) that names the columns missing and those found.
    """

    def __init__(self, cells: Sequence[str] | None, *, width: int, settings: TableSource) -> None:
        self.names = column_names(cells if cells is not None else [""] * width)
        wanted = wanted_columns(settings)
        place = {name: index for index, name in enumerate(self.names)}
        for column in wanted:
            if isinstance(column, int) and 1 <= column <= len(self.names):
                place[column_key(column, header_rows=settings.header_rows)] = column - 1
        keys = {column: column_key(column, header_rows=settings.header_rows) for column in wanted}
        missing = [column for column, key in keys.items() if key not in place]
        if missing:
            correct = [*(wanted[column] for column in missing), "header_rows"]
            found = shown_names(self.names, hide=_is_data(cells or []))
            raise FileError("missing_column", missing_columns(missing, found, correct))
        self._numbered = {key: place[key] for key in keys.values() if key not in self.names}
        self._least = 1 + max(place[key] for key in keys.values())

    def payload(self, cells: Sequence[Any]) -> Payload:
        """Cells by column. A row too long, or too short for a configured column, is a fault.

        Blank cells beyond the last column are dropped. Columns that a short row does not reach are absent.
        """
        width = len(self.names)
        payload: Payload = dict(zip(self.names, cells, strict=False))
        if len(cells) > width and any(cells[width:]):
            detail = (
                f"{len(cells)} fields where the file has {width} columns; quote fields that hold a delimiter"
            )
            return payload | faulty("field_count", detail) | {EXTRA: list(cells[width:])}
        if len(cells) < self._least:
            detail = f"{len(cells)} fields where the columns in use need {self._least}"
            return payload | faulty("field_count", detail)
        for key, index in self._numbered.items():
            payload[key] = cells[index]
        return payload


def column_names(cells: Sequence[str]) -> list[str]:
    """One name a column: blank ones are the column's number, a name met again gets `.2`, `.3`.

    >>> column_names(["note", "", " note "])
    ['note', '2', 'note.2']
    """
    taken = set(RESERVED)
    names = []
    for number, cell in enumerate(cells, 1):
        plain = unicodedata.normalize("NFC", clean(cell)) or str(number)
        name, copy = plain, 1
        while name in taken:
            copy += 1
            name = f"{plain}.{copy}"
        taken.add(name)
        names.append(name)
    return names


def missing_columns(missing: Sequence[str | int], found: str, correct: Sequence[str]) -> str:
    """What is missing, what was found, and which keys of the settings to correct."""
    wanted = ", ".join(map(repr, missing))
    *others, last = dict.fromkeys(correct)
    keys = f"{', '.join(others)} or {last}" if others else last
    return f"no column {wanted}; found {found}; correct {keys}"


def names_of(payload: Mapping[str, Any]) -> str:
    """The names that a row brings, ours apart; by shape where one looks like a value."""
    names = [name for name in payload if name not in RESERVED]
    return shown_names(names, hide=any(map(_is_value, names)))


def shown_names(names: Sequence[str], *, hide: bool = False) -> str:
    """The first names, in quotes. hide: by shape, because they may be data that names a person."""
    shown = [f"a name shaped {shape(name)!r}" if hide else repr(name) for name in names[:_MOST_NAMES]]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return (", ".join(shown) or "none") + more


def _is_data(cells: Sequence[str]) -> bool:
    """Whether a row is no header: one cell alone, or one that is a number, a date, an address, a text."""
    return len(cells) == 1 or any(map(_is_value, cells))


def _is_value(cell: str) -> bool:
    digits = sum(char.isdigit() for char in cell)
    if len(cell) > _LONGEST_NAME or digits > _MOST_DIGITS or "@" in cell or not cell.isprintable():
        return True
    return 2 * digits > len(cell.strip())
