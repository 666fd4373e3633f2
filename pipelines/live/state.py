"""State of a machine: named bytes, held by the engine, written as they change.

Machines work on objects in memory and write through. What they write is read again only after a restart,
and only by the code that wrote it: an epoch of other code or settings begins with nothing.
"""

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.live.messages import Close, pack, unpack

BLOCK_BYTES = 1 << 20
"""A larger value is kept in pieces of this size: engines copy a value whole whenever they touch it."""

SHORT_BYTES = 32
"""A value up to this size is remembered beside the engine's state."""

MOST_PIECES = 64
"""Pieces of a name's open rows; more are made one."""

State = MutableMapping[str, bytes]
"""A map that the engine holds and brings back after a failure; a `dict` where nothing need survive."""


class EngineState(MutableMapping[str, bytes]):
    """A Flink MapState of the current key. Machines touch theirs only while they take a message.

    Numbers that machines count by are read again and again, each time from another process: short values that
    were written are remembered.
    """

    def __init__(self, state: Any) -> None:
        self._state = state
        self._short: dict[str, bytes] = {}

    def __getitem__(self, key: str) -> bytes:
        value = self._short.get(key)
        if value is None:
            value = self._state.get(key)
        if value is None:
            raise KeyError(key)
        return bytes(value)

    def __setitem__(self, key: str, value: bytes) -> None:
        self._short.pop(key, None)
        if len(value) <= SHORT_BYTES:
            self._short[key] = value
        self._state.put(key, value)

    def __delitem__(self, key: str) -> None:
        self._short.pop(key, None)
        self._state.remove(key)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._state.keys()))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def clear(self) -> None:
        self._short.clear()
        self._state.clear()


