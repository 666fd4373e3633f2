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


def count(
    rows: Rows, marks: Fresh, start: int, end: int, *, node: int, depth: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64], int]:
    """Distinct authors per feature and the exposure, of rows start..end at a node.

    Features are in order of id; one that is only repeated here counts 0, so that a node always knows the
    features of the nodes below it.
    """
    room = _mentions(rows.paths, rows.offsets, start, end, node, depth)
    places = 1 << max(6, (2 * room).bit_length())
    keys, counts = np.zeros(places, np.uint64), np.zeros(places, np.int64)
    exposure = _count(
        rows.paths,
        rows.writes,
        rows.features,
        rows.offsets,
        marks.mentions,
        marks.rows,
        start,
        end,
        node,
        depth,
        keys,
        counts,
    )
    used = np.flatnonzero(keys)
    order = used[np.argsort(keys[used])]
    # An author whose first row copies another's is not in the exposure, yet may say something new later.
    return keys[order], counts[order], max(int(exposure), int(counts.max(initial=0)))


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
def _mentions(paths: Any, offsets: Any, start: int, end: int, node: int, depth: int) -> Any:
    total = 0
    for row in range(start, end):
        if paths[row, depth] == node:
            total += offsets[row + 1] - offsets[row]
    return total


@njit(cache=True)
def _count(
    paths: Any,
    writes: Any,
    features: Any,
    offsets: Any,
    mentions: Any,
    whole: Any,
    start: int,
    end: int,
    node: int,
    depth: int,
    keys: Any,
    counts: Any,
) -> int:
    exposure = 0
    mask = keys.size - 1
    for row in range(start, end):
        if paths[row, depth] != node or not writes[row]:
            continue
        if whole[row] < depth:
            exposure += 1
        for mention in range(offsets[row], offsets[row + 1]):
            feature = features[mention]
            place = np.int64((feature >> np.uint64(7)) & np.uint64(mask))
            while keys[place] != 0 and keys[place] != feature:
                place = (place + 1) & mask
            keys[place] = feature
            counts[place] += mentions[mention] < depth
    return exposure


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
