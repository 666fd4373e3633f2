"""Compiled core of `detectors.novelty`: features, how often they are heard, what they tell."""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detectors._emergence_state import capacity_for, find

SEVERAL = 10
"""Clusters up to which no feature is common."""
NONE = -1
KEPT_FEATURES = ("ids", "texts", "weight", "last")
"""Columns from which the other, the start of the postings, follows."""


class Features(NamedTuple):
    """Columns of the feature table, all of its capacity; id 0 is an empty place."""

    ids: NDArray[np.uint64]
    texts: NDArray[np.float64]
    """Discounted texts that hold it, as of `last`."""
    weight: NDArray[np.float64]
    """How rare it is among clusters, when last heard; 0 where it is too common to tell anything."""
    last: NDArray[np.int32]
    head: NDArray[np.int32]
    """First slot that holds it, or NONE."""


def empty_features(capacity: int) -> Features:
    """A table without features."""
    ids, last = np.zeros(capacity, np.uint64), np.zeros(capacity, np.int32)
    texts, weight = np.zeros((2, capacity))
    return Features(ids, texts, weight, last, np.full(capacity, NONE, np.int32))


def with_room(features: Features, used: int, more: int) -> Features:
    """The table of `used` features, enlarged where `more` new ones might overfill it."""
    capacity = capacity_for(used + more)
    if capacity <= features.ids.size:
        return features
    return rehash(features, np.flatnonzero(features.ids), capacity)


def rehash(features: Features, places: NDArray[Any], capacity: int) -> Features:
    """The features at `places` in a new table."""
    table = empty_features(capacity)
    _place_all(table.ids, features.ids[places], target := np.empty(places.size, np.int64))
    for name in Features._fields[1:]:
        getattr(table, name)[target] = getattr(features, name)[places]
    return table


def weights_of(table: Features, ids: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Weights of features, all in the table."""
    order = np.argsort(table.ids)
    weights: NDArray[np.float64] = table.weight[order[np.searchsorted(table.ids, ids, sorter=order)]]
    return weights


def as_sets(
    offsets: NDArray[np.int64], features: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Texts whose features are distinct and increase, from texts in any order."""
    text = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
    order = np.lexsort((features, text))
    text, features = text[order], features[order]
    first = np.ones(features.size, bool)
    first[1:] = (features[1:] != features[:-1]) | (text[1:] != text[:-1])
    counts = np.bincount(text[first], minlength=offsets.size - 1)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), features[first]


@njit(cache=True)
def _place_all(ids: Any, features: Any, places: Any) -> None:
    for i in range(features.size):
        places[i] = find(ids, features[i])
        ids[places[i]] = features[i]


@njit(cache=True)
def learn_features(
    table: Any, following: Any, features: Any, bucket: int, clusters: int, log_decay: float, common: float
) -> Any:
    """Count the features of a bucket's texts and weigh them; returns how many are new.

    A feature's weight is 1 + log((clusters + 1) / those that hold it) before the bucket: unlike a share of
    texts, it stays when a topic is on everyone's lips. clusters: alive. common: share of them above which a
    feature tells nothing.
    """
    new = 0
    for feature in features:
        place = find(table.ids, feature)
        unknown = table.ids[place] == 0
        if unknown:
            table.ids[place], table.texts[place], table.last[place] = feature, 0.0, bucket
            new += 1
        if unknown or table.last[place] != bucket:
            table.texts[place] *= math.exp((bucket - table.last[place]) * log_decay)
            table.last[place] = bucket
            holding, slot = 0, table.head[place]
            while slot != NONE:
                holding, slot = holding + 1, following[slot]
            telling = holding <= SEVERAL or holding <= common * clusters
            table.weight[place] = 1.0 + math.log((clusters + 1.0) / max(holding, 1)) if telling else 0.0
        table.texts[place] += 1.0
    return new


@njit(cache=True)
def faded(texts: Any, last: Any, bucket: int, log_decay: float) -> Any:
    """Counts as of `last`, discounted to the bucket."""
    now = np.empty(texts.size)
    for i in range(texts.size):
        now[i] = texts[i] * math.exp((bucket - last[i]) * log_decay)
    return now
