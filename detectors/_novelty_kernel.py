"""Compiled core of `detectors.novelty`: clusters, and texts joining them.

Clusters hold at most `MOST_TERMS` features each, in slots. A feature's postings, the slots that hold it, are
a linked list from its place in the table, so that a text meets only clusters it shares a feature with. No
result depends on the order of places in the tables or of the lists; loops over slots are written in full,
since slices take long to compile.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detectors._emergence_state import find
from detectors._novelty_features import NONE
from detectors.features import finish, mix

MOST_TERMS = 64
"""Slots of a cluster; which of them a text holds is one 64-bit mask."""
RECENT = 32
"""Latest members of a cluster that are remembered, as masks of its slots."""
LEAST_SHARED = 0.05
"""Scalar product, in squared lengths of the one, under which two vectors have nothing in common."""
CORE = 0.5
"""Share of a cluster's texts from which on a term is one of its core."""
_CLUSTER = np.uint64(0)
_ONE = np.uint64(1)


class Clusters(NamedTuple):
    """Columns of the clusters; id 0 is an empty place."""

    ids: NDArray[np.uint64]
    texts: NDArray[np.float64]
    """Discounted texts, as of `last`."""
    born: NDArray[np.int32]
    last: NDArray[np.int32]
    terms: NDArray[np.uint64]
    """Features in slots, (clusters, MOST_TERMS); 0 is an empty slot."""
    counts: NDArray[np.float64]
    """Discounted texts that hold each, as of `last`."""
    recent: NDArray[np.uint64]
    """Masks of the latest members, (clusters, RECENT), by turns."""
    members: NDArray[np.int32]
    """Members so far, over which the turns run."""
    following: NDArray[np.int32]
    """Next slot in the postings of a feature, (clusters * MOST_TERMS,), or NONE."""
    preceding: NDArray[np.int32]


KEPT_CLUSTERS = ("ids", "texts", "born", "last", "terms", "counts", "recent", "members")
"""Columns from which the others, the postings, follow."""


def empty_clusters(most: int) -> Clusters:
    """Room for `most` clusters."""
    slots, texts = (most, MOST_TERMS), np.zeros(most)
    born, last, members = np.zeros((3, most), np.int32)
    following, preceding = np.full((2, most * MOST_TERMS), NONE, np.int32)
    return Clusters(
        np.zeros(most, np.uint64),
        texts,
        born,
        last,
        np.zeros(slots, np.uint64),
        np.zeros(slots),
        np.zeros((most, RECENT), np.uint64),
        members,
        following,
        preceding,
    )


@njit(cache=True)
def link(head: Any, following: Any, preceding: Any, place: int, slot: int) -> None:
    """Put a slot at the head of its feature's postings."""
    first = head[place]
    following[slot], preceding[slot] = first, NONE
    if first != NONE:
        preceding[first] = slot
    head[place] = slot


@njit(cache=True)
def unlink(head: Any, following: Any, preceding: Any, place: int, slot: int) -> None:
    """Take a slot out of its feature's postings."""
    after, before = following[slot], preceding[slot]
    if after != NONE:
        preceding[after] = before
    if before != NONE:
        following[before] = after
    else:
        head[place] = after


@njit(cache=True)
def link_all(table: Any, clusters: Any) -> None:
    """Postings of all clusters, from the start."""
    table.head[:] = NONE
    for cluster in range(clusters.ids.size):
        for slot in range(MOST_TERMS):
            feature = clusters.terms[cluster, slot]
            if feature != 0:
                place = find(table.ids, feature)
                link(table.head, clusters.following, clusters.preceding, place, cluster * MOST_TERMS + slot)


@njit(cache=True)
def length_of(table: Any, clusters: Any, cluster: int) -> Any:
    """Euclidean length of a cluster's centroid, by the weights of now."""
    total = 0.0
    for slot in range(MOST_TERMS):
        feature = clusters.terms[cluster, slot]
        if feature != 0:
            share = clusters.counts[cluster, slot] / clusters.texts[cluster]
            total += (share * table.weight[find(table.ids, feature)]) ** 2
    return math.sqrt(total)


