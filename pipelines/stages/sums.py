"""What detectors of sums read: CELLS of a slice, added up for each day by perimeter, channel and theme."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.stages.tally import ALL_TEXTS

Counts = NDArray[np.int64]
_KEY = ("bucket", "perimeter")
_WITH_VOICE = ("customer", "field")
_SUMMED = (
    *("texts", "without_text", "scored", "score_sum", "score_squares", "sentiment_sum"),
    *("sentiment_squares", "paired", "gap_sum", "gap_squares", *_WITH_VOICE),
)


@dataclass(frozen=True, slots=True)
class Sums:
    """Columns of one day, in order of their key. keys: what each row is about; columns: sums by name."""

    keys: dict[str, list[str]]
    columns: dict[str, Counts]

    def __getitem__(self, name: str) -> Counts:
        return self.columns[name]


@dataclass(frozen=True, slots=True)
class Day:
    """One bucket: sums by perimeter, by (perimeter, channel), and by (perimeter, theme)."""

    bucket: int
    perimeters: Sums
    channels: Sums
    themes: Sums


def days(cells: pa.Table, buckets: Sequence[int], theme_names: Mapping[int, str]) -> Iterator[Day]:
    """The days of `buckets`, those without a cell included. theme_names: key of each theme, by id."""
    frame: pl.DataFrame = pl.from_arrow(cells)  # type: ignore[assignment]
    voices = {
        voice: pl.when(pl.col("voice") == voice).then(pl.col("authors")).otherwise(0) for voice in _WITH_VOICE
    }
    frame = frame.with_columns(**voices)
    whole = frame.filter(pl.col("theme") == ALL_TEXTS)
    spoken = frame.filter(pl.col("theme") != ALL_TEXTS).with_columns(
        theme=pl.col("theme").replace_strict(dict(theme_names), return_dtype=pl.String)
    )
    perimeters = _Table(whole, _KEY, _SUMMED)
    channels = _Table(whole, (*_KEY, "channel"), ("volume",))
    themes = _Table(spoken, (*_KEY, "theme"), _WITH_VOICE)
    for bucket in buckets:
        yield Day(bucket, perimeters.of(bucket), channels.of(bucket), themes.of(bucket))


class _Table:
    """Sums by a key that begins with the bucket, cut by bucket."""

    def __init__(self, frame: pl.DataFrame, key: Sequence[str], sums: Sequence[str]) -> None:
        added = frame.group_by(key).agg(pl.col(sums).sum()).sort(key)
        self._buckets = added["bucket"].to_numpy()
        self._keys = {name: added[name].to_list() for name in key[1:]}
        self._columns = {name: added[name].cast(pl.Int64).to_numpy() for name in sums}

    def of(self, bucket: int) -> Sums:
        start, end = (int(np.searchsorted(self._buckets, bucket, side)) for side in ("left", "right"))
        return Sums(
            {name: values[start:end] for name, values in self._keys.items()},
            {name: values[start:end] for name, values in self._columns.items()},
        )
