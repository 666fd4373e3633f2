"""Compiled end of a bucket for `detectors.novelty`: clusters that overlap merge, others fall apart."""

import math
from typing import Any

import numpy as np
from numba import njit

from detectors._emergence_state import find
from detectors._novelty_features import NONE
from detectors._novelty_kernel import (
    MOST_TERMS,
    RECENT,
    bring_up,
    clear,
    length_of,
    nearest,
    older,
    overlaps,
    remember,
    slot_for,
    unlink,
    vacant,
)
from detectors.features import finish, mix

LEAST_MEMBERS = 8
"""Members remembered from which on a cluster may split."""
LEAST_PART = 0.25
"""Share of those members that the smaller part must have."""
_CLUSTER = np.uint64(0)
_ONE = np.uint64(1)


@njit(cache=True)
def merge_all(
    table: Any, clusters: Any, heard: Any, bucket: int, threshold: float, log_decay: float, merges: Any
) -> int:
    """Merge clusters heard in the bucket with their nearest, if near enough; the older of two survives.

    heard: places, the oldest first. merges: written, (id that ended, id that lives on) a row; returns how
    many.
    """
    most = clusters.ids.size
    dots, touched, shares = np.zeros(most), np.empty(most, np.int64), np.empty(MOST_TERMS)
    count = 0
    for cluster in heard:
        if clusters.ids[cluster] == 0:
            continue
        length = length_of(table, clusters, cluster)
        for slot in range(MOST_TERMS):
            shares[slot] = clusters.counts[cluster, slot] / clusters.texts[cluster]
        met = overlaps(table, clusters, clusters.terms[cluster], shares, dots, touched)
        other, cosine = nearest(table, clusters, length, dots, touched[:met], cluster)
        if other == NONE or cosine < threshold:
            continue
        ended, kept = (other, cluster) if older(clusters, cluster, other) else (cluster, other)
        merges[count, 0], merges[count, 1] = clusters.ids[ended], clusters.ids[kept]
        count += 1
        _merge(table, clusters, ended, kept, bucket, log_decay)
    return count


@njit(cache=True)
def _merge(table: Any, clusters: Any, ended: int, kept: int, bucket: int, log_decay: float) -> None:
    bring_up(clusters, ended, bucket, log_decay)
    bring_up(clusters, kept, bucket, log_decay)
    clusters.texts[kept] += clusters.texts[ended]
    terms = clusters.terms[ended].copy()
    target = np.full(MOST_TERMS, NONE, np.int64)
    for slot in range(MOST_TERMS):
        if terms[slot] != 0:
            target[slot] = slot_for(table, clusters, kept, terms[slot], clusters.counts[ended, slot])
            if target[slot] != NONE:
                clusters.counts[kept, target[slot]] += clusters.counts[ended, slot]
    first = max(0, clusters.members[ended] - RECENT)
    for member in range(first, clusters.members[ended]):
        old, new = clusters.recent[ended, member % RECENT], np.uint64(0)
        for slot in range(MOST_TERMS):
            # A slot that was found early may have gone to a later, more telling term.
            held = old >> np.uint64(slot) & _ONE and target[slot] != NONE
            if held and clusters.terms[kept, target[slot]] == terms[slot]:
                new |= _ONE << np.uint64(target[slot])
        remember(clusters, kept, new)
    clear(table, clusters, ended)


@njit(cache=True)
def split_all(
    table: Any,
    clusters: Any,
    heard: Any,
    bucket: int,
    link: float,
    apart: float,
    log_decay: float,
    splits: Any,
    shares: Any,
) -> int:
    """Split clusters heard in the bucket whose latest members fall into groups with nothing in common.

    link: cosine of two members from which on they belong together. apart: cosine of the two centroids that
    must not be reached. splits: written, (id that stays, new id) a row; shares: the new part's share of the
    texts. Returns how many.
    """
    count = 0
    for cluster in heard:
        size = min(clusters.members[cluster], RECENT)
        if clusters.ids[cluster] == 0 or size < LEAST_MEMBERS:
            continue
        masks = clusters.recent[cluster, :size].copy()
        weights = _slot_weights(table, clusters, cluster)
        part = _second_group(_groups(masks, weights, link))
        smaller = part.sum()
        if smaller < LEAST_PART * size or _cosine_of_parts(masks, weights, part) >= apart:
            continue
        share = smaller / size
        stays = clusters.ids[cluster]
        new = _split(table, clusters, cluster, masks, part, share, bucket, log_decay)
        splits[count, 0], splits[count, 1], shares[count] = stays, clusters.ids[new], share
        count += 1
    return count


