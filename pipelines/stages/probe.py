"""probe: what detection knows of a feature at a perimeter, bucket by bucket, whether it flags it or not.

A probe judges before a bucket is learned and changes no state: with or without it, the same is found.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from connectors.perimeters import division as division_of
from detectors.emergence import Emergence, EmergenceScores
from detectors.emergence_tails import Tails
from detectors.emergence_tree import EmergenceTree, Heard
from detectors.schemas import ROOT_VIEW
from detectors.season import SeasonMemory
from pipelines.stages.teaching import NOTHING_TAUGHT, Teaching
from pipelines.stages.told_evidence import told_of_rise

if TYPE_CHECKING:
    from pipelines.stages.detect import Detection

PROBED = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("perimeter", pa.string(), nullable=False),
        pa.field("feature", pa.uint64(), nullable=False),
        pa.field("authors", pa.int64(), nullable=False),
        pa.field("exposure", pa.int64(), nullable=False),
        pa.field("prior", pa.float64()),
        pa.field("season", pa.float64(), nullable=False),
        pa.field("occasion_day", pa.int32()),
        pa.field("rate", pa.float64(), nullable=False),
        pa.field("evidence", pa.float64(), nullable=False),
        pa.field("told", pa.float64(), nullable=False),
        pa.field("threshold", pa.float64(), nullable=False),
        pa.field("since", pa.int32(), nullable=False),
        pa.field("observed", pa.float64(), nullable=False),
        pa.field("expected", pa.float64(), nullable=False),
        pa.field("flagged", pa.bool_(), nullable=False),
        pa.field("tests", pa.float64(), nullable=False),
        pa.field("crossings", pa.float64(), nullable=False),
        pa.field("slope", pa.float64(), nullable=False),
        pa.field("history", pa.int64(), nullable=False),
    ]
)
"""One row a probe and bucket that its division heard of. authors: who mention the feature, out of exposure;
both 0 where the perimeter was silent. prior: the wider perimeter's rate, null at the root; season: the
factor on the rate; occasion_day: the day around an earlier occasion that the factor comes from, if it does.
Others as in `EmergenceScores`, of before the bucket was learned: rate * exposure authors are expected in
the bucket; observed, expected: since the running episode began; told: what may be told
of the evidence. flagged: whether it raised an alarm. tests,
crossings, slope: what the threshold comes from, features judged in a bucket and as in `Tails`. history:
buckets that the perimeter has learned."""


@dataclass(frozen=True, slots=True, order=True)
class Probe:
    """What is asked about: a feature at a perimeter."""

    perimeter: str
    feature: int


class Probing:
    """Judges what probes ask for, and gathers it. Without a probe it does nothing."""

    def __init__(
        self, probes: Sequence[Probe], detection: "Detection", teaching: Teaching = NOTHING_TAUGHT
    ) -> None:
        self._probes = sorted(probes)
        self._teaching = teaching
        self._detection = detection
        self._features = np.array(sorted({probe.feature for probe in probes}), np.uint64)
        self._rows: list[dict[str, Any]] = []
        self._views = [ROOT_VIEW.empty_table()]

    def judge_root(
        self,
        bucket: int,
        features: NDArray[np.uint64],
        authors: NDArray[np.int64],
        exposure: int,
        *,
        root: str,
        estimator: Emergence,
        season: SeasonMemory,
    ) -> None:
        """Judge what is asked for at the root, and note what divisions need to know of what was not heard.

        features, authors: all that the root heard in the bucket, in order of id.
        """
        if not self._features.size:
            return
        rates = estimator.rates(self._features, bucket=bucket)
        factor, days = season.recall(self._features, rates, bucket=bucket)
        self._tell_of_unheard(bucket, ~np.isin(self._features, features), rates, factor, days)
        for probe in self._probes:
            if probe.perimeter == root:
                place = np.searchsorted(self._features, np.uint64(probe.feature))
                asked, its_season = self._features[place : place + 1], factor[place : place + 1]
                count = authors[features == asked[0]].sum(keepdims=True)
                scores = estimator.score_many(
                    asked, count, exposure=exposure, bucket=bucket, season=its_season
                )
                day = _day_of(days[place])
                given = _Given(int(count[0]), exposure, None, float(its_season[0]), day)
                tests = np.array([estimator.tests_per_bucket])
                bar = _Bar(estimator.tails, tests, estimator.buckets)
                self._note(bucket, probe, given, scores, bar, features)

    def judge_division(
        self,
        bucket: int,
        heard: Heard,
        *,
        tree: EmergenceTree,
        features: NDArray[np.uint64],
        rates: NDArray[np.float64],
        season: NDArray[np.float64],
        days: NDArray[np.int32],
    ) -> None:
        """Judge what is asked for in a division. features, rates, season, days: told by the root."""
        for probe in self._probes:
            if division_of(probe.perimeter) == heard.perimeters[0]:
                alone = _alone(probe, heard)
                told = int(np.searchsorted(features, np.uint64(probe.feature)))
                part, last = slice(told, told + 1), len(alone.perimeters) - 1
                scores = tree.score_many(alone, bucket=bucket, prior=rates[part], season=season[part])
                factor = float(season[told])
                wider = float(scores.rate[last - 1]) / factor if last else float(rates[told])
                counted = int(alone.counts[last]), int(alone.exposures[last])
                given = _Given(*counted, wider, factor, _day_of(days[told]))
                # The division, once: the first stands for what the others lean on.
                paths = list(dict.fromkeys([heard.perimeters[0], probe.perimeter]))
                bar = _Bar(tree.tails(paths), tree.tests_per_bucket(paths), tree.buckets(probe.perimeter))
                its = scores.part(slice(last, last + 1))
                self._note(bucket, probe, given, its, bar, _heard_at(probe.perimeter, heard))

    def with_unheard(self, view: pa.Table) -> pa.Table:
        """ROOT_VIEW with the features that are asked for besides those heard, in order."""
        if not self._features.size:
            return view
        together = pa.concat_tables([view, *self._views])
        return together.sort_by([("bucket", "ascending"), ("feature", "ascending")]).combine_chunks()

    def table(self) -> pa.Table:
        """PROBED, in the order of the buckets."""
        return pa.Table.from_pylist(self._rows, PROBED)

    def _tell_of_unheard(
        self,
        bucket: int,
        unheard: NDArray[np.bool_],
        rates: NDArray[np.float64],
        season: NDArray[np.float64],
        days: NDArray[np.int32],
    ) -> None:
        """Divisions need the root's rate of what they are asked for, heard or not."""
        size = int(unheard.sum())
        columns = [np.full(size, bucket, np.int32), self._features[unheard], rates[unheard], season[unheard]]
        like = pa.array(days[unheard], mask=days[unheard] < 0)
        columns += [like, pa.nulls(size, pa.int32()), np.zeros(size, np.bool_)]
        self._views.append(pa.table(columns, schema=ROOT_VIEW))

    def _note(
        self,
        bucket: int,
        probe: Probe,
        given: "_Given",
        scores: EmergenceScores,
        bar: "_Bar",
        heard: NDArray[np.uint64],
    ) -> None:
        """Add a row. bar: of ordinary features; heard: all features that are judged with it."""
        detection = self._detection
        feature = np.array([probe.feature], np.uint64)
        bars = self._teaching.at(bucket).bars(
            probe.perimeter,
            feature,
            detection.bars(feature, detection.thresholds(bar.tails, bar.tests)[-1:]),
            heard=heard,
            apart=detection.urgent,
        )
        flagged = bool(detection.alarms(scores, np.array([given.authors]), bars)[0])
        told = float(told_of_rise(scores, detection.estimator(), detection.min_authors)[0])
        names = ("rate", "evidence", "since", "observed", "expected")
        self._rows.append(
            {
                "bucket": bucket,
                **asdict(probe),
                **asdict(given),
                **{name: getattr(scores, name)[0].item() for name in names},
                "told": max(told, float(bars[0])) if flagged else told,
                "threshold": float(bars[0]),
                "flagged": flagged,
                "tests": float(bar.tests[-1]),
                "crossings": float(bar.tails.crossings[-1]),
                "slope": float(bar.tails.slopes[-1]),
                "history": bar.history,
            }
        )


