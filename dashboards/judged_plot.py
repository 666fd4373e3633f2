"""What pictures of a series have in common: its days, its scales, and how what was observed is drawn."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from itertools import groupby
from typing import Literal

from dashboards.svg import QUIET, TEXTS, path

BAND = "#e4e7eb"
HATCHED = "withheld"
"""Id of the pattern that stands for what is withheld."""
_MOST_TICKS = 5


Shape = Literal["steps", "bars", "points"]
"""How what is observed is drawn: steps that add up and bars from 0, points anywhere."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One day of a series. low, high: between which the ordinary lies; None where nothing was judged.

    evidence, threshold: natural logarithms. raised: whether evidence crossed the threshold. withheld: whether
    what was observed is not told, there being too few people behind it.
    """

    day: date
    observed: float | None
    expected: float | None
    low: float | None
    high: float | None
    evidence: float | None
    threshold: float | None
    raised: bool
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class Time:
    """Days from left to right; between x `start` and x `end`."""

    first: date
    last: date
    start: float
    end: float

    @property
    def width(self) -> float:
        """Of a day."""
        return (self.end - self.start) / ((self.last - self.first).days + 1)

    def left(self, day: date) -> float:
        """Where a day begins."""
        return self.x(day) - self.width / 2

    def x(self, day: date) -> float:
        """The middle of a day."""
        return self.start + self.width * ((day - self.first).days + 0.5)


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` at y `bottom` to `high` at y `top`."""

    low: float
    high: float
    bottom: float
    top: float

    def y(self, value: float) -> float:
        """Where a value stands; one beyond the scale at its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.bottom - share * (self.bottom - self.top)


def value_range(days: Sequence[Judged], least: int, *, counts: bool) -> tuple[float, float]:
    """The lowest and the highest value of a scale: from 0 for counts. least: the least count that is told."""
    values = [
        value
        for one in days
        for value in (one.observed, one.expected, one.low, one.high)
        if value is not None and math.isfinite(value)
    ]
    low, high = min(values, default=0.0), max(values, default=1.0)
    if counts:
        return 0.0, 1.08 * max(high, 2.0, least if any(one.withheld for one in days) else 0)
    room = 0.08 * (high - low) or 0.5
    return low - room, high + room


def round_step(span: float) -> float:
    """A round step that cuts a span into _MOST_TICKS at most.

    >>> round_step(9.0), round_step(0.4), round_step(47.0)
    (2.0, 0.1, 10.0)
    """
    unit = 10.0 ** math.floor(math.log10(span / _MOST_TICKS))
    return next(unit * times for times in (1, 2, 5, 10) if unit * times * _MOST_TICKS >= span)


def draw_band(days: Sequence[Judged], time: Time, scale: Scale) -> Iterator[str]:
    """One rectangle a day between low and high, and the expected as a line across it."""
    for one in days:
        if one.low is not None and one.high is not None:
            low, high = scale.y(one.low), scale.y(one.high)
            x, width = time.x(one.day) - time.width / 2, time.width
            yield (
                f"<rect x='{x:.2f}' y='{high:.1f}' width='{width + 0.05:.2f}' height='{low - high:.1f}' "
                f"fill='{BAND}'/>"
            )
    for run in runs(days, "expected"):
        points = [(time.x(one.day), scale.y(one.expected or 0.0)) for one in run]
        yield path(points, fill="none", stroke=QUIET, stroke_width=1.6, stroke_dasharray="4 3")


def _bars(days: Sequence[Judged], time: Time, scale: Scale, raised: date) -> Iterator[str]:
    for one in days:
        if one.observed:
            y, width = scale.y(one.observed), max(1.2, 0.72 * time.width)
            x, height = time.x(one.day) - width / 2, scale.bottom - y
            yield (
                f"<rect class='observed' x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' "
                f"height='{height:.1f}' rx='1' fill='{TEXTS}' "
                f"fill-opacity='{_opacity(one.day, raised)}'>{_hint(one)}</rect>"
            )


def _points(days: Sequence[Judged], time: Time, scale: Scale, raised: date) -> Iterator[str]:
    for one in days:
        if one.observed is not None:
            x, y = time.x(one.day), scale.y(one.observed)
            yield (
                f"<circle class='observed' cx='{x:.1f}' cy='{y:.1f}' r='2.8' "
                f"fill='{TEXTS}' fill-opacity='{_opacity(one.day, raised)}'>{_hint(one)}</circle>"
            )


def _steps(days: Sequence[Judged], time: Time, scale: Scale, raised: date) -> Iterator[str]:
    """A line that rises as counts add up, a new one where they begin anew. The last step is a day long."""
    for run in _rises(days):
        points: list[tuple[float, float]] = []
        for at, one in enumerate(run):
            y, left = scale.y(one.observed or 0.0), time.left(one.day)
            right = time.left(run[at + 1].day) if at + 1 < len(run) else left + time.width
            points += [(left, y), (right, y)]
            yield (
                f"<rect class='observed' x='{left:.1f}' y='{y:.1f}' width='{right - left:.1f}' "
                f"height='{scale.bottom - y:.1f}' fill='{TEXTS}' "
                f"fill-opacity='{0.25 * _opacity(one.day, raised):.3f}'>{_hint(one)}</rect>"
            )
        opacity = _opacity(run[-1].day, raised)
        yield path(points, fill="none", stroke=TEXTS, stroke_width=2.4, stroke_opacity=opacity)


def _rises(days: Sequence[Judged]) -> Iterator[list[Judged]]:
    """Days on end whose counts add up, up to an alert."""
    run: list[Judged] = []
    for one in days:
        if run and (one.observed is None or run[-1].raised or one.observed < (run[-1].observed or 0.0)):
            yield run
            run = []
        if one.observed is not None:
            run.append(one)
    if run:
        yield run


def draw_withheld(days: Sequence[Judged], time: Time, scale: Scale) -> Iterator[str]:
    """Hatching over the days whose counts are withheld; it says nothing of their size."""
    for few, run in groupby(days, key=lambda one: one.withheld):
        if few:
            held = list(run)
            x = time.left(held[0].day)
            width = time.left(held[-1].day) + time.width - x
            yield (
                f"<rect class='withheld' x='{x:.1f}' y='{scale.top:.1f}' width='{width:.1f}' "
                f"height='{scale.bottom - scale.top:.1f}' fill='url(#{HATCHED})'/>"
            )


DRAWN = {"steps": _steps, "bars": _bars, "points": _points}
"""How each shape is drawn, from days, their time and scale, and the day of the alert."""


def hatching() -> str:
    """The pattern of what is withheld."""
    return (
        f"<defs><pattern id='{HATCHED}' width='6' height='6' patternUnits='userSpaceOnUse' "
        f"patternTransform='rotate(45)'><path d='M0 0V6' stroke='{QUIET}' stroke-width='2'/></pattern></defs>"
    )


def _opacity(day: date, raised: date) -> float:
    """What came after the alert did not raise it."""
    return 0.9 if day <= raised else 0.4


def _hint(one: Judged) -> str:
    expected = "" if one.expected is None else f" / {one.expected:.3g}"
    return f"<title>{escape(f'{one.day:%d/%m/%Y}: {one.observed:.4g}{expected}')}</title>"


def uprights(x: float, panels: Sequence[tuple[int, int]], style: str) -> str:
    """A line through each panel, at the same day."""
    moves = "".join(f"M{x:.1f} {top}V{bottom}" for top, bottom in panels)
    return f"<path d='{moves}' {style}/>"


def runs(days: Sequence[Judged], name: str) -> Iterator[list[Judged]]:
    """Days on end that have a value, two at least: those that a line can go through."""
    return (run for run in _runs(days, name) if len(run) > 1)


def alone(days: Sequence[Judged], name: str) -> Iterator[Judged]:
    """Days that have a value, the days before and after them none."""
    return (run[0] for run in _runs(days, name) if len(run) == 1)


def _runs(days: Sequence[Judged], name: str) -> Iterator[list[Judged]]:
    for known, run in groupby(days, key=lambda one: getattr(one, name) is not None):
        if known:
            yield list(run)
