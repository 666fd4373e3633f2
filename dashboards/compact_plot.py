"""Observed against expected as a small SVG, for mails and phones: one panel, large words."""

import math
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from dashboards import judged_plot
from dashboards.evidence_words import WORDS, Words
from dashboards.svg import INK, LINE, RAISED, SOFT, TEXTS, document, label

WIDTH = 520
_LEFT, _RIGHT, _TOP, _PANEL, _FOOT = 52, 14, 88, 190, 36
_TEXT = 16
_MOST_DATES = 4
_LETTER = 8.1
"""Width of a letter, about, that places what follows words."""


def compact_plot(
    days: Sequence[judged_plot.Judged],
    *,
    title: str,
    alert: str,
    raised: date,
    shape: judged_plot.Shape,
    least: int,
    lang: str = "fr",
) -> str:
    """An SVG document of what was observed and expected.

    days, raised, shape, least, lang: as of `evidence_plot`. title: what is observed. alert: of its
    mark.
    Raises ValueError if there is no day.
    """
    if not days:
        raise ValueError("there are no days; a picture needs one at least")
    words, counts = WORDS[lang], shape != "points"
    height = _TOP + _PANEL + _FOOT
    time = judged_plot.Time(days[0].day, days[-1].day, _LEFT, WIDTH - _RIGHT)
    scale = judged_plot.Scale(*judged_plot.value_range(days, least, counts=counts), _TOP + _PANEL, _TOP)
    withheld = counts and any(one.withheld for one in days)
    parts = [
        judged_plot.hatching(),
        label(_LEFT, 24, title, _TEXT, INK, weight=600),
        *_legend(words, counts=counts, withheld=withheld, ordinary=any(one.low is not None for one in days)),
        *_values(scale, words, whole=counts),
        *_dates(time, words),
        *judged_plot.draw_band(days, time, scale),
        *_mark(time.x(raised), alert),
        *(judged_plot.draw_withheld(days, time, scale) if counts else ()),
        *judged_plot.DRAWN[shape](days, time, scale, raised),
    ]
    return document(parts, width=WIDTH, height=height, title=title)


def _legend(words: Words, *, counts: bool, withheld: bool, ordinary: bool) -> Iterator[str]:
    entries = [
        (TEXTS, words.counted if counts else words.observed),
        (judged_plot.BAND, words.usual if ordinary else words.expected),
    ]
    if withheld:
        entries.append((f"url(#{judged_plot.HATCHED})", words.few))
    x = float(_LEFT)
    for colour, said in entries:
        yield f"<rect x='{x:.1f}' y='39' width='15' height='13' rx='2' fill='{colour}'/>"
        yield label(x + 21, 51, said, _TEXT - 1, SOFT)
        x += 21 + _LETTER * len(said) + 18


def _values(scale: judged_plot.Scale, words: Words, *, whole: bool) -> Iterator[str]:
    step = judged_plot.round_step(scale.high - scale.low)
    step = max(step, 1.0) if whole else step
    number = math.ceil(scale.low / step)
    while number * step <= scale.high:
        y = scale.y(number * step)
        yield f"<path d='M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}' stroke='{LINE}' stroke-width='1'/>"
        yield label(_LEFT - 9, y + 5.5, words.number(number * step), _TEXT, SOFT, anchor="end")
        number += 1


def _dates(time: judged_plot.Time, words: Words) -> Iterator[str]:
    """Mondays, as many of them as there is room for."""
    mondays = [
        day
        for number in range((time.last - time.first).days + 1)
        if (day := time.first + timedelta(days=number)).weekday() == 0
    ]
    for day in mondays[:: math.ceil(len(mondays) / _MOST_DATES) or 1]:
        x = min(max(time.x(day), _LEFT + 20), WIDTH - _RIGHT - 22)
        yield label(x, _TOP + _PANEL + 25, words.date.format(day=day), _TEXT, SOFT, anchor="middle")


def _mark(x: float, alert: str) -> Iterator[str]:
    yield f"<path d='M{x:.1f} {_TOP - 16}V{_TOP + _PANEL}' class='alert' stroke='{RAISED}' stroke-width='2'/>"
    anchor, beside = ("end", x - 8) if x > WIDTH / 2 else ("start", x + 8)
    yield label(beside, _TOP - 6, alert, _TEXT, RAISED, weight=600, anchor=anchor)
