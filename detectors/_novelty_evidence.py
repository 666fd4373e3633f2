"""What `Emergence` knows of clusters, after some of them merged or split."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors._emergence_kernel import WEIGHT
from detectors.emergence import Emergence

Ids = NDArray[np.uint64]
Arrays = dict[str, NDArray[Any]]

ADD_UP = ("evidence", "base", "known", "authors", "expected")
TOTALS = "totals"
"""The array of the estimator's state that is not a column by feature."""


def with_merges_and_splits(
    gathering: Emergence, merges: Ids, splits: Ids, shares: NDArray[np.float64]
) -> Emergence:
    """The estimator with clusters merged, then split.

    merges: rows (id that ended, id that lives on), in order. splits: rows (id that stays, new id). shares: of
    the past that goes to the new id, in (0, 1).
    """
    arrays = gathering.state_arrays()
    for ended, kept in merges:
        arrays = _merged(arrays, ended, kept, 0.5 ** (1.0 / gathering.half_life))
    for (stays, new), share in zip(splits, shares, strict=True):
        arrays = _split(arrays, stays, new, float(share))
    return _estimator(gathering, arrays, np.argsort(arrays["ids"]))


def without_others(gathering: Emergence, alive: Ids) -> Emergence:
    """The estimator with nothing known but of `alive`."""
    arrays = gathering.state_arrays()
    kept = np.isin(arrays["ids"], alive)
    return _estimator(gathering, arrays, np.flatnonzero(kept))


def _estimator(gathering: Emergence, arrays: Arrays, places: NDArray[np.intp]) -> Emergence:
    other: Emergence = gathering.clone()
    other.load_state_arrays(
        {name: column if name == TOTALS else column[places] for name, column in arrays.items()}
    )
    return other


def _merged(arrays: Arrays, ended: np.uint64, kept: np.uint64, decay: float) -> Arrays:
    """Pasts and the evidence of running episodes added up, as those of distinct authors."""
    old, new = _place(arrays, ended), _place(arrays, kept)
    if old is None:
        return arrays
    if new is None:
        arrays["ids"][old] = kept
        return arrays
    last = max(arrays["last"][old], arrays["last"][new])
    for place in (old, new):
        arrays["shape"][place] *= decay ** float(last - arrays["last"][place])
        arrays["last"][place] = last
    seen = max(arrays["seen_exposure"][old], arrays["seen_exposure"][new])
    for place in (old, new):
        arrays["expected"][place] += arrays["base"][place] * (seen - arrays["seen_exposure"][place])
    arrays["seen_exposure"][new] = seen
    arrays["followed"][new] = max(arrays["followed"][old], arrays["followed"][new])
    _join_episodes(arrays, old, new)
    arrays["shape"][new] += arrays["shape"][old]
    return {name: column if name == TOTALS else np.delete(column, old) for name, column in arrays.items()}


def _join_episodes(arrays: Arrays, old: int, new: int) -> None:
    """Two episodes are one. What is usual of a cluster without one adds to what is expected of the other."""
    weight = arrays[TOTALS][0, WEIGHT]
    for place, other in ((old, new), (new, old)):
        if arrays["evidence"][place] <= 0.0:
            usual = {
                "evidence": 0.0,
                "base": arrays["shape"][place] / weight,
                "known": arrays["shape"][place],
                "authors": 0.0,
                "expected": 0.0,
                "since": arrays["since"][other],
            }
            for name, value in usual.items():
                arrays[name][place] = value
    for name in ADD_UP:
        arrays[name][new] += arrays[name][old]
    arrays["since"][new] = min(arrays["since"][old], arrays["since"][new])


def _split(arrays: Arrays, stays: np.uint64, new: np.uint64, share: float) -> Arrays:
    """The past shared out; the evidence stays with the older id."""
    place = _place(arrays, stays)
    if place is None:
        return arrays
    arrays = {
        name: column if name == TOTALS else np.append(column, column[place])
        for name, column in arrays.items()
    }
    arrays["ids"][-1] = new
    arrays["shape"][-1] *= share
    arrays["shape"][place] *= 1.0 - share
    arrays["evidence"][-1] = 0.0
    return arrays


def _place(arrays: Arrays, cluster: np.uint64) -> int | None:
    found = np.flatnonzero(arrays["ids"] == cluster)
    return int(found[0]) if found.size else None
