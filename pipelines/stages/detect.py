"""detect: what a division's perimeters, and the root, hear more of than they should.

Within a bucket the root goes first: it sums the divisions' tallies, judges them, and tells divisions its
rates of before the bucket. A division then judges itself and its perimeters from the top down, each with
its parent's rate as prior. Score first, then learn.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.emergence import Emergence, EmergenceScores
from detectors.features import THEME
from detectors.schemas import CANDIDATE, FEATURE_TALLY, ROOT_VIEW, SUPPORT
from detectors.season import SeasonMemory
from pipelines.stages.division import Division, list_offsets
from pipelines.stages.mentions import count, supporters
from pipelines.stages.understand import UNDERSTOOD


@dataclass(frozen=True, slots=True)
class Detection:
    """Settings of detection. Spans in buckets.

    half_life: how fast the past fades. warm_up: learned, not judged. window: how long an author, a copy and
    a supporting event are remembered. false_alerts: budget, a perimeter a year. min_authors: below, silence.
    strength, fade, dispersion: see `Emergence`. forget_below: discounted authors below which a feature is
    dropped, looked at every `forget_every` buckets.
    """

    half_life: float = 60.0
    warm_up: int = 28
    window: int = 28
    false_alerts: float = 0.25
    min_authors: int = 5
    strength: float = 1.0
    fade: float = 14.0
    dispersion: float = 1.0
    ratios: tuple[float, ...] = (1.5, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0, 200.0)
    buckets_a_year: float = 365.0
    forget_below: float = 0.3
    forget_every: int = 28

    def estimator(self) -> Emergence:
        """A perimeter's estimator."""
        return Emergence(
            half_life=self.half_life,
            strength=self.strength,
            ratios=self.ratios,
            fade=self.fade,
            dispersion=self.dispersion,
            warm_up=self.warm_up,
        )

    def threshold(self, tests_per_bucket: float) -> float:
        """Evidence (natural log) that keeps false alerts to the budget: tests a year over alerts a year."""
        tests = max(1.0, tests_per_bucket) * self.buckets_a_year
        return max(0.0, math.log(tests / self.false_alerts))


Followed = dict[int, int]
"""Features that were flagged at a perimeter, to the bucket they were last heard in: stories grow by them."""


@dataclass(slots=True)
class DivisionState:
    """What a division carries from one slice to the next: its estimators and the rows of the window."""

    estimators: dict[str, Emergence] = field(default_factory=dict)
    followed: dict[str, Followed] = field(default_factory=dict)
    remembered: pa.Table = field(default_factory=UNDERSTOOD.empty_table)


@dataclass(slots=True)
class RootState:
    """What the root carries from one slice to the next."""

    estimator: Emergence
    season: SeasonMemory = field(default_factory=SeasonMemory)
    followed: Followed = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """Tables of CANDIDATE and SUPPORT."""

    candidates: pa.Table
    support: pa.Table


def merge_tallies(*tallies: pa.Table) -> pa.Table:
    """Sum of tallies, in order of (bucket, feature): associative, commutative, the empty tally neutral."""
    together = pa.concat_tables(tallies)
    summed = together.group_by(["bucket", "feature"], use_threads=False).aggregate([("authors", "sum")])
    summed = summed.rename_columns(["bucket", "feature", "authors"])
    return summed.sort_by([("bucket", "ascending"), ("feature", "ascending")]).cast(FEATURE_TALLY)


def detect_root(
    tally: pa.Table, state: RootState, root: str, detection: Detection
) -> tuple[pa.Table, pa.Table]:
    """Judge and learn the summed tally; gives ROOT_VIEW and the root's CANDIDATEs. Changes `state`."""
    views, found = [ROOT_VIEW.empty_table()], [CANDIDATE.empty_table()]
    for bucket, features, authors, exposure in _buckets(tally):
        estimator = state.estimator
        before = estimator.next_bucket
        plain = estimator.score_many(features, authors, exposure=exposure, bucket=bucket)
        season = state.season.factor(features, plain.rate, bucket=bucket)
        threshold = detection.threshold(estimator.tests_per_bucket)
        scores = estimator.learn_many(
            features, authors, exposure=exposure, bucket=bucket, season=season, looked_at=threshold
        )
        flagged = _alarms(scores, authors, threshold, detection)
        estimator.restart(features[flagged])
        again = _follow(state.followed, features, authors, flagged, bucket, detection)
        since = np.where(flagged, np.maximum(scores.since, bucket - detection.window + 1), bucket)
        asked = pa.array(since, pa.int32(), mask=~(flagged | again))
        views.append(
            pa.table([_same(bucket, features.size), features, plain.rate, season, asked], schema=ROOT_VIEW)
        )
        found.append(_candidates(bucket, root, features, scores, flagged, threshold, estimator, detection))
        state.season.learn(features, authors, exposure=exposure, bucket=bucket)
        _forget(estimator, before, bucket, detection)
    # One chunk a column: engines pass these on, and each chunk costs.
    return pa.concat_tables(views).combine_chunks(), pa.concat_tables(found).combine_chunks()


