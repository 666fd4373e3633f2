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
from pipelines.columns import one_array, ranked
from pipelines.stages.cells import COUNTS, Summed, Texts, sum_cells
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
    (channels, channel), (voices, voice) = ranked(rows["channel"]), ranked(rows["voice"])
    score, features = one_array(rows["score_e4"]), one_array(rows["features"])
    mood = np.clip(rows["sentiment"].to_numpy().astype(np.int64), -STRONGEST, STRONGEST)
    summed = sum_cells(
        Texts(
            bucket=rows["bucket"].to_numpy(),
            nodes=nodes,
            kind=channel * np.int32(len(voices)) + voice,
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
    order = _order(summed)
    kind = summed.kind[order]
    columns = [
        pa.array(paths).take(pa.array(summed.node[order])),
        summed.bucket[order],
        pa.array(channels).take(pa.array(kind // len(voices))),
        pa.array(voices).take(pa.array(kind % len(voices))),
        summed.theme[order],
        *np.ascontiguousarray(summed.sums[order].T),
    ]
    return pa.table(columns, schema=CELLS)


def _order(summed: Summed) -> NDArray[np.int64]:
    """Order of the key: perimeters and kinds are numbered in order of their names."""
    first = int(summed.bucket.min())
    _, theme = np.unique(summed.theme, return_inverse=True)
    key = summed.node.astype(np.int64)
    for part in (summed.bucket - first, summed.kind, theme):
        key = key * (int(part.max()) + 1) + part
    order: NDArray[np.int64] = np.argsort(key)
    return order


def open_cells(rows: pa.Table) -> pa.Table:
    """CELLS of one division's rows of open days (UNDERSTOOD), in any order: as they will be if nothing comes,
    but for the copies: the first one met stands for all.

    Beside those of each channel and voice stand those of all, under empty names: there an author counts once.
    """
    if not rows.num_rows:
        return CELLS.empty_table()
    whole = rows
    for name in ("channel", "voice"):
        column, field = pa.array([""] * rows.num_rows), rows.schema.field(name)
        whole = whole.set_column(rows.schema.get_field_index(name), field, column.cast(field.type))
    return pa.concat_tables([cells(rows), cells(whole)])


def _levels(perimeters: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[str]]:
    """Number of each row's perimeter at each level below the root, -1 below its own; and their paths, in
    order."""
    known, places = ranked(perimeters)
    chains = [path.split("/") for path in known]
    deepest = max(map(len, chains))
    levels = [
        (row, depth, "/".join(steps[:depth]))
        for row, steps in enumerate(chains)
        for depth in range(min(2, deepest), len(steps) + 1)
    ]
    paths = sorted({path for _, _, path in levels})
    numbers = {path: number for number, path in enumerate(paths)}
    table = np.full((len(known), deepest), -1, np.int32)
    for row, depth, path in levels:
        table[row, depth - 1] = numbers[path]
    return table[places], paths


def with_root(divisions: Iterable[pa.Table], root: str) -> pa.Table:
    """CELLS of divisions together, and before them those of the root."""
    below = pa.concat_tables([CELLS.empty_table(), *divisions])
    at_root = root_cells(below, root)
    if root in pc.unique(below["perimeter"]).to_pylist():
        below = below.filter(pc.not_equal(below["perimeter"], root))
    return pa.concat_tables([at_root, below])


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
