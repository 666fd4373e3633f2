"""Membership of event ids, compact enough for tens of millions of them."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectors.log.arrow_bytes import fixed_matrix

_Keys: TypeAlias = npt.NDArray[np.uint64]
_Run: TypeAlias = tuple[_Keys, _Keys]
"""First and last 8 bytes of ids, sorted by the first."""

_EMPTY: _Run = (np.empty(0, np.uint64), np.empty(0, np.uint64))
_RECENT = 1 << 17
_SHELVES = 256


class KnownIds:
    """A set of 16-byte ids, about 16 bytes each.

    Ids added lately are one sorted run; when it grows it is spread over shelves by an id's first byte, so
    that no merge ever copies more than a shelf.
    """

    def __init__(self) -> None:
        self._recent: _Run = _EMPTY
        self._shelves: list[_Run] = [_EMPTY] * _SHELVES

    def __len__(self) -> int:
        return len(self._recent[0]) + sum(len(first) for first, _ in self._shelves)

    def contains(self, ids: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.bool_]:
        """Whether each id was added before; bool, shape (ids,). ids: binary(16) without nulls."""
        return self._known(_split(ids))

    def add(self, ids: pa.Array | pa.ChunkedArray) -> None:
        """Add ids; those known or repeated are added once. ids: binary(16) without nulls."""
        first, last = _split(ids)
        order = np.lexsort((last, first))
        first, last = first[order], last[order]
        fresh = np.ones(len(first), dtype=bool)
        fresh[1:] = (first[1:] != first[:-1]) | (last[1:] != last[:-1])
        fresh &= ~self._known((first, last))
        self._recent = _merge(self._recent, (first[fresh], last[fresh]))
        if len(self._recent[0]) > _RECENT:
            self._shelve()

    def _known(self, ids: _Run) -> npt.NDArray[np.bool_]:
        found = _find(self._recent, ids)
        shelf_of = ids[0] >> np.uint64(56)
        order = np.argsort(shelf_of, kind="stable")
        bounds = np.searchsorted(shelf_of[order], np.arange(_SHELVES + 1))
        for shelf, start, end in zip(self._shelves, bounds, bounds[1:], strict=False):
            if start < end and len(shelf[0]):
                asked = order[start:end]
                found[asked] |= _find(shelf, (ids[0][asked], ids[1][asked]))
        return found

    def _shelve(self) -> None:
        first, last = self._recent
        bounds = np.searchsorted(first, np.arange(_SHELVES, dtype=np.uint64) << np.uint64(56)).tolist()
        for number, (start, end) in enumerate(zip(bounds, [*bounds[1:], len(first)], strict=True)):
            if start < end:
                self._shelves[number] = _merge(self._shelves[number], (first[start:end], last[start:end]))
        self._recent = _EMPTY


def _split(ids: pa.Array | pa.ChunkedArray) -> _Run:
    array = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    if array.type != pa.binary(16):
        raise ValueError(f"event ids are {array.type}; they must be fixed_size_binary[16]")
    halves = np.ascontiguousarray(fixed_matrix(array)).view(">u8").astype(np.uint64)
    return halves[:, 0], halves[:, 1]


def _merge(run: _Run, more: _Run) -> _Run:
    places = np.searchsorted(run[0], more[0])
    return np.insert(run[0], places, more[0]), np.insert(run[1], places, more[1])


def _find(run: _Run, ids: _Run) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(ids[0]), dtype=bool)
    if not len(run[0]):
        return found
    place = np.searchsorted(run[0], ids[0])
    open_ = np.arange(len(found))
    # Ids that share their first 8 bytes stand side by side; true digests almost never do.
    while len(open_):
        open_ = open_[place[open_] < len(run[0])]
        open_ = open_[run[0][place[open_]] == ids[0][open_]]
        same = run[1][place[open_]] == ids[1][open_]
        found[open_[same]] = True
        open_ = open_[~same]
        place[open_] += 1
    return found