@njit(cache=True)
def _slot_weights(table: Any, clusters: Any, cluster: int) -> Any:
    """Squared weight of each slot's feature."""
    weights = np.zeros(MOST_TERMS)
    for slot in range(MOST_TERMS):
        feature = clusters.terms[cluster, slot]
        if feature != 0:
            weights[slot] = table.weight[find(table.ids, feature)] ** 2
    return weights


@njit(cache=True)
def _sum(mask: Any, weights: Any) -> float:
    total = 0.0
    for slot in range(MOST_TERMS):
        if mask >> np.uint64(slot) & _ONE:
            total += weights[slot]
    return total


@njit(cache=True)
def _groups(masks: Any, weights: Any, link: float) -> Any:
    """Number of the group of each member: members as near as `link`, directly or through others."""
    size = masks.size
    group, squares = np.arange(size), np.empty(size)
    for i in range(size):
        squares[i] = _sum(masks[i], weights)
    for i in range(size):
        for j in range(i):
            if group[i] == group[j] or masks[i] & masks[j] == 0:
                continue
            if _sum(masks[i] & masks[j], weights) >= link * math.sqrt(squares[i] * squares[j]):
                group[group == group[i]] = group[j]
    return group


@njit(cache=True)
def _second_group(group: Any) -> Any:
    """Which members belong to the second largest group; of equals, that whose first member is later."""
    sizes = np.zeros(group.size, np.int64)
    for number in group:
        sizes[number] += 1
    largest = np.argmax(sizes)
    sizes[largest] = 0
    second = np.argmax(sizes)
    return (group == second) & (sizes[second] > 0)


@njit(cache=True)
def _cosine_of_parts(masks: Any, weights: Any, part: Any) -> float:
    product = one = other = 0.0
    smaller = part.sum()
    for slot in range(MOST_TERMS):
        inside = outside = 0
        for i in range(masks.size):
            if masks[i] >> np.uint64(slot) & _ONE:
                inside += part[i]
                outside += not part[i]
        a, b = inside / smaller, outside / (masks.size - smaller)
        product += a * b * weights[slot]
        one += a * a * weights[slot]
        other += b * b * weights[slot]
    return product / math.sqrt(one * other) if one > 0.0 and other > 0.0 else 0.0


@njit(cache=True)
def _split(
    table: Any,
    clusters: Any,
    cluster: int,
    masks: Any,
    part: Any,
    share: float,
    bucket: int,
    log_decay: float,
) -> int:
    """Move a part of the members into a cluster of its own; returns its place."""
    new = vacant(table, clusters, bucket, log_decay)
    bring_up(clusters, cluster, bucket, log_decay)
    clusters.ids[new] = finish(mix(clusters.ids[cluster], np.uint64(bucket)), _CLUSTER)
    clusters.born[new], clusters.last[new] = bucket, bucket
    clusters.texts[new] = clusters.texts[cluster] * share
    clusters.texts[cluster] *= 1.0 - share
    moved = np.zeros(MOST_TERMS, np.int64)
    for slot in range(MOST_TERMS):
        feature = clusters.terms[cluster, slot]
        inside = held = 0
        for i in range(masks.size):
            if masks[i] >> np.uint64(slot) & _ONE:
                held += 1
                inside += part[i]
        if feature == 0:
            continue
        # What members of late tell of a discounted count is not exact: no part has more of it than texts.
        count, room = clusters.counts[cluster, slot], clusters.texts[cluster]
        if inside == 0:
            clusters.counts[cluster, slot] = min(count, room)
            continue
        count = min(max(count * inside / held, count - room), clusters.texts[new])
        moved[slot] = slot_for(table, clusters, new, feature, count)
        clusters.counts[new, moved[slot]] = count
        clusters.counts[cluster, slot] -= count
        if inside == held:
            place = find(table.ids, feature)
            unlink(table.head, clusters.following, clusters.preceding, place, cluster * MOST_TERMS + slot)
            clusters.terms[cluster, slot], clusters.counts[cluster, slot] = 0, 0.0
    clusters.members[cluster] = 0
    for turn in range(RECENT):
        clusters.recent[cluster, turn] = 0
    for i in range(masks.size):
        if not part[i]:
            remember(clusters, cluster, masks[i])
            continue
        mask = np.uint64(0)
        for slot in range(MOST_TERMS):
            if masks[i] >> np.uint64(slot) & _ONE:
                mask |= _ONE << np.uint64(moved[slot])
        remember(clusters, new, mask)
    return new
