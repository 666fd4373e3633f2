"""What Grafana makes of a query before PostgreSQL sees it: variables first, then the data source's macros.

Grafana's interface puts the values of variables in (that of one that may have several, or *All*, is quoted,
and several are joined by commas); its PostgreSQL data source then expands macros, without TimescaleDB.
Done here for `check` and tests, which have no Grafana.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Values = Mapping[str, str | Sequence[str]]
"""Of variables by name: several where the variable may have several."""

_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(?!__)(\w+)")
_MACRO = re.compile(r"\$(__\w+)\(([^)]*)\)")
_DURATION = re.compile(r"(\d+)(ms|[smhdwMy])")
_SECONDS = {
    "ms": 0.001,
    "s": 1,
    "m": 60,
    "h": 3_600,
    "d": 86_400,
    "w": 604_800,
    "M": 2_592_000,
    "y": 31_536_000,
}
_FORMATS = ("sqlstring", "singlequote", "raw")


@dataclass(frozen=True, slots=True)
class TimeRange:
    """What a board shows, both ends included; interval_s: seconds between two points of a graph."""

    start: datetime
    end: datetime
    interval_s: int = 3_600


def expand(sql: str, during: TimeRange, values: Values) -> str:
    """The SQL that PostgreSQL gets. ValueError: a variable or macro is not known, or is used wrongly.

    >>> week = TimeRange(datetime(2025, 1, 6, tzinfo=UTC), datetime(2025, 1, 13, tzinfo=UTC))
    >>> expand("SELECT 1 WHERE $__timeFilter(at) AND c IN ($channel)", week, {"channel": ["a", "b'c"]})
    "SELECT 1 WHERE at BETWEEN '2025-01-06T00:00:00Z' AND '2025-01-13T00:00:00Z' AND c IN ('a','b''c')"
    """
    filled = fill(sql, values).replace("$__interval_ms", str(during.interval_s * 1_000))
    filled = re.sub(r"\$__interval\b", f"{during.interval_s}s", filled)
    expanded = _MACRO.sub(lambda found: _macro(found[1], found[2], during), filled)
    left = re.search(r"\$__\w+", expanded)
    if left:
        raise ValueError(f"{left[0]} is no macro of Grafana's PostgreSQL data source")
    return expanded


def fill(sql: str, values: Values) -> str:
    """The query as Grafana's interface sends it: with the values of variables, and macros as they are."""
    return _VARIABLE.sub(lambda found: _value(found, values), sql)


def variables_of(sql: str) -> set[str]:
    """Names of the variables that a query uses."""
    return {found[1] or found[3] for found in _VARIABLE.finditer(sql)}


def _value(found: re.Match[str], values: Values) -> str:
    name, form = found[1] or found[3], found[2]
    if name not in values:
        raise ValueError(
            f"variable {name} is not one of the board's: {', '.join(sorted(values)) or 'it has none'}"
        )
    value = values[name]
    several = [value] if isinstance(value, str) else list(value)
    if form == "raw":
        return ",".join(several)
    if form in ("sqlstring", "singlequote") or (form is None and not isinstance(value, str)):
        return ",".join(_quoted(one) for one in several)
    if form is None:
        return several[0].replace("'", "''")
    raise ValueError(f"variable {name}: format {form!r} is not one of {', '.join(_FORMATS)}")


def _macro(name: str, inside: str, during: TimeRange) -> str:
    arguments = [part.strip() for part in inside.split(",")] if inside.strip() else []
    start, end = _instant(during.start), _instant(during.end)
    whole = {"__timeFrom": f"'{start}'", "__timeTo": f"'{end}'"}
    if name in whole:
        return whole[name]
    if not arguments:
        raise ValueError(f"${name} wants a column")
    column = arguments[0]
    simple = {
        "__time": f'{column} AS "time"',
        "__timeEpoch": f'extract(epoch from {column}) as "time"',
        "__timeFilter": f"{column} BETWEEN '{start}' AND '{end}'",
        "__unixEpochFilter": f"{column} >= {int(during.start.timestamp())} "
        f"AND {column} <= {int(during.end.timestamp())}",
    }
    if name in simple:
        return simple[name]
    groups = {
        "__timeGroup": "floor(extract(epoch from {column})/{seconds})*{seconds}",
        "__unixEpochGroup": "floor(({column})/{seconds})*{seconds}",
    }
    base = name.removesuffix("Alias")
    if base not in groups:
        raise ValueError(f"${name} is no macro of Grafana's PostgreSQL data source")
    if len(arguments) < 2:
        raise ValueError(f"${name} wants a column and an interval")
    grouped = groups[base].format(column=column, seconds=_seconds(arguments[1].strip("'")))
    return f'{grouped} AS "time"' if name.endswith("Alias") else grouped


def _seconds(duration: str) -> str:
    found = _DURATION.fullmatch(duration)
    if not found:
        raise ValueError(f"{duration!r} is no interval such as 5m, 1h or 7d")
    return f"{int(found[1]) * _SECONDS[found[2]]:g}"


def _instant(when: datetime) -> str:
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def queries_of(board: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Every SQL of a board's JSON: where it stands, its format and its text; variables' come first."""
    found = [
        (f"variable {variable['name']}", "variable", variable["query"])
        for variable in board["templating"]["list"]
        if variable["type"] == "query"
    ]
    found += [
        (f"panel {panel['title']!r}", target["format"], target["rawSql"])
        for panel in board["panels"]
        for target in panel.get("targets", [])
        if "rawSql" in target
    ]
    found += [
        (f"annotation {mark['name']!r}", "table", mark["target"]["rawSql"])
        for mark in board["annotations"]["list"]
        if "rawSql" in mark.get("target", {})
    ]
    return found
