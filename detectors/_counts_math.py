"""Special functions of the counts detector, compiled, one number at a time.

They are written out so that every machine takes the same steps; tests hold them against scipy.
"""

import math
from typing import Any

from numba import njit

_ASYMPTOTIC = 6.0
"""Argument from which the asymptotic series are exact to about 1e-10."""
_FEW = 12
"""Counts under which a product of the terms is as fast as the gamma function, and more exact."""
_TINY = 1e-300
_STEPS = 20_000


@njit(cache=True)
def digamma(x: Any) -> Any:
    """Derivative of the logarithm of the gamma function, for x above 0."""
    below = 0.0
    while x < _ASYMPTOTIC:
        below -= 1.0 / x
        x += 1.0
    f = 1.0 / (x * x)
    series = f * (1 / 12 - f * (1 / 120 - f * (1 / 252 - f * (1 / 240 - f / 132))))
    return below + math.log(x) - 0.5 / x - series


@njit(cache=True)
def trigamma(x: Any) -> Any:
    """Second derivative of the logarithm of the gamma function, for x above 0."""
    below = 0.0
    while x < _ASYMPTOTIC:
        below += 1.0 / (x * x)
        x += 1.0
    f = 1.0 / (x * x)
    return below + 1.0 / x + f / 2 + f / x * (1 / 6 - f * (1 / 30 - f * (1 / 42 - f * (1 / 30 - f * 5 / 66))))


@njit(cache=True)
def _tetragamma(x: Any) -> Any:
    below = 0.0
    while x < _ASYMPTOTIC:
        below -= 2.0 / (x * x * x)
        x += 1.0
    f = 1.0 / (x * x)
    return below - f - f / x - f * f * (0.5 - f * (1 / 6 - f * (1 / 6 - f * 0.3)))


@njit(cache=True)
def inverse_trigamma(value: Any) -> Any:
    """The x above 0 whose trigamma is `value`: Newton's method on 1 / trigamma, which is nearly straight."""
    x = 0.5 + 1.0 / value
    for _ in range(30):
        found = trigamma(x)
        change = found * (1.0 - found / value) / _tetragamma(x)
        x += change
        if abs(change) < 1e-12 * x:
            break
    return x


@njit(cache=True)
def log_sum(values: Any, size: int) -> Any:
    """Logarithm of the sum of the exponentials of the first `size` values."""
    top = values[0]
    for i in range(1, size):
        top = max(top, values[i])
    total = 0.0
    for i in range(size):
        total += math.exp(values[i] - top)
    return top + math.log(total)


@njit(cache=True)
def log_kernel(y: Any, mean: Any, size: Any) -> Any:
    """Log probability of y under a negative binomial, but for the term -log y!, which has no parameter.

    The variance is mean + mean^2 / size; written so that a large size tends to Poisson without loss.
    """
    if y < _FEW:
        rising = 0.0
        for i in range(1, int(y)):
            rising += math.log1p(i / size)
    else:
        rising = math.lgamma(y + size) - math.lgamma(size) - y * math.log(size)
    return rising + y * math.log(mean) - (y + size) * math.log1p(mean / size)


@njit(cache=True)
def log_lower_tail(y: Any, mean: Any, size: Any) -> Any:
    """Log probability of y or fewer under a negative binomial: an incomplete beta function."""
    a, b, x = size, y + 1.0, size / (size + mean)
    log_front = log_kernel(y, mean, size) - math.lgamma(b) + math.log((y + size) * (mean / (size + mean)))
    if x < (a + 1.0) / (a + b + 2.0):
        return min(0.0, log_front + math.log(_fraction(a, b, x) / a))
    return math.log1p(-min(math.exp(log_front) * _fraction(b, a, 1.0 - x) / b, 1.0 - _TINY))


@njit(cache=True)
def _fraction(a: Any, b: Any, x: Any) -> Any:
    """Continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    found = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 + term * d
            c = 1.0 + term / c
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = c if abs(c) > _TINY else _TINY
            found *= d * c
        if abs(d * c - 1.0) < 1e-13:
            break
    return found
