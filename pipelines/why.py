"""Why: what detection knew of features over time, read off the log by any engine."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from connectors.civil_days import midnight
from connectors.log import EventLog
from pipelines.flow import BATCH_ROWS
from pipelines.replay import SLICE_ROWS, Engine, judged, make_plan
from pipelines.settings import Settings
from pipelines.stages.probe import PROBED, Probe
from pipelines.stages.understand import Reader

_ORDER = [("perimeter", "ascending"), ("feature", "ascending"), ("bucket", "ascending")]


def probe_log(
    log: EventLog,
    settings: Settings,
    reader: Reader,
    engine: Engine,
    probes: Sequence[Probe],
    *,
    work: Path,
    until: int | None = None,
    slice_rows: int = SLICE_ROWS,
    batch_rows: int = BATCH_ROWS,
    progress: Callable[[int, int], None] | None = None,
) -> pa.Table:
    """PROBED of the log's closed buckets, in order of (perimeter, feature, bucket).

    until: last bucket looked at. work, progress and errors as in `replay`.
    """
    plan, _ = make_plan(log, settings, reader, work=work, batch_rows=batch_rows, probes=probes, until=until)
    after = midnight(date(1970, 1, 1) + timedelta(days=plan.last_bucket + 1), reader.zone)
    slices = [part for part in log.slices(max_rows=slice_rows, zone=reader.zone) if part.start < after]
    shards = judged(slices, plan, engine, progress)
    return pa.concat_tables([PROBED.empty_table(), *(shard.found.probed for shard in shards)]).sort_by(_ORDER)
