"""clearing: what would have cleared an alarm, found by judging the same history with fewer authors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.stages.detect import Detection

Row = Mapping[str, Any]
"""A row of PROBED."""


def authors_to_clear(rows: Sequence[Row], detection: Detection, *, alarm: int) -> int | None:
    """Fewest authors without whom there is no alarm from the start of its episode to bucket `alarm`.

    rows: PROBED of one probe, in order of bucket, from its first one on. The latest authors of the episode
    are taken away first; all else, how many wrote included, stays. None if `alarm` raised no alarm.
    """
    place = next((at for at, row in enumerate(rows) if row["bucket"] == alarm and row["flagged"]), None)
    if place is None:
        return None
    since = rows[place]["since"]
    before = [row for row in rows[:place] if row["bucket"] < since]
    episode = [row for row in rows[: place + 1] if row["bucket"] >= since]
    history = _History(detection)
    for row in before:
        history.judge(row, row["authors"])
    counts = [row["authors"] for row in episode]
    for fewer in range(1, sum(counts) + 1):
        last = max(at for at, count in enumerate(counts) if count)
        counts[last] -= 1
        again = history.copy()
        if not any(again.judge(row, count) for row, count in zip(episode, counts, strict=True)):
            return fewer
    return None


class _History:
    """One feature's history at one perimeter, judged alone: what the perimeter's estimator makes of it."""

    def __init__(self, detection: Detection) -> None:
        self._detection = detection
        self._estimator = detection.estimator()
        self._next = 0

    def copy(self) -> "_History":
        """A history of its own that goes on from here."""
        other = _History(self._detection)
        other._estimator.load_state_arrays(self._estimator.state_arrays())
        other._next = self._next
        return other

    def judge(self, row: Row, authors: int) -> bool:
        """Judge and learn a bucket with so many authors instead of the row's; whether that is an alarm."""
        detection, bucket = self._detection, row["bucket"]
        alarm = False
        if row["exposure"]:
            features = np.array([row["feature"]], np.uint64)
            counts = np.array([authors], np.int64)
            scores = self._estimator.learn_many(
                features,
                counts,
                exposure=row["exposure"],
                bucket=bucket,
                prior=None if row["prior"] is None else np.array([row["prior"]]),
                season=np.array([row["season"]]),
            )
            alarm = bool(detection.alarms(scores, counts, np.array([row["threshold"]]))[0])
            if alarm:
                self._estimator.restart(features)
        detection.forget(self._estimator, self._next, bucket, root=row["prior"] is None)
        self._next = bucket + 1
        return alarm
