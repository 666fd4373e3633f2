"""Detectors of sums at work: each reads a day's sums, judges every series it knows, then learns the day."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from connectors.store.schemas import SCALE
from detectors.blind_spot import FIELD, BlindSpot
from detectors.drift import Drift, DriftScores
from detectors.features import feature_id
from detectors.mismatch import Answers, Mismatch
from detectors.silence import Silence
from detectors.unusual_day import UnusualDay
from pipelines.stages.sums import Day, Sums

Ids = NDArray[np.uint64]
Floats = NDArray[np.float64]
Bar = Callable[[str, int], float]
"""Threshold of a kind of finding, given how many series of it a perimeter has."""

SCORE, MOOD, GAP, NO_TEXT = "score_drift", "mood_drift", "mismatch", "answers_without_text"
SILENCE, BLIND_SPOT, UNUSUAL_DAY = "silence", "blind_spot", "unusual_day"
KINDS = (SCORE, MOOD, GAP, NO_TEXT, SILENCE, BLIND_SPOT, UNUSUAL_DAY)
UP, DOWN = 1, -1
VOICES = ("customer", "field")
WEEK = 7
BLIND_HALF_LIFE, BLIND_WARM_UP = 26.0, 4
"""Of blind spots, in weeks."""
MOST_MOVED = 4
"""Components that an unusual day names."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A series whose evidence reached its threshold.

    detail: channel or theme, where the series is about one. direction: UP or DOWN; of a blind spot, UP where
    the field is silent and DOWN where customers are. observed, expected: since the episode began, in the unit
    of the kind: a mean score in [0, 1], a mean mood in [-1, 1], a mean gap in [-2, 2], a share, texts, or
    authors. size: values or texts that were expected or heard since. moved: (component, observed, expected).
    """

    bucket: int
    perimeter: str
    kind: str
    detail: str
    direction: int
    evidence: float
    threshold: float
    observed: float
    expected: float
    since: int
    size: float
    moved: tuple[tuple[str, float, float], ...] = ()


class Watcher(Protocol):
    """A detector of sums with the series it keeps."""

    def judge(self, day: Day, bar: Bar) -> list[Finding]:
        """Findings of a day, later than all before; learns it afterwards."""
        ...


class ScoreWatch:
    """Drift of scores and of moods, and their mismatch, with waves of invited answers told apart."""

    def __init__(self) -> None:
        self._scores = Drift(0.0, 1.0)
        self._moods = Drift(-1.0, 1.0)
        self._mismatch = Mismatch()

    def judge(self, day: Day, bar: Bar) -> list[Finding]:
        """Findings of the kinds SCORE, MOOD, GAP and NO_TEXT, one series a perimeter each."""
        sums, places = day.perimeters, day.perimeters.keys["perimeter"]
        series, scored, paired = _ids(places), sums["scored"], sums["paired"]
        answers = Answers(
            series,
            scored,
            scored - paired,
            paired,
            sums["gap_sum"] / SCALE,
            sums["gap_squares"] / SCALE**2,
        )
        mismatch = self._mismatch.learn_many(answers, bucket=day.bucket)
        scores = self._scores.learn_many(
            series,
            scored,
            sums["score_sum"] / SCALE,
            sums["score_squares"] / SCALE**2,
            bucket=day.bucket,
            hold=mismatch.wave,
        )
        moods = self._moods.learn_many(
            series,
            sums["texts"] - sums["without_text"],
            sums["sentiment_sum"] / SCALE,
            sums["sentiment_squares"] / SCALE**2,
            bucket=day.bucket,
        )
        found = []
        for kind, drift, restart in (
            (SCORE, scores, self._scores.restart),
            (MOOD, moods, self._moods.restart),
            (GAP, mismatch.gap, self._mismatch.restart),
            (NO_TEXT, mismatch.silent, self._mismatch.restart),
        ):
            threshold = bar(kind, 1)
            over = np.flatnonzero(drift.evidence >= threshold)
            restart(series[over])
            found += [_drifted(kind, day, places[at], drift, at, threshold) for at in over.tolist()]
        return found


class SilenceWatch:
    """Silence of a perimeter's channels. On days when all are quiet, such as holidays, less is expected."""

    def __init__(self, root: str, min_authors: int) -> None:
        self._root = root
        self._whole = Silence(min_authors=min_authors)
        self._parts = Silence(min_authors=min_authors)
        self._names: dict[int, tuple[str, str]] = {}

    def judge(self, day: Day, bar: Bar) -> list[Finding]:
        """Findings of the kind SILENCE, a series a perimeter and channel."""
        places, channels = day.channels.keys["perimeter"], day.channels.keys["channel"]
        series = _ids([f"{place}\n{channel}" for place, channel in zip(places, channels, strict=True)])
        self._names.update(zip(series.tolist(), zip(places, channels, strict=True), strict=True))
        volumes = day.channels["volume"]
        at_root = np.array([place == self._root for place in places], np.bool_)
        whole = self._whole.learn_many(series[at_root], volumes[at_root], bucket=day.bucket)
        usual = float(whole.usual.sum())
        # A day on which the whole organisation writes less says nothing of one perimeter.
        factor = min(1.0, float(volumes[at_root].sum()) / usual) if usual > 0 else 1.0
        parts = self._parts.learn_many(
            series[~at_root],
            volumes[~at_root],
            bucket=day.bucket,
            factor=np.full(int((~at_root).sum()), factor),
            absent_factor=factor,
        )
        threshold = bar(SILENCE, len({channel for _, channel in self._names.values()}))
        found = []
        for scores, estimator in ((whole, self._whole), (parts, self._parts)):
            over = np.flatnonzero(scores.evidence >= threshold)
            estimator.restart(scores.series[over])
            for at in over.tolist():
                place, channel = self._names[int(scores.series[at])]
                found.append(
                    Finding(
                        bucket=day.bucket,
                        perimeter=place,
                        kind=SILENCE,
                        detail=channel,
                        direction=DOWN,
                        evidence=float(scores.evidence[at]),
                        threshold=threshold,
                        observed=float(scores.observed[at]),
                        expected=float(scores.expected[at]),
                        since=int(scores.since[at]),
                        size=float(scores.expected[at]),
                    )
                )
        return found


