"""A board: rows of panels on Grafana's grid, its variables and the links to the others."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.panels import AnyPanel
from dashboards.query import POSTGRES, POSTGRES_TYPE, PostgresQuery
from dashboards.words import DIMENSIONS, VOICES, Lang, Say

WIDTH = 24
"""Columns of Grafana's grid."""
FIRST_OF_OTHERS = 1000
"""Panels below this number are ours. Grafana numbers a panel that somebody adds one above the highest: the
last of every board has the number before, so that added ones stand at this number and above."""
BOARDS = ("watch", "perimeter", "signal", "reality-gap", "follow-up", "pipeline")
TAG = "vigie"


@dataclass(frozen=True, slots=True)
class Span:
    """What a board shows when it is opened, in Grafana's words."""

    start: str = "now-90d"
    end: str = "now"


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side. height: in rows of the grid, of 30 pixels; panels: each with its columns."""

    height: int
    panels: Sequence[tuple[AnyPanel, int]]


@dataclass(frozen=True, slots=True)
class Annotation:
    """Marks on every graph. sql: columns time, title and text; timeend, where a mark has a length."""

    name: str
    sql: str
    color: str


@dataclass(frozen=True, slots=True)
class Board:
    """One board in one language. refresh: how often it reads anew; empty for never."""

    name: str
    lang: Lang
    title: str
    description: str
    rows: Sequence[Row]
    variables: Sequence[dashboard.QueryVariable | dashboard.CustomVariable] = ()
    annotations: Sequence[Annotation] = ()
    refresh: str = "5m"

    @property
    def uid(self) -> str:
        """The same for ever: links and bookmarks hold it."""
        return uid(self.name, self.lang)

    def build(self, span: Span, titles: Mapping[str, str]) -> dict[str, Any]:
        """Grafana's JSON. titles: of all boards of the language, by name, for the links."""
        made = (
            dashboard.Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags([TAG, self.lang])
            .timezone("browser")
            .editable()
            .tooltip(model.DashboardCursorSync.CROSSHAIR)
            .time(span.start, span.end)
            .week_start("monday")
            .refresh(self.refresh)
        )
        for variable in self.variables:
            made.with_variable(variable)
        for name in BOARDS:
            if name != self.name:
                made.link(
                    dashboard.DashboardLink(titles[name])
                    .type(model.DashboardLinkType.LINK)
                    .url(f"/d/{uid(name, self.lang)}")
                    .icon("dashboard")
                    .include_vars(True)
                    .keep_time(True)
                )
        self._place(made)
        plain: dict[str, Any] = _plain(made.build())
        plain["templating"].setdefault("list", [])
        plain["annotations"]["list"] = [_annotation(mark) for mark in self.annotations]
        return plain

    def _place(self, made: dashboard.Dashboard) -> None:
        top = number = 0
        last = self.rows[-1].panels[-1][0]
        for row in self.rows:
            left = 0
            for panel, width in row.panels:
                number += 1
                panel.id(FIRST_OF_OTHERS - 1 if panel is last else number)
                panel.grid_pos(model.GridPos(h=row.height, w=width, x=left, y=top))
                made.with_panel(panel)
                left += width
            top += row.height


def uid(name: str, lang: Lang) -> str:
    """Of a board."""
    return f"vigie-{name}-{lang}"


def address(name: str, lang: Lang, **variables: str) -> str:
    """Of a board, with the time range; variables: such as perimeter="${__data.fields.path}"."""
    chosen = "".join(f"var-{key}={value}&" for key, value in variables.items())
    return f"/d/{uid(name, lang)}?{chosen}${{__url_time_range}}"


def perimeter_variable(say: Say) -> dashboard.QueryVariable:
    """One perimeter of the tree; queries take those below it too."""
    return _queried(
        "perimeter",
        say("Périmètre", "Perimeter"),
        "SELECT title AS __text, path AS __value FROM vigie_boards.perimeter ORDER BY path",
    )


def channel_variable(say: Say) -> dashboard.QueryVariable:
    """Some channels, or all."""
    variable = _queried(
        "channel",
        say("Canal", "Channel"),
        "SELECT DISTINCT channel FROM vigie_boards.channel_volume ORDER BY channel",
    )
    return variable.multi(True).include_all(True).current(_all())


def voice_variable(say: Say) -> dashboard.CustomVariable:
    """Customers, the field, or both."""
    return _chosen("voice", say("Voix", "Voice"), VOICES, say)


def dimension_variable(say: Say) -> dashboard.CustomVariable:
    """Some of the four dimensions, or all."""
    return _chosen("dimension", say("Dimension", "Dimension"), DIMENSIONS, say)


def signal_variable(say: Say) -> dashboard.QueryVariable:
    """One signal, the newest first."""
    return _queried(
        "signal",
        say("Signal", "Signal"),
        "SELECT perimeter_name || ' · ' || label AS __text, signal_id AS __value "
        "FROM vigie_boards.signal ORDER BY raised_at DESC, signal_id",
    )


WITHIN = "(perimeter = ${perimeter:sqlstring} OR starts_with(perimeter, ${perimeter:sqlstring} || '/'))"
"""SQL: in the chosen perimeter or below it."""
HERE = "perimeter = ${perimeter:sqlstring}"
"""SQL: the chosen perimeter itself."""


def _queried(name: str, label: str, sql: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(POSTGRES)
        .query(sql)
        .refresh(model.VariableRefresh.ON_DASHBOARD_LOAD)
        .sort(model.VariableSort.DISABLED)
    )


def _chosen(
    name: str, label: str, words: Mapping[str, tuple[str, str]], say: Say
) -> dashboard.CustomVariable:
    values = ",".join(f"{say(*both)} : {key}" for key, both in words.items())
    return (
        dashboard.CustomVariable(name)
        .label(label)
        .values(values)
        .multi(True)
        .include_all(True)
        .current(_all())
    )


def _all() -> model.VariableOption:
    return model.VariableOption(text="All", value="$__all", selected=True)


def _annotation(mark: Annotation) -> dict[str, Any]:
    query = PostgresQuery(mark.sql, "table", "Anno")
    return {
        "name": mark.name,
        "datasource": {"type": POSTGRES_TYPE, "uid": POSTGRES.uid},
        "enable": True,
        "hide": False,
        "iconColor": mark.color,
        "target": _plain(query),
    }


def _plain(built: object) -> Any:
    return json.loads(JSONEncoder(ensure_ascii=False).encode(built))
