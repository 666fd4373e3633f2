"""Who says what anew: each author, and each copy of a text, counts once for a feature in a while.

Rows are those of one division in canonical order, by (bucket, event id), the remembered ones first. A
mention counts at every level of the tree down to the leaf, except where the same author (or a copy of the
same text) said the same within the window under the same perimeter. Where another division met the text
first (`pipelines.stages.copies`), it counts nowhere.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detectors.features import mix


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of a division's rows. paths: node of each row at each depth, -1 below its leaf; shape
    (rows, depths). before: row of the same author before, -1 if none. offsets, features: the list column, of
    remembered rows of `returning` authors at least. writes: whether the row has a text."""

    bucket: NDArray[np.int32]
    before: NDArray[np.int64]
    copy: NDArray[np.uint64]
    writes: NDArray[np.bool_]
    paths: NDArray[np.int32]
    features: NDArray[np.uint64]
    offsets: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Rows whose text another division met first: within the window, and of those, in the same bucket."""

    ever: NDArray[np.int64]
    today: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fresh:
    """Depth up to which a mention (row) says nothing new; it counts at deeper nodes. -1: new everywhere.

    mentions: shape (features,), over the window. rows: shape (rows,), within the bucket among rows with a
    text, for exposure.
    """

    mentions: NDArray[np.int8]
    rows: NDArray[np.int8]


def returning(
    before: NDArray[np.int64], bucket: NDArray[np.int32], first: int, window: int
) -> NDArray[np.int64]:
    """Rows before `first` whose author writes again from there on, within the window. before: as in Rows."""
    found: NDArray[np.int64] = np.flatnonzero(_returning(before, bucket, first, window))
    return found


def fresh(
    rows: Rows, *, window: int, known: NDArray[np.int8] | None = None, elsewhere: Elsewhere | None = None
) -> Fresh:
    """Find repetitions. window: buckets over which an author or a copy is remembered, at least 1.

    known: `Fresh.rows` of the first rows, from when they were all there were; what their mentions were then
    is left out. elsewhere: of the other rows.
    """
    mentions = np.full(rows.features.size, -1, np.int8)
    whole = np.full(rows.bucket.size, -1, np.int8)
    first = 0
    if known is not None:
        first = known.size
        whole[:first] = known
    if elsewhere is not None:
        leaves = (rows.paths >= 0).sum(axis=1).astype(np.int8) - np.int8(1)
        whole[elsewhere.today] = leaves[elsewhere.today]
        nowhere = np.full(rows.bucket.size, -1, np.int8)
        nowhere[elsewhere.ever] = leaves[elsewhere.ever]
        mentions = np.maximum(mentions, np.repeat(nowhere, np.diff(rows.offsets)))
    _repeats(
        first,
        rows.bucket,
        rows.before,
        previous(rows.copy),
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
    paths: NDArray[np.int32],
    features: NDArray[np.uint64],
    offsets: NDArray[np.int64],
    mentions: NDArray[np.int8],
    *,
    node: int,
    depth: int,
    feature: int,
) -> NDArray[np.int64]:
    """Rows under the node that mention the feature and count there; arguments as in Rows and Fresh."""
    found: NDArray[np.int64] = _supporters(
        paths, features, offsets, mentions, node, depth, np.uint64(feature)
    )
    return found


@njit(cache=True, nogil=True)
def previous(keys: Any) -> Any:
    """Row of the previous occurrence of each row's key, -1 if none."""
    size = 64
    while size < 2 * keys.size:
        size *= 2
    mask = np.uint64(size - 1)
    last = np.full(size, -1, np.int64)
    previous = np.empty(keys.size, np.int64)
    for row in range(keys.size):
        place = mix(keys[row], np.uint64(1)) >> np.uint64(13) & mask
        while last[place] >= 0 and keys[last[place]] != keys[row]:
            place = (place + np.uint64(1)) & mask
        previous[row] = last[place]
        last[place] = row
    return previous


@njit(cache=True, nogil=True)
def _returning(previous: Any, bucket: Any, first: int, window: int) -> Any:
    found = np.zeros(first, np.bool_)
    for row in range(first, previous.size):
        other = previous[row]
        while other >= 0 and bucket[other] > bucket[row] - window:
            if other < first:
                found[other] = True
            other = previous[other]
    return found


