"""The events that carry episodes of the watch: those that speak most for what was found."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from connectors.store.schemas import SCALE
from pipelines.columns import mapped
from pipelines.stages.corroborate import within
from pipelines.stages.episodes import Episode
from pipelines.stages.evidence import Row
from pipelines.stages.explain import Take, Telling
from pipelines.stages.finding import (
    BLIND_SPOT,
    DOWN,
    GAP,
    MOOD,
    NO_TEXT,
    SCORE,
    SILENCE,
    UNUSUAL_DAY,
    UP,
)
from pipelines.stages.mood import STRONGEST
from pipelines.stages.understand import understand

EventsOf = Callable[[int, int], Iterator[pa.RecordBatch]]
"""Events with texts and positions of the buckets first..last."""
MOST_EVENTS = 100
"""Events that a signal of the watch shows, the most telling ones."""

_Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What an episode asks of its events. themes: features that a blind spot is about, in order."""

    episode: Episode
    themes: NDArray[np.uint64]
    buckets: range

    @property
    def key(self) -> _Key:
        """What the rank of an event depends on, besides the event."""
        born = self.episode.born
        return (born.perimeter, born.kind, born.direction, born.expected, self.themes.tobytes())


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Events, the most telling first, of equals the lowest id. ids: 16 bytes as two words, big-endian."""

    weights: NDArray[np.float64]
    ids: NDArray[np.uint64]
    positions: NDArray[np.int64]

    @classmethod
    def best(cls, parts: "Sequence[_Ranked]") -> "_Ranked":
        """The first of several together."""
        weights = np.concatenate([part.weights for part in parts])
        ids = np.concatenate([part.ids for part in parts])
        order = np.lexsort((ids[:, 1], ids[:, 0], -weights))[:MOST_EVENTS]
        return cls(weights[order], ids[order], np.concatenate([part.positions for part in parts])[order])


_NONE = _Ranked(np.empty(0), np.empty((0, 2), np.uint64), np.empty(0, np.int64))


@dataclass(slots=True)
class Carriers:
    """Finds the most telling events of episodes, and remembers which they were of each bucket.

    What a bucket holds must not change while one of these is used: buckets that have closed, of one log.
    """

    events_of: EventsOf
    take: Take
    telling: Telling
    _known: dict[tuple[_Key, int], _Ranked] = field(default_factory=dict)

    def of(self, episodes: Sequence[Episode]) -> list[tuple[dict[bytes, Row], list[Row]]]:
        """Of each episode the most telling events with their texts, by id, and as rows like SUPPORT."""
        wanted = [self._wanted(episode) for episode in episodes]
        asked = {(one.key, bucket): one for one in wanted for bucket in one.buckets}
        self._known = {key: ranked for key, ranked in self._known.items() if key in asked}
        self._read(
            [(bucket, one) for (key, bucket), one in asked.items() if (key, bucket) not in self._known]
        )
        best = [_Ranked.best([_NONE, *(self._known[one.key, day] for day in one.buckets)]) for one in wanted]
        positions = np.unique(np.concatenate([np.empty(0, np.int64), *(one.positions for one in best)]))
        events, rows = self._take(positions)
        found = []
        for one, ranked in zip(wanted, best, strict=True):
            places = np.searchsorted(positions, ranked.positions).tolist()
            carried = [
                # Nothing carries a signal before it is raised.
                rows[place] | {"bucket": max(rows[place]["event_bucket"], one.episode.born.bucket)}
                for place in places
            ]
            found.append(({events[place]["event_id"]: events[place] for place in places}, carried))
        return found

    def _knows(self, key: _Key, bucket: int) -> bool:
        return (key, bucket) in self._known

    def _wanted(self, episode: Episode) -> _Wanted:
        born = episode.born
        first, last = max(born.since, episode.last_bucket - self.telling.window + 1), episode.last_bucket
        if born.kind == UNUSUAL_DAY:
            first = last = born.bucket
        if born.kind == SILENCE:
            first = last + 1
        about = episode.details if born.kind == BLIND_SPOT else ()
        themes = [feature for feature, theme in self.telling.themes.items() if theme.key in about]
        return _Wanted(episode, np.array(sorted(themes), np.uint64), range(first, last + 1))

    def _read(self, asked: Sequence[tuple[int, _Wanted]]) -> None:
        """Rank the events of buckets for those that ask for them; each is read once."""
        by_bucket: dict[int, list[_Wanted]] = {}
        for bucket, one in asked:
            by_bucket.setdefault(bucket, []).append(one)
            self._known[one.key, bucket] = _NONE
        for first, last in _runs(sorted(by_bucket)):
            for batch in self.events_of(first, last):
                read = understand(batch, self.telling.reader)
                of_bucket = read["bucket"].to_numpy()
                for bucket in np.unique(of_bucket).tolist():
                    here = pa.array(np.flatnonzero(of_bucket == bucket))
                    self._rank(read.take(here), bucket, by_bucket[bucket])

    def _rank(self, read: pa.RecordBatch, bucket: int, asking: Sequence[_Wanted]) -> None:
        positions = read["position"].to_numpy()
        for one in asking:
            inside = mapped(
                read["perimeter"], partial(within, ancestor=one.episode.born.perimeter), pa.bool_()
            )
            weights = _weights(one, read)
            weights[~inside.to_numpy(zero_copy_only=False)] = 0.0
            places = np.flatnonzero(weights > 0)
            if places.size > MOST_EVENTS:
                least = np.partition(weights[places], -MOST_EVENTS)[-MOST_EVENTS]
                places = places[weights[places] >= least]
            ids = b"".join(read["event_id"].take(pa.array(places)).to_pylist())
            words = np.frombuffer(ids, ">u8").reshape(-1, 2)
            new = _Ranked(weights[places], words, positions[places])
            self._known[one.key, bucket] = _Ranked.best([self._known[one.key, bucket], new])

    def _take(self, positions: NDArray[np.int64]) -> tuple[list[Row], list[Row]]:
        """Events with their texts, and as rows like SUPPORT but for the bucket from which they carry."""
        table = self.take(positions)
        batches = table.combine_chunks().to_batches()
        rows = [row for batch in batches for row in understand(batch, self.telling.reader).to_pylist()]
        themes = self.telling.themes.keys()
        for row in rows:
            row["event_bucket"], row["event_perimeter"] = row["bucket"], row["perimeter"]
            row["themes"] = sorted(themes & set(row.pop("features")))
        return table.to_pylist(), rows


def _runs(buckets: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of consecutive ones.

    >>> list(_runs([3, 4, 5, 9]))
    [(3, 5), (9, 9)]
    """
    starts = [bucket for place, bucket in enumerate(buckets) if not place or bucket != buckets[place - 1] + 1]
    known = set(buckets)
    for start in starts:
        last = start
        while last + 1 in known:
            last += 1
        yield start, last


