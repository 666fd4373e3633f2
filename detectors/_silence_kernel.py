"""Compiled core of `detectors.silence`: one step of every known series over one bucket.

A series is a row; each row is computed from its own columns alone, so neither the order nor the number of
series changes a result.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detectors.series import find

NEVER = np.iinfo(np.int64).min
"""`first` of a series that has not written yet."""
TINY = 1e-9
"""Authors below which nothing is expected."""
UNUSUAL = 3.0
"""Standard deviations above the expected from which a count teaches no more."""
LARGEST_TURN = math.log(2.0)
"""Most that the trend may move the level, as a logarithm."""
DISPERSION_STRENGTH = 20.0
"""Weight, in authors, of the assumption that counts vary as Poisson's do."""
LEAST_WEIGHT = 0.25
"""Weight at which even an evident silence is learned: in time it becomes the rule."""
OVER = 3.0
"""Fall of an episode's evidence from its peak by which volume is back."""


class State(NamedTuple):
    """Columns of the series, rows in order of id. Sums are discounted, ages count buckets."""

    ids: NDArray[np.uint64]
    first: NDArray[np.int64]
    """Bucket of the first count above 0."""
    since: NDArray[np.int64]
    """First bucket of the running episode."""
    heard: NDArray[np.float64]
    exposure: NDArray[np.float64]
    """Sums of authors, and of weekday profile times factor."""
    heard_age: NDArray[np.float64]
    age: NDArray[np.float64]
    age_squared: NDArray[np.float64]
    """Sums of age and of its square, weighted as the exposure."""
    misfit: NDArray[np.float64]
    """Sum over closed weeks of the squared difference from the expected."""
    fit: NDArray[np.float64]
    """Sum over closed weeks of the expected."""
    week_count: NDArray[np.float64]
    week_expected: NDArray[np.float64]
    """Authors of the open week."""
    run: NDArray[np.float64]
    """Evidence of the running episode, 0 where none runs."""
    peak: NDArray[np.float64]
    """Highest `run` of the running episode."""
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    """Authors since the running episode began."""
    day_count: NDArray[np.float64]
    day_exposure: NDArray[np.float64]
    """Authors, and factors, of each bucket of the week: shape (series, period)."""
    log_r: NDArray[np.float64]
    """Logarithm of the Shiryaev-Roberts statistic of each ratio: shape (series, ratios)."""


STATE = State._fields


class Constants(NamedTuple):
    """Parameters of the estimator, as the kernel needs them."""

    log_decay: float
    log_slow_decay: float
    """Decay of what belongs to a series' character: weekday profile and dispersion."""
    day_strength: float
    trend_variance: float
    doubt: float
    warm_up: int
    min_authors: float
    ratios: NDArray[np.float64]


class Columns(NamedTuple):
    """What a step says of each series; see `SilenceScores`."""

    log_e: NDArray[np.float64]
    evidence: NDArray[np.float64]
    usual: NDArray[np.float64]
    running: NDArray[np.bool_]
    since: NDArray[np.int64]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]


def empty_columns(size: int) -> Columns:
    """Room for what a step says of `size` series."""
    log_e, evidence, usual, observed, expected = np.empty((5, size))
    running, since = np.empty(size, np.bool_), np.empty(size, np.int64)
    return Columns(log_e, evidence, usual, running, since, observed, expected)


def blank_state(ids: NDArray[np.uint64], period: int, ratios: int) -> State:
    """A table whose series have not written yet."""
    size = ids.size
    columns: dict[str, NDArray[Any]] = {name: np.zeros(size) for name in STATE}
    columns["ids"] = ids
    columns["first"] = np.full(size, NEVER, np.int64)
    columns["since"] = np.zeros(size, np.int64)
    columns["day_count"] = np.zeros((size, period))
    columns["day_exposure"] = np.zeros((size, period))
    columns["log_r"] = np.full((size, ratios), -np.inf)
    return State(**columns)


def copied(state: State) -> State:
    """A table that shares nothing with `state`."""
    columns: dict[str, NDArray[Any]] = {name: getattr(state, name).copy() for name in STATE}
    return State(**columns)


