"""teaching: what managers confirmed and dismissed, as weights of thresholds.

What a perimeter dismissed needs more evidence there and below, what it confirmed needs less. Of d dismissed
and c confirmed signals about a subject the odds that the next one is real are (1 + c) / (1 + d), as a
beta-binomial's with a uniform prior; an alarm asks for the same odds after the evidence as elsewhere, so for
(1 + d) / (1 + c) times the evidence, from 1/MOST to MOST.

Budgets are kept: a threshold stands for a test's share of the budget, and shares may differ by weights that
are chosen before the evidence is seen and average to at most one. Where the weights of the features heard in
a bucket average to more, all thresholds of the perimeter are raised by that mean. What dismissals free is
spent on nothing else than what was confirmed. Where evidence that stands at u goes on to c with chance
exp(-s (c - u)), s in (0, 1], the mean of weight^s is at most (mean weight)^s by Jensen's inequality: the
same holds for thresholds that are calibrated on a perimeter's own past.

Source: Genovese, C. R., Roeder, K. & Wasserman, L. (2006). False discovery control with p-value weighting.
Biometrika 93(3):509-524.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from connectors.civil_days import civil_days, day_of, midnight
from connectors.log import Manifest
from connectors.log.decisions import Verdict, verdict_of
from connectors.log.layout import EPOCH, to_us
from connectors.perimeters import levels
from detectors.emergence_tails import CROSSING

MOST = 8.0
"""Times the evidence that dismissals can make necessary, and that confirmations can save, at most."""
EMERGENCE = "emergence"


@dataclass(frozen=True, slots=True, order=True)
class Taught:
    """A verdict that teaches. bucket: the first one it is in force for; judged_us: when the manager judged,
    microseconds since 1970 UTC; the others as in `Verdict` and `About`.
    """

    bucket: int
    judged_us: int
    judgement: str
    signal_id: str
    perimeter: str
    kind: str
    subjects: tuple[str, ...]

    @property
    def standing(self) -> tuple[int, int, str]:
        """Of the verdicts of one signal in force, the one of the highest counts: the one judged last."""
        return self.judged_us, self.bucket, self.judgement


@dataclass(frozen=True, slots=True)
class Count:
    """Signals about a subject that were judged. since: the bucket from which on it is so."""

    dismissed: int = 0
    confirmed: int = 0
    since: int | None = None

    @property
    def times(self) -> float:
        """Times the evidence that is needed, compared with what nobody judged; 1/MOST to MOST.

        >>> Count(dismissed=3).times, Count(confirmed=1).times, Count(2, 2).times, Count(dismissed=50).times
        (4.0, 0.5, 1.0, 8.0)
        """
        return min(MOST, max(1 / MOST, (1 + self.dismissed) / (1 + self.confirmed)))

    @property
    def shift(self) -> float:
        """What is added to a threshold: natural logarithm of `times`."""
        return math.log(self.times)

    @property
    def weight(self) -> float:
        """Of a test's share of the budget: the inverse of `times`."""
        return 1 / self.times


NOBODY = Count()
"""Of what nobody judged."""


class _Index:
    """Verdicts by perimeter, in order of bucket, and the first bucket of each kind."""

    def __init__(self, verdicts: Iterable[Taught]) -> None:
        self.at: dict[str, list[Taught]] = {}
        self.first: dict[str, int] = {}
        for one in sorted(verdicts):
            self.at.setdefault(one.perimeter, []).append(one)
            self.first.setdefault(one.kind, one.bucket)


