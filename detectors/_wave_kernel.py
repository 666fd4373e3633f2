"""Compiled core of `detectors.wave`: one step of many series over one bucket, each row from its own past."""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

BUCKETS, ANSWERS, MISFIT, TEXTLESS, AGE, STATISTIC, SINCE, OBSERVED, EXPECTED, LAST, ROW = range(11)
"""Discounted buckets, answers, squared differences over the expected, and answers without text; buckets since
the first; statistic of the running episode (0 where none runs), its first bucket, answers in it and those
expected; last bucket learned."""


class Constants(NamedTuple):
    """Parameters of the estimator, as the kernel needs them."""

    log_decay: float
    warm_up: float
    log_ratio: float
    highest: float


class Judged(NamedTuple):
    """What a step says of each series, shape (series,); the fields of `WaveScores` by these names."""

    evidence: NDArray[np.float64]
    since: NDArray[np.int64]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]


def nothing_judged(series: int) -> Judged:
    """Room for what a step says."""
    floats = np.zeros((3, series))
    return Judged(floats[0], np.zeros(series, np.int64), floats[1], floats[2])


@njit(cache=True)
def _dispersion(row: Any) -> Any:
    """Variance of a bucket's answers over their mean, at least 1; one bucket of prior at 2."""
    return max(1.0, (row[MISFIT] + 2.0) / (row[BUCKETS] + 1.0))


@njit(cache=True)
def _log_ratio(row: Any, answers: float, textless: float, expected: float, log_ratio: float) -> Any:
    """Quasi-likelihood of a multiple of the answers expected, and of half the writers leaving no text."""
    ratio = math.exp(log_ratio)
    volume = (answers * log_ratio - (ratio - 1.0) * expected) / _dispersion(row)
    share = (row[TEXTLESS] + 0.5) / (row[ANSWERS] + 1.0)
    text = textless * math.log(0.5 * (1.0 + share) / share) + (answers - textless) * math.log(0.5)
    return volume + text / _dispersion(row)


@njit(cache=True)
def _discount(row: Any, gap: float, log_decay: float) -> None:
    decay = math.exp(gap * log_decay)
    for column in (BUCKETS, ANSWERS, MISFIT, TEXTLESS):
        row[column] *= decay


@njit(cache=True)
def _pass(row: Any, gap: float, constants: Any) -> None:
    """Buckets in which the series was not given: nobody answered."""
    if row[AGE] <= 0.0 or gap <= 0.0:
        return
    expected = row[ANSWERS] / row[BUCKETS]
    if row[STATISTIC] > 0.0:
        row[STATISTIC] += _log_ratio(row, 0.0, 0.0, expected * gap, constants.log_ratio)
        row[EXPECTED] += expected * gap
    _discount(row, gap, constants.log_decay)
    passed = (1.0 - math.exp(gap * constants.log_decay)) / (1.0 - math.exp(constants.log_decay))
    row[BUCKETS] += passed
    row[MISFIT] += expected * passed
    row[AGE] += gap


@njit(cache=True)
def step(rows: Any, answers: Any, textless: Any, bucket: int, constants: Any, out: Any) -> None:
    """Judge one bucket into `out` and learn it into `rows`."""
    for i in range(answers.size):
        row, y = rows[i], answers[i]
        _pass(row, bucket - row[LAST] - 1.0, constants)
        expected = row[ANSWERS] / row[BUCKETS] if row[BUCKETS] > 0.0 else y
        if row[STATISTIC] <= 0.0:
            row[STATISTIC], row[SINCE], row[OBSERVED], row[EXPECTED] = 0.0, bucket, 0.0, 0.0
        row[OBSERVED] += y
        row[EXPECTED] += expected
        if row[AGE] >= constants.warm_up:
            change = _log_ratio(row, y, textless[i], expected, constants.log_ratio)
            row[STATISTIC] = min(constants.highest, row[STATISTIC] + change)
        more_than_usual = row[OBSERVED] >= math.exp(0.5 * constants.log_ratio) * row[EXPECTED]
        out.evidence[i] = max(0.0, row[STATISTIC]) if more_than_usual else 0.0
        out.since[i], out.observed[i], out.expected[i] = np.int64(row[SINCE]), row[OBSERVED], row[EXPECTED]
        _discount(row, 1.0, constants.log_decay)
        row[MISFIT] += (y - expected) ** 2 / max(expected, 1.0) if row[AGE] > 0.0 else 0.0
        row[BUCKETS] += 1.0
        row[ANSWERS] += y
        row[TEXTLESS] += textless[i]
        row[AGE] += 1.0
        row[LAST] = bucket
