"""What settings trade: alerts raised against what is still found, a point each, as SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dashboards.judged_plot import Scale, round_step
from dashboards.svg import INK, LINE, RAISED, SOFT, TEXTS, document, label

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 960, 520, 72, 40, 96, 64


@dataclass(frozen=True, slots=True)
class Point:
    """One choice of settings. alerts: raised in all; kept: share of what happened that is raised too."""

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
    """An SVG document: fewer alerts to the left, more of what happened to the top. ValueError without one."""
    if not points:
        raise ValueError("there are no points; a picture needs one at least")
    most = max(1, *(point.alerts for point in points))
    across = Scale(0.0, most * 1.15, _LEFT, _WIDTH - _RIGHT)
    up = Scale(0.0, 1.05, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        label(16, 34, words.title, 17, INK, weight=600),
        label(16, 58, words.subtitle, 13, SOFT),
        *_grid(across, up, words),
        *_points(points, across, up),
    ]
    return document(parts, width=_WIDTH, height=_HEIGHT, title=words.title)


def _grid(across: Scale, up: Scale, words: TradeoffWords) -> Iterator[str]:
    step = max(1.0, round_step(across.high))
    for number in range(int(across.high / step) + 1):
        x = across.y(number * step)
        yield f"<path d='M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}' stroke='{LINE}' stroke-width='.8'/>"
        yield label(x, _HEIGHT - _BOTTOM + 20, f"{number * step:,.0f}", 12, SOFT, anchor="middle")
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = up.y(share)
        yield f"<path d='M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}' stroke='{LINE}' stroke-width='.8'/>"
        yield label(_LEFT - 10, y + 4, f"{share:.0%}", 12, SOFT, anchor="end")
    yield label(_WIDTH - _RIGHT, _HEIGHT - 18, words.alerts, 12, SOFT, anchor="end")
    yield label(_LEFT, _TOP - 10, words.kept, 12, SOFT)


def _points(points: Sequence[Point], across: Scale, up: Scale) -> Iterator[str]:
    """Points at one place share a label: they trade the same."""
    places: dict[tuple[int, float], list[Point]] = {}
    for point in points:
        places.setdefault((point.alerts, round(point.kept, 3)), []).append(point)
    written: list[tuple[float, float]] = []
    for (alerts, kept), here in sorted(places.items()):
        x, y = across.y(alerts), up.y(kept)
        colour = RAISED if any(point.today for point in here) else TEXTS
        yield f"<circle class='point' cx='{x:.1f}' cy='{y:.1f}' r='6' fill='{colour}' fill-opacity='.85'/>"
        at_left = x > _WIDTH * 0.62
        height = y + 4
        while any(abs(x - other) < 260 and abs(height - at) < 15 for other, at in written):
            height += 15
        written.append((x, height))
        text = " · ".join(point.name for point in here)
        yield label(
            x - 11 if at_left else x + 11, height, text, 12, INK, anchor="end" if at_left else "start"
        )