@njit(cache=True)
def overlaps(table: Any, clusters: Any, terms: Any, shares: Any, dots: Any, touched: Any) -> int:
    """Scalar products of a vector with all clusters it shares a feature with; returns how many those are.

    shares: of the vector's texts that hold each term. dots: zeros, one a cluster; those of `touched` are set.
    """
    count = 0
    for i in range(terms.size):
        if terms[i] == 0:
            continue
        place = find(table.ids, terms[i])
        weight = table.weight[place]
        if weight == 0.0:
            continue
        slot = table.head[place]
        while slot != NONE:
            cluster = slot // MOST_TERMS
            if dots[cluster] == 0.0:
                touched[count] = cluster
                count += 1
            share = clusters.counts[cluster, slot % MOST_TERMS] / clusters.texts[cluster]
            dots[cluster] += share * shares[i] * weight * weight
            slot = clusters.following[slot]
    return count


@njit(cache=True)
def nearest(table: Any, clusters: Any, length: float, dots: Any, touched: Any, besides: int) -> Any:
    """The cluster with the highest cosine, the older of equals, and that cosine. Clears `dots`.

    Clusters that share next to nothing are passed over, to save measuring them.
    """
    best, highest = NONE, 0.0
    for cluster in touched:
        dot, dots[cluster] = dots[cluster], 0.0
        if cluster == besides or dot < LEAST_SHARED * length * length:
            continue
        cosine = dot / (length * length_of(table, clusters, cluster))
        if cosine > highest or (cosine == highest and older(clusters, cluster, best)):
            best, highest = cluster, cosine
    return best, highest


@njit(cache=True)
def older(clusters: Any, one: int, other: int) -> Any:
    """Whether a cluster was born before another; of the same bucket, that with the lower id."""
    if clusters.born[one] != clusters.born[other]:
        return clusters.born[one] < clusters.born[other]
    return clusters.ids[one] < clusters.ids[other]


@njit(cache=True)
def rates_elsewhere(table: Any, clusters: Any, ids: Any, texts: float, bucket: int, log_decay: float) -> Any:
    """For each cluster, the share of all texts that hold its rarest core term but are not its own.

    No more of what the cluster is about can have been there without it. A core term is one that half of the
    cluster's texts hold. texts: discounted texts so far. ids: in order.
    """
    rates = np.ones(ids.size)
    for cluster in range(clusters.ids.size):
        place = np.searchsorted(ids, clusters.ids[cluster])
        if clusters.ids[cluster] == 0 or place == ids.size or ids[place] != clusters.ids[cluster]:
            continue
        for slot in range(MOST_TERMS):
            count = clusters.counts[cluster, slot]
            if clusters.terms[cluster, slot] == 0 or count < CORE * clusters.texts[cluster]:
                continue
            term = find(table.ids, clusters.terms[cluster, slot])
            known = table.texts[term] * math.exp((bucket - table.last[term]) * log_decay)
            rates[place] = min(rates[place], max(0.0, known - count) / texts)
    return rates


@njit(cache=True)
def clear(table: Any, clusters: Any, cluster: int) -> None:
    """Forget a cluster."""
    for slot in range(MOST_TERMS):
        feature = clusters.terms[cluster, slot]
        if feature != 0:
            place = find(table.ids, feature)
            unlink(table.head, clusters.following, clusters.preceding, place, cluster * MOST_TERMS + slot)
        clusters.terms[cluster, slot], clusters.counts[cluster, slot] = 0, 0.0
    for turn in range(RECENT):
        clusters.recent[cluster, turn] = 0
    clusters.ids[cluster] = 0
    clusters.members[cluster] = 0
    clusters.texts[cluster] = 0.0


@njit(cache=True)
def vacant(table: Any, clusters: Any, bucket: int, log_decay: float) -> int:
    """An empty place, made by forgetting the cluster of least weight, the youngest of equals, if need be."""
    least, weight = 0, math.inf
    for cluster in range(clusters.ids.size):
        if clusters.ids[cluster] == 0:
            return cluster
        now = clusters.texts[cluster] * math.exp((bucket - clusters.last[cluster]) * log_decay)
        if now < weight or (now == weight and older(clusters, least, cluster)):
            least, weight = cluster, now
    clear(table, clusters, least)
    return least


