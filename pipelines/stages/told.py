"""What the root tells divisions of a slice's buckets."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.compiled import inner


class Told:
    """ROOT_VIEW as columns. spans: rows of each bucket."""

    def __init__(self, view: pa.Table) -> None:
        self.spans = dict(spans(view))
        self.features = view["feature"].to_numpy()
        self.rates = view["rate"].to_numpy()
        self.season = view["season"].to_numpy()
        self._days = view["occasion_day"].fill_null(-1).to_numpy()
        self._buckets = view["bucket"].to_numpy()
        self._since = view["asked_since"].fill_null(-1).to_numpy()
        self._flagged = view["flagged"].to_numpy()

    def _span(self, bucket: int) -> tuple[int, int]:
        """Rows of a bucket; none where people wrote without a word that counts."""
        return self.spans.get(bucket, (0, 0))

    def rows_of(self, bucket: int, features: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Row of each feature; the root knows all that its divisions know."""
        start, end = self._span(bucket)
        rows = np.empty(features.size, np.int64)
        bits = max(1, (end - start).bit_length())
        _look_up(self.features[start:end], features, np.zeros((1 << bits) + 1, np.int32), 64 - bits, rows)
        return start + rows

    def rates_of(self, bucket: int, features: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Rate of each feature before the bucket; NaN of one that nobody mentions in it."""
        start, end = self._span(bucket)
        rows = start + np.searchsorted(self.features[start:end], features)
        rates, inside = np.full(features.size, np.nan), np.flatnonzero(rows < end)
        heard = inside[self.features[rows[inside]] == features[inside]]
        rates[heard] = self.rates[rows[heard]]
        return rates

    def all_of(self, bucket: int) -> dict[str, Any]:
        """Every feature of a bucket with its rate, its season, and the day that comes from, -1 for none."""
        part = slice(*self._span(bucket))
        return {
            "features": self.features[part],
            "rates": self.rates[part],
            "season": self.season[part],
            "days": self._days[part],
        }

    def asked(self) -> Iterator[tuple[int, int, int, bool]]:
        """(bucket, feature, since, whether it is flagged) of what the root asks support for."""
        rows = np.flatnonzero(self._since >= 0)
        columns = (self._buckets, self.features, self._since, self._flagged)
        return zip(*(column[rows].tolist() for column in columns), strict=True)


@inner
def _look_up(known: Any, wanted: Any, first: Any, shift: int, rows: Any) -> None:
    """Where ids that are wanted stand, or would, among those known, which are in order.

    Ids are spread evenly: those that begin with the same bits are one or two. first: room for where the first
    of each stands, all 0; shift: 64 less the number of bits.
    """
    turn = np.uint64(shift)
    for row in range(known.size):
        first[np.int64(known[row] >> turn) + 1] += 1
    for place in range(1, first.size):
        first[place] += first[place - 1]
    for entry in range(wanted.size):
        feature = wanted[entry]
        row = first[np.int64(feature >> turn)]
        while row < known.size and known[row] < feature:
            row += 1
        rows[entry] = row


def spans(table: pa.Table) -> Iterator[tuple[int, tuple[int, int]]]:
    """First row, and the row after the last, of each bucket of a table that is in order of bucket."""
    buckets = table["bucket"].to_numpy()
    starts = np.flatnonzero(np.diff(buckets, prepend=buckets[:1] - 1)).tolist()
    for start, end in pairwise([*starts, buckets.size]):
        yield int(buckets[start]), (start, end)
