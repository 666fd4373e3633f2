"""What tells the topic of a candidate's events from all else that is said.

It is what at least half of the events say, and few other texts: neither in all of the organisation nor where
the events come from, for every text of a store may name its town.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from detectors.features import KIND_BITS, THEME
from pipelines.stages.division import Division

COMMON = 0.5
"""Share of a candidate's events that say it, at least."""
RARE = 0.005
"""Share of all texts that say it, at most."""
RARE_HERE = 0.2
"""The same of the other texts of the perimeters that the events come from. Two strands of one topic may be a
good part of what a small store hears."""
LATEST = 2_000
"""Other texts that are looked at, at most."""


def topic_of(
    division: Division,
    rates_of: Callable[[NDArray[np.uint64]], NDArray[np.float64]],
    rows: NDArray[np.int64],
    span: tuple[int, int],
    said: NDArray[np.uint64],
) -> NDArray[np.uint64]:
    """Features that are the topic of a candidate, in order. Themes are none: they are wide by intent.

    rates_of: gives the root's rates, NaN of what it did not hear lately. rows: the candidate's events in the
    division, in order, at least one. span: first row, and the row after the last, that count. said: all that
    the events say, one after the other.
    """
    features, times = np.unique(said, return_counts=True)
    common = features[(times >= COMMON * rows.size) & ((features & KIND_BITS) != THEME)]
    rare = common[rates_of(common) <= RARE]
    beside = _shares_beside(division, rows, span, rare)
    topic: NDArray[np.uint64] = rare[beside <= RARE_HERE]
    return topic


def _shares_beside(
    division: Division, rows: NDArray[np.int64], span: tuple[int, int], features: NDArray[np.uint64]
) -> NDArray[np.float64]:
    """Share of the other texts that say each feature, by perimeter, weighted by the events of each."""
    start, end = span
    leaves = division.rows.paths[start:end].max(axis=1)
    places, events = np.unique(leaves[rows - start], return_counts=True)
    others = start + np.flatnonzero(np.isin(leaves, places) & division.rows.writes[start:end])
    others = np.setdiff1d(others, rows, assume_unique=True)[-LATEST:]
    place = np.searchsorted(places, leaves[others - start])
    texts = np.bincount(place, minlength=places.size)
    owners, said = division.features_of(others)
    told = np.flatnonzero(np.isin(said, features))
    cells = np.searchsorted(features, said[told]) * places.size + place[owners[told]]
    mentions = np.bincount(cells, minlength=features.size * places.size).reshape(features.size, places.size)
    shares: NDArray[np.float64] = (mentions / np.maximum(texts, 1)) @ (events / rows.size)
    return shares
