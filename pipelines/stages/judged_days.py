"""What was judged of one feature or series, as days that can be shown: observed, expected, evidence.

Nothing is told of fewer people than the minimum, and no two counts of an episode differ by fewer: what was
added between two days is then a crowd too, or nothing. Told counts are rounded down to its multiples, as
those of signals are, and the last told stands until the next, for counts of an episode only grow.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from connectors.civil_days import day_of
from pipelines.stages.evidence import at_least
from pipelines.stages.finding import SUMMED, UNUSUAL_DAY, Finding
from pipelines.stages.told_evidence import told_of_finding

ORDINARY = 0.95
"""Share of ordinary days under the upper end of the expected band, and over its lower end."""


@dataclass(frozen=True, slots=True)
class JudgedDay:
    """One day, or week of a blind spot, in the unit of the kind.

    People, writers, texts of a silence and mentions of a blind spot are counted since the running episode
    began, and so is what was expected of them; outside the episode there is the expected alone, of that day.
    Means, shares and the texts of an unusual day are those of the day.

    observed: None where there was nothing to observe, or where it is withheld; a count of at least so many.
    writers: people who wrote at all, None for a signal of the watch. low, high: where the ordinary lies.
    evidence, threshold: natural logarithms, evidence at least 0 and of counts as they are told, None where
    it would give away what is withheld. raised: whether that was an alert. withheld: whether too few people
    stand behind it.
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
    heard = rows[first:]
    running = [day_of(row["bucket"]) >= since and row["observed"] > 0 for row in heard]
    wrote = [_writers(row, rows) for row in heard]
    told = apart(
        [
            (row["observed"], writers) if runs else None
            for row, writers, runs in zip(heard, wrote, running, strict=True)
        ],
        [row["since"] for row in heard],
        [row["flagged"] for row in heard],
        least=min_authors,
    )
    shown = _last_told(
        [(row["observed"], writers) for row, writers in zip(heard, wrote, strict=True)],
        [row["since"] for row in heard],
        told,
        least=min_authors,
    )
    expected = [
        _expected(row, writers, min_authors, running=runs)
        for row, writers, runs in zip(heard, wrote, running, strict=True)
    ]
    return [
        _day_of_feature(row, dispersion, counts, due, running=runs, evidence=tells)
        for row, counts, due, runs, tells in zip(heard, shown, expected, running, told, strict=True)
    ]


def _expected(row: Mapping[str, Any], writers: int, least: int, *, running: bool) -> float:
    """What was expected of those who wrote, rounded down: it goes with their number, and so tells of it. Of
    an alert it is what its signal tells.
    """
    if not running:
        return float(row["rate"]) * at_least(row["exposure"], least)
    if row["flagged"] or not writers:
        return float(row["expected"])
    return float(row["expected"]) * at_least(writers, least) / writers


def _last_told(
    counts: Sequence[Sequence[float]], episodes: Sequence[int], told: Sequence[bool], *, least: int
) -> list[Sequence[int] | None]:
    """What is shown of each day's counts: those told last in its episode, rounded; None where none was.

    >>> _last_told([[5], [7], [11], [2]], [1, 1, 1, 2], [True, False, True, False], least=5)
    [[5], [5], [10], None]
    """
    last: dict[int, Sequence[int]] = {}
    shown: list[Sequence[int] | None] = []
    for count, episode, tells in zip(counts, episodes, told, strict=True):
        if tells:
            last[episode] = [at_least(one, least) for one in count]
        shown.append(last.get(episode))
    return shown


