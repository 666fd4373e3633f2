"""Novelty: texts that nothing yet names, clustered as they come, and clusters that gather authors."""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river.base import Clusterer

from detectors import _novelty_features as heard_features
from detectors import _novelty_kernel as kernel
from detectors import _novelty_settle as settle
from detectors._emergence_state import capacity_for
from detectors._novelty_evidence import with_merges_and_splits, without_others
from detectors.emergence import Emergence, EmergenceScores
from detectors.features import feature_id

Ids = NDArray[np.uint64]
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Buckets = NDArray[np.int32]

RATIOS = (1.5, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0, 200.0)
TEXTS, LEARNED, NEXT_BUCKET, USED = range(4)


@dataclass(frozen=True, slots=True)
class NoveltyScores:
    """What one bucket says: of each text, in the order given, and of each cluster heard, in order of id.

    texts: cluster of each text, merges and splits of the bucket done; 0 where its words tell nothing.
    clusters: ids of the clusters heard. authors: distinct persons in each. evidence: natural log of the
    sequential evidence that a cluster gathers; it reaches log c in at most about one of c tests. log_e: of
    the bucket alone. since: first bucket of the running episode. observed, expected: authors since then.
    merges: rows (id that ended, older id that lives on). splits: rows (id that stays with the larger part,
    new id of the smaller part).
    """

    texts: Ids
    clusters: Ids
    authors: Counts
    evidence: Floats
    log_e: Floats
    since: Buckets
    observed: Floats
    expected: Floats
    merges: Ids
    splits: Ids


