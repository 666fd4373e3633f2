"""Unusual days at work: a perimeter's day as a whole, against its own past."""

import numpy as np
from numpy.typing import NDArray

from connectors.store.schemas import SCALE
from detectors.series import find
from detectors.unusual_day import UnusualDay, UnusualDayScores
from pipelines.stages.finding import DOWN, UNUSUAL_DAY, UP, Asked, Bar, Finding
from pipelines.stages.sums import Day, Sums, name_id

Floats = NDArray[np.float64]

MOST_MOVED = 4
"""Components that an unusual day names."""
VALUES = MEAN_SCORE, MEAN_MOOD, WITHOUT_TEXT = "mean score", "mean mood", "share without text"
"""Components of a day that are no channel: a channel's name has no blank."""
_VALUE_IDS = np.array([name_id(name) for name in VALUES], np.uint64)


class UnusualDayWatch:
    """A perimeter's day as a whole: texts by channel, mean score and mood, share of answers without text."""

    def __init__(self) -> None:
        self._estimator = UnusualDay(shares=[WITHOUT_TEXT])
        # Perimeters and channels in order of id; which perimeter has which channel.
        self._names: dict[int, str] = {}
        self._places, self._channels = np.empty((2, 0), np.uint64)
        self._has = np.empty((0, 0), np.bool_)

    def judge(self, day: Day, bar: Bar, asked: Asked) -> list[Finding]:
        """Findings of the kind UNUSUAL_DAY, one series a perimeter."""
        self._meet(day)
        if not self._places.size:
            return []
        components = np.concatenate([self._channels, _VALUE_IDS])
        values, weights = self._table(day)
        scores = self._estimator.learn_many(
            self._places, values, components=components, bucket=day.bucket, weights=weights
        )
        near = np.flatnonzero(scores.evidence >= bar.least(UNUSUAL_DAY, 1))
        shown = asked.besides(near, UNUSUAL_DAY, self._places).tolist()
        unusual = [self._unusual(day, scores, at, bar) for at in shown]
        over = [at for at, one in zip(shown, unusual, strict=True) if one.is_alarm]
        if over:
            self._estimator.restart(self._places[over])
        return unusual

    def _meet(self, day: Day) -> None:
        """Take in perimeters and channels that were not met before."""
        ids = day.channels.ids
        rows, known = find(self._places, ids["perimeter"])
        columns, heard = find(self._channels, ids["channel"])
        if known.all() and heard.all() and self._has[rows, columns].all():
            return
        places, channels = (
            np.union1d(self._places, ids["perimeter"]),
            np.union1d(self._channels, ids["channel"]),
        )
        has = np.zeros((places.size, channels.size), np.bool_)
        before = np.searchsorted(places, self._places), np.searchsorted(channels, self._channels)
        has[np.ix_(*before)] = self._has
        has[np.searchsorted(places, ids["perimeter"]), np.searchsorted(channels, ids["channel"])] = True
        for name in ("perimeter", "channel"):
            self._names.update(zip(ids[name].tolist(), day.channels.keys[name], strict=True))
        if channels.size > self._channels.size:
            wider = UnusualDay(
                counts=[self._names[channel] for channel in channels.tolist()], shares=[WITHOUT_TEXT]
            )
            wider.load_state_arrays(self._estimator.state_arrays())
            self._estimator = wider
        self._places, self._channels, self._has = places, channels, has

    def _table(self, day: Day) -> tuple[Floats, Floats]:
        """Components of each perimeter; a channel it has without texts is 0, one it never had is missing."""
        size = self._channels.size
        values = np.full((self._places.size, size + len(VALUES)), np.nan)
        weights = np.zeros(values.shape)
        values[:, :size][self._has] = 0.0
        ids = day.channels.ids
        rows = np.searchsorted(self._places, ids["perimeter"])
        values[rows, np.searchsorted(self._channels, ids["channel"])] = day.channels["volume"]
        rows = np.searchsorted(self._places, day.perimeters.ids["perimeter"])
        values[rows, size:], weights[rows, size:] = _means(day.perimeters)
        return values, weights

    def _unusual(self, day: Day, scores: UnusualDayScores, at: int, bar: Bar) -> Finding:
        channels = self._channels.size
        names = [*(self._names[channel] for channel in self._channels.tolist()), *VALUES]
        z, observed, expected = scores.z[at], scores.observed[at], scores.expected[at]
        judged = np.flatnonzero(~np.isnan(z)).tolist()
        most = sorted(judged, key=lambda place: (-abs(z[place]), names[place]))[:MOST_MOVED]
        texts, usual = float(np.nansum(observed[:channels])), float(np.nansum(expected[:channels]))
        place, direction = self._names[int(self._places[at])], UP if texts >= usual else DOWN
        return Finding(
            bucket=day.bucket,
            perimeter=place,
            kind=UNUSUAL_DAY,
            detail="",
            direction=direction,
            evidence=float(scores.evidence[at]),
            threshold=bar.of(UNUSUAL_DAY, 1, perimeter=place, detail="", direction=direction),
            observed=texts,
            expected=usual,
            since=day.bucket,
            size=texts,
            moved=tuple((names[place], float(observed[place]), float(expected[place])) for place in most),
        )


def _means(sums: Sums) -> tuple[Floats, Floats]:
    """VALUES of each row, with the answers or texts behind each; NaN where none."""
    without_text = sums["without_text"]
    weights = np.stack([sums["scored"], sums["moods"], without_text + sums["paired"]], axis=1)
    totals = np.stack([sums["score_sum"] / SCALE, sums["mood_sum"] / SCALE, without_text], axis=1)
    nothing = np.full(weights.shape, np.nan)
    return np.divide(totals, weights, out=nothing, where=weights > 0), weights.astype(np.float64)
