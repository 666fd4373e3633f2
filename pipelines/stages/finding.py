"""What the watch finds, and what a detector of sums at work looks like."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pipelines.stages.sums import Day

Bar = Callable[[str, int], float]
"""Threshold of a kind of finding, given how many series of it a perimeter has."""

SCORE, MOOD, GAP, NO_TEXT = "score_drift", "mood_drift", "mismatch", "answers_without_text"
SILENCE, BLIND_SPOT, UNUSUAL_DAY = "silence", "blind_spot", "unusual_day"
KINDS = (SCORE, MOOD, GAP, NO_TEXT, SILENCE, BLIND_SPOT, UNUSUAL_DAY)
UP, DOWN = 1, -1


@dataclass(frozen=True, slots=True)
class Finding:
    """A series whose evidence reached its threshold.

    detail: channel or theme, where the series is about one. direction: UP or DOWN; of a blind spot, UP where
    the field is silent and DOWN where customers are. observed, expected: since the episode began, in the unit
    of the kind: a mean score in [0, 1], a mean mood in [-1, 1], a mean gap in [-2, 2], a share, texts, or
    authors. size: values or texts that were expected or heard since. moved: (component, observed, expected).
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


class Watcher(Protocol):
    """A detector of sums with the series it keeps."""

    def judge(self, day: Day, bar: Bar) -> list[Finding]:
        """Findings of a day, later than all before; learns it afterwards."""
        ...