@njit(cache=True, nogil=True)
def _common_depth(paths: Any, one: int, other: int) -> int:
    depth = -1
    for level in range(paths.shape[1]):
        if paths[one, level] < 0 or paths[one, level] != paths[other, level]:
            break
        depth = level
    return depth


@njit(cache=True, nogil=True)
def _repeats(
    first: int,
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
    for row in range(first, bucket.size):
        deepest = _common_depth(paths, row, row)
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
                if chain == 1 and depth == deepest and (writes[other] or bucket[other] < bucket[row]):
                    # A copy at the same leaf: nothing is left to find in older ones, of which there are many.
                    break
                other = same_person[other] if chain == 0 else same_copy[other]


@njit(cache=True, nogil=True)
def _room(paths: Any, depths: int, writes: Any, offsets: Any) -> int:
    """Mentions at all levels: no fewer than the entries there will be."""
    room = 0
    for row in range(paths.shape[0]):
        for depth in range(depths):
            if writes[row] and paths[row, depth] >= 0:
                room += offsets[row + 1] - offsets[row]
    return room


@njit(cache=True, nogil=True)
def _number(features: Any, start: int, end: int, numbers: Any) -> int:
    """Number the distinct features of start..end, from 0 on in order of appearance; returns how many."""
    size = 64
    while size < 2 * (end - start):
        size *= 2
    mask = np.uint64(size - 1)
    keys, values = np.zeros(size, np.uint64), np.empty(size, np.int32)
    known = 0
    for mention in range(start, end):
        feature = features[mention]
        place = (feature >> np.uint64(7)) & mask
        while keys[place] != 0 and keys[place] != feature:
            place = (place + np.uint64(1)) & mask
        if keys[place] == 0:
            keys[place], values[place] = feature, known
            known += 1
        numbers[mention - start] = values[place]
    return known


@njit(cache=True, nogil=True)
def _count(
    paths: Any, depths: int, writes: Any, features: Any, offsets: Any, mentions: Any, whole: Any
) -> Any:
    room = _room(paths, depths, writes, offsets)
    found = np.empty(room, np.uint64)
    authors, above = np.zeros(room, np.int64), np.full(room, -1, np.int64)
    most = 1 + paths.shape[0] * depths
    nodes, levels = np.empty(most, np.int64), np.empty(most, np.int64)
    exposures, starts = np.zeros(most, np.int64), np.zeros(most, np.int64)
    groups = size = 0
    begin, end = offsets[0], offsets[-1]
    numbers = np.empty(end - begin, np.int32)
    known = _number(features, begin, end, numbers)
    # Entry of each feature at the node at hand, if it is not one of a node before; and of each mention at
    # the level before, of which the node at hand is a part.
    entry_of, entry_at = np.full(known, -1, np.int64), np.full(end - begin, -1, np.int64)
    for depth in range(depths):
        for row in np.argsort(paths[:, depth], kind="mergesort"):
            node = paths[row, depth]
            if node < 0 or not writes[row]:
                continue
            if groups == 0 or nodes[groups - 1] != node:
                nodes[groups], levels[groups], starts[groups] = node, depth, size
                groups += 1
            group = groups - 1
            exposures[group] += whole[row] < depth
            for mention in range(offsets[row] - begin, offsets[row + 1] - begin):
                entry = entry_of[numbers[mention]]
                if entry < starts[group]:
                    entry, size = size, size + 1
                    entry_of[numbers[mention]] = entry
                    found[entry], above[entry] = features[begin + mention], entry_at[mention]
                entry_at[mention] = entry
                authors[entry] += mentions[begin + mention] < depth
        starts[groups] = size
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


@njit(cache=True, nogil=True)
def _supporters(
    paths: Any, features: Any, offsets: Any, mentions: Any, node: int, depth: int, feature: Any
) -> Any:
    found = np.empty(paths.shape[0], np.int64)
    size = 0
    for row in range(paths.shape[0]):
        if paths[row, depth] != node:
            continue
        for mention in range(offsets[row], offsets[row + 1]):
            if features[mention] == feature:
                if mentions[mention] < depth:
                    found[size] = row
                    size += 1
                break
    return found[:size]
