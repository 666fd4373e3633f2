"""Mismatch: what people score against what they write, and scores that come without a word."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.drift import DEFAULT_SIZES, Drift, DriftScores
from detectors.river_base import AnomalyDetector
from detectors.series import Floats, Ids, check_counts, check_series
from detectors.wave import Wave, WaveScores

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

ALONE = np.array([1], np.uint64)
"""The series of the one-at-a-time interface."""
WIDEST = 2.0
"""Largest difference of a score and a mood, both in [-1, 1]."""
PARTS = ("gap", "silent", "waves")


@dataclass(frozen=True, slots=True)
class Answers:
    """A bucket of scored answers of many series; all arrays of shape (series,).

    series: distinct ids. answers: scored answers. without_text: how many of them have no text. both: how many
    have a text whose mood is known; gap_sums, gap_squares: sums over these of d and of d squared, d being the
    score mapped to [-1, 1] less the mood in [-1, 1].
    """

    series: Ids
    answers: Counts
    without_text: Counts
    both: Counts
    gap_sums: Floats
    gap_squares: Floats


@dataclass(frozen=True, slots=True)
class MismatchScores:
    """What one bucket says of each series, in the order the series were given.

    evidence: natural log of the sequential evidence that scores and texts have parted, or that texts have
    stopped: the stronger of both, less log 2 for having had two chances. gap: drift of score less mood, in
    [-2, 2]; direction 1 where scores say content and texts say otherwise, -1 for the reverse. silent: drift
    of the share of answers without text. waves: the wave of answers, if one is on.
    """

    evidence: Floats
    gap: DriftScores
    silent: DriftScores
    waves: WaveScores

    @property
    def wave(self) -> Flags:
        """Whether a wave is on: a higher mean score is then no recovery. What `Drift` takes as `hold`."""
        return self.waves.wave


class Mismatch(AnomalyDetector):
    """Drift of score less mood and of the share without text, with invited-review waves told apart.

    Both series are judged as in `detectors.drift`, the share as the mean of values 0 and 1. While a wave
    is on (`detectors.wave`), more answers without text are expected: they are neither counted as a rise of
    the share nor learned as normal. The same flag, given to the `Drift` of the scores as `hold`, keeps a wave
    of invited high scores from reading as recovery, and from being the level that the next weeks fall from.

    Answers that have a text of unknown mood count for the share and not for the gap. A series not given
    in a bucket had no answers.

    Parameters
    ----------
    half_life, sizes, warm_up
        As in `detectors.drift.Drift`, for both series.

    Examples
    --------
    >>> detector = Mismatch()
    >>> usual = {"answers": 6, "without_text": 2, "both": 4, "gap_sum": 0.4, "gap_sum_sq": 0.5}
    >>> for _ in range(60):
    ...     detector.learn_one(usual)
    >>> parted = {"answers": 6, "without_text": 2, "both": 4, "gap_sum": 5.0, "gap_sum_sq": 6.5}
    >>> detector.score_one(usual) < 1 < 5 < detector.score_one(parted)
    True
    """

    def __init__(
        self, half_life: float = 730.0, sizes: Sequence[float] = DEFAULT_SIZES, warm_up: float = 30.0
    ) -> None:
        self.half_life = half_life
        self.sizes = sizes
        self.warm_up = warm_up
        self._gap = Drift(-WIDEST, WIDEST, half_life, sizes, warm_up)
        self._silent = Drift(0.0, 1.0, half_life, sizes, warm_up)
        self._waves = Wave()

    def score_one(self, x: Mapping[str, float]) -> float:
        """Evidence (natural log) of a mismatch, were `x` the next bucket. Keys as in `learn_one`."""
        return float(self.score_many(_one(x), bucket=self.next_bucket).evidence[0])

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Learn the next bucket: "answers", "without_text", "both", "gap_sum", "gap_sum_sq".

        A bucket that lacks one of the first two has no answers; one of the others, no known moods.
        """
        self.learn_many(_one(x), bucket=self.next_bucket)

    def score_many(self, x: Answers, *, bucket: int) -> MismatchScores:
        """Judge a bucket, above the last one learned, without learning it.

        Raises ValueError where counts or sums are none that answers can give.
        """
        _check(x)
        waves = self._waves.score_many(x.series, x.answers, x.without_text, bucket=bucket)
        gap = self._gap.score_many(x.series, x.both, x.gap_sums, x.gap_squares, bucket=bucket)
        share = x.without_text.astype(np.float64)
        silent = self._silent.score_many(x.series, x.answers, share, share, bucket=bucket, hold=waves.wave)
        return _scores(gap, silent, waves)

    def learn_many(self, x: Answers, *, bucket: int) -> MismatchScores:
        """Learn a bucket; returns the scores of `score_many`, from before it was learned."""
        _check(x)
        # The gap goes first: its sums are what may still be refused, and then nothing is learned.
        gap = self._gap.learn_many(x.series, x.both, x.gap_sums, x.gap_squares, bucket=bucket)
        waves = self._waves.learn_many(x.series, x.answers, x.without_text, bucket=bucket)
        share = x.without_text.astype(np.float64)
        silent = self._silent.learn_many(x.series, x.answers, share, share, bucket=bucket, hold=waves.wave)
        return _scores(gap, silent, waves)

    def restart(self, series: Ids) -> None:
        """Begin the evidence of some series anew, as after an alarm; see `Drift.restart`. Waves go on."""
        self.restart_gap(series)
        self.restart_silent(series)

    def restart_gap(self, series: Ids) -> None:
        """The same for the drift of score less mood alone."""
        self._gap.restart(series)

    def restart_silent(self, series: Ids) -> None:
        """The same for the drift of the share without text alone."""
        self._silent.restart(series)

    @property
    def next_bucket(self) -> int:
        """Number of the bucket after the last one learned, 0 at first."""
        return self._gap.next_bucket

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The learned state as named arrays, series in id order: equal states give equal arrays."""
        return {
            f"{part}.{name}": array
            for part in PARTS
            for name, array in getattr(self, f"_{part}").state_arrays().items()
        }

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` gave."""
        for part in PARTS:
            own = {name.removeprefix(f"{part}."): a for name, a in arrays.items() if name.startswith(part)}
            getattr(self, f"_{part}").load_state_arrays(own)


def _scores(gap: DriftScores, silent: DriftScores, waves: WaveScores) -> MismatchScores:
    evidence = np.maximum(0.0, np.maximum(gap.evidence, silent.evidence) - math.log(2))
    return MismatchScores(evidence, gap, silent, waves)


def _check(x: Answers) -> None:
    written = {"answers": x.answers, "without_text": x.without_text, "both": x.both}
    check_series(x.series, **written)
    check_counts(x.series, **written)
    check_counts(x.series, answers=x.answers, without_text_and_both=x.without_text + x.both)


def _one(x: Mapping[str, float]) -> Answers:
    counted = all(name in x for name in ("answers", "without_text"))
    moods = counted and all(name in x for name in ("both", "gap_sum", "gap_sum_sq"))
    answers, without_text = (x["answers"], x["without_text"]) if counted else (0, 0)
    both, gap_sum, gap_sum_sq = (x["both"], x["gap_sum"], x["gap_sum_sq"]) if moods else (0, 0, 0)
    return Answers(
        ALONE, *(np.array([value]) for value in (answers, without_text, both, gap_sum, gap_sum_sq))
    )
