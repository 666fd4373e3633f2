"""Findings of the watch -> episodes: one situation is one episode, with one owner, as long as it lasts.

An episode belongs to the smallest perimeter that explains it: where one child shows the same, the parent
stays quiet; where several do, the parent takes over and they become parts of it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import groupby

from pipelines.stages.finding import SILENCE, UNUSUAL_DAY, Finding
from pipelines.stages.story import within

SHADOW = 7
"""Buckets after another signal in which an unusual day near it is no news."""

Births = Collection[tuple[str, int]]
"""Perimeter and bucket of birth of stories that are told elsewhere."""


@dataclass(slots=True)
class Episode:
    """A signal of the watch over its life. strongest: the finding of the most evidence, the first of equals.
    details: channels or themes it is about."""

    story_id: str
    born: Finding
    last_bucket: int
    strongest: Finding
    details: set[str]
    part_of: str | None = None

    @property
    def owner(self) -> str:
        """Perimeter that the episode belongs to."""
        return self.born.perimeter

    def standing(self, _last_bucket: int) -> str:
        """Episodes are raised at closes alone."""
        return ""

    def grow(self, finding: Finding) -> None:
        """Take in a later finding of the same."""
        self.last_bucket = finding.bucket
        self.strongest = max(self.strongest, finding, key=lambda one: one.evidence)
        self.details.add(finding.detail)


@dataclass(slots=True)
class Episodes:
    """Episodes that live, and those that ended."""

    living: list[Episode] = field(default_factory=list)
    ended: list[Episode] = field(default_factory=list)

    @property
    def all(self) -> list[Episode]:
        """All episodes, in order of birth."""
        return sorted((*self.ended, *self.living), key=lambda one: (one.born.bucket, one.story_id))


def follow(findings: Iterable[Finding], state: Episodes, births: Births, *, window: int) -> None:
    """Take in findings, in order of bucket and later than all before. Changes `state`.

    window: buckets without a finding after which an episode is over.
    """
    for bucket, found in groupby(findings, key=lambda one: one.bucket):
        over = [episode for episode in state.living if episode.last_bucket <= bucket - window]
        state.ended += over
        state.living = [episode for episode in state.living if episode.last_bucket > bucket - window]
        for finding in sorted(found, key=_order):
            if not _shadowed(finding, state, births):
                _place(finding, state)


def _order(finding: Finding) -> tuple[bool, int, float, str, str]:
    """Unusual days last, since others explain them; the deepest first, then the strongest."""
    unusual = finding.kind == UNUSUAL_DAY
    return unusual, -finding.perimeter.count("/"), -finding.evidence, finding.perimeter, finding.detail


def _place(finding: Finding, state: Episodes) -> None:
    alike = [one for one in state.living if one.part_of is None and _subject(one.born) == _subject(finding)]
    for episode in alike:
        if within(finding.perimeter, episode.owner):
            episode.grow(finding)
            return
    below = [episode for episode in alike if within(episode.owner, finding.perimeter)]
    depth = finding.perimeter.count("/") + 1
    if len({_cut(episode.owner, depth) for episode in below}) == 1:
        below[0].grow(finding)
        return
    parent = _birth(finding)
    for episode in below:
        episode.part_of = parent.story_id
    state.living.append(parent)


def _subject(finding: Finding) -> tuple[str, int, str]:
    """What two findings have in common if they are one situation; a silence may spread over channels."""
    return finding.kind, finding.direction, "" if finding.kind == SILENCE else finding.detail


def _cut(path: str, depth: int) -> str:
    return "/".join(path.split("/")[: depth + 1])


def _shadowed(finding: Finding, state: Episodes, births: Births) -> bool:
    """An unusual day on which something else is found, or was just before, above or below, is that."""
    if finding.kind != UNUSUAL_DAY:
        return False
    told = [(one.owner, one.last_bucket) for one in state.living if one.born.kind != UNUSUAL_DAY]
    return any(
        finding.bucket - SHADOW < bucket <= finding.bucket
        and (within(place, finding.perimeter) or within(finding.perimeter, place))
        for place, bucket in (*told, *births)
    )


def _birth(finding: Finding) -> Episode:
    subject = "\n".join(map(str, _subject(finding)))
    name = f"{finding.perimeter}\n{finding.bucket}\n{subject}"
    story_id = blake2b(name.encode(), digest_size=16).hexdigest()
    return Episode(story_id, finding, finding.bucket, finding, {finding.detail})
