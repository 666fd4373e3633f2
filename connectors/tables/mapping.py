"""From a row's cells to an outcome, by the mapping in the settings alone."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from connectors.contract import Outcome, Parsed, Rejected, SetAside
from connectors.source_settings import TableSource
from connectors.tables.cells import EXACT, clean, identifier
from connectors.tables.rows import (
    DAY_FIRST,
    DETAIL,
    EMPTY_FILE,
    FAULT,
    column_key,
    missing_columns,
    names_of,
    wanted_columns,
)
from connectors.template import Template
from connectors.values import Scale, parse_time

_BRACKETS = str.maketrans("[]", "()")

ABSENT: Final = object()
"""What `lookup` gives where the payload has no such column."""


class _UnreadableCellError(ValueError):
    """The cell holds an object or a list of them."""


def lookup(payload: Mapping[str, Any], key: str) -> Any:
    """The cell of a column, or by dotted path inside one; ABSENT if there is none.

    >>> lookup({"answers": [{"text": "bien"}]}, "answers.0.text")
    'bien'
    """
    if key in payload or "." not in key:
        return payload.get(key, ABSENT)
    return walk(payload, key)


def walk(node: Any, path: str) -> Any:
    """What a dotted path leads to inside objects and lists; ABSENT if it leads nowhere."""
    for step in path.split("."):
        if isinstance(node, Mapping) and step in node:
            node = node[step]
        elif isinstance(node, list) and step.isdecimal() and int(step) < len(node):
            node = node[int(step)]
        else:
            return ABSENT
    return node


class RowParser:
    """Turns a payload into an outcome. zone: where times without an offset are placed."""

    def __init__(self, settings: TableSource, *, zone: str) -> None:
        columns = settings.columns

        def key(column: str | int) -> str:
            return column_key(column, header_rows=settings.header_rows)

        def keys(columns: str | int | list[str | int]) -> list[str]:
            return [key(column) for column in (columns if isinstance(columns, list) else [columns])]

        texts = columns.text if isinstance(columns.text, list) else [columns.text]
        self._texts = [(key(column), f"[{str(column).translate(_BRACKETS)}] ") for column in texts]
        self._dates = keys(columns.occurred_at)
        self._id = None if columns.id is None else key(columns.id)
        self._score = None if columns.score is None else key(columns.score)
        self._author = None if columns.author is None else key(columns.author)
        self._agent = None if columns.agent is None else key(columns.agent)
        self._scale = (
            None if settings.score is None else Scale(settings.score, decimal_comma=settings.decimal_comma)
        )
        self._template = Template(settings.perimeter)
        self._named = {key(column): setting for column, setting in wanted_columns(settings).items()}
        self._day_first = settings.day_first
        zone = settings.timezone or zone
        # Rows share perimeters, and often days or minutes.
        self._instant_of = lru_cache(maxsize=8192)(
            lambda text, day_first: parse_time(text, zone=zone, day_first=day_first)
        )
        self._perimeter_of = lru_cache(maxsize=65_536)(self._fill)

    @property
    def date_keys(self) -> Sequence[str]:
        """Payload keys of the columns a date may stand in, in order of preference."""
        return self._dates

    def parse(self, payload: Mapping[str, Any]) -> Outcome:
        """The outcome of one row."""
        if FAULT in payload:
            return Rejected(str(payload[FAULT]), str(payload.get(DETAIL, "")))
        if EMPTY_FILE in payload:
            return SetAside("empty_file")
        try:
            return self._outcome(payload)
        except _UnreadableCellError as error:
            return Rejected("bad_row", str(error))

    def _outcome(self, payload: Mapping[str, Any]) -> Outcome:
        text = self._text(payload)
        score = None
        if self._score is not None and self._scale is not None:
            try:
                score = self._scale.normalise(_text_of(payload, self._score))
            except ValueError as error:
                if isinstance(error, _UnreadableCellError):
                    raise
                return Rejected("bad_score", f"column {self._score!r}: {error}")
        if not text and score is None:
            return self._without_content(payload)
        moment = self._moment(payload)
        if isinstance(moment, Rejected):
            return moment
        fields = tuple(_text_of(payload, name) for name in self._template.fields)
        perimeter = self._perimeter_of(fields)
        if perimeter is None:
            if absent := _absent(payload, self._template.fields):
                return self._missing(payload, absent)
            named = ", ".join(map(repr, self._template.fields))
            return Rejected("no_perimeter", f"blank among the columns {named}")
        return Parsed(
            occurred_at=moment,
            perimeter=perimeter,
            text=text,
            own_id=self._identifier(payload, self._id),
            score=score,
            author=self._identifier(payload, self._author),
            agent=self._identifier(payload, self._agent),
        )

    def _text(self, payload: Mapping[str, Any]) -> str:
        if len(self._texts) == 1:
            return clean(_text_of(payload, self._texts[0][0]))
        labelled = [(label, clean(_text_of(payload, key))) for key, label in self._texts]
        return "\n".join(label + text for label, text in labelled if text)

    def _without_content(self, payload: Mapping[str, Any]) -> Outcome:
        """Blank where a configured column is there and empty; otherwise the mapping does not fit the row."""
        keys = [key for key, _ in self._texts] + ([] if self._score is None else [self._score])
        absent = _absent(payload, keys)
        return self._missing(payload, absent) if len(absent) == len(keys) else SetAside("blank")

    def _missing(self, payload: Mapping[str, Any], keys: Sequence[str]) -> Rejected:
        detail = missing_columns(keys, names_of(payload), [self._named[key] for key in keys])
        return Rejected("missing_column", detail)

    def _moment(self, payload: Mapping[str, Any]) -> datetime | Rejected:
        for key in self._dates:
            text = _text_of(payload, key)
            if not text:
                continue
            try:
                day_first = bool(payload.get(DAY_FIRST, self._day_first))
                return self._instant_of(text, day_first)
            except ValueError as error:
                return Rejected("bad_date", f"column {key!r}: {error}")
        absent = _absent(payload, self._dates)
        if len(absent) == len(self._dates):
            return self._missing(payload, absent)
        return Rejected("no_date", f"blank or absent: {', '.join(map(repr, self._dates))}")

    def _identifier(self, payload: Mapping[str, Any], key: str | None) -> str | None:
        return None if key is None else identifier(clean(_text_of(payload, key)))

    def _fill(self, fields: tuple[str, ...]) -> str | None:
        values = {name: clean(field) for name, field in zip(self._template.fields, fields, strict=True)}
        return self._template.fill(values)


def _absent(payload: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    return [key for key in keys if lookup(payload, key) is ABSENT]


def _text_of(payload: Mapping[str, Any], key: str) -> str:
    """A cell as text, "" for blank or absent; a list of plain values is joined by `; `."""
    value = payload.get(key)
    if value is None and "." in key:
        value = lookup(payload, key)
    if isinstance(value, str):
        return "" if value.isspace() else value
    return _plain_text(value, key)


def _plain_text(value: object, key: str) -> str:
    if value is None or value is ABSENT:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < EXACT else str(value)
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return "; ".join(filter(None, (_plain_text(item, key) for item in value)))
    if isinstance(value, dict | list):
        raise _UnreadableCellError(f"column {key!r} holds an object; reach inside by a dotted path")
    return str(value)