def with_series(state: State, series: NDArray[np.uint64]) -> State:
    """The table with rows for all of `series`, in order of id; the same table where it has them."""
    if find(state.ids, series)[1].all():
        return state
    ids = np.union1d(state.ids, series)
    wider = blank_state(ids, state.day_count.shape[1], state.log_r.shape[1])
    places = np.searchsorted(ids, state.ids)
    for target, source in zip(wider[1:], state[1:], strict=True):
        target[places] = source
    return wider


@njit(cache=True)
def _log_mean_exp(values: Any) -> Any:
    top = values[0]
    for value in values:
        top = max(top, value)
    if top == -np.inf:
        return top
    total = 0.0
    for value in values:
        total += math.exp(value - top)
    return top + math.log(total / values.size)


@njit(cache=True)
def _profile(state: Any, i: int, day: int, gap: float, constants: Any) -> Any:
    """Factor of a bucket of the week on the level, and its relative variance before dispersion."""
    decay, strength = math.exp(gap * constants.log_slow_decay), constants.day_strength
    total, exposure = 0.0, 0.0
    for d in range(state.day_count.shape[1]):
        total += state.day_count[i, d]
        exposure += state.day_exposure[i, d]
    usual = decay * state.day_exposure[i, day] * total / exposure if exposure > 0.0 else 0.0
    return (decay * state.day_count[i, day] + strength) / (usual + strength), 1.0 / (usual + strength)


@njit(cache=True)
def _level(state: Any, i: int, gap: float, dispersion: float, constants: Any) -> Any:
    """Authors of an average bucket `gap` buckets after the last one, and the relative variance of that.

    A straight line through the discounted past, its slope shrunk towards 0 by what is known of it.
    """
    count, exposure = state.heard[i], state.exposure[i]
    if count <= 0.0 or exposure <= 0.0:
        return 0.0, 0.0
    decay = math.exp(gap * constants.log_decay)
    level = count / exposure
    mean_age = state.age[i] / exposure
    spread = state.age_squared[i] - mean_age * state.age[i]
    # Where a long gap has left nothing of the past, its level is anybody's guess.
    variance = dispersion / max(decay * count, TINY)
    known = decay * level * spread
    if known <= TINY:
        return level, variance
    noise = dispersion / known
    kept = constants.trend_variance / (constants.trend_variance + noise)
    growth = kept * (mean_age * count - state.heard_age[i]) / (level * spread)
    ahead = mean_age + gap
    turn = min(max(growth * ahead, -LARGEST_TURN), LARGEST_TURN)
    return level * math.exp(turn), variance + kept * noise * ahead * ahead


@njit(cache=True)
def _dispersion(state: Any, i: int) -> Any:
    """Variance of a week's authors over what it would be by chance alone, at least 1."""
    return max(1.0, (state.misfit[i] + DISPERSION_STRENGTH) / (state.fit[i] + DISPERSION_STRENGTH))


@njit(cache=True)
def usual(state: Any, rows: Any, bucket: int, before: int, constants: Any, out: Any) -> None:
    """Authors expected of some rows in a bucket into `out`, 0 of those not met. before: as in `step`."""
    gap = float(bucket - before)
    day = bucket % state.day_count.shape[1]
    for k in range(rows.size):
        i, out[k] = rows[k], 0.0
        if state.first[i] != NEVER:
            profile, _ = _profile(state, i, day, gap, constants)
            level, _ = _level(state, i, gap, _dispersion(state, i), constants)
            out[k] = level * profile


@njit(cache=True)
def _accumulate(state: Any, i: int, y: float, mean: float, shape: float, constants: Any, terms: Any) -> Any:
    """Add the evidence of a bucket to the episode; returns its log e-value and the statistic after it.

    The e-value of a ratio is that of two negative binomials of one shape, means mean / ratio and mean.
    """
    ratios = constants.ratios
    for k in range(ratios.size):
        fewer = (shape + y) * math.log((shape + mean) / (shape + mean / ratios[k]))
        terms[k] = fewer - y * math.log(ratios[k])
    log_e = _log_mean_exp(terms)
    for k in range(ratios.size):
        past = state.log_r[i, k]
        terms[k] += max(past, 0.0) + math.log1p(math.exp(-abs(past)))
    state.log_r[i] = terms
    state.run[i] = max(0.0, state.run[i] + log_e)
    state.peak[i] = max(state.peak[i], state.run[i])
    if state.peak[i] - state.run[i] >= OVER:
        state.run[i] = 0.0
        state.log_r[i] = -np.inf
    if state.run[i] == 0.0:
        state.peak[i] = 0.0
    return log_e, _log_mean_exp(terms)