class ThresholdWeights:
    """What the verdicts in force in a bucket make of thresholds. index: those in force then and later."""

    def __init__(self, index: _Index, bucket: int) -> None:
        self._index = index
        self._bucket = bucket
        self._counts: dict[str, dict[tuple[str, str], Count]] = {}
        self._features: dict[str, _Features] = {}

    def concerns(self, kind: str) -> bool:
        """Whether a signal of the kind was judged anywhere."""
        first = self._index.first.get(kind)
        return first is not None and first <= self._bucket

    def count(self, perimeter: str, kind: str, subject: str) -> Count:
        """The signals about a subject that were judged at a perimeter or above it."""
        return self._counted(perimeter).get((kind, subject), NOBODY)

    def strongest(self, perimeter: str, kind: str, subjects: Iterable[str]) -> Count:
        """Of several subjects, the count that moves thresholds most; the first of equals."""
        counts = [self.count(perimeter, kind, subject) for subject in subjects]
        return max(counts, key=lambda one: (abs(one.shift), one.dismissed + one.confirmed), default=NOBODY)

    def excess(self, perimeter: str, feature: int, judged_at: str) -> float:
        """Evidence of a feature that a perimeter asks for above what the one it was judged at does."""
        if not self.concerns(EMERGENCE):
            return 0.0
        subject = feature_subject(feature)
        here, there = (self.count(path, EMERGENCE, subject) for path in (perimeter, judged_at))
        return max(0.0, here.shift - there.shift)

    def bars(
        self,
        perimeter: str,
        features: NDArray[np.uint64],
        bars: NDArray[np.float64],
        *,
        heard: NDArray[np.uint64],
        apart: Sequence[int] = (),
    ) -> NDArray[np.float64]:
        """Thresholds of features at a perimeter, shape (features,). bars: those before; CROSSING at least
        stays necessary.

        heard: all features that are judged in the bucket. apart: features with a budget that they do not
        share with others: they may need more and never need less.
        """
        taught = self._taught_features(perimeter)
        if not taught.ids.size:
            return bars
        alone = np.array(apart, np.uint64)
        raised = math.log(max(1.0, taught.mean_weight(heard[~np.isin(heard, alone)])))
        shift, is_alone = taught.shifts_of(features), np.isin(features, alone)
        moved = bars + np.where(is_alone, np.maximum(shift, 0.0), shift + raised)
        found: NDArray[np.float64] = np.maximum(np.minimum(bars, CROSSING), moved)
        return found

    def bar(self, bar: float, perimeter: str, kind: str, subject: str, shares: Mapping[str, float]) -> float:
        """Threshold of a series that is no feature. bar: the one before. shares: of the budget, by kind, of
        all kinds that share it.
        """
        counts = self._counted(perimeter)
        if not counts:
            return bar
        # As if all series of a kind weighed as much as its heaviest.
        weights = dict.fromkeys(shares, 1.0)
        for (its_kind, _), count in counts.items():
            if its_kind in weights:
                weights[its_kind] = max(weights[its_kind], count.weight)
        mean = math.fsum(share * weights[name] for name, share in shares.items()) / math.fsum(shares.values())
        shift = counts.get((kind, subject), NOBODY).shift + math.log(mean)
        return max(min(bar, CROSSING), bar + shift)

    def least(self, bar: float, kind: str) -> float:
        """What no threshold of a kind lies below. bar: the one before."""
        return max(min(bar, CROSSING), bar - math.log(MOST)) if self.concerns(kind) else bar

    def _counted(self, perimeter: str) -> dict[tuple[str, str], Count]:
        if not self._index.at:
            return {}
        if perimeter not in self._counts:
            verdicts = [one for path in levels(perimeter) for one in self._index.at.get(path, ())]
            self._counts[perimeter] = _count(sorted(one for one in verdicts if one.bucket <= self._bucket))
        return self._counts[perimeter]

    def _taught_features(self, perimeter: str) -> "_Features":
        if perimeter not in self._features:
            self._features[perimeter] = _Features.of(self._counted(perimeter))
        return self._features[perimeter]


@dataclass(frozen=True, slots=True)
class _Features:
    """Features whose thresholds move, in order of id. All of shape (features,)."""

    ids: NDArray[np.uint64]
    shifts: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, counts: Mapping[tuple[str, str], Count]) -> "_Features":
        """Of what was counted, those that move."""
        found = {
            int(subject, 16): count
            for (kind, subject), count in counts.items()
            if kind == EMERGENCE and count.times != 1
        }
        ids = sorted(found)
        shifts, weights = [found[one].shift for one in ids], [found[one].weight for one in ids]
        return cls(np.array(ids, np.uint64), np.array(shifts, np.float64), np.array(weights, np.float64))

    def shifts_of(self, features: NDArray[np.uint64]) -> NDArray[np.float64]:
        """The shift of each feature, 0 for those that do not move."""
        places = np.minimum(np.searchsorted(self.ids, features), self.ids.size - 1)
        found: NDArray[np.float64] = np.where(self.ids[places] == features, self.shifts[places], 0.0)
        return found

    def mean_weight(self, features: NDArray[np.uint64]) -> float:
        """Mean weight of distinct features; 1 of none."""
        taught = self.weights[np.isin(self.ids, features)].tolist()
        return math.fsum([features.size - len(taught), *taught]) / features.size if features.size else 1.0