def _writers(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> int:
    """Who wrote at all since the episode of a row began."""
    return sum(one["exposure"] for one in rows if row["since"] <= one["bucket"] <= row["bucket"])


def _day_of_feature(
    row: Mapping[str, Any],
    dispersion: float,
    counts: Sequence[int] | None,
    expected: float,
    *,
    running: bool,
    evidence: bool,
) -> JudgedDay:
    """counts: people and writers that are shown. evidence: whether it gives nothing else away."""
    low, high = band(expected, dispersion) if running else (None, None)
    people, writers = counts if running and counts is not None else (None, None)
    return JudgedDay(
        day=day_of(row["bucket"]),
        observed=people,
        writers=writers,
        expected=expected,
        low=low,
        high=high,
        evidence=max(0.0, row["told"]) if evidence else None,
        threshold=row["threshold"],
        raised=row["flagged"],
        withheld=running and people is None,
    )


def apart(
    counts: Sequence[Sequence[float] | None],
    episodes: Sequence[int],
    alerts: Sequence[bool],
    *,
    least: int,
) -> list[bool]:
    """Which days may tell their counts, so that no two days of an episode give a few people away.

    counts: of each day, each of them growing over its episode; None where there is nothing to tell. Told are
    0, and from `least` on; of two days that tell, each count differs by 0 or by at least `least`. episodes:
    equal for days of one episode. alerts: days whose counts are told whatever they are, because the signal
    tells them; the others make room. Of the rest the earliest are told.

    >>> apart([[3], [5], [7], [10], [10]], [1] * 5, [False] * 5, least=5)
    [False, True, False, True, True]
    >>> apart([[3], [5], [7]], [1] * 3, [False, False, True], least=5)
    [False, False, True]
    """
    told = [alert and count is not None for alert, count in zip(alerts, counts, strict=True)]
    shown: dict[int, list[Sequence[float]]] = defaultdict(list)
    for episode, count, tells in zip(episodes, counts, told, strict=True):
        if tells and count is not None:
            shown[episode].append(count)
    for at, (episode, count) in enumerate(zip(episodes, counts, strict=True)):
        if told[at] or count is None or any(0 < one < least for one in count):
            continue
        steps = [
            abs(one - other) for before in shown[episode] for one, other in zip(count, before, strict=True)
        ]
        if all(step == 0 or step >= least for step in steps):
            told[at] = True
            shown[episode].append(count)
    return told


def days_of_series(
    shown: Sequence[Finding], raised: Collection[Finding], *, since: date, min_authors: int
) -> list[JudgedDay]:
    """The days of a series of the watch. shown: in order of bucket; raised: those that were alerts.

    Findings sum up an episode: a day's mean is what it adds to the one before. Ordinary are the daily values
    of nine days in ten before `since`.
    """
    if shown and shown[0].kind in SUMMED:
        return _so_far(shown, raised, since=since, min_authors=min_authors)
    days = [
        _alone(one, before, one in raised, min_authors=min_authors)
        for before, one in zip([None, *shown], shown, strict=False)
    ]
    usual = [one.observed for one in days if one.observed is not None and one.day < since]
    low, high = np.quantile(usual, [1 - ORDINARY, ORDINARY]).tolist() if usual else (None, None)
    return [replace(one, low=low, high=high) for one in days]


def _so_far(
    shown: Sequence[Finding], raised: Collection[Finding], *, since: date, min_authors: int
) -> list[JudgedDay]:
    """Counts since the episode began; the alert tells its own, as its sentence does."""
    running = [day_of(one.bucket) >= since for one in shown]
    alerts = [one in raised for one in shown]
    told = apart(
        [
            (one.observed,) if runs and (alert or one.size >= min_authors) else None
            for one, runs, alert in zip(shown, running, alerts, strict=True)
        ],
        [one.since for one in shown],
        alerts,
        least=min_authors,
    )
    tellable = [tells and not 0 < one.observed < min_authors for one, tells in zip(shown, told, strict=True)]
    counts = _last_told(
        [(one.observed,) for one in shown], [one.since for one in shown], tellable, least=min_authors
    )
    return [
        _day(
            one,
            None if count is None else count[0],
            one.expected,
            alert,
            withheld=count is None,
            evidence=told_of_finding(one, min_authors) if tells else None,
        )
        if runs
        else _day(one, None, _added(one, before), alert, withheld=False, evidence=None)
        for before, one, runs, alert, tells, count in zip(
            [None, *shown], shown, running, alerts, told, counts, strict=False
        )
    ]


def _added(one: Finding, before: Finding | None) -> float:
    """What a day was expected to add to its episode."""
    goes_on = before is not None and before.since == one.since
    return one.expected - before.expected if before is not None and goes_on else one.expected


def _alone(one: Finding, before: Finding | None, raised: bool, *, min_authors: int) -> JudgedDay:
    """What a bucket alone observed: a mean of its values, or the texts of an unusual day."""
    evidence = told_of_finding(one, min_authors)
    if one.kind == UNUSUAL_DAY:
        told = not 0 < one.observed < min_authors
        observed = at_least(one.observed, min_authors) if told else None
        shown = evidence if told or raised else None
        return _day(one, observed, one.expected, raised, withheld=not told, evidence=shown)
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
        evidence=evidence if told or raised else None,
    )


def _day(
    one: Finding,
    observed: float | None,
    expected: float,
    raised: bool,
    *,
    withheld: bool,
    evidence: float | None,
) -> JudgedDay:
    return JudgedDay(
        day=day_of(one.bucket),
        observed=observed,
        writers=None,
        expected=expected,
        low=None,
        high=None,
        evidence=None if evidence is None else max(0.0, evidence),
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
