"""A story: candidates that are one situation, over its life, with the events that carry it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.stages.teaching import EMERGENCE
from pipelines.stages.topics import COMMON

KIND = EMERGENCE

Moment = tuple[int, int]
"""The close of a bucket, with NO_TICK, or a look: the bucket closed before it, and its tick. In order."""
EARLY, CONFIRMED, NOT_SUSTAINED = "early", "confirmed", "not_sustained"
"""How a story that a look raised stands: its days are open yet, or their closes decided."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A flagged feature with the events that carry it, by event id. told: of the evidence, what may be."""

    bucket: int
    perimeter: str
    feature: int
    evidence: float
    threshold: float
    expected: float
    since: int
    history: int
    texts: int
    told: float
    support: Mapping[bytes, Mapping[str, Any]]

    @property
    def observed(self) -> int:
        """Distinct authors who carry it."""
        return len({row["person"] for row in self.support.values()})


@dataclass(slots=True)
class Story:
    """A signal over its life. `born` is the candidate that raised it; `features` maps to best evidence, and
    `told` to what is told of it; strongest: the most that is told.

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
    early: int | None = None
    """Tick of the look that raised it; None where a close did."""
    confirmed: bool = False
    """Whether a close confirmed what a look raised."""
    moment: Moment | None = None
    told: dict[int, float] = field(default_factory=dict)
    strongest: float = 0.0
    step: int = 0
    """When support was last added, and how many times it was by then; rows bear the number as `step`."""

    @property
    def undecided(self) -> bool:
        """Whether it was raised early and no close confirmed it."""
        return self.early is not None and not self.confirmed

    def standing(self, last_bucket: int) -> str:
        """What became of a story that a look raised: EARLY, CONFIRMED or NOT_SUSTAINED; else empty."""
        if self.early is None:
            return ""
        if self.confirmed:
            return CONFIRMED
        return EARLY if self.born.bucket > last_bucket else NOT_SUSTAINED

    def grow(self, cluster: "Cluster", moment: Moment) -> None:
        """Take in a cluster of a later moment (or of that of birth)."""
        self.last_bucket = max(self.last_bucket, cluster.bucket)
        for candidate in cluster.candidates:
            best = self.features.get(candidate.feature, candidate.evidence)
            self.features[candidate.feature] = max(best, candidate.evidence)
            self.evidence = max(self.evidence, candidate.evidence)
            self.told[candidate.feature] = max(self.told.get(candidate.feature, 0.0), candidate.told)
            self.strongest = max(self.strongest, candidate.told)
        self._add(cluster.support, moment)

    def grow_early(self, cluster: "Cluster", moment: Moment) -> None:
        """Take in what a later look finds. What is told of evidence stays until a close: between two looks
        single people write, and figures that move with each of them would tell when."""
        self.last_bucket = max(self.last_bucket, cluster.bucket)
        for candidate in cluster.candidates:
            self.features.setdefault(candidate.feature, candidate.evidence)
            self.told.setdefault(candidate.feature, candidate.told)
        self._add(cluster.support, moment)

    def hear(self, mention: "Mention", moment: Moment) -> None:
        """Take in later events with one of its features."""
        if self._add(mention.support, moment):
            self.last_bucket = max(self.last_bucket, mention.bucket)

    def _add(self, support: Mapping[bytes, Mapping[str, Any]], moment: Moment) -> bool:
        mine = {key: row for key, row in support.items() if within(row["event_perimeter"], self.owner)}
        if moment != self.moment:
            self.moment, self.step = moment, self.step + 1
        stamped = {key: {**row, "step": self.step} for key, row in mine.items()}
        self.support = {**stamped, **self.support}
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


def within(perimeter: str, ancestor: str) -> bool:
    """Whether a path is the ancestor's or below it.

    >>> within("a/b/c", "a/b"), within("a/bc", "a/b")
    (True, False)
    """
    return perimeter == ancestor or perimeter.startswith(ancestor + "/")
