"""Farrington flexible: the method public health agencies use, as a benchmark peer.

A quasi-Poisson regression on trend and ten periods of the year is fitted to the past five years, anew each
week; past outbreaks are weighted down. With these regressors all normal equations but the slope's solve by
hand, so that each fit is a few Newton steps on one number. No alarm is raised under 5 cases in 4 weeks.

Source: Noufaily et al. (2013), Statistics in Medicine 32:1206-1222, with the settings of `farringtonFlexible`
in R's surveillance (b=5, w=3, noPeriods=10, pastWeeksNotIncluded=26, weightsThreshold=2.58, nbPlugin).
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.stats import nbinom, poisson

YEARS, HALF_WINDOW, PERIODS, LEFT_OUT, OUTLIER = 5, 3, 10, 26, 2.58
YEAR = 52
CASES, CASES_WEEKS = 5, 4
HISTORY = YEARS * YEAR + HALF_WINDOW
"""Weeks from the first one used to the one judged."""
USED = HISTORY - LEFT_OUT
STEPS, PRECISION = 25, 1e-7
NO_CASE = 1e-9


def farrington(
    quiet: NDArray[np.int64], struck: NDArray[np.int64], first: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Minus the upper tail probability of each week from `first` on; -inf where cases are too few.

    quiet, struck: the same series without and with an outbreak, shape (series, weeks). first: at least
    HISTORY. Returns the scores of both, shape (series, weeks - first).
    """
    weeks = quiet.shape[1]
    mean, dispersion = np.empty((2, len(quiet), weeks - first))
    _forecast_all(quiet.astype(np.float64), np.full(len(quiet), first), first, _periods(), mean, dispersion)
    scores = _score(quiet, mean, dispersion, first)
    # A fit is the same until the outbreak is among the weeks it is made of.
    differ = struck != quiet
    start = np.where(differ.any(axis=1), differ.argmax(axis=1) + LEFT_OUT + 1, weeks)
    _forecast_all(struck.astype(np.float64), np.maximum(start, first), first, _periods(), mean, dispersion)
    return scores, _score(struck, mean, dispersion, first)


def _score(
    counts: NDArray[np.int64], mean: NDArray[np.float64], dispersion: NDArray[np.float64], first: int
) -> NDArray[np.float64]:
    judged = counts[:, first:]
    over = np.maximum(dispersion, 1 + 1e-9)
    negative_binomial = nbinom.sf(judged - 1, mean / (over - 1), 1 / over)
    tail = np.where(dispersion > 1, negative_binomial, poisson.sf(judged - 1, mean))
    recent = np.lib.stride_tricks.sliding_window_view(counts, CASES_WEEKS, axis=1).sum(axis=2)
    return np.where(recent[:, first - CASES_WEEKS + 1 :] >= CASES, -tail, -np.inf)


