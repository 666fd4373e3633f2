"""What detectors of sums read: CELLS of a slice, added up for each day by perimeter, channel and theme."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.features import feature_id
from pipelines.columns import one_array
from pipelines.stages.tally import ALL_TEXTS

Counts = NDArray[np.int64]
Ids = NDArray[np.uint64]
Names = NDArray[np.object_]
VOICES = ("customer", "field")
_SUMMED = (
    *("scored", "score_sum", "score_squares", "moods", "mood_sum", "mood_squares"),
    *("without_text", "paired", "gap_sum", "gap_squares", *VOICES),
)


@dataclass(frozen=True, slots=True)
class Sums:
    """Columns of one day, in order of their key. keys: names that each row is about, ids: their `name_id`;
    columns: sums by name.
    """

    keys: dict[str, Names]
    ids: dict[str, Ids]
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


name_id = lru_cache(maxsize=1 << 16)(feature_id)
"""Id of a name; the same few come every day."""


def days(cells: pa.Table, buckets: Sequence[int], theme_names: Mapping[int, str]) -> Iterator[Day]:
    """The days of `buckets`, those without a cell included. theme_names: key of each theme, by id."""
    theme = cells["theme"].to_numpy()
    whole = theme == ALL_TEXTS
    spoken = ~whole
    day = cells["bucket"].to_numpy().astype(np.int64)
    values = _values(cells)
    places, channels = _encoded(cells["perimeter"]), _encoded(cells["channel"])
    spelled, coded = np.unique(theme[spoken], return_inverse=True)
    said = _Key.of([theme_names[one] for one in spelled.tolist()], coded)
    tables = (
        _Table(day[whole], {"perimeter": places.at(whole)}, {name: values[name][whole] for name in _SUMMED}),
        _Table(
            day[whole],
            {"perimeter": places.at(whole), "channel": channels.at(whole)},
            {"volume": values["volume"][whole]},
        ),
        _Table(
            day[spoken],
            {"perimeter": places.at(spoken), "theme": said},
            {name: values[name][spoken] for name in VOICES},
        ),
    )
    for bucket, *cut in zip(buckets, *(table.cut(buckets) for table in tables), strict=True):
        yield Day(bucket, *cut)


def _values(cells: pa.Table) -> dict[str, Counts]:
    """Columns to be added up; VOICES: speakers of the cells of that voice."""
    names = {"volume", *_SUMMED} - set(VOICES)
    values = {name: cells[name].to_numpy() for name in names}
    speakers, voice = cells["speakers"].to_numpy(), _encoded(cells["voice"])
    return values | {name: np.where(voice.holds(name), speakers, 0) for name in VOICES}


def _encoded(column: pa.ChunkedArray) -> "_Key":
    encoded = pc.dictionary_encode(one_array(column))
    return _Key.of(encoded.dictionary.to_pylist(), encoded.indices.to_numpy())


@dataclass(frozen=True, slots=True)
class _Key:
    """A column of names: the distinct ones in order, and which of them each row has."""

    names: Names
    codes: NDArray[np.intp]

    @classmethod
    def of(cls, names: Sequence[str], codes: NDArray[np.integer[Any]]) -> "_Key":
        """names: distinct, in any order; codes: place of each row's name in them."""
        order = sorted(range(len(names)), key=lambda place: names[place])
        rank = np.empty(len(names), np.intp)
        rank[order] = np.arange(len(names))
        return cls(np.array([names[place] for place in order], np.object_), rank[codes])

    def at(self, rows: NDArray[np.bool_]) -> "_Key":
        return _Key(self.names, self.codes[rows])

    def holds(self, name: str) -> NDArray[np.bool_]:
        """Rows of a name."""
        named: NDArray[np.bool_] = np.equal(self.names, name).astype(np.bool_)
        return named[self.codes]


class _Table:
    """Sums by bucket and keys, in that order."""

    def __init__(self, day: Counts, keys: Mapping[str, _Key], values: Mapping[str, Counts]) -> None:
        row_key = day
        for key in keys.values():
            row_key = row_key * key.names.size + key.codes
        order = np.argsort(row_key, kind="stable")
        ordered = row_key[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
        first = order[starts]
        self._buckets = day[first]
        self._keys = {name: key.names[key.codes[first]] for name, key in keys.items()}
        self._ids = {name: _ids(key.names)[key.codes[first]] for name, key in keys.items()}
        self._columns = {name: np.add.reduceat(column[order], starts) for name, column in values.items()}

    def cut(self, buckets: Sequence[int]) -> Iterator[Sums]:
        """The rows of each bucket."""
        starts = np.searchsorted(self._buckets, buckets).tolist()
        ends = np.searchsorted(self._buckets, buckets, "right").tolist()
        for start, end in zip(starts, ends, strict=True):
            yield Sums(
                {name: values[start:end] for name, values in self._keys.items()},
                {name: values[start:end] for name, values in self._ids.items()},
                {name: values[start:end] for name, values in self._columns.items()},
            )


def _ids(names: Names) -> Ids:
    return np.array([name_id(name) for name in names.tolist()], np.uint64)
