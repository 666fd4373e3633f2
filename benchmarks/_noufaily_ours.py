"""Vigie's counts detector on Noufaily's scenarios."""

import numpy as np
from numpy.typing import NDArray

from benchmarks._noufaily_simulation import TEST, Series
from detectors.counts import Counts

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def counts_evidence(series: Series) -> tuple[Floats, Floats]:
    """Evidence of the test weeks at the detector's defaults, without and with the outbreak.

    All series go together, week after week, as they would live; both copies have the same past, which is
    learned once.
    """
    detector = Counts()
    ids = np.arange(1, len(series.quiet) + 1, dtype=np.uint64)
    for week in range(TEST):
        detector.learn_many(ids, series.quiet[:, week], bucket=week)
    past = detector.state_arrays()
    scores = []
    for counts in (series.quiet, series.struck):
        detector.load_state_arrays(past)
        weeks = [
            detector.learn_many(ids, counts[:, week], bucket=week).evidence
            for week in range(TEST, counts.shape[1])
        ]
        scores.append(np.array(weeks).T)
    return scores[0], scores[1]
