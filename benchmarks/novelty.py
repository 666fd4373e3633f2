"""Novelty: how pure clusters of real titles are and how fast, beside river's TextClust; topics that gather.

Titles in the order they were published, 100 a bucket, each with the topic it belongs to. TextClust takes one
at a time, at its defaults and at the radius nearest to our threshold; it is measured on the first titles
only, and ours on those too. Gathering: buckets of 200 titles drawn at random from other topics, into which
ten topics begin at known buckets; the same with none; beside it the same test of single words instead of
clusters. Parameters were chosen on streams of seeds 1 to 18; here they come from seed 1,001 on.
"""

import json
import math
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._report import Figure, Options, Report, Row, main
from detectors.emergence import Emergence
from detectors.features import feature_id, pair_id
from detectors.novelty import Novelty

NEWS = Path(__file__).parents[2] / "shared" / "data" / "news_topics" / "news_t.jsonl"
A_BUCKET = 100
PEER_TITLES, QUICK_PEER_TITLES = 4_000, 1_500
SEED, STREAMS, QUICK_STREAMS = 1_001, 6, 2
BUCKETS, BACKGROUND, QUIET, TOPICS, LIVES = 160, 200, 40, 10, 40
SMALLEST_TOPIC = 40
BUDGET = 365 / 0.25
"""Days for one false alert."""

Ids = NDArray[np.uint64]
Days = list[list[int]]
"""Numbers of the titles of each bucket."""


@dataclass(frozen=True, slots=True)
class Titles:
    """topics: label of each. words: of each, distinct ids in order; pairs: the same with word pairs."""

    texts: Sequence[str]
    topics: NDArray[np.int64]
    words: Sequence[Ids]
    pairs: Sequence[Ids]


@dataclass(frozen=True, slots=True)
class Signal:
    """A flag: its bucket, the cluster or word, and the topics of the titles that carried it lately."""

    bucket: int
    name: int
    carried: Counter[int]


def run(asked: Options) -> Report:
    """Rows of clustering, then of gathering."""
    if not NEWS.exists():
        return Report("novelty", [{"": f"{NEWS} is not there: nothing measured"}], [])
    titles = read()
    part = QUICK_PEER_TITLES if asked.quick else PEER_TITLES
    clustered = [
        _clustering("ours, words", ours, titles, titles.words, len(titles.texts)),
        _clustering("ours, words and pairs", ours, titles, titles.pairs, len(titles.texts)),
        _clustering("ours, words", ours, titles, titles.words, part),
        _clustering("river TextClust", textclust, titles, {}, part),
        _clustering("river TextClust, radius .8", textclust, titles, {"radius": 0.8}, part),
    ]
    seeds = range(SEED, SEED + (QUICK_STREAMS if asked.quick else STREAMS))
    gathered = [
        _gathering(name, play, titles, rate, seeds)
        for rate in (1.0, 3.0)
        for name, play in (("ours, words", play_clusters), ("Emergence of words", play_words))
    ]
    columns = dict.fromkeys([*clustered[0], *gathered[0]])
    rows = [{**columns, **row} for row in (*clustered, *gathered)]
    return Report("novelty: titles by topic", rows, _figures(clustered, gathered), NOTES)


NOTES = [
    "purity: share of titles whose cluster has their topic most; NMI: normalised mutual information.",
    "signals a topic: clusters or words flagged, of each found. false: flags of nothing injected, a stream.",
    "silent: flags where nothing was injected, a stream of 160 days; the budget, one in four years, is .11.",
]


def read() -> Titles:
    """All titles."""
    rows = [json.loads(line) for line in NEWS.read_text("utf-8").splitlines()]
    texts = [row["textCleaned"] for row in rows]
    words = [[feature_id(word) for word in text.split()] for text in texts]
    pairs = [[pair_id(a, b) for a, b in pairwise(ids)] for ids in words]
    return Titles(
        texts,
        np.array([row["clusterNo"] for row in rows]),
        [np.unique(np.array(ids, np.uint64)) for ids in words],
        [np.unique(np.array(one + two, np.uint64)) for one, two in zip(words, pairs, strict=True)],
    )


