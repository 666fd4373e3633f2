"""Unusual day: a day whose figures, taken together, a series' own past does not explain."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import _unusual_day_kernel as kernel
from detectors._unusual_day_math import COUNT, SHARE
from detectors.features import feature_id
from detectors.river_base import AnomalyDetector
from detectors.series import distinct, find

Ids = NDArray[np.uint64]
Floats = NDArray[np.float64]
Buckets = NDArray[np.int32]

USUAL_TAIL = (0.1, 1.2)
"""Share of days in the tail, and mean excess there, where no past and no wider perimeter says otherwise."""
ALONE = np.zeros(1, np.uint64)
LARGEST = 1e140
"""Size of values from which on squares, and sums of them, come near what a number can hold."""


@dataclass(frozen=True, slots=True)
class UnusualDayScores:
    """What one bucket says of each series, in the order the series and components were given.

    evidence: minus the natural log of the day's calibrated p-value, at least 0: what to compare with a
    threshold, it reaches log c on about one of c days. log_e: natural log of the e-value of that p-value, to
    be added to independent evidence. since: first bucket of the run of days in the tail that this one belongs
    to, or itself. All of shape (series,).
    observed, expected: each component on its own scale. z: its standardised residual. All of shape
    (series, components); NaN where the component is missing or was never seen before.
    tail: rate and mean excess of the raw surprise's tail, shape (series, 2): a prior for smaller perimeters.
    """

    evidence: Floats
    log_e: Floats
    since: Buckets
    observed: Floats
    expected: Floats
    z: Floats
    tail: Floats


@dataclass(frozen=True, slots=True)
class Moved:
    """A component of a day: its value, the value expected, and the difference in standard deviations."""

    name: str
    observed: float
    expected: float
    z: float


class UnusualDay(AnomalyDetector):
    """Robust online Mahalanobis distance of a vector of daily figures, with an online calibrated p-value.

    Each component has a level that forgets, a rhythm (a departure on each weekday) and a variance; residuals
    beyond three standard deviations are learned as three. The standardised residuals are judged jointly, by
    their Mahalanobis distance under a shrunk correlation matrix, and singly, by the one that moved most, with
    Fisher's F; the smaller p-value counts. That p-value would hold for normal noise. Its tail, where days are
    among the highest tenth, is fitted by an exponential over the past of the series, the wider perimeter's
    tail as prior: the evidence is minus the log of the probability so found. The tail of one series is a few
    dozen days: where single figures are as heavy-tailed as Student's t with 5 degrees of freedom, false
    alarms at one in 400 days come up to three times as often, with 8 degrees about half as often again.

    Days are judged one by one: adding up the days of a spell found no more of them on simulated perimeters,
    at the same false alarms, and fewer single days.

    A component that is NaN, or whose weight is 0, is left out: it is neither judged nor learned, and the
    others are judged with the correlation matrix of those present. A component never seen before is learned,
    not judged. A series that skips buckets forgets as much as if it had been there.

    Parameters
    ----------
    counts
        Names of components that count something; judged on the scale of square roots, and expected to vary
        by at least as much as a Poisson count.
    shares
        Names of components that are shares of `weights` answers; judged on the arcsine scale, and expected
        to vary by at least as much as a binomial share. All other components are plain values, means of
        `weights` observations.
    half_life
        Buckets after which a day weighs half in the level; at least 1.
    memory
        The same for rhythm, variance, correlation and tail, which move more slowly; at least `half_life`.
    period
        Buckets of a rhythm, 7 for days of a week; 1 for none.
    saturation
        Observations after which more of them hardly make a mean or share more certain; above 0.
    freedom
        Degrees of freedom of the residuals; above 2.
    strength
        Weight of the prior tail, in days; above 0.
    warm_up
        Buckets a series learns without being judged; at least 1.

    Examples
    --------
    >>> detector = UnusualDay(counts=["mails"])
    >>> for day in range(100):
    ...     detector.learn_one({"mails": 20 + day % 3, "mood": 0.1 * (day % 5)})
    >>> usual, odd = {"mails": 21, "mood": 0.2}, {"mails": 60, "mood": -2.0}
    >>> detector.score_one(usual) < 1 < 5 < detector.score_one(odd)
    True
    >>> [moved.name for moved in detector.explain_one(odd)]
    ['mood', 'mails']

    References
    ----------
    Mahalanobis, P. C. (1936). On the generalised distance in statistics. Proceedings of the National
    Institute of Sciences of India 2:49-55.
    Vovk, V. & Wang, R. (2021). E-values: calibration, combination and applications. Annals of Statistics
    49(3):1736-1754.
    Pickands, J. (1975). Statistical inference using extreme order statistics. Annals of Statistics
    3(1):119-131.
    """

    def __init__(
        self,
        counts: Sequence[str] | None = None,
        shares: Sequence[str] | None = None,
        half_life: float = 28.0,
        memory: float = 112.0,
        period: int = 7,
        saturation: float = 50.0,
        freedom: float = 60.0,
        strength: float = 50.0,
        warm_up: int = 28,
    ) -> None:
        if not half_life >= 1:
            raise ValueError(f"half_life is {half_life} buckets; it must be at least 1")
        if not memory >= half_life:
            raise ValueError(f"memory is {memory} buckets; it must be at least half_life, {half_life}")
        if not period >= 1:
            raise ValueError(f"period is {period} buckets; it must be at least 1")
        if not (saturation > 0 and strength > 0):
            raise ValueError(f"saturation is {saturation} and strength {strength}; both must be above 0")
        if not freedom > 2:
            raise ValueError(f"freedom is {freedom}; it must be above 2")
        if not warm_up >= 1:
            raise ValueError(f"warm_up is {warm_up} buckets; it must be at least 1")
        both = set(counts or ()) & set(shares or ())
        if both:
            raise ValueError(f"{sorted(both)} are counts and shares; they can be only one")
        self.counts = counts
        self.shares = shares
        self.half_life = half_life
        self.memory = memory
        self.period = period
        self.saturation = saturation
        self.freedom = freedom
        self.strength = strength
        self.warm_up = warm_up
        self._counts = np.sort(np.array([feature_id(name) for name in counts or ()], np.uint64))
        self._shares = np.sort(np.array([feature_id(name) for name in shares or ()], np.uint64))
        self._state = kernel.empty_state(period)

    # one series, one bucket at a time ----------------------------------------------------------------

    def score_one(self, x: Mapping[str, float]) -> float:
        """Evidence (natural log) that `x`, were it the next bucket, is an unusual day."""
        return float(self._one(x, learn=False).evidence[0])

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Learn `x`, the components of one series, as the next bucket."""
        self._one(x, learn=True)

    def explain_one(self, x: Mapping[str, float]) -> list[Moved]:
        """Components of `x`, those that moved most first."""
        scores = self._one(x, learn=False)
        moved = [
            Moved(name, float(x[name]), float(scores.expected[0, place]), float(scores.z[0, place]))
            for place, name in enumerate(x)
            if not math.isnan(scores.z[0, place])
        ]
        return sorted(moved, key=lambda component: (-abs(component.z), component.name))

    # a whole bucket of columns -------------------------------------------------------------------------

    def score_many(
        self,
        series: Ids,
        values: Floats,
        *,
        components: Ids,
        bucket: int,
        weights: Floats | None = None,
        prior: Floats | None = None,
    ) -> UnusualDayScores:
        """Judge a bucket without learning it.

        series: distinct ids. components: distinct ids (`feature_id` of the names). values: shape (series,
        components); NaN is missing, counts at least 0, shares in [0, 1]. bucket: above the last one that any
        of the series learned. weights: observations behind each value, of the same shape, finite and at least
        0; 1 where absent, and of counts always. prior: `tail` of the wider perimeter of each series, shape
        (series, 2). Raises ValueError where these do not hold.
        """
        return self._step(series, values, components, bucket, weights, prior, learn=False)

    def learn_many(
        self,
        series: Ids,
        values: Floats,
        *,
        components: Ids,
        bucket: int,
        weights: Floats | None = None,
        prior: Floats | None = None,
    ) -> UnusualDayScores:
        """Learn a bucket; returns the scores it had before it was learned. Arguments as in `score_many`."""
        return self._step(series, values, components, bucket, weights, prior, learn=True)

    def restart(self, series: Ids) -> None:
        """End the running episode of some series, as after an alarm; what was learned stays."""
        self._state.in_episode[np.isin(self._state.series, series)] = 0

    @property
    def next_bucket(self) -> int:
        """Number of the bucket after the last one learned, 0 at first."""
        return int(self._state.last.max(initial=-1)) + 1

    # checkpoints -----------------------------------------------------------------------------------------

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The learned state as named arrays, series and components in id order."""
        return {name: getattr(self._state, name).copy() for name in kernel.STATE}

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` gave."""
        self._state = kernel.State(*(arrays[name].copy() for name in kernel.STATE))

    # -----------------------------------------------------------------------------------------------------

    def _one(self, x: Mapping[str, float], *, learn: bool) -> UnusualDayScores:
        components = np.array([feature_id(name) for name in x], np.uint64)
        values = np.array([list(x.values())], np.float64).reshape(1, -1)
        return self._step(ALONE, values, components, self.next_bucket, None, None, learn=learn)

    def _step(
        self,
        series: Ids,
        values: Floats,
        components: Ids,
        bucket: int,
        weights: Floats | None,
        prior: Floats | None,
        *,
        learn: bool,
    ) -> UnusualDayScores:
        kinds = np.zeros(components.size, np.int64)
        kinds[find(self._counts, components)[1]] = COUNT
        kinds[find(self._shares, components)[1]] = SHARE
        if weights is None:
            weights = np.ones_like(values)
        if prior is None:
            prior = np.tile(USUAL_TAIL, (series.size, 1))
        self._check(series, values, components, kinds, weights, prior)
        weights = np.where(kinds == COUNT, 1.0, weights)
        state = kernel.with_room(self._state, series, components, self.period)
        rows = np.searchsorted(state.series, series)
        columns = np.searchsorted(state.components, components)
        late = (state.learned[rows] > 0) & (state.last[rows] >= bucket)
        if late.any():
            last = state.last[rows][late].max()
            raise ValueError(f"bucket is {bucket}; buckets up to {last} are learned already")
        if learn:
            self._state = state
        n = series.size
        expected, z = np.empty((2, *values.shape))
        evidence, log_e = np.empty((2, n))
        judged = kernel.Judged(expected, z, evidence, log_e, np.empty((n, 2)), np.empty(n, np.int32))
        kernel.step(
            state,
            rows,
            columns,
            np.argsort(columns),
            kinds,
            values,
            weights,
            prior,
            bucket,
            self._constants(),
            learn,
            judged,
        )
        observed = np.where(np.isnan(z), np.nan, values)
        return UnusualDayScores(evidence, log_e, judged.since, observed, expected, z, judged.tail)

    def _constants(self) -> kernel.Constants:
        half = math.log(0.5)
        return kernel.Constants(
            half / self.half_life,
            half / self.memory,
            float(self.saturation),
            float(self.freedom),
            float(self.strength),
            self.warm_up,
            self.period,
        )

    def _check(
        self,
        series: Ids,
        values: Floats,
        components: Ids,
        kinds: NDArray[np.int64],
        weights: Floats,
        prior: Floats,
    ) -> None:
        shape = (series.size, components.size)
        for name, array in (("values", values), ("weights", weights)):
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}; (series, components) is {shape}")
        if prior.shape != (series.size, 2):
            raise ValueError(f"prior has shape {prior.shape}; it must be (series, 2), {(series.size, 2)}")
        for name, ids in (("series", series), ("components", components)):
            if not distinct(ids):
                raise ValueError(f"{name} must be distinct")
        if np.isinf(values).any():
            raise ValueError("values hold an infinite one; each must be finite, or NaN where missing")
        if (np.abs(values) > LARGEST).any():
            raise ValueError(
                f"values hold {values[np.abs(values) > LARGEST][0]}; each must lie within -{LARGEST:g} and "
                f"{LARGEST:g}, or its square is no number"
            )
        if not (np.isfinite(weights) & (weights >= 0)).all():
            raise ValueError("weights hold a negative, infinite or missing one; each must be at least 0")
        if (values[:, kinds == COUNT] < 0).any():
            raise ValueError("values hold a negative count; counts must be at least 0")
        shares = values[:, kinds == SHARE]
        if ((shares < 0) | (shares > 1)).any():
            raise ValueError("values hold a share outside [0, 1]")
        if not (np.isfinite(prior) & (prior > 0)).all() or (prior[:, 0] >= 1).any():
            raise ValueError("prior holds a rate outside (0, 1) or a mean excess that is not above 0")
