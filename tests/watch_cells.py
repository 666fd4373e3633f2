"""CELLS made by hand: each text counts in its perimeter and in all above it, as a text of its own author."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from detectors.features import THEME, feature_id
from pipelines.stages.tally import CELL, CELLS

ROOT = "e"
UNIT = 10_000
"""Scores and moods are whole numbers of this."""
THEMES = {feature_id(key, THEME): key for key in ("parking", "till", "wait")}
_IDS = {key: one for one, key in THEMES.items()}


class Cells:
    """Cells that grow, text by text."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, int, str, str, int], dict[str, int]] = {}

    def add(
        self,
        bucket: int,
        place: str,
        *,
        channel: str = "survey",
        voice: str = "customer",
        score: float | None = None,
        mood: float | None = None,
        themes: Sequence[str] = (),
    ) -> None:
        """One text. score: [0, 1]; mood: [-1, 1], None where it has no text."""
        score_e4 = None if score is None else round(score * UNIT)
        mood_e4 = None if mood is None else round(mood * UNIT)
        for perimeter in above(place):
            for theme in (0, *(_IDS[key] for key in themes)):
                key = (perimeter, bucket, channel, voice, theme)
                cell = self._cells.setdefault(key, dict.fromkeys(CELLS.names[len(CELL) :], 0))
                for name, value in counted(score_e4, mood_e4).items():
                    cell[name] += value

    def table(self, buckets: Iterable[int] | None = None) -> pa.Table:
        """CELLS, of some buckets or all."""
        wanted = None if buckets is None else set(buckets)
        rows = [
            {**dict(zip(CELL, key, strict=True)), **cell}
            for key, cell in sorted(self._cells.items())
            if wanted is None or key[1] in wanted
        ]
        return pa.Table.from_pylist(rows, schema=CELLS)


def counted(score: int | None, mood: int | None) -> dict[str, int]:
    """What one text adds to each cell that counts it."""
    ones = {"texts": 1, "authors": 1, "speakers": 1, "volume": 1}
    if score is not None:
        ones |= {"scored": 1, "score_sum": score, "score_squares": score**2}
    if mood is None:
        return ones | {"without_text": 1}
    ones |= {"moods": 1, "mood_sum": mood, "mood_squares": mood**2}
    ones |= {"sentiment_sum": mood, "sentiment_squares": mood**2}
    if score is not None:
        gap = 2 * score - UNIT - mood
        ones |= {"paired": 1, "gap_sum": gap, "gap_squares": gap**2}
    return ones


def above(place: str) -> Iterator[str]:
    """The path and those it lies in, the root first."""
    parts = place.split("/")
    return ("/".join(parts[:length]) for length in range(1, len(parts) + 1))