def detect_division(
    division: Division, view: pa.Table, state: DivisionState, root: str, detection: Detection
) -> Found:
    """Judge and learn a division's new buckets. view: ROOT_VIEW of the same buckets. Changes `state`.

    Support is given for the division's own candidates and, as far as its rows go, for the root's. Later
    mentions of a flagged feature come as support without a candidate, a bucket at a time.
    """
    found = _Finds(division, detection.window)
    views = {bucket: columns for bucket, *columns in _view_buckets(view)}
    for bucket in division.buckets.tolist():
        if bucket in views and division.name != root:
            features, rates, season, _ = views[bucket]
            _judge_levels(division, bucket, _Above(features, rates, season), state, detection, found)
    for bucket, (features, _, _, since) in views.items():
        asked = np.flatnonzero(since >= 0)
        for feature, first in zip(features[asked].tolist(), since[asked].tolist(), strict=True):
            found.support(bucket, root, 0, 0, feature, first)
    last = max((int(b) for b in (*views, *division.buckets.tolist())), default=None)
    if last is not None:
        state.remembered = division.to_remember(last, detection.window)
    return found.tables()


@dataclass(frozen=True, slots=True)
class _Above:
    """Rates of a wider perimeter before the bucket, and the season, per feature in order of id."""

    features: NDArray[np.uint64]
    rates: NDArray[np.float64]
    season: NDArray[np.float64]

    def of(self, features: NDArray[np.uint64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        place = np.searchsorted(self.features, features)
        return self.rates[place], self.season[place]


def _judge_levels(
    division: Division,
    bucket: int,
    root: _Above,
    state: DivisionState,
    detection: Detection,
    found: "_Finds",
) -> None:
    """Judge every perimeter of the division heard in the bucket, from the top down."""
    start, end = division.span(bucket, bucket)
    above = {-1: root}
    for depth in range(division.rows.paths.shape[1]):
        for node in sorted(set(division.rows.paths[start:end, depth].tolist()) - {-1}):
            features, authors, exposure = count(
                division.rows, division.marks, start, end, node=node, depth=depth
            )
            if not exposure:
                continue
            path, parent = division.nodes[node]
            prior, season = above[parent].of(features)
            estimator = state.estimators.get(path) or detection.estimator()
            state.estimators[path] = estimator
            before = estimator.next_bucket
            threshold = detection.threshold(estimator.tests_per_bucket)
            scores = estimator.learn_many(
                features,
                authors,
                exposure=exposure,
                bucket=bucket,
                prior=prior,
                season=season,
                looked_at=threshold,
            )
            above[node] = _Above(features, scores.rate / season, season)
            flagged = _alarms(scores, authors, threshold, detection)
            if flagged.any():
                estimator.restart(features[flagged])
                found.candidates.append(
                    _candidates(bucket, path, features, scores, flagged, threshold, estimator, detection)
                )
            followed = state.followed.setdefault(path, {})
            again = _follow(followed, features, authors, flagged, bucket, detection)
            if followed:
                for place in np.flatnonzero(flagged | again).tolist():
                    since = int(scores.since[place]) if flagged[place] else bucket
                    found.support(bucket, path, node, depth, int(features[place]), since)
            _forget(estimator, before, bucket, detection)


class _Finds:
    """Candidates and support of a division, gathered as row numbers and made tables once, at the end."""

    def __init__(self, division: Division, window: int) -> None:
        self.candidates: list[pa.Table] = []
        self._division = division
        self._window = window
        self._keys: list[tuple[int, str, int]] = []
        self._rows: list[NDArray[np.int64]] = []

    def support(self, bucket: int, perimeter: str, node: int, depth: int, feature: int, since: int) -> None:
        """Note the rows that carry a candidate, back to the window at most."""
        division = self._division
        start, end = division.span(max(since, bucket - self._window + 1), bucket)
        rows = supporters(division.rows, division.marks, start, end, node=node, depth=depth, feature=feature)
        if rows.size:
            self._keys.append((bucket, perimeter, feature))
            self._rows.append(rows)

    def tables(self) -> Found:
        """Everything found, as tables."""
        candidates = pa.concat_tables([CANDIDATE.empty_table(), *self.candidates])
        if not self._rows:
            return Found(candidates, SUPPORT.empty_table())
        sizes = [rows.size for rows in self._rows]
        buckets, perimeters, features = zip(*self._keys, strict=True)
        taken = self._division.table.take(pa.array(np.concatenate(self._rows)))
        columns: Mapping[str, Any] = {
            "bucket": np.repeat(np.array(buckets, np.int32), sizes),
            "perimeter": pa.array(np.repeat(np.array(perimeters, object), sizes), pa.string()),
            "feature": np.repeat(np.array(features, np.uint64), sizes),
            "event_bucket": taken["bucket"],
            "event_perimeter": taken["perimeter"],
            "themes": _themes(taken["features"].combine_chunks()),
        }
        support = [columns[name] if name in columns else taken[name] for name in SUPPORT.names]
        return Found(candidates, pa.table(support, schema=SUPPORT))


def _themes(features: pa.LargeListArray) -> pa.ListArray:
    """The themes among each row's features."""
    values, offsets = features.flatten().to_numpy(), list_offsets(features)
    is_theme = (values & np.uint64(3)) == THEME
    ends = np.concatenate([[0], np.cumsum(is_theme)])[offsets]
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(values[is_theme], pa.uint64()))


def _alarms(
    scores: EmergenceScores, authors: NDArray[np.int64], threshold: float, detection: Detection
) -> NDArray[np.bool_]:
    """Features whose evidence reaches the threshold, heard in this bucket and from enough authors in all."""
    if scores.evidence.max(initial=-math.inf) < threshold:
        return np.zeros(authors.size, np.bool_)
    enough: NDArray[np.bool_] = (scores.observed >= detection.min_authors) & (authors > 0)
    return enough & (scores.evidence >= threshold)


def _follow(
    followed: Followed,
    features: NDArray[np.uint64],
    authors: NDArray[np.int64],
    flagged: NDArray[np.bool_],
    bucket: int,
    detection: Detection,
) -> NDArray[np.bool_]:
    """Features heard again that were flagged earlier, within the window; brings `followed` up to date."""
    for feature in [old for old, last in followed.items() if last <= bucket - detection.window]:
        del followed[feature]
    if not followed and not flagged.any():
        return flagged
    known = np.fromiter(followed, np.uint64, len(followed))
    again: NDArray[np.bool_] = np.isin(features, known) & (authors > 0) & ~flagged
    followed.update(dict.fromkeys(features[again | flagged].tolist(), bucket))
    return again


def _forget(estimator: Emergence, before: int, bucket: int, detection: Detection) -> None:
    """Forget in the first bucket heard of each span. before: the bucket that was next before this one."""
    if before // detection.forget_every != (bucket + 1) // detection.forget_every:
        estimator.forget(below=detection.forget_below, bucket=bucket)


def _candidates(
    bucket: int,
    perimeter: str,
    features: NDArray[np.uint64],
    scores: EmergenceScores,
    flagged: NDArray[np.bool_],
    threshold: float,
    estimator: Emergence,
    detection: Detection,
) -> pa.Table:
    """Flagged features; of a longer episode, what the window holds, as with its support."""
    size = int(flagged.sum())
    since = np.maximum(scores.since[flagged], bucket - detection.window + 1)
    share = (bucket + 1 - since) / (bucket + 1 - scores.since[flagged])
    return pa.table(
        [
            _same(bucket, size),
            pa.array([perimeter] * size, pa.string()),
            features[flagged],
            scores.evidence[flagged],
            np.full(size, threshold),
            scores.expected[flagged] * share,
            since,
            _same(estimator.buckets, size),
        ],
        schema=CANDIDATE,
    )


def _same(value: int, size: int) -> NDArray[np.int32]:
    return np.full(size, value, np.int32)


def _runs(table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Parts of a table that is in order of bucket, one a bucket."""
    buckets = table["bucket"].to_numpy()
    starts = np.flatnonzero(np.diff(buckets, prepend=buckets[:1] - 1))
    for start, end in pairwise([*starts.tolist(), buckets.size]):
        yield int(buckets[start]), table.slice(start, end - start)


def _buckets(tally: pa.Table) -> Iterator[tuple[int, NDArray[np.uint64], NDArray[np.int64], int]]:
    for bucket, part in _runs(tally):
        features, authors = part["feature"].to_numpy(), part["authors"].to_numpy()
        # In order of id, feature 0 comes first.
        yield bucket, features[1:], authors[1:], int(authors[0])


def _view_buckets(view: pa.Table) -> Iterator[tuple[Any, ...]]:
    for bucket, part in _runs(view):
        since = part["flagged_since"].fill_null(-1).to_numpy()
        yield bucket, part["feature"].to_numpy(), part["rate"].to_numpy(), part["season"].to_numpy(), since
