"""Sums of days against plain dictionaries."""

from collections import defaultdict
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.features import feature_id
from pipelines.stages.sums import VOICES, Sums, days
from pipelines.stages.tally import CELL, CELLS
from tests.watch_cells import THEMES, Cells

VALUES = CELLS.names[len(CELL) :]
SUMMED = (
    *("scored", "score_sum", "score_squares", "moods", "mood_sum", "mood_squares"),
    *("without_text", "paired", "gap_sum", "gap_squares"),
)
Listed = list[dict[str, Any]]

KEY = st.tuples(
    st.sampled_from(["e", "e/nord", "e/nord/lille", "e/sud"]),
    st.integers(7, 12),
    st.sampled_from(["email", "survey"]),
    st.sampled_from(["customer", "field", "other"]),
    st.sampled_from([0, *THEMES]),
)
CELL_VALUES = st.fixed_dictionaries({name: st.integers(0, 1 << 40) for name in VALUES})


def listed(sums: Sums) -> Listed:
    """One dictionary a row, keys and sums together."""
    for name, ids in sums.ids.items():
        assert ids.tolist() == [feature_id(key) for key in sums.keys[name]]
    columns = {**sums.keys, **sums.columns}
    return [
        dict(zip(columns, row, strict=True))
        for row in zip(*(c.tolist() for c in columns.values()), strict=True)
    ]


def expected(cells: Listed, bucket: int, key: list[str], summed: tuple[str, ...], *, themes: bool) -> Listed:
    found: dict[tuple[str, ...], dict[str, int]] = defaultdict(lambda: dict.fromkeys(summed, 0))
    for cell in cells:
        if cell["bucket"] != bucket or (cell["theme"] != 0) != themes:
            continue
        named = {**cell, "theme": THEMES.get(cell["theme"])}
        sums = found[tuple(named[name] for name in key)]
        for name in summed:
            spoken = cell["speakers"] if cell["voice"] == name else 0
            sums[name] += spoken if name in VOICES else cell[name]
    return [{**dict(zip(key, one, strict=True)), **found[one]} for one in sorted(found)]


@settings(deadline=None, max_examples=150)
@given(cells=st.dictionaries(KEY, CELL_VALUES, max_size=25), chance=st.randoms(use_true_random=False))
def test_cells_are_added_up_by_perimeter_by_channel_and_by_theme(cells: dict[Any, Any], chance: Any) -> None:
    rows = [{**dict(zip(CELL, key, strict=True)), **values} for key, values in cells.items()]
    chance.shuffle(rows)
    buckets = range(6, 14)
    found = list(days(pa.Table.from_pylist(rows, schema=CELLS), buckets, THEMES))
    assert [day.bucket for day in found] == list(buckets)
    for day in found:
        assert listed(day.perimeters) == expected(
            rows, day.bucket, ["perimeter"], (*SUMMED, *VOICES), themes=False
        )
        assert listed(day.channels) == expected(
            rows, day.bucket, ["perimeter", "channel"], ("volume",), themes=False
        )
        assert listed(day.themes) == expected(rows, day.bucket, ["perimeter", "theme"], VOICES, themes=True)


def test_columns_of_several_chunks_are_one_table() -> None:
    cells = Cells()
    for bucket in (3, 4):
        cells.add(bucket, "e/nord", score=0.5, mood=0.25, themes=["till"])
    whole = cells.table()
    parts = pa.concat_tables([cells.table([3]), cells.table([4])])
    assert parts["bucket"].num_chunks == 2
    for one, other in zip(days(whole, [3, 4], THEMES), days(parts, [3, 4], THEMES), strict=True):
        assert listed(one.perimeters) == listed(other.perimeters)
        assert listed(one.themes) == listed(other.themes)


def test_one_answer_by_hand() -> None:
    cells = Cells()
    cells.add(5, "e/nord", score=0.9, mood=-0.5, themes=["wait"])
    (day,) = days(cells.table(), [5], THEMES)
    # A gap of 2 * 0.9 - 1 - (-0.5) = 1.3.
    row = {
        "scored": 1,
        "score_sum": 9_000,
        "score_squares": 81_000_000,
        "moods": 1,
        "mood_sum": -5_000,
        "mood_squares": 25_000_000,
        "without_text": 0,
        "paired": 1,
        "gap_sum": 13_000,
        "gap_squares": 169_000_000,
        "customer": 1,
        "field": 0,
    }
    assert listed(day.perimeters) == [{"perimeter": "e", **row}, {"perimeter": "e/nord", **row}]
    assert listed(day.channels) == [
        {"perimeter": "e", "channel": "survey", "volume": 1},
        {"perimeter": "e/nord", "channel": "survey", "volume": 1},
    ]
    assert listed(day.themes) == [
        {"perimeter": "e", "theme": "wait", "customer": 1, "field": 0},
        {"perimeter": "e/nord", "theme": "wait", "customer": 1, "field": 0},
    ]


def test_days_without_cells_are_days_all_the_same() -> None:
    found = list(days(CELLS.empty_table(), range(20_000, 20_003), {}))
    assert [day.bucket for day in found] == [20_000, 20_001, 20_002]
    for day in found:
        assert listed(day.perimeters) == listed(day.channels) == listed(day.themes) == []
