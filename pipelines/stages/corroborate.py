"""corroborate: candidates -> stories. One situation is one story, with one owner, however many words it has.

Within a bucket, candidates carried by the same events are one cluster, whatever their feature or level.
A cluster belongs to the smallest perimeter that explains it. A cluster that shares events with a story
that lives is that story, grown; one that spreads over siblings of the story's owner starts a story at their
parent, of which the first becomes a part.

What an early look raises is a story already, under the id that it keeps. The closes of the days that it saw
decide: it is confirmed by a cluster that is the same, or not sustained. A look changes no story that a close
raised or confirmed.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from pipelines.stages.detect import Detection
from pipelines.stages.finds import Found
from pipelines.stages.looks import NO_TICK
from pipelines.stages.story import KIND, NOT_SUSTAINED, Candidate, Cluster, Mention, Moment, Story, within
from pipelines.stages.teaching import NOTHING_TAUGHT, Teaching, ThresholdWeights

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

    def bury(self, bucket: int, window: int) -> None:
        """End the stories that were silent for the window before a bucket, or that no close confirmed."""
        living, self.living = self.living, []
        for story in living:
            over = story.last_bucket <= bucket - window or story.standing(bucket - 1) == NOT_SUSTAINED
            (self.ended if over else self.living).append(story)


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
    for moment, (candidates, mentions) in _by_moment(found, detection.min_authors):
        bucket, tick = moment
        if tick > NO_TICK:
            state.bury(bucket + 1, detection.window)
            _look(candidates, moment, state, detection, teaching)
            continue
        state.bury(bucket, detection.window)
        for cluster in _clusters(bucket, candidates):
            one = _place(cluster, moment, state, detection, teaching.at(bucket))
            if placed is not None:
                placed.append(one)
        for mention in mentions:
            for story in state.living:
                if story.part_of is None and mention.feature in story.features:
                    story.hear(mention, moment)


def _by_moment(
    found: Iterable[Found], min_authors: int
) -> Iterator[tuple[Moment, tuple[list[Candidate], list[Mention]]]]:
    """Candidates with enough authors, and mentions, by moment; support of a close without a candidate is a
    mention."""
    parts = list(found)
    moments: dict[Moment, tuple[list[Candidate], list[Mention]]] = {}
    for bucket, told in _by_bucket(parts, min_authors).items():
        moments[bucket, NO_TICK] = told
    for candidate, moment in _early(parts):
        if candidate.observed >= min_authors:
            moments.setdefault(moment, ([], []))[0].append(candidate)
    yield from sorted(moments.items(), key=lambda item: item[0])


def _early(parts: Sequence[Found]) -> Iterator[tuple[Candidate, Moment]]:
    """The candidates of looks."""
    support: dict[tuple[Moment, str, int], dict[bytes, Mapping[str, Any]]] = {}
    for part in parts:
        for row in part.early.support.to_pylist():
            moment = row.pop("closed"), row.pop("tick")
            support.setdefault((moment, row["perimeter"], row["feature"]), {})[row["event_id"]] = row
    for part in parts:
        for row in part.early.candidates.to_pylist():
            moment = row.pop("closed"), row.pop("tick")
            rows = support.get((moment, row["perimeter"], row["feature"]), {})
            yield Candidate(**row, support=dict(sorted(rows.items()))), moment


def _by_bucket(parts: Sequence[Found], min_authors: int) -> dict[int, tuple[list[Candidate], list[Mention]]]:
    """Those of closes."""
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
    return buckets


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


def _related(cluster: Cluster, owner: str, state: Corroboration) -> tuple[list[Story], Story | None]:
    """The living stories above and below that a cluster is the same as, and the one that it is part of."""
    support = cluster.support
    near = [
        story
        for story in state.living
        if story.part_of is None and (within(owner, story.owner) or within(story.owner, owner))
    ]
    # What has events in common is nearer than what is about the same.
    related = [story for story in near if _same(cluster, support, story)]
    related = related or [story for story in near if cluster.topic & story.topic]
    return related, next((story for story in related if within(owner, story.owner)), None)


def _look(
    candidates: list[Candidate],
    moment: Moment,
    state: Corroboration,
    detection: Detection,
    teaching: Teaching,
) -> None:
    """Take in the candidates of a look: they raise stories and make early ones grow, nothing else."""
    if not candidates:
        return
    day = candidates[0].bucket
    weights = teaching.at(day)
    for cluster in _clusters(day, candidates):
        owner = _descent(cluster, detection.min_authors)[-1]
        related, home = _related(cluster, owner, state)
        if home is None:
            if not _is_enough(cluster, owner, weights):
                continue
            home = _birth(cluster, owner)
            home.early = moment[1]
            home.grow(cluster, moment)
            state.living.append(home)
        if home.undecided:
            home.grow_early(cluster, moment)
            for story in related:
                if story is not home and story.undecided and within(story.owner, home.owner):
                    story.part_of = home.story_id


def _place(
    cluster: Cluster, moment: Moment, state: Corroboration, detection: Detection, weights: ThresholdWeights
) -> Placed:
    descent = _descent(cluster, detection.min_authors)
    owner = descent[-1]
    related, home = _related(cluster, owner, state)
    born, enough = home is None, _is_enough(cluster, owner, weights)
    if home is None:
        if not enough:
            return Placed(cluster, descent, None, born=False, parts=[])
        home = _birth(cluster, owner)
        state.living.append(home)
    home.grow(cluster, moment)
    if home.undecided and enough:
        # The close knows all of the day, so also what it is about.
        home.confirmed, home.topic = True, cluster.topic
    parts = [story for story in related if story is not home and within(story.owner, home.owner)]
    for story in parts:
        story.part_of = home.story_id
    for story in state.living:
        # What looks raised of a wider situation is confirmed with it.
        story.confirmed |= enough and story.undecided and story.part_of == home.story_id
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
