"""Silence: series that write less than their own level, weekday and trend explain."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import _silence_kernel as kernel
from detectors.river_base import AnomalyDetector
from detectors.series import distinct, find

Ids = NDArray[np.uint64]
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Buckets = NDArray[np.int64]

DEFAULT_RATIOS = (2.0, 5.0, 20.0)
DEFAULT_TREND = math.log(2) / 180
_ALONE = np.array([1], np.uint64)


@dataclass(frozen=True, slots=True)
class SilenceScores:
    """What one bucket says of each series known by then, in order of id.

    series: their ids. log_e: natural log of the bucket's e-value, above 0 favours a silence. evidence:
    natural log of the sequential evidence, this bucket included, to compare with a threshold; 0 where no
    episode runs or too few authors are expected. usual: authors expected in this
    bucket. running: whether an episode runs; it ends when volume is back. since: its first bucket. observed,
    expected: authors since then. All of shape (series,).
    """

    series: Ids
    log_e: Floats
    evidence: Floats
    usual: Floats
    running: NDArray[np.bool_]
    since: Buckets
    observed: Floats
    expected: Floats


class Silence(AnomalyDetector):
    """Discounted level, trend and weekday profile of each series, with a sequential test of a fall.

    A series is a perimeter and channel. Its authors in a bucket are negative binomial around level x weekday
    x factor; the overdispersion is learned from whole weeks. Silence: the same with the mean divided by one
    of `ratios`. The ratio of both is an e-value e; evidence accumulates by Shiryaev and Roberts,
    R <- (1 + R) e, averaged over the ratios, which has a mean of n after n buckets without change. So
    evidence reaches c about once in c buckets of a series, or more seldom.

    A series exists from its first count above 0, and is judged `warm_up` buckets later. From then on a bucket
    in which it is not given is a bucket in which it wrote nothing. A bucket that is skipped (`bucket` jumps)
    is one of which nothing is known: it is not judged, and the past is forgotten by as much. A rise far
    beyond the expected is learned only in part, so that its end is no silence; the more evident a silence,
    the less of it is learned.

    Parameters
    ----------
    half_life
        Buckets after which a count weighs half in the level; twice as many in weekday profile and
        overdispersion. At least 1.
    period
        Buckets of a week; 1 where buckets have no rhythm. At least 1.
    ratios
        Divisors of the mean that count as silence; each above 1.
    trend
        Usual size of the growth of a level, as a logarithm a bucket; at least 0, where 0 follows no trend.
    day_strength
        Weight, in authors, of the assumption that all buckets of a week are alike; above 0.
    doubt
        Evidence (not its logarithm) at which a bucket is learned by half; above 0.
    warm_up
        Buckets after the first count that are learned without being judged; at least 1.
    min_authors
        Authors that must be expected in an episode before it has evidence; at least 0.

    Examples
    --------
    >>> detector = Silence()
    >>> for day in range(71):
    ...     detector.learn_one({"authors": 0 if day % 7 == 6 else 4})
    >>> for day in range(5):
    ...     detector.learn_one({"authors": 0})
    >>> sunday = {"authors": 0}
    >>> detector.score_one(sunday) > 6
    True
    >>> scores = detector.scores_one(sunday)
    >>> int(scores.since[0]), int(scores.observed[0]), bool(scores.expected[0] > 15)
    (71, 0, True)

    References
    ----------
    Roberts, S. W. (1966). A comparison of some control chart procedures. Technometrics 8(3):411-430.
    Shin, J., Ramdas, A. & Rinaldo, A. (2024). E-detectors: a nonparametric framework for sequential change
    detection. New England Journal of Statistics in Data Science 2(2):229-260.
    """

    def __init__(
        self,
        half_life: float = 60.0,
        period: int = 7,
        ratios: Sequence[float] = DEFAULT_RATIOS,
        trend: float = DEFAULT_TREND,
        day_strength: float = 2.0,
        doubt: float = 365.0,
        warm_up: int = 28,
        min_authors: float = 5.0,
    ) -> None:
        if not half_life >= 1:
            raise ValueError(f"half_life is {half_life} buckets; it must be at least 1")
        if not period >= 1:
            raise ValueError(f"period is {period} buckets; it must be at least 1")
        if not ratios or not all(ratio > 1 for ratio in ratios):
            raise ValueError(f"ratios is {ratios}; each must be above 1")
        if not trend >= 0:
            raise ValueError(f"trend is {trend} a bucket; it must be at least 0")
        if not (day_strength > 0 and doubt > 0):
            raise ValueError(f"day_strength is {day_strength} and doubt {doubt}; both must be above 0")
        if not warm_up >= 1:
            raise ValueError(f"warm_up is {warm_up} buckets; it must be at least 1")
        if not min_authors >= 0:
            raise ValueError(f"min_authors is {min_authors}; it must be at least 0")
        self.half_life = half_life
        self.period = period
        self.ratios = ratios
        self.trend = trend
        self.day_strength = day_strength
        self.doubt = doubt
        self.warm_up = warm_up
        self.min_authors = min_authors
        self._constants = kernel.Constants(
            math.log(0.5) / half_life,
            math.log(0.5) / (2 * half_life),
            float(day_strength),
            float(trend) ** 2,
            float(doubt),
            warm_up,
            float(min_authors),
            np.array(ratios, np.float64),
        )
        self._state = kernel.blank_state(np.empty(0, np.uint64), period, len(ratios))
        self._last: int | None = None

    # one bucket at a time, as river users know it -------------------------------------------------

    def score_one(self, x: Mapping[str, float]) -> float:
        """Evidence (natural log) of silence, were `x` the next bucket."""
        return float(self.scores_one(x).evidence[0])

    def scores_one(self, x: Mapping[str, float]) -> SilenceScores:
        """All that is said of `x`, were it the next bucket."""
        counts, factor = self._columns(x)
        return self.score_many(_ALONE, counts, bucket=self.next_bucket, factor=factor)

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Learn `x` as the next bucket: `authors`, 0 where absent, and `factor`, 1 where absent."""
        counts, factor = self._columns(x)
        self.learn_many(_ALONE, counts, bucket=self.next_bucket, factor=factor)

    # a whole bucket of columns ---------------------------------------------------------------------

    def score_many(
        self,
        series: Ids,
        counts: Counts,
        *,
        bucket: int,
        factor: Floats | None = None,
        absent_factor: float = 1.0,
    ) -> SilenceScores:
        """Judge a bucket without learning it: the series given, and every one known as having written 0.

        series: distinct ids. counts: authors who wrote, integers, at least 0. bucket: its number, above the
        last one learned; `bucket` modulo the period is the day of the week. factor: on what is expected of
        the series given (holidays; 0 where closed), finite and at least 0, shape (series,). absent_factor:
        the same for the series not given. Raises ValueError where these do not hold.
        """
        return self._step(series, counts, bucket, factor, absent_factor, learn=False)

    def learn_many(
        self,
        series: Ids,
        counts: Counts,
        *,
        bucket: int,
        factor: Floats | None = None,
        absent_factor: float = 1.0,
    ) -> SilenceScores:
        """Learn a bucket; returns the scores it had before it was learned. Arguments as in `score_many`."""
        return self._step(series, counts, bucket, factor, absent_factor, learn=True)

    def usual_many(self, series: Ids, *, bucket: int) -> Floats:
        """Authors expected of each series in a bucket above the last one learned, without any factor.

        0 of series never learned. The field `usual` of the scores is this times the factor; to ask for it
        costs less than to judge. Of shape (series,).
        """
        self._check_bucket(bucket)
        places, known = find(self._state.ids, series)
        expected = np.zeros(series.size)
        before = bucket - 1 if self._last is None else self._last
        some = np.empty(int(known.sum()))
        kernel.usual(self._state, places[known], bucket, before, self._constants, some)
        expected[known] = some
        return expected

    def restart(self, series: Ids) -> None:
        """Begin the evidence of some series anew, as after an alarm; a running episode goes on."""
        self._state.log_r[np.isin(self._state.ids, series)] = -np.inf

    @property
    def next_bucket(self) -> int:
        """Number of the bucket after the last one learned, 0 at first."""
        return 0 if self._last is None else self._last + 1

    # checkpoints -------------------------------------------------------------------------------------

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The learned state as named arrays, series in id order: equal states give equal arrays."""
        arrays = {name: getattr(self._state, name).copy() for name in kernel.STATE}
        return {**arrays, "last": np.array([] if self._last is None else [self._last], np.int64)}

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` gave."""
        self._state = kernel.State(*(arrays[name].copy() for name in kernel.STATE))
        self._last = int(arrays["last"][0]) if arrays["last"].size else None

    # ------------------------------------------------------------------------------------------------

    def _columns(self, x: Mapping[str, float]) -> tuple[Counts, Floats]:
        authors = x.get("authors", 0)
        if not (math.isfinite(authors) and authors == int(authors)):
            raise ValueError(f"authors is {authors}; it must be a whole number")
        return np.array([int(authors)]), np.array([float(x.get("factor", 1.0))])

    def _step(
        self,
        series: Ids,
        counts: Counts,
        bucket: int,
        factor: Floats | None,
        absent_factor: float,
        *,
        learn: bool,
    ) -> SilenceScores:
        if factor is None:
            factor = np.ones(series.size)
        self._check(series, counts, bucket, factor, absent_factor)
        state = kernel.with_series(self._state, series)
        if not learn:
            state = kernel.copied(state)
        every_count = np.zeros(state.ids.size)
        every_factor = np.full(state.ids.size, float(absent_factor))
        places = np.searchsorted(state.ids, series)
        every_count[places] = counts
        every_factor[places] = factor
        out = kernel.empty_columns(state.ids.size)
        before = bucket - 1 if self._last is None else self._last
        kernel.step(state, every_count, every_factor, bucket, before, self._constants, out)
        if learn:
            self._state, self._last = state, bucket
        return SilenceScores(state.ids.copy(), *out)

    def _check(self, series: Ids, counts: Counts, bucket: int, factor: Floats, absent_factor: float) -> None:
        for name, values in (("counts", counts), ("factor", factor)):
            if values.shape != series.shape:
                raise ValueError(f"{series.size} series but {values.size} {name}; they must be as many")
        if not distinct(series):
            raise ValueError("series must be distinct")
        if counts.dtype.kind not in "iu":
            raise ValueError(f"counts are {counts.dtype}; they must be integers")
        if counts.size and counts.min() < 0:
            raise ValueError(f"counts go down to {counts.min()}; each must be at least 0")
        wrong = [*factor[~(np.isfinite(factor) & (factor >= 0))]]
        if not (math.isfinite(absent_factor) and absent_factor >= 0):
            wrong.append(absent_factor)
        if wrong:
            raise ValueError(f"a factor is {wrong[0]}; each must be finite and at least 0")
        self._check_bucket(bucket)

    def _check_bucket(self, bucket: int) -> None:
        if self._last is not None and bucket <= self._last:
            raise ValueError(f"bucket is {bucket}; buckets up to {self._last} are learned already")
