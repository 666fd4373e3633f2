"""watch: what the sums of perimeters do, day by day, quiet days included.

One shard sees all perimeters: it reads sums only, which are few.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.stages.detect import Detection
from pipelines.stages.finding import Finding, Watcher
from pipelines.stages.sums import days
from pipelines.stages.watchers import watchers


@dataclass(slots=True)
class Watch:
    """What the watch carries from one slice to the next. first, following: buckets, None before any."""

    watchers: list[Watcher]
    first: int | None = None
    following: int | None = None

    @classmethod
    def new(cls, root: str, detection: Detection) -> "Watch":
        """A watch that has seen nothing."""
        return cls(list(watchers(root, detection.min_authors)))


def watch(
    cells: pa.Table, state: Watch, detection: Detection, themes: Mapping[int, str], *, last: int | None = None
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
        for watcher in state.watchers:
            findings = watcher.judge(day, detection.bar)
            found += [one for one in findings if told and one.size >= detection.min_authors]
    state.following = max(state.following, last + 1)
    return sorted(found, key=lambda one: (one.bucket, one.kind, one.perimeter, one.detail))
