"""How a signal of emergence came to be: its threshold from the budget, what merged, and who owns it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from connectors.civil_days import day_of
from connectors.log import EventLog
from pipelines.lexicon import Theme
from pipelines.stages.corroborate import Placed
from pipelines.stages.detect import SHARES, Detection, threshold_parts
from pipelines.stages.finding import Finding
from pipelines.stages.story import Candidate
from pipelines.stages.terms import spelled
from pipelines.stages.understand import Reader

Row = Mapping[str, Any]
_EXACT = 1e-9
"""Evidence: what was worked out again may differ by its last digits."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Where a threshold comes from; evidence in natural logarithms.

    false_alerts: a perimeter and year; share: of them, that emergence may spend. tests: features judged in a
    bucket. stories: a year in which evidence crosses CROSSING for nothing, as the perimeter's own past says,
    None while that is not known; slope: how fast higher ones are rarer. calibrated: threshold that follows;
    bound: what holds whatever the past says. urgent: whether the feature has a share of its own, and so a
    lower threshold. taught: what managers' verdicts added to the threshold.
    """

    false_alerts: float
    share: float
    tests: float
    stories: float | None
    slope: float
    calibrated: float | None
    bound: float
    threshold: float
    urgent: bool
    taught: float


@dataclass(frozen=True, slots=True)
class SeriesBudget:
    """Where the threshold of a series of the watch comes from; evidence in natural logarithms.

    false_alerts: a perimeter and year; share: of them, that the kind may spend. series: of the kind, judged
    at the perimeter in a bucket. bound: threshold that follows. taught: what verdicts added to it.
    """

    false_alerts: float
    share: float
    series: int
    bound: float
    threshold: float
    taught: float


@dataclass(frozen=True, slots=True)
class Merged:
    """A word, pair or theme that the same events carry. term: None where nobody spells it the same."""

    day: date
    perimeter: str
    term: str | None
    evidence: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Derivation:
    """rate: expected share of those who write, of the wider perimeter `wider` (None at the root), season: its
    factor, history: days the perimeter had learned; all at the alarm. born: what merged into the signal when
    it was raised, grown: later. descent: perimeters from the widest that flagged it to the owner. parts: ids
    of the signals that became part of it.
    """

    budget: Budget
    rate: float
    wider: float | None
    season: float
    history: int
    born: Sequence[Merged]
    grown: Sequence[Merged]
    descent: Sequence[str]
    parts: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """One object."""
        return asdict(self)


def derivation(
    at_alarm: Row, placed: Sequence[Placed], terms: Mapping[int, str], detection: Detection
) -> Derivation:
    """Put together what is known. at_alarm: row of PROBED of the alarm; placed: what one story took in, in
    order; terms: of its features.
    """
    # The close that raised it, or that confirmed what a look raised, is the first that placed it.
    birth, later = placed[:1], placed[1:]
    return Derivation(
        budget=budget_of(at_alarm, detection),
        rate=at_alarm["rate"],
        wider=at_alarm["prior"],
        season=at_alarm["season"],
        history=at_alarm["history"],
        born=[_merged(one, terms) for at in birth for one in at.cluster.candidates],
        grown=[_merged(one, terms) for at in later for one in at.cluster.candidates],
        descent=birth[0].descent if birth else [],
        parts=[part for at in placed for part in at.parts],
    )


def budget_of(row: Row, detection: Detection) -> Budget:
    """Where the threshold of a row of PROBED comes from, by the rules of `Detection.thresholds`."""
    share = SHARES["emergence"]
    alerts = detection.false_alerts * share
    stories, calibrated, bound = threshold_parts(
        row["crossings"], row["slope"], row["tests"], alerts, detection.buckets_a_year
    )
    known = math.isfinite(stories)
    bar = detection.bars(np.array([row["feature"]], np.uint64), np.array([min(calibrated, bound)]))[0]
    return Budget(
        false_alerts=detection.false_alerts,
        share=share,
        tests=row["tests"],
        stories=stories if known else None,
        slope=row["slope"],
        calibrated=calibrated if known and stories else None,
        bound=bound,
        threshold=row["threshold"],
        urgent=row["feature"] in detection.urgent,
        taught=_taught(row["threshold"], float(bar)),
    )


def budget_of_series(alarm: Finding, detection: Detection) -> SeriesBudget:
    """Where the threshold of a finding comes from, by the rules of `Detection.bar`."""
    bound = detection.bar(alarm.kind, alarm.series)
    return SeriesBudget(
        false_alerts=detection.false_alerts,
        share=SHARES[alarm.kind],
        series=alarm.series,
        bound=bound,
        threshold=alarm.threshold,
        taught=_taught(alarm.threshold, bound),
    )


def _taught(threshold: float, bar: float) -> float:
    """What verdicts added to the threshold that a budget gives."""
    return threshold - bar if abs(threshold - bar) > _EXACT else 0.0


def terms_of(
    placed: Iterable[Placed], log: EventLog, reader: Reader, themes: Mapping[int, Theme], lang: str
) -> dict[int, str]:
    """How features are written: words and pairs as most people spelled them, themes as they are called."""
    candidates = [one for at in placed for one in at.cluster.candidates]
    positions = {row["position"] for one in candidates for row in one.support.values()}
    events = log.take(np.array(sorted(positions), np.int64))
    features = {one.feature for one in candidates}
    named = {key: getattr(theme, f"label_{lang}") for key, theme in themes.items() if key in features}
    return {**named, **spelled(events, features, reader)}


def _merged(one: Candidate, terms: Mapping[int, str]) -> Merged:
    return Merged(day_of(one.bucket), one.perimeter, terms.get(one.feature), one.told, one.threshold)
