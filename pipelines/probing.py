"""Probing the log: what detection knew of features and series over time, by any engine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from connectors.civil_days import day_of, midnight
from connectors.log import EventLog
from pipelines.flow import BATCH_ROWS
from pipelines.replay import SLICE_ROWS, Engine, judged, make_plan
from pipelines.settings import Settings
from pipelines.stages.corroborate import Corroboration, Placed, corroborate
from pipelines.stages.finding import Finding, Series
from pipelines.stages.probe import PROBED, Probe
from pipelines.stages.understand import Reader
from pipelines.stages.watch import Watch, watch

_ORDER = [("perimeter", "ascending"), ("feature", "ascending"), ("bucket", "ascending")]


@dataclass(frozen=True, slots=True)
class Probed:
    """What detection knew of what it was asked about.

    features: PROBED, in order of (perimeter, feature, bucket). series: of the watch, bucket after bucket,
    found or not; raised: those of them that were findings.
    """

    features: pa.Table
    series: Sequence[Finding] = ()
    raised: frozenset[Finding] = frozenset()

    def of(self, asked: Sequence[Probe | Series]) -> "Probed":
        """What is known of some of what was asked about."""
        features = [(one.perimeter, one.feature) for one in asked if isinstance(one, Probe)]
        pairs = zip(self.features["perimeter"].to_pylist(), self.features["feature"].to_pylist(), strict=True)
        mine = pa.array([pair in features for pair in pairs], pa.bool_())
        series = {one for one in asked if isinstance(one, Series)}
        return Probed(
            self.features.filter(mine),
            [one for one in self.series if Series.of(one) in series],
            frozenset(one for one in self.raised if Series.of(one) in series),
        )


def probe_log(
    log: EventLog,
    settings: Settings,
    reader: Reader,
    engine: Engine,
    asked: Sequence[Probe | Series],
    *,
    themes: Mapping[int, str],
    work: Path,
    until: int | None = None,
    slice_rows: int = SLICE_ROWS,
    batch_rows: int = BATCH_ROWS,
    progress: Callable[[int, int], None] | None = None,
    placed: list[Placed] | None = None,
) -> Probed:
    """Judge the log's closed buckets, and show what is asked for.

    placed: takes what became of every cluster of candidates.
    themes: key of each theme, by id. until: last bucket looked at. work, progress and errors as in `replay`.
    """
    probes = [one for one in asked if isinstance(one, Probe)]
    series = [one for one in asked if isinstance(one, Series)]
    plan, _ = make_plan(log, settings, reader, work=work, batch_rows=batch_rows, probes=probes, until=until)
    after = midnight(day_of(plan.last_bucket + 1), reader.zone)
    slices = [part for part in log.slices(max_rows=slice_rows, zone=reader.zone) if part.start < after]
    watched, found = Watch.new(plan.root, plan.detection, series), list[Finding]()
    tables, stories = [PROBED.empty_table()], Corroboration()
    for number, shard in enumerate(judged(slices, plan, engine, progress)):
        tables.append(shard.found.probed)
        if placed is not None:
            corroborate([shard.found], stories, plan.detection, plan.teaching, placed)
        if series:
            end = plan.last_bucket if number == len(slices) - 1 else None
            found += watch(shard.cells, watched, plan.detection, themes, last=end, teaching=plan.teaching)
    raised = frozenset(one for one in found if one in watched.asked)
    return Probed(pa.concat_tables(tables).sort_by(_ORDER), watched.shown, raised)
