"""Single cells: made fit for JSON, cleaned, read as identifiers."""

import html
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

EXACT = 2**53
"""Whole numbers from here on are not exact in a double, so identifiers kept in one are damaged."""


_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_UNMEANT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# C1 controls are cp1252 read as latin-1; lone surrogates, which JSON can escape, cannot be stored.
_MEANT: dict[int, str | None] = (
    dict.fromkeys([*range(0x20), 0x7F])
    | {code: bytes([code]).decode("cp1252", errors="ignore") for code in range(0x80, 0xA0)}
    | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
    | {ord(char): "\n" for char in "\n\r\v\f"}
    | {ord("\t"): "\t"}
)
_SPREADSHEET = re.compile(r"(?P<whole>\d+)[.,]0+|[+-]?\d(?:[.,]\d+)?[eE]\+?\d+")


def jsonable(value: object) -> Any:
    """A cell as JSON can hold it: dates as ISO 8601, bytes as text, whole floats as integers, NaN as None.

    >>> jsonable(datetime(2024, 3, 12, 14, 30)), jsonable(3.0)
    ('2024-03-12T14:30:00', 3)
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", errors="replace").decode() if not value.isprintable() else value
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < EXACT else value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return str(value)


def clean(text: str) -> str:
    """Text as its author meant it: entities resolved, cp1252 residue restored, controls dropped, stripped.

    >>> clean("l\\x92accueil &amp; le prix\\x00")
    'l’accueil & le prix'
    """
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    if not text.isprintable() and _UNMEANT.search(text):
        text = text.replace("\r\n", "\n").translate(_MEANT)
    return text.strip()


def identifier(text: str) -> str | None:
    """An identifier as the source meant it, None for blank.

    A spreadsheet writes whole numbers as `1234.0`, which is 1234, and long ones as `5.70306E+17`, which
    many rows share: that is no identity, and the text's content takes its place.
    """
    damaged = _SPREADSHEET.fullmatch(text)
    return (damaged["whole"] if damaged else text) or None
