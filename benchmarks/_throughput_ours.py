"""Ways from the log to signals, each measured in a process of its own."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._run import Cost, median_cost, peak_mib, since_start, timed
from benchmarks._throughput_log import DAYS, ZONE, open_throughput_log
from benchmarks.replay import ENGINES, open_engine

if TYPE_CHECKING:
    from connectors.log import EventLog
    from pipelines.workspace import Workspace

WARM_UP = 28
"""Days of a log of DAYS that are learned without being judged; of a shorter one in proportion."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way through a log, in a process of its own.

    start: of the process, until code is loaded, compiled and has seen a small log. pipeline: the small log
    again, which is what every run costs whatever its rows: its one day is learned, as the log's first ones
    are, for to judge it would be another work. run: of the log, with that, median. peak: resident memory in
    MiB.
    """

    what: str
    events: int
    start: Cost
    pipeline: Cost
    run: Cost
    peak: float
    found: int = 0
    """Stories or signals: what must not differ between engines."""

    def rate(self, clock: str = "cpu_s") -> float:
        """Events per second of a Cost's field, start-up and pipeline apart."""
        return self.events / self.seconds(clock)

    def seconds(self, clock: str = "cpu_s") -> float:
        """What the log's own events took."""
        return max(1e-9, float(getattr(self.run - self.pipeline, clock)))


def text_path(workspace: "Workspace", engine: Any) -> int:
    """Read, understand, tally at all levels, emergence, corroborate; gives the number of stories."""
    from pipelines.replay import SLICE_ROWS, judged, make_plan
    from pipelines.stages.corroborate import Corroboration, corroborate

    log, reader, stories = workspace.open_log(), workspace.reader(), Corroboration()
    with tempfile.TemporaryDirectory(prefix="vigie-replay-") as work:
        plan, _ = make_plan(log, workspace.settings, reader, work=Path(work))
        for shard in judged(log.slices(max_rows=SLICE_ROWS, zone=reader.zone), plan, engine):
            corroborate([shard.found], stories, plan.detection)
    return len(stories.stories)


def everything(workspace: "Workspace", engine: Any) -> int:
    """A whole replay, with every detector of the sums; gives the number of signals."""
    return int(workspace.replay(engine, use=lambda _: None).signals.signals.num_rows)


def measure(
    folder: Path, log: str, small: str, engine: str, *, sentiment: str | None, runs: int, whole: bool
) -> Way:
    """Measure one way through a log. small: a log to warm up with. sentiment: file of learned weights.

    whole: everything on, the text path otherwise.
    """
    way: Callable[[Workspace, Any], int] = everything if whole else text_path
    chosen, warm_up = open_engine(engine), warm_up_of(open_throughput_log(folder, log).open_log())
    opened = {name: _open(folder, name, sentiment, warm_up) for name in (small, log)}
    # Once judging, so that its code is loaded too.
    for each in (_open(folder, small, sentiment, 0), opened[small]):
        way(each, chosen)
    start, found = since_start(), list[int]()
    _, pipeline = timed(lambda: way(opened[small], chosen))
    cost = median_cost(lambda _: found.append(way(opened[log], chosen)), runs=runs)
    name = f"{ENGINES[engine]}: {'everything on' if whole else 'text path'}"
    return Way(name, opened[log].open_log().rows, start, pipeline, cost, peak_mib(), found[0])


def learn_sentiment(folder: Path, log: str) -> str:
    """Learn weights from a log's scores; gives the file, relative to the folder."""
    from pipelines.weights import write_weights

    return write_weights(folder, open_throughput_log(folder, log).learn().weights).name


def warm_up_of(log: "EventLog") -> int:
    """Days of a log that are learned without being judged."""
    days = log.slices(max_rows=1, zone=ZONE)
    return round(WARM_UP * min(1.0, (days[-1].end - days[0].start) / timedelta(days=DAYS)))


def _open(folder: Path, log: str, sentiment: str | None, warm_up: int) -> "Workspace":
    return open_throughput_log(
        folder,
        log,
        detection={"warm_up_days": warm_up},
        understanding={"sentiment": sentiment},
    )
