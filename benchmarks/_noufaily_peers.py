"""Peers on Noufaily's scenarios: each gives a score per test week, higher where a rise is likelier."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nbinom, poisson

from benchmarks._noufaily_simulation import TEST, Series

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

EARS_WEEKS, EARS_LAG = 7, 2
SIGNITREND_HALF_LIFE, SIGNITREND_FLOOR = 52.0, 0.5


def oracle(series: Series, counts: Counts) -> Floats:
    """Minus the mid-p-value of each single week, of one who knows mean and dispersion."""
    mean, judged = series.mean[:, TEST:], counts[:, TEST:]
    dispersion = np.maximum(series.dispersion, 1 + 1e-9)[:, None]
    size = mean / (dispersion - 1)
    overdispersed = nbinom.sf(judged, size, 1 / dispersion) + nbinom.pmf(judged, size, 1 / dispersion) / 2
    plain = poisson.sf(judged, mean) + poisson.pmf(judged, mean) / 2
    return np.where(series.dispersion[:, None] > 1, -overdispersed, -plain)


def ears(counts: Counts) -> dict[str, Floats]:
    """EARS C1, C2 and C3 of the test weeks.

    C1 is the departure from the mean of the seven weeks before, in their standard deviations; C2 leaves out
    the last two; C3 adds up three weeks of C2 beyond 1.
    Source: Fricker, Hegler & Dunfee (2008), Statistics in Medicine 27:3407-3429.
    """
    c1, c2 = _departure(counts, 0), _departure(counts, EARS_LAG)
    beyond = np.maximum(0.0, c2 - 1)
    c3 = beyond + np.roll(beyond, 1, axis=1) + np.roll(beyond, 2, axis=1)
    return {"C1": c1[:, TEST:], "C2": c2[:, TEST:], "C3": c3[:, TEST:]}


def signitrend(counts: Counts) -> Floats:
    """SigniTrend's score of the test weeks, counts in the place of shares.

    Source: Schubert, Weiler & Kriegel (2014), KDD, 871-880.
    """
    alpha = 1 - math.exp(math.log(0.5) / SIGNITREND_HALF_LIFE)
    values = counts.astype(np.float64)
    mean, variance, weight = values[:, 0], values[:, 0] ** 2, alpha
    scores = np.zeros(values.shape)
    for week in range(1, values.shape[1]):
        x = values[:, week]
        usual = np.maximum(mean, SIGNITREND_FLOOR)
        scores[:, week] = (x - usual) / (np.sqrt(variance) + SIGNITREND_FLOOR)
        step = alpha / (weight * (1 - alpha) + alpha)
        weight += (1 - weight) * alpha
        change = x - mean
        mean = mean + step * change
        variance = (1 - step) * (variance + step * change**2)
    return scores[:, TEST:]


def _departure(counts: Counts, lag: int) -> Floats:
    """Standardised departure of each week from the seven that end `lag` weeks before it."""
    windows = np.lib.stride_tricks.sliding_window_view(counts, EARS_WEEKS, axis=1)[:, : -1 - lag]
    mean, deviation = windows.mean(axis=2), windows.std(axis=2, ddof=1)
    departures = np.zeros(counts.shape)
    surplus = counts[:, EARS_WEEKS + lag :] - mean
    # Seven equal weeks leave no spread: any rise above them is beyond all bounds.
    flat = np.where(surplus > 0, np.inf, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        departures[:, EARS_WEEKS + lag :] = np.where(deviation > 0, surplus / deviation, flat)
    return departures
