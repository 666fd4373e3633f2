"""What detection finds, gathered as it goes and made tables once, at the end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.emergence import EmergenceScores
from detectors.features import KIND_BITS, THEME
from detectors.schemas import CANDIDATE, SUPPORT
from pipelines.columns import one_array
from pipelines.stages.division import Division, list_offsets
from pipelines.stages.looks import Early
from pipelines.stages.probe import PROBED
from pipelines.stages.told import Told
from pipelines.stages.told_evidence import told_of_rise
from pipelines.stages.topics import topic_of

if TYPE_CHECKING:
    from pipelines.stages.detect import Detection


@dataclass(frozen=True, slots=True)
class Found:
    """Tables of CANDIDATE and SUPPORT; PROBED, empty where nothing was asked for; and what looks found."""

    candidates: pa.Table
    support: pa.Table
    probed: pa.Table = field(default_factory=PROBED.empty_table)
    early: Early = field(default_factory=Early)


class Candidates:
    """Flagged features. An episode is told for so many buckets at most as its events are remembered."""

    def __init__(self, detection: "Detection") -> None:
        self._detection = detection
        self._rows: list[dict[str, Any]] = []

    def add(
        self,
        bucket: int,
        perimeter: str,
        features: NDArray[np.uint64],
        scores: EmergenceScores,
        flagged: NDArray[np.bool_],
        bars: NDArray[np.float64],
        history: int,
        texts_since: Callable[[int], int] = lambda _: 0,
    ) -> None:
        """Add the flagged features of a perimeter.

        bars: thresholds. history: buckets it has learned. texts_since: texts it heard from a bucket on.
        """
        window, least = self._detection.window, self._detection.min_authors
        if not flagged.any():
            return
        told = np.maximum(bars, told_of_rise(scores, self._detection.estimator(), least))
        for place in np.flatnonzero(flagged).tolist():
            begun = int(scores.since[place])
            since = max(begun, bucket - window + 1)
            share = (bucket + 1 - since) / (bucket + 1 - begun)
            self._rows.append(
                {
                    "bucket": bucket,
                    "perimeter": perimeter,
                    "feature": int(features[place]),
                    "evidence": float(scores.evidence[place]),
                    "threshold": float(bars[place]),
                    "expected": float(scores.expected[place]) * share,
                    "since": since,
                    "history": history,
                    "texts": texts_since(since),
                    "told": float(told[place]),
                }
            )

    def table(self) -> pa.Table:
        """CANDIDATE, in the order they were added."""
        return pa.Table.from_pylist(self._rows, CANDIDATE)


TopicOf = Callable[[NDArray[np.uint64]], NDArray[np.uint64]]
"""What a candidate is about, in order, of all that its events say, one after the other."""


class SupportRows:
    """The events that carry features, as row numbers of a division."""

    def __init__(self, division: Division) -> None:
        self._division = division
        self._keys: list[tuple[int, str, int]] = []
        self._rows: list[NDArray[np.int64]] = []
        self._topics: list[TopicOf | None] = []

    def take(
        self,
        bucket: int,
        perimeter: str,
        feature: int,
        rows: NDArray[np.int64],
        topic: TopicOf | None = None,
    ) -> None:
        """Add rows that carry a feature. topic: None where it is no candidate."""
        if rows.size:
            self._keys.append((bucket, perimeter, feature))
            self._rows.append(rows)
            self._topics.append(topic)

    def table(self) -> pa.Table:
        """SUPPORT, in the order it was added."""
        if not self._rows:
            return SUPPORT.empty_table()
        sizes = [rows.size for rows in self._rows]
        buckets, perimeters, features = zip(*self._keys, strict=True)
        taken = self._division.table.take(pa.array(np.concatenate(self._rows)))
        said = one_array(taken["features"])
        columns: Mapping[str, Any] = {
            "bucket": np.repeat(np.array(buckets, np.int32), sizes),
            "perimeter": pa.array(np.repeat(np.array(perimeters, object), sizes), pa.string()),
            "feature": np.repeat(np.array(features, np.uint64), sizes),
            "event_bucket": taken["bucket"],
            "event_perimeter": taken["perimeter"],
            "themes": _those(said, (said.flatten().to_numpy() & KIND_BITS) == THEME),
            "topic": _those(said, self._told_by(said)),
        }
        support = [columns[name] if name in columns else taken[name] for name in SUPPORT.names]
        return pa.table(support, schema=SUPPORT)

    def _told_by(self, said: pa.LargeListArray) -> NDArray[np.bool_]:
        """Which of all the rows' features are their candidates' topics."""
        values, offsets = said.flatten().to_numpy(), list_offsets(said)
        told, start = np.zeros(values.size, np.bool_), 0
        for rows, topic in zip(self._rows, self._topics, strict=True):
            if topic is not None:
                part = slice(offsets[start], offsets[start + rows.size])
                told[part] = np.isin(values[part], topic(values[part]))
            start += rows.size
        return told


class Supports(SupportRows):
    """The events that carry the candidates of closes. told: what the root tells."""

    def __init__(self, division: Division, told: Told, window: int) -> None:
        super().__init__(division)
        self._told = told
        self._window = window

    def add(
        self, bucket: int, perimeter: str, node: int, depth: int, feature: int, since: int, *, flagged: bool
    ) -> None:
        """Add the rows that carry a feature from `since` on, back to the window at most.

        flagged: whether it is a candidate, and not only heard again.
        """
        division, first = self._division, bucket - self._window + 1
        start, end = division.span(max(since, first), bucket)
        rows = division.supporters(start, end, node=node, depth=depth, feature=feature)
        rates_of, span = partial(self._told.rates_of, bucket), division.span(first, bucket)
        topic = partial(topic_of, division, rates_of, rows, span) if flagged else None
        self.take(bucket, perimeter, feature, rows, topic)


def _those(features: pa.LargeListArray, chosen: NDArray[np.bool_]) -> pa.ListArray:
    """Those of each row's features that are chosen."""
    ends = np.concatenate([[0], np.cumsum(chosen)])[list_offsets(features)]
    values = pa.array(features.flatten().to_numpy()[chosen], pa.uint64())
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), values)
