"""detect: what a division's perimeters, and the root, hear more of than they should.

Within a bucket the root goes first: it sums the divisions' tallies, judges them, and tells divisions its
rates of before the bucket. A division then judges itself and its perimeters from the top down, each with
its parent's rate as prior. Score first, then learn.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from detectors.emergence import Emergence, EmergenceScores
from detectors.emergence_tails import CROSSING, Tails
from detectors.emergence_tree import EmergenceTree, Heard
from detectors.features import THEME, feature_id
from detectors.occasions import NO_OCCASIONS, Occasions
from detectors.schemas import FEATURE_TALLY, ROOT_VIEW
from detectors.season import SeasonMemory
from pipelines.stages.division import Division
from pipelines.stages.finds import Candidates, Found, Supports
from pipelines.stages.looks import NO_LOOKS, Looks
from pipelines.stages.mentions import count
from pipelines.stages.probe import Probing
from pipelines.stages.teaching import EMERGENCE, NOTHING_TAUGHT, Teaching
from pipelines.stages.told import Told, spans

SHARES = {
    "emergence": 0.7,
    "urgent": 0.04,
    "score_drift": 0.06,
    "mood_drift": 0.04,
    "mismatch": 0.04,
    "answers_without_text": 0.02,
    "silence": 0.06,
    "blind_spot": 0.02,
    "unusual_day": 0.02,
}
"""Share of a perimeter's budget of false alerts that each kind of signal may spend; their sum is 1. urgent:
emergence of the themes that cannot wait, which so have a lower threshold than all other features together."""
URGENT = (feature_id("intent_to_leave", THEME),)
OWN_STORY = 1 / 3
"""Share of crossings that are a story of their own: the others are the same events under another word."""
URGENT_CROSSINGS = 0.01
"""Share of crossings that are of urgent themes, at most."""
HALF = 0.5
"""What a mention counts after a half-life."""


@dataclass(frozen=True, slots=True)
class Detection:
    """Settings of detection. Spans in buckets.

    half_life: how fast the past fades. warm_up: learned, not judged. window: how long an author, a copy and
    a supporting event are remembered. false_alerts: budget, a perimeter a year. min_authors: below, silence.
    strength, dispersion: see `Emergence`. forget_below: discounted authors below which the root drops a
    feature. most_features: those that the root, and each division with all of its perimeters, remembers at
    most, looked at every `forget_every` buckets. urgent: ids of themes that cannot wait. occasions: days that
    return, but not at a date. look_every_us: microseconds of the log's clock from look to look; 0: none.
    """

    half_life: float = 60.0
    warm_up: int = 28
    window: int = 28
    false_alerts: float = 0.25
    min_authors: int = 5
    strength: float = 1.0
    dispersion: float = 1.0
    ratios: tuple[float, ...] = (1.5, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0, 200.0)
    buckets_a_year: float = 365.0
    forget_below: float = 0.3
    most_features: int = 1_000_000
    forget_every: int = 7
    urgent: tuple[int, ...] = URGENT
    occasions: Occasions = NO_OCCASIONS
    look_every_us: int = 0

    def estimator(self) -> Emergence:
        """A perimeter's estimator."""
        return Emergence(
            half_life=self.half_life,
            strength=self.strength,
            ratios=self.ratios,
            dispersion=self.dispersion,
            warm_up=self.warm_up,
            least=self.min_authors,
            follow=self.window,
        )

    def threshold(self, tests_per_bucket: float, share: float = SHARES["emergence"]) -> float:
        """Evidence (natural log) that keeps false alerts to the budget: tests a year over alerts a year.

        share: of the budget, that these tests may spend.
        """
        tests = max(1.0, tests_per_bucket) * self.buckets_a_year
        return max(0.0, math.log(tests / (self.false_alerts * share)))

    def thresholds(self, tails: Tails, tests_per_bucket: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evidence (natural log) that keeps false alerts of emergence to the budget, of each perimeter.

        As often as the perimeter's own past says that it is reached for nothing, and never above what holds
        whatever the past says, a bound over all that is tested. All of shape (perimeters,).
        """
        alerts = self.false_alerts * SHARES["emergence"]
        found: NDArray[np.float64] = _thresholds(*tails, tests_per_bucket, alerts, self.buckets_a_year)
        return found

    def bar(self, kind: str, series: int) -> float:
        """Threshold of another kind of finding, of which a perimeter has so many series."""
        return self.threshold(series, SHARES[kind])

    def lowest(self, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
        """The threshold of any feature where those of ordinary ones are `thresholds`: that of urgent ones."""
        if not self.urgent:
            return thresholds
        spared = math.log(SHARES["urgent"] / SHARES["emergence"] / URGENT_CROSSINGS)
        most = self.threshold(len(self.urgent), SHARES["urgent"])
        return np.minimum(most, np.maximum(CROSSING, thresholds - spared))

    def bars(self, features: NDArray[np.uint64], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Threshold of each feature. thresholds: of ordinary ones, shape (features,)."""
        bars = thresholds.copy()
        for urgent in self.urgent:
            here = features == np.uint64(urgent)
            bars[here] = self.lowest(thresholds[here])
        return bars

    def alarms(
        self, scores: EmergenceScores, authors: NDArray[np.int64], bars: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Features whose evidence reaches their threshold, heard now and from enough authors in all."""
        enough: NDArray[np.bool_] = scores.evidence >= bars
        return enough & (scores.observed >= self.min_authors) & (authors > 0)

    def forget(self, estimator: Emergence | EmergenceTree, before: int, bucket: int, *, root: bool) -> None:
        """Forget the rare and old after learning `bucket`, if it is time to; before: next bucket before it.

        Below the root, what one author said is forgotten after a half-life: most of what is ever said is said
        once, and the root still knows it.
        """
        if before // self.forget_every == (bucket + 1) // self.forget_every:
            return
        below = self.forget_below if root else max(self.forget_below, HALF)
        estimator.forget(below=below, most=self.most_features, bucket=bucket)


@njit(cache=True)
def threshold_parts(
    crossings: float, slope: float, tests: float, alerts: float, buckets_a_year: float
) -> Any:
    """Where the threshold of one perimeter comes from, the lower of the last two given.

    stories: a year that cross CROSSING for nothing, by the perimeter's own past; the threshold that follows;
    and the one that holds whatever the past says.
    """
    stories = OWN_STORY * crossings * buckets_a_year
    calibrated = CROSSING + max(0.0, math.log(stories / alerts)) / slope
    return stories, calibrated, max(CROSSING, math.log(max(1.0, tests) * buckets_a_year / alerts))


@njit(cache=True)
def _thresholds(crossings: Any, slopes: Any, tests: Any, alerts: float, buckets_a_year: float) -> Any:
    found = np.empty(tests.size)
    for i in range(tests.size):
        _, calibrated, bound = threshold_parts(crossings[i], slopes[i], tests[i], alerts, buckets_a_year)
        found[i] = min(calibrated, bound)
    return found


@dataclass(slots=True)
class RootState:
    """What the root carries from one slice to the next."""

    estimator: Emergence
    season: SeasonMemory = field(default_factory=SeasonMemory)

    @classmethod
    def new(cls, detection: Detection) -> "RootState":
        """That of a root that has heard nothing yet."""
        return cls(detection.estimator(), SeasonMemory(detection.occasions))


def merge_tallies(*tallies: pa.Table) -> pa.Table:
    """Sum of tallies, in order of (bucket, feature): associative, commutative, the empty tally neutral.

    tallies: each in order of bucket.
    """
    parts = defaultdict[int, list[pa.Table]](list)
    for tally in tallies:
        for bucket, (start, end) in spans(tally):
            parts[bucket].append(tally.slice(start, end - start))
    summed = [_add_up(bucket, pa.concat_tables(parts[bucket])) for bucket in sorted(parts)]
    return pa.concat_tables([FEATURE_TALLY.empty_table(), *summed]).combine_chunks()


def _add_up(bucket: int, tally: pa.Table) -> pa.Table:
    """The sum of tallies of one bucket, in order of feature."""
    features, authors = tally["feature"].to_numpy(), tally["authors"].to_numpy()
    order = np.argsort(features)
    ordered = features[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
    columns = [
        np.full(starts.size, bucket, np.int32),
        ordered[starts],
        np.add.reduceat(authors[order], starts),
    ]
    return pa.table(columns, schema=FEATURE_TALLY)


def detect_root(
    tally: pa.Table,
    state: RootState,
    root: str,
    detection: Detection,
    probing: Probing | None = None,
    teaching: Teaching = NOTHING_TAUGHT,
    looks: Looks = NO_LOOKS,
) -> tuple[pa.Table, pa.Table]:
    """Judge and learn the summed tally; gives ROOT_VIEW and the root's CANDIDATEs. Changes `state`. Looks
    that come before a bucket's close are taken before it is judged."""
    estimator, season = state.estimator, state.season
    probing = probing or Probing((), detection)
    views, candidates = [ROOT_VIEW.empty_table()], Candidates(detection)
    for bucket, features, authors, exposure in _buckets(tally):
        looks.before(bucket)
        probing.judge_root(bucket, features, authors, exposure, root=root, estimator=estimator, season=season)
        before = estimator.next_bucket
        threshold = detection.thresholds(estimator.tails, np.array([estimator.tests_per_bucket]))
        rates = estimator.rates(features, bucket=bucket)
        factor, days = season.recall(features, rates, bucket=bucket)
        scores = estimator.learn_many(
            features,
            authors,
            exposure=exposure,
            bucket=bucket,
            season=factor,
            looked_at=float(detection.lowest(threshold)[0]),
        )
        season.learn(features, authors, exposure=exposure, bucket=bucket)
        bars = detection.bars(features, np.repeat(threshold, features.size))
        bars = teaching.at(bucket).bars(root, features, bars, heard=features, apart=detection.urgent)
        flagged = detection.alarms(scores, authors, bars)
        if flagged.any():
            estimator.restart(features[flagged])
            candidates.add(bucket, root, features, scores, flagged, bars, estimator.buckets)
        told = flagged | scores.followed
        since = pa.array(_asked_since(scores, flagged, bucket, detection), pa.int32(), mask=~told)
        like = pa.array(days, mask=days < 0)
        columns = [np.full(features.size, bucket, np.int32), features, rates, factor, like, since, flagged]
        views.append(pa.table(columns, schema=ROOT_VIEW))
        detection.forget(estimator, before, bucket, root=True)
    # One chunk a column: engines pass these on, and each chunk costs.
    return probing.with_unheard(pa.concat_tables(views).combine_chunks()), candidates.table()


def detect_division(
    division: Division,
    view: pa.Table,
    tree: EmergenceTree,
    root: str,
    detection: Detection,
    probing: Probing | None = None,
    teaching: Teaching = NOTHING_TAUGHT,
    looks: Looks = NO_LOOKS,
) -> Found:
    """Judge and learn a division's new buckets, with looks as in `detect_root`. Changes `tree`.

    view: ROOT_VIEW of the same buckets.

    Support is given for the division's own candidates and, as far as its rows go, for the root's. Later
    mentions of a flagged feature come as support without a candidate, a bucket at a time.
    """
    probing = probing or Probing((), detection)
    judge = _DivisionJudge(division, Told(view), tree, detection, probing, teaching)
    for bucket in division.buckets.tolist() if division.name != root else []:
        looks.before(bucket)
        judge.judge(bucket)
    for bucket, feature, since, flagged in judge.told.asked():
        judge.supports.add(bucket, root, 0, 0, feature, since, flagged=flagged)
    return Found(judge.candidates.table(), judge.supports.table(), probing.table())


def last_bucket(division: Division, view: pa.Table) -> int | None:
    """Last bucket that the division or the root heard of, None if there is none."""
    heard = [int(column[-1].as_py()) for column in (division.table["bucket"], view["bucket"]) if len(column)]
    return max(heard, default=None)


class _DivisionJudge:
    """Judges a division's buckets, and gathers what it finds."""

    def __init__(
        self,
        division: Division,
        told: Told,
        tree: EmergenceTree,
        detection: Detection,
        probing: Probing,
        teaching: Teaching,
    ) -> None:
        self.told = told
        self.candidates = Candidates(detection)
        self.supports = Supports(division, told, detection.window)
        self._division = division
        self._tree = tree
        self._detection = detection
        self._probing = probing
        self._teaching = teaching

    def judge(self, bucket: int) -> None:
        """Judge every perimeter heard in the bucket, from the top down, and learn it."""
        division, detection, tree = self._division, self._detection, self._tree
        counted = count(division.rows, division.marks, *division.span(bucket, bucket), depths=division.depths)
        if not counted.nodes.size:
            return
        heard = Heard(
            [division.nodes[node][0] for node in counted.nodes.tolist()],
            counted.starts,
            counted.exposures,
            counted.features,
            counted.authors,
            counted.above,
        )
        self._probing.judge_division(bucket, heard, tree=tree, **self.told.all_of(bucket))
        top = self.told.rows_of(bucket, heard.features[: heard.starts[1]])
        before, paths = tree.next_bucket, heard.perimeters
        thresholds = detection.thresholds(tree.tails(paths), tree.tests_per_bucket(paths))
        scores = tree.learn_many(
            heard,
            bucket=bucket,
            prior=self.told.rates[top],
            season=self.told.season[top],
            looked_at=detection.lowest(thresholds),
        )
        bars = detection.bars(heard.features, np.repeat(thresholds, heard.sizes))
        self._weigh(bucket, heard, bars)
        flagged = detection.alarms(scores, heard.counts, bars)
        telling = np.flatnonzero(flagged | scores.followed)
        if telling.size:
            tree.restart(heard, np.flatnonzero(flagged))
            for place in np.unique(heard.owners(telling)).tolist():
                node = int(counted.nodes[place]), int(counted.depths[place])
                self._tell(bucket, heard, place, node, scores, flagged, bars)
        detection.forget(tree, before, bucket, root=False)

    def _weigh(self, bucket: int, heard: Heard, bars: NDArray[np.float64]) -> None:
        """Change the thresholds of perimeters that were taught, or lie in such."""
        weights = self._teaching.at(bucket)
        if weights.concerns(EMERGENCE):
            for place, path in enumerate(heard.perimeters):
                part = heard.span(place)
                features = heard.features[part]
                bars[part] = weights.bars(
                    path, features, bars[part], heard=features, apart=self._detection.urgent
                )

    def _tell(
        self,
        bucket: int,
        heard: Heard,
        place: int,
        node: tuple[int, int],
        scores: EmergenceScores,
        flagged: NDArray[np.bool_],
        bars: NDArray[np.float64],
    ) -> None:
        """Note what a perimeter flags, and the support of that and of what it follows."""
        path, part = heard.perimeters[place], heard.span(place)
        features, scores, flagged = heard.features[part], scores.part(part), flagged[part]
        history = self._tree.buckets(path)

        def texts_since(since: int) -> int:
            return self._division.texts(since, bucket, *node)

        self.candidates.add(bucket, path, features, scores, flagged, bars[part], history, texts_since)
        since = _asked_since(scores, flagged, bucket, self._detection)
        for entry in np.flatnonzero(flagged | scores.followed).tolist():
            asked = int(features[entry]), int(since[entry])
            self.supports.add(bucket, path, *node, *asked, flagged=bool(flagged[entry]))


def _asked_since(
    scores: EmergenceScores, flagged: NDArray[np.bool_], bucket: int, detection: Detection
) -> NDArray[np.int32]:
    """First bucket that the support of a feature comes from, if it is flagged or followed."""
    earliest = np.maximum(scores.since, bucket - detection.window + 1)
    return np.where(flagged, earliest, bucket).astype(np.int32)


def _buckets(tally: pa.Table) -> Iterator[tuple[int, NDArray[np.uint64], NDArray[np.int64], int]]:
    features, authors = tally["feature"].to_numpy(), tally["authors"].to_numpy()
    for bucket, (start, end) in spans(tally):
        # In order of id, feature 0 comes first.
        yield bucket, features[start + 1 : end], authors[start + 1 : end], int(authors[start])
