"""Rows of state by series id, for estimators that judge many series at once."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.uint64]
Floats = NDArray[np.float64]


class SeriesTable:
    """Columns of floats, one row a series, in order of id; a series never written is all zeros.

    Parameters
    ----------
    shapes
        Shape of one row of each column, by name.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.ids = np.empty(0, np.uint64)
        self._read: tuple[Ids, NDArray[np.intp]] | None = None
        self._columns = {name: np.empty((0, *shape)) for name, shape in shapes.items()}

    def read(self, series: Ids) -> list[Floats]:
        """Copies of the rows of `series`, one array a column."""
        places, known = find(self.ids, series)
        if known.all():
            self._read = series, places
            return [column[places] for column in self._columns.values()]
        rows = []
        for column in self._columns.values():
            copy = np.zeros((series.size, *column.shape[1:]))
            copy[known] = column[places[known]]
            rows.append(copy)
        return rows

    def write(self, series: Ids, rows: list[Floats]) -> None:
        """Replace the rows of `series`, which are distinct; new ones find their place."""
        places = self._places(series)
        for column, values in zip(self._columns.values(), rows, strict=True):
            column[places] = values

    def known(self, series: Ids) -> Ids:
        """Those of `series` that have a row."""
        return series[find(self.ids, series)[1]]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The ids and the columns, copied."""
        return {"ids": self.ids.copy(), **{name: column.copy() for name, column in self._columns.items()}}

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `arrays` gave."""
        self.ids = arrays["ids"].copy()
        self._columns = {name: arrays[name].copy() for name in self._columns}

    def _places(self, series: Ids) -> NDArray[np.intp]:
        """Rows of `series`, which are made where missing."""
        read, self._read = self._read, None
        if read is not None and read[0] is series:
            # Mostly what is written was read just before.
            return read[1]
        _, known = find(self.ids, series)
        if not known.all():
            self._insert(np.sort(series[~known]))
        return np.searchsorted(self.ids, series)

    def _insert(self, new: Ids) -> None:
        places = np.searchsorted(self.ids, new)
        self.ids = np.insert(self.ids, places, new)
        self._columns = {
            name: np.insert(column, places, 0.0, axis=0) for name, column in self._columns.items()
        }


def find(ids: Ids, series: Ids) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Places of `series` in sorted ids, and whether they are there."""
    places = np.searchsorted(ids, series)
    if not ids.size:
        return places, np.zeros(series.size, bool)
    places = np.minimum(places, ids.size - 1)
    return places, ids[places] == series


def distinct(series: Ids) -> bool:
    """Whether no id repeats."""
    ordered = np.sort(series)
    return not (ordered[1:] == ordered[:-1]).any()


def check_series(series: Ids, **columns: NDArray[Any]) -> None:
    """ValueError where ids repeat, or a column is not one finite number a series."""
    if not distinct(series):
        raise ValueError("series must be distinct: one entry a series in a bucket")
    for name, values in columns.items():
        if values.size != series.size:
            raise ValueError(f"{series.size} series but {values.size} {name}; they must be as many")
        # One sum tells for most: what is not finite stays so in it.
        if values.dtype.kind == "f" and not np.isfinite(values.sum()) and not np.isfinite(values).all():
            wrong = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ValueError(f"{name} of series {series[wrong]} is {values[wrong]}; it must be finite")


def check_bucket(bucket: int, next_bucket: int | None) -> None:
    """ValueError where buckets do not increase; next_bucket: None where none is learned."""
    if next_bucket is not None and bucket < next_bucket:
        raise ValueError(f"bucket is {bucket}; buckets up to {next_bucket - 1} are learned already")


def check_counts(series: Ids, **counts: NDArray[Any]) -> None:
    """ValueError unless counts are whole numbers from 0 to the first one's, and those at least 0."""
    name, most = next(iter(counts.items()))
    for part, values in counts.items():
        broken = values != np.floor(values) if values.dtype.kind == "f" else False
        wrong = (values < 0) | (values > most) | broken
        if wrong.any():
            i = int(np.flatnonzero(wrong)[0])
            limit = "" if part == name else f" and at most {name}, {most[i]}"
            raise ValueError(
                f"{part} of series {series[i]} is {values[i]}; it must be whole, at least 0{limit}"
            )
