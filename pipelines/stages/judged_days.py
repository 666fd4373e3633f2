"""What was judged of one feature or series, as days that can be shown: observed, expected, evidence."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from connectors.civil_days import day_of
from pipelines.stages.finding import BLIND_SPOT, SILENCE, UNUSUAL_DAY, Finding

ORDINARY = 0.95
"""Share of ordinary days under the upper end of the expected band, and over its lower end."""


@dataclass(frozen=True, slots=True)
class JudgedDay:
    """One day, or week of a blind spot, in the unit of the kind.

    observed: None where there was nothing to observe. writers: people who wrote at all, None for a signal of
    the watch. low, high: where ordinary days lie. evidence, threshold: natural logarithms, evidence at least
    0. raised: whether that was an alert.
    """

    day: date
    observed: float | None
    writers: int | None
    expected: float
    low: float | None
    high: float | None
    evidence: float
    threshold: float
    raised: bool


def days_of_feature(rows: Sequence[Mapping[str, Any]], dispersion: float) -> list[JudgedDay]:
    """The days of a probe from the first one on which its perimeter was heard. rows: PROBED of one probe."""
    first = next((at for at, row in enumerate(rows) if row["exposure"]), len(rows))
    days = []
    for row in rows[first:]:
        expected = row["rate"] * row["exposure"]
        low, high = band(expected, dispersion)
        days.append(
            JudgedDay(
                day=day_of(row["bucket"]),
                observed=row["authors"],
                writers=row["exposure"],
                expected=expected,
                low=low,
                high=high,
                evidence=max(0.0, row["evidence"]),
                threshold=row["threshold"],
                raised=row["flagged"],
            )
        )
    return days


def days_of_series(shown: Sequence[Finding], raised: Collection[Finding], *, since: date) -> list[JudgedDay]:
    """The days of a series of the watch. shown: in order of bucket; raised: those that were alerts.

    Findings sum up an episode: a day is what it adds to the one before. Ordinary are the values of nine days
    in ten before `since`.
    """
    single = [_alone(one, before) for before, one in zip([None, *shown], shown, strict=False)]
    usual = [
        observed
        for (observed, _), one in zip(single, shown, strict=True)
        if observed is not None and day_of(one.bucket) < since
    ]
    low, high = np.quantile(usual, [1 - ORDINARY, ORDINARY]).tolist() if usual else (None, None)
    return [
        JudgedDay(
            day=day_of(one.bucket),
            observed=observed,
            writers=None,
            expected=expected,
            low=low,
            high=high,
            evidence=max(0.0, one.evidence),
            threshold=one.threshold,
            raised=one in raised,
        )
        for (observed, expected), one in zip(single, shown, strict=True)
    ]


def _alone(one: Finding, before: Finding | None) -> tuple[float | None, float]:
    """What a bucket alone observed and expected."""
    counted = one.kind in (SILENCE, BLIND_SPOT, UNUSUAL_DAY)
    if before is None or before.since != one.since or one.kind == UNUSUAL_DAY:
        return (one.observed if counted or one.size > 0 else None), one.expected
    if counted:
        return one.observed - before.observed, one.expected - before.expected
    values = one.size - before.size
    total = one.observed * one.size - before.observed * before.size
    return (total / values if values > 0 else None), one.expected


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
