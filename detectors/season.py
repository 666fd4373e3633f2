"""Seasons: what was frequent in the same weeks a year ago is expected when they return."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

YEAR = 365
WEEK = 7
AROUND = 2
"""Weeks before and after the anniversary that count: seasons move a little from year to year."""
KEPT_WEEKS = 57
SMALLEST = 3
"""Authors a week below which a feature is not remembered: that is chance, not a season."""


class SeasonMemory:
    """Weekly rates of frequent features over the last year, buckets being days.

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

    def __init__(self) -> None:
        self._weeks: dict[int, tuple[NDArray[np.uint64], NDArray[np.float64]]] = {}
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
        expected = rates.copy()
        anniversary = (bucket - YEAR) // WEEK
        for week in range(anniversary - AROUND, anniversary + AROUND + 1):
            known, usual = self._weeks.get(week, (features[:0], rates[:0]))
            if not known.size:
                continue
            place = np.minimum(np.searchsorted(known, features), known.size - 1)
            found = known[place] == features
            expected[found] = np.maximum(expected[found], usual[place[found]])
        return expected / rates

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The memory as named arrays."""
        arrays: dict[str, NDArray[Any]] = {
            "now": np.array([self._week, self._exposure], np.int64),
            "open_features": np.concatenate([np.empty(0, np.uint64), *self._features]),
            "open_counts": np.concatenate([np.empty(0, np.int64), *self._counts]),
        }
        for week, (features, rates) in sorted(self._weeks.items()):
            arrays[f"features_{week}"], arrays[f"rates_{week}"] = features, rates
        return arrays

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` gave."""
        self._week, self._exposure = (int(value) for value in arrays["now"])
        self._features, self._counts = [arrays["open_features"]], [arrays["open_counts"]]
        weeks = [name.removeprefix("features_") for name in arrays if name.startswith("features_")]
        self._weeks = {int(week): (arrays[f"features_{week}"], arrays[f"rates_{week}"]) for week in weeks}

    def _close_week(self) -> None:
        if self._exposure:
            features, places = np.unique(np.concatenate(self._features), return_inverse=True)
            counts = np.zeros(features.size, np.int64)
            np.add.at(counts, places, np.concatenate(self._counts))
            kept = counts >= SMALLEST
            if kept.any():
                self._weeks[self._week] = (features[kept], counts[kept] / self._exposure)
        self._features, self._counts, self._exposure = [], [], 0
        self._weeks = {week: rates for week, rates in self._weeks.items() if week >= self._week - KEPT_WEEKS}
