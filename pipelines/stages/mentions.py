"""Who says what anew: each author, and each copy of a text, counts once for a feature in a while.

Rows are those of one division in canonical order, by (bucket, event id), the remembered ones first. A
mention counts at every level of the tree down to the leaf, except where the same author (or a copy of the
same text) said the same within the window under the same perimeter.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of a division's rows. paths: node of each row at each depth, -1 below its leaf; shape
    (rows, depths). offsets, features: the list column. writes: whether the row has a text."""

    bucket: NDArray[np.int32]
    person: NDArray[np.uint64]
    copy: NDArray[np.uint64]
    writes: NDArray[np.bool_]
    paths: NDArray[np.int32]
    features: NDArray[np.uint64]
    offsets: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fresh:
    """Depth up to which a mention (row) says nothing new; it counts at deeper nodes. -1: new everywhere.

    mentions: shape (features,), over the window. rows: shape (rows,), within the bucket among rows with a
    text, for exposure.
    """

    mentions: NDArray[np.int8]
    rows: NDArray[np.int8]


def fresh(rows: Rows, *, window: int) -> Fresh:
    """Find repetitions. window: buckets over which an author or a copy is remembered, at least 1."""
    mentions = np.full(rows.features.size, -1, np.int8)
    whole = np.full(rows.bucket.size, -1, np.int8)
    _repeats(
        rows.bucket,
        _previous(rows.person),
        _previous(rows.copy),
        rows.writes,
        rows.paths,
        rows.features,
        rows.offsets,
        window,
        mentions,
        whole,
    )
    return Fresh(mentions, whole)


@dataclass(frozen=True, slots=True)
class Counted:
    """Distinct authors per node and feature in a span of rows, a node after the other, parents first.

    nodes, depths: of those with a text. starts: first entry of each, then the number of entries; shape
    (nodes + 1,). exposures: authors who wrote at each. features, authors: shape (entries,); a feature that is
    only repeated at a node counts 0, so that a node always knows the features of those below. above: entry of
    the feature in the node's parent, -1 at the top.
    """

    nodes: NDArray[np.int64]
    depths: NDArray[np.int64]
    starts: NDArray[np.int64]
    exposures: NDArray[np.int64]
    features: NDArray[np.uint64]
    authors: NDArray[np.int64]
    above: NDArray[np.int64]


def count(rows: Rows, marks: Fresh, start: int, end: int, *, depths: int) -> Counted:
    """Count rows start..end at the nodes of the first `depths` levels."""
    return Counted(
        *_count(
            rows.paths[start:end],
            depths,
            rows.writes[start:end],
            rows.features,
            rows.offsets[start : end + 1],
            marks.mentions,
            marks.rows[start:end],
        )
    )


def supporters(
    rows: Rows, marks: Fresh, start: int, end: int, *, node: int, depth: int, feature: int
) -> NDArray[np.int64]:
    """Rows start..end under the node that mention the feature and count there."""
    found = np.empty(end - start, np.int64)
    size = _supporters(
        rows.paths,
        rows.features,
        rows.offsets,
        marks.mentions,
        start,
        end,
        node,
        depth,
        np.uint64(feature),
        found,
    )
    return found[:size]