# clustering -----------------------------------------------------------------------------------------------


def ours(_: Titles, features: Sequence[Ids], count: int) -> tuple[list[int], float]:
    """Cluster of each title, merges followed, and the CPU seconds it took."""
    _learn(Novelty(), features[:2], 0)
    novelty, clusters, into = Novelty(), [], {}
    seconds = 0.0
    for bucket, start in enumerate(range(0, count, A_BUCKET)):
        began = time.process_time()
        scores = _learn(novelty, features[start : min(count, start + A_BUCKET)], bucket)
        seconds += time.process_time() - began
        clusters += scores.texts.tolist()
        into.update(scores.merges.tolist())
    return [_last(into, cluster) for cluster in clusters], seconds


def textclust(titles: Titles, parameters: dict[str, Any], count: int) -> tuple[list[int], float]:
    """The same of river's TextClust; only learning is timed."""
    from river.cluster import TextClust

    make: Any = TextClust
    model = make(real_time_fading=False, **parameters)
    clusters: list[int] = []
    into: dict[int, int] = {}
    seconds = 0.0
    for text in titles.texts[:count]:
        words = dict(Counter(text.split()))
        began = time.process_time()
        model.learn_one(words)
        seconds += time.process_time() - began
        clusters.append(model.predict_one(words))
        for name, cluster in model.micro_clusters.items():
            into.update(dict.fromkeys(set(cluster.merged_ids) - {name}, name))
    return [_last(into, cluster) for cluster in clusters], seconds


def _learn(novelty: Novelty, features: Sequence[Ids], bucket: int) -> Any:
    offsets = np.cumsum([0, *(text.size for text in features)])
    people = np.arange(len(features), dtype=np.uint64)
    return novelty.learn_many(offsets, np.concatenate(features), people, bucket=bucket)


def _last(into: dict[int, int], cluster: int) -> int:
    while cluster in into:
        cluster = into[cluster]
    return cluster


def _clustering(name: str, method: Callable[..., Any], titles: Titles, given: Any, count: int) -> Row:
    from sklearn.metrics import normalized_mutual_info_score

    clusters, seconds = method(titles, given, count)
    numbers = np.unique(clusters, return_inverse=True)[1]
    topics = titles.topics[:count].tolist()
    members: dict[int, Counter[int]] = defaultdict(Counter)
    for cluster, topic in zip(clusters, topics, strict=True):
        members[cluster][topic] += 1
    pure = sum(counts.most_common(1)[0][1] for counts in members.values())
    return {
        "method": name,
        "titles": count,
        "texts/CPU s": count / seconds,
        "clusters": len(members),
        "purity": pure / count,
        "NMI": float(normalized_mutual_info_score(topics, numbers)),
    }


# gathering ------------------------------------------------------------------------------------------------


def stream(titles: Titles, seed: int, rate: float) -> tuple[Days, dict[int, int]]:
    """Buckets of titles, and the first bucket of each topic injected, none at rate 0."""
    chance = np.random.default_rng(seed)
    sizes = np.bincount(titles.topics)
    held = chance.choice(np.flatnonzero(sizes >= SMALLEST_TOPIC), TOPICS, replace=False)
    others = np.flatnonzero(~np.isin(titles.topics, held))
    days = [chance.choice(others, BACKGROUND, replace=False).tolist() for _ in range(BUCKETS)]
    begins: dict[int, int] = {}
    if rate == 0:
        return days, begins
    for topic in held.tolist():
        begins[topic] = QUIET + int(chance.integers(0, BUCKETS - QUIET - LIVES))
        own = iter(chance.permutation(np.flatnonzero(titles.topics == topic)).tolist())
        for bucket in range(begins[topic], begins[topic] + LIVES):
            days[bucket] += [title for _, title in zip(range(chance.poisson(rate)), own, strict=False)]
    return [sorted(day) for day in days], begins


