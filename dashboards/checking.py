"""Whether boards are as they must be: structure, Grafana's own schemas, and every query on a database."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import psycopg

from connectors.errors import DashboardError
from dashboards.board import BOARDS, FIRST_OF_OTHERS, WIDTH, uid
from dashboards.macros import TimeRange, Values, expand, queries_of, variables_of
from dashboards.merging import overlap
from dashboards.query import POSTGRES_UID, PROMETHEUS_UID
from dashboards.words import LANGS

READER = "vigie_reader"
_NUMBERS = {"int2", "int4", "int8", "float4", "float8", "numeric"}
_TIMES = {"timestamptz", "timestamp", *_NUMBERS}
_NARROWEST = 4
_SCHEMAS = {
    "text": "text",
    "stat": "stat",
    "table": "table",
    "timeseries": "timeseries",
    "bargauge": "bargauge",
}


def structure_faults(board: Mapping[str, Any]) -> list[str]:
    """What is wrong with a board by itself, one line each."""
    return [
        f"{board['uid']}: {fault}" for fault in (*_grid(board["panels"]), *_content(board), *_links(board))
    ]


def _grid(panels: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    ids = [panel["id"] for panel in panels]
    if len(set(ids)) < len(ids) or max(ids) != FIRST_OF_OTHERS - 1:
        yield f"panels are numbered {ids}; they must differ, the highest being {FIRST_OF_OTHERS - 1}"
    for panel in panels:
        place = panel["gridPos"]
        if place["x"] + place["w"] > WIDTH or place["w"] < _NARROWEST or place["h"] < 3:
            size = f"{place['w']} by {place['h']} at {place['x']}"
            yield f"panel {panel['title']!r} is {size}; it does not fit the grid"
    for one, other in combinations(panels, 2):
        if overlap(one["gridPos"], other["gridPos"]):
            yield f"panels {one['title']!r} and {other['title']!r} lie on each other"
    # A phone shows one panel below the other, in order of their places.
    order = sorted(
        range(len(panels)), key=lambda at: (panels[at]["gridPos"]["y"], panels[at]["gridPos"]["x"])
    )
    if order != list(range(len(panels))):
        yield "panels do not come in the order of their places, in which a phone shows them"
    for top in {panel["gridPos"]["y"] for panel in panels}:
        row = [panel["gridPos"] for panel in panels if panel["gridPos"]["y"] == top]
        if sum(place["w"] for place in row) != WIDTH or len({place["h"] for place in row}) > 1:
            yield f"the row at {top} is not {WIDTH} columns of one height"


def _content(board: Mapping[str, Any]) -> Iterator[str]:
    known = {variable["name"] for variable in board["templating"]["list"]}
    for where, _, sql in queries_of(board):
        if variables_of(sql) - known:
            yield f"{where} uses {sorted(variables_of(sql) - known)}, which are no variables of the board"
    for panel in board["panels"]:
        if panel["type"] == "text":
            continue
        if not panel["title"] or not panel.get("description"):
            yield f"panel {panel['id']} has no title or no description"
        if panel["datasource"]["uid"] not in (POSTGRES_UID, PROMETHEUS_UID) or not panel.get("targets"):
            yield f"panel {panel['title']!r} asks no data source of ours"
        defaults = panel["fieldConfig"]["defaults"]
        if "unit" not in defaults or not defaults["thresholds"]["steps"]:
            yield f"panel {panel['title']!r} has no unit or no thresholds"


def _links(board: Mapping[str, Any]) -> Iterator[str]:
    there = {f"/d/{uid(name, lang)}" for name in BOARDS for lang in LANGS}
    found = [link["url"] for link in board.get("links", [])]
    found += [
        link["url"]
        for panel in board["panels"]
        for override in panel.get("fieldConfig", {}).get("overrides", [])
        for said in override["properties"]
        if said["id"] == "links"
        for link in said["value"]
    ]
    for url in found:
        if url.partition("?")[0] not in there:
            yield f"a link goes to {url}, which is no board"


def schema_faults(board: Mapping[str, Any], schemas: Path) -> list[str]:
    """What Grafana's JSON schemas say of a board and of its panels' options, one line each.

    schemas: folder of the schemas that Grafana's SDK publishes. DashboardError: it is not one.
    """
    from jsonschema import Draft7Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT7

    def read(name: str) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads((schemas / f"{name}.jsonschema.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise DashboardError(f"{schemas}: holds no JSON schema of {name}: {error}") from error
        return dict(_loosened(content))

    def faults(name: str, definition: str, value: Any, where: str) -> Iterator[str]:
        schema = read(name)
        registry = Registry().with_resource(name, Resource(contents=schema, specification=DRAFT7))
        checker = Draft7Validator({"$ref": f"{name}#/definitions/{definition}"}, registry=registry)
        for error in checker.iter_errors(value):
            at = "/".join(map(str, error.absolute_path))
            yield f"{board['uid']}: {where}{at}: {error.message[:200]}"

    # Of targets of annotations the schema knows Grafana's own alone, and says that it should know others.
    marks = [
        {name: value for name, value in mark.items() if name != "target"}
        for mark in board["annotations"]["list"]
    ]
    found = list(
        faults("dashboard", "Dashboard", {**board, "panels": [], "annotations": {"list": marks}}, "")
    )
    for panel in board["panels"]:
        name, where = _SCHEMAS[panel["type"]], f"panel {panel['title']!r}: "
        found += faults("dashboard", "Panel", panel, where)
        found += faults(name, "Options", panel.get("options", {}), where + "options/")
        custom = panel.get("fieldConfig", {}).get("defaults", {}).get("custom")
        if custom is not None:
            found += faults(name, "FieldConfig", custom, where + "custom/")
    return found


def _loosened(schema: Any) -> Any:
    """The schemas write "an object of anything" where Grafana takes any value, numbers and texts too."""
    if isinstance(schema, list):
        return [_loosened(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "object" and schema.get("additionalProperties") == {}:
        return {}
    return {name: _loosened(one) for name, one in schema.items()}


def shown_range(connection: psycopg.Connection, days: int = 400) -> TimeRange:
    """The days up to the end of the last closed bucket; up to now where nothing was replayed."""
    row = connection.execute("SELECT closed_until FROM vigie_boards.rules").fetchone()
    end = row[0] if row and row[0] else datetime.now(UTC)
    return TimeRange(end - timedelta(days=days), end)


def query_faults(
    connection: psycopg.Connection, boards: Iterable[Mapping[str, Any]], during: TimeRange
) -> tuple[list[str], list[str]]:
    """Run every query of boards as the reader that Grafana is: faults, and queries that give nothing.

    Of variables with one value the first is taken, of others all: what a board shows when it is opened.
    """
    faults: list[str] = []
    empty: list[str] = []
    for board in boards:
        values = first_values(connection, board)
        for where, form, sql in queries_of(board):
            name = f"{board['uid']}: {where}"
            try:
                columns, count = run(connection, expand(sql, during, values))
            except (psycopg.Error, ValueError) as error:
                faults.append(f"{name}: {str(error).splitlines()[0]}")
                continue
            faults += [f"{name}: {fault}" for fault in _column_faults(columns, form)]
            if count == 0:
                empty.append(name)
    return faults, empty


def first_values(connection: psycopg.Connection, board: Mapping[str, Any]) -> Values:
    """Values of a board's variables when it is opened."""
    values: dict[str, str | list[str]] = {}
    for variable in board["templating"]["list"]:
        if variable["type"] == "custom":
            options = [pair.rpartition(" : ")[2] for pair in variable["query"].split(",")]
        else:
            options = [row[-1] for row in connection.execute(variable["query"].encode()).fetchall()]
        values[variable["name"]] = options if variable.get("multi") else (options or [""])[0]
    return values


def run(connection: psycopg.Connection, sql: str) -> tuple[dict[str, str], int]:
    """Types of the columns that a query gives, by name, and how many rows, as the reader and reading only."""
    with connection.transaction(force_rollback=True):
        connection.execute(f"SET LOCAL ROLE {READER}".encode())
        connection.execute("SET LOCAL transaction_read_only = on")
        cursor = connection.execute(sql.encode())
        types = connection.adapters.types
        columns = {}
        for column in cursor.description or ():
            known = types.get(column.type_code)
            columns[column.name] = known.name if known else str(column.type_code)
        return columns, len(cursor.fetchall())


def _column_faults(columns: Mapping[str, str], form: str) -> Iterator[str]:
    if form != "time_series":
        return
    if columns.get("time") not in _TIMES:
        yield f"gives {dict(columns)}; a time series needs a column `time`"
    if not any(kind in _NUMBERS for name, kind in columns.items() if name != "time"):
        yield f"gives {dict(columns)}; a time series needs a number"
