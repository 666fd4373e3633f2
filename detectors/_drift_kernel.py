"""Compiled core of `detectors.drift`: one step of many series over one bucket.

A series is a row; each row is computed from its own past alone and in the order of its own history, so
neither the order nor the number of series changes a result. Values are in [0, 1] here.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

WEIGHT, MEAN, COUNT, SQUARES, BUCKETS, BETWEEN, LAST, BASE = range(8)
"""Baseline of a series. Effective values and their mean; what its variances rest on: values, squared
differences from the mean, buckets, and the part of the squares between buckets; the last bucket learned. All
but the mean and the last are discounted."""

(STATISTIC, SINCE, BASE_WEIGHT, BASE_MEAN, BASE_BUCKETS, TILT, COST, DAY, EFFECTIVE, VALUES, SUM, EPISODE) = (
    range(12)
)
"""Running episode of one size of shift, judged by the baseline as it was before it. Log-likelihood ratio (0
where none runs) and first bucket; that baseline's weight, mean and buckets; factor and cost of a value;
variance of a day over that of a value; then effective values, values and their sum so far."""

FINEST = 1e-4
"""Least variance of a value: nobody cares for shifts of a hundredth of the range."""
UNSEEN = 0.25
"""Squared difference of the one value that every baseline is supposed to have seen besides its own: half the
range away."""
EDGE = 5e-4
"""Nearest to the ends of the range that a mean is supposed to lie."""
BROADEST = 0.95
"""Most of the variance that values of such a mean can have."""
PRECISION = 1e-15
OUTGROWN = 2.0
"""An episode that outweighs its baseline this many times is the new normal."""
CHOSEN = 0.5
"""What a value counts for in a baseline that begins at an alarm, since alarms exaggerate the level."""


class Constants(NamedTuple):
    """Parameters of the estimator, as the kernel needs them."""

    log_decay: float
    warm_up: float
    sizes: NDArray[np.float64]
    """Shifts in standard deviations of a value, upward and downward ones."""


class Judged(NamedTuple):
    """What a step says of each series, shape (series,); the fields of `DriftScores` by these names."""

    evidence: NDArray[np.float64]
    up: NDArray[np.float64]
    down: NDArray[np.float64]
    since: NDArray[np.int64]
    values: NDArray[np.float64]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    spread: NDArray[np.float64]
    history: NDArray[np.float64]


def nothing_judged(series: int) -> Judged:
    """Room for what a step says."""
    floats = np.zeros((8, series))
    return Judged(floats[0], floats[1], floats[2], np.zeros(series, np.int64), *floats[3:])


@njit(cache=True)
def to_unit(
    n: Any,
    sums: Any,
    squares: Any,
    low: float,
    span: float,
    rounding: float,
    unit_sums: Any,
    unit_squares: Any,
) -> int:
    """Sums of values in [low, low + span] as sums of values in [0, 1]; the first that none can give, or -1.

    Values in [0, 1] have 0 <= sum <= n and sum^2 / n <= sum of squares <= sum, up to `rounding` a value.
    """
    for i in range(n.size):
        total = (sums[i] - n[i] * low) / span
        square = (squares[i] - 2.0 * low * sums[i] + n[i] * low**2) / span**2
        slack = rounding * max(n[i], 1.0)
        in_range = -slack <= total <= n[i] + slack and square <= total + slack
        if not (in_range and total**2 <= n[i] * (square + slack) + slack):
            return i
        unit_sums[i], unit_squares[i] = total, square
    return -1


@njit(cache=True)
def _log_hypergeometric(a: float, b: float, t: float) -> float:
    """log 1F1(a; b; t) for 0 < a < b and t at least 0: all terms of the series are positive."""
    term, total, k = 1.0, 1.0, 0.0
    while term > PRECISION * total:
        term *= (a + k) * t / ((b + k) * (k + 1.0))
        total += term
        k += 1.0
    return math.log(total)


@njit(cache=True)
def log_moment(mean: float, variance: float, tilt: float) -> float:
    """Logarithm of the mean of exp(tilt (x - mean)), x in [0, 1] being Beta of that mean and variance."""
    both = mean * (1.0 - mean) / variance - 1.0
    a = both * mean
    if tilt >= 0.0:
        return _log_hypergeometric(a, both, tilt) - tilt * mean
    return _log_hypergeometric(both - a, both, -tilt) + tilt * (1.0 - mean)


@njit(cache=True)
def _variance(base: Any) -> Any:
    return max(FINEST, (base[SQUARES] + UNSEEN) / max(1.0, base[COUNT]))


@njit(cache=True)
def _day(base: Any, variance: float) -> Any:
    """Variance of a bucket's own level over that of a value."""
    excess = base[BETWEEN] - base[BUCKETS] * variance
    return excess / (variance * base[COUNT]) if excess > 0.0 else 0.0


@njit(cache=True)
def _discount(base: Any, bucket: int, log_decay: float) -> None:
    if base[COUNT] > 0.0:
        decay = math.exp((bucket - base[LAST]) * log_decay)
        for column in (WEIGHT, COUNT, SQUARES, BUCKETS, BETWEEN):
            base[column] *= decay
    base[LAST] = bucket


