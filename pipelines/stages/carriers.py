"""The events that carry episodes of the watch, as far as they are shown: those that speak most for it.

A mean moves with every text, and an episode may last for months: what is shown of it must stay new, and yet
never change by a few people. So it is shown by periods: what a period shows only grows, each time by the
minimum of authors, and goes as a whole once two later ones have something to show.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from connectors.store.schemas import SCALE
from pipelines.columns import ranked
from pipelines.stages.episodes import Episode
from pipelines.stages.evidence import Row, quoted_of
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
from pipelines.stages.story import within
from pipelines.stages.understand import understand

EventsOf = Callable[[int, int], Iterator[pa.RecordBatch]]
"""Events with texts and positions of the buckets first..last."""
PERIODS = 2
"""Periods of an episode that are shown at once; each is as long as an episode lives without a finding."""
MOST_EVENTS = 100
"""Events that are shown of a period, the most telling ones."""

_Key = tuple[object, ...]


@dataclass(slots=True)
class Carried:
    """What is shown of an episode: rows like SUPPORT, those of them that are quoted, and the events with
    their texts, by id.
    """

    rows: list[Row] = field(default_factory=list)
    quoted: list[Row] = field(default_factory=list)
    texts: dict[bytes, Row] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What an episode asks of its events. themes: features that a blind spot is about, in order. periods:
    their buckets, the latest first.
    """

    episode: Episode
    themes: NDArray[np.uint64]
    periods: Sequence[range]

    @property
    def key(self) -> _Key:
        """What the rank of an event depends on, besides the event."""
        born = self.episode.born
        return (born.perimeter, born.kind, born.direction, born.expected, self.themes.tobytes())


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Events, the most telling first, of equals the lowest id. ids: 16 bytes as two words, big-endian.

    people: who wrote each.
    """

    weights: NDArray[np.float64]
    ids: NDArray[np.uint64]
    positions: NDArray[np.int64]
    people: NDArray[np.uint64]

    @classmethod
    def best(cls, parts: "Sequence[_Ranked]", most: int = MOST_EVENTS) -> "_Ranked":
        """The first of several together."""
        weights = np.concatenate([part.weights for part in parts])
        ids = np.concatenate([part.ids for part in parts])
        order = np.lexsort((ids[:, 1], ids[:, 0], -weights))[:most]
        return cls(
            weights[order],
            ids[order],
            np.concatenate([part.positions for part in parts])[order],
            np.concatenate([part.people for part in parts])[order],
        )


_NONE = _Ranked(np.empty(0), np.empty((0, 2), np.uint64), np.empty(0, np.int64), np.empty(0, np.uint64))


@dataclass(slots=True)
class Carriers:
    """Finds the most telling events of episodes, and remembers which they were of each bucket.

    What a bucket holds must not change while one of these is used: buckets that have closed, of one log.
    """

    events_of: EventsOf
    take: Take
    telling: Telling
    _known: dict[tuple[_Key, int], _Ranked] = field(default_factory=dict)

    def of(self, episodes: Sequence[Episode]) -> list[Carried]:
        """What is shown of each episode; nothing of a silence, and of fewer authors than the minimum."""
        wanted = [self._wanted(episode) for episode in episodes]
        chosen = self._chosen(wanted)
        several = [positions for periods in chosen for positions in periods]
        positions = np.unique(np.concatenate([np.empty(0, np.int64), *several]))
        events, rows = self._take(positions)
        found = []
        for one, periods in zip(wanted, chosen, strict=True):
            shown = Carried()
            for period in periods:
                places = np.searchsorted(positions, period).tolist()
                carried: list[Row] = [
                    rows[place] | {"bucket": _carries_from(rows[place]["event_bucket"], one.episode)}
                    for place in places
                ]
                shown.rows += carried
                # By itself: what another period quotes must not follow from what this one has left over.
                shown.quoted += quoted_of(carried, self.telling.min_authors)
                shown.texts |= {events[place]["event_id"]: events[place] for place in places}
            found.append(shown)
        return found

    def _chosen(self, wanted: Sequence[_Wanted]) -> list[list[NDArray[np.int64]]]:
        """Positions of the events shown of each episode, by period: of the last PERIODS that have any."""
        chosen: list[list[NDArray[np.int64]]] = [[] for _ in wanted]
        asked: set[tuple[_Key, int]] = set()
        looked = 0
        # All episodes' last periods at once; then one by one further back, for those that show too little.
        while pending := [
            (one, shown)
            for one, shown in zip(wanted, chosen, strict=True)
            if looked < len(one.periods) and len(shown) < PERIODS
        ]:
            until = looked + (1 if looked else PERIODS)
            periods = [(one, shown, period) for one, shown in pending for period in one.periods[looked:until]]
            needed = {(one.key, bucket): one for one, _, period in periods for bucket in period}
            self._read([(key[1], needed[key]) for key in needed if key not in self._known])
            for one, shown, period in periods:
                positions = self._shown(one, period)
                if positions.size:
                    shown.append(positions)
            asked |= needed.keys()
            looked = until
        self._known = {key: ranked for key, ranked in self._known.items() if key in asked}
        return chosen

    def _shown(self, one: _Wanted, period: range) -> NDArray[np.int64]:
        """Positions of the events that are shown of a period.

        They join at the close of the first bucket when they bring the minimum of authors, as many as there is
        room for: what was chosen stays, whatever comes later.
        """
        chosen: list[NDArray[np.int64]] = []
        people: set[int] = set()
        room, waiting = MOST_EVENTS, _NONE
        for _, buckets in groupby(period, key=lambda bucket: _carries_from(bucket, one.episode)):
            waiting = _Ranked.best([waiting, *(self._known[one.key, bucket] for bucket in buckets)], room)
            new = set(waiting.people.tolist()) - people
            if len(new) >= self.telling.min_authors:
                chosen.append(waiting.positions)
                people |= new
                room, waiting = room - waiting.positions.size, _NONE
        return np.concatenate([np.empty(0, np.int64), *chosen])

    def _wanted(self, episode: Episode) -> _Wanted:
        about = episode.details if episode.born.kind == BLIND_SPOT else ()
        themes = [feature for feature, theme in self.telling.themes.items() if theme.key in about]
        periods = list(_periods(episode, self.telling.window))
        return _Wanted(episode, np.array(sorted(themes), np.uint64), periods)

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
        positions, people = read["position"].to_numpy(), read["person"].to_numpy()
        perimeters, perimeter_of = ranked(read["perimeter"])
        for one in asking:
            inside = np.array([within(path, one.episode.born.perimeter) for path in perimeters], np.bool_)
            weights = np.where(inside[perimeter_of], _weights(one, read), 0.0)
            places = np.flatnonzero(weights > 0)
            if places.size > MOST_EVENTS:
                least = np.partition(weights[places], -MOST_EVENTS)[-MOST_EVENTS]
                places = places[weights[places] >= least]
            ids = b"".join(read["event_id"].take(pa.array(places)).to_pylist())
            words = np.frombuffer(ids, ">u8").reshape(-1, 2)
            new = _Ranked(weights[places], words, positions[places], people[places])
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


def _periods(episode: Episode, window: int) -> Iterator[range]:
    """Buckets of each period, the latest first; the earliest has what led to the alert."""
    born, last = episode.born, episode.last_bucket
    if born.kind == SILENCE:
        return
    if born.kind == UNUSUAL_DAY:
        yield range(born.bucket, born.bucket + 1)
        return
    for first in reversed(range(born.bucket, last + 1, window)):
        begins = first if first > born.bucket else max(born.since, born.bucket - window + 1)
        yield range(begins, min(last, first + window - 1) + 1)


def _carries_from(bucket: int, episode: Episode) -> int:
    """Nothing carries a signal before it is raised."""
    return max(bucket, episode.born.bucket)


def _runs(buckets: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of consecutive ones.

    >>> list(_runs([3, 4, 5, 9]))
    [(3, 5), (9, 9)]
    """
    for run in np.split(np.array(buckets), np.flatnonzero(np.diff(buckets) > 1) + 1):
        if run.size:
            yield int(run[0]), int(run[-1])


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
