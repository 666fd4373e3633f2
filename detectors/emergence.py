"""Emergence: features mentioned by more authors than their own past and their parent's explain."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import _emergence_kernel as kernel
from detectors._emergence_checks import MOST_AUTHORS, check_counted, check_expected
from detectors._emergence_evidence import turns
from detectors._emergence_table import EmergenceTable
from detectors.emergence_tails import Tails, tails
from detectors.features import feature_id
from detectors.river_base import AnomalyDetector

Ids = NDArray[np.uint64]
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Buckets = NDArray[np.int32]

DEFAULT_RATIOS = (1.5, 3.0, 6.0, 12.0)
REHEARSAL = 56
"""Buckets before the end of the warm-up in which evidence is gathered without being told, at most."""


@dataclass(frozen=True, slots=True)
class EmergenceScores:
    """What one bucket says of each feature, in the order the features were given.

    log_e: natural log of the bucket's e-value, above 0 favours a rise. evidence: the same of the running
    episode, this bucket included: what to compare with a threshold. rate: expected share of authors, before
    this bucket. since: first bucket of the running episode. observed, expected: authors since then, at the
    rate of then, or in season at what the season makes of the rate of now. known: mentions that the rate of
    the episode was known by. followed: mentioned here and, not long ago, flagged or followed (see
    `Emergence.restart`). All of shape (features,).
    """

    log_e: Floats
    evidence: Floats
    rate: Floats
    since: Buckets
    observed: Floats
    expected: Floats
    known: Floats
    followed: NDArray[np.bool_]

    @classmethod
    def of(cls, scores: kernel.Scores) -> "EmergenceScores":
        """The columns that the kernel filled."""
        return cls(**scores._asdict())

    def part(self, entries: slice) -> "EmergenceScores":
        """The scores of some features."""
        return EmergenceScores(*(getattr(self, name)[entries] for name in self.__slots__))


class Emergence(AnomalyDetector):
    """Gamma-Poisson baseline of many sparse features with a sequential test of a rise.

    In a bucket, *y* distinct authors out of *n* mention a feature. Its baseline is a Gamma(a, b) rate with
    exponential forgetting; the prior is the rate of a wider perimeter, worth up to `strength` mentions.

    An episode begins with a mention and is judged as a whole, against the rate it began with: what it
    teaches the baseline meanwhile does not excuse it. No change: its authors are negative binomial. Change:
    the same with the rate multiplied by one of `ratios`, equally likely. The ratio of both is an e-value, its
    logarithm the evidence; an episode ends where it is not above 0, as in a CUSUM. Under the baseline the
    mean time to evidence log c is at least c tests of the feature. A feature that is not mentioned costs
    nothing: silence adds to what its episode expected when it is next mentioned. After a half-life the
    baseline has learned what an episode taught, and a new one begins.

    Parameters
    ----------
    half_life
        Buckets after which a mention weighs half; at least 1.
    strength
        Weight of the prior rate, in mentions, at most; above 0. Perimeters differ from the wider one in their
        rates by about 1/sqrt(strength) of it. A prior is never worth more mentions than it lets expect of
        this perimeter's history, its own mentions taken off: they are part of the wider perimeter's.
    ratios
        Multiples of the rate that count as a rise; each above 1.
    base_rate
        Prior rate where no wider perimeter gives one, and the least it counts for elsewhere; in (0, 1).
    base_strength
        Weight of the base rate, in mentions; above 0 and small: most features are far rarer or far more
        frequent.
    dispersion
        Rates of ordinary subjects swell and shrink for days, by about 1/sqrt(dispersion) of themselves; an
        episode must be beyond that; above 0, infinite where rates never move.
    warm_up
        Buckets that are learned without being judged; at least 0. In the last half of them, at most eight
        weeks, evidence is gathered already, to know how often it rises for nothing.
    least
        Authors of an episode under which it will not be told; at least 1. Others do not count as crossings;
        see `looked_at`.
    follow
        Buckets after an alarm, or after a later mention, in which a feature is followed; at least 1.
    exposure
        Key of `x` that holds n in the one-at-a-time interface.

    Examples
    --------
    >>> detector = Emergence(warm_up=0)
    >>> for _ in range(60):
    ...     detector.learn_one({"n": 20, "queue": 2})
    >>> usual, rise = {"n": 20, "queue": 2}, {"n": 20, "queue": 12}
    >>> detector.score_one(usual) < 0 < 2 < detector.score_one(rise)
    True

    References
    ----------
    Shin, J., Ramdas, A. & Rinaldo, A. (2024). E-detectors: a nonparametric framework for sequential change
    detection. New England Journal of Statistics in Data Science 2(2):229-260.
    """

    def __init__(
        self,
        half_life: float = 60.0,
        strength: float = 1.0,
        ratios: Sequence[float] = DEFAULT_RATIOS,
        base_rate: float = 1e-5,
        base_strength: float = 1e-3,
        dispersion: float = 1.0,
        warm_up: int = 28,
        least: int = 1,
        follow: int = 28,
        exposure: str = "n",
    ) -> None:
        if not half_life >= 1:
            raise ValueError(f"half_life is {half_life} buckets; it must be at least 1")
        if not (strength > 0 and base_strength > 0):
            raise ValueError(
                f"strength is {strength} and base_strength {base_strength} mentions; both must be above 0"
            )
        if not ratios or not all(ratio > 1 for ratio in ratios):
            raise ValueError(f"ratios is {ratios}; each must be above 1")
        if not 0 < base_rate < 1:
            raise ValueError(f"base_rate is {base_rate}; it must lie between 0 and 1")
        if not dispersion > 0:
            raise ValueError(f"dispersion is {dispersion}; it must be above 0")
        if not warm_up >= 0:
            raise ValueError(f"warm_up is {warm_up} buckets; it must be at least 0")
        if not least >= 1:
            raise ValueError(f"least is {least} authors; it must be at least 1")
        if not follow >= 1:
            raise ValueError(f"follow is {follow} buckets; it must be at least 1")
        self.half_life = half_life
        self.strength = strength
        self.ratios = ratios
        self.base_rate = base_rate
        self.base_strength = base_strength
        self.dispersion = dispersion
        self.warm_up = warm_up
        self.least = least
        self.follow = follow
        self.exposure = exposure
        self._table = EmergenceTable(1)

    # one bucket at a time, as river users know it -------------------------------------------------

    def score_one(self, x: Mapping[str, float]) -> float:
        """Highest sequential evidence (natural log) among the features of `x`; 0 where there is none."""
        evidence = self.evidence_one(x)
        return max(evidence.values(), default=0.0)

    def evidence_one(self, x: Mapping[str, float]) -> dict[str, float]:
        """Sequential evidence (natural log) of each feature of `x`, were it the next bucket."""
        names, ids, counts, exposure = self._columns(x)
        scores = self.score_many(ids, counts, exposure=exposure, bucket=self.next_bucket)
        return dict(zip(names, scores.evidence.tolist(), strict=True))

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Learn `x`, authors per feature and the exposure, as the next bucket."""
        _, ids, counts, exposure = self._columns(x)
        self.learn_many(ids, counts, exposure=exposure, bucket=self.next_bucket)

    # a whole bucket of columns ---------------------------------------------------------------------

    def score_many(
        self,
        features: Ids,
        counts: Counts,
        *,
        exposure: int,
        bucket: int,
        prior: Floats | None = None,
        season: Floats | None = None,
    ) -> EmergenceScores:
        """Judge a bucket without learning it.

        features: distinct ids, none 0. counts: authors who mention each, 0 to exposure. exposure: authors
        who wrote, at least 1 where features is not empty. bucket: number of the bucket, above the last one
        learned. prior: rate in the wider perimeter before this bucket, shape (features,). season: factor
        at least 1 on the expected rate, shape (features,). Raises ValueError where these do not hold.
        """
        return self._step(features, counts, exposure, bucket, prior, season, -math.inf, learn=False)

    def learn_many(
        self,
        features: Ids,
        counts: Counts,
        *,
        exposure: int,
        bucket: int,
        prior: Floats | None = None,
        season: Floats | None = None,
        looked_at: float = -math.inf,
    ) -> EmergenceScores:
        """Learn a bucket; returns the scores it had before it was learned. Arguments as in `score_many`.

        looked_at: evidence that matters, such as a threshold. Where it is above 0, time is saved on what
        lies below: `log_e` and `evidence` are 0 for features that are mentioned no more than expected, with
        no evidence before, and of episodes of fewer than `least` authors; `log_e` also for those in an
        episode or not judged yet.
        """
        return self._step(features, counts, exposure, bucket, prior, season, looked_at, learn=True)

    def rates(self, features: Ids, *, bucket: int) -> Floats:
        """Expected share of authors at `bucket`, without prior or season; shape (features,)."""
        nobody = np.zeros(features.size, np.int64)
        return self._step(features, nobody, 0, bucket, None, None, math.inf, learn=False).rate

    def evidence_of(self, observed: Floats, expected: Floats, known: Floats) -> Floats:
        """Evidence of so many authors where so many were expected, at rates known by so many mentions; the
        last two as scores give them, above 0. All of shape (features,).
        """
        found = np.empty(observed.size)
        kernel.evidences(observed, expected, known, self.constants, found)
        return found

    def restart(self, features: Ids) -> None:
        """Begin the evidence of some features anew, as after an alarm; what was learned stays.

        From then on they are followed, as long as they are mentioned every `follow` buckets.
        """
        nothing = np.zeros(features.size, np.int64)
        self._table.restart(features, nothing.astype(np.uint64), nothing)

    @property
    def next_bucket(self) -> int:
        """Number of the bucket after the last one learned, 0 at first."""
        return int(self._totals[kernel.NEXT_BUCKET])

    @property
    def buckets(self) -> int:
        """Buckets since the first one learned."""
        return int(self._totals[kernel.NEXT_BUCKET] - self._totals[kernel.FIRST_BUCKET])

    @property
    def tests_per_bucket(self) -> float:
        """Features judged in a bucket, on discounted average."""
        weight = float(self._totals[kernel.TEST_WEIGHT])
        return float(self._totals[kernel.TESTS]) / weight if weight > 0 else 0.0

    @property
    def usual_exposure(self) -> float:
        """Authors who write in a bucket in which anybody does, on discounted average."""
        return float(kernel.usual_exposures(self._table.totals)[0])

    @property
    def tails(self) -> Tails:
        """How often evidence is reached where nothing happens, shape (1,)."""
        return tails(self._table.totals)

    @property
    def features(self) -> int:
        """Features in memory."""
        return self._table.used

    def forget(self, *, below: float, bucket: int, most: int = sys.maxsize) -> int:
        """Drop features whose discounted count at `bucket` is under `below` authors; returns how many.

        most: features that are kept at most: those of the highest counts, of equal ones the lowest ids.
        """
        return self._table.forget(bucket, self.constants.log_decay, below, most)

    # checkpoints -------------------------------------------------------------------------------------

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The learned state as named arrays, features in id order: equal states give equal arrays."""
        return self._table.state_arrays()

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` gave."""
        self._table.load_state_arrays(arrays)

    # ------------------------------------------------------------------------------------------------

    @property
    def _totals(self) -> Floats:
        totals: Floats = self._table.totals[0]
        return totals

    @cached_property
    def _alone(self) -> kernel.Constants:
        return self._constants(self.base_strength)

    @cached_property
    def constants(self) -> kernel.Constants:
        """The parameters as compiled code takes them, where a wider perimeter gives the prior."""
        return self._constants(self.strength)

    def _columns(self, x: Mapping[str, float]) -> tuple[list[str], Ids, Counts, int]:
        for name, count in x.items():
            if not (math.isfinite(count) and count == int(count)):
                raise ValueError(f"{name} is {count}; each must be a whole number of authors")
            if abs(count) > MOST_AUTHORS:
                raise ValueError(f"{name} is {count}; there must be at most {MOST_AUTHORS} authors")
        names = [name for name, count in x.items() if name != self.exposure and count]
        ids = np.array([feature_id(name) for name in names], dtype=np.uint64)
        counts = np.array([x[name] for name in names], dtype=np.int64)
        exposure = int(x.get(self.exposure, counts.max(initial=0)))
        return names, ids, counts, exposure

    def _step(
        self,
        features: Ids,
        counts: Counts,
        exposure: int,
        bucket: int,
        prior: Floats | None,
        season: Floats | None,
        looked_at: float,
        *,
        learn: bool,
    ) -> EmergenceScores:
        size = features.size
        self._check(features, counts, exposure, bucket, prior, season)
        constants = self.constants
        if prior is None:
            prior, constants = np.full(size, self.base_rate), self._alone
        heard = kernel.Bucket(
            slots=np.zeros(1, np.int64),
            salts=np.zeros(1, np.uint64),
            starts=np.array([0, size]),
            exposures=np.array([exposure]),
            features=features,
            counts=counts,
            above=np.full(size, -1),
            prior=prior,
            season=np.ones(size) if season is None else season,
        )
        return EmergenceScores.of(
            self._table.step(heard, bucket, constants, np.array([looked_at]), learn=learn)
        )

    def _constants(self, strength: float) -> kernel.Constants:
        return kernel.Constants(
            math.log(0.5) / self.half_life,
            float(strength),
            self.base_rate,
            self.base_strength,
            self.dispersion,
            self.half_life,
            self.warm_up,
            min(self.warm_up // 2, REHEARSAL),
            self.least,
            self.follow,
            np.array(self.ratios, np.float64),
            np.array([math.log(ratio) for ratio in self.ratios]),
            turns(tuple(self.ratios), self.dispersion),
        )

    def _check(
        self,
        features: Ids,
        counts: Counts,
        exposure: int,
        bucket: int,
        prior: Floats | None,
        season: Floats | None,
    ) -> None:
        size = features.size
        for name, values in (("counts", counts), ("prior", prior), ("season", season)):
            if values is not None and values.size != size:
                raise ValueError(f"{size} features but {values.size} {name}; they must be as many")
        check_counted(counts, exposure, bucket)
        check_expected(prior, season)
        increasing, lowest, highest = kernel.extent(features, counts)
        if not increasing and (not features.all() or np.unique(features).size < size):
            raise ValueError("features must be distinct, and none may be 0")
        if exposure < 0:
            raise ValueError(f"exposure is {exposure} authors; it must be at least 0")
        if self._totals[kernel.LEARNED] and bucket < self.next_bucket:
            raise ValueError(f"bucket is {bucket}; buckets up to {self.next_bucket - 1} are learned already")
        if size and not 0 <= lowest <= highest <= exposure:
            raise ValueError(
                f"counts run from {lowest} to {highest}; each must lie in [0, exposure={exposure}]"
            )