@dataclass(frozen=True, slots=True)
class _Given:
    """What the estimator is given in a bucket."""

    authors: int
    exposure: int
    prior: float | None
    season: float
    occasion_day: int | None


@dataclass(frozen=True, slots=True)
class _Bar:
    """What a threshold comes from, of the perimeter that is last."""

    tails: Tails
    tests: NDArray[np.float64]
    history: int


def _day_of(day: np.int32) -> int | None:
    """A day as `SeasonMemory.recall` gives it, None for none."""
    return int(day) if day >= 0 else None


def _chain(perimeter: str) -> list[str]:
    """The perimeter's division, and the perimeters down to it.

    >>> _chain("e/nord/lille/gare")
    ['e/nord', 'e/nord/lille', 'e/nord/lille/gare']
    """
    parts = perimeter.split("/")
    return ["/".join(parts[:size]) for size in range(2, len(parts) + 1)]


def _heard_at(perimeter: str, heard: Heard) -> NDArray[np.uint64]:
    """The features that a perimeter heard, none where it was silent."""
    if perimeter not in heard.perimeters:
        return np.empty(0, np.uint64)
    return heard.features[heard.span(heard.perimeters.index(perimeter))]


def _alone(probe: Probe, heard: Heard) -> Heard:
    """What each perimeter of a probe's chain heard of its feature, 0 where it was silent."""
    chain, feature = _chain(probe.perimeter), np.uint64(probe.feature)
    places = {path: place for place, path in enumerate(heard.perimeters)}
    exposures, counts = np.zeros((2, len(chain)), np.int64)
    for row, path in enumerate(chain):
        if path in places:
            part = heard.span(places[path])
            exposures[row] = heard.exposures[places[path]]
            counts[row] = heard.counts[part][heard.features[part] == feature].sum()
    features = np.full(len(chain), feature, np.uint64)
    return Heard(chain, np.arange(len(chain) + 1), exposures, features, counts, np.arange(len(chain)) - 1)