def _previous(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Row of the previous occurrence of each row's key, -1 if none."""
    order = np.argsort(keys, kind="stable")
    previous = np.full(keys.size, -1, np.int64)
    same = keys[order[1:]] == keys[order[:-1]]
    previous[order[1:][same]] = order[:-1][same]
    return previous


@njit(cache=True)
def _common_depth(paths: Any, one: int, other: int) -> int:
    depth = -1
    for level in range(paths.shape[1]):
        if paths[one, level] < 0 or paths[one, level] != paths[other, level]:
            break
        depth = level
    return depth


@njit(cache=True)
def _repeats(
    bucket: Any,
    same_person: Any,
    same_copy: Any,
    writes: Any,
    paths: Any,
    features: Any,
    offsets: Any,
    window: int,
    mentions: Any,
    whole: Any,
) -> None:
    for row in range(bucket.size):
        for chain in range(2):
            other = same_person[row] if chain == 0 else same_copy[row]
            while other >= 0 and bucket[other] > bucket[row] - window:
                depth = _common_depth(paths, row, other)
                if bucket[other] == bucket[row] and writes[other]:
                    whole[row] = max(whole[row], depth)
                for mention in range(offsets[row], offsets[row + 1]):
                    if mentions[mention] >= depth:
                        continue
                    if chain == 1:
                        mentions[mention] = depth
                        continue
                    for said in range(offsets[other], offsets[other + 1]):
                        if features[said] == features[mention]:
                            mentions[mention] = depth
                            break
                other = same_person[other] if chain == 0 else same_copy[other]


@njit(cache=True)
def _room(paths: Any, depths: int, writes: Any, offsets: Any) -> Any:
    """Mentions at each depth: no fewer than the entries there will be."""
    rooms = np.zeros(depths, np.int64)
    for row in range(paths.shape[0]):
        for depth in range(depths):
            if writes[row] and paths[row, depth] >= 0:
                rooms[depth] += offsets[row + 1] - offsets[row]
    return rooms


@njit(cache=True)
def _find(table: Any, entries: Any, first: int, last: int, feature: Any, salt: int) -> Any:
    """Place in the table of a feature's entry in first..last, or of the empty place where it belongs."""
    mask = table.size - 1
    # Siblings share the table: the salt keeps one word of all from one place.
    place = (np.int64((feature >> np.uint64(7)) & np.uint64(mask)) + salt) & mask
    while table[place] >= 0:
        entry = table[place]
        if first <= entry < last and entries[entry] == feature:
            break
        place = (place + 1) & mask
    return place


@njit(cache=True)
def _new_table(room: int) -> Any:
    size = 64
    while size < 2 * room:
        size *= 2
    return np.full(size, -1, np.int32)


@njit(cache=True)
def _count(
    paths: Any, depths: int, writes: Any, features: Any, offsets: Any, mentions: Any, whole: Any
) -> Any:
    rooms = _room(paths, depths, writes, offsets)
    found = np.empty(rooms.sum(), np.uint64)
    authors = np.zeros(rooms.sum(), np.int64)
    above = np.full(rooms.sum(), -1, np.int64)
    most = 1 + paths.shape[0] * depths
    nodes, levels = np.empty(most, np.int64), np.empty(most, np.int64)
    exposures, starts = np.zeros(most, np.int64), np.zeros(most, np.int64)
    group_of = np.zeros(1 + (paths.max() if paths.size else 0), np.int64)
    groups = size = 0
    upper = _new_table(0)
    for depth in range(depths):
        table = _new_table(rooms[depth])
        for row in np.argsort(paths[:, depth], kind="mergesort"):
            node = paths[row, depth]
            if node < 0 or not writes[row]:
                continue
            if groups == 0 or nodes[groups - 1] != node:
                nodes[groups], levels[groups], starts[groups] = node, depth, size
                group_of[node] = groups
                groups += 1
            group = groups - 1
            exposures[group] += whole[row] < depth
            for mention in range(offsets[row], offsets[row + 1]):
                feature = features[mention]
                place = _find(table, found, starts[group], size, feature, 31 * node)
                if table[place] < 0:
                    table[place], found[size] = size, feature
                    if depth > 0:
                        parent = paths[row, depth - 1]
                        first, last = starts[group_of[parent]], starts[group_of[parent] + 1]
                        above[size] = upper[_find(upper, found, first, last, feature, 31 * parent)]
                    size += 1
                authors[table[place]] += mentions[mention] < depth
        starts[groups] = size
        upper = table
    for group in range(groups):
        # An author whose first row copies another's is not in the exposure, yet may say something new later.
        for entry in range(starts[group], starts[group + 1]):
            exposures[group] = max(exposures[group], authors[entry])
    return (
        nodes[:groups],
        levels[:groups],
        starts[: groups + 1],
        exposures[:groups],
        found[:size],
        authors[:size],
        above[:size],
    )


@njit(cache=True)
def _supporters(
    paths: Any,
    features: Any,
    offsets: Any,
    mentions: Any,
    start: int,
    end: int,
    node: int,
    depth: int,
    feature: Any,
    found: Any,
) -> int:
    size = 0
    for row in range(start, end):
        if paths[row, depth] != node:
            continue
        for mention in range(offsets[row], offsets[row + 1]):
            if features[mention] == feature:
                if mentions[mention] < depth:
                    found[size] = row
                    size += 1
                break
    return size
