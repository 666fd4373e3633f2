"""How often evidence of emergence is reached where nothing happens, by what a perimeter has shown so far."""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detectors._emergence_kernel import CROSSING as CROSSING
from detectors._emergence_kernel import CROSSINGS, HEARD, HIGH_CROSSING, HIGH_CROSSINGS, SPAN

USUAL_CROSSINGS = 1 / 250
"""Crossings an author, where nothing is known yet: about what streams of real texts show."""
PRIOR_AUTHORS, PRIOR_CROSSINGS = 500.0, 5.0
"""What is known elsewhere is worth this much of a perimeter's own: of the rate, and of the slope."""
LEAST_SPAN = 14.0
"""Buckets of a perimeter under which nothing is said of it."""
_STEP = HIGH_CROSSING - CROSSING


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


def tails(totals: NDArray[np.float64]) -> Tails:
    """Of perimeters, by their `totals`, shape (perimeters, TOTALS); the first is the widest.

    Crossings an author, and the share of them that go on to HIGH_CROSSING, are a Gamma-Poisson and a
    beta-binomial mean: the widest perimeter's, and each other's with that as prior. Of a perimeter heard
    for less than LEAST_SPAN buckets crossings are not known: infinite. Under the estimator's model
    evidence that stands at u has at most the chance exp(u - c) to ever reach c (Ville's inequality), so
    slopes are 1; where subjects come in bursts of their own they are lower.
    """
    found = Tails(*np.empty((2, totals.shape[0])))
    _tails(totals, found.crossings, found.slopes)
    return found


@njit(cache=True)
def _tails(totals: Any, crossings: Any, slopes: Any) -> None:
    widest_rate, widest_share = USUAL_CROSSINGS, math.exp(-_STEP)
    for i in range(totals.shape[0]):
        crossed, high, heard, span = (
            totals[i, CROSSINGS],
            totals[i, HIGH_CROSSINGS],
            totals[i, HEARD],
            totals[i, SPAN],
        )
        rate = (PRIOR_AUTHORS * widest_rate + crossed) / (PRIOR_AUTHORS + heard)
        share = (PRIOR_CROSSINGS * widest_share + high) / (PRIOR_CROSSINGS + crossed)
        if i == 0:
            widest_rate, widest_share = rate, share
        crossings[i] = rate * heard / span if span >= LEAST_SPAN else math.inf
        # How steeply evidence falls off if that share of crossings goes on to HIGH_CROSSING.
        slopes[i] = min(1.0, max(1e-3, -math.log(share) / _STEP))