def put_large(state: State, key: str, content: bytes) -> None:
    """Keep a value of any size."""
    before, blocks = _blocks(state, key), -(-len(content) // BLOCK_BYTES)
    for block in range(blocks):
        state[_block(key, block)] = content[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES]
    for block in range(blocks, before):
        del state[_block(key, block)]
    state[key] = str(blocks).encode()


def get_large(state: State, key: str) -> bytes | None:
    """What `put_large` kept, None if nothing was."""
    if key not in state:
        return None
    return b"".join(state[_block(key, block)] for block in range(_blocks(state, key)))


def _block(key: str, block: int) -> str:
    return f"{key}\n#{block}"


def _blocks(state: State, key: str) -> int:
    return int(state.get(key, b"0"))


class InTurn:
    """Messages by number, given back in order of number, each number when all its parts are there.

    complete: whether these parts are all there will be. dump, load: a message as bytes, and back; those that
    wait are kept in the state.
    """

    def __init__(
        self,
        state: State,
        complete: Callable[[list[Any]], bool],
        *,
        dump: Callable[[Any], bytes],
        load: Callable[[bytes], Any],
    ) -> None:
        self._state = state
        self._complete = complete
        self._dump = dump
        self._next = int(state.get("next", b"1"))
        self._waiting: dict[int, list[Any]] = {}
        self._kept: dict[int, list[str]] = {}
        for key in sorted(key for key in state if key.startswith("waiting/")):
            number = int(key.split("/")[1])
            self._waiting.setdefault(number, []).append(load(state[key]))
            self._kept.setdefault(number, []).append(key)

    def offer(self, number: int, message: Any) -> Iterator[list[Any]]:
        """Take a message; yields the parts of each number that can go now. A number gone by is dropped."""
        if number < self._next:
            return
        parts = self._waiting.setdefault(number, [])
        parts.append(message)
        if number > self._next or not self._complete(parts):
            key = _waiting(number, len(parts) - 1)
            self._state[key] = self._dump(message)
            self._kept.setdefault(number, []).append(key)
            return
        while (parts := self._waiting.get(self._next, [])) and self._complete(parts):
            number = self._next
            # The one that completed its number in turn never waited: an engine that is asked for it answers
            # from another process.
            for key in self._kept.pop(number, []):
                del self._state[key]
            del self._waiting[number]
            self._next += 1
            self._state["next"] = str(self._next).encode()
            yield parts


def _waiting(number: int, part: int) -> str:
    return f"waiting/{number:012d}/{part:06d}"


class OpenRows:
    """Rows of buckets that are not closed yet by name, in the pieces they came in. schema: of the rows."""

    def __init__(self, state: State, schema: pa.Schema) -> None:
        self._state = state
        self._nothing = schema.empty_table()
        self._pieces: dict[str, dict[str, pa.Table]] = {}
        for key in sorted(key for key in state if key.startswith("open\n")):
            self._pieces.setdefault(key.split("\n")[1], {})[key] = unpack(state[key])

    @property
    def names(self) -> set[str]:
        """Names that rows are kept of."""
        return set(self._pieces)

    def add(self, name: str, number: int, packed: bytes) -> None:
        """Keep rows that `pack` gave. number: apart from that of any other piece that is kept, from 1."""
        pieces = self._pieces.setdefault(name, {})
        key = _open(name, number)
        self._state[key] = packed
        pieces[key] = unpack(packed)
        if len(pieces) > MOST_PIECES:
            rows = self._take_all(name)
            self._state[key] = pack(rows)
            self._pieces[name] = {key: rows}

    def rows(self, name: str) -> pa.Table:
        """The rows that are kept of a name."""
        return pa.concat_tables([self._nothing, *self._pieces.get(name, {}).values()])

    def of_close(self, name: str, close: Close) -> pa.Table:
        """The rows that a close is about: those of buckets that end, which are kept no longer, and where open
        buckets are looked at all of theirs, which stay."""
        heard = self.rows(name)
        if close.looks_only:
            return heard
        closed = self._close(name, close.bucket)
        return closed if close.turn is None else heard

    def _close(self, name: str, bucket: int) -> pa.Table:
        """Remove the rows up to a bucket; gives them."""
        rows = self._take_all(name)
        later = rows.filter(pc.greater(rows["bucket"], bucket))
        if not later.num_rows:
            return rows
        key = _open(name, 0)
        self._state[key] = pack(later)
        self._pieces[name] = {key: later}
        return rows.filter(pc.less_equal(rows["bucket"], bucket))

    def _take_all(self, name: str) -> pa.Table:
        rows = self.rows(name).combine_chunks()
        for key in self._pieces.pop(name, {}):
            del self._state[key]
        return rows


def _open(name: str, number: int) -> str:
    return f"open\n{name}\n{number:012d}"


class RememberedRows:
    """Rows of closed buckets by division, in pieces of a bucket: a bucket that is closed never changes."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._buckets: dict[str, dict[int, pa.Table]] = {}
        for key in state:
            if key.startswith("remembered\n"):
                _, division, bucket = key.split("\n")
                self._buckets.setdefault(division, {})[int(bucket)] = unpack(state[key])

    def get(self, division: str) -> pa.Table | None:
        """A division's rows, in order of bucket; None if it has none."""
        kept = self._buckets.get(division)
        return pa.concat_tables([kept[bucket] for bucket in sorted(kept)]) if kept else None

    def put(self, division: str, rows: pa.Table) -> None:
        """Remember these rows, in order of bucket, in place of the ones before."""
        buckets = rows["bucket"].to_numpy()
        starts = np.flatnonzero(np.diff(buckets, prepend=buckets[:1] - 1)).tolist()
        spans = {
            int(buckets[start]): (start, end - start)
            # Without rows there is neither a start nor an end.
            for start, end in zip(starts, [*starts, rows.num_rows][1:], strict=True)
        }
        kept = self._buckets.setdefault(division, {})
        for bucket in kept.keys() - spans.keys():
            del self._state[_remembered(division, bucket)]
            del kept[bucket]
        for bucket in spans.keys() - kept.keys():
            packed = pack(rows.slice(*spans[bucket]))
            self._state[_remembered(division, bucket)] = packed
            # A slice would hold on to the whole of what it was cut from.
            kept[bucket] = unpack(packed)


def _remembered(division: str, bucket: int) -> str:
    return f"remembered\n{division}\n{bucket}"