class BlindSpotWatch:
    """Themes that one voice raises in a perimeter and the other does not, against the wider perimeter.

    Judged a week at a time: the field writes less often, and what it keeps silent is no news of a day.
    """

    def __init__(self, min_authors: int) -> None:
        self._estimator = BlindSpot(half_life=BLIND_HALF_LIFE, warm_up=BLIND_WARM_UP, min_authors=min_authors)
        self._themes: list[str] = []
        self._week: list[Day] = []

    def judge(self, day: Day, bar: Bar) -> list[Finding]:
        """Findings of the kind BLIND_SPOT at the end of a week, a series a perimeter and theme."""
        self._week.append(day)
        if (day.bucket + 1) % WEEK:
            return []
        week, self._week = self._week, []
        return self._judge_week(week, day.bucket, bar)

    def _judge_week(self, week: Sequence[Day], bucket: int, bar: Bar) -> list[Finding]:
        places = sorted({place for day in week for place in day.perimeters.keys["perimeter"]})
        self._themes = sorted({*self._themes, *(theme for day in week for theme in day.themes.keys["theme"])})
        if not self._themes or not places:
            return []
        rows = {place: row for row, place in enumerate(places)}
        columns = {theme: column for column, theme in enumerate(self._themes)}
        # Authors who mention the theme, and who wrote, of each voice.
        said = np.zeros((2, len(places), len(columns)), np.int64)
        wrote = np.zeros((2, len(places), 1), np.int64)
        for day, (number, voice) in product(week, enumerate(VOICES)):
            at = [rows[place] for place in day.themes.keys["perimeter"]]
            about = [columns[theme] for theme in day.themes.keys["theme"]]
            np.add.at(said[number], (at, about), day.themes[voice])
            here = [rows[place] for place in day.perimeters.keys["perimeter"]]
            np.add.at(wrote[number], (here, 0), day.perimeters[voice])
        (customer, field), (customers, agents) = said, np.broadcast_to(wrote, said.shape)
        themes = _ids(self._themes)
        series = _ids(places)[:, None] ^ themes
        wider = _ids([_parent(place) if _parent(place) in rows else "" for place in places])[:, None]
        parents = np.where(wider == _ids([""]), np.uint64(0), wider ^ themes)
        scores = self._estimator.learn_many(
            series.ravel(),
            customer.ravel(),
            field.ravel(),
            customer_exposure=customers.ravel(),
            field_exposure=agents.ravel(),
            bucket=bucket // WEEK,
            parents=parents.ravel(),
        )
        threshold = bar(BLIND_SPOT, len(columns))
        over = np.flatnonzero(scores.evidence >= threshold)
        self._estimator.restart(series.ravel()[over])
        found = []
        for entry in over.tolist():
            row, column = divmod(entry, len(columns))
            found.append(
                Finding(
                    bucket=bucket,
                    perimeter=places[row],
                    kind=BLIND_SPOT,
                    detail=self._themes[column],
                    direction=UP if scores.quiet[entry] == FIELD else DOWN,
                    evidence=float(scores.evidence[entry]),
                    threshold=threshold,
                    observed=float(scores.observed[entry]),
                    expected=float(scores.expected[entry]),
                    since=int(scores.since[entry]) * WEEK,
                    size=float(scores.loud[entry]),
                )
            )
        return found


