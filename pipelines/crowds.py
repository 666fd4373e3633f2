"""How loud the loudest authors of perimeters and periods were, from the log: tallies of days do not tell."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from connectors.civil_days import day_of, midnight
from connectors.log import EventLog, Slice
from connectors.store.schemas import CROWD, PERIODS_EPOCH
from pipelines.replay import SLICE_ROWS
from pipelines.stages.understand import buckets_of

SPANS = (7, 28)
"""Days of the periods; the last one is a multiple of the others."""
_ANY = ""
_EPOCH_BUCKET = (PERIODS_EPOCH - day_of(0)).days
_PERIOD = ("perimeter", "days", "starts", "voice")
_TIMES = pl.DataFrame(
    schema={
        "perimeter": pl.String,
        "days": pl.Int32,
        "starts": pl.Int32,
        "voice": pl.String,
        "author": pl.Binary,
        "times": pl.Int64,
    }
)
"""On how many days and channels an author wrote; author: null for those who have none, together, each of whom
wrote once. starts: in days since the periods' epoch."""


@dataclass(slots=True)
class Crowds:
    """Counts the crowds of a log's periods, and goes on from where it was as days close.

    zone: of the days. Memory: the events of one slice, and the authors of the periods that go on.
    """

    log: EventLog
    zone: str
    min_authors: int
    slice_rows: int = SLICE_ROWS
    _times: pl.DataFrame = field(default_factory=lambda: _TIMES, repr=False)
    _next: int | None = None
    _past: object = None

    def until(self, last_bucket: int, *, first_bucket: int | None = None) -> Iterator[pa.Table]:
        """CROWD of the log's events up to a bucket, some periods a table. A text without author is its own.

        first_bucket: only the periods that it or a later bucket is in; None: all. Where it follows on what
        was counted before, and the past is as it was, only what came since is read. Reads no text.
        """
        past = self.log.past
        if first_bucket is None or (first_bucket, past) != (self._next, self._past):
            self._times = _TIMES
            first = None if first_bucket is None else _start(first_bucket - _EPOCH_BUCKET, SPANS[-1])
        else:
            first = first_bucket - _EPOCH_BUCKET
        self._next, self._past = last_bucket + 1, past
        for heard in self._heard(first, last_bucket - _EPOCH_BUCKET):
            self._times = pl.concat([self._times, *_counted(heard)]).group_by(*_PERIOD, "author").sum()
            goes_on = pl.col("starts") == _start(pl.lit(heard["day"].max()), pl.col("days"))
            yield self._loudest(self._times.filter(~goes_on))
            self._times = self._times.filter(goes_on)
        yield self._loudest(self._times)

    def _heard(self, first: int | None, last: int) -> Iterator[pl.DataFrame]:
        """Who wrote where, whole days at a time. first, last: days since the periods' epoch."""
        end = midnight(PERIODS_EPOCH + timedelta(days=last + 1), self.zone)
        for part in self.log.slices(max_rows=self.slice_rows, zone=self.zone):
            begins = part.start
            if first is not None:
                begins = max(begins, midnight(PERIODS_EPOCH + timedelta(days=first), self.zone))
            within = Slice(begins, min(part.end, end), part.rows)
            if within.start >= within.end:
                continue
            pieces = [self._who(self.log.read_piece(piece, text=False)) for piece in self.log.pieces(within)]
            if heard := [piece for piece in pieces if not piece.is_empty()]:
                yield pl.concat(heard).unique()

    def _who(self, events: pa.RecordBatch) -> pl.DataFrame:
        table = pa.table(
            {
                "day": buckets_of(events, self.zone) - np.int32(_EPOCH_BUCKET),
                **{name: events[name] for name in ("perimeter", "channel", "voice")},
                "author": events["author"].cast(pa.binary()),
                "person": pc.coalesce(events["author"], events["event_id"]).cast(pa.binary()),
            }
        )
        return pl.DataFrame(pl.from_arrow(table)).unique()

    def _loudest(self, times: pl.DataFrame) -> pa.Table:
        """CROWD of some periods."""
        times = times.with_columns(known=pl.col("author").is_not_null())
        most = self.min_authors - 1
        of_authors = pl.col("times").filter("known").top_k(most).sum()
        # Those without author fill what places are left, each with one.
        left = most - pl.min_horizontal(pl.col("known").sum().cast(pl.Int64), pl.lit(most))
        of_others = pl.min_horizontal(pl.col("times").filter(~pl.col("known")).sum(), left)
        loudest = times.group_by(*_PERIOD).agg(loudest=of_authors + of_others)
        rows = loudest.sort("starts", "perimeter", "days", "voice").to_dict(as_series=False)
        rows["starts"] = [PERIODS_EPOCH + timedelta(days=days) for days in rows["starts"]]
        return pa.Table.from_pydict({name: rows[name] for name in CROWD.names}, schema=CROWD)


def _start(day: Any, days: Any) -> Any:
    """First day of the period a day is in; of numbers, or of expressions."""
    return day // days * days


def _counted(heard: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """How often each author wrote, at every level of the perimeters, in the periods of each span."""
    parts = heard.with_columns(part=pl.col("perimeter").str.split("/"))
    deepest = max(path.count("/") for path in heard["perimeter"].unique()) + 1
    for depth in range(1, deepest + 1):
        # An author counts once a day and channel in each perimeter, as in its tallies.
        level = (
            parts.filter(pl.col("part").list.len() >= depth)
            .with_columns(perimeter=pl.col("part").list.head(depth).list.join("/"))
            .select("day", "channel", "voice", "person", "author", "perimeter")
            .unique()
        )
        for span in SPANS:
            for voice in (pl.lit(_ANY), pl.col("voice")):
                yield (
                    level.group_by(
                        "perimeter",
                        pl.lit(span, pl.Int32).alias("days"),
                        _start(pl.col("day"), span).alias("starts"),
                        voice.alias("voice"),
                        "author",
                    )
                    .len("times")
                    .cast({"times": pl.Int64})
                )
