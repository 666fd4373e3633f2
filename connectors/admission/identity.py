"""What makes two rows the same event: the source's own id, else content and its occurrence.

So the same file twice adds nothing, a grown file adds only what is new, and two anonymous customers who
write the same three words on the same day are two events.
"""

from collections.abc import Hashable, Sequence
from datetime import UTC
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from connectors.contract import Parsed

EVENT_ID_BYTES = 16


class Occurrences:
    """Counts how often each 64-bit content hash was met, in about 12 bytes a hash.

    Kept as sorted runs, each at least twice as long as the next, so that a batch costs a few binary
    searches. Two contents with one hash would only be numbered as if they were the same: harmless.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]] = []

    def number(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """How many times each hash was met before, earlier in this batch included; shape as `hashes`.

        >>> counter = Occurrences()
        >>> counter.number(np.array([5, 7, 5], dtype=np.uint64)).tolist()
        [0, 0, 1]
        >>> counter.number(np.array([5, 9], dtype=np.uint64)).tolist()
        [2, 0]
        """
        order = np.argsort(hashes, kind="stable")
        keys, starts, counts = np.unique(hashes[order], return_index=True, return_counts=True)
        before = np.empty(len(hashes), dtype=np.int64)
        before[order] = np.arange(len(hashes)) - np.repeat(starts - self._met(keys), counts)
        self._add(keys, counts.astype(np.uint32))
        return before

    def _met(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        total = np.zeros(len(keys), dtype=np.int64)
        for run_keys, run_counts in self._runs:
            at = np.minimum(np.searchsorted(run_keys, keys), len(run_keys) - 1)
            total += np.where(run_keys[at] == keys, run_counts[at], 0)
        return total

    def _add(self, keys: npt.NDArray[np.uint64], counts: npt.NDArray[np.uint32]) -> None:
        if not len(keys):
            return
        while self._runs and len(self._runs[-1][0]) < 2 * len(keys):
            last_keys, last_counts = self._runs.pop()
            both = np.concatenate([last_keys, keys])
            keys, inverse = np.unique(both, return_inverse=True)
            summed = np.zeros(len(keys), dtype=np.uint32)
            np.add.at(summed, inverse, np.concatenate([last_counts, counts]))
            counts = summed
        self._runs.append((keys, counts))


class Identity:
    """Event ids of one source during one load: rows must come in the order of the source.

    key: 32 bytes; source: the name of the source in the settings, part of every id.
    """

    def __init__(self, key: bytes, source: str) -> None:
        self._own = blake2b(_field("own") + _field(source), key=key, digest_size=EVENT_ID_BYTES)
        self._content = blake2b(_field("content") + _field(source), key=key, digest_size=EVENT_ID_BYTES)
        self._occurrences = Occurrences()
        self._parts: dict[Hashable, list[npt.NDArray[np.uint64]]] = {}

    def of(self, rows: Sequence[Parsed], *, part: Hashable = None) -> list[bytes]:
        """The 16-byte event id of each row. part: what `forget` may later take back, such as a file."""
        ids: list[bytes] = [b""] * len(rows)
        anonymous = []
        for i, row in enumerate(rows):
            if row.own_id is not None and (own_id := row.own_id.strip()):
                ids[i] = _digest(self._own, _field(own_id))
            else:
                ids[i] = _digest(self._content, canonical_content(row))
                anonymous.append(i)
        if anonymous:
            digests = np.frombuffer(b"".join(ids[i] for i in anonymous), dtype="<u8")[::2].copy()
            if part is not None:
                self._parts.setdefault(part, []).append(digests)
            for i, number in zip(anonymous, self._occurrences.number(digests).tolist(), strict=True):
                ids[i] = _digest(self._content, ids[i] + number.to_bytes(8, "big"))
        return ids

    def contents(self, part: Hashable) -> npt.NDArray[np.uint64]:
        """Hashes of the rows of a part that have no id of their own, for `remember`."""
        return np.concatenate([np.zeros(0, np.uint64), *self._parts.get(part, [])])

    def remember(self, part: Hashable, contents: npt.NDArray[np.uint64]) -> None:
        """Count as if rows with these hashes had come as a part, which is new."""
        if len(contents):
            self._parts[part] = [contents]
            self._occurrences.number(contents)

    def forget(self, part: Hashable) -> None:
        """Count as if the rows of a part had never come; those of every other part must have had one."""
        if self._parts.pop(part, None):
            self._occurrences = Occurrences()
            rest = [digests for batches in self._parts.values() for digests in batches]
            if rest:
                self._occurrences.number(np.concatenate(rest))


def canonical_content(row: Parsed) -> bytes:
    """All that the source mapped, without ambiguity: each field with its length, absent unlike empty."""
    score = None if row.score is None else repr(float(row.score))
    fields = (row.perimeter, row.text, score, row.author, row.agent, row.channel, row.voice)
    return b"".join(map(_field, (row.occurred_at.astimezone(UTC).isoformat(), *fields)))


def _field(value: str | None) -> bytes:
    if value is None:
        return b"-"
    data = value.encode("utf-8", "surrogatepass")
    return b"%d:%b" % (len(data), data)


def _digest(prefix: "blake2b", data: bytes) -> bytes:
    state = prefix.copy()
    state.update(data)
    return state.digest()
