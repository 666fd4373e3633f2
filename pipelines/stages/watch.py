"""watch: what the sums of perimeters do, day by day, quiet days included.

One shard sees all perimeters: it reads sums only, which are few.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.stages.detect import SHARES, Detection
from pipelines.stages.finding import KINDS, Asked, Bar, Finding, Series, Watcher
from pipelines.stages.sums import days
from pipelines.stages.teaching import NOTHING_TAUGHT, Teaching
from pipelines.stages.watchers import watchers

_SHARES = {kind: SHARES[kind] for kind in KINDS}


@dataclass(slots=True)
class Watch:
    """What the watch carries from one slice to the next.

    asked: series to be shown day by day; shown: they, found or not. first, following: buckets, None before
    any.
    """

    watchers: list[Watcher]
    asked: Asked
    shown: list[Finding] = field(default_factory=list)
    first: int | None = None
    following: int | None = None

    @classmethod
    def new(cls, root: str, detection: Detection, asked: Iterable[Series] = ()) -> "Watch":
        """A watch that has seen nothing."""
        return cls(list(watchers(root, detection.min_authors)), Asked(asked))


def watch(
    cells: pa.Table,
    state: Watch,
    detection: Detection,
    themes: Mapping[int, str],
    *,
    last: int | None = None,
    teaching: Teaching = NOTHING_TAUGHT,
) -> list[Finding]:
    """Judge and learn the buckets of CELLS, all later than those before; changes `state`.

    themes: key of each theme, by id. last: bucket to go on to, complete though nothing came; by default the
    last of the cells. In order of bucket, kind and perimeter.
    """
    if cells.num_rows:
        start, end = (int(pc.min_max(cells["bucket"]).as_py()[name]) for name in ("min", "max"))
        state.first = start if state.first is None else state.first
        state.following = start if state.following is None else state.following
        last = end if last is None else max(last, end)
    if state.first is None or state.following is None or last is None:
        return []
    found: list[Finding] = []
    for day in days(cells, range(state.following, last + 1), themes):
        # During the warm-up evidence is judged and begun anew, not told.
        told = day.bucket - state.first >= detection.warm_up
        bar = Bar(detection.bar, teaching.at(day.bucket), _SHARES)
        for watcher in state.watchers:
            judged = watcher.judge(day, bar, state.asked)
            state.shown += [one for one in judged if one in state.asked]
            findings = [one for one in judged if one.is_alarm]
            found += [one for one in findings if told and one.size >= detection.min_authors]
    state.following = max(state.following, last + 1)
    return sorted(found, key=lambda one: (one.bucket, one.kind, one.perimeter, one.detail))
