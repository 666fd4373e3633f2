"""Compiled functions of `detectors.unusual_day`: scales of components, Fisher's F, e-values of p-values."""

import math
from typing import Any

from numba import njit

VALUE, COUNT, SHARE = range(3)
"""Kinds of components."""


@njit(cache=True)
def log_upper_f(x: float, d1: float, d2: float) -> Any:
    """Natural log of P(F > x) for Fisher's F with d1 and d2 degrees of freedom; x at least 0.

    The regularised incomplete beta function by Lentz's continued fraction, its front in logarithms so that
    the far tail does not vanish.
    """
    if x <= 0.0:
        return 0.0
    a, b = 0.5 * d2, 0.5 * d1
    y, rest = d2 / (d2 + d1 * x), d1 * x / (d2 + d1 * x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front += a * math.log(y) + b * math.log(rest)
    if y < (a + 1.0) / (a + b + 2.0):
        return min(0.0, front + math.log(_beta_fraction(y, a, b) / a))
    lower = math.exp(front) * _beta_fraction(rest, b, a) / b
    return math.log1p(-min(lower, 1.0 - 1e-16))


@njit(cache=True)
def _beta_fraction(x: float, a: float, b: float) -> Any:
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    value = d
    for m in range(1, 500):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for step in (even, odd):
            d = 1.0 + step * d
            c = 1.0 + step / c
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = c if abs(c) > tiny else tiny
            value *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return value


@njit(cache=True)
def log_e_of(surprise: float) -> Any:
    """Log e-value of a p-value exp(-surprise): the mean of k p^(k-1) over k in (0, 1)."""
    if surprise < 1e-4:
        return math.log(0.5)
    p = math.exp(-surprise)
    return math.log(1.0 - p - p * surprise) + surprise - 2.0 * math.log(surprise)


@njit(cache=True)
def stabilised(value: float, weight: float, kind: int) -> Any:
    """The value on a scale where its variance hardly depends on its mean."""
    if kind == COUNT:
        return 2.0 * math.sqrt(value + 0.375)
    if kind == SHARE:
        return 2.0 * math.asin(math.sqrt((value * weight + 0.375) / (weight + 0.75)))
    return value


@njit(cache=True)
def plain(value: float, kind: int) -> Any:
    """A stabilised value on its own scale again."""
    if kind == COUNT:
        return max(0.0, 0.25 * value * value - 0.375) if value > 0.0 else 0.0
    if kind == SHARE:
        return math.sin(0.5 * min(max(value, 0.0), math.pi)) ** 2
    return value
