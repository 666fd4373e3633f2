"""Table of `detectors.emergence`: features by open addressing, what is known of each together in memory."""

import math
import mmap
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detectors.compiled import inner


class State(NamedTuple):
    """Columns of the table, all of the table's capacity; id 0 is an empty place. An id is a `key_of`.

    They are the fields of one array of RECORDs, 48 bytes each: what is known of a feature lies together in
    memory, and is fetched at once. Half precision would show; single precision is a millionth of what is
    unsure in any rate.
    """

    ids: NDArray[np.uint64]
    shape: NDArray[np.float32]
    """Discounted authors, as of `last`."""
    evidence: NDArray[np.float32]
    """Of the running episode, 0 where none runs; SOME where one of too few authors does."""
    base: NDArray[np.float32]
    """Rate without season when the running episode began."""
    known: NDArray[np.float32]
    """Mentions that this rate was known by."""
    expected: NDArray[np.float32]
    """Authors expected from then to the last mention."""
    authors: NDArray[np.uint32]
    """Authors since the running episode began."""
    seen_exposure: NDArray[np.uint32]
    """Exposure of the perimeter up to and with the last mention."""
    last: NDArray[np.int32]
    since: NDArray[np.int32]
    followed: NDArray[np.bool_]
    """Whether the last mention was flagged, or followed one that was."""


STATE = State._fields
_KINDS = {
    "ids": np.uint64,
    "authors": np.uint32,
    "seen_exposure": np.uint32,
    "last": np.int32,
    "since": np.int32,
    "followed": np.bool_,
}
RECORD = np.dtype([(name, _KINDS.get(name, np.float32)) for name in STATE], align=True)
SMALLEST = 64
_OWN_MEMORY = 1 << 21
"""Bytes of a table from which on it is not in the heap."""
_RESERVE = 8
"""Times its capacity that such a table has addresses for: it grows where it is, and memory that was never
written is none."""
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""Odd, so that different ids stay different."""
_GAPS = 256
"""Buckets of silence whose decay is worked out once for all features."""


def capacity_for(features: int) -> int:
    """Smallest of the capacities, each a quarter above the one before, of which five sixths are enough."""
    capacity = SMALLEST
    while capacity * 5 < features * 6:
        capacity += capacity // 4
    return capacity


def empty_state(capacity: int = SMALLEST) -> State:
    """A table without features."""
    return columns_of(_cleared(capacity))


def _cleared(capacity: int) -> NDArray[Any]:
    """RECORDs of zeros, in memory of their own where they are many.

    Tables come and go at ever other sizes, which leaves gaps in the heap that nothing fits into: memory of
    their own goes back to the system with them.
    """
    size = capacity * RECORD.itemsize
    if size < _OWN_MEMORY or not hasattr(mmap, "MAP_PRIVATE"):
        return np.zeros(capacity, RECORD)
    memory = mmap.mmap(-1, _RESERVE * size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(memory, RECORD)[:capacity]


def columns_of(records: NDArray[Any]) -> State:
    """The columns of an array of RECORDs."""
    return State(*(records[name] for name in STATE))


def records_of(state: State) -> Any:
    """The array whose columns these are."""
    return _reserved(state)[: state.ids.size]


def _reserved(state: State) -> Any:
    """The same with what it may grow into, all of it zeros."""
    return state.ids.base


def with_room(state: State, used: int, more: int) -> State:
    """The table of `used` features, enlarged where `more` new ones might overfill it."""
    capacity = capacity_for(used + more)
    if capacity <= state.ids.size:
        return state
    if capacity > _reserved(state).size:
        return rehash(state, np.flatnonzero(state.ids), capacity)
    larger = columns_of(_reserved(state)[:capacity])
    _widen(_words(larger), larger.ids, state.ids.size)
    return larger


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


def packed(state: State) -> NDArray[Any]:
    """RECORDs of the features, in the table's order, without the room between them."""
    words = _words(state)[np.flatnonzero(state.ids)]
    records: NDArray[Any] = words.view(RECORD).reshape(-1)
    return records


def spread(records: NDArray[Any]) -> State:
    """A table of RECORDs; those that come in a table's order are put where they were or near."""
    return rehash(columns_of(records), np.arange(records.size), capacity_for(records.size))


