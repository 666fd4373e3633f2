"""Emergence over the perimeters of a tree: the estimators of all of them in one table."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import _emergence_kernel as kernel
from detectors._emergence_checks import check_counted, check_expected
from detectors._emergence_table import EmergenceTable
from detectors.emergence import Emergence, EmergenceScores
from detectors.emergence_tails import Tails, tails
from detectors.features import feature_id


@dataclass(frozen=True, slots=True)
class Heard:
    """What the perimeters of a tree heard in a bucket, parents before their children.

    perimeters: path of each. starts: first entry of each, then the number of entries; shape
    (perimeters + 1,). exposures: authors who wrote at each, at least 1. features, counts: as in `Emergence`,
    one perimeter after the other; shape (entries,). above: entry of the same feature in the parent, -1 where
    the perimeter has no parent in the bucket; a child's features are all among its parent's.
    """

    perimeters: Sequence[str]
    starts: NDArray[np.int64]
    exposures: NDArray[np.int64]
    features: NDArray[np.uint64]
    counts: NDArray[np.int64]
    above: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Entries of each perimeter."""
        return np.diff(self.starts)

    def span(self, place: int) -> slice:
        """Entries of the perimeter at a place."""
        return slice(int(self.starts[place]), int(self.starts[place + 1]))

    def owners(self, entries: NDArray[np.int64]) -> NDArray[np.int64]:
        """Place of the perimeter that each entry belongs to."""
        return np.searchsorted(self.starts, entries, side="right") - 1


