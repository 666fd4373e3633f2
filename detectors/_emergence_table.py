"""The learned state of `detectors.emergence`: a table of features and the totals of its perimeters."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import _emergence_kernel as kernel


class EmergenceTable:
    """Features of one perimeter or of many. perimeters: rows of `totals` to begin with."""

    def __init__(self, perimeters: int = 0) -> None:
        self.used = 0
        self.totals = np.zeros((perimeters, kernel.TOTALS))
        self._state = kernel.empty_state()

    def step(
        self,
        heard: kernel.Bucket,
        bucket: int,
        constants: kernel.Constants,
        looked_at: NDArray[np.float64],
        *,
        learn: bool,
    ) -> kernel.Scores:
        """Judge a bucket and, if `learn`, learn it afterwards.

        Where it is not learned, a slot after the last one stands for a perimeter never heard.
        """
        totals = self.totals
        if learn:
            self._state = kernel.with_room(self._state, self.used, heard.features.size)
        else:
            totals = np.concatenate([totals, np.zeros((1, kernel.TOTALS))])
        scores = kernel.empty_scores(heard.features.size)
        gained = kernel.step(self._state, totals, heard, bucket, constants, looked_at, learn, scores)
        self.used += int(gained)
        return scores

    def add_perimeter(self) -> None:
        """One more row of totals."""
        self.totals = np.concatenate([self.totals, np.zeros((1, kernel.TOTALS))])

    def restart(self, features: NDArray[np.uint64], salts: NDArray[np.uint64]) -> None:
        """Begin the evidence of some features anew; shape (features,) both."""
        kernel.restart(self._state, features, salts)

    def forget(self, bucket: int, log_decay: float, below: float) -> int:
        """Drop features whose discounted count at `bucket` is under `below`; returns how many."""
        kept = kernel.kept(self._state, bucket, log_decay, below)
        dropped = self.used - int(kept.size)
        if dropped:
            self._state = kernel.rehash(self._state, kept, kernel.capacity_for(kept.size))
            self.used = kept.size
        return dropped

    def __getstate__(self) -> dict[str, Any]:
        """The table as one array."""
        return {"used": self.used, "totals": self.totals, "records": kernel.records_of(self._state)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.used, self.totals = state["used"], state["totals"]
        self._state = kernel.columns_of(state["records"])

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """Named arrays, features in order of id."""
        order = kernel.ordered(self._state)
        arrays = {name: getattr(self._state, name)[order] for name in kernel.STATE}
        return {**arrays, "totals": self.totals.copy()}

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` gave."""
        records = np.empty(arrays["ids"].size, kernel.RECORD)
        for name in kernel.STATE:
            records[name] = arrays[name]
        everything = np.arange(records.size)
        capacity = kernel.capacity_for(records.size)
        self._state = kernel.rehash(kernel.columns_of(records), everything, capacity)
        self.used = records.size
        self.totals = arrays["totals"].copy()
