"""What settings trade: alerts raised against what is still found, a point each, as SVG."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dashboards.judged_plot import Scale, round_step
from dashboards.svg import INK, LINE, RAISED, SOFT, TEXTS, document, label

_WIDTH, _LEFT, _RIGHT, _TOP, _PLOT = 960, 72, 40, 104, 330
_FOOT, _LINE_HEIGHT = 58, 21
_COLUMNS = 2


@dataclass(frozen=True, slots=True)
class Point:
    """One choice of settings. alerts: raised in all; kept: share of what happened that is raised too.

    today: whether these are the settings in force.
    """

    name: str
    alerts: int
    kept: float
    today: bool = False


@dataclass(frozen=True, slots=True)
class TradeoffWords:
    """Words of the picture. alerts, kept: of its axes."""

    title: str
    subtitle: str
    alerts: str
    kept: str


def tradeoff_plot(points: Sequence[Point], words: TradeoffWords) -> str:
    """An SVG document: fewer alerts to the left, more of what happened to the top. ValueError without one.

    Points are numbered, and named under the plot.
    """
    if not points:
        raise ValueError("there are no points; a picture needs one at least")
    most = max(1, *(point.alerts for point in points))
    least = max(0.0, math.floor(4 * (min(point.kept for point in points) - 0.05)) / 4)
    across = Scale(0.0, most * 1.08, _LEFT, _WIDTH - _RIGHT)
    up = Scale(least, 1.0 + 0.06 * (1.0 - least), _TOP + _PLOT, _TOP)
    lines = -(-len(points) // _COLUMNS)
    parts = [
        label(16, 34, words.title, 17, INK, weight=600),
        label(16, 58, words.subtitle, 13, SOFT),
        *_grid(across, up, words),
        *_points(points, across, up),
        *_names(points, _TOP + _PLOT + _FOOT, lines),
    ]
    height = _TOP + _PLOT + _FOOT + lines * _LINE_HEIGHT + 16
    return document(parts, width=_WIDTH, height=height, title=words.title)


def _grid(across: Scale, up: Scale, words: TradeoffWords) -> Iterator[str]:
    step = max(1.0, round_step(across.high))
    for number in range(int(across.high / step) + 1):
        x = across.y(number * step)
        yield f"<path d='M{x:.1f} {_TOP}V{up.bottom}' stroke='{LINE}' stroke-width='.8'/>"
        yield label(x, up.bottom + 20, f"{number * step:,.0f}", 12, SOFT, anchor="middle")
    for quarters in range(round(4 * up.low), 5):
        y = up.y(quarters / 4)
        yield f"<path d='M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}' stroke='{LINE}' stroke-width='.8'/>"
        yield label(_LEFT - 10, y + 4, f"{quarters / 4:.0%}", 12, SOFT, anchor="end")
    yield label(_WIDTH - _RIGHT, up.bottom + 38, words.alerts, 12, SOFT, anchor="end")
    yield label(_LEFT, _TOP - 10, words.kept, 12, SOFT)


def _points(points: Sequence[Point], across: Scale, up: Scale) -> Iterator[str]:
    """Points at one place trade the same: they are one, with all their numbers."""
    places: dict[tuple[int, float], list[int]] = {}
    for number, point in enumerate(points):
        places.setdefault((point.alerts, round(point.kept, 3)), []).append(number)
    for (alerts, kept), numbers in sorted(places.items()):
        x, y = across.y(alerts), up.y(kept)
        colour = RAISED if any(points[number].today for number in numbers) else TEXTS
        yield f"<circle class='point' cx='{x:.1f}' cy='{y:.1f}' r='6' fill='{colour}' fill-opacity='.85'/>"
        text = ", ".join(str(number + 1) for number in numbers)
        yield label(x, y + 22, text, 12, INK, weight=600, anchor="middle")


def _names(points: Sequence[Point], top: float, lines: int) -> Iterator[str]:
    for number, point in enumerate(points):
        column, line = divmod(number, lines)
        x, y = _LEFT + column * (_WIDTH - _LEFT - _RIGHT) / _COLUMNS, top + line * _LINE_HEIGHT
        yield label(x - 8, y, str(number + 1), 12, RAISED if point.today else INK, weight=600, anchor="end")
        yield label(x, y, point.name, 12, INK)
