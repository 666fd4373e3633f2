"""tally: what dashboards show and the other detectors judge, at every level of the tree.

Sums and counts only, never means. Within a division an author counts once per cell; divisions share no
author, so the root's cells are the sums of theirs.
"""

import polars as pl
import pyarrow as pa

from connectors.store.schemas import SCALE
from detectors.features import THEME, feature_id
from pipelines.stages.mood import STRONGEST

CELL = ("perimeter", "bucket", "channel", "voice", "theme")
_COUNTS = (
    *("texts", "authors", "score_sum", "scored", "sentiment_sum", "without_text", "late"),
    *("volume", "speakers", "score_squares", "sentiment_squares", "moods", "mood_sum", "mood_squares"),
    *("paired", "gap_sum", "gap_squares"),
)

CELLS = pa.schema(
    [
        pa.field("perimeter", pa.string(), nullable=False),
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("voice", pa.string(), nullable=False),
        pa.field("theme", pa.uint64(), nullable=False),
        *(pa.field(name, pa.int64(), nullable=False) for name in _COUNTS),
    ]
)
"""theme: id of the theme, 0 for all texts. texts: events; authors: distinct. score_sum and sentiment_sum: in
units of 1/SCALE, scores in [0, 1], a text's sentiment in [-1, 1].

The rest is what detectors judge; there, copies of one text on one day count once. volume: texts that came in
time; speakers: distinct authors. moods: texts, with the sum of their sentiments and that of the squares, in
units of 1/SCALE and 1/SCALE²; score_squares alike. paired: events with a score and a text; gap: of the score,
stretched to [-1, 1], above the text's sentiment."""

ALL_TEXTS = 0
"""Theme of the cells that count all texts."""


def cells(rows: pa.Table) -> pa.Table:
    """CELLS of one division's rows (UNDERSTOOD), of its own path and below, in order of the key."""
    frame: pl.DataFrame = pl.from_arrow(rows)  # type: ignore[assignment]
    if frame.is_empty():
        return CELLS.empty_table()
    theme_ids = pl.col("features").list.eval(pl.element().filter((pl.element() & 3) == THEME))
    base = frame.select(
        "bucket",
        "channel",
        "voice",
        "person",
        "late",
        "copy",
        "has_text",
        score=pl.col("score_e4").cast(pl.Int64),
        perimeter=pl.col("perimeter").str.split("/"),
        mood=pl.col("sentiment").cast(pl.Int64).clip(-STRONGEST, STRONGEST) * (SCALE // STRONGEST),
        theme=pl.concat_list(pl.lit(ALL_TEXTS, pl.UInt64).repeat_by(1), theme_ids),
    )
    first = pl.col("has_text") & pl.struct("bucket", "copy").is_first_distinct()
    base = base.with_columns(
        first_mood=pl.when(first).then("mood"),
        gap=pl.when(first).then(2 * pl.col("score") - SCALE - pl.col("mood")),
    ).explode("theme")
    deepest = max(path.count("/") for path in frame["perimeter"].unique()) + 1
    levels = [
        base.filter(pl.col("perimeter").list.len() >= depth)
        .with_columns(perimeter=pl.col("perimeter").list.head(depth).list.join("/"))
        .group_by(CELL)
        .agg(
            texts=pl.len().cast(pl.Int64),
            authors=pl.col("person").n_unique().cast(pl.Int64),
            score_sum=pl.col("score").sum(),
            scored=pl.col("score").count().cast(pl.Int64),
            sentiment_sum=pl.col("mood").sum(),
            without_text=(~pl.col("has_text")).sum().cast(pl.Int64),
            late=pl.col("late").sum().cast(pl.Int64),
            volume=pl.col("copy").filter(~pl.col("late")).n_unique().cast(pl.Int64),
            score_squares=pl.col("score").pow(2).sum(),
            sentiment_squares=(pl.col("mood") * pl.col("has_text")).pow(2).sum(),
            speakers=pl.min_horizontal(pl.col("person").n_unique(), pl.col("copy").n_unique()).cast(pl.Int64),
            moods=pl.col("first_mood").count().cast(pl.Int64),
            mood_sum=pl.col("first_mood").sum(),
            mood_squares=pl.col("first_mood").pow(2).sum(),
            paired=pl.col("gap").count().cast(pl.Int64),
            gap_sum=pl.col("gap").sum(),
            gap_squares=pl.col("gap").pow(2).sum(),
        )
        for depth in range(min(2, deepest), deepest + 1)
    ]
    return _arrow(pl.concat(levels))


def root_cells(divisions: pa.Table, root: str) -> pa.Table:
    """CELLS of the root from those of its divisions (rows below divisions are passed over)."""
    frame: pl.DataFrame = pl.from_arrow(divisions)  # type: ignore[assignment]
    tops = frame.filter(pl.col("perimeter").str.count_matches("/") <= root.count("/") + 1)
    return _arrow(tops.with_columns(perimeter=pl.lit(root)).group_by(CELL).agg(pl.col(_COUNTS).sum()))


def theme_keys(keys: list[str]) -> dict[int, str]:
    """Theme ids to keys; id 0, all texts, to the empty key."""
    return {0: "", **{feature_id(key, THEME): key for key in keys}}


def _arrow(frame: pl.DataFrame) -> pa.Table:
    ordered = frame.select(CELLS.names).sort(CELL)
    return ordered.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(CELLS)
