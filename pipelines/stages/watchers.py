"""Detectors of sums at work: each reads a day's sums, judges every series it knows, then learns the day."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.store.schemas import SCALE
from detectors.blind_spot import FIELD, BlindSpot
from detectors.drift import Drift, DriftScores
from detectors.mismatch import Answers, Mismatch
from detectors.series import find
from detectors.silence import Silence, SilenceScores
from pipelines.stages.finding import (
    BLIND_SPOT,
    DOWN,
    GAP,
    MOOD,
    NO_TEXT,
    SCORE,
    SILENCE,
    UP,
    Asked,
    Bar,
    Finding,
    Watcher,
)
from pipelines.stages.sums import VOICES, Counts, Day, Ids, Sums, name_id
from pipelines.stages.watch_days import UnusualDayWatch

Floats = NDArray[np.float64]

WEEK = 7
BLIND_HALF_LIFE, BLIND_WARM_UP = 26.0, 4
"""Of blind spots, in weeks."""
LEAST_USUAL = 1e-9
"""Texts below which nothing is usual."""


class ScoreWatch:
    """Drift of scores and of moods, and their mismatch, with waves of invited answers told apart."""

    def __init__(self, min_authors: int) -> None:
        self._min_authors = min_authors
        self._scores = Drift(0.0, 1.0)
        self._moods = Drift(-1.0, 1.0)
        self._mismatch = Mismatch()

    def judge(self, day: Day, bar: Bar, asked: Asked) -> list[Finding]:
        """Findings of the kinds SCORE, MOOD, GAP and NO_TEXT, one series a perimeter each."""
        sums, series = day.perimeters, day.perimeters.ids["perimeter"]
        without_text, paired = sums["without_text"], sums["paired"]
        # Whatever has no text has a score: admission refuses the rest.
        answers = Answers(
            series,
            without_text + paired,
            without_text,
            paired,
            sums["gap_sum"] / SCALE,
            sums["gap_squares"] / SCALE**2,
        )
        mismatch = self._mismatch.learn_many(answers, bucket=day.bucket)
        scores = self._scores.learn_many(
            series,
            sums["scored"],
            sums["score_sum"] / SCALE,
            sums["score_squares"] / SCALE**2,
            bucket=day.bucket,
            hold=mismatch.wave,
        )
        moods = self._moods.learn_many(
            series,
            sums["moods"],
            sums["mood_sum"] / SCALE,
            sums["mood_squares"] / SCALE**2,
            bucket=day.bucket,
        )
        found = []
        for kind, drift, restart in (
            (SCORE, scores, self._scores.restart),
            (MOOD, moods, self._moods.restart),
            (GAP, mismatch.gap, self._mismatch.restart_gap),
            (NO_TEXT, mismatch.silent, self._mismatch.restart_silent),
        ):
            near = np.flatnonzero(drift.evidence >= bar.least(kind, 1))
            shown, places = asked.besides(near, kind, series).tolist(), sums.keys["perimeter"]
            judged = [_drifted(kind, day, places[at], drift, at, bar) for at in shown]
            # An alarm of fewer values would not be told, and its restart would make the change normal.
            over = [
                at
                for at, one in zip(shown, judged, strict=True)
                if one.is_alarm and one.size >= self._min_authors
            ]
            if over:
                restart(series[over])
            found += judged
        return found


class SilenceWatch:
    """Silence of a perimeter's channels. On days when all are quiet, such as holidays, less is expected.

    The root's channels are each judged by the root's others, and smaller perimeters' by the root: by all its
    texts, or by the same channel's where that is less quiet, so that a channel which breaks down everywhere
    makes nothing less expected of the others.
    """

    def __init__(self, root: str, min_authors: int) -> None:
        self._root = name_id(root)
        self._whole = Silence(min_authors=min_authors)
        self._parts = Silence(min_authors=min_authors)
        self._names: list[tuple[str, str]] = []
        # Series in order of id, with the ids of their perimeter and channel, and their place in the names.
        self._series, self._places, self._channels = np.empty((3, 0), np.uint64)
        self._named = np.empty(0, np.int64)
        self._sort_out()

    def judge(self, day: Day, bar: Bar, asked: Asked) -> list[Finding]:
        """Findings of the kind SILENCE, a series a perimeter and channel."""
        series = day.channels.ids["perimeter"] ^ day.channels.ids["channel"]
        self._meet(series, day)
        heard = np.zeros(self._series.size, np.int64)
        heard[np.searchsorted(self._series, series)] = day.channels["volume"]
        at_root, below = heard[self._at_root], heard[~self._at_root]
        usual = self._whole.usual_many(self._of_root, bucket=day.bucket)
        others, total, own = _shares_heard(at_root, usual)
        factor = np.maximum(total, own[self._same_channel])
        scores = (
            self._whole.learn_many(self._of_root, at_root, bucket=day.bucket, factor=others),
            self._parts.learn_many(self._below, below, bucket=day.bucket, factor=factor),
        )
        least = bar.least(SILENCE, self._of_root.size)
        found = []
        for judged, estimator in zip(scores, (self._whole, self._parts), strict=True):
            near = np.flatnonzero(judged.evidence >= least)
            shown = asked.besides(near, SILENCE, judged.series).tolist()
            silent = [self._silent(day, judged, at, bar) for at in shown]
            over = [at for at, one in zip(shown, silent, strict=True) if one.is_alarm]
            if over:
                estimator.restart(judged.series[over])
            found += silent
        return found

    def _meet(self, series: Ids, day: Day) -> None:
        """Take in series that were not met before."""
        fresh = np.flatnonzero(~find(self._series, series)[1])
        if not fresh.size:
            return
        keys, ids = day.channels.keys, day.channels.ids
        named = np.arange(len(self._names), len(self._names) + fresh.size)
        self._names += [(keys["perimeter"][at], keys["channel"][at]) for at in fresh.tolist()]
        together = np.concatenate([self._series, series[fresh]])
        order = np.argsort(together)
        self._series = together[order]
        self._places = np.concatenate([self._places, ids["perimeter"][fresh]])[order]
        self._channels = np.concatenate([self._channels, ids["channel"][fresh]])[order]
        self._named = np.concatenate([self._named, named])[order]
        self._sort_out()

    def _sort_out(self) -> None:
        """Tell the root's series from those below, and find for each of these the root's of the channel."""
        self._at_root = self._places == self._root
        self._of_root, self._below = self._series[self._at_root], self._series[~self._at_root]
        # Channels of the root, in order of the ids of their series.
        channels = self._channels[self._at_root]
        order = np.argsort(channels)
        self._same_channel = order[np.searchsorted(channels[order], self._channels[~self._at_root])]

    def _silent(self, day: Day, scores: SilenceScores, at: int, bar: Bar) -> Finding:
        place, channel = self._names[self._named[np.searchsorted(self._series, scores.series[at])]]
        threshold = bar.of(SILENCE, self._of_root.size, perimeter=place, detail=channel, direction=DOWN)
        return Finding(
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
            series=self._of_root.size,
        )


class BlindSpotWatch:
    """Themes that one voice raises in a perimeter and the other does not, against the wider perimeter.

    Judged a week at a time: the field writes less often, and what it keeps silent is no news of a day.
    """

    def __init__(self, min_authors: int) -> None:
        self._estimator = BlindSpot(half_life=BLIND_HALF_LIFE, warm_up=BLIND_WARM_UP, min_authors=min_authors)
        self._names: dict[int, str] = {}
        self._themes: Ids = np.empty(0, np.uint64)
        self._met: Ids = np.empty(0, np.uint64)
        self._week: list[Day] = []

    def judge(self, day: Day, bar: Bar, asked: Asked) -> list[Finding]:
        """Findings of the kind BLIND_SPOT at the end of a week, a series a perimeter and theme."""
        self._week.append(day)
        if (day.bucket + 1) % WEEK:
            return []
        week, self._week = self._week, []
        return self._judge_week(
            _together([one.perimeters for one in week]),
            _together([one.themes for one in week]),
            day.bucket,
            bar,
            asked,
        )

    def _judge_week(self, wrote: Sums, said: Sums, bucket: int, bar: Bar, asked: Asked) -> list[Finding]:
        for sums, name in ((wrote, "perimeter"), (said, "theme")):
            named, rows = np.unique(sums.ids[name], return_index=True)
            self._names.update(zip(named.tolist(), sums.keys[name][rows].tolist(), strict=True))
        places = np.unique(wrote.ids["perimeter"])
        self._themes = np.union1d(self._themes, said.ids["theme"])
        if not self._themes.size or not places.size:
            return []
        here = np.searchsorted(places, wrote.ids["perimeter"])
        there = np.searchsorted(places, said.ids["perimeter"])
        about = np.searchsorted(self._themes, said.ids["theme"])
        # Authors who mention the theme, and who wrote, of each voice.
        mentions = np.zeros((len(VOICES), places.size, self._themes.size), np.int64)
        authors = np.zeros((len(VOICES), places.size, 1), np.int64)
        for number, voice in enumerate(VOICES):
            np.add.at(mentions[number], (there, about), said[voice])
            np.add.at(authors[number, :, 0], here, wrote[voice])
        (customer, field), (customers, agents) = mentions, np.broadcast_to(authors, mentions.shape)
        series = (places[:, None] ^ self._themes).ravel()
        self._met = np.union1d(self._met, series[(mentions.sum(axis=0) > 0).ravel()])
        # A series begins with its first mention: most themes are never met at most perimeters.
        met = np.flatnonzero(np.isin(series, self._met))
        above = np.array([name_id(_parent(self._names[place])) for place in places.tolist()], np.uint64)
        parents = np.where(np.isin(above, places)[:, None], above[:, None] ^ self._themes, np.uint64(0))
        scores = self._estimator.learn_many(
            series[met],
            customer.ravel()[met],
            field.ravel()[met],
            customer_exposure=customers.ravel()[met],
            field_exposure=agents.ravel()[met],
            bucket=bucket // WEEK,
            parents=parents.ravel()[met],
        )
        tests = math.ceil(self._themes.size / WEEK)
        near = np.flatnonzero(scores.evidence >= bar.least(BLIND_SPOT, tests))
        shown = asked.besides(near, BLIND_SPOT, series[met]).tolist()
        found = []
        for entry in shown:
            place = self._names[int(places[met[entry] // self._themes.size])]
            theme = self._names[int(self._themes[met[entry] % self._themes.size])]
            direction = UP if scores.quiet[entry] == FIELD else DOWN
            found.append(
                Finding(
                    bucket=bucket,
                    perimeter=place,
                    kind=BLIND_SPOT,
                    detail=theme,
                    direction=direction,
                    evidence=float(scores.evidence[entry]),
                    threshold=bar.of(BLIND_SPOT, tests, perimeter=place, detail=theme, direction=direction),
                    observed=float(scores.observed[entry]),
                    expected=float(scores.expected[entry]),
                    since=int(scores.since[entry]) * WEEK,
                    size=float(scores.loud[entry]),
                    series=tests,
                )
            )
        over = [entry for entry, one in zip(shown, found, strict=True) if one.is_alarm]
        self._estimator.restart(series[met][over])
        return found


def _drifted(kind: str, day: Day, place: str, drift: DriftScores, at: int, bar: Bar) -> Finding:
    direction = int(drift.direction[at])
    return Finding(
        bucket=day.bucket,
        perimeter=place,
        kind=kind,
        detail="",
        direction=direction,
        evidence=float(drift.evidence[at]),
        threshold=bar.of(kind, 1, perimeter=place, detail="", direction=direction),
        observed=float(drift.observed[at]),
        expected=float(drift.expected[at]),
        since=int(drift.since[at]),
        size=float(drift.values[at]),
    )


def _shares_heard(heard: Counts, usual: Floats) -> tuple[Floats, float, Floats]:
    """What is heard of what is usual, at most 1: of the others of each channel, of all, and of each."""
    total = float(_share(heard.sum(), usual.sum(), 1.0))
    others = _share(heard.sum() - heard, usual.sum() - usual, total)
    return others, total, _share(heard, usual, 1.0)


def _share(heard: Any, usual: Any, otherwise: float) -> Any:
    """heard over usual, at most 1; `otherwise` where nothing is usual."""
    known = usual > LEAST_USUAL
    return np.where(known, np.minimum(1.0, heard / np.where(known, usual, 1.0)), otherwise)


def _together(parts: Sequence[Sums]) -> Sums:
    """The rows of several days."""
    first = parts[0]
    return Sums(
        {name: np.concatenate([part.keys[name] for part in parts]) for name in first.keys},
        {name: np.concatenate([part.ids[name] for part in parts]) for name in first.ids},
        {name: np.concatenate([part[name] for part in parts]) for name in first.columns},
    )


def _parent(place: str) -> str:
    return place.rpartition("/")[0]


def watchers(root: str, min_authors: int) -> Iterator[Watcher]:
    """All of them, new."""
    yield ScoreWatch(min_authors)
    yield SilenceWatch(root, min_authors)
    yield BlindSpotWatch(min_authors)
    yield UnusualDayWatch()