@njit(cache=True)
def slot_for(table: Any, clusters: Any, cluster: int, feature: Any, count: float) -> Any:
    """Slot that holds the feature, or an empty one, or that of the term heard least, if heard less.

    Of terms heard as often in the cluster, the one that is rarer elsewhere goes: it is less likely to come
    again. NONE for a feature that tells nothing, or where every term is heard more.
    """
    terms, counts = clusters.terms[cluster], clusters.counts[cluster]
    empty = NONE
    for slot in range(MOST_TERMS):
        if terms[slot] == feature:
            return slot
        if terms[slot] == 0 and empty == NONE:
            empty = slot
    place = find(table.ids, feature)
    if table.weight[place] == 0.0:
        return NONE
    if empty == NONE:
        empty, heard, rare = _heard_least(table, terms, counts)
        if heard > count or (heard == count and rare <= table.weight[place]):
            return NONE
        old = find(table.ids, terms[empty])
        unlink(table.head, clusters.following, clusters.preceding, old, cluster * MOST_TERMS + empty)
        for turn in range(RECENT):
            clusters.recent[cluster, turn] &= ~(_ONE << np.uint64(empty))
    terms[empty], counts[empty] = feature, 0.0
    link(table.head, clusters.following, clusters.preceding, place, cluster * MOST_TERMS + empty)
    return empty


@njit(cache=True)
def _heard_least(table: Any, terms: Any, counts: Any) -> Any:
    """Slot of the term heard least, its count and its weight; a term that tells nothing counts 0."""
    least, heard, rare = 0, math.inf, 0.0
    for slot in range(MOST_TERMS):
        weight = table.weight[find(table.ids, terms[slot])]
        count = counts[slot] if weight > 0.0 else 0.0
        rarer = weight > rare or (weight == rare and terms[slot] < terms[least])
        if count < heard or (count == heard and rarer):
            least, heard, rare = slot, count, weight
    return least, heard, rare


@njit(cache=True)
def remember(clusters: Any, cluster: int, mask: Any) -> None:
    """One more member, by the slots it holds."""
    clusters.recent[cluster, clusters.members[cluster] % RECENT] = mask
    clusters.members[cluster] += 1


@njit(cache=True)
def bring_up(clusters: Any, cluster: int, bucket: int, log_decay: float) -> None:
    """Discount a cluster to the bucket."""
    if clusters.last[cluster] != bucket:
        decay = math.exp((bucket - clusters.last[cluster]) * log_decay)
        clusters.texts[cluster] *= decay
        for slot in range(MOST_TERMS):
            clusters.counts[cluster, slot] *= decay
        clusters.last[cluster] = bucket


@njit(cache=True)
def _join(table: Any, clusters: Any, cluster: int, text: Any, bucket: int, log_decay: float) -> None:
    bring_up(clusters, cluster, bucket, log_decay)
    clusters.texts[cluster] += 1.0
    mask = np.uint64(0)
    for feature in text:
        slot = slot_for(table, clusters, cluster, feature, 1.0)
        if slot != NONE:
            clusters.counts[cluster, slot] += 1.0
            mask |= _ONE << np.uint64(slot)
    remember(clusters, cluster, mask)


@njit(cache=True)
def _birth_id(text: Any, bucket: int) -> Any:
    value = np.uint64(bucket)
    for feature in text:
        value = mix(value, feature)
    born = finish(value, _CLUSTER)
    return born if born != 0 else np.uint64(4)


@njit(cache=True)
def assign(
    table: Any,
    clusters: Any,
    offsets: Any,
    features: Any,
    bucket: int,
    threshold: float,
    log_decay: float,
    assigned: Any,
) -> None:
    """Let each text join its nearest cluster, or begin one; writes cluster ids, 0 for texts without words.

    Each text's features are distinct and increase; all are in the table.
    """
    most = clusters.ids.size
    dots, touched = np.zeros(most), np.empty(most, np.int64)
    for i in range(offsets.size - 1):
        text = features[offsets[i] : offsets[i + 1]]
        length = 0.0
        for feature in text:
            length += table.weight[find(table.ids, feature)] ** 2
        if length == 0.0:
            assigned[i] = 0
            continue
        length = math.sqrt(length)
        met = overlaps(table, clusters, text, np.ones(text.size), dots, touched)
        cluster, cosine = nearest(table, clusters, length, dots, touched[:met], NONE)
        if cluster == NONE or cosine < threshold:
            cluster = vacant(table, clusters, bucket, log_decay)
            clusters.ids[cluster] = _birth_id(text, bucket)
            clusters.born[cluster], clusters.last[cluster] = bucket, bucket
        _join(table, clusters, cluster, text, bucket, log_decay)
        assigned[i] = clusters.ids[cluster]