def drop_faded(state: State, bucket: int, log_decay: float, below: float) -> int:
    """Drop the features whose discounted count at `bucket` is under `below`; returns how many."""
    return int(_drop_faded(state, _words(state), bucket, log_decay, _decays(log_decay), below))


def highest(state: State, bucket: int, log_decay: float, most: int) -> NDArray[np.int64]:
    """Places of the `most` features of the highest discounted counts, of equal ones the lowest ids."""
    places = np.flatnonzero(state.ids)
    counts = _counts(state, places, bucket, log_decay, _decays(log_decay))
    found: NDArray[np.int64] = np.sort(places[np.lexsort((state.ids[places], -counts))[:most]])
    return found


def _decays(log_decay: float) -> NDArray[np.float64]:
    return np.array([math.exp(gap * log_decay) for gap in range(_GAPS)])


@inner
def _count(state: Any, place: Any, bucket: Any, log_decay: Any, decays: Any) -> Any:
    silence = bucket - state.last[place]
    decay = decays[silence] if 0 <= silence < _GAPS else math.exp(silence * log_decay)
    return state.shape[place] * decay


@njit(cache=True, nogil=True)
def _counts(state: Any, places: Any, bucket: int, log_decay: float, decays: Any) -> Any:
    counts = np.empty(places.size, np.float64)
    for i in range(places.size):
        counts[i] = _count(state, places[i], bucket, log_decay, decays)
    return counts


@njit(cache=True, nogil=True)
def _drop_faded(state: Any, words: Any, bucket: int, log_decay: float, decays: Any, below: float) -> int:
    """Go round the table once, from an empty place on: whatever follows a dropped feature without an empty
    place between moves up to where it would have been without it."""
    size, start, dropped = state.ids.size, 0, 0
    while state.ids[start] != 0:
        start += 1
    gap, place = False, start
    for _ in range(size - 1):
        place = place + 1 if place + 1 < size else 0
        feature = state.ids[place]
        if feature == 0:
            gap = False
        elif _count(state, place, bucket, log_decay, decays) < below:
            state.ids[place] = 0
            dropped, gap = dropped + 1, True
        elif gap:
            state.ids[place] = 0
            nearer = find(state.ids, feature)
            state.ids[place] = feature
            if nearer != place:
                words[nearer] = words[place]
                state.ids[place] = 0
    return dropped


@inner
def find(ids: Any, feature: Any) -> Any:
    """Place of the feature, or of the empty place where it belongs.

    Ids are spread over the table in an order that does not depend on its capacity, so that moving them to
    another one goes through both from end to end.
    """
    spread = (np.uint64(feature) * _SPREAD) >> np.uint64(32)
    return find_from(ids, feature, np.int64((spread * np.uint64(ids.size)) >> np.uint64(32)))


@inner
def find_from(ids: Any, feature: Any, place: Any) -> Any:
    """The same, from a place on where it was looked for before others were added."""
    while ids[place] != 0 and ids[place] != feature:
        place += 1
        if place == ids.size:
            place = 0
    return place


@inner
def key_of(feature: Any, salt: Any) -> Any:
    """Id of a feature of a perimeter; salt 0 leaves it as it is. Never 0."""
    key = feature ^ salt
    return key if key != 0 else np.uint64(1)


@njit(cache=True, nogil=True)
def _widen(words: Any, ids: Any, size: int) -> None:
    """Spread a table of `size` places over a larger one that begins with it.

    It is moved to the end first, from where its records come down in order. None comes down on one that is
    still to come: all that lie above a place in the larger table, and have come, lay above the same place in
    the smaller one, moved by as much, where no more than these had room. Those at the beginning, some of
    which belong to the end, come last.
    """
    moved, start = ids.size - size, 0
    while ids[start] != 0:
        start += 1
    first, record = words[:start].copy(), np.empty(words.shape[1], np.uint64)
    for place in range(size - 1, start - 1, -1):
        words[place + moved] = words[place]
    words[: moved + start] = np.uint64(0)
    for place in range(moved + start, ids.size):
        if ids[place] != 0:
            record[:] = words[place]
            ids[place] = 0
            words[find(ids, record[0])] = record
    for i in range(start):
        words[find(ids, first[i, 0])] = first[i]


@njit(cache=True, nogil=True)
def _move(source: Any, places: Any, ids: Any, target: Any) -> None:
    """Copy the records at `places` to where they belong in a table whose ids are `ids`."""
    for place in places:
        target[find(ids, source[place, 0])] = source[place]