def play_clusters(titles: Titles, days: Days) -> list[Signal]:
    """Flags of clusters that gather."""
    novelty = Novelty()
    carried: dict[int, list[tuple[int, int]]] = defaultdict(list)
    signals: list[Signal] = []
    for bucket, day in enumerate(days):
        threshold = math.log(max(1.0, novelty.tests_per_bucket) * BUDGET)
        scores = _learn(novelty, [titles.words[title] for title in day], bucket)
        for ended, kept in scores.merges.tolist():
            carried[kept] += carried.pop(ended, [])
        for title, cluster in zip(day, scores.texts.tolist(), strict=True):
            carried[cluster].append((bucket, int(titles.topics[title])))
        flagged = scores.clusters[scores.evidence >= threshold]
        novelty.restart(flagged)
        signals += [_signal(bucket, cluster, carried[cluster]) for cluster in flagged.tolist()]
    return signals


def play_words(titles: Titles, days: Days) -> list[Signal]:
    """Flags of words that more titles hold than before."""
    emergence = Emergence(ratios=(1.5, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0, 200.0))
    carried: dict[int, list[tuple[int, int]]] = defaultdict(list)
    signals: list[Signal] = []
    for bucket, day in enumerate(days):
        threshold = math.log(max(1.0, emergence.tests_per_bucket) * BUDGET)
        words, counts = np.unique(np.concatenate([titles.words[title] for title in day]), return_counts=True)
        scores = emergence.learn_many(words, counts, exposure=len(day), bucket=bucket)
        for title in day:
            for word in titles.words[title].tolist():
                carried[word].append((bucket, int(titles.topics[title])))
        flagged = words[scores.evidence >= threshold]
        emergence.restart(flagged)
        signals += [_signal(bucket, word, carried[word]) for word in flagged.tolist()]
    return signals


def _signal(bucket: int, name: int, carried: list[tuple[int, int]]) -> Signal:
    lately = [topic for when, topic in carried if when > bucket - LIVES // 2]
    return Signal(bucket, name, Counter(lately))


def _gathering(
    name: str, play: Callable[[Titles, Days], list[Signal]], titles: Titles, rate: float, seeds: range
) -> Row:
    before: list[int] = []
    flags = false = silent = 0
    for seed in seeds:
        silent += len(play(titles, stream(titles, seed, 0)[0]))
        days, begins = stream(titles, seed, rate)
        found: dict[int, int] = {}
        named: set[tuple[int, int]] = set()
        for signal in play(titles, days):
            topic, count = signal.carried.most_common(1)[0]
            if topic not in begins or 2 * count < signal.carried.total():
                false += 1
                continue
            named.add((topic, signal.name))
            heard = [title for day in days[: signal.bucket + 1] for title in day]
            found.setdefault(topic, int((titles.topics[heard] == topic).sum()))
        before += found.values()
        flags += len(named)
    return {
        "method": f"{name}, {rate:.0f} of {BACKGROUND}",
        "found %": 100 * len(before) / (TOPICS * len(seeds)),
        "titles before": statistics.median(before) if before else None,
        "signals a topic": flags / len(before) if before else None,
        "false": false / len(seeds),
        "silent": silent / len(seeds),
    }


def _figures(clustered: Sequence[Row], gathered: Sequence[Row]) -> list[Figure]:
    def value(row: Row, column: str) -> float:
        number = row[column]
        return float(number) if isinstance(number, (int, float)) else math.nan

    peers = clustered[3:]
    return [
        Figure("texts a second, words", value(clustered[0], "texts/CPU s"), "texts/CPU s", 20_000),
        Figure(
            "NMI on the same titles", value(clustered[2], "NMI"), "", max(value(row, "NMI") for row in peers)
        ),
        Figure("topics found, 3 of 200", value(gathered[2], "found %"), "%", 75),
        Figure(
            "false flags, nothing injected",
            statistics.mean(value(row, "silent") for row in (gathered[0], gathered[2])),
            "a stream",
            0.13,
            at_least=False,
        ),
        Figure("signals a topic found", value(gathered[2], "signals a topic"), "", 1.2, at_least=False),
    ]


if __name__ == "__main__":
    main("novelty", __doc__ or "", run)
