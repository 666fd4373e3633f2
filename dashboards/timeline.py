"""A timeline as SVG: when texts of a situation were written, and when its signal was raised."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 960, 300, 30, 64, 46
_INK, _SOFT, _LINE = "#1f2933", "#616e7c", "#d9e2ec"
_TEXT, _DECOY, _RAISED = "#2a6f97", "#9aa5b1", "#d1495b"
_FONT = "font-family='system-ui, -apple-system, Segoe UI, sans-serif'"


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
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height}' {_FONT} role='img'>",
        f"<title>{escape(title)}</title>",
        f"<rect width='{_WIDTH}' height='{height}' fill='#ffffff'/>",
        _label(16, 26, title, 16, _INK, weight=600),
        _label(16, 46, legend, 12, _SOFT),
        *_weeks(first, last, height),
    ]
    for number, line in enumerate(lines):
        parts += _row(line, _TOP + _ROW * number + _ROW // 2, first, last)
    return "\n".join([*parts, "</svg>", ""])


def _weeks(first: date, last: date, height: int) -> Iterable[str]:
    """A thin line each Monday, a date every other one."""
    monday = first + timedelta(days=-first.weekday() % 7)
    for week in range(((last - monday).days // 7) + 1):
        day = monday + timedelta(weeks=week)
        x = _x(day, first, last)
        yield f"<path d='M{x:.1f} {_TOP}V{height - 30}' stroke='{_LINE}'/>"
        if week % 2 == 0:
            yield _label(x, height - 12, f"{day:%d/%m}", 11, _SOFT, anchor="middle")


def _row(line: Line, y: int, first: date, last: date) -> Iterable[str]:
    colour = _DECOY if line.quiet else _TEXT
    yield _label(16, y - 3, line.title, 13, _INK, weight=600)
    yield _label(16, y + 13, line.detail, 11, _SOFT)
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
        yield f"<path d='M{x:.1f} {y - 17}V{y + 17}' stroke='{_RAISED}' stroke-width='2.5'/>"
        yield _label(x + 5, y - 10, f"{line.raised:%d/%m}", 11, _RAISED, weight=600)


def _x(day: date, first: date, last: date) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (day - first).days / (last - first).days


def _label(
    x: float, y: float, text: str, size: int, colour: str, *, weight: int = 400, anchor: str = "start"
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}' fill='{colour}' "
        f"text-anchor='{anchor}'>{escape(text)}</text>"
    )
