"""Blind spots: what customers raise and the field never mentions, and the reverse."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import _blind_spot_kernel as kernel
from detectors.river_base import AnomalyDetector
from detectors.series import distinct

Ids = NDArray[np.uint64]
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

DEFAULT_RATIOS = (2.0, 5.0, 20.0)
CUSTOMER, FIELD = kernel.CUSTOMER, kernel.FIELD
_ALONE = np.array([1], np.uint64)


@dataclass(frozen=True, slots=True)
class BlindSpotScores:
    """What one bucket says of each series, in the order the series were given.

    log_e: natural log of the bucket's e-value, above 0 favours a blind spot; 0 where a block stays open.
    evidence: natural log of the sequential evidence, this bucket included, to compare with a threshold; 0
    where no episode runs or too few authors stand behind it. quiet: the voice that is missing, CUSTOMER or
    FIELD. ratio: usual rate of the field over that of customers, of what the series is compared with.
    running: whether an episode runs; it ends when the quiet voice is back. since: its first bucket. loud:
    authors of the other voice who mention the theme since then. observed, expected: authors of the quiet
    voice who mention it, and who would at the usual ratio. All of shape (series,).
    """

    log_e: Floats
    evidence: Floats
    quiet: NDArray[np.int8]
    ratio: Floats
    running: NDArray[np.bool_]
    since: NDArray[np.int64]
    loud: Floats
    observed: Floats
    expected: Floats


class BlindSpot(AnomalyDetector):
    """Share of the field in a theme's mentions against the parent's, with a sequential test of both sides.

    A series is a perimeter and theme. Of the authors who mention the theme in a block, the share of the field
    follows from how many of each voice wrote and from the ratio of the two voices' rates: that of the parent
    perimeter's discounted past without the series itself, so that a theme the field never mentions anywhere
    is no blind spot. Usual: the ratio is the parent's, `tolerance` times smaller at most. Blind spot: it is
    smaller by one of `ratios` more. Mentions are beta-binomial, since authors speak of the same incident; the
    quotient of both is an e-value, and evidence accumulates by Shiryaev and Roberts, R <- (1 + R) e, averaged
    over ratios and voices. At the least ratio that counts as usual, evidence reaches c about once in c
    buckets of a series, or more seldom; nearer the parent's much more seldom.

    A block ends with the first bucket by which both voices have written in the perimeter: where field notes
    come weekly, a week is judged as a whole. Give a series in each bucket in which anybody of its perimeter
    wrote, with 0 where nobody mentions the theme; nothing changes for a series that is not given.

    Parameters
    ----------
    half_life
        Buckets after which a mention weighs half in the ratio of the parent; at least 1.
    ratios
        Divisors of the quiet voice's rate that count as a blind spot; each above 1.
    tolerance
        Factor by which a perimeter may differ from its parent and still be usual; at least 1.
    strength
        Weight, in authors, of the assumption that both voices have the same rate; above 0.
    caution
        Standard deviations of the parent's ratio (its logarithm) that are granted on top; at least 0.
    together
        Correlation assumed of two mentions in one block, until the series has shown its own; in (0, 1).
    warm_up
        Buckets of a series that are learned without being judged; at least 0.
    min_authors
        Least authors in an episode: of the loud voice on the theme, of the quiet one on anything, and of the
        quiet one expected on the theme; at least 0.

    Examples
    --------
    >>> detector = BlindSpot()
    >>> both = {"customer": 3, "field": 2, "customer_exposure": 10, "field_exposure": 8}
    >>> for _ in range(60):
    ...     detector.learn_one(both)
    >>> customers_only = both | {"field": 0}
    >>> for _ in range(15):
    ...     detector.learn_one(customers_only)
    >>> scores = detector.scores_one(customers_only)
    >>> bool(scores.evidence[0] > 5), bool(scores.quiet[0] == FIELD), int(scores.since[0])
    (True, True, 60)

    References
    ----------
    Roberts, S. W. (1966). A comparison of some control chart procedures. Technometrics 8(3):411-430.
    Shin, J., Ramdas, A. & Rinaldo, A. (2024). E-detectors: a nonparametric framework for sequential change
    detection. New England Journal of Statistics in Data Science 2(2):229-260.
    """

    def __init__(
        self,
        half_life: float = 180.0,
        ratios: Sequence[float] = DEFAULT_RATIOS,
        tolerance: float = 1.25,
        strength: float = 1.0,
        caution: float = 1.0,
        together: float = 0.1,
        warm_up: int = 28,
        min_authors: float = 5.0,
    ) -> None:
        if not half_life >= 1:
            raise ValueError(f"half_life is {half_life} buckets; it must be at least 1")
        if not ratios or not all(ratio > 1 for ratio in ratios):
            raise ValueError(f"ratios is {ratios}; each must be above 1")
        if not tolerance >= 1:
            raise ValueError(f"tolerance is {tolerance}; it must be at least 1")
        if not strength > 0:
            raise ValueError(f"strength is {strength} authors; it must be above 0")
        if not 0 < together < 1:
            raise ValueError(f"together is {together}; it must lie between 0 and 1")
        if not (caution >= 0 and warm_up >= 0 and min_authors >= 0):
            raise ValueError(
                f"caution is {caution}, warm_up {warm_up}, min_authors {min_authors}; each must be at least 0"
            )
        self.half_life = half_life
        self.ratios = ratios
        self.tolerance = tolerance
        self.strength = strength
        self.caution = caution
        self.together = together
        self.warm_up = warm_up
        self.min_authors = min_authors
        self._constants = kernel.Constants(
            math.log(0.5) / half_life,
            float(strength),
            float(caution),
            math.log(tolerance),
            float(together),
            warm_up,
            float(min_authors),
            np.array(ratios, np.float64),
        )
        self._state = kernel.blank_state(np.empty(0, np.uint64), len(ratios))
        self._last: int | None = None

    # one bucket at a time, as river users know it -------------------------------------------------

    def score_one(self, x: Mapping[str, float]) -> float:
        """Evidence (natural log) of a blind spot, were `x` the next bucket."""
        return float(self.scores_one(x).evidence[0])

    def scores_one(self, x: Mapping[str, float]) -> BlindSpotScores:
        """All that is said of `x`, were it the next bucket."""
        customer, field, customers, agents = self._columns(x)
        return self.score_many(
            _ALONE,
            customer,
            field,
            customer_exposure=customers,
            field_exposure=agents,
            bucket=self.next_bucket,
        )

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Learn `x` as the next bucket: `customer` and `field` authors who mention the theme, 0 where absent,
        out of `customer_exposure` and `field_exposure`, as many as mention it where absent.

        The series is compared with its own past.
        """
        customer, field, customers, agents = self._columns(x)
        self.learn_many(
            _ALONE,
            customer,
            field,
            customer_exposure=customers,
            field_exposure=agents,
            bucket=self.next_bucket,
        )

    # a whole bucket of columns ---------------------------------------------------------------------

    def score_many(
        self,
        series: Ids,
        customer: Counts,
        field: Counts,
        *,
        customer_exposure: Counts,
        field_exposure: Counts,
        bucket: int,
        parents: Ids | None = None,
    ) -> BlindSpotScores:
        """Judge a bucket without learning it.

        series: distinct ids, none 0. customer, field: authors of each voice who mention the theme.
        customer_exposure, field_exposure: authors of each voice who wrote in the perimeter, at least as many.
        bucket: its number, above the last one learned. parents: id of the series of the same theme in the
        wider perimeter, which counts what the series counts; 0 where there is none, and then the series is
        compared with its own past. All of shape (series,). Raises ValueError where these do not hold.
        """
        counts = (customer, field, customer_exposure, field_exposure)
        return self._step(series, counts, bucket, parents, learn=False)

    def learn_many(
        self,
        series: Ids,
        customer: Counts,
        field: Counts,
        *,
        customer_exposure: Counts,
        field_exposure: Counts,
        bucket: int,
        parents: Ids | None = None,
    ) -> BlindSpotScores:
        """Learn a bucket; returns the scores it had before it was learned. Arguments as in `score_many`."""
        counts = (customer, field, customer_exposure, field_exposure)
        return self._step(series, counts, bucket, parents, learn=True)

    def restart(self, series: Ids) -> None:
        """Begin the evidence of some series anew, as after an alarm; a running episode goes on."""
        if series.size:
            again = np.isin(self._state.ids, series)
            self._state.log_r[again], self._state.passed[again] = -np.inf, 0.0

    @property
    def next_bucket(self) -> int:
        """Number of the bucket after the last one learned, 0 at first."""
        return 0 if self._last is None else self._last + 1

    # checkpoints -------------------------------------------------------------------------------------

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The learned state as named arrays, series in id order: equal states give equal arrays."""
        arrays = {name: getattr(self._state, name).copy() for name in kernel.STATE}
        return {**arrays, "last_bucket": np.array([] if self._last is None else [self._last], np.int64)}

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` gave."""
        self._state = kernel.State(*(arrays[name].copy() for name in kernel.STATE))
        self._last = int(arrays["last_bucket"][0]) if arrays["last_bucket"].size else None

    # ------------------------------------------------------------------------------------------------

    def _columns(self, x: Mapping[str, float]) -> tuple[Counts, Counts, Counts, Counts]:
        customer, field = x.get("customer", 0), x.get("field", 0)
        customers, agents = x.get("customer_exposure", customer), x.get("field_exposure", field)
        for value in (customer, field, customers, agents):
            if not (math.isfinite(value) and value == int(value)):
                raise ValueError(f"a count is {value}; each must be a whole number of authors")
        one, two, three, four = np.array([[customer], [field], [customers], [agents]]).astype(np.int64)
        return one, two, three, four

    def _step(
        self, series: Ids, counts: Sequence[Counts], bucket: int, parents: Ids | None, *, learn: bool
    ) -> BlindSpotScores:
        if parents is None:
            parents = np.zeros(series.size, np.uint64)
        self._check(series, counts, bucket, parents)
        # A parent that was never given becomes a blank row: nothing is known of it.
        state = kernel.with_series(self._state, np.concatenate([series, parents[parents != 0]]))
        if not learn:
            state = kernel.copied(state)
        rows = np.searchsorted(state.ids, series)
        places = np.where(parents == 0, -1, np.searchsorted(state.ids, parents))
        mentions = np.stack(counts[:2], axis=1).astype(np.float64)
        exposure = np.stack(counts[2:], axis=1).astype(np.float64)
        out = kernel.no_episodes(series.size, bucket)
        kernel.step(state, rows, places, mentions, exposure, bucket, self._constants, out)
        if learn:
            self._state, self._last = state, bucket
        return BlindSpotScores(*out)

    def _check(self, series: Ids, counts: Sequence[Counts], bucket: int, parents: Ids) -> None:
        names = ("customer", "field", "customer_exposure", "field_exposure")
        for name, values in (*zip(names, counts, strict=True), ("parents", parents)):
            if values.shape != series.shape:
                raise ValueError(f"{series.size} series but {values.size} {name}; they must be as many")
            if values.dtype.kind not in "iu":
                raise ValueError(f"{name} are {values.dtype}; they must be integers")
        if not series.all() or not distinct(series):
            raise ValueError("series must be distinct, and none may be 0")
        if (parents == series).any():
            raise ValueError("a series is its own parent; give 0 where there is none")
        for name, mentions, exposure in zip(names, counts[:2], counts[2:], strict=False):
            wrong = np.flatnonzero((mentions < 0) | (mentions > exposure))
            if wrong.size:
                at = wrong[0]
                raise ValueError(
                    f"{name} is {mentions[at]}; it must lie in [0, {name}_exposure={exposure[at]}]"
                )
        if self._last is not None and bucket <= self._last:
            raise ValueError(f"bucket is {bucket}; buckets up to {self._last} are learned already")