NO_WEIGHTS = ThresholdWeights(_Index(()), 0)


class Teaching:
    """The verdicts of a log that teach. Equal verdicts in any order teach the same."""

    def __init__(self, verdicts: Iterable[Taught] = ()) -> None:
        self._verdicts = tuple(sorted(verdicts))
        self._buckets = [one.bucket for one in self._verdicts]
        self._index = _Index(self._verdicts)
        self._last = 0, NO_WEIGHTS

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Teaching) and self._verdicts == other._verdicts

    def __hash__(self) -> int:
        return hash(self._verdicts)

    def __reduce__(self) -> tuple[type["Teaching"], tuple[tuple[Taught, ...]]]:
        """What was worked out is left behind: it is sent to every worker, and quickly made again."""
        return Teaching, (self._verdicts,)

    @property
    def verdicts(self) -> tuple[Taught, ...]:
        """The verdicts, in order of the bucket from which on they are in force."""
        return self._verdicts

    def at(self, bucket: int) -> ThresholdWeights:
        """The weights in a bucket."""
        size = bisect_right(self._buckets, bucket)
        if size != self._last[0]:
            self._last = size, ThresholdWeights(self._index, bucket)
        return self._last[1]

    @classmethod
    def of(cls, manifests: Iterable[Manifest], *, zone: str, place_of: Callable[[str], str]) -> "Teaching":
        """What a log's verdicts teach. manifests: of the whole chain, in order.

        place_of: where a perimeter stands today. A verdict is in force from the first bucket on that begins
        when it was taken, by the log's clock, or after. Where the log has no clock yet all of it is history:
        there from the first bucket on after all that was loaded then.
        """
        found, loaded = [], EPOCH
        for manifest in manifests:
            if manifest.segment is not None:
                loaded = max(loaded, manifest.segment.last_effective)
            verdict = None if manifest.decision is None else verdict_of(manifest.decision)
            if verdict is not None and verdict.about is not None:
                bucket = _first_bucket(verdict, to_us(loaded), zone)
                judged = verdict.judged_at or verdict.effective or manifest.written_at
                about = verdict.about
                found.append(
                    Taught(
                        bucket,
                        to_us(judged),
                        verdict.judgement,
                        verdict.signal_id,
                        place_of(about.perimeter),
                        about.kind,
                        about.subjects,
                    )
                )
        return cls(found)


NOTHING_TAUGHT = Teaching()


def feature_subject(feature: int) -> str:
    """A feature as the subject of a verdict."""
    return f"{feature:016x}"


def series_subject(direction: str, detail: str) -> str:
    """A series of the watch as the subject of a verdict. direction: `up` or `down`.

    >>> series_subject("down", "email"), series_subject("up", "")
    ('down email', 'up')
    """
    return f"{direction} {detail}".rstrip()


def _first_bucket(verdict: Verdict, loaded_us: int, zone: str) -> int:
    instant_us = loaded_us if verdict.effective is None else to_us(verdict.effective)
    bucket = int(civil_days(np.array([instant_us]), zone)[0])
    begins = verdict.effective is not None and to_us(midnight(day_of(bucket), zone)) == instant_us
    return bucket if begins else bucket + 1


def _count(verdicts: Iterable[Taught]) -> dict[tuple[str, str], Count]:
    """Signals judged, by kind and subject. verdicts: in order of bucket."""
    standing: dict[str, Taught] = {}
    counts: dict[tuple[str, str], Count] = {}
    for one in verdicts:
        before = standing.get(one.signal_id)
        if before is not None and before.standing >= one.standing:
            continue
        standing[one.signal_id] = one
        if before is not None and (before.judgement, before.subjects) == (one.judgement, one.subjects):
            continue
        for verdict, change in ((one, 1),) if before is None else ((before, -1), (one, 1)):
            for subject in verdict.subjects:
                count = counts.get((verdict.kind, subject), NOBODY)
                dismissed = count.dismissed + change * (verdict.judgement == "dismiss")
                confirmed = count.confirmed + change * (verdict.judgement == "confirm")
                counts[verdict.kind, subject] = Count(dismissed, confirmed, one.bucket)
    return counts
