"""Counts: series that rise above their own level, trend and seasons."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import _counts_kernel as kernel
from detectors.river_base import AnomalyDetector

Ids = NDArray[np.uint64]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

YEAR_OF_WEEKS = ((52.0, 2),)
YEAR_OF_DAYS = ((365.25, 2), (7.0, 3))
"""Cycles of daily buckets; three harmonics of seven days are a factor for each weekday."""
DEFAULT_SHIFTS = (1.0, 2.0, 4.0)
DISPERSIONS = (1.0, 1.1, 1.2, 1.4, 1.8, 2.6, 4.2, 7.4, 13.8)
"""Ratios of variance to mean among which a series finds its own; what lies between is a mixture of two."""
LEVEL_VARIANCE, GROWTH_VARIANCE, FIRST_VARIANCE, OTHER_VARIANCE = 4.0, 1e-4, 0.4, 0.2
"""Prior variances on the log scale: level, growth a bucket, first harmonic of a cycle, each other one."""
_ALONE = np.array([1], np.uint64)


@dataclass(frozen=True, slots=True)
class CountScores:
    """What one bucket says of each series, in the order they were given; all but `observed` from before it.

    log_e: natural log of the bucket's e-value, above 0 favours a rise. evidence: natural log of the
    sequential evidence, this bucket included: what to compare with a threshold. mean, size: of the negative
    binomial count that was expected; its variance is mean + mean^2 / size. log_lower: natural log of its
    probability of as few or fewer. since: first bucket of the running episode. observed, expected: counts
    since then, this bucket included. All of shape (series,).

    A series without exposure has mean 0, size infinite, log_e and log_lower 0, and its evidence fades.
    """

    log_e: Floats
    evidence: Floats
    mean: Floats
    size: Floats
    log_lower: Floats
    since: Integers
    observed: Floats
    expected: Floats


class Counts(AnomalyDetector):
    """Discounted dynamic generalised linear model of many count series, with a sequential test of a rise.

    The log rate of a series is level + growth + harmonics of the cycles. A count is negative binomial around
    rate x exposure; how much more than Poisson it varies is learned as a probability over a grid of
    dispersions, so that a series that has said little keeps a heavy tail. A rise: the mean is higher by one
    of `shifts` standard deviations, the surplus being as dispersed as the rest, or by `burst` of them, the
    rate being multiplied. The ratio of both is an e-value e, a likelihood ratio whose mean is 1 where
    nothing changed. Evidence is R <- (1 + persistence (R - 1)) e, averaged over the kinds of rise: in each
    bucket a running rise persists or a new one may begin. Its mean is 1 in every bucket, so that it reaches
    c in at most one of c buckets of a series that has not changed.

    What is probably part of a rise is hardly learned. A series that is off its level for long, either way,
    is taken to have a new level: the level is learned afresh and evidence begins anew.

    A series given for the first time begins here. A bucket in which a series is not given, or has no
    exposure, says nothing of it: the past is forgotten by as much, and evidence fades. So a series that is
    watched and has no events must be given with count 0.

    Parameters
    ----------
    cycles
        Pairs of a period, in buckets and above 1, and a number of harmonics, at least 1. Weeks of a year by
        default; `YEAR_OF_DAYS` is for days. May be empty.
    level_discount, discount
        Share of what is known that a bucket keeps, for the level and for all else; in (0, 1].
    dispersion_half_life
        Buckets after which a count weighs half in the dispersion; at least 1.
    shifts
        Standard deviations that count as a rise; each above 0.
    burst
        Standard deviations of a rise that multiplies the rate: what makes evidence of rises beyond all
        others grow without bound; above 0.
    persistence
        Probability that a rise goes on in the next bucket; in [0, 1).
    carry
        Most evidence (not its logarithm) that a bucket hands on to the next, so that a rise that is over is
        soon forgotten; at least 1.
    doubt
        Odds, before looking, that a bucket is part of a rise and should not be learned; at least 0.
    patience
        Buckets over which departures are averaged to tell whether the level has moved; at least 2. A move by
        two standard deviations is accepted after .7 of it; one by less than one, by discounting alone.
    warm_up
        Buckets of a series that are learned without being judged; at least 0.
    forget_after
        Buckets without news after which a series begins anew; at least 1.
    prior_rate
        Rate that a series is guessed to have before its first bucket, within a factor of ten; above 0.
    count, exposure
        Keys of `x` in the one-at-a-time interface. Without a count the bucket says nothing; without an
        exposure that is 1.

    Examples
    --------
    >>> detector = Counts()
    >>> for week in range(104):
    ...     detector.learn_one({"y": 5 + week % 3})
    >>> detector.score_one({"y": 7}) < 1 < 5 < detector.score_one({"y": 20})
    True

    References
    ----------
    West, M., Harrison, P. J. & Migon, H. S. (1985). Dynamic generalized linear models and Bayesian
    forecasting. Journal of the American Statistical Association 80(389):73-83.
    Shin, J., Ramdas, A. & Rinaldo, A. (2024). E-detectors: a nonparametric framework for sequential change
    detection. New England Journal of Statistics in Data Science 2(2):229-260.
    """

    def __init__(
        self,
        cycles: Sequence[tuple[float, int]] = YEAR_OF_WEEKS,
        level_discount: float = 0.995,
        discount: float = 0.999,
        dispersion_half_life: float = 500.0,
        shifts: Sequence[float] = DEFAULT_SHIFTS,
        burst: float = 8.0,
        persistence: float = 0.25,
        carry: float = 300.0,
        doubt: float = 0.03,
        patience: float = 13.0,
        warm_up: int = 26,
        forget_after: int = 104,
        prior_rate: float = 1.0,
        count: str = "y",
        exposure: str = "n",
    ) -> None:
        for period, harmonics in cycles:
            if not (1 < period < math.inf and harmonics >= 1):
                raise ValueError(
                    f"cycles has {(period, harmonics)}; a period must be above 1 and its harmonics at least 1"
                )
        for name, value in (("level_discount", level_discount), ("discount", discount)):
            if not 0 < value <= 1:
                raise ValueError(f"{name} is {value}; it must be above 0 and at most 1")
        if not dispersion_half_life >= 1:
            raise ValueError(f"dispersion_half_life is {dispersion_half_life} buckets; it must be at least 1")
        if not shifts or not all(0 < shift < math.inf for shift in shifts):
            raise ValueError(f"shifts is {shifts}; there must be one or more, each above 0")
        if not 0 < burst < math.inf:
            raise ValueError(f"burst is {burst} standard deviations; it must be above 0")
        if not 0 <= persistence < 1:
            raise ValueError(f"persistence is {persistence}; it must be at least 0 and below 1")
        if not carry >= 1:
            raise ValueError(f"carry is {carry}; it must be at least 1")
        if not 0 <= doubt < math.inf:
            raise ValueError(f"doubt is {doubt}; it must be at least 0")
        if not patience >= 2:
            raise ValueError(f"patience is {patience} buckets; it must be at least 2")
        if not warm_up >= 0:
            raise ValueError(f"warm_up is {warm_up} buckets; it must be at least 0")
        if not forget_after >= 1:
            raise ValueError(f"forget_after is {forget_after} buckets; it must be at least 1")
        if not 0 < prior_rate < math.inf:
            raise ValueError(f"prior_rate is {prior_rate}; it must be above 0")
        self.cycles = cycles
        self.level_discount = level_discount
        self.discount = discount
        self.dispersion_half_life = dispersion_half_life
        self.shifts = shifts
        self.burst = burst
        self.persistence = persistence
        self.carry = carry
        self.doubt = doubt
        self.patience = patience
        self.warm_up = warm_up
        self.forget_after = forget_after
        self.prior_rate = prior_rate
        self.count = count
        self.exposure = exposure
        self._constants = self._make_constants()
        self._state = kernel.blank_state(np.empty(0, np.uint64), self._constants)
        self._last: int | None = None

    # one bucket at a time, as river users know it -------------------------------------------------

    def score_one(self, x: Mapping[str, float]) -> float:
        """Evidence (natural log) of a rise, were `x` the next bucket."""
        return float(self.scores_one(x).evidence[0])

    def scores_one(self, x: Mapping[str, float]) -> CountScores:
        """All that is said of `x`, were it the next bucket."""
        counts, exposure = self._columns(x)
        return self.score_many(_ALONE, counts, bucket=self.next_bucket, exposure=exposure)

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Learn `x`, a count and its exposure, as the next bucket."""
        counts, exposure = self._columns(x)
        self.learn_many(_ALONE, counts, bucket=self.next_bucket, exposure=exposure)

    # a whole bucket of columns ---------------------------------------------------------------------

    def score_many(
        self, series: Ids, counts: Integers, *, bucket: int, exposure: Floats | None = None
    ) -> CountScores:
        """Judge a bucket without learning it.

        series: distinct ids. counts: integers, at least 0. bucket: its number, above the last one learned;
        it sets the place in the cycles. exposure: what the rate is multiplied by, finite and at least 0,
        shape (series,); 1 where it is not given, and 0 only where the count is 0. Raises ValueError where
        these do not hold.
        """
        return self._step(series, counts, bucket, exposure, learn=False)

    def learn_many(
        self, series: Ids, counts: Integers, *, bucket: int, exposure: Floats | None = None
    ) -> CountScores:
        """Learn a bucket; returns the scores it had before it was learned. Arguments as in `score_many`."""
        return self._step(series, counts, bucket, exposure, learn=True)

    def restart(self, series: Ids) -> None:
        """Begin the evidence of some series anew, as after an alarm; what was learned stays."""
        rows = np.isin(self._state.ids, series)
        self._state.carried[rows] = 1.0
        self._state.running[rows] = False

    @property
    def next_bucket(self) -> int:
        """Number of the bucket after the last one learned, 0 at first."""
        return 0 if self._last is None else self._last + 1

    # checkpoints -------------------------------------------------------------------------------------

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The learned state as named arrays, series in id order: equal states give equal arrays."""
        arrays = {name: getattr(self._state, name).copy() for name in kernel.STATE}
        return {**arrays, "bucket": np.array([] if self._last is None else [self._last], np.int64)}

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` gave."""
        self._state = kernel.State(*(arrays[name].copy() for name in kernel.STATE))
        self._last = int(arrays["bucket"][0]) if arrays["bucket"].size else None

    # ------------------------------------------------------------------------------------------------

    def _columns(self, x: Mapping[str, float]) -> tuple[Integers, Floats]:
        count = x.get(self.count)
        if count is None:
            return np.zeros(1, np.int64), np.zeros(1)
        if not (math.isfinite(count) and count == int(count)):
            raise ValueError(f"{self.count} is {count}; a count must be a whole number")
        return np.array([int(count)]), np.array([float(x.get(self.exposure, 1.0))])

    def _step(
        self, series: Ids, counts: Integers, bucket: int, exposure: Floats | None, *, learn: bool
    ) -> CountScores:
        exposure = np.ones(series.size) if exposure is None else exposure
        self._check(series, counts, bucket, exposure)
        if learn:
            self._make_room(series)
        block, rows, known = self._block(series)
        scores = kernel.blank_scores(series.size)
        kernel.step(block, counts, exposure, bucket, self._design(bucket), self._constants, scores)
        if learn:
            for name in kernel.STATE[1:]:
                getattr(self._state, name)[rows[known]] = getattr(block, name)[known]
            self._last = bucket
        return CountScores(*scores)

    def _make_room(self, series: Ids) -> None:
        """Add the series that are new, rows staying in id order."""
        new = np.setdiff1d(series, self._state.ids)
        if new.size:
            blank = kernel.blank_state(new, self._constants)
            places = np.searchsorted(self._state.ids, new)
            self._state = kernel.State(
                *(np.insert(old, places, add, axis=0) for old, add in zip(self._state, blank, strict=True))
            )

    def _block(self, series: Ids) -> tuple[kernel.State, Integers, NDArray[np.bool_]]:
        """Copies of the series' rows, blank ones for the unknown; and where they are in the state."""
        block = kernel.blank_state(series, self._constants)
        rows = np.searchsorted(self._state.ids, series)
        known = rows < self._state.ids.size
        known[known] = self._state.ids[rows[known]] == series[known]
        for name in kernel.STATE[1:]:
            getattr(block, name)[known] = getattr(self._state, name)[rows[known]]
        return block, rows, known

    def _design(self, bucket: int) -> Floats:
        """What the coefficients are multiplied by in a bucket."""
        terms = [1.0, 0.0]
        for period, harmonics in self.cycles:
            for harmonic in range(1, harmonics + 1):
                angle = 2 * math.pi * math.fmod(harmonic * bucket, period) / period
                terms += [math.cos(angle), math.sin(angle)]
        return np.array(terms)

    def _make_constants(self) -> kernel.Constants:
        variances = [LEVEL_VARIANCE, GROWTH_VARIANCE]
        for _, harmonics in self.cycles:
            variances += [FIRST_VARIANCE] * 2 + [OTHER_VARIANCE] * 2 * (harmonics - 1)
        discounts = [self.level_discount] + [self.discount] * (len(variances) - 1)
        prior_mean = np.zeros(len(variances))
        prior_mean[kernel.LEVEL] = math.log(self.prior_rate)
        return kernel.Constants(
            np.array([math.log(discount) for discount in discounts]),
            prior_mean,
            np.array(variances),
            np.array(DISPERSIONS),
            math.log(0.5) / self.dispersion_half_life,
            np.array([*self.shifts, self.burst], np.float64),
            float(self.persistence),
            float(self.carry),
            float(self.doubt),
            float(self.patience),
            self.warm_up,
            self.forget_after,
        )

    def _check(self, series: Ids, counts: Integers, bucket: int, exposure: Floats) -> None:
        for name, values in (("counts", counts), ("exposure", exposure)):
            if values.size != series.size:
                raise ValueError(f"{series.size} series but {values.size} {name}; they must be as many")
        if np.unique(series).size < series.size:
            raise ValueError("series must be distinct; give each once a bucket")
        if not np.issubdtype(counts.dtype, np.integer):
            raise ValueError(f"counts are {counts.dtype}; they must be integers")
        if counts.min(initial=0) < 0:
            raise ValueError(f"counts go down to {counts.min()}; each must be at least 0")
        if not (np.isfinite(exposure) & (exposure >= 0)).all():
            wrong = exposure[~(np.isfinite(exposure) & (exposure >= 0))][0]
            raise ValueError(f"exposure is {wrong}; it must be finite and at least 0")
        if (counts[exposure == 0] > 0).any():
            raise ValueError(
                f"a count is {counts[exposure == 0].max()} where exposure is 0; it must be 0 there"
            )
        if self._last is not None and bucket <= self._last:
            raise ValueError(f"bucket is {bucket}; buckets up to {self._last} are learned already")