def _weights(wanted: _Wanted, read: pa.RecordBatch) -> NDArray[np.float64]:
    """How much each event speaks for the episode; 0 or less if it does not."""
    born = wanted.episode.born
    kind, direction, expected = born.kind, born.direction, born.expected
    scored = read["score_e4"].is_valid().to_numpy(zero_copy_only=False)
    score = read["score_e4"].fill_null(0).to_numpy() / SCALE
    written = read["has_text"].to_numpy(zero_copy_only=False)
    mood = np.clip(read["sentiment"].to_numpy() / STRONGEST, -1, 1)
    if kind == SCORE:
        return np.where(scored, direction * (score - expected), 0.0)
    if kind == MOOD:
        return np.where(written, direction * (mood - expected), 0.0)
    if kind == GAP:
        # Those who score well and write of what is bad, or the reverse.
        stretched = 2 * score - 1
        parted = scored & written & (direction * stretched >= 0) & (direction * mood < 0)
        return np.where(parted, direction * (stretched - mood), 0.0)
    if kind == NO_TEXT:
        # Those who fell silent, or those who began to write.
        return np.where(scored & (written == (direction == DOWN)), 1.0, 0.0)
    if kind == BLIND_SPOT:
        loud = pc.equal(read["voice"], "customer" if direction == UP else "field")
        spoken = loud.to_numpy(zero_copy_only=False)
        return np.where(spoken & _about(read, wanted.themes), 1.0, 0.0)
    if kind == UNUSUAL_DAY:
        return np.where(written, 2.0, 1.0)
    raise ValueError(f"no kind of finding is called {kind!r}")


def _about(read: pa.RecordBatch, themes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether each event says one of the themes."""
    said = read["features"]
    told = np.isin(said.flatten().to_numpy(), themes)
    about = np.zeros(read.num_rows, np.bool_)
    about[said.value_parent_indices().to_numpy()[told]] = True
    return about
