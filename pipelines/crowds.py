"""How loud the loudest authors of perimeters and periods were, from the log: tallies of days do not tell."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from connectors.civil_days import day_of, midnight
from connectors.log import EventLog
from connectors.store.schemas import CROWD, PERIODS_EPOCH
from pipelines.replay import SLICE_ROWS
from pipelines.stages.understand import buckets_of

SPANS = (7, 28)
"""Days of the periods; the last one is a multiple of the others."""
_ANY = ""
_EPOCH_BUCKET = (PERIODS_EPOCH - day_of(0)).days


def crowds(
    log: EventLog,
    *,
    zone: str,
    last_bucket: int,
    min_authors: int,
    first_bucket: int | None = None,
    slice_rows: int = SLICE_ROWS,
) -> Iterator[pa.Table]:
    """CROWD of a log's events up to a bucket, some periods a table. A text without author is its own.

    first_bucket: only the periods that this bucket is in and later ones; None: all. Reads no text. Memory:
    the events of one slice, and those of a period that goes on in the next.
    """
    waiting = _HEARD
    first_day = 0 if first_bucket is None else (first_bucket - _EPOCH_BUCKET) // SPANS[-1] * SPANS[-1]
    begins = None if first_bucket is None else midnight(PERIODS_EPOCH + timedelta(days=first_day), zone)
    for part in log.slices(max_rows=slice_rows, zone=zone):
        if begins is not None and part.end <= begins:
            continue
        heard = [waiting]
        for piece in log.pieces(part):
            heard.append(_heard(log.read_piece(piece, text=False), zone, last_bucket))
        together = pl.concat(heard).unique()
        if begins is not None:
            together = together.filter(pl.col("day") >= first_day)
        latest = (pl.col("day") // SPANS[-1]) == (together["day"] // SPANS[-1]).max()
        waiting = together.filter(latest)
        yield _loudest(together.filter(~latest), min_authors)
    yield _loudest(waiting, min_authors)


_HEARD = pl.DataFrame(
    schema={
        "day": pl.Int32,
        "perimeter": pl.String,
        "channel": pl.String,
        "voice": pl.String,
        "person": pl.Binary,
    }
)
"""Who wrote where. day: since the periods' epoch."""


def _heard(events: pa.RecordBatch, zone: str, last_bucket: int) -> pl.DataFrame:
    buckets = buckets_of(events, zone)
    person = pc.coalesce(events["author"], events["event_id"])
    table = pa.table(
        {
            "day": buckets - np.int32(_EPOCH_BUCKET),
            **{name: events[name] for name in ("perimeter", "channel", "voice")},
            "person": person.cast(pa.binary()),
        }
    )
    frame: pl.DataFrame = pl.from_arrow(table.filter(pa.array(buckets <= last_bucket)))  # type: ignore[assignment]
    return frame.unique()


def _loudest(heard: pl.DataFrame, min_authors: int) -> pa.Table:
    """CROWD of every level of the perimeters."""
    if heard.is_empty():
        return CROWD.empty_table()
    parts = heard.with_columns(part=pl.col("perimeter").str.split("/"))
    deepest = max(path.count("/") for path in heard["perimeter"].unique()) + 1
    counted = []
    for depth in range(1, deepest + 1):
        # An author counts once a day and channel in each perimeter, as in its tallies.
        level = (
            parts.filter(pl.col("part").list.len() >= depth)
            .select(
                "day", "channel", "voice", "person", perimeter=pl.col("part").list.head(depth).list.join("/")
            )
            .unique()
        )
        for span in SPANS:
            for voice in (pl.lit(_ANY), pl.col("voice")):
                key = ("perimeter", (pl.col("day") // span * span).alias("starts"), voice.alias("voice"))
                counted.append(
                    level.group_by(*key, "person")
                    .len("times")
                    .group_by("perimeter", "starts", "voice")
                    .agg(loudest=pl.col("times").top_k(min_authors - 1).sum().cast(pl.Int64))
                    .with_columns(days=pl.lit(span, pl.Int32))
                )
    rows = pl.concat(counted).sort("starts", "perimeter", "days", "voice").to_dict(as_series=False)
    rows["starts"] = [PERIODS_EPOCH + timedelta(days=days) for days in rows["starts"]]
    return pa.Table.from_pydict({name: rows[name] for name in CROWD.names}, schema=CROWD)
