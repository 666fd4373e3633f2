"""copies: which texts that come in were met in another division first.

A text sent everywhere at once, a routine template or a mass mailing, is one text. Within a division its
copies count once (`pipelines.stages.mentions`); this compares the divisions. Of copies within the window of
one another, those of the division that met it first stand, and those of other divisions after it say nothing
new anywhere. Of divisions that met it on the same day, the one that stands follows from the text and their
names: neither the order in a day nor event ids, which a secret makes, may decide what is found.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from detectors.features import feature_id
from pipelines.stages.looks import Turn
from pipelines.stages.understand import first_words

MET = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("copy", pa.uint64(), nullable=False),
        pa.field("division", pa.uint64(), nullable=False),
        pa.field("admitted_at", pa.int64()),
    ]
)
"""Copies that divisions met, in order of bucket. division: `division_id`. admitted_at: as in UNDERSTOOD."""
COPIES = pa.schema([*MET, pa.field("event_id", pa.binary(16), nullable=False)])
ELSEWHERE = pa.schema(
    [
        pa.field("division", pa.uint64(), nullable=False),
        pa.field("event_id", pa.binary(16), nullable=False),
        pa.field("today", pa.bool_(), nullable=False),
    ]
)
"""Events whose text another division met first. division: the event's own. today: in the same bucket."""


class Compared(NamedTuple):
    """elsewhere: ELSEWHERE, of the new copies. met: MET, what is to be remembered of all."""

    elsewhere: pa.Table
    met: pa.Table


_ODD = np.uint64(0x9E3779B97F4A7C15)
"""Spreads what differs in few bits over all of them; odd, so that what differs stays different."""
division_id = feature_id
"""Number of a division's name, the same in every process."""


def list_copies(division: str, rows: pa.RecordBatch) -> pa.Table:
    """COPIES of a division's rows (UNDERSTOOD): those whose text is long enough to be known again."""
    copy = rows["copy"].to_numpy()
    known = np.flatnonzero(copy != first_words(rows["event_id"]))
    taken = rows.select(["bucket", "copy", "admitted_at", "event_id"]).take(pa.array(known))
    numbers = np.full(known.size, division_id(division), np.uint64)
    columns = [taken["bucket"], taken["copy"], numbers, taken["admitted_at"], taken["event_id"]]
    return pa.table(columns, schema=COPIES)


def compare_copies(listed: Iterable[pa.Table], met: pa.Table | None, *, window: int) -> Compared:
    """Find what other divisions met first. Neither the order of the tables nor that of their rows counts.

    listed: COPIES of buckets that are complete, all later than those of `met`. met: as it was given last,
    None at the beginning. window: buckets over which a copy is remembered, at least 1.
    """
    met = MET.empty_table() if met is None else met
    new = pa.concat_tables([COPIES.empty_table(), *listed]).combine_chunks()
    if not new.num_rows:
        return Compared(ELSEWHERE.empty_table(), met)
    before = met.filter(pc.is_in(met["copy"], value_set=new["copy"].combine_chunks()))
    before = before.append_column(COPIES.field("event_id"), pa.nulls(before.num_rows, pa.binary(16)))
    elsewhere = _elsewhere(_repeated(pa.concat_tables([before, new])), window)
    return Compared(elsewhere, _remember(met, new.select(MET.names), window))


def compare_arrivals(
    listed: Iterable[pa.Table], met: pa.Table | None, turn: Turn, *, window: int
) -> pa.Table:
    """ELSEWHERE of copies by the order they came in, tick by tick, as early looks of a turn see them.

    listed: COPIES of all that was not closed before the turn; met: as in `compare_copies`. Of divisions that
    met a text between the same ticks, the one that stands is found as for a day there.
    """
    met = MET.empty_table() if met is None else met
    new = pa.concat_tables([COPIES.empty_table(), *listed])
    before = met.filter(pc.is_in(met["copy"], value_set=new["copy"].combine_chunks()))
    before = before.append_column(COPIES.field("event_id"), pa.nulls(before.num_rows, pa.binary(16)))
    copies = pa.concat_tables([before, new]).combine_chunks()
    copy, division, bucket = (copies[name].to_numpy() for name in ("copy", "division", "bucket"))
    order = np.lexsort((_rank(copy, division), turn.clock.ticks(copies["admitted_at"]), copy))
    copy, division, bucket = copy[order], division[order], bucket[order]
    first = _met_first(copy, division, bucket, window)
    ids = copies["event_id"].take(pa.array(order))
    chosen = np.flatnonzero((first >= 0) & ids.is_valid().to_numpy())
    today = bucket[first[chosen]] == bucket[chosen]
    return pa.table([division[chosen], ids.take(pa.array(chosen)), today], schema=ELSEWHERE)


@njit(cache=True)
def _met_first(copy: Any, division: Any, bucket: Any, window: int) -> Any:
    """For each row the last one before it of the same copy, within the window, in another division; or -1."""
    first = np.full(copy.size, -1, np.int64)
    for row in range(copy.size):
        other = row - 1
        while other >= 0 and copy[other] == copy[row]:
            if division[other] != division[row] and bucket[other] > bucket[row] - window:
                first[row] = other
                break
            other -= 1
    return first


def _repeated(copies: pa.Table) -> pa.Table:
    """Rows of copies that there are two of or more, in order of (copy, bucket, rank of the division)."""
    copy = copies["copy"].to_numpy()
    order = np.argsort(copy, kind="stable")
    same = np.diff(copy[order]) == 0
    several = np.append(same, False) | np.insert(same, 0, False)
    few = copies.take(pa.array(order[several]))
    copy, bucket, division = (few[name].to_numpy() for name in ("copy", "bucket", "division"))
    return few.take(pa.array(np.lexsort((_rank(copy, division), bucket, copy))))


def _rank(copy: NDArray[np.uint64], division: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """In which order the divisions that meet a text on the same day come: another one for each text."""
    return (copy ^ division) * _ODD


def _elsewhere(copies: pa.Table, window: int) -> pa.Table:
    """ELSEWHERE of rows as `_repeated` orders them; rows without an event id were met before."""
    bucket, copy, division = (copies[name].to_numpy() for name in ("bucket", "copy", "division"))
    # The nearest earlier row of another division stands before the run of rows of the same division.
    other = _starts(copy, division) - 1
    first = (other >= 0) & (copy[other] == copy) & (bucket[other] > bucket - window)
    first &= copies["event_id"].is_valid().to_numpy()
    chosen = np.flatnonzero(first)
    today = bucket[other[chosen]] == bucket[chosen]
    return pa.table([division[chosen], copies["event_id"].take(pa.array(chosen)), today], schema=ELSEWHERE)


def _starts(*keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each row, the first of the rows around it that have the same keys."""
    begins = np.ones(keys[0].size, np.bool_)
    begins[1:] = np.logical_or.reduce([np.diff(key) != 0 for key in keys])
    starts: NDArray[np.int64] = np.maximum.accumulate(np.where(begins, np.arange(begins.size), 0))
    return starts


def _remember(met: pa.Table, new: pa.Table, window: int) -> pa.Table:
    """MET within the window of buckets after those of `new`."""
    together = pa.concat_tables([met, new.sort_by("bucket")])
    bucket = together["bucket"].to_numpy()
    return together.slice(np.searchsorted(bucket, bucket[-1] + 1 - window, side="right")).combine_chunks()