@njit(cache=True)
def _remember(
    state: Any,
    i: int,
    bucket: int,
    gap: float,
    y: float,
    x: float,
    factor: float,
    weight: float,
    constants: Any,
) -> None:
    """Age the sums of a series by `gap` buckets, then add `y` authors for an exposure of `x`."""
    decay = math.exp(gap * constants.log_decay)
    age, exposure = state.age[i], state.exposure[i]
    state.age_squared[i] = decay * (state.age_squared[i] + gap * (2.0 * age + gap * exposure))
    state.age[i] = decay * (age + gap * exposure)
    state.heard_age[i] = decay * (state.heard_age[i] + gap * state.heard[i])
    state.heard[i] = decay * state.heard[i] + weight * y
    state.exposure[i] = decay * exposure + weight * x
    slow_decay = math.exp(gap * constants.log_slow_decay)
    period = state.day_count.shape[1]
    for d in range(period):
        state.day_count[i, d] *= slow_decay
        state.day_exposure[i, d] *= slow_decay
    state.day_count[i, bucket % period] += weight * y
    state.day_exposure[i, bucket % period] += weight * factor


@njit(cache=True)
def _compare(
    state: Any, i: int, bucket: int, before: int, y: float, mean: float, weight: float, constants: Any
) -> None:
    """Close the week where a new one begins, and add a bucket to the open one.

    Dispersion is learned from weeks, so that days that are low together count as what they are.
    """
    period = state.day_count.shape[1]
    weeks = bucket // period - before // period
    if weeks > 0:
        decay = math.exp(weeks * period * constants.log_slow_decay)
        off = state.week_count[i] - state.week_expected[i]
        state.misfit[i] = decay * state.misfit[i] + weight * off * off
        state.fit[i] = decay * state.fit[i] + weight * state.week_expected[i]
        state.week_count[i], state.week_expected[i] = 0.0, 0.0
    if bucket - state.first[i] >= period:
        state.week_count[i] += y
        state.week_expected[i] += mean


@njit(cache=True)
def step(state: Any, counts: Any, factors: Any, bucket: int, before: int, constants: Any, out: Any) -> None:
    """Judge one bucket of all series into `out` and learn it.

    counts, factors: of every row of the table. before: the last bucket learned.
    """
    period = state.day_count.shape[1]
    gap = float(bucket - before)
    terms = np.empty(constants.ratios.size)
    for i in range(counts.size):
        y, factor = counts[i], factors[i]
        out.log_e[i], out.evidence[i], out.usual[i] = 0.0, 0.0, 0.0
        out.running[i], out.since[i], out.observed[i], out.expected[i] = False, bucket, y, 0.0
        if state.first[i] == NEVER:
            if y == 0.0:
                continue
            state.first[i] = bucket
        dispersion = _dispersion(state, i)
        profile, profile_variance = _profile(state, i, bucket % period, gap, constants)
        level, variance = _level(state, i, gap, dispersion, constants)
        mean = level * profile * factor
        excess = dispersion - 1.0 + mean * (variance + dispersion * profile_variance)

        if state.run[i] == 0.0:
            state.since[i], state.observed[i], state.expected[i] = bucket, 0.0, 0.0
        state.observed[i] += y
        state.expected[i] += mean
        taught, same, statistic = y, 1.0, 0.0
        if bucket - state.first[i] >= constants.warm_up and mean > TINY:
            shape = mean / max(excess, TINY)
            out.log_e[i], statistic = _accumulate(state, i, y, mean, shape, constants, terms)
            same = 1.0 / (1.0 + math.exp(statistic) / constants.doubt)
            taught = min(y, mean + UNUSUAL * math.sqrt(mean * (1.0 + excess)) + 1.0)
        out.usual[i], out.running[i] = mean, state.run[i] > 0.0
        if out.running[i] and state.expected[i] >= constants.min_authors:
            out.evidence[i] = max(0.0, _log_mean_exp(state.log_r[i]))
        out.since[i], out.observed[i], out.expected[i] = state.since[i], state.observed[i], state.expected[i]

        _compare(state, i, bucket, before, taught, mean, same, constants)
        weight = max(LEAST_WEIGHT, same) if factor > 0.0 else 0.0
        _remember(state, i, bucket, gap, taught, profile * factor, factor, weight, constants)
