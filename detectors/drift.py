"""Drift: series of bounded values whose mean has moved, up or down, suddenly or slowly."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import _drift_kernel as kernel
from detectors.river_base import AnomalyDetector
from detectors.series import Floats, Ids, SeriesTable, check_bucket, check_counts, check_series

Counts = NDArray[np.int64]
Buckets = NDArray[np.int64]
Flags = NDArray[np.bool_]

DEFAULT_SIZES = (0.25, 0.5, 1.0, 2.0)
ALONE = np.array([1], np.uint64)
"""The series of the one-at-a-time interface."""
ROUNDING = 1e-9
"""Share of the range, for each value, by which sums may be off."""


@dataclass(frozen=True, slots=True)
class DriftScores:
    """What one bucket says of each series, in the order the series were given; all of shape (series,).

    evidence: natural log of the sequential evidence that the mean moved, at least 0; where nothing changes it
    reaches log c about once in c buckets. up, down: the same, of either direction; direction: 1, -1, or 0
    where nothing speaks for a change. since: first bucket of the running episode; values: how many since
    then; observed: their mean; expected: the mean before. Where no episode runs: this bucket, its mean, and
    the baseline's. spread: standard deviation of one value. history: values behind the baseline, those that
    move together within a bucket counting for less. judged: whether that is enough to be judged. Means and
    spread are in the units of the values.
    """

    evidence: Floats
    up: Floats
    down: Floats
    direction: NDArray[np.int8]
    since: Buckets
    values: Floats
    observed: Floats
    expected: Floats
    spread: Floats
    history: Floats
    judged: Flags


class Drift(AnomalyDetector):
    """Sequential tests of a shifted mean, from sums of bounded values per bucket.

    The baseline of a series is its mean and variance with slow exponential forgetting, and the variance that
    buckets have in common (a bad day). No change: values are Beta distributed with that mean and variance,
    which gives the skewness of scores that crowd at one end. Change: the same, exponentially tilted; at first
    order a shift of `sizes` standard deviations, up or down. The log-likelihood ratio is linear in the
    values, so sums suffice, and many small buckets say the same as few large ones.

    Each size of shift has a CUSUM of its own. It keeps the baseline as it was when its episode began, so a
    shift does not teach itself normal. A baseline of W values is not certain: an episode of N counts for
    W / (W + N), the exact ratio of Gaussian predictive densities, and its variance is allowed for as in
    Student's t. A CUSUM of one size reaches log c once in c / r buckets, where r (Siegmund) is below 0.2 and
    sums to about 1 over the default sizes and both directions at any bucket size: hence one in c for the
    strongest of them, which is the evidence.

    A bucket without values (n is 0) changes nothing but the age of the baseline. A series not given in a
    bucket is not touched; when it returns, its baseline has aged. Evidence does not age.

    Parameters
    ----------
    low, high
        Range of the values; low below high.
    half_life
        Buckets after which a value weighs half in the baseline; at least 1.
    sizes
        Shifts to look for, in standard deviations of a value; each above 0. Shifts under half the smallest
        are never found, on purpose.
    warm_up
        Values to learn before judging; at least 2.

    Examples
    --------
    >>> detector = Drift(low=1, high=5)
    >>> for _ in range(60):
    ...     detector.learn_one({"n": 3, "sum": 12, "sum_sq": 50})
    >>> usual, fall = {"n": 3, "sum": 12, "sum_sq": 50}, {"n": 10, "sum": 18, "sum_sq": 40}
    >>> detector.score_one(usual) < 1 < 5 < detector.score_one(fall)
    True

    References
    ----------
    Page, E. S. (1954). Continuous inspection schemes. Biometrika 41(1/2):100-115.
    Siegmund, D. (1985). Sequential Analysis, chapters 2 and 10. Springer.
    Shin, J., Ramdas, A. & Rinaldo, A. (2024). E-detectors: a nonparametric framework for sequential change
    detection. New England Journal of Statistics in Data Science 2(2):229-260.
    """

    def __init__(
        self,
        low: float = 0.0,
        high: float = 1.0,
        half_life: float = 730.0,
        sizes: Sequence[float] = DEFAULT_SIZES,
        warm_up: float = 30.0,
    ) -> None:
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"the range is [{low}, {high}]; both must be finite, low below high")
        if not half_life >= 1:
            raise ValueError(f"half_life is {half_life} buckets; it must be at least 1")
        if not sizes or not all(0 < size < math.inf for size in sizes):
            raise ValueError(f"sizes is {sizes}; each must be above 0 and finite")
        if not warm_up >= 2:
            raise ValueError(f"warm_up is {warm_up} values; it must be at least 2")
        self.low = low
        self.high = high
        self.half_life = half_life
        self.sizes = sizes
        self.warm_up = warm_up
        signed = np.array([*sizes, *(-size for size in sizes)], np.float64)
        self._constants = kernel.Constants(math.log(0.5) / half_life, float(warm_up), signed)
        self._table = SeriesTable({"base": (kernel.BASE,), "episodes": (signed.size, kernel.EPISODE)})
        self._next: int | None = None

    # one bucket of one series at a time, as river users know it -------------------------------------

    def score_one(self, x: Mapping[str, float]) -> float:
        """Evidence (natural log) that the mean moved, were `x` the next bucket. Keys as in `learn_one`."""
        return float(self.score_many(ALONE, *_columns(x), bucket=self.next_bucket).evidence[0])

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Learn the next bucket: "n" values, their "sum" and the sum of their squares, "sum_sq".

        A bucket that lacks one of these is one without values.
        """
        self.learn_many(ALONE, *_columns(x), bucket=self.next_bucket)

    # one bucket of many series -------------------------------------------------------------------------

    def score_many(
        self,
        series: Ids,
        n: Counts,
        sums: Floats,
        squares: Floats,
        *,
        bucket: int,
        hold: Flags | None = None,
    ) -> DriftScores:
        """Judge a bucket without learning it.

        series: distinct ids, in any order. n: values of each in the bucket, at least 0; sums and squares: of
        them. bucket: its number, above the last one learned. hold: series whose values may not count as a
        rise nor be learned, since something else lifts them (see `detectors.wave`); falls still count, and
        a running rise ends. All arrays of shape (series,). Raises ValueError where these do not hold, or
        where no n values within the range have such sums.
        """
        return self._step(series, n, sums, squares, bucket, hold)[0]

    def learn_many(
        self,
        series: Ids,
        n: Counts,
        sums: Floats,
        squares: Floats,
        *,
        bucket: int,
        hold: Flags | None = None,
    ) -> DriftScores:
        """Learn a bucket; returns the scores of `score_many`, from before it was learned."""
        scores, rows = self._step(series, n, sums, squares, bucket, hold)
        self._table.write(series, rows)
        self._next = bucket + 1
        return scores

    def restart(self, series: Ids) -> None:
        """Begin the evidence of some series anew, as after an alarm.

        The level since the change is the new normal: it is the baseline from now on, and the way back would
        be a change of its own. Its values count half, since the days that raise an alarm exaggerate. Series
        never learned are ignored.
        """
        known = self._table.known(series)
        base, episodes = self._table.read(known)
        kernel.restart(base, episodes, self._constants.sizes)
        self._table.write(known, [base, episodes])

    @property
    def next_bucket(self) -> int:
        """Number of the bucket after the last one learned, 0 at first."""
        return self._next or 0

    # checkpoints -----------------------------------------------------------------------------------------

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The learned state as named arrays, series in id order: equal states give equal arrays."""
        learned = [] if self._next is None else [self._next]
        return {**self._table.arrays(), "next_bucket": np.array(learned, np.int64)}

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` gave."""
        self._table.load(arrays)
        self._next = int(arrays["next_bucket"][0]) if arrays["next_bucket"].size else None

    # -------------------------------------------------------------------------------------------------------

    def _step(
        self, series: Ids, n: Counts, sums: Floats, squares: Floats, bucket: int, hold: Flags | None
    ) -> tuple[DriftScores, list[Floats]]:
        if hold is None:
            hold = np.zeros(series.size, bool)
        check_bucket(bucket, self._next)
        check_series(series, n=n, sums=sums, squares=squares, hold=hold)
        check_counts(series, n=n)
        values, units = n.astype(np.float64), self._to_unit(series, n, sums, squares)
        base, episodes = self._table.read(series)
        out = kernel.nothing_judged(series.size)
        kernel.step(base, episodes, values, *units, hold, bucket, self._constants, out)
        return self._scores(out), [base, episodes]

    def _scores(self, out: kernel.Judged) -> DriftScores:
        span = self.high - self.low
        return DriftScores(
            evidence=out.evidence,
            up=out.up,
            down=out.down,
            direction=np.sign(out.up - out.down).astype(np.int8),
            since=out.since,
            values=out.values,
            observed=self.low + span * out.observed,
            expected=self.low + span * out.expected,
            spread=span * out.spread,
            history=out.history,
            judged=out.history >= self.warm_up,
        )

    def _to_unit(self, series: Ids, n: Counts, sums: Floats, squares: Floats) -> tuple[Floats, Floats]:
        """Sums and sums of squares of the values moved to [0, 1]; ValueError where no values give them."""
        values, totals, powers = (column.astype(np.float64) for column in (n, sums, squares))
        low, span = float(self.low), float(self.high - self.low)
        unit_sums, unit_squares = np.empty((2, series.size))
        i = kernel.to_unit(values, totals, powers, low, span, ROUNDING, unit_sums, unit_squares)
        if i >= 0:
            raise ValueError(
                f"series {series[i]} has n {n[i]}, sum {sums[i]} and sum of squares {squares[i]}; "
                f"no values in [{self.low}, {self.high}] give these"
            )
        return unit_sums, unit_squares


def _columns(x: Mapping[str, float]) -> tuple[Counts, Floats, Floats]:
    whole = all(key in x for key in ("n", "sum", "sum_sq"))
    n, total, squares = (x["n"], x["sum"], x["sum_sq"]) if whole else (0, 0.0, 0.0)
    return np.array([n]), np.array([total], np.float64), np.array([squares], np.float64)
