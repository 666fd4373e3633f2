"""Seasons: what was frequent in the same weeks a year ago is expected when they return.

So is what was frequent around an occasion that moves, when it comes again: see `detectors.occasions`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.occasions import NO_OCCASIONS, REACH, Occasions

YEAR = 365
WEEK = 7
AROUND = 2
"""Weeks before and after the anniversary that count: seasons move a little from year to year."""
KEPT_WEEKS = 57
KEPT_WITH_OCCASIONS = REACH // WEEK
NEAR = 3
"""Days on either side of an occasion's counterpart whose weeks count: a week in all."""
SMALLEST = 3
"""Authors a week below which a feature is not remembered: that is chance, not a season."""


class SeasonMemory:
    """Weekly rates of frequent features over the last year, buckets being days.

    Parameters
    ----------
    occasions
        Days that return under a name; around them, the same days around the last ones count too.

    Examples
    --------
    >>> memory = SeasonMemory()
    >>> sapin = np.array([4], np.uint64)
    >>> for day in range(7):
    ...     memory.learn(sapin, np.array([2]), exposure=20, bucket=day)
    >>> memory.learn(sapin[:0], np.array([], int), exposure=20, bucket=200)
    >>> memory.factor(sapin, np.array([0.01]), bucket=368).tolist()
    [10.0]
    >>> memory.factor(sapin, np.array([0.01]), bucket=300).tolist()
    [1.0]
    """

    def __init__(self, occasions: Occasions = NO_OCCASIONS) -> None:
        self._occasions = occasions
        self._kept = KEPT_WITH_OCCASIONS if occasions.named else KEPT_WEEKS
        self._weeks: dict[int, tuple[NDArray[np.uint64], NDArray[np.float64]]] = {}
        self._wrote: dict[int, int] = {}
        self._week = 0
        self._features: list[NDArray[np.uint64]] = []
        self._counts: list[NDArray[np.int64]] = []
        self._exposure = 0

    def learn(
        self, features: NDArray[np.uint64], counts: NDArray[np.int64], *, exposure: int, bucket: int
    ) -> None:
        """Add a day: authors per feature, out of `exposure`. Days come in order."""
        week = bucket // WEEK
        if week != self._week:
            self._close_week()
            self._week = week
        self._features.append(features)
        self._counts.append(counts)
        self._exposure += exposure

    def factor(
        self, features: NDArray[np.uint64], rates: NDArray[np.float64], *, bucket: int
    ) -> NDArray[np.float64]:
        """How much more than `rates` each feature is expected at `bucket`; at least 1."""
        return self.recall(features, rates, bucket=bucket)[0]

    def recall(
        self, features: NDArray[np.uint64], rates: NDArray[np.float64], *, bucket: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """The factor of each feature, and the day around an earlier occasion that it comes from.

        The day is -1 where it comes from none: from the weeks of a year ago, or there is nothing to expect.
        Both of shape (features,).
        """
        expected, days = rates.copy(), np.full(features.size, -1, np.int32)
        for week, day in self._weeks_like(bucket).items():
            known, usual = self._weeks.get(week, (features[:0], rates[:0]))
            if not known.size:
                continue
            place = np.minimum(np.searchsorted(known, features), known.size - 1)
            higher = (known[place] == features) & (usual[place] > expected)
            expected[higher], days[higher] = usual[place[higher]], day
        return expected / rates, days

    def _weeks_like(self, bucket: int) -> dict[int, int]:
        """The weeks that say what to expect, each with the day around an occasion that it is for, or -1."""
        anniversary = (bucket - YEAR) // WEEK
        weeks = dict.fromkeys(range(anniversary - AROUND, anniversary + AROUND + 1), -1)
        for like in self._occasions.before(bucket):
            for week in ((like.bucket - NEAR) // WEEK, (like.bucket + NEAR) // WEEK):
                weeks.setdefault(week, like.bucket)
        return weeks

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The memory as named arrays: authors of each feature in each week, and in all who wrote in it."""
        features, counts = self._added_up()
        weeks = sorted(self._weeks)
        arrays: dict[str, NDArray[Any]] = {
            "now": np.array([self._week, self._exposure], np.int64),
            "open_features": features,
            "open_counts": counts,
            "exposures": np.array([(week, self._wrote[week]) for week in weeks], np.int64).reshape(-1, 2),
        }
        for week in weeks:
            features, rates = self._weeks[week]
            # A rate is a count over the exposure: that of whole numbers below 2^50 is found again.
            counts = np.rint(rates * self._wrote[week]).astype(np.int64)
            arrays[f"features_{week}"], arrays[f"counts_{week}"] = features, counts
        return arrays

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` gave."""
        self._week, self._exposure = (int(value) for value in arrays["now"])
        self._features, self._counts = [arrays["open_features"]], [arrays["open_counts"]]
        self._wrote = dict(arrays["exposures"].tolist())
        self._weeks = {
            week: (arrays[f"features_{week}"], arrays[f"counts_{week}"] / wrote)
            for week, wrote in self._wrote.items()
        }

    def _added_up(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Features of the open week, in order, and the authors of each."""
        features, places = np.unique(
            np.concatenate([np.empty(0, np.uint64), *self._features]), return_inverse=True
        )
        counts = np.zeros(features.size, np.int64)
        np.add.at(counts, places, np.concatenate([np.empty(0, np.int64), *self._counts]))
        return features, counts

    def _close_week(self) -> None:
        if self._exposure:
            features, counts = self._added_up()
            kept = counts >= SMALLEST
            if kept.any():
                self._weeks[self._week] = (features[kept], counts[kept] / self._exposure)
                self._wrote[self._week] = self._exposure
        self._features, self._counts, self._exposure = [], [], 0
        oldest = self._week - self._kept
        self._weeks = {week: rates for week, rates in self._weeks.items() if week >= oldest}
        self._wrote = {week: wrote for week, wrote in self._wrote.items() if week >= oldest}
