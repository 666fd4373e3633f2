"""Rows of JSON: objects in a list, wherever the list stands, or one object a line."""

import json
import re
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

from connectors.files import decode
from connectors.source_settings import TableSource
from connectors.tables.detect import open_text
from connectors.tables.mapping import ABSENT, lookup, walk
from connectors.tables.rows import (
    RAW,
    RESERVED,
    FileError,
    Payload,
    Row,
    Start,
    faulty,
    names_of,
    wanted_columns,
)

MOST_CHARACTERS = 1 << 24
"""A longer line of JSONL is a bad row, so that memory stays bounded."""
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_DEEPEST = 12
_PROBED = 20
_NOT_AN_OBJECT = "not an object of names and values"


def read_json(path: Path, settings: TableSource) -> Iterator[Row]:
    """Rows of one document, numbered from 1 as they stand in their list.

    The list is the one at `settings.rows`; otherwise the list of objects where most configured columns
    are found, the longest among equals; an object that holds no such list is itself the one row.
    Raises FileError where the document cannot be read or `rows` leads to no list, OSError.
    """
    text, _ = decode(path.read_bytes(), settings.encoding)
    text = text.removeprefix("\ufeff")
    if not text or text.isspace():
        return
    try:
        document = _loads(text)
    except (ValueError, RecursionError) as error:
        if _first_line_is_object(text):
            yield from _lines(StringIO(text))
            return
        raise FileError("unreadable_file", f"not JSON: {_fault_of(error)}") from error
    for line, item in enumerate(_list_of_rows(document, settings), 1):
        yield line, _payload(item)


def read_jsonl(path: Path, settings: TableSource, start: Start | None = None) -> Iterator[Row]:
    """Rows of a file with one JSON object a line, with their physical lines; blank lines are not rows.

    start: the row to begin with, where not the first.
    """
    stream, _ = open_text(path, settings.encoding)
    offset, line = start or (0, 1)
    with stream:
        if offset:
            stream.seek(offset)
        yield from _lines(stream, before=line - 1)


def _lines(stream: TextIO, *, before: int = 0) -> Iterator[Row]:
    number = before
    while text := stream.readline(MOST_CHARACTERS):
        number += 1
        if len(text) == MOST_CHARACTERS and not text.endswith("\n"):
            while (rest := stream.readline(MOST_CHARACTERS)) and not rest.endswith("\n"):
                pass
            yield number, faulty("bad_row", f"the line is longer than {MOST_CHARACTERS} characters")
        elif not text.isspace():
            yield number, _line_payload(text)


def _line_payload(text: str) -> Payload:
    try:
        return _payload(_loads(text))
    except (ValueError, RecursionError) as error:
        return faulty("bad_row", f"not JSON: {_fault_of(error)}") | {RAW: text}


def _payload(item: object) -> Payload:
    if not isinstance(item, dict):
        return faulty("bad_row", f"the row is {_NOT_AN_OBJECT}") | {RAW: item}
    if RESERVED.isdisjoint(item):
        return item
    return {f"{key}.2" if key in RESERVED else key: value for key, value in item.items()}


def _loads(text: str) -> Any:
    """JSON without what cannot be stored: NaN and infinities become null, lone surrogates U+FFFD."""
    document = json.loads(text, parse_constant=lambda _: None)
    return _storable(document) if _ESCAPED_SURROGATE.search(text) else document


def _storable(node: object) -> object:
    if isinstance(node, str):
        return _SURROGATE.sub("\ufffd", node)
    if isinstance(node, list):
        return [_storable(item) for item in node]
    if isinstance(node, dict):
        return {_storable(key): _storable(value) for key, value in node.items()}
    return node


def _fault_of(error: Exception) -> str:
    """What is wrong and where, without any of the text."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return "nested too deep" if isinstance(error, RecursionError) else "a number has too many digits"


def _first_line_is_object(text: str) -> bool:
    first, more, _ = text.lstrip().partition("\n")
    try:
        return bool(more) and isinstance(_loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _list_of_rows(document: object, settings: TableSource) -> Sequence[object]:
    if settings.rows is not None:
        rows = walk(document, settings.rows)
        if not isinstance(rows, list):
            found = names_of(document) if isinstance(document, dict) else "no names"
            raise FileError("missing_rows", f"no list at {settings.rows!r}; found {found}; correct rows")
        return rows
    if isinstance(document, list):
        return document
    wanted = [str(column) for column in wanted_columns(settings)]
    best: Sequence[object] = [document]
    best_rank = (_columns_found(best, wanted), 0) if isinstance(document, dict) else (-1, 0)
    for rows in _object_lists(document, _DEEPEST):
        rank = (_columns_found(rows, wanted), len(rows))
        if rank > best_rank:
            best, best_rank = rows, rank
    return best


def _columns_found(rows: Sequence[object], wanted: Sequence[str]) -> int:
    """How many configured columns some of the first rows hold."""
    probed = [row for row in rows[:_PROBED] if isinstance(row, dict)]
    return sum(any(lookup(row, column) is not ABSENT for row in probed) for column in wanted)


def _object_lists(node: object, depth: int) -> Iterator[list[object]]:
    """Every list of objects in the document, outer ones first."""
    if depth == 0 or not isinstance(node, dict | list):
        return
    if isinstance(node, list):
        if node and all(isinstance(item, dict) for item in node):
            yield node
        children: Sequence[object] = node[:_PROBED]
    else:
        children = list(node.values())
    for child in children:
        yield from _object_lists(child, depth - 1)
