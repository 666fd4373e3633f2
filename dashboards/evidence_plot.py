"""A signal's evidence as SVG: observed against expected, and how evidence crossed its threshold."""

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from itertools import groupby
from typing import Literal

from dashboards.evidence_words import WORDS, Words
from dashboards.svg import INK, LINE, QUIET, RAISED, SOFT, TEXTS, document, label, path

_WIDTH, _LEFT, _RIGHT = 960, 96, 34
_WRAP, _LINE_HEIGHT = 104, 23
_OBSERVED, _EVIDENCE, _GAP, _FOOT = 190, 150, 84, 40
_BAND = "#e4e7eb"
_EVIDENCE_COLOUR = "#3d7068"
_MOST_TICKS = 5
_HATCHED = "withheld"
_FEW_DAYS = 45
"""Up to so many days each week has its date, up to twice as many every other one, beyond that each month."""


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
class Titles:
    """Words of the picture. unit: of what is observed. alert: of its mark; baseline: of its span."""

    title: str
    subtitle: str
    unit: str
    alert: str
    baseline: str


def evidence_plot(
    days: Sequence[Judged],
    titles: Titles,
    *,
    raised: date,
    learned_until: date | None,
    shape: Shape,
    least: int,
    lang: str = "fr",
) -> str:
    """An SVG document of two panels over the same days.

    days: in order, one at least; days between them were silent. raised: the day of the alert.
    learned_until: last day of the baseline, None if it is not known. shape: steps and bars are of counts,
    points of values. least: the least count, and the least step of counts, that is told; hatched days stand
    for what is withheld. lang: fr or en. Raises ValueError if there is no day.
    """
    if not days:
        raise ValueError("there are no days; a picture needs one at least")
    words = WORDS[lang]
    title = textwrap.wrap(titles.title, _WRAP)
    top = 26 + _LINE_HEIGHT * len(title) + 52
    lower = top + _OBSERVED + _GAP
    height = lower + _EVIDENCE + _FOOT
    panels = [(top, top + _OBSERVED), (lower, lower + _EVIDENCE)]
    time = _Time(days[0].day, days[-1].day)
    counts = shape != "points"
    above = _Scale(*_range(days, least, counts=counts), top + _OBSERVED, top)
    ordinary = words.ordinary if any(one.low is not None for one in days) else words.expected
    observed = [(TEXTS, words.observed), (_BAND, ordinary)]
    if counts and any(one.withheld for one in days):
        observed.append((f"url(#{_HATCHED})", words.withheld.format(least=least)))
    highest = max([1.0, *(one.evidence or 0.0 for one in days), *(one.threshold or 0.0 for one in days)])
    below = _Scale(0.0, highest * 1.12, lower + _EVIDENCE, lower)
    parts = [
        _hatching(),
        *(label(16, 32 + _LINE_HEIGHT * row, line, 17, INK, weight=600) for row, line in enumerate(title)),
        label(16, 32 + _LINE_HEIGHT * len(title), titles.subtitle, 13, SOFT),
        *_dates(time, panels, words),
        *_values(above, titles.unit, words, whole=counts),
        *_band(days, time, above),
        *_rarities(below, words),
        *_mark(raised, titles.alert, time, panels),
        *(_withheld(days, time, above) if counts else ()),
        *_DRAWN[shape](days, time, above, raised),
        *_course(days, time, below),
        *_crossings(days, time, below, raised),
        *(_baseline(learned_until, titles.baseline, time, top + _OBSERVED) if learned_until else ()),
        *_legend(_LEFT, top - 14, observed),
        *_legend(_LEFT, lower - 14, ((_EVIDENCE_COLOUR, words.evidence), (RAISED, words.threshold))),
        label(_WIDTH - _RIGHT, lower - 14, words.anew, 12, SOFT, anchor="end"),
    ]
    return document(parts, width=_WIDTH, height=height, title=titles.title)


