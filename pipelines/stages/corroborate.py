"""corroborate: candidates -> stories. One situation is one story, with one owner, however many words it has.

Within a bucket, candidates carried by the same events are one cluster, whatever their feature or level.
A cluster belongs to the smallest perimeter that explains it. A cluster that shares events with a story
that lives is that story, grown; one that spreads over siblings of the story's owner starts a story at their
parent, of which the first becomes a part.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from pipelines.stages.detect import Detection
from pipelines.stages.finds import Found
from pipelines.stages.teaching import EMERGENCE, NOTHING_TAUGHT, Teaching, ThresholdWeights
from pipelines.stages.topics import COMMON

SAME_STORY = 0.5
NOT_A_PART = 0.25
"""Share of the smaller and of the larger support that two candidates of one story have in common at least."""
JOINS = 1 / 3
"""Share of a new cluster's events that must be a living story's for the cluster to be part of it."""
JOINS_CLEARLY = 1 / 4
"""The same where what they have in common is no chance."""
LEAST_JOINT = 2
"""Events at least, where one that says both may be chance."""
BY_CHANCE = 0.05
"""Events that say both by chance, expected, up to which what says both is no chance, were it one."""
MOSTLY = 0.75
"""A child that holds this share of the support explains it: the signal is the child's."""
KIND = EMERGENCE


@dataclass(frozen=True, slots=True)
class Candidate:
    """A flagged feature with the events that carry it, by event id."""

    bucket: int
    perimeter: str
    feature: int
    evidence: float
    threshold: float
    expected: float
    since: int
    history: int
    texts: int
    support: Mapping[bytes, Mapping[str, Any]]

    @property
    def observed(self) -> int:
        """Distinct authors who carry it."""
        return len({row["person"] for row in self.support.values()})


@dataclass(slots=True)
class Story:
    """A signal over its life. `born` is the candidate that raised it; `features` maps to best evidence.

    seeds, topic: features that it was born with, and those that tell what it is about.
    """

    story_id: str
    owner: str
    born: Candidate
    last_bucket: int
    evidence: float
    seeds: frozenset[int]
    features: dict[int, float] = field(default_factory=dict)
    support: dict[bytes, Mapping[str, Any]] = field(default_factory=dict)
    topic: frozenset[int] = frozenset()
    part_of: str | None = None

    def grow(self, cluster: "Cluster") -> None:
        """Take in a cluster of a later bucket (or of the bucket of birth)."""
        self.last_bucket = cluster.bucket
        for candidate in cluster.candidates:
            best = self.features.get(candidate.feature, candidate.evidence)
            self.features[candidate.feature] = max(best, candidate.evidence)
            self.evidence = max(self.evidence, candidate.evidence)
        self._add(cluster.support)

    def hear(self, mention: "Mention") -> None:
        """Take in later events with one of its features."""
        if self._add(mention.support):
            self.last_bucket = mention.bucket

    def _add(self, support: Mapping[bytes, Mapping[str, Any]]) -> bool:
        mine = {key: row for key, row in support.items() if within(row["event_perimeter"], self.owner)}
        self.support = {**mine, **self.support}
        return bool(mine)


@dataclass(frozen=True, slots=True)
class Mention:
    """A feature heard again after it was flagged, with the events of the bucket, by event id."""

    bucket: int
    feature: int
    support: Mapping[bytes, Mapping[str, Any]]


