"""What the watch finds, and what a detector of sums at work looks like."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.stages.sums import Day, Ids, name_id
from pipelines.stages.teaching import ThresholdWeights, series_subject

SCORE, MOOD, GAP, NO_TEXT = "score_drift", "mood_drift", "mismatch", "answers_without_text"
SILENCE, BLIND_SPOT, UNUSUAL_DAY = "silence", "blind_spot", "unusual_day"
KINDS = (SCORE, MOOD, GAP, NO_TEXT, SILENCE, BLIND_SPOT, UNUSUAL_DAY)
SUMMED = (SILENCE, BLIND_SPOT)
"""Kinds whose counts add up over an episode."""
COUNTS = (*SUMMED, UNUSUAL_DAY)
"""Kinds whose observed is a number of texts or mentions."""
UP, DOWN = 1, -1
DIRECTIONS = {UP: "up", DOWN: "down", 0: ""}
"""Names of directions. 0: of a series that is asked for and did not move yet."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Thresholds of findings. usual: of a kind, given how many series of it a perimeter has. shares: of the
    budget, by kind.
    """

    usual: Callable[[str, int], float]
    weights: ThresholdWeights
    shares: Mapping[str, float]

    def least(self, kind: str, series: int) -> float:
        """What no threshold of a kind lies below, of which a perimeter has so many series."""
        return self.weights.least(self.usual(kind, series), kind)

    def of(self, kind: str, series: int, *, perimeter: str, detail: str, direction: int) -> float:
        """Threshold of one series of a kind, of which a perimeter has so many."""
        subject = series_subject(DIRECTIONS[direction], detail)
        return self.weights.bar(self.usual(kind, series), perimeter, kind, subject, self.shares)


@dataclass(frozen=True, slots=True)
class Finding:
    """A series whose evidence reached its threshold, or comes near it, or is asked for.

    detail: channel or theme, where the series is about one. direction: UP or DOWN; of a blind spot, UP where
    the field is silent and DOWN where customers are. observed, expected: since the episode began, in the unit
    of the kind: a mean score in [0, 1], a mean mood in [-1, 1], a mean gap in [-2, 2], a share, texts, or
    authors. size: values or texts that were expected or heard since. moved: (component, observed, expected).
    series: series of the kind that the perimeter has, which share its budget; a day's part of those that are
    judged a week at a time.
    """

    bucket: int
    perimeter: str
    kind: str
    detail: str
    direction: int
    evidence: float
    threshold: float
    observed: float
    expected: float
    since: int
    size: float
    moved: tuple[tuple[str, float, float], ...] = ()
    series: int = 1

    @property
    def is_alarm(self) -> bool:
        """Whether the evidence reaches the threshold."""
        return self.evidence >= self.threshold


@dataclass(frozen=True, slots=True)
class Series:
    """What findings are about: kind, perimeter and detail as in `Finding`."""

    kind: str
    perimeter: str
    detail: str = ""

    @classmethod
    def of(cls, finding: Finding) -> "Series":
        """The series of a finding."""
        return cls(finding.kind, finding.perimeter, finding.detail)


class Asked:
    """Series that are to be shown whether they are found or not, by the ids that watchers give them."""

    def __init__(self, series: Iterable[Series] = ()) -> None:
        self._series = frozenset(series)
        self._ids: dict[str, list[int]] = {}
        for one in self._series:
            detail = name_id(one.detail) if one.detail else 0
            self._ids.setdefault(one.kind, []).append(name_id(one.perimeter) ^ detail)

    def __contains__(self, finding: Finding) -> bool:
        return Series.of(finding) in self._series

    def besides(self, over: NDArray[np.intp], kind: str, series: Ids) -> NDArray[np.intp]:
        """Places of what was found, and of what is asked for besides. series: ids of all that was judged."""
        if kind not in self._ids:
            return over
        return np.union1d(over, np.flatnonzero(np.isin(series, np.array(self._ids[kind], np.uint64))))


class Watcher(Protocol):
    """A detector of sums with the series it keeps."""

    def judge(self, day: Day, bar: Bar, asked: Asked) -> list[Finding]:
        """Findings of a day, later than all before; learns it afterwards.

        Series that are asked for are among them, and others may be, whose evidence is under the threshold.
        """
        ...