@njit(cache=True)
def _begin(episode: Any, base: Any, bucket: int, size: float) -> None:
    variance = _variance(base)
    supposed = (base[WEIGHT] * base[MEAN] + 0.5) / (base[WEIGHT] + 1.0)
    supposed = min(max(supposed, EDGE), 1.0 - EDGE)
    shape = min(variance, BROADEST * supposed * (1.0 - supposed))
    episode[:] = 0.0
    episode[SINCE] = bucket
    episode[BASE_WEIGHT] = base[WEIGHT]
    episode[BASE_MEAN] = base[MEAN]
    episode[BASE_BUCKETS] = base[BUCKETS]
    episode[TILT] = size / math.sqrt(shape)
    episode[COST] = log_moment(supposed, shape, episode[TILT])
    episode[DAY] = _day(base, variance)


@njit(cache=True)
def _advance(episode: Any, base: Any, n: float, mean: float, bucket: int, size: float) -> None:
    """Take a bucket into the episode, beginning or ending it where the evidence says so."""
    if episode[STATISTIC] <= 0.0:
        if (mean > base[MEAN]) != (size > 0.0):
            return
        _begin(episode, base, bucket, size)
    effective = n / (1.0 + n * episode[DAY])
    episode[STATISTIC] += effective * (episode[TILT] * (mean - episode[BASE_MEAN]) - episode[COST])
    episode[EFFECTIVE] += effective
    episode[VALUES] += n
    episode[SUM] += n * mean
    if episode[STATISTIC] <= 0.0 or episode[EFFECTIVE] > OUTGROWN * episode[BASE_WEIGHT]:
        episode[:] = 0.0


@njit(cache=True)
def _evidence(episode: Any) -> Any:
    """The statistic, less what doubt about the baseline's mean and variance takes from it."""
    share = episode[BASE_WEIGHT] / (episode[BASE_WEIGHT] + episode[EFFECTIVE])
    half = 0.5 * (1.0 + episode[BASE_BUCKETS])
    return half * math.log1p(episode[STATISTIC] * share / half)


@njit(cache=True)
def _strongest(episodes: Any, upward: bool, sizes: Any) -> Any:
    """Place and evidence of the strongest episode of a direction; -1 and 0 where none runs."""
    place, most = -1, 0.0
    for k in range(sizes.size):
        if episodes[k, STATISTIC] > 0.0 and (sizes[k] > 0.0) == upward:
            evidence = _evidence(episodes[k])
            if evidence > most:
                place, most = k, evidence
    return place, most


@njit(cache=True)
def _learn(base: Any, n: float, mean: float, within: float) -> None:
    effective = n / (1.0 + n * _day(base, _variance(base)))
    away = mean - base[MEAN]
    between = away * away * n * base[WEIGHT] / (base[WEIGHT] + n)
    base[BUCKETS] += 1.0 if base[COUNT] > 0.0 else 0.0
    base[COUNT] += n
    base[SQUARES] += within + between
    base[BETWEEN] += between
    base[WEIGHT] += effective
    base[MEAN] += away * effective / base[WEIGHT]


@njit(cache=True)
def step(
    base: Any,
    episodes: Any,
    n: Any,
    sums: Any,
    squares: Any,
    hold: Any,
    bucket: int,
    constants: Any,
    out: Any,
) -> None:
    """Judge one bucket into `out` and learn it into the rows `base` and `episodes`, one a series."""
    sizes = constants.sizes
    for i in range(n.size):
        row = base[i]
        _discount(row, bucket, constants.log_decay)
        mean = sums[i] / n[i] if n[i] > 0 else row[MEAN]
        out.history[i] = row[WEIGHT]
        out.spread[i] = math.sqrt(_variance(row))
        out.since[i], out.values[i], out.observed[i], out.expected[i] = bucket, n[i], mean, row[MEAN]
        for k in range(sizes.size):
            if hold[i] and sizes[k] > 0.0:
                episodes[i, k] = 0.0
            elif n[i] > 0 and row[WEIGHT] >= constants.warm_up:
                _advance(episodes[i, k], row, n[i], mean, bucket, sizes[k])
        above, out.up[i] = _strongest(episodes[i], True, sizes)
        below, out.down[i] = _strongest(episodes[i], False, sizes)
        strongest = above if out.up[i] > out.down[i] else below
        out.evidence[i] = max(out.up[i], out.down[i])
        if strongest >= 0:
            episode = episodes[i, strongest]
            out.since[i], out.values[i] = np.int64(episode[SINCE]), episode[VALUES]
            out.observed[i], out.expected[i] = episode[SUM] / episode[VALUES], episode[BASE_MEAN]
        if n[i] > 0 and not hold[i]:
            _learn(row, n[i], mean, max(0.0, squares[i] - sums[i] * mean))


@njit(cache=True)
def restart(base: Any, episodes: Any, sizes: Any) -> None:
    """End all episodes; the level of the strongest one becomes the baseline, variances stay."""
    for i in range(base.shape[0]):
        above, up = _strongest(episodes[i], True, sizes)
        below, down = _strongest(episodes[i], False, sizes)
        strongest = above if up > down else below
        if strongest >= 0:
            episode = episodes[i, strongest]
            base[i, WEIGHT] = CHOSEN * episode[EFFECTIVE]
            base[i, MEAN] = episode[SUM] / episode[VALUES]
        episodes[i] = 0.0
