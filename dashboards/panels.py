"""The few kinds of panel that all boards are made of: one look, one place to change it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, dashboard, stat, table, text, timeseries
from grafana_foundation_sdk.builders.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.text import TextMode

from dashboards.query import POSTGRES, PROMETHEUS, Format, Postgres

GREEN, ORANGE, RED, BLUE, GREY = "green", "orange", "red", "blue", "#8e8e8e"
NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Look:
    """What a panel says of its figures.

    unit: Grafana's id. low, high: of the scale. steps: colour from a value on, the first from None on.
    """

    title: str
    description: str
    unit: str = "short"
    decimals: int | None = None
    low: float | None = None
    high: float | None = None
    steps: Sequence[tuple[float | None, str]] = ((None, BLUE),)


Panel = TypeVar("Panel", stat.Panel, timeseries.Panel, table.Panel, bargauge.Panel)
AnyPanel = stat.Panel | timeseries.Panel | table.Panel | bargauge.Panel | text.Panel


def number(look: Look, sql: str) -> stat.Panel:
    """One figure, readable from afar."""
    return _alone(_dressed(stat.Panel(), look, sql))


def series(look: Look, sql: str, *, bars: bool = False, stacked: bool = False) -> timeseries.Panel:
    """Figures over time, a column each, beside a column `time`."""
    panel = _over_time(_dressed(timeseries.Panel(), look, sql, "time_series"), bars=bars)
    if stacked:
        panel.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL).group("A"))
    return panel


def band(look: Look, sql: str, *, observed: str, low: str, high: str, expected: str) -> timeseries.Panel:
    """Observed bars over the band that was expected; the names are the columns'."""
    panel = series(look, sql)
    panel.override_by_name(
        observed, _properties({"custom.drawStyle": "bars", "custom.fillOpacity": 60, "color": _fixed(BLUE)})
    )
    faint = {"custom.lineWidth": 0, "custom.pointSize": 1, "color": _fixed(GREY)}
    panel.override_by_name(low, _properties({**faint, "custom.hideFrom": _out_of_the_way()}))
    panel.override_by_name(
        high,
        _properties(
            {
                **faint,
                "custom.fillBelowTo": low,
                "custom.fillOpacity": 20,
                "custom.hideFrom": _out_of_the_way(),
            }
        ),
    )
    panel.override_by_name(
        expected, _properties({"custom.lineStyle": {"fill": "dash", "dash": [6, 6]}, "color": _fixed(GREY)})
    )
    return panel


def crossing(look: Look, sql: str, *, rising: str, bar: str) -> timeseries.Panel:
    """A line that is known on some days, over a bar that it may cross; the names are the columns'."""
    panel = series(look, sql)
    panel.override_by_name(
        rising,
        _properties({"custom.spanNulls": True, "custom.showPoints": "always", "color": _fixed(ORANGE)}),
    )
    panel.override_by_name(
        bar, _properties({"custom.lineStyle": {"fill": "dash", "dash": [6, 6]}, "color": _fixed(GREY)})
    )
    return panel


def measured(look: Look, *queries: tuple[str, str]) -> timeseries.Panel:
    """Prometheus expressions over time, each with its legend."""
    panel = _over_time(_bare(timeseries.Panel(), look).datasource(PROMETHEUS), bars=False)
    for place, (expression, legend) in enumerate(queries):
        panel.with_target(_metric(expression, "ABCDEF"[place]).legend_format(legend).range())
    return panel


def measure(look: Look, expression: str) -> stat.Panel:
    """The last value of a Prometheus expression."""
    panel = _bare(stat.Panel(), look).datasource(PROMETHEUS).with_target(_metric(expression, "A").instant())
    return _alone(panel)


def bars(look: Look, sql: str) -> bargauge.Panel:
    """Bars, a row of the table each: its name first, its figure second."""
    panel = _dressed(bargauge.Panel(), look, sql)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(True).fields(""))
    panel.orientation(options.VizOrientation.HORIZONTAL).display_mode(options.BarGaugeDisplayMode.BASIC)
    return panel.value_mode(options.BarGaugeValueMode.COLOR).show_unfilled(True)


