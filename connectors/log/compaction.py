"""Compaction: the many small live segments of a closed day become few, rows, order and positions kept.

Segments that stand side by side are merged by a record that names each of them; the chain keeps theirs. Every
one is checked against its manifest before it is merged; one that is damaged is set aside, and told.

A reader that planned before the merge still finds the replaced files for as long as `KEPT` after it, and the
rows in the merged segment after that (`EventLog.read_piece`). They are removed no earlier.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

import numpy as np
import pyarrow as pa

from connectors.civil_days import civil_days, day_of, midnight
from connectors.errors import LogError
from connectors.events import CORE, EVENT
from connectors.log.arrow_bytes import fixed_matrix
from connectors.log.chain import Chain
from connectors.log.erasing import erased_by_segment
from connectors.log.files import LogFiles
from connectors.log.layout import EPOCH, core_path, text_path, to_us
from connectors.log.manifest import Manifest, Segment
from connectors.log.segment_faults import damage_of
from connectors.log.writer import LogWriter

KEPT = timedelta(days=1)
"""How long files of replaced segments stay, by the wall clock: longer than any reader holds a plan."""
MERGED_SEGMENTS = 1_000
MERGED_ROWS = 131_072
MERGED_TEXT_BYTES = 64 << 20
"""A merged segment has at most this many parts, rows and bytes of text: what a merge holds and how long it
takes are bounded by them."""


def compact(
    log: LogWriter,
    *,
    zone: str,
    say: Callable[[str], None],
    most: int | None = None,
) -> list[Manifest]:
    """Merge the live segments of closed days, oldest first; the manifests of what was merged.

    zone: whose civil days they are. most: how many merges to make. say: told
    of a segment that is damaged, which is set aside. Raises LogError if a file is missing or the
    log cannot be written; what was merged by then stays.
    """
    merged: list[Manifest] = []
    while most is None or len(merged) < most:
        group = next(_groups(log.chain, zone=zone), None)
        if group is None:
            break
        if not _set_aside(log, group, say):
            merged.append(_merge(log, group))
    return merged


def _groups(chain: Chain, *, zone: str) -> Iterator[list[Segment]]:
    """Runs of two or more segments to merge, each of one day of the log's clock that is closed."""
    closed_until = chain.closed_until() or EPOCH
    run: list[Segment] = []
    run_day: int | None = None
    days = _days(chain, zone)
    for segment in chain.segments:
        day = days.get(segment.seq)
        if day is not None and midnight(day_of(day + 1), zone) > closed_until:
            day = None
        if run and (day is None or day != run_day or not _has_room(run, segment)):
            if len(run) > 1:
                yield run
            run = []
        if day is not None:
            run.append(segment)
            run_day = day
    if len(run) > 1:
        yield run


def _days(chain: Chain, zone: str) -> dict[int, int]:
    """The day of the log's clock at each segment that may be merged: live, not merged, of this generation."""
    mine = [
        segment
        for segment in chain.segments
        if segment.live and not segment.replaces and segment.generation == chain.generation
    ]
    clocks = [chain.manifests[segment.seq - 1].clock for segment in mine]
    instants = np.array([to_us(clock) for clock in clocks if clock is not None], dtype=np.int64)
    return dict(zip((segment.seq for segment in mine), civil_days(instants, zone).tolist(), strict=True))


def _has_room(run: list[Segment], segment: Segment) -> bool:
    together = [*run, segment]
    return (
        len(together) <= MERGED_SEGMENTS
        and sum(one.rows for one in together) <= MERGED_ROWS
        and sum(group.text_bytes for one in together for group in one.row_groups) <= MERGED_TEXT_BYTES
    )


def _set_aside(log: LogWriter, group: list[Segment], say: Callable[[str], None]) -> bool:
    """Set the damaged segments of a group aside; whether there were any."""
    files = LogFiles(str(log.path))
    erased = erased_by_segment(log.chain.manifests)
    damaged = [one.seq for one in group if damage_of(files, one, erased.get(one.seq)) is not None]
    for seq in damaged:
        log.skip(seq, say=say)
    return bool(damaged)


def _merge(log: LogWriter, group: list[Segment]) -> Manifest:
    files = LogFiles(str(log.path))
    cores = pa.concat_tables(
        files.read_groups(core_path(one.generation, one.seq), None, CORE) for one in group
    )
    texts = pa.concat_tables(
        files.read_texts(text_path(one.generation, one.seq), None) for one in group
    ).combine_chunks()
    if not texts["event_id"].equals(cores["event_id"]):
        raise LogError(f"{log.path}: cores and texts differ in segments {group[0].seq} to {group[-1].seq}")
    salts = fixed_matrix(texts["salt"].chunk(0)).tobytes()
    events = cores.append_column(EVENT.field("text"), texts["text"])
    return log.merge(events, salts=salts, leaves=texts["leaf"], replaces=group)