class Novelty(Clusterer):
    """Single-pass clustering of texts as sets of features, with ids that last, and a test of gathering.

    A text joins the cluster with the highest cosine between the two sets of features, each weighted by how
    few clusters hold it, if that is at least `join`; otherwise it begins a cluster. A cluster keeps
    discounted counts of at most 64 features, those heard most, and which of them its 32 latest members hold.
    At the end of a bucket, clusters whose centroids have a cosine of at least `merge` become one, and a
    cluster whose latest members fall into groups that are less near than `join` becomes two.

    An id hashes the first text's features and the bucket. Of two clusters that merge the older id lives on;
    of one that splits the larger part keeps the id, and the smaller part's hashes the old one and the bucket.

    Whether a cluster gathers is judged by `Emergence`, with clusters as features: its distinct authors
    against its own past, but no less than what was there without it. That is the share of all texts that hold
    the rarest of its core terms and are not its own; a core term is one that half of its texts hold. So a new
    cluster of an old subject is no news. A merge adds pasts and evidence up; a split shares the past out, and
    the new part has no evidence.

    Memory is bounded: at most `clusters`, the one with the fewest discounted texts making room, and between
    buckets at most `vocabulary` features beside those that clusters hold, the rarest going first. Texts of a
    bucket are taken in the order given, which therefore must be canonical, such as that of event ids; the
    features of a text may come in any order.

    Parameters
    ----------
    join
        Cosine from which on a text belongs to a cluster; in (0, 1).
    merge
        Cosine from which on two clusters are one; in (0, 1], at least `join`.
    half_life
        Buckets after which a text weighs half; at least 1.
    common
        Share of clusters above which a feature tells nothing, if more than ten hold it; in (0, 1].
    clusters
        Clusters in memory, at most; at least 1.
    vocabulary
        Features in memory beside those of clusters, at most; at least 0.
    strength, dispersion, warm_up
        See `Emergence`. A cluster of which nothing is known is expected at its base rate.

    Examples
    --------
    >>> novelty = Novelty(warm_up=0)
    >>> for text in ("gate beeps twice", "cold soup again", "gate beeps badly"):
    ...     novelty.learn_one(dict.fromkeys(text.split(), 1))
    >>> gate = novelty.predict_one({"gate": 1, "beeps": 1})
    >>> gate == novelty.predict_one({"beeps": 1}), gate == novelty.predict_one({"soup": 1})
    (True, False)

    References
    ----------
    Assenmacher, D. & Trautmann, H. (2022). Textual one-pass stream clustering with automated distance
    threshold adaption. Asian Conference on Intelligent Information and Database Systems.
    """

    def __init__(
        self,
        join: float = 0.18,
        merge: float = 0.25,
        half_life: float = 28.0,
        common: float = 0.1,
        clusters: int = 2048,
        vocabulary: int = 1 << 17,
        strength: float = 0.03,
        dispersion: float = 1.0,
        warm_up: int = 28,
    ) -> None:
        if not 0 < join < 1:
            raise ValueError(f"join is {join}; it must lie between 0 and 1")
        if not join <= merge <= 1:
            raise ValueError(f"merge is {merge}; it must lie between join, {join}, and 1")
        if not half_life >= 1:
            raise ValueError(f"half_life is {half_life} buckets; it must be at least 1")
        if not 0 < common <= 1:
            raise ValueError(f"common is {common}; it must be above 0 and at most 1")
        if not strength > 0:
            raise ValueError(f"strength is {strength} authors; it must be above 0")
        if not (clusters >= 1 and vocabulary >= 0):
            raise ValueError(f"clusters is {clusters} and vocabulary {vocabulary}; at least 1 and 0")
        self.join = join
        self.merge = merge
        self.half_life = half_life
        self.common = common
        self.clusters = clusters
        self.vocabulary = vocabulary
        self.strength = strength
        self.dispersion = dispersion
        self.warm_up = warm_up
        self._features = heard_features.empty_features(capacity_for(0))
        self._clusters = kernel.empty_clusters(clusters)
        self._totals = np.zeros(4)
        self._gathering = Emergence(ratios=RATIOS, strength=strength, dispersion=dispersion, warm_up=warm_up)

    # one text at a time, as river users know it --------------------------------------------------------

    def predict_one(self, x: dict[Hashable, Any]) -> int:
        """Cluster that a text would join or begin as the next bucket; 0 where its words tell nothing."""
        return int(self._one(x, learn=False).texts[0])

    def score_one(self, x: dict[Hashable, Any]) -> float:
        """Evidence (natural log) that the cluster of a text gathers, were it the next bucket; at least 0."""
        return max(0.0, float(self._one(x, learn=False).evidence.max(initial=0.0)))

    def learn_one(self, x: dict[Hashable, Any]) -> None:
        """Learn a text, a mapping of its words to anything but 0, by one person, as the next bucket."""
        self._one(x, learn=True)

    # a whole bucket of texts ---------------------------------------------------------------------------

    def score_many(
        self, offsets: Counts, features: Ids, people: Ids, *, bucket: int, exposure: int | None = None
    ) -> NoveltyScores:
        """Judge a bucket without learning it.

        offsets: int64, shape (texts + 1,), from 0, not decreasing: text i has `features[offsets[i] :
        offsets[i + 1]]`. features: ids, none 0; within a text each counts once. people: who wrote each text,
        shape (texts,). bucket: number of the bucket, above the last one learned. exposure: persons who wrote
        in the bucket, about whatever, at least those of `people`, which it is where absent. Raises ValueError
        where these do not hold.
        """
        return self._copy()._step(offsets, features, people, bucket, exposure)

    def learn_many(
        self, offsets: Counts, features: Ids, people: Ids, *, bucket: int, exposure: int | None = None
    ) -> NoveltyScores:
        """Learn a bucket; returns what `score_many` would have. Arguments as there."""
        return self._step(offsets, features, people, bucket, exposure)

    def restart(self, clusters: Ids) -> None:
        """Begin the evidence of some clusters anew, as after an alarm; what was learned stays."""
        self._gathering.restart(clusters)

    def terms(self, cluster: int) -> tuple[Ids, Floats]:
        """Features of a cluster and the share of its texts that hold each, the most telling first.

        Empty where the cluster is not in memory.
        """
        place = np.flatnonzero(self._clusters.ids == cluster)
        ids, counts = self._clusters.terms[place].ravel(), self._clusters.counts[place].ravel()
        ids, counts = ids[ids != 0], counts[ids != 0]
        weights = heard_features.weights_of(self._features, ids)
        order = np.lexsort((ids, -counts * weights))
        return ids[order], counts[order] / self._clusters.texts[place].sum() if ids.size else counts

    @property
    def next_bucket(self) -> int:
        """Number of the bucket after the last one learned, 0 at first."""
        return int(self._totals[NEXT_BUCKET])

    @property
    def tests_per_bucket(self) -> float:
        """Clusters judged in a bucket, on discounted average."""
        return self._gathering.tests_per_bucket

    # checkpoints -----------------------------------------------------------------------------------------

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The learned state as named arrays, features and clusters in id order."""
        features, clusters = self._features, self._clusters
        known, alive = np.flatnonzero(features.ids), np.flatnonzero(clusters.ids)
        known, alive = known[np.argsort(features.ids[known])], alive[np.argsort(clusters.ids[alive])]
        arrays = {f"feature_{name}": getattr(features, name)[known] for name in heard_features.KEPT_FEATURES}
        arrays |= {f"cluster_{name}": getattr(clusters, name)[alive] for name in kernel.KEPT_CLUSTERS}
        arrays |= {f"gathering_{name}": array for name, array in self._gathering.state_arrays().items()}
        return {**arrays, "totals": self._totals.copy()}

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` gave, into an estimator with room for as many clusters."""
        ids = arrays["feature_ids"]
        columns = {name: arrays[f"feature_{name}"] for name in heard_features.KEPT_FEATURES}
        listed = heard_features.Features(**columns, head=np.full(ids.size, heard_features.NONE, np.int32))
        self._features = heard_features.rehash(listed, np.arange(ids.size), capacity_for(ids.size))
        self._clusters = kernel.empty_clusters(self.clusters)
        for name in kernel.KEPT_CLUSTERS:
            getattr(self._clusters, name)[: arrays["cluster_ids"].size] = arrays[f"cluster_{name}"]
        kernel.link_all(self._features, self._clusters)
        prefix = "gathering_"
        self._gathering.load_state_arrays(
            {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        )
        self._totals = arrays["totals"].copy()

    # -----------------------------------------------------------------------------------------------------

    def _copy(self) -> "Novelty":
        other = self.clone()
        other.load_state_arrays(self.state_arrays())
        return other

    def _one(self, x: dict[Hashable, Any], *, learn: bool) -> NoveltyScores:
        features = np.array([feature_id(str(name)) for name, value in x.items() if value], np.uint64)
        offsets = np.array([0, features.size], np.int64)
        act = self.learn_many if learn else self.score_many
        return act(offsets, features, np.ones(1, np.uint64), bucket=self.next_bucket)

    def _step(
        self, offsets: Counts, features: Ids, people: Ids, bucket: int, exposure: int | None
    ) -> NoveltyScores:
        wrote = int(np.unique(people).size)
        exposure = wrote if exposure is None else exposure
        self._check(offsets, features, people, bucket, wrote, exposure)
        offsets, features = heard_features.as_sets(offsets, features)
        totals, log_decay = self._totals, math.log(0.5) / self.half_life
        if totals[LEARNED]:
            totals[TEXTS] *= math.exp((bucket + 1 - totals[NEXT_BUCKET]) * log_decay)
        totals[TEXTS] += people.size
        totals[LEARNED] += 1
        totals[NEXT_BUCKET] = bucket + 1
        self._features = heard_features.with_room(self._features, int(totals[USED]), features.size)
        table, clusters = self._features, self._clusters
        totals[USED] += heard_features.learn_features(
            table,
            clusters.following,
            features,
            bucket,
            np.count_nonzero(clusters.ids),
            log_decay,
            self.common,
        )
        texts = np.zeros(people.size, np.uint64)
        kernel.assign(table, clusters, offsets, features, bucket, self.join, log_decay, texts)
        merges, splits = self._settle(bucket, log_decay)
        texts = _renamed(texts, merges)
        ids, authors = _distinct(texts, people)
        judged = self._judge(ids, authors, bucket, wrote, exposure, log_decay)
        self._forget(bucket, log_decay)
        return NoveltyScores(
            texts,
            ids,
            authors,
            judged.evidence,
            judged.log_e,
            judged.since,
            judged.observed,
            judged.expected,
            merges,
            splits,
        )

    def _judge(
        self, ids: Ids, authors: Counts, bucket: int, wrote: int, exposure: int, log_decay: float
    ) -> EmergenceScores:
        """Learn and judge the authors of the clusters heard, expecting what was there without them."""
        gathering, prior = self._gathering, np.full(ids.size, self._gathering.base_rate)
        texts = float(self._totals[TEXTS])
        elsewhere = kernel.rates_elsewhere(self._features, self._clusters, ids, texts, bucket, log_decay)
        elsewhere *= wrote / max(1, exposure)
        own = gathering.score_many(ids, authors, exposure=exposure, bucket=bucket, prior=prior).rate
        return gathering.learn_many(
            ids,
            authors,
            exposure=exposure,
            bucket=bucket,
            prior=prior,
            season=np.maximum(1.0, elsewhere / own),
        )

    def _settle(self, bucket: int, log_decay: float) -> tuple[Ids, Ids]:
        """Merge and split the clusters heard in the bucket, in order of birth."""
        table, clusters = self._features, self._clusters
        heard = np.flatnonzero((clusters.ids != 0) & (clusters.last == bucket))
        heard = heard[np.lexsort((clusters.ids[heard], clusters.born[heard]))]
        merges, splits = np.zeros((2, heard.size, 2), np.uint64)
        shares = np.zeros(heard.size)
        merged = settle.merge_all(table, clusters, heard, bucket, self.merge, log_decay, merges)
        split = settle.split_all(
            table, clusters, heard, bucket, self.join, self.merge, log_decay, splits, shares
        )
        if merged or split:
            self._gathering = with_merges_and_splits(
                self._gathering, merges[:merged], splits[:split], shares[:split]
            )
        return merges[:merged], splits[:split]

    def _forget(self, bucket: int, log_decay: float) -> None:
        """Drop the rarest features where there are too many, and evidence of clusters that are forgotten."""
        table = self._features
        loose = np.flatnonzero((table.ids != 0) & (table.head == heard_features.NONE))
        if loose.size > self.vocabulary:
            heard = heard_features.faded(table.texts[loose], table.last[loose], bucket, log_decay)
            rarest = loose[np.lexsort((table.ids[loose], heard))][: loose.size - self.vocabulary]
            kept = np.setdiff1d(np.flatnonzero(table.ids), rarest)
            self._features = heard_features.rehash(table, kept, capacity_for(kept.size))
            self._totals[USED] = kept.size
        if self._gathering.features > 2 * self.clusters:
            self._gathering = without_others(self._gathering, self._clusters.ids)

    def _check(
        self, offsets: Counts, features: Ids, people: Ids, bucket: int, wrote: int, exposure: int
    ) -> None:
        if offsets.size != people.size + 1:
            raise ValueError(
                f"{people.size} people but {offsets.size} offsets; there must be one more of these"
            )
        if offsets[0] != 0 or offsets[-1] != features.size or (np.diff(offsets) < 0).any():
            raise ValueError(f"offsets must rise from 0 to the number of features, {features.size}")
        if not features.all():
            raise ValueError("features hold 0, which is no id")
        if self._totals[LEARNED] and bucket < self.next_bucket:
            raise ValueError(f"bucket is {bucket}; buckets up to {self.next_bucket - 1} are learned already")
        if exposure < wrote:
            raise ValueError(
                f"exposure is {exposure} persons, but {wrote} wrote the texts; it must be as many"
            )


def _renamed(texts: Ids, merges: Ids) -> Ids:
    """Cluster of each text after merges, which come in order."""
    for ended, kept in merges:
        texts[texts == ended] = kept
    return texts


def _distinct(texts: Ids, people: Ids) -> tuple[Ids, Counts]:
    """Clusters heard, in order of id, and the distinct persons in each."""
    order = np.lexsort((people, texts))
    texts, people = texts[order], people[order]
    first = np.ones(texts.size, bool)
    first[1:] = (texts[1:] != texts[:-1]) | (people[1:] != people[:-1])
    ids, authors = np.unique(texts[first & (texts != 0)], return_counts=True)
    return ids, authors.astype(np.int64)