@dataclass(frozen=True, slots=True)
class Column:
    """How a table shows a column. width: pixels; link: title and address; hidden: there for links only."""

    unit: str | None = None
    decimals: int | None = None
    width: int | None = None
    link: tuple[str, str] | None = None
    hidden: bool = False
    wraps: bool = False
    steps: Sequence[tuple[float | None, str]] = ()

    def properties(self) -> list[model.DynamicConfigValue]:
        """As Grafana's overrides."""
        said: dict[str, Any] = {}
        if self.unit is not None:
            said["unit"] = self.unit
        if self.decimals is not None:
            said["decimals"] = self.decimals
        if self.width is not None:
            said["custom.width"] = self.width
        if self.hidden:
            said["custom.hidden"] = True
        if self.wraps:
            said["custom.cellOptions"] = {"type": "auto", "wrapText": True}
        if self.steps:
            said["custom.cellOptions"] = {"type": "color-text"}
            said["thresholds"] = {
                "mode": "absolute",
                "steps": [{"value": _from(value), "color": color} for value, color in self.steps],
            }
        if self.link is not None:
            title, url = self.link
            said["links"] = [{"title": title, "url": url}]
        return _properties(said)


def rows(look: Look, sql: str, columns: Mapping[str, Column]) -> table.Panel:
    """A table; columns by name, those not named look like the panel."""
    panel = _dressed(table.Panel(), look, sql).show_header(True).cell_height(options.TableCellHeight.SM)
    for name, column in columns.items():
        panel.override_by_name(name, column.properties())
    return panel


def note(title: str, content: str) -> text.Panel:
    """A few words, in Markdown."""
    return text.Panel().title(title).mode(TextMode.MARKDOWN).content(content).transparent(True)


def _dressed(panel: Panel, look: Look, sql: str, form: Format = "table") -> Panel:
    return _bare(panel, look).datasource(POSTGRES).with_target(Postgres(sql, form))


def _bare(panel: Panel, look: Look) -> Panel:
    panel.title(look.title).description(look.description).unit(look.unit).no_value(NOTHING)
    steps = [model.Threshold(_from(value), color) for value, color in look.steps]
    panel.thresholds(dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
    if look.decimals is not None:
        panel.decimals(look.decimals)
    if look.low is not None:
        panel.min(look.low)
    if look.high is not None:
        panel.max(look.high)
    return panel


def _alone(panel: stat.Panel) -> stat.Panel:
    """The last value in the middle, without a graph."""
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields(""))
    panel.color_mode(options.BigValueColorMode.VALUE).graph_mode(options.BigValueGraphMode.NONE)
    return panel.justify_mode(options.BigValueJustifyMode.CENTER).text_mode(options.BigValueTextMode.VALUE)


def _from(value: float | None) -> float:
    """The first step has no lower end, whatever the number; Grafana's schema wants one."""
    return -1e9 if value is None else value


def _over_time(panel: timeseries.Panel, *, bars: bool) -> timeseries.Panel:
    panel.legend(
        common.VizLegendOptions()
        .display_mode(options.LegendDisplayMode.LIST)
        .placement(options.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    panel.tooltip(
        common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI).sort(options.SortOrder.DESCENDING)
    )
    style = options.GraphDrawStyle.BARS if bars else options.GraphDrawStyle.LINE
    panel.draw_style(style).fill_opacity(60 if bars else 0).line_width(2)
    return panel.show_points(options.VisibilityMode.AUTO).span_nulls(False)


def _metric(expression: str, ref_id: str) -> PrometheusQuery:
    return PrometheusQuery().expr(expression).ref_id(ref_id).datasource(PROMETHEUS)


def _properties(said: Mapping[str, Any]) -> list[model.DynamicConfigValue]:
    return [model.DynamicConfigValue(name, value) for name, value in said.items()]


def _fixed(color: str) -> dict[str, str]:
    return {"mode": "fixed", "fixedColor": color}


def _out_of_the_way() -> dict[str, bool]:
    return {"legend": True, "tooltip": False, "viz": False}
