"""Cells for dashboards against plain dictionaries."""

from collections import defaultdict
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.features import THEME, feature_id
from pipelines.stages.tally import CELL, CELLS, cells, root_cells, theme_keys
from pipelines.stages.understand import UNDERSTOOD

WAIT, TILL = feature_id("wait", THEME), feature_id("till", THEME)
WORD = feature_id("attente")
PLACES = ["", "/lille", "/lille/b1", "/lille/b1/r2", "/arras"]

ROW = st.fixed_dictionaries(
    {
        "bucket": st.integers(10, 12),
        "place": st.sampled_from(PLACES),
        "channel": st.sampled_from(["email", "survey"]),
        "voice": st.sampled_from(["customer", "field"]),
        "person": st.integers(1, 3),
        "score_e4": st.none() | st.integers(0, 10_000),
        "sentiment": st.integers(-25, 25),
        "has_text": st.booleans(),
        "late": st.booleans(),
        "copy": st.integers(1, 4),
        "features": st.lists(st.sampled_from([WAIT, TILL, WORD]), unique=True),
    }
)
Listed = list[dict[str, Any]]


def understood(rows: Listed, division: str) -> pa.Table:
    listed = [
        {
            "copy": number,
            **row,
            "perimeter": division + row["place"],
            "event_id": number.to_bytes(16),
            "position": number,
        }
        for number, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(listed, schema=UNDERSTOOD)


def levels(path: str) -> list[str]:
    """The path and those above it down from the division; the root for what hangs on the root itself."""
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(min(2, len(parts)), len(parts) + 1)]


def expected(rows: Listed, division: str) -> Listed:
    people: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    texts: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    sums: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    whole: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    copies: set[tuple[int, int]] = set()
    for number, row in enumerate(rows):
        copy = row["bucket"], row.get("copy", number)
        first = row["has_text"] and copy not in copies
        copies.add(copy)
        for perimeter in levels(division + row["place"]):
            for theme in [0, *(feature for feature in row["features"] if feature in (WAIT, TILL))]:
                key = (perimeter, row["bucket"], row["channel"], row["voice"], theme)
                people[key].add(row["person"])
                texts[key] |= set() if row["late"] else {row.get("copy", number)}
                whole[key].add(row.get("copy", number))
                cell = sums[key]
                cell["texts"] += 1
                cell["score_sum"] += row["score_e4"] or 0
                cell["scored"] += row["score_e4"] is not None
                cell["sentiment_sum"] += max(-10_000, min(10_000, 1_000 * row["sentiment"]))
                cell["without_text"] += not row["has_text"]
                cell["late"] += row["late"]
                mood = max(-10_000, min(10_000, 1_000 * row["sentiment"]))
                cell["score_squares"] += (row["score_e4"] or 0) ** 2
                cell["sentiment_squares"] += mood**2 if row["has_text"] else 0
                gap = 2 * row["score_e4"] - 10_000 - mood if row["score_e4"] is not None else 0
                paired = first and row["score_e4"] is not None
                cell["moods"] += first
                cell["mood_sum"] += mood if first else 0
                cell["mood_squares"] += mood**2 if first else 0
                cell["paired"] += paired
                cell["gap_sum"] += gap if paired else 0
                cell["gap_squares"] += gap**2 if paired else 0
    return [
        {
            name: {
                **dict(zip(CELL, key, strict=True)),
                **sums[key],
                "authors": len(people[key]),
                "volume": len(texts[key]),
                "speakers": min(len(people[key]), len(whole[key])),
            }[name]
            for name in CELLS.names
        }
        for key in sorted(sums)
    ]


@settings(deadline=None, max_examples=80)
@given(rows=st.lists(ROW, max_size=12))
def test_a_division_is_summed_at_every_level(rows: Listed) -> None:
    table = cells(understood(rows, "e/nord"))
    assert table.schema == CELLS
    assert table.to_pylist() == expected(rows, "e/nord")


@settings(deadline=None, max_examples=40)
@given(north=st.lists(ROW, max_size=8), south=st.lists(ROW, max_size=8), top=st.lists(ROW, max_size=4))
def test_the_root_is_the_sum_of_its_divisions(north: Listed, south: Listed, top: Listed) -> None:
    for row in top:
        row["place"] = ""
    parts = {"e/nord": north, "e/sud": south, "e": top}
    below = pa.concat_tables([cells(understood(rows, division)) for division, rows in parts.items()])
    sums: dict[tuple[Any, ...], dict[str, int]] = {}
    for division, rows in parts.items():
        for cell in expected(rows, division):
            if cell["perimeter"] == division:
                key = tuple(cell[name] for name in CELL[1:])
                total = sums.setdefault(key, dict.fromkeys(CELLS.names[len(CELL) :], 0))
                for name in total:
                    total[name] += cell[name]
    root = root_cells(below, "e")
    assert root.schema == CELLS
    assert root.to_pylist() == [
        {"perimeter": "e", **dict(zip(CELL[1:], key, strict=True)), **sums[key]} for key in sorted(sums)
    ]


def test_by_hand() -> None:
    rows: Listed = [
        {
            "bucket": 10,
            "place": "/lille",
            "channel": "email",
            "voice": "customer",
            "person": person,
            "score_e4": score,
            "sentiment": sentiment,
            "has_text": True,
            "late": False,
            "features": [WAIT, WORD],
        }
        for person, score, sentiment in ((1, 2_500, -3), (1, None, 12), (2, 10_000, 0))
    ]
    counted = {
        "texts": 3,
        "authors": 2,
        "score_sum": 12_500,
        "scored": 2,
        "sentiment_sum": 7_000,
        "without_text": 0,
        "late": 0,
        "volume": 3,
        "speakers": 2,
        "moods": 3,
        "mood_sum": 7_000,
        "mood_squares": 109_000_000,
        "score_squares": 106_250_000,
        "sentiment_squares": 109_000_000,
        # 2 x 0.25 - 1 + 0.3 and 2 x 1 - 1 - 0.
        "paired": 2,
        "gap_sum": 8_000,
        "gap_squares": 104_000_000,
    }
    for cell in cells(understood(rows, "e/nord")).to_pylist():
        assert {name: cell[name] for name in counted} == counted
        assert cell["perimeter"] in ("e/nord", "e/nord/lille")
        assert cell["theme"] in (0, WAIT)


def test_a_campaign_counts_once_for_detectors() -> None:
    rows: Listed = [
        {
            "bucket": 10,
            "place": "/lille",
            "channel": "email",
            "voice": "customer",
            "person": person,
            "score_e4": 0,
            "sentiment": -10,
            "has_text": True,
            "late": False,
            "copy": 7,
            "features": [WAIT],
        }
        for person in range(1, 31)
    ]
    counted = {
        "texts": 30,
        "authors": 30,
        "volume": 1,
        "speakers": 1,
        "moods": 1,
        "mood_sum": -10_000,
        "paired": 1,
    }
    for cell in cells(understood(rows, "e/nord")).to_pylist():
        assert {name: cell[name] for name in counted} == counted


def test_no_rows_make_no_cells() -> None:
    assert cells(UNDERSTOOD.empty_table()).equals(CELLS.empty_table())
    assert root_cells(CELLS.empty_table(), "e").equals(CELLS.empty_table())


def test_theme_ids_read_back_as_keys() -> None:
    assert theme_keys(["wait", "till"]) == {0: "", WAIT: "wait", TILL: "till"}
