"""Table of `detectors.emergence`: features by open addressing, what is known of each together in memory."""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class State(NamedTuple):
    """Columns of the table, all of the table's capacity; id 0 is an empty place. An id is a `key_of`.

    They are the fields of one array of RECORDs: what is known of a feature lies together in memory, and is
    fetched at once.
    """

    ids: NDArray[np.uint64]
    shape: NDArray[np.float64]
    """Discounted authors, as of `last`."""
    evidence: NDArray[np.float64]
    """Of the running episode, 0 where none runs; SOME where one of too few authors does."""
    base: NDArray[np.float64]
    """Rate without season when the running episode began."""
    known: NDArray[np.float64]
    """Mentions that this rate was known by."""
    seen_exposure: NDArray[np.float64]
    """Exposure of the perimeter up to and with the last mention."""
    authors: NDArray[np.float64]
    """Authors since the running episode began."""
    expected: NDArray[np.float64]
    """Authors expected from then to the last mention."""
    last: NDArray[np.int32]
    since: NDArray[np.int32]
    followed: NDArray[np.int32]
    """Bucket of the last mention since an alarm, NEVER if there was none."""


STATE = State._fields
_KINDS = {"ids": np.uint64, "last": np.int32, "since": np.int32, "followed": np.int32}
RECORD = np.dtype([(name, _KINDS.get(name, np.float64)) for name in STATE], align=True)
SMALLEST = 64
NEVER = -(2**31)


def capacity_for(features: int) -> int:
    """Smallest power of two that keeps the table at most two thirds full."""
    capacity = SMALLEST
    while capacity * 2 < features * 3:
        capacity *= 2
    return capacity


def empty_state(capacity: int = SMALLEST) -> State:
    """A table without features."""
    records = np.zeros(capacity, RECORD)
    records["followed"] = NEVER
    return columns_of(records)


def columns_of(records: NDArray[Any]) -> State:
    """The columns of an array of RECORDs."""
    return State(*(records[name] for name in STATE))


def records_of(state: State) -> Any:
    """The array whose columns these are."""
    return state.ids.base


def with_room(state: State, used: int, more: int) -> State:
    """The table of `used` features, enlarged where `more` new ones might overfill it."""
    capacity = capacity_for(used + more)
    if capacity <= state.ids.size:
        return state
    return rehash(state, np.flatnonzero(state.ids), capacity)


def rehash(state: State, places: NDArray[Any], capacity: int) -> State:
    """The features at `places` in a new table."""
    table = empty_state(capacity)
    _move(_words(state), places, table.ids, _words(table))
    return table


def _words(state: State) -> NDArray[np.uint64]:
    """The records as words, shape (capacity, words of a record): numpy moves records field by field."""
    records = records_of(state)
    words: NDArray[np.uint64] = records.view(np.uint64).reshape(records.size, records.dtype.itemsize // 8)
    return words


def ordered(state: State) -> NDArray[np.int64]:
    """Places of the features, in order of id."""
    used: NDArray[np.int64] = np.flatnonzero(state.ids)
    return used[np.argsort(state.ids[used])]


@njit(cache=True)
def kept(state: Any, bucket: int, log_decay: float, below: float) -> Any:
    """Places of features whose discounted count at `bucket` is at least `below`."""
    places = np.empty(state.ids.size, np.int64)
    size = 0
    for place in range(state.ids.size):
        decay = math.exp((bucket - state.last[place]) * log_decay)
        if state.ids[place] != 0 and state.shape[place] * decay >= below:
            places[size] = place
            size += 1
    return places[:size]


@njit(cache=True)
def find(ids: Any, feature: Any) -> Any:
    """Place of the feature, or of the empty place where it belongs."""
    return find_from(ids, feature, np.int64((feature >> np.uint64(7)) & np.uint64(ids.size - 1)))


@njit(cache=True)
def find_from(ids: Any, feature: Any, place: Any) -> Any:
    """The same, from a place on where it was looked for before others were added."""
    mask = ids.size - 1
    while ids[place] != 0 and ids[place] != feature:
        place = (place + 1) & mask
    return place


@njit(cache=True)
def key_of(feature: Any, salt: Any) -> Any:
    """Id of a feature of a perimeter; salt 0 leaves it as it is. Never 0."""
    key = feature ^ salt
    return key if key != 0 else np.uint64(1)


@njit(cache=True)
def _move(source: Any, places: Any, ids: Any, target: Any) -> None:
    """Copy the records at `places` to where they belong in a table whose ids are `ids`."""
    for place in places:
        target[find(ids, source[place, 0])] = source[place]