class UnusualDayWatch:
    """A perimeter's day as a whole: texts by channel, mean score and mood, share of answers without text."""

    _VALUES = ("score", "mood", "without_text")

    def __init__(self) -> None:
        self._channels: list[str] = []
        self._known: dict[str, set[str]] = {}
        self._estimator: UnusualDay | None = None

    def judge(self, day: Day, bar: Bar) -> list[Finding]:
        """Findings of the kind UNUSUAL_DAY, one series a perimeter."""
        self._meet(day)
        places = sorted(self._known)
        if self._estimator is None or not places:
            return []
        components = [*self._channels, *self._VALUES]
        values, weights = self._table(day, places)
        scores = self._estimator.learn_many(
            _ids(places), values, components=_ids(components), bucket=day.bucket, weights=weights
        )
        threshold = bar(UNUSUAL_DAY, 1)
        over = np.flatnonzero(scores.evidence >= threshold)
        self._estimator.restart(_ids([places[at] for at in over.tolist()]))
        found = []
        for at in over.tolist():
            order = np.argsort(-np.abs(np.nan_to_num(scores.z[at])), kind="stable")[:MOST_MOVED]
            moved = tuple(
                (components[place], float(scores.observed[at, place]), float(scores.expected[at, place]))
                for place in order.tolist()
                if not np.isnan(scores.z[at, place])
            )
            texts = float(np.nansum(values[at, : len(self._channels)]))
            usual = float(np.nansum(scores.expected[at, : len(self._channels)]))
            found.append(
                Finding(
                    bucket=day.bucket,
                    perimeter=places[at],
                    kind=UNUSUAL_DAY,
                    detail="",
                    direction=UP if texts >= usual else DOWN,
                    evidence=float(scores.evidence[at]),
                    threshold=threshold,
                    observed=texts,
                    expected=usual,
                    since=day.bucket,
                    size=texts,
                    moved=moved,
                )
            )
        return found

    def _meet(self, day: Day) -> None:
        for place, channel in zip(day.channels.keys["perimeter"], day.channels.keys["channel"], strict=True):
            self._known.setdefault(place, set()).add(channel)
        channels = sorted(set().union(*self._known.values())) if self._known else []
        if channels != self._channels:
            before, self._channels = self._estimator, channels
            self._estimator = UnusualDay(counts=channels, shares=["without_text"])
            if before is not None:
                self._estimator.load_state_arrays(before.state_arrays())

    def _table(self, day: Day, places: Sequence[str]) -> tuple[Floats, Floats]:
        """Components of each perimeter; a channel it has without texts is 0, one it never had is missing."""
        columns = {channel: column for column, channel in enumerate(self._channels)}
        size = len(columns) + len(self._VALUES)
        values, weights = np.full((len(places), size), np.nan), np.zeros((len(places), size))
        rows = {place: row for row, place in enumerate(places)}
        for place, known in self._known.items():
            for channel in known:
                values[rows[place], columns[channel]] = 0.0
        volumes = day.channels["volume"]
        here = [rows[place] for place in day.channels.keys["perimeter"]]
        values[here, [columns[channel] for channel in day.channels.keys["channel"]]] = volumes
        sums = day.perimeters
        here = [rows[place] for place in sums.keys["perimeter"]]
        means = _means(sums)
        values[here, len(columns) :], weights[here, len(columns) :] = means
        return values, weights


def _means(sums: Sums) -> tuple[Floats, Floats]:
    """Mean score, mean mood and share without text, with the answers or texts behind each; NaN where none."""
    scored, written = sums["scored"], sums["texts"] - sums["without_text"]
    weights = np.stack([scored, written, scored], axis=1).astype(np.float64)
    totals = np.stack(
        [sums["score_sum"] / SCALE, sums["sentiment_sum"] / SCALE, scored - sums["paired"]], axis=1
    )
    nothing = np.full(weights.shape, np.nan)
    return np.divide(totals, weights, out=nothing, where=weights > 0), weights


def _drifted(kind: str, day: Day, place: str, drift: DriftScores, at: int, threshold: float) -> Finding:
    return Finding(
        bucket=day.bucket,
        perimeter=place,
        kind=kind,
        detail="",
        direction=int(drift.direction[at]),
        evidence=float(drift.evidence[at]),
        threshold=threshold,
        observed=float(drift.observed[at]),
        expected=float(drift.expected[at]),
        since=int(drift.since[at]),
        size=float(drift.values[at]),
    )


def _parent(place: str) -> str:
    return place.rpartition("/")[0]


_id = lru_cache(maxsize=1 << 16)(feature_id)
"""The same few names come every day."""


def _ids(names: Sequence[str]) -> Ids:
    return np.array([_id(name) for name in names], np.uint64)


def watchers(root: str, min_authors: int) -> Iterator[Watcher]:
    """All of them, new."""
    yield ScoreWatch()
    yield SilenceWatch(root, min_authors)
    yield BlindSpotWatch(min_authors)
    yield UnusualDayWatch()
