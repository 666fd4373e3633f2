"""What is told of evidence: that of the counts that are told, so that no other count follows from it.

A count of people is told as the multiple of the minimum that it is not under. Evidence grows with every one
of them: told as it is, beside what was expected and how detection works, it would give the count itself, and
two of them what lies between. It is therefore told as of the count that is told, and moves in the same steps;
where it is few that tell, as of the most that they may be: it is never told as more than it was. Of an alarm
it is the threshold at least, which it reached.
"""

import math

import numpy as np
from numpy.typing import NDArray

from detectors.emergence import Emergence, EmergenceScores
from pipelines.stages.evidence import at_least
from pipelines.stages.finding import SUMMED, UNUSUAL_DAY, Finding

_TENTHS = 10
"""Evidence of the watch is told in tenths: what it owes to a single text is less than that, or nearly."""


def told_of_rise(scores: EmergenceScores, estimator: Emergence, least: int) -> NDArray[np.float64]:
    """Evidence of features as of the authors that are told of their episodes, shape (features,).

    estimator: gives the parameters alone. least: minimum of distinct authors.
    """
    people = (scores.observed // least * least).astype(np.float64)
    told: NDArray[np.float64] = np.minimum(
        scores.evidence, estimator.evidence_of(people, scores.expected, scores.known)
    )
    return told


def told_of_finding(finding: Finding, least: int) -> float:
    """Evidence of a finding as of the values or texts that are told; at least the threshold, if reached.

    Evidence of a mean grows with its values, that of a count as its divergence from the expected does. An
    unusual day is one of many counts at once: whole units of its evidence are told.
    """
    told = finding.evidence
    if finding.kind == UNUSUAL_DAY:
        told = math.floor(told)
    elif finding.kind in SUMMED:
        # What is missing tells: of the counts that it may be, the one that says least.
        most = at_least(finding.observed, least) + least - 1
        real = divergence(finding.observed, finding.expected)
        told *= divergence(most, finding.expected) / real if most < finding.expected and real > 0 else 0.0
    elif finding.size > 0:
        told *= at_least(finding.size, least) / finding.size
    # Rounded first: eight tenths that came out a little less are eight tenths.
    told = math.floor(round(_TENTHS * told, 6)) / _TENTHS
    return max(finding.threshold, told) if finding.is_alarm else told


def told_fewer(fewer: int, observed: float, least: int) -> int:
    """How many people fewer, in steps of the minimum, are sure to have raised no alert.

    fewer: of `observed` people, how many fewer would not have. What is told is as many as it takes whichever
    count under the next multiple it was: of 7 people it would have taken 2 fewer, of 9 it would take 4.

    >>> told_fewer(2, 7, 5), told_fewer(4, 9, 5), told_fewer(6, 11, 5)
    (5, 5, 10)
    """
    most = fewer + (at_least(observed, least) + least - 1 - int(observed))
    return math.ceil(most / least) * least


def divergence(observed: float, expected: float) -> float:
    """Poisson divergence of a count from the expected: how far evidence of it goes."""
    if observed <= 0:
        return expected
    return observed * math.log(observed / expected) - observed + expected