@dataclass(slots=True)
class Cluster:
    """Candidates of one bucket that the same events carry, the strongest first."""

    bucket: int
    candidates: list[Candidate]

    @property
    def support(self) -> dict[bytes, Mapping[str, Any]]:
        together: dict[bytes, Mapping[str, Any]] = {}
        for candidate in self.candidates:
            together.update(candidate.support)
        return together

    @property
    def topic(self) -> frozenset[int]:
        """What at least half of the events, and few other texts, say."""
        told = {
            (event, feature)
            for candidate in self.candidates
            for event, row in candidate.support.items()
            for feature in row["topic"]
        }
        said = Counter(feature for _, feature in told)
        return frozenset(feature for feature, times in said.items() if times >= COMMON * len(self.support))


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a cluster, for those who ask why. descent: perimeters from the widest candidate's
    down to the owner. story: None where the owner, who dismissed the like, asks for more evidence. born:
    whether the story began with it. parts: ids of stories that became part of it.
    """

    cluster: Cluster
    descent: list[str]
    story: Story | None
    born: bool
    parts: list[str]


@dataclass(slots=True)
class Corroboration:
    """What corroboration carries along: stories that live, and those that ended."""

    living: list[Story] = field(default_factory=list)
    ended: list[Story] = field(default_factory=list)

    @property
    def stories(self) -> list[Story]:
        """All stories, in order of birth."""
        return sorted((*self.ended, *self.living), key=lambda story: (story.born.bucket, story.story_id))


def corroborate(
    found: Iterable[Found],
    state: Corroboration,
    detection: Detection,
    teaching: Teaching = NOTHING_TAUGHT,
    placed: list[Placed] | None = None,
) -> None:
    """Take in the candidates of some buckets, later than all before. Changes `state`.

    A cluster begins a story only where it has the evidence that its owner asks for, if it dismissed the like:
    a wider perimeter that judged it may ask for less. placed: takes what became of each cluster.
    """
    for bucket, (candidates, mentions) in _by_bucket(found, detection.min_authors):
        alive = [story for story in state.living if story.last_bucket > bucket - detection.window]
        state.ended += [story for story in state.living if story.last_bucket <= bucket - detection.window]
        state.living = alive
        for cluster in _clusters(bucket, candidates):
            one = _place(cluster, state, detection, teaching.at(bucket))
            if placed is not None:
                placed.append(one)
        for mention in mentions:
            for story in state.living:
                if story.part_of is None and mention.feature in story.features:
                    story.hear(mention)


def within(perimeter: str, ancestor: str) -> bool:
    """Whether a path is the ancestor's or below it.

    >>> within("a/b/c", "a/b"), within("a/bc", "a/b")
    (True, False)
    """
    return perimeter == ancestor or perimeter.startswith(ancestor + "/")


def _by_bucket(
    found: Iterable[Found], min_authors: int
) -> Iterator[tuple[int, tuple[list[Candidate], list[Mention]]]]:
    """Candidates with enough authors, and mentions, by bucket; support without a candidate is a mention."""
    parts = list(found)
    support: dict[tuple[int, str, int], dict[bytes, Mapping[str, Any]]] = {}
    for part in parts:
        for row in part.support.to_pylist():
            key = (row["bucket"], row["perimeter"], row["feature"])
            support.setdefault(key, {})[row["event_id"]] = row
    buckets: dict[int, tuple[list[Candidate], list[Mention]]] = {}
    for part in parts:
        for row in part.candidates.to_pylist():
            rows = support.pop((row["bucket"], row["perimeter"], row["feature"]), {})
            candidate = Candidate(**row, support=dict(sorted(rows.items())))
            if candidate.observed >= min_authors:
                buckets.setdefault(candidate.bucket, ([], []))[0].append(candidate)
    for (bucket, _, feature), rows in sorted(support.items()):
        buckets.setdefault(bucket, ([], []))[1].append(Mention(bucket, feature, rows))
    yield from sorted(buckets.items(), key=lambda item: item[0])


def _clusters(bucket: int, candidates: list[Candidate]) -> list[Cluster]:
    """Group candidates, strongest first; each joins the first cluster whose strongest shares its events."""
    clusters: list[Cluster] = []
    order = sorted(
        candidates, key=lambda one: (-one.evidence, one.perimeter.count("/"), one.perimeter, one.feature)
    )
    for candidate in order:
        for cluster in clusters:
            if _alike(candidate.support.keys(), cluster.candidates[0].support.keys()):
                cluster.candidates.append(candidate)
                break
        else:
            clusters.append(Cluster(bucket, [candidate]))
    return clusters


def _alike(one: Any, other: Any) -> bool:
    common = len(one & other)
    sizes = sorted((len(one), len(other)))
    return common >= SAME_STORY * sizes[0] and common >= NOT_A_PART * sizes[1]


def _place(cluster: Cluster, state: Corroboration, detection: Detection, weights: ThresholdWeights) -> Placed:
    descent = _descent(cluster, detection.min_authors)
    owner = descent[-1]
    support = cluster.support
    near = [
        story
        for story in state.living
        if story.part_of is None and (within(owner, story.owner) or within(story.owner, owner))
    ]
    # What has events in common is nearer than what is about the same.
    related = [story for story in near if _same(cluster, support, story)]
    related = related or [story for story in near if cluster.topic & story.topic]
    home = next((story for story in related if within(owner, story.owner)), None)
    born = home is None
    if home is None:
        if not _is_enough(cluster, owner, weights):
            return Placed(cluster, descent, None, born=False, parts=[])
        home = _birth(cluster, owner)
        state.living.append(home)
    home.grow(cluster)
    parts = [story for story in related if story is not home and within(story.owner, home.owner)]
    for story in parts:
        story.part_of = home.story_id
    return Placed(cluster, descent, home, born, [story.story_id for story in parts])


def _is_enough(cluster: Cluster, owner: str, weights: ThresholdWeights) -> bool:
    """Whether one of the candidates has the evidence that the owner asks for."""
    return any(
        one.evidence >= one.threshold + weights.excess(owner, one.feature, one.perimeter)
        for one in cluster.candidates
    )


def _same(cluster: Cluster, support: Mapping[bytes, Any], story: Story) -> bool:
    """Enough of the events are the story's already, or say a word that it was born with."""
    theirs = dict(story.support)
    for candidate in cluster.candidates:
        if candidate.feature in story.seeds:
            theirs.update(candidate.support)
    common, size = len(support.keys() & theirs.keys()), len(support)
    if _by_chance(cluster, support, theirs) <= BY_CHANCE:
        return common >= max(1, JOINS_CLEARLY * size)
    return common >= max(LEAST_JOINT, JOINS * size)


