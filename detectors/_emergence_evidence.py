"""Compiled evidence of `detectors.emergence`: how much likelier a rise makes a number of authors."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detectors.compiled import inner

FEW = 16
"""Authors under which most episodes stay: whether they are a rise is looked up."""
CELLS = 512
"""Cells of the looked-up part, equally wide in known / (1 + known)."""
_MARGIN = 1e-6
"""Relative distance from a turning point, itself known to 1e-8, below which the ratio is worked out."""
_FARTHEST, _HALVINGS = 60.0, 34
"""Logarithm of the highest odds that are looked for, and halvings of the range that find them to 1e-8."""


@inner
def _log_mean_exp(values: Any) -> Any:
    top = values[0]
    for value in values:
        top = max(top, value)
    total = 0.0
    for value in values:
        total += math.exp(value - top)
    return top + math.log(total / values.size)


@inner
def log_ratio(observed: Any, expected: Any, known: Any, constants: Any, terms: Any) -> Any:
    """Log e-value of `observed` authors where `expected` were, at a rate known by `known` mentions.

    The authors' number is negative binomial: for the rate is not known exactly, and swells by itself.
    """
    shape = 1.0 / (1.0 / known + 1.0 / constants.dispersion)
    for k in range(terms.size):
        terms[k] = observed * constants.log_ratios[k] + (shape + observed) * math.log(
            (shape + expected) / (shape + constants.ratios[k] * expected)
        )
    return _log_mean_exp(terms)


@inner
def rises(observed: Any, expected: Any, known: Any, constants: Any, terms: Any) -> Any:
    """Whether `log_ratio` is above 0, mostly without working it out. observed: a whole number."""
    if observed <= expected:
        # Then any ratio above 1 makes it less likely.
        return False
    if observed < FEW:
        cell, row = int(CELLS * (known / (1.0 + known))), constants.turns[int(observed)]
        odds = expected * (1.0 / known + 1.0 / constants.dispersion)
        if odds < row[cell + 1] * (1.0 - _MARGIN):
            return True
        if odds > row[cell] * (1.0 + _MARGIN):
            return False
    return log_ratio(observed, expected, known, constants, terms) > 0.0


@lru_cache
def turns(ratios: tuple[float, ...], dispersion: float) -> NDArray[np.float64]:
    """Expected authors over the shape of their distribution at which a number of authors is a rise no more.

    Shape (FEW, CELLS + 1), at the borders of the cells. With x for it and s for the shape, the likelihood
    ratio of y authors is the mean of d^y ((1 + x) / (1 + d x))^(s + y) over the ratios d: it falls in x and
    in s, so in each cell the turn lies between those at its borders. None where no rate is known.
    """
    known = np.arange(1, CELLS) / np.arange(CELLS - 1, 0, -1)
    found = np.zeros((FEW, CELLS + 1))
    found[:, 0] = math.inf
    _find_turns(np.array(ratios), 1.0 / (1.0 / known + 1.0 / dispersion), found[:, 1:-1])
    return found


@njit(cache=True)
def _find_turns(ratios: Any, shapes: Any, found: Any) -> None:
    for observed in range(1, found.shape[0]):
        highest = _FARTHEST
        for cell in range(shapes.size):
            low, high = -_FARTHEST, highest
            for _ in range(_HALVINGS):
                middle = 0.5 * (low + high)
                odds, total = math.exp(middle), 0.0
                for ratio in ratios:
                    total += ratio**observed * ((1.0 + odds) / (1.0 + ratio * odds)) ** (
                        shapes[cell] + observed
                    )
                if total > ratios.size:
                    low = middle
                else:
                    high = middle
            found[observed, cell] = math.exp(low)
            highest = high
