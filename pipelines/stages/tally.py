"""tally: what dashboards show and the other detectors judge, at every level of the tree.

Sums and counts only, never means. Within a division an author counts once per cell; divisions share no
author, so the root's cells are the sums of theirs.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from connectors.store.schemas import SCALE
from detectors.features import THEME, feature_id
from pipelines.columns import one_array
from pipelines.stages.cells import COUNTS, Texts, sum_cells
from pipelines.stages.division import list_offsets
from pipelines.stages.mood import STRONGEST

CELL = ("perimeter", "bucket", "channel", "voice", "theme")
CELLS = pa.schema(
    [
        pa.field("perimeter", pa.string(), nullable=False),
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("voice", pa.string(), nullable=False),
        pa.field("theme", pa.uint64(), nullable=False),
        *(pa.field(name, pa.int64(), nullable=False) for name in COUNTS),
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
    if not rows.num_rows:
        return CELLS.empty_table()
    buckets = rows["bucket"].to_numpy()
    if (np.diff(buckets) < 0).any():
        # Copies of a day are told from the first one: their order must stay.
        rows = rows.take(pa.array(np.argsort(buckets, kind="stable")))
    nodes, paths = _levels(rows["perimeter"])
    kinds = one_array(pc.binary_join_element_wise(rows["channel"], rows["voice"], "\n")).dictionary_encode()
    score, features = one_array(rows["score_e4"]), one_array(rows["features"])
    mood = np.clip(rows["sentiment"].to_numpy().astype(np.int64), -STRONGEST, STRONGEST)
    summed = sum_cells(
        Texts(
            bucket=rows["bucket"].to_numpy(),
            nodes=nodes,
            kind=kinds.indices.to_numpy(),
            person=rows["person"].to_numpy(),
            copy=rows["copy"].to_numpy(),
            late=rows["late"].to_numpy(),
            has_text=rows["has_text"].to_numpy(),
            score=score.fill_null(0).to_numpy().astype(np.int64),
            scored=score.is_valid().to_numpy(zero_copy_only=False),
            mood=mood * (SCALE // STRONGEST),
            features=features.flatten().to_numpy(),
            offsets=list_offsets(features),
        ),
        scale=SCALE,
    )
    named = [kind.split("\n") for kind in kinds.dictionary.to_pylist()]
    frame = pl.DataFrame(
        {
            "perimeter": pl.Series(paths)[summed.node],
            "bucket": summed.bucket,
            "channel": pl.Series([channel for channel, _ in named])[summed.kind],
            "voice": pl.Series([voice for _, voice in named])[summed.kind],
            "theme": summed.theme,
            **{name: summed.sums[:, place] for place, name in enumerate(COUNTS)},
        }
    )
    return as_cells(frame)


def open_cells(rows: pa.Table) -> pa.Table:
    """CELLS of one division's rows of open days (UNDERSTOOD), in any order: as they will be if nothing comes.

    Beside those of each channel and voice stand those of all, under empty names: there an author counts once.
    """
    if not rows.num_rows:
        return CELLS.empty_table()
    rows = rows.sort_by([("bucket", "ascending"), ("event_id", "ascending")])
    whole = rows
    for name in ("channel", "voice"):
        column, field = pa.array([""] * rows.num_rows), rows.schema.field(name)
        whole = whole.set_column(rows.schema.get_field_index(name), field, column.cast(field.type))
    return pa.concat_tables([cells(rows), cells(whole)])


def _levels(perimeters: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[str]]:
    """Number of each row's perimeter at each level below the root, -1 below its own; and their paths."""
    encoded = one_array(perimeters).dictionary_encode()
    known = [path.split("/") for path in encoded.dictionary.to_pylist()]
    deepest = max(len(steps) for steps in known)
    numbers: dict[str, int] = {}
    table = np.full((len(known), deepest), -1, np.int32)
    for place, steps in enumerate(known):
        for depth in range(min(2, deepest), len(steps) + 1):
            path = "/".join(steps[:depth])
            table[place, depth - 1] = numbers.setdefault(path, len(numbers))
    return table[encoded.indices.to_numpy()], list(numbers)


def with_root(divisions: Iterable[pa.Table], root: str) -> pa.Table:
    """CELLS of divisions together, and before them those of the root."""
    below = pa.concat_tables([CELLS.empty_table(), *divisions])
    return pa.concat_tables([root_cells(below, root), below.filter(pc.not_equal(below["perimeter"], root))])


def root_cells(divisions: pa.Table, root: str) -> pa.Table:
    """CELLS of the root from those of its divisions (rows below divisions are passed over)."""
    frame: pl.DataFrame = pl.from_arrow(divisions)  # type: ignore[assignment]
    tops = frame.filter(pl.col("perimeter").str.count_matches("/") <= root.count("/") + 1)
    return as_cells(tops.with_columns(perimeter=pl.lit(root)).group_by(CELL).agg(pl.col(COUNTS).sum()))


def theme_keys(keys: list[str]) -> dict[int, str]:
    """Theme ids to keys; id 0, all texts, to the empty key."""
    return {0: "", **{feature_id(key, THEME): key for key in keys}}


def as_cells(frame: pl.DataFrame) -> pa.Table:
    """CELLS, in order of the key."""
    ordered = frame.select(CELLS.names).sort(CELL)
    return ordered.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(CELLS)
