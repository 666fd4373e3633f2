"""A timeline as SVG: when texts of a situation were written, and when its signal was raised."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from dashboards.svg import INK, LINE, QUIET, RAISED, SOFT, TEXTS, document, label

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 960, 300, 30, 64, 46


@dataclass(frozen=True, slots=True)
class Line:
    """One situation. days: of its texts; raised: day of its first signal, None if none. quiet: a decoy."""

    title: str
    detail: str
    days: Sequence[date]
    raised: date | None
    quiet: bool


def timeline(lines: Sequence[Line], *, first: date, last: date, title: str, legend: str) -> str:
    """An SVG document: one row a line, one dot a day, larger for more texts; a mark where it was raised.

    first, last: the days shown, both included. Raises ValueError if last is not after first.
    """
    if last <= first:
        raise ValueError(f"last is {last}; it must be after first, {first}")
    height = _TOP + _ROW * len(lines) + 40
    parts = [
        label(16, 26, title, 16, INK, weight=600),
        label(16, 46, legend, 12, SOFT),
        *_weeks(first, last, height),
    ]
    for number, line in enumerate(lines):
        parts += _row(line, _TOP + _ROW * number + _ROW // 2, first, last)
    return document(parts, width=_WIDTH, height=height, title=title)


def _weeks(first: date, last: date, height: int) -> Iterable[str]:
    """A thin line each Monday, a date every other one."""
    monday = first + timedelta(days=-first.weekday() % 7)
    for week in range(((last - monday).days // 7) + 1):
        day = monday + timedelta(weeks=week)
        x = _x(day, first, last)
        yield f"<path d='M{x:.1f} {_TOP}V{height - 30}' stroke='{LINE}'/>"
        if week % 2 == 0:
            yield label(x, height - 12, f"{day:%d/%m}", 11, SOFT, anchor="middle")


def _row(line: Line, y: int, first: date, last: date) -> Iterable[str]:
    colour = QUIET if line.quiet else TEXTS
    yield label(16, y - 3, line.title, 13, INK, weight=600)
    yield label(16, y + 13, line.detail, 11, SOFT)
    for day, texts in sorted(Counter(line.days).items()):
        if first <= day <= last:
            radius = min(11.0, 2.4 + texts**0.5 * 1.3)
            x = _x(day, first, last)
            yield (
                f"<circle cx='{x:.1f}' cy='{y}' r='{radius:.1f}' fill='{colour}' fill-opacity='.65'>"
                f"<title>{day:%d/%m}: {texts}</title></circle>"
            )
    if line.raised is not None:
        x = _x(line.raised, first, last)
        yield f"<path d='M{x:.1f} {y - 17}V{y + 17}' stroke='{RAISED}' stroke-width='2.5'/>"
        yield label(x + 5, y - 10, f"{line.raised:%d/%m}", 11, RAISED, weight=600)


def _x(day: date, first: date, last: date) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (day - first).days / (last - first).days
