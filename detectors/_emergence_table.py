"""The learned state of `detectors.emergence`: a table of features and the totals of its perimeters."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import _emergence_kernel as kernel
from detectors import _emergence_state as table


class EmergenceTable:
    """Features of one perimeter or of many. perimeters: rows of `totals` to begin with."""

    def __init__(self, perimeters: int = 0) -> None:
        self.used = 0
        self.totals = np.zeros((perimeters, kernel.TOTALS))
        self._state = table.empty_state()

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
            self._state = table.with_room(self._state, self.used, heard.features.size)
        else:
            totals = np.concatenate([totals, np.zeros((1, kernel.TOTALS))])
        scores = kernel.empty_scores(heard.features.size)
        gained = kernel.step(self._state, totals, heard, bucket, constants, looked_at, learn, scores)
        self.used += int(gained)
        return scores

    def add_perimeter(self) -> None:
        """One more row of totals."""
        self.totals = np.concatenate([self.totals, np.zeros((1, kernel.TOTALS))])

    def restart(
        self, features: NDArray[np.uint64], salts: NDArray[np.uint64], slots: NDArray[np.int64]
    ) -> None:
        """Begin the evidence of some features anew; shape (features,) each."""
        kernel.restart(self._state, self.totals, features, salts, slots)

    def forget(self, bucket: int, log_decay: float, below: float, most: int) -> int:
        """Drop features whose discounted count at `bucket` is under `below`, and the least of more than
        `most`; returns how many."""
        before = self.used
        self.used -= table.drop_faded(self._state, bucket, log_decay, below)
        # As much comes until the next time as goes now: room is given back only where half would do.
        least, capacity = table.capacity_for(min(self.used, most)), self._state.ids.size
        if self.used > most or 2 * least < capacity:
            kept = table.highest(self._state, bucket, log_decay, most)
            self._state = table.rehash(self._state, kept, least if 2 * least < capacity else capacity)
            self.used = int(kept.size)
        return before - self.used

    def __getstate__(self) -> dict[str, Any]:
        """The features, without the room between them."""
        return {"totals": self.totals, "records": table.packed(self._state)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.used, self.totals = state["records"].size, state["totals"]
        self._state = table.spread(state["records"])

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """Named arrays, features in order of id."""
        order = table.ordered(self._state)
        arrays = {name: getattr(self._state, name)[order] for name in table.STATE}
        return {**arrays, "totals": self.totals.copy()}

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` gave."""
        records = np.empty(arrays["ids"].size, table.RECORD)
        for name in table.STATE:
            records[name] = arrays[name]
        self._state = table.spread(records)
        self.used = records.size
        self.totals = arrays["totals"].copy()
