"""Waves: many more answers than usual, mostly without text, as when customers are invited to rate."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import _wave_kernel as kernel
from detectors.river_base import AnomalyDetector
from detectors.series import Floats, Ids, SeriesTable, check_bucket, check_counts, check_series

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

ALONE = np.array([1], np.uint64)
"""The series of the one-at-a-time interface."""
AFTERGLOW = 3.0
"""Most that evidence may exceed the threshold: a wave must be able to end."""


@dataclass(frozen=True, slots=True)
class WaveScores:
    """What one bucket says of each series, in the order the series were given; all of shape (series,).

    evidence: natural log of the sequential evidence of a wave, at least 0 and at most a little above the
    threshold. wave: whether one is on. since: first bucket of the running episode; observed, expected:
    answers since then.
    """

    evidence: Floats
    wave: Flags
    since: NDArray[np.int64]
    observed: Floats
    expected: Floats


class Wave(AnomalyDetector):
    """A CUSUM of answers and of the share without text, for many series at once.

    No change: answers vary around their discounted mean, with a variance learned as a multiple of it
    (weekdays and busy days make it larger), and leave text as often as they did. Change: `ratio` times the
    answers, and half of those who would have written leave no text. The sum of both log quasi-likelihood
    ratios is the evidence: little text brings it sooner, usual text holds it back, and a multitude is enough
    on its own. Without more answers than usual there is no wave, whatever the text. What stays high becomes
    usual, so a wave ends by itself; a new way of asking is one for about five weeks.

    A bucket in which a series is not given counts as one without answers.

    Parameters
    ----------
    half_life
        Buckets after which an answer weighs half; at least 1.
    ratio
        Multiple of the usual answers that is looked for; above 1.
    chance
        A wave is declared where the evidence reaches the logarithm of its reciprocal; in (0, 1). Small
        is slow: what invited answers do in the days before is not undone. At the default one or two days in
        a hundred are taken for a wave where there is none.
    warm_up
        Buckets to learn before judging; at least 1.

    Examples
    --------
    >>> detector = Wave()
    >>> for _ in range(60):
    ...     detector.learn_one({"answers": 4, "without_text": 2})
    >>> usual, invited = {"answers": 5, "without_text": 3}, {"answers": 20, "without_text": 17}
    >>> detector.score_one(usual) < 1 < 5 < detector.score_one(invited)
    True

    References
    ----------
    Page, E. S. (1954). Continuous inspection schemes. Biometrika 41(1/2):100-115.
    Wedderburn, R. W. M. (1974). Quasi-likelihood functions. Biometrika 61(3):439-447.
    """

    def __init__(
        self, half_life: float = 28.0, ratio: float = 2.0, chance: float = 0.05, warm_up: int = 14
    ) -> None:
        if not half_life >= 1:
            raise ValueError(f"half_life is {half_life} buckets; it must be at least 1")
        if not 1 < ratio < math.inf:
            raise ValueError(f"ratio is {ratio}; it must be above 1")
        if not 0 < chance < 1:
            raise ValueError(f"chance is {chance}; it must lie between 0 and 1")
        if not warm_up >= 1:
            raise ValueError(f"warm_up is {warm_up} buckets; it must be at least 1")
        self.half_life = half_life
        self.ratio = ratio
        self.chance = chance
        self.warm_up = warm_up
        self._threshold = -math.log(chance)
        self._constants = kernel.Constants(
            math.log(0.5) / half_life, float(warm_up), math.log(ratio), self._threshold + AFTERGLOW
        )
        self._table = SeriesTable({"rows": (kernel.ROW,)})
        self._next: int | None = None

    def score_one(self, x: Mapping[str, float]) -> float:
        """Evidence (natural log) of a wave, were `x` the next bucket. Keys as in `learn_one`."""
        return float(self.score_many(ALONE, *_columns(x), bucket=self.next_bucket).evidence[0])

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Learn the next bucket: "answers", and those "without_text"; none where one lacks."""
        self.learn_many(ALONE, *_columns(x), bucket=self.next_bucket)

    def score_many(self, series: Ids, answers: Counts, without_text: Counts, *, bucket: int) -> WaveScores:
        """Judge a bucket without learning it.

        series: distinct ids, in any order. answers: scored answers of each in the bucket, at least 0;
        without_text: how many of them have no text. bucket: its number, above the last one learned. All
        arrays of shape (series,). Raises ValueError where these do not hold.
        """
        return self._step(series, answers, without_text, bucket)[0]

    def learn_many(self, series: Ids, answers: Counts, without_text: Counts, *, bucket: int) -> WaveScores:
        """Learn a bucket; returns the scores of `score_many`, from before it was learned."""
        scores, rows = self._step(series, answers, without_text, bucket)
        self._table.write(series, [rows])
        self._next = bucket + 1
        return scores

    def restart(self, series: Ids) -> None:
        """Begin the evidence of some series anew; what was learned stays. Unknown series are ignored."""
        known = self._table.known(series)
        (rows,) = self._table.read(known)
        rows[:, kernel.STATISTIC] = 0.0
        self._table.write(known, [rows])

    @property
    def next_bucket(self) -> int:
        """Number of the bucket after the last one learned, 0 at first."""
        return self._next or 0

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The learned state as named arrays, series in id order: equal states give equal arrays."""
        learned = [] if self._next is None else [self._next]
        return {**self._table.arrays(), "next_bucket": np.array(learned, np.int64)}

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` gave."""
        self._table.load(arrays)
        self._next = int(arrays["next_bucket"][0]) if arrays["next_bucket"].size else None

    def _step(
        self, series: Ids, answers: Counts, without_text: Counts, bucket: int
    ) -> tuple[WaveScores, Floats]:
        check_bucket(bucket, self._next)
        check_series(series, answers=answers, without_text=without_text)
        check_counts(series, answers=answers, without_text=without_text)
        (rows,) = self._table.read(series)
        out = kernel.nothing_judged(series.size)
        counts = answers.astype(np.float64), without_text.astype(np.float64)
        kernel.step(rows, *counts, bucket, self._constants, out)
        on = out.evidence >= self._threshold
        return WaveScores(out.evidence, on, out.since, out.observed, out.expected), rows


def _columns(x: Mapping[str, float]) -> tuple[NDArray[Any], NDArray[Any]]:
    whole = all(key in x for key in ("answers", "without_text"))
    answers, without_text = (x["answers"], x["without_text"]) if whole else (0, 0)
    return np.array([answers]), np.array([without_text])