def _periods() -> NDArray[np.int64]:
    """Period of each week used: 0 around the week's anniversaries, then nine of equal length."""
    place = np.arange(USED) % YEAR
    window = 2 * HALF_WINDOW + 1
    length = (YEAR - window) // (PERIODS - 1)
    return np.where(place < window, 0, 1 + (place - window) // length)


@njit(cache=True)
def _forecast_all(counts: Any, start: Any, first: int, periods: Any, mean: Any, dispersion: Any) -> None:
    weights, fitted, leverage = np.empty(USED), np.empty(USED), np.empty(USED)
    for i in range(counts.shape[0]):
        for week in range(start[i], counts.shape[1]):
            past = counts[i, week - HISTORY : week - LEFT_OUT]
            expected, spread = _forecast(past, periods, True, weights, fitted, leverage)
            # A trend may not lead beyond all that was ever seen.
            if expected > past.max():
                expected, spread = _forecast(past, periods, False, weights, fitted, leverage)
            mean[i, week - first], dispersion[i, week - first] = expected, spread


@njit(cache=True)
def _forecast(past: Any, periods: Any, trend: bool, weights: Any, fitted: Any, leverage: Any) -> Any:
    """Mean and dispersion of the week judged."""
    weights[:] = 1.0
    slope, _ = _fit(past, weights, periods, trend, 0.0, fitted, leverage)
    dispersion = _dispersion(past, weights, fitted, trend)
    for i in range(past.size):
        residual = 1.5 * (past[i] ** (2 / 3) * fitted[i] ** (-1 / 6) - math.sqrt(fitted[i]))
        residual /= math.sqrt(dispersion * max(1.0 - leverage[i], 1e-9))
        weights[i] = residual**-2 if residual > OUTLIER else 1.0
    weights *= past.size / weights.sum()
    _, expected = _fit(past, weights, periods, trend, slope, fitted, leverage)
    return expected, _dispersion(past, weights, fitted, trend)


@njit(cache=True)
def _fit(past: Any, weights: Any, periods: Any, trend: bool, slope: float, fitted: Any, leverage: Any) -> Any:
    """Weighted Poisson regression, from a first guess of the slope; fills fitted means and leverages.

    Returns the slope and the mean of the week judged.
    """
    cases = np.zeros(PERIODS)
    for i in range(past.size):
        cases[periods[i]] += weights[i] * past[i]
    if trend:
        slope = _slope(past, weights, periods, cases, slope)
    total, centre, spread = _moments(weights, periods, slope)
    cases = np.maximum(cases, NO_CASE)
    information = NO_CASE
    for g in range(PERIODS):
        information += cases[g] * spread[g]
    for i in range(past.size):
        g = periods[i]
        growth = math.exp(slope * _time(i))
        fitted[i] = cases[g] / total[g] * growth
        leverage[i] = weights[i] * growth / total[g]
        if trend:
            leverage[i] += weights[i] * fitted[i] * (_time(i) - centre[g]) ** 2 / information
    return slope, cases[0] / total[0] * math.exp(slope * _time(HISTORY))


@njit(cache=True)
def _time(i: int) -> Any:
    """Years from the middle of the weeks used."""
    return (i - USED / 2) / YEAR


@njit(cache=True)
def _slope(past: Any, weights: Any, periods: Any, cases: Any, slope: float) -> Any:
    """Newton's method on the likelihood of the slope, the periods' levels being at their best for it."""
    heard = 0.0
    for i in range(past.size):
        heard += weights[i] * past[i] * _time(i)
    for _ in range(STEPS):
        _, centre, spread = _moments(weights, periods, slope)
        gradient, information = heard, NO_CASE
        for g in range(PERIODS):
            gradient -= cases[g] * centre[g]
            information += cases[g] * spread[g]
        change = min(max(gradient / information, -1.0), 1.0)
        slope = min(max(slope + change, -20.0), 20.0)
        if abs(change) < PRECISION:
            break
    return slope


@njit(cache=True)
def _moments(weights: Any, periods: Any, slope: float) -> Any:
    """Sum, mean and variance of time in each period, weeks weighted as the slope makes them."""
    total, centre, spread = np.zeros(PERIODS), np.zeros(PERIODS), np.zeros(PERIODS)
    for i in range(weights.size):
        weight = weights[i] * math.exp(slope * _time(i))
        total[periods[i]] += weight
        centre[periods[i]] += weight * _time(i)
        spread[periods[i]] += weight * _time(i) ** 2
    for g in range(PERIODS):
        centre[g] /= total[g]
        spread[g] = spread[g] / total[g] - centre[g] ** 2
    return total, centre, spread


@njit(cache=True)
def _dispersion(past: Any, weights: Any, fitted: Any, trend: bool) -> Any:
    """Pearson's estimate, at least 1."""
    squares = 0.0
    for i in range(past.size):
        squares += weights[i] * (past[i] - fitted[i]) ** 2 / fitted[i]
    return max(1.0, squares / (past.size - PERIODS - (1 if trend else 0)))