@dataclass(frozen=True, slots=True)
class _Time:
    """Days from left to right; a day takes `width`, its middle stands at x(day)."""

    first: date
    last: date

    @property
    def width(self) -> float:
        return (_WIDTH - _LEFT - _RIGHT) / ((self.last - self.first).days + 1)

    def left(self, day: date) -> float:
        return self.x(day) - self.width / 2

    def x(self, day: date) -> float:
        return _LEFT + self.width * ((day - self.first).days + 0.5)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Values from `low` at y `bottom` to `high` at y `top`."""

    low: float
    high: float
    bottom: float
    top: float

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.bottom - share * (self.bottom - self.top)


def _range(days: Sequence[Judged], least: int, *, counts: bool) -> tuple[float, float]:
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


def _dates(time: _Time, panels: Sequence[tuple[int, int]], words: Words) -> Iterator[str]:
    """A thin line at each date that is written. panels: top and bottom of each."""
    days = (time.last - time.first).days + 1
    for number in range(days):
        day = time.first + timedelta(days=number)
        if days > 2 * _FEW_DAYS:
            written = day.day == 1
        else:
            written = day.weekday() == 0 and (days <= _FEW_DAYS or day.isocalendar().week % 2 == 0)
        if written:
            x = time.x(day)
            yield _uprights(x, panels, f"stroke='{LINE}'")
            yield label(x, panels[-1][1] + 20, words.date.format(day=day), 12, SOFT, anchor="middle")


def _values(scale: _Scale, unit: str, words: Words, *, whole: bool) -> Iterator[str]:
    yield label(_WIDTH - _RIGHT, scale.top - 14, unit, 12, SOFT, anchor="end")
    step = _step(scale.high - scale.low)
    step = max(step, 1.0) if whole else step
    number = math.ceil(scale.low / step)
    while number * step <= scale.high:
        y, value = scale.y(number * step), f"{number * step:.6g}"
        written = value.replace(".", ",") if words.thousands != "," else value
        yield f"<path d='M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}' stroke='{LINE}' stroke-width='.6'/>"
        yield label(_LEFT - 10, y + 4, written, 12, SOFT, anchor="end")
        number += 1


def _step(span: float) -> float:
    """A round step that cuts a span into _MOST_TICKS at most.

    >>> _step(9.0), _step(0.4), _step(47.0)
    (2.0, 0.1, 10.0)
    """
    unit = 10.0 ** math.floor(math.log10(span / _MOST_TICKS))
    return next(unit * times for times in (1, 2, 5, 10) if unit * times * _MOST_TICKS >= span)


def _band(days: Sequence[Judged], time: _Time, scale: _Scale) -> Iterator[str]:
    """One rectangle a day between low and high, and the expected as a line across it."""
    for one in days:
        if one.low is not None and one.high is not None:
            low, high = scale.y(one.low), scale.y(one.high)
            x, width = time.x(one.day) - time.width / 2, time.width
            yield (
                f"<rect x='{x:.2f}' y='{high:.1f}' width='{width + 0.05:.2f}' height='{low - high:.1f}' "
                f"fill='{_BAND}'/>"
            )
    for run in _runs(days, "expected"):
        points = [(time.x(one.day), scale.y(one.expected or 0.0)) for one in run]
        yield path(points, fill="none", stroke=QUIET, stroke_width=1.6, stroke_dasharray="4 3")


def _bars(days: Sequence[Judged], time: _Time, scale: _Scale, raised: date) -> Iterator[str]:
    for one in days:
        if one.observed:
            y, width = scale.y(one.observed), max(1.2, 0.72 * time.width)
            x, height = time.x(one.day) - width / 2, scale.bottom - y
            yield (
                f"<rect class='observed' x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' "
                f"height='{height:.1f}' rx='1' fill='{TEXTS}' "
                f"fill-opacity='{_opacity(one.day, raised)}'>{_hint(one)}</rect>"
            )


def _points(days: Sequence[Judged], time: _Time, scale: _Scale, raised: date) -> Iterator[str]:
    for one in days:
        if one.observed is not None:
            x, y = time.x(one.day), scale.y(one.observed)
            yield (
                f"<circle class='observed' cx='{x:.1f}' cy='{y:.1f}' r='2.8' "
                f"fill='{TEXTS}' fill-opacity='{_opacity(one.day, raised)}'>{_hint(one)}</circle>"
            )


def _steps(days: Sequence[Judged], time: _Time, scale: _Scale, raised: date) -> Iterator[str]:
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


def _withheld(days: Sequence[Judged], time: _Time, scale: _Scale) -> Iterator[str]:
    """Hatching over the days whose counts are withheld; it says nothing of their size."""
    for few, run in groupby(days, key=lambda one: one.withheld):
        if few:
            held = list(run)
            x = time.left(held[0].day)
            width = time.left(held[-1].day) + time.width - x
            yield (
                f"<rect class='withheld' x='{x:.1f}' y='{scale.top:.1f}' width='{width:.1f}' "
                f"height='{scale.bottom - scale.top:.1f}' fill='url(#{_HATCHED})'/>"
            )


_DRAWN = {"steps": _steps, "bars": _bars, "points": _points}


def _hatching() -> str:
    return (
        f"<defs><pattern id='{_HATCHED}' width='6' height='6' patternUnits='userSpaceOnUse' "
        f"patternTransform='rotate(45)'><path d='M0 0V6' stroke='{QUIET}' stroke-width='2'/></pattern></defs>"
    )


def _opacity(day: date, raised: date) -> float:
    """What came after the alert did not raise it."""
    return 0.9 if day <= raised else 0.4


def _hint(one: Judged) -> str:
    expected = "" if one.expected is None else f" / {one.expected:.3g}"
    return f"<title>{escape(f'{one.day:%d/%m/%Y}: {one.observed:.4g}{expected}')}</title>"


def _rarities(scale: _Scale, words: Words) -> Iterator[str]:
    """A line each power of ten that evidence may reach, a few of them named."""
    powers = math.floor(scale.high / math.log(10))
    every = max(1, math.ceil(powers / _MOST_TICKS))
    for power in range(0, powers + 1, every):
        y = scale.y(power * math.log(10))
        yield f"<path d='M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}' stroke='{LINE}' stroke-width='.6'/>"
        yield label(_LEFT - 10, y + 4, _rarity(power, words), 12, SOFT, anchor="end")


def _rarity(power: int, words: Words) -> str:
    if power == 0:
        return "1"
    number = f"{10**power:,}".replace(",", words.thousands) if power < 5 else f"10{_raised_digits(power)}"
    return words.rarity.format(number)


def _raised_digits(power: int) -> str:
    return str(power).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _course(days: Sequence[Judged], time: _Time, scale: _Scale) -> Iterator[str]:
    """Evidence as an area under a line, and the threshold, which follows how much is tested."""
    for run in _runs(days, "evidence"):
        points = [(time.x(one.day), scale.y(one.evidence or 0.0)) for one in run]
        area = [(points[0][0], scale.bottom), *points, (points[-1][0], scale.bottom)]
        yield path(area, fill=_EVIDENCE_COLOUR, fill_opacity=0.14)
        yield path(points, fill="none", stroke=_EVIDENCE_COLOUR, stroke_width=2, stroke_linejoin="round")
    for run in _runs(days, "threshold"):
        points = [(time.x(one.day), scale.y(one.threshold or 0.0)) for one in run]
        yield path(points, fill="none", stroke=RAISED, stroke_width=1.6, stroke_dasharray="6 4")


def _crossings(days: Sequence[Judged], time: _Time, scale: _Scale, raised: date) -> Iterator[str]:
    for one in days:
        if one.raised and one.evidence is not None:
            fill = RAISED if one.day == raised else "#ffffff"
            yield (
                f"<circle class='crossing' cx='{time.x(one.day):.1f}' cy='{scale.y(one.evidence):.1f}' r='5' "
                f"fill='{fill}' stroke='{RAISED}' stroke-width='2'/>"
            )


def _mark(raised: date, alert: str, time: _Time, panels: Sequence[tuple[int, int]]) -> Iterator[str]:
    x, top = time.x(raised), panels[0][0]
    yield _uprights(x, panels, f"class='alert' stroke='{RAISED}' stroke-width='1.5'")
    at_left = x > _WIDTH / 2
    anchor, beside = ("end", x - 7) if at_left else ("start", x + 7)
    yield label(beside, top + 8, alert, 13, RAISED, weight=600, anchor=anchor)


def _uprights(x: float, panels: Sequence[tuple[int, int]], style: str) -> str:
    """A line through each panel, at the same day."""
    moves = "".join(f"M{x:.1f} {top}V{bottom}" for top, bottom in panels)
    return f"<path d='{moves}' {style}/>"


def _baseline(until: date, words: str, time: _Time, y: float) -> Iterator[str]:
    """A bracket under the days that the expected was learned from."""
    left, right = _LEFT + 2, time.x(until) + time.width / 2
    if right > left:
        yield path([(left, y + 14), (right, y + 14), (right, y + 8)], fill="none", stroke=QUIET)
        yield label(left, y + 31, words, 12, SOFT)


def _legend(x: float, y: float, entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    for colour, words in entries:
        yield f"<rect x='{x:.1f}' y='{y - 9:.1f}' width='12' height='10' rx='2' fill='{colour}'/>"
        yield label(x + 18, y, words, 12, SOFT)
        x += 18 + 6.4 * len(words) + 26


def _runs(days: Sequence[Judged], name: str) -> Iterator[list[Judged]]:
    """Days on end that have a value."""
    run: list[Judged] = []
    for one in days:
        if getattr(one, name) is None:
            if len(run) > 1:
                yield run
            run = []
        else:
            run.append(one)
    if len(run) > 1:
        yield run