def _by_chance(
    cluster: Cluster, support: Mapping[bytes, Mapping[str, Any]], theirs: Mapping[bytes, Mapping[str, Any]]
) -> float:
    """Events of a cluster that would be a story's too if its words and the story's fell on texts at random.

    Infinite where it is not known how many texts there were.
    """
    widest = max(cluster.candidates, key=lambda one: one.texts)
    lately = sum(row["event_bucket"] >= widest.since for row in theirs.values())
    return len(support) * lately / widest.texts if widest.texts else math.inf


def _descent(cluster: Cluster, min_authors: int) -> list[str]:
    """From the perimeter of the cluster's widest candidate to the smallest that holds most of its support."""
    widest = min(
        cluster.candidates, key=lambda one: (one.perimeter.count("/"), -len(one.support), one.feature)
    )
    descent = [widest.perimeter]
    while True:
        owner = descent[-1]
        depth = owner.count("/") + 1
        children = Counter(
            "/".join(row["event_perimeter"].split("/")[: depth + 1])
            for row in widest.support.values()
            if row["event_perimeter"].count("/") >= depth
        )
        if not children:
            return descent
        child, size = min(children.items(), key=lambda item: (-item[1], item[0]))
        if size < MOSTLY * len(widest.support) or size < min_authors:
            return descent
        descent.append(child)


def _birth(cluster: Cluster, owner: str) -> Story:
    at_owner = [one for one in cluster.candidates if one.perimeter == owner]
    born = at_owner[0] if at_owner else cluster.candidates[0]
    seeds = frozenset(one.feature for one in cluster.candidates)
    name = f"{owner}\n{cluster.bucket}\n{KIND}\n{','.join(f'{seed:016x}' for seed in sorted(seeds))}"
    story_id = blake2b(name.encode(), digest_size=16).hexdigest()
    return Story(story_id, owner, born, cluster.bucket, born.evidence, seeds, topic=cluster.topic)
