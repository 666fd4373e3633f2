"""arrivals: a division's rows of open days in the order they came in, as early looks see them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from detectors.features import mix
from pipelines.stages.division import LAID_OUT, Division
from pipelines.stages.looks import LOOK_TALLY, NO_TICK, Group, Turn
from pipelines.stages.understand import UNDERSTOOD


class Sighted(NamedTuple):
    """What the looks of a group see, one node after the other within a look, parents first.

    looks: number of the look of each, shape (nodes,). The rest as in `mentions.Counted`, but counts are those
    of all open rows up to the look; features are those heard since the look before.
    """

    looks: NDArray[np.int64]
    nodes: NDArray[np.int64]
    depths: NDArray[np.int64]
    starts: NDArray[np.int64]
    exposures: NDArray[np.int64]
    features: NDArray[np.uint64]
    authors: NDArray[np.int64]
    above: NDArray[np.int64]


class OpenDays:
    """What a division heard of the buckets that are open after one, behind the closed rows it remembers.

    group: the looks. ends: row after the last that each look sees, shape (looks,); first: first open row.
    """

    def __init__(self, group: Group, division: Division, ticks: NDArray[np.int64]) -> None:
        """ticks: of the open rows, in order."""
        self.group = group
        self.division = division
        self.first = division.first_new
        self.ends = self.first + np.searchsorted(ticks, group.ticks, side="right")
        begun = int(np.searchsorted(ticks, group.ticks[0], side="left"))
        self._bounds = np.concatenate([[self.first, self.first + begun], self.ends])

    def sighted(self) -> Sighted:
        """Count what each look sees."""
        rows, marks = self.division.rows, self.division.marks
        return Sighted(
            *_sighted(
                self._bounds,
                rows.paths,
                rows.writes,
                rows.features,
                rows.offsets,
                marks.mentions,
                marks.rows,
                len(self.division.nodes),
            )
        )

    def added(self) -> pa.Table:
        """LOOK_TALLY of the group, at the division."""
        rows, marks = self.division.rows, self.division.marks
        bounds = self._bounds
        look_of = np.repeat(np.concatenate([[NO_TICK], self.group.ticks]), np.diff(bounds))
        part = slice(bounds[0], bounds[-1])
        writes, sizes = rows.writes[part], np.diff(rows.offsets[bounds[0] : bounds[-1] + 1])
        said = slice(rows.offsets[bounds[0]], rows.offsets[bounds[-1]])
        spoken = np.repeat(writes, sizes)
        ticks = np.concatenate([look_of[writes], np.repeat(look_of, sizes)[spoken]])
        features = np.concatenate(
            [np.zeros(np.count_nonzero(writes), np.uint64), rows.features[said][spoken]]
        )
        new = np.concatenate([marks.rows[part][writes] < 0, marks.mentions[said][spoken] < 0])
        order = np.lexsort((ticks, features))
        ticks, features, new = ticks[order], features[order], new[order]
        starts = np.flatnonzero(
            (np.diff(ticks, prepend=ticks[:1] - 1) != 0) | (np.diff(features, prepend=~features[:1]) != 0)
        )
        authors = np.add.reduceat(new.astype(np.int64), starts) if starts.size else starts
        closed = np.full(starts.size, self.group.closed, np.int32)
        return pa.table([closed, ticks[starts], features[starts], authors], schema=LOOK_TALLY)

    def texts(self, look: int, node: int, depth: int, since: int) -> int:
        """Texts under a node from bucket `since` on that a look knows."""
        rows, part = self.division.rows, slice(*self.span(look, since))
        under = rows.writes[part] & (rows.paths[part, depth] == node) & (rows.bucket[part] >= since)
        return int(np.count_nonzero(under))

    def supporters(self, look: int, since: int, *, node: int, depth: int, feature: int) -> NDArray[np.int64]:
        """Rows from bucket `since` on, known to a look, that carry a feature under a node."""
        return self.division.supporters(*self.span(look, since), node=node, depth=depth, feature=feature)

    def span(self, look: int, since: int) -> tuple[int, int]:
        """Rows known to a look: the closed ones from bucket `since` on, and open ones."""
        closed = self.division.rows.bucket[: self.first]
        return int(np.searchsorted(closed, np.int32(since), side="left")), int(self.ends[look])


class Arrivals:
    """A division's rows that were not closed before a turn, for the looks of the turn.

    rows: UNDERSTOOD, in any order. elsewhere: ELSEWHERE of these rows by the order they came in.
    """

    def __init__(self, turn: Turn, rows: pa.Table, elsewhere: pa.Table) -> None:
        ticks = turn.clock.ticks(rows["admitted_at"])
        self._groups = turn.groups(ticks)
        self._elsewhere = elsewhere
        self._clock = turn.clock
        self._rows = rows.slice(0, 0)
        if self._groups:
            kept = rows.append_column("tick", pa.array(ticks))
            kept = kept.filter(pc.less_equal(kept["tick"], int(self._groups[-1].ticks[-1])))
            by = [("tick", "ascending"), ("bucket", "ascending"), ("event_id", "ascending")]
            self._rows = kept.combine_chunks().sort_by(by)

    def looked(self, division: Division, *, window: int) -> Iterator[OpenDays]:
        """The open days of each group of looks, in order. division: of the same turn."""
        for group in self._groups:
            last = int(group.ticks[-1])
            rows = self._rows.filter(
                pc.and_(
                    pc.greater(self._rows["bucket"], group.closed), pc.less_equal(self._rows["tick"], last)
                )
            )
            start, _ = division.span(group.closed - window + 1, group.closed)
            _, end = division.span(group.closed, group.closed)
            closed = division.table.slice(start, max(0, end - start))
            ours = pc.is_in(self._elsewhere["event_id"], value_set=rows["event_id"].combine_chunks())
            laid_out = Division(
                division.name,
                rows.select(UNDERSTOOD.names),
                closed if closed.num_rows else LAID_OUT.empty_table(),
                window=window,
                elsewhere=self._elsewhere.filter(ours),
                as_they_came=True,
            )
            yield OpenDays(group, laid_out, rows["tick"].to_numpy())

    def tally(self, division: Division, *, window: int) -> pa.Table:
        """LOOK_TALLY of the turn, at the division."""
        added = [open_days.added() for open_days in self.looked(division, window=window)]
        return pa.concat_tables([LOOK_TALLY.empty_table(), *added])


@njit(cache=True)
def _place(keys: Any, nodes: Any, feature: Any, node: Any) -> Any:
    """Place of a feature at a node, or the empty one where it belongs; nodes: -1 where empty."""
    place = mix(feature, np.uint64(node)) >> np.uint64(13) & np.uint64(keys.size - 1)
    while nodes[place] >= 0 and (keys[place] != feature or nodes[place] != node):
        place = (place + np.uint64(1)) & np.uint64(keys.size - 1)
    return np.int64(place)


@njit(cache=True)
def _sighted(
    bounds: Any, paths: Any, writes: Any, features: Any, offsets: Any, mentions: Any, whole: Any, nodes: int
) -> Any:
    depths = paths.shape[1]
    room, shown, most = 0, 0, 1
    for look in range(bounds.size - 1):
        for row in range(bounds[look], bounds[look + 1]):
            for depth in range(depths):
                if writes[row] and paths[row, depth] >= 0:
                    room += offsets[row + 1] - offsets[row]
                    if look > 0:
                        shown += offsets[row + 1] - offsets[row]
                        most += 1
    size = 64
    while size < 2 * room:
        size *= 2
    keys, owners = np.zeros(size, np.uint64), np.full(size, -1, np.int64)
    counted, entry_of = np.zeros(size, np.int64), np.full(size, -1, np.int64)
    wrote = np.zeros(nodes, np.int64)
    found, authors, above = np.empty(shown, np.uint64), np.empty(shown, np.int64), np.empty(shown, np.int64)
    place_of = np.empty(shown, np.int64)
    looks, nodes_of, levels = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    exposures, starts = np.zeros(most, np.int64), np.zeros(most, np.int64)
    groups = entries = 0
    for look in range(bounds.size - 1):
        begin, end = bounds[look], bounds[look + 1]
        first_group, first_entry = groups, entries
        entry_at = np.full(offsets[end] - offsets[begin], -1, np.int64)
        for depth in range(depths):
            for at in np.argsort(paths[begin:end, depth], kind="mergesort"):
                row = begin + at
                node = paths[row, depth]
                if node < 0 or not writes[row]:
                    continue
                if look > 0 and (groups == first_group or nodes_of[groups - 1] != node):
                    looks[groups], nodes_of[groups], levels[groups] = look - 1, node, depth
                    starts[groups] = entries
                    groups += 1
                wrote[node] += whole[row] < depth
                for mention in range(offsets[row], offsets[row + 1]):
                    place = _place(keys, owners, features[mention], node)
                    if owners[place] < 0:
                        keys[place], owners[place] = features[mention], node
                    counted[place] += mentions[mention] < depth
                    if look == 0:
                        continue
                    entry = entry_of[place]
                    if entry < first_entry:
                        entry, entries = entries, entries + 1
                        entry_of[place], place_of[entry] = entry, place
                        found[entry], above[entry] = features[mention], entry_at[mention - offsets[begin]]
                    entry_at[mention - offsets[begin]] = entry
        for group in range(first_group, groups):
            exposures[group] = wrote[nodes_of[group]]
            last = starts[group + 1] if group + 1 < groups else entries
            for entry in range(starts[group], last):
                authors[entry] = counted[place_of[entry]]
                exposures[group] = max(exposures[group], authors[entry])
    starts[groups] = entries
    return (
        looks[:groups],
        nodes_of[:groups],
        levels[:groups],
        starts[: groups + 1],
        exposures[:groups],
        found[:entries],
        authors[:entries],
        above[:entries],
    )
