"""Compiled core of `detectors.counts`: one step of a discounted dynamic model over many series.

A block holds the state of the series of one bucket, a row each; the step changes it in place, and rows do
not meet, so results do not depend on which series come together, or in what order.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detectors._counts_math import (
    digamma,
    inverse_trigamma,
    log_kernel,
    log_lower_tail,
    log_sum,
    trigamma,
)

LEVEL, GROWTH, CYCLES = 0, 1, 2
"""Places of the coefficients: log level, its growth a bucket, then cosine and sine of each harmonic."""
SPREAD = 2.0
"""Standard deviations beyond which a bucket adds no more to the running misfit."""
MISFIT = 1.0
"""Running misfit, in standard deviations, at which the level is taken to have moved."""
MOVED = 1.0
"""Variance (of the log level) that a level which has moved is given."""
FAR = 4.0
"""Standard deviations above the mean at which counts are cut before they are learned."""
NEGLIGIBLE = math.log(1e-6)
"""Log weight under which a dispersion has no part in the evidence."""
CERTAIN = 1e-6
"""Least variance of the log rate."""
EXTREME = 60.0
"""Log rate beyond which nothing is expected, whatever the growth."""


class State(NamedTuple):
    """Rows of series, in order of id."""

    ids: NDArray[np.uint64]
    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    log_weights: NDArray[np.float64]
    """Log probability of each dispersion."""
    carried: NDArray[np.float64]
    """Evidence (not its logarithm) that earlier buckets hand on, by shift."""
    misfit: NDArray[np.float64]
    """Running mean of the departures, in standard deviations."""
    learned: NDArray[np.int64]
    last: NDArray[np.int64]
    running: NDArray[np.bool_]
    since: NDArray[np.int64]
    observed: NDArray[np.float64]
    """Counts since the running episode began."""
    expected: NDArray[np.float64]


STATE = State._fields


class Constants(NamedTuple):
    """Parameters of the estimator, as the kernel needs them."""

    log_discounts: NDArray[np.float64]
    prior_mean: NDArray[np.float64]
    prior_variance: NDArray[np.float64]
    dispersions: NDArray[np.float64]
    log_dispersion_decay: float
    shifts: NDArray[np.float64]
    """In standard deviations; the last one multiplies the rate."""
    persistence: float
    carry: float
    doubt: float
    patience: float
    warm_up: int
    forget_after: int


class Scores(NamedTuple):
    """What the step writes, a place for each row."""

    log_e: NDArray[np.float64]
    evidence: NDArray[np.float64]
    mean: NDArray[np.float64]
    size: NDArray[np.float64]
    log_lower: NDArray[np.float64]
    since: NDArray[np.int64]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]


def blank_state(ids: NDArray[np.uint64], constants: Constants) -> State:
    """Series of which nothing is known; `last` and `since` mean nothing until something is learned."""
    rows, terms = ids.size, constants.prior_mean.size
    state = State(
        ids,
        np.zeros((rows, terms)),
        np.zeros((rows, terms, terms)),
        np.zeros((rows, constants.dispersions.size)),
        np.ones((rows, constants.shifts.size)),
        np.zeros(rows),
        np.zeros(rows, np.int64),
        np.zeros(rows, np.int64),
        np.zeros(rows, np.bool_),
        np.zeros(rows, np.int64),
        np.zeros(rows),
        np.zeros(rows),
    )
    for row in range(rows):
        _begin(state, row, constants)
    return state


def blank_scores(rows: int) -> Scores:
    """Scores to be written by `step`."""
    one, two, three, four, five, six, seven = (np.zeros(rows) for _ in range(7))
    return Scores(one, two, three, four, five, np.zeros(rows, np.int64), six, seven)


@njit(cache=True)
def step(
    state: Any, counts: Any, exposure: Any, bucket: int, design: Any, constants: Any, scores: Any
) -> None:
    """Judge one bucket into `scores`, and learn it."""
    terms, grid, shifts = design.size, constants.dispersions.size, constants.shifts.size
    loading, log_fit = np.empty(terms), np.empty(grid)
    mixed, log_ratio = np.empty(grid), np.empty(shifts)
    for i in range(counts.size):
        if exposure[i] == 0.0:
            _pass_over(state, i, bucket, constants, log_ratio, scores)
            continue
        gap = _catch_up(state, i, bucket, constants)
        eta, variance = _forecast(state, i, design, loading)
        shape = inverse_trigamma(variance)
        rate = math.exp(digamma(shape) - eta)
        mean = max(exposure[i] * shape / rate, 1e-12)
        dispersion = 0.0
        for g in range(grid):
            dispersion += math.exp(state.log_weights[i, g]) * constants.dispersions[g]
        excess = (dispersion - 1.0) * mean + mean * mean / shape
        deviation = math.sqrt(mean + excess)
        y = float(counts[i])

        _fit(y, mean, shape, constants, log_fit)
        scores.mean[i] = mean
        scores.size[i] = mean * mean / excess
        scores.log_lower[i] = log_lower_tail(y, mean, scores.size[i])
        if state.learned[i] >= constants.warm_up:
            _log_ratios(state, i, y, mean, shape, constants, log_fit, mixed, log_ratio)
            scores.log_e[i] = log_sum(log_ratio, shifts) - math.log(shifts)
            scores.evidence[i] = _accumulate(state, i, gap, constants, log_ratio)
        _follow_episode(state, i, y, mean, bucket, scores)

        usual = 1.0 / (1.0 + constants.doubt * math.exp(min(scores.evidence[i], 100.0)))
        _learn_dispersion(state, i, gap, usual, constants, log_fit)
        _learn_rate(
            state,
            i,
            min(y, math.ceil(mean + FAR * deviation)),
            exposure[i],
            usual / dispersion,
            eta,
            variance,
            shape,
            rate,
            loading,
        )
        _watch_level(state, i, (y - mean) / deviation, constants)
        state.last[i] = bucket
        state.learned[i] += 1


@njit(cache=True)
def _begin(state: Any, i: int, constants: Any) -> None:
    """Set a row to what is known before anything is learned."""
    state.coefficients[i] = constants.prior_mean
    state.covariance[i] = 0.0
    for j in range(constants.prior_variance.size):
        state.covariance[i, j, j] = constants.prior_variance[j]
    state.log_weights[i] = -math.log(constants.dispersions.size)
    state.carried[i] = 1.0
    state.misfit[i] = 0.0
    state.learned[i] = 0
    state.running[i] = False


@njit(cache=True)
def _catch_up(state: Any, i: int, bucket: int, constants: Any) -> Any:
    """Move the coefficients on to `bucket`; returns how many buckets that were, 0 for a new series."""
    if state.learned[i] == 0:
        return 0
    gap = bucket - state.last[i]
    if gap > constants.forget_after:
        _begin(state, i, constants)
        return 0
    theta, cov = state.coefficients[i], state.covariance[i]
    theta[LEVEL] += gap * theta[GROWTH]
    for j in range(theta.size):
        cov[LEVEL, j] += gap * cov[GROWTH, j]
    for j in range(theta.size):
        cov[j, LEVEL] += gap * cov[j, GROWTH]
    for j in range(theta.size):
        for k in range(theta.size):
            cov[j, k] *= math.exp(-0.5 * gap * (constants.log_discounts[j] + constants.log_discounts[k]))
    # Discounting adds variance for ever where nothing is learned; nothing is less known than at the start.
    for j in range(theta.size):
        if cov[j, j] > constants.prior_variance[j]:
            factor = math.sqrt(constants.prior_variance[j] / cov[j, j])
            for k in range(theta.size):
                cov[j, k] *= factor
                cov[k, j] *= factor
    return gap


@njit(cache=True)
def _forecast(state: Any, i: int, design: Any, loading: Any) -> Any:
    """Mean and variance of the log rate; fills its covariance with each coefficient."""
    theta, cov = state.coefficients[i], state.covariance[i]
    eta, variance = 0.0, 0.0
    for j in range(design.size):
        eta += theta[j] * design[j]
        loading[j] = 0.0
        for k in range(design.size):
            loading[j] += cov[j, k] * design[k]
        variance += loading[j] * design[j]
    return min(max(eta, -EXTREME), EXTREME), max(variance, CERTAIN)


@njit(cache=True)
def _fit(y: float, mean: float, shape: float, constants: Any, log_fit: Any) -> None:
    """Log probability of y by dispersion."""
    for g in range(log_fit.size):
        size = mean / (constants.dispersions[g] - 1.0 + mean / shape)
        log_fit[g] = log_kernel(y, mean, size)


@njit(cache=True)
def _log_ratios(
    state: Any,
    i: int,
    y: float,
    mean: float,
    shape: float,
    constants: Any,
    log_fit: Any,
    mixed: Any,
    log_ratio: Any,
) -> None:
    """Log likelihood ratio of each shift: a mean higher by so many standard deviations, against no rise.

    What a shift adds varies as much, for its mean, as what was there; the last shift multiplies the rate
    itself, as uncertain as that is. With either, more counts are never less evidence.
    """
    last, weights = log_ratio.size - 1, state.log_weights[i]
    # What is left out must be left out of both sides, or a wild count would speak for what is left in one.
    used = 0
    for g in range(log_fit.size):
        if weights[g] >= NEGLIGIBLE:
            mixed[used] = weights[g] + log_fit[g]
            used += 1
    log_same = log_sum(mixed, used)
    for k in range(log_ratio.size):
        used = 0
        for g in range(log_fit.size):
            if weights[g] >= NEGLIGIBLE:
                excess = (constants.dispersions[g] - 1.0) * mean + mean * mean / shape
                shifted = mean + constants.shifts[k] * math.sqrt(mean + excess)
                size = (mean if k == last else shifted) * mean / excess
                mixed[used] = weights[g] + log_kernel(y, shifted, size)
                used += 1
        log_ratio[k] = log_sum(mixed, used) - log_same


@njit(cache=True)
def _kept_on(carried: float, gap: int, constants: Any) -> Any:
    """What `gap` buckets leave of evidence: a running shift persists or a new one begins."""
    return 1.0 + constants.persistence**gap * (min(carried, constants.carry) - 1.0)


@njit(cache=True)
def _accumulate(state: Any, i: int, gap: int, constants: Any, log_ratio: Any) -> Any:
    """Hand the evidence on; returns the logarithm of its mean over the shifts."""
    for k in range(log_ratio.size):
        log_ratio[k] += math.log(_kept_on(state.carried[i, k], gap, constants))
        state.carried[i, k] = math.exp(min(log_ratio[k], math.log(constants.carry)))
    return log_sum(log_ratio, log_ratio.size) - math.log(log_ratio.size)


@njit(cache=True)
def _pass_over(state: Any, i: int, bucket: int, constants: Any, log_ratio: Any, scores: Any) -> None:
    """A bucket without exposure tells nothing, and is as if it had not been given."""
    gap = bucket - state.last[i] if state.learned[i] else 0
    for k in range(log_ratio.size):
        log_ratio[k] = math.log(_kept_on(state.carried[i, k], gap, constants))
    if gap <= constants.forget_after:
        scores.evidence[i] = log_sum(log_ratio, log_ratio.size) - math.log(log_ratio.size)
    scores.size[i] = math.inf
    scores.since[i] = state.since[i] if state.running[i] else bucket
    if state.running[i]:
        scores.observed[i], scores.expected[i] = state.observed[i], state.expected[i]


@njit(cache=True)
def _follow_episode(state: Any, i: int, y: float, mean: float, bucket: int, scores: Any) -> None:
    """Add the bucket to the running episode, which lasts while evidence is above 0."""
    if not state.running[i]:
        state.since[i] = bucket
        state.observed[i] = state.expected[i] = 0.0
    state.observed[i] += y
    state.expected[i] += mean
    state.running[i] = scores.evidence[i] > 0.0
    scores.since[i] = state.since[i]
    scores.observed[i] = state.observed[i]
    scores.expected[i] = state.expected[i]


@njit(cache=True)
def _learn_dispersion(state: Any, i: int, gap: int, usual: float, constants: Any, log_fit: Any) -> None:
    """Weigh the dispersions by how well they foresaw the bucket; old buckets fade."""
    kept = math.exp(gap * constants.log_dispersion_decay)
    weights = state.log_weights[i]
    even = -math.log(weights.size)
    for g in range(weights.size):
        weights[g] = kept * weights[g] + (1.0 - kept) * even + usual * log_fit[g]
    total = log_sum(weights, weights.size)
    for g in range(weights.size):
        weights[g] -= total


@njit(cache=True)
def _learn_rate(
    state: Any,
    i: int,
    y: float,
    exposure: float,
    weight: float,
    eta: float,
    variance: float,
    shape: float,
    rate: float,
    loading: Any,
) -> None:
    """Conjugate update of the rate, handed back to the coefficients by linear Bayes."""
    shape += weight * y
    rate += weight * exposure
    change = digamma(shape) - math.log(rate) - eta
    gain = (variance - trigamma(shape)) / (variance * variance)
    theta, cov = state.coefficients[i], state.covariance[i]
    for j in range(theta.size):
        theta[j] += loading[j] / variance * change
        for k in range(theta.size):
            cov[j, k] -= loading[j] * loading[k] * gain


@njit(cache=True)
def _watch_level(state: Any, i: int, departure: float, constants: Any) -> None:
    """Free a level that has been off for long, so that a lasting change becomes the new normal."""
    bounded = min(max(departure, -SPREAD), SPREAD)
    state.misfit[i] += (bounded - state.misfit[i]) / constants.patience
    if abs(state.misfit[i]) > MISFIT:
        state.covariance[i, LEVEL, LEVEL] += MOVED
        state.misfit[i] = 0.0
        state.carried[i] = 1.0
        state.running[i] = False
