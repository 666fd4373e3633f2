"""The learned state of `detectors.emergence`: a table of features and the totals of its perimeters."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors import _emergence_kernel as kernel

USUAL_CROSSINGS = 1 / 250
"""Crossings an author, where nothing is known yet: about what streams of real texts show."""
PRIOR_AUTHORS, PRIOR_CROSSINGS = 500.0, 5.0
"""What is known elsewhere is worth this much of a perimeter's own: of the rate, and of the slope."""
LEAST_SPAN = 14.0
"""Buckets of a perimeter under which nothing is said of it."""
_STEP = kernel.HIGH_CROSSING - kernel.CROSSING


class Tails(NamedTuple):
    """How often evidence is reached where nothing happens, shape (perimeters,) both.

    crossings: episodes a bucket whose evidence crosses `CROSSING`. slopes: each unit of evidence above is
    reached exp(slope) times more seldom; in (0, 1].
    """

    crossings: NDArray[np.float64]
    slopes: NDArray[np.float64]

    def part(self, places: slice) -> "Tails":
        """Of some perimeters."""
        return Tails(self.crossings[places], self.slopes[places])


class EmergenceTable:
    """Features of one perimeter or of many. perimeters: rows of `totals` to begin with."""

    def __init__(self, perimeters: int = 0) -> None:
        self.used = 0
        self.totals = np.zeros((perimeters, kernel.TOTALS))
        self._state = kernel.empty_state()

    def step(
        self,
        heard: kernel.Bucket,
        bucket: int,
        constants: kernel.Constants,
        looked_at: NDArray[np.float64],
        *,
        learn: bool,
    ) -> kernel.Scores:
        """Judge a bucket and, if `learn`, learn it afterwards.

        Where it is not learned, a slot after the last one stands for a perimeter never heard.
        """
        totals = self.totals
        if learn:
            self._state = kernel.with_room(self._state, self.used, heard.features.size)
        else:
            totals = np.concatenate([totals, np.zeros((1, kernel.TOTALS))])
        scores = kernel.empty_scores(heard.features.size)
        gained = kernel.step(self._state, totals, heard, bucket, constants, looked_at, learn, scores)
        self.used += int(gained)
        return scores

    @staticmethod
    def tails(totals: NDArray[np.float64]) -> Tails:
        """Of perimeters, by their `totals`; the first is the widest.

        Crossings an author, and the share of them that go on to HIGH_CROSSING, are a Gamma-Poisson and a
        beta-binomial mean: the widest perimeter's, and each other's with that as prior. Of a perimeter heard
        for less than LEAST_SPAN buckets crossings are not known: infinite. Under the estimator's model
        evidence that stands at u has at most the chance exp(u - c) to ever reach c (Ville's inequality), so
        slopes are 1; where subjects come in bursts of their own they are lower.
        """
        crossings, high, heard, span = totals[:, kernel.CROSSINGS : kernel.SPAN + 1].T
        rates = np.full(span.size, USUAL_CROSSINGS)
        shares = np.full(span.size, math.exp(-_STEP))
        for part in (slice(1), slice(1, None)):
            rate, share = rates[0], shares[0]
            rates[part] = (PRIOR_AUTHORS * rate + crossings[part]) / (PRIOR_AUTHORS + heard[part])
            shares[part] = (PRIOR_CROSSINGS * share + high[part]) / (PRIOR_CROSSINGS + crossings[part])
        mean_exposures = np.divide(heard, span, out=np.full(span.size, np.inf), where=span >= LEAST_SPAN)
        return Tails(rates * mean_exposures, np.array([slope(share) for share in shares.tolist()]))

    def add_perimeter(self) -> None:
        """One more row of totals."""
        self.totals = np.concatenate([self.totals, np.zeros((1, kernel.TOTALS))])

    def restart(
        self, features: NDArray[np.uint64], salts: NDArray[np.uint64], slots: NDArray[np.int64]
    ) -> None:
        """Begin the evidence of some features anew; shape (features,) each."""
        kernel.restart(self._state, self.totals, features, salts, slots)

    def forget(self, bucket: int, log_decay: float, below: float) -> int:
        """Drop features whose discounted count at `bucket` is under `below`; returns how many."""
        kept = kernel.kept(self._state, bucket, log_decay, below)
        dropped = self.used - int(kept.size)
        if dropped:
            self._state = kernel.rehash(self._state, kept, kernel.capacity_for(kept.size))
            self.used = kept.size
        return dropped

    def __getstate__(self) -> dict[str, Any]:
        """The table as one array."""
        return {"used": self.used, "totals": self.totals, "records": kernel.records_of(self._state)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.used, self.totals = state["used"], state["totals"]
        self._state = kernel.columns_of(state["records"])

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """Named arrays, features in order of id."""
        order = kernel.ordered(self._state)
        arrays = {name: getattr(self._state, name)[order] for name in kernel.STATE}
        return {**arrays, "totals": self.totals.copy()}

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` gave."""
        records = np.empty(arrays["ids"].size, kernel.RECORD)
        for name in kernel.STATE:
            records[name] = arrays[name]
        everything = np.arange(records.size)
        capacity = kernel.capacity_for(records.size)
        self._state = kernel.rehash(kernel.columns_of(records), everything, capacity)
        self.used = records.size
        self.totals = arrays["totals"].copy()


def slope(share: float) -> float:
    """How steeply evidence falls off if that share of crossings goes on to HIGH_CROSSING; in (0, 1]."""
    return min(1.0, max(1e-3, -math.log(share) / _STEP))
