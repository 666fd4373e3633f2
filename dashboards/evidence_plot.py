"""A signal's evidence as SVG: observed against expected, and how evidence crossed its threshold."""

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from dashboards import judged_plot
from dashboards.evidence_words import WORDS, Words
from dashboards.svg import INK, LINE, QUIET, RAISED, SOFT, TEXTS, document, label, path

_WIDTH, _LEFT, _RIGHT = 960, 96, 34
_WRAP, _LINE_HEIGHT = 92, 23
_OBSERVED, _EVIDENCE, _GAP, _FOOT = 190, 150, 84, 40
_EVIDENCE_COLOUR = "#3d7068"
_MOST_TICKS = 5
_FEW_DAYS = 45
"""Up to so many days each week has its date, up to twice as many every other one, beyond that each month."""


@dataclass(frozen=True, slots=True)
class Titles:
    """Words of the picture. unit: of what is observed. alert: of its mark; baseline: of its span."""

    title: str
    subtitle: str
    unit: str
    alert: str
    baseline: str


def evidence_plot(
    days: Sequence[judged_plot.Judged],
    titles: Titles,
    *,
    raised: date,
    learned_until: date | None,
    shape: judged_plot.Shape,
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
    time = judged_plot.Time(days[0].day, days[-1].day, _LEFT, _WIDTH - _RIGHT)
    counts = shape != "points"
    above = judged_plot.Scale(*judged_plot.value_range(days, least, counts=counts), top + _OBSERVED, top)
    ordinary = words.ordinary if any(one.low is not None for one in days) else words.expected
    observed = [(TEXTS, words.counted if counts else words.observed), (judged_plot.BAND, ordinary)]
    if counts and any(one.withheld for one in days):
        observed.append((f"url(#{judged_plot.HATCHED})", words.withheld.format(least=least)))
    highest = max([1.0, *(one.evidence or 0.0 for one in days), *(one.threshold or 0.0 for one in days)])
    below = judged_plot.Scale(0.0, highest * 1.12, lower + _EVIDENCE, lower)
    parts = [
        judged_plot.hatching(),
        *(label(16, 32 + _LINE_HEIGHT * row, line, 17, INK, weight=600) for row, line in enumerate(title)),
        label(16, 32 + _LINE_HEIGHT * len(title), titles.subtitle, 13, SOFT),
        *_dates(time, panels, words),
        *_values(above, titles.unit, words, whole=counts),
        *judged_plot.draw_band(days, time, above),
        *_rarities(below, words),
        *_mark(raised, titles.alert, time, panels),
        *(judged_plot.draw_withheld(days, time, above) if counts else ()),
        *(judged_plot.draw_withheld(days, time, below) if counts else ()),
        *judged_plot.DRAWN[shape](days, time, above, raised),
        *_course(days, time, below),
        *_crossings(days, time, below, raised),
        *(_baseline(learned_until, titles.baseline, time, top + _OBSERVED) if learned_until else ()),
        *_legend(_LEFT, top - 14, observed),
        *_legend(_LEFT, lower - 14, ((_EVIDENCE_COLOUR, words.evidence), (RAISED, words.threshold))),
        label(_WIDTH - _RIGHT, lower - 14, words.anew, 12, SOFT, anchor="end"),
    ]
    return document(parts, width=_WIDTH, height=height, title=titles.title)


def _dates(time: judged_plot.Time, panels: Sequence[tuple[int, int]], words: Words) -> Iterator[str]:
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
            yield judged_plot.uprights(x, panels, f"stroke='{LINE}'")
            yield label(x, panels[-1][1] + 20, words.date.format(day=day), 12, SOFT, anchor="middle")


def _values(scale: judged_plot.Scale, unit: str, words: Words, *, whole: bool) -> Iterator[str]:
    yield label(_WIDTH - _RIGHT, scale.top - 14, unit, 12, SOFT, anchor="end")
    step = judged_plot.round_step(scale.high - scale.low)
    step = max(step, 1.0) if whole else step
    number = math.ceil(scale.low / step)
    while number * step <= scale.high:
        y, written = scale.y(number * step), words.number(number * step)
        yield f"<path d='M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}' stroke='{LINE}' stroke-width='.6'/>"
        yield label(_LEFT - 10, y + 4, written, 12, SOFT, anchor="end")
        number += 1


def _rarities(scale: judged_plot.Scale, words: Words) -> Iterator[str]:
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


def _course(
    days: Sequence[judged_plot.Judged], time: judged_plot.Time, scale: judged_plot.Scale
) -> Iterator[str]:
    """Evidence as an area under a line, and the threshold, which follows how much is tested.

    A day whose neighbours' evidence is not known, or withheld, is an area as wide as the day.
    """
    for one in judged_plot.alone(days, "evidence"):
        left, y = time.left(one.day), scale.y(one.evidence or 0.0)
        yield (
            f"<rect class='evidence' x='{left:.1f}' y='{y:.1f}' width='{time.width:.1f}' "
            f"height='{scale.bottom - y:.1f}' fill='{_EVIDENCE_COLOUR}' fill-opacity='.14'/>"
        )
        line = [(left, y), (left + time.width, y)]
        yield path(line, fill="none", stroke=_EVIDENCE_COLOUR, stroke_width=2)
    for run in judged_plot.runs(days, "evidence"):
        points = [(time.x(one.day), scale.y(one.evidence or 0.0)) for one in run]
        area = [(points[0][0], scale.bottom), *points, (points[-1][0], scale.bottom)]
        yield path(area, fill=_EVIDENCE_COLOUR, fill_opacity=0.14)
        yield path(points, fill="none", stroke=_EVIDENCE_COLOUR, stroke_width=2, stroke_linejoin="round")
    for run in judged_plot.runs(days, "threshold"):
        points = [(time.x(one.day), scale.y(one.threshold or 0.0)) for one in run]
        yield path(points, fill="none", stroke=RAISED, stroke_width=1.6, stroke_dasharray="6 4")


def _crossings(
    days: Sequence[judged_plot.Judged], time: judged_plot.Time, scale: judged_plot.Scale, raised: date
) -> Iterator[str]:
    for one in days:
        if one.raised and one.evidence is not None:
            fill = RAISED if one.day == raised else "#ffffff"
            yield (
                f"<circle class='crossing' cx='{time.x(one.day):.1f}' cy='{scale.y(one.evidence):.1f}' r='5' "
                f"fill='{fill}' stroke='{RAISED}' stroke-width='2'/>"
            )


def _mark(
    raised: date, alert: str, time: judged_plot.Time, panels: Sequence[tuple[int, int]]
) -> Iterator[str]:
    x, top = time.x(raised), panels[0][0]
    yield judged_plot.uprights(x, panels, f"class='alert' stroke='{RAISED}' stroke-width='1.5'")
    at_left = x > _WIDTH / 2
    anchor, beside = ("end", x - 7) if at_left else ("start", x + 7)
    yield label(beside, top + 8, alert, 13, RAISED, weight=600, anchor=anchor)


def _baseline(until: date, words: str, time: judged_plot.Time, y: float) -> Iterator[str]:
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