class EmergenceTree:
    """`Emergence` for each perimeter of a tree, each with its parent's rate before the bucket as prior.

    One table and one compiled call a bucket; a perimeter's scores are those that an `Emergence` of its own
    would give. Perimeters are added as they are heard.

    Parameters
    ----------
    like
        Gives the parameters; its state is not used.

    Examples
    --------
    >>> tree = EmergenceTree(Emergence(warm_up=0))
    >>> heard = Heard(
    ...     ["nord", "nord/lille"],
    ...     starts=np.array([0, 1, 2]),
    ...     exposures=np.array([20, 4]),
    ...     features=np.array([5, 5], np.uint64),
    ...     counts=np.array([3, 2]),
    ...     above=np.array([-1, 0]),
    ... )
    >>> scores = tree.learn_many(heard, bucket=0, prior=np.array([0.1]), season=np.array([1.0]))
    >>> scores.rate.tolist()
    [0.1, 0.1]
    """

    def __init__(self, like: Emergence) -> None:
        self._constants = like.constants
        self._table = EmergenceTable()
        self._slots: dict[str, int] = {}
        self._salts: list[int] = []

    def score_many(
        self, heard: Heard, *, bucket: int, prior: NDArray[np.float64], season: NDArray[np.float64]
    ) -> EmergenceScores:
        """Judge a bucket without learning it; arguments as in `learn_many`.

        Here exposures and counts may be 0: what a silent bucket makes of a feature.
        """
        unknown = len(self._slots)
        slots = np.array([self._slots.get(perimeter, unknown) for perimeter in heard.perimeters], np.int64)
        salts = np.array([feature_id(perimeter) for perimeter in heard.perimeters], np.uint64)
        looked_at = np.full(slots.size, -np.inf)
        return self._step(heard, slots, salts, bucket, prior, season, looked_at, learn=False)

    def learn_many(
        self,
        heard: Heard,
        *,
        bucket: int,
        prior: NDArray[np.float64],
        season: NDArray[np.float64],
        looked_at: NDArray[np.float64] | None = None,
    ) -> EmergenceScores:
        """Learn a bucket; returns the scores it had before it was learned, shape (entries,) each.

        bucket: above the last one that any of the perimeters learned. prior, season: as in `Emergence`, for
        the entries without one above, in their order. looked_at: as in `Emergence`, one for each perimeter.
        """
        slots = np.array([self._slot(perimeter) for perimeter in heard.perimeters], np.int64)
        if looked_at is None:
            looked_at = np.full(slots.size, -np.inf)
        salts = self._salts_of(slots)
        return self._step(heard, slots, salts, bucket, prior, season, looked_at, learn=True)

    def restart(self, heard: Heard, entries: NDArray[np.int64]) -> None:
        """Begin the evidence of some entries of a bucket anew, as after an alarm."""
        slots = np.array([self._slot(perimeter) for perimeter in heard.perimeters], np.int64)
        theirs = slots[heard.owners(entries)]
        self._table.restart(heard.features[entries], self._salts_of(theirs), theirs)

    def tests_per_bucket(self, perimeters: Sequence[str]) -> NDArray[np.float64]:
        """Features judged in a bucket at each perimeter, on discounted average; 0 for one never heard."""
        totals = self._rows(perimeters)
        weights = totals[:, kernel.TEST_WEIGHT]
        return np.divide(totals[:, kernel.TESTS], weights, out=np.zeros(weights.size), where=weights > 0)

    def usual_exposures(self, perimeters: Sequence[str]) -> NDArray[np.float64]:
        """Authors who write at each perimeter in a bucket in which anybody does, on discounted average; 0 for
        one never heard."""
        return kernel.usual_exposures(self._rows(perimeters))

    def tails(self, perimeters: Sequence[str]) -> Tails:
        """How often evidence is reached at each perimeter where nothing happens; the widest comes first.

        What it showed so far says what is usual where another was hardly heard.
        """
        return tails(self._rows(perimeters))

    def buckets(self, perimeter: str) -> int:
        """Buckets since the first one learned at a perimeter, 0 for one never heard."""
        totals = self._rows([perimeter])[0]
        return int(totals[kernel.NEXT_BUCKET] - totals[kernel.FIRST_BUCKET])

    @property
    def next_bucket(self) -> int:
        """Number of the bucket after the last one learned anywhere, 0 at first."""
        return int(self._table.totals[:, kernel.NEXT_BUCKET].max(initial=0))

    @property
    def features(self) -> int:
        """Features in memory, each counted once a perimeter."""
        return self._table.used

    def forget(self, *, below: float, bucket: int, most: int = sys.maxsize) -> int:
        """Drop features whose discounted count at `bucket` is under `below` authors; returns how many.

        most: features that are kept at most: those of the highest counts, of equal ones the lowest ids.
        """
        return self._table.forget(bucket, self._constants.log_decay, below, most)

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The learned state as named arrays; perimeters in the order they were first heard."""
        return {**self._table.state_arrays(), "perimeters": np.array(list(self._slots), np.str_)}

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` gave."""
        self._table.load_state_arrays(arrays)
        paths = arrays["perimeters"].tolist()
        self._slots = {path: slot for slot, path in enumerate(paths)}
        self._salts = [feature_id(path) for path in paths]

    def _step(
        self,
        heard: Heard,
        slots: NDArray[np.int64],
        salts: NDArray[np.uint64],
        bucket: int,
        prior: NDArray[np.float64],
        season: NDArray[np.float64],
        looked_at: NDArray[np.float64],
        *,
        learn: bool,
    ) -> EmergenceScores:
        learned = self._rows(heard.perimeters)[:, kernel.NEXT_BUCKET].max(initial=0)
        if bucket < learned:
            raise ValueError(f"bucket is {bucket}; buckets up to {int(learned) - 1} are learned already")
        top = heard.above < 0
        if prior.size != np.count_nonzero(top) or season.size != prior.size:
            raise ValueError(
                f"{np.count_nonzero(top)} entries have none above but {prior.size} have a prior and "
                f"{season.size} a season; they must be as many"
            )
        check_counted(heard.counts, heard.exposures, bucket)
        check_expected(prior, season)
        priors, seasons = np.zeros((2, heard.features.size))
        priors[top], seasons[top] = prior, season
        columns = kernel.Bucket(
            slots,
            salts,
            heard.starts,
            heard.exposures,
            heard.features,
            heard.counts,
            heard.above,
            priors,
            seasons,
        )
        return EmergenceScores.of(self._table.step(columns, bucket, self._constants, looked_at, learn=learn))

    def _slot(self, perimeter: str) -> int:
        if perimeter not in self._slots:
            self._slots[perimeter] = len(self._slots)
            self._salts.append(feature_id(perimeter))
            self._table.add_perimeter()
        return self._slots[perimeter]

    def _salts_of(self, slots: NDArray[np.int64]) -> NDArray[np.uint64]:
        return np.array([self._salts[slot] for slot in slots], np.uint64)

    def _rows(self, perimeters: Sequence[str]) -> NDArray[np.float64]:
        """Totals of perimeters, zeros for those never heard."""
        known = np.array([self._slots.get(perimeter, -1) for perimeter in perimeters], np.int64)
        nothing = np.zeros((1, kernel.TOTALS))
        return np.concatenate([self._table.totals, nothing])[known]
