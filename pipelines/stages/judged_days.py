"""What was judged of one feature or series, as days that can be shown: observed, expected, evidence.

Nothing is told of fewer people than the minimum.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from connectors.civil_days import day_of
from pipelines.stages.finding import SUMMED, UNUSUAL_DAY, Finding

ORDINARY = 0.95
"""Share of ordinary days under the upper end of the expected band, and over its lower end."""


@dataclass(frozen=True, slots=True)
class JudgedDay:
    """One day, or week of a blind spot, in the unit of the kind.

    People, writers, texts of a silence and mentions of a blind spot are counted since the running episode
    began, and so is what was expected of them; outside the episode there is the expected alone, of that day.
    Means, shares and the texts of an unusual day are those of the day.

    observed: None where there was nothing to observe, or where it is withheld. writers: people who wrote at
    all, None for a signal of the watch. low, high: where the ordinary lies. evidence, threshold: natural
    logarithms, evidence at least 0, None where it would give away what is withheld. raised: whether that was
    an alert. withheld: whether too few people stand behind it.
    """

    day: date
    observed: float | None
    writers: int | None
    expected: float
    low: float | None
    high: float | None
    evidence: float | None
    threshold: float
    raised: bool
    withheld: bool


def days_of_feature(
    rows: Sequence[Mapping[str, Any]], dispersion: float, *, since: date, min_authors: int
) -> list[JudgedDay]:
    """The days of a probe from the first one on which its perimeter was heard. rows: PROBED of one probe.

    Of the days before `since` only the expected is told.
    """
    first = next((at for at, row in enumerate(rows) if row["exposure"]), len(rows))
    return [
        _day_of_feature(row, rows, dispersion, since=since, min_authors=min_authors) for row in rows[first:]
    ]


def _day_of_feature(
    row: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    dispersion: float,
    *,
    since: date,
    min_authors: int,
) -> JudgedDay:
    day = day_of(row["bucket"])
    running = day >= since and row["observed"] > 0
    told = running and row["observed"] >= min_authors
    low, high = band(row["expected"], dispersion) if running else (None, None)
    wrote = sum(one["exposure"] for one in rows if row["since"] <= one["bucket"] <= row["bucket"])
    return JudgedDay(
        day=day,
        observed=row["observed"] if told else None,
        writers=wrote if told else None,
        expected=row["expected"] if running else row["rate"] * row["exposure"],
        low=low,
        high=high,
        evidence=max(0.0, row["evidence"]) if told else None,
        threshold=row["threshold"],
        raised=row["flagged"],
        withheld=running and not told,
    )


def days_of_series(
    shown: Sequence[Finding], raised: Collection[Finding], *, since: date, min_authors: int
) -> list[JudgedDay]:
    """The days of a series of the watch. shown: in order of bucket; raised: those that were alerts.

    Findings sum up an episode: a day's mean is what it adds to the one before. Ordinary are the daily values
    of nine days in ten before `since`.
    """
    days = [
        _so_far(one, before, one in raised, since=since, min_authors=min_authors)
        if one.kind in SUMMED
        else _alone(one, before, one in raised, min_authors=min_authors)
        for before, one in zip([None, *shown], shown, strict=False)
    ]
    if not shown or shown[0].kind in SUMMED:
        return days
    usual = [one.observed for one in days if one.observed is not None and one.day < since]
    low, high = np.quantile(usual, [1 - ORDINARY, ORDINARY]).tolist() if usual else (None, None)
    return [replace(one, low=low, high=high) for one in days]


def _so_far(
    one: Finding, before: Finding | None, raised: bool, *, since: date, min_authors: int
) -> JudgedDay:
    """Counts since the episode began; the alert tells its own, as its sentence does."""
    day = day_of(one.bucket)
    if day < since:
        goes_on = before is not None and before.since == one.since
        expected = one.expected - before.expected if before is not None and goes_on else one.expected
        return _day(one, None, expected, raised, withheld=False, evidence=False)
    few = one.size < min_authors or 0 < one.observed < min_authors
    told = raised or not few
    return _day(one, one.observed if told else None, one.expected, raised, withheld=not told, evidence=told)


def _alone(one: Finding, before: Finding | None, raised: bool, *, min_authors: int) -> JudgedDay:
    """What a bucket alone observed: a mean of its values, or the texts of an unusual day."""
    if one.kind == UNUSUAL_DAY:
        told = raised or not 0 < one.observed < min_authors
        return _day(
            one, one.observed if told else None, one.expected, raised, withheld=not told, evidence=told
        )
    values, total = one.size, one.observed * one.size
    if before is not None and before.since == one.since:
        values, total = values - before.size, total - before.observed * before.size
    told = values >= min_authors
    return _day(
        one,
        total / values if told else None,
        one.expected,
        raised,
        withheld=0 < values < min_authors,
        evidence=told or raised,
    )


def _day(
    one: Finding, observed: float | None, expected: float, raised: bool, *, withheld: bool, evidence: bool
) -> JudgedDay:
    return JudgedDay(
        day=day_of(one.bucket),
        observed=observed,
        writers=None,
        expected=expected,
        low=None,
        high=None,
        evidence=max(0.0, one.evidence) if evidence else None,
        threshold=one.threshold,
        raised=raised,
        withheld=withheld,
    )


def band(mean: float, dispersion: float) -> tuple[int, int]:
    """Where nine ordinary days in ten lie: quantiles of a negative binomial of that mean and size.

    >>> band(0.0, 1.0), band(0.01, 1.0), band(10.0, 1e6)
    ((0, 0), (0, 0), (5, 15))
    """
    if mean <= 0:
        return 0, 0
    share = mean / (mean + dispersion)
    chance = math.exp(dispersion * math.log1p(-share))
    below, count, low = chance, 0, None
    while True:
        if low is None and below >= 1 - ORDINARY:
            low = count
        if below >= ORDINARY and low is not None:
            return low, count
        chance *= share * (dispersion + count) / (count + 1)
        if chance <= 0 and count > mean:
            return low or 0, count
        count += 1
        below += chance
