"""Copies of one text in several divisions: the first stands, the others say nothing new anywhere.

An event is met elsewhere where a copy of its text in another division is earlier, by (bucket, rank of the
division for that text), and within the window.
"""

import itertools
import random
from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.stages.copies import COPIES, ELSEWHERE, MET, compare_copies, division_id, list_copies
from pipelines.stages.division import Division
from pipelines.stages.mentions import count
from pipelines.stages.understand import UNDERSTOOD

NORD, SUD, OUEST = "e/nord", "e/sud", "e/ouest"
DIVISIONS = (NORD, SUD, OUEST)
TEMPLATE, NOTICE = 7_001, 7_002
WINDOW = 3


@dataclass(frozen=True)
class Row:
    """An event. text: fingerprint, None where the text is too short to be known again."""

    number: int
    bucket: int
    division: str
    text: int | None = TEMPLATE

    @property
    def event_id(self) -> bytes:
        return self.number.to_bytes(16, "big")


def understood(rows: list[Row]) -> pa.RecordBatch:
    listed = [
        {
            "bucket": row.bucket,
            "event_id": row.event_id,
            "position": row.number,
            "perimeter": f"{row.division}/a",
            "channel": "mail",
            "voice": "field",
            "person": row.number,
            "copy": int.from_bytes(row.event_id[:8], "little") if row.text is None else row.text,
            "score_e4": None,
            "sentiment": 0,
            "has_text": True,
            "late": False,
            "features": [4, 8],
        }
        for row in rows
    ]
    return pa.RecordBatch.from_pylist(listed, schema=UNDERSTOOD)


def listed(rows: list[Row]) -> list[pa.Table]:
    """COPIES, a table a division."""
    ordered = sorted(rows, key=lambda row: row.division)
    return [
        list_copies(division, understood(list(mine)))
        for division, mine in itertools.groupby(ordered, lambda row: row.division)
    ]


def found(elsewhere: pa.Table) -> dict[int, bool]:
    """Numbers of the events that were met elsewhere first, and whether that day."""
    assert elsewhere.schema == ELSEWHERE
    numbers = [int.from_bytes(event_id, "big") for event_id in elsewhere["event_id"].to_pylist()]
    assert len(numbers) == len(set(numbers))
    return dict(zip(numbers, elsewhere["today"].to_pylist(), strict=True))


def compared(rows: list[Row], window: int = WINDOW) -> dict[int, bool]:
    return found(compare_copies(listed(rows), None, window=window).elsewhere)


def rank(row: Row) -> int:
    """The place of a row's division among those that meet its text on one day."""
    assert row.text is not None
    return ((row.text ^ division_id(row.division)) * 0x9E3779B97F4A7C15) % 2**64


FIRST, OTHER = sorted((NORD, SUD), key=lambda place: rank(Row(0, 10, place)))
"""Of a template that both meet on one day, it stands in the first."""


def expected(rows: list[Row], window: int) -> dict[int, bool]:
    """By the definition."""
    result = {}
    for row in rows:
        earlier = [
            other.bucket
            for other in rows
            if other.text == row.text
            and row.text is not None
            and other.division != row.division
            and (other.bucket, rank(other)) < (row.bucket, rank(row))
            and other.bucket > row.bucket - window
        ]
        if earlier:
            result[row.number] = row.bucket in earlier
    return result


def test_a_template_sent_everywhere_stands_in_one_division_whatever_the_event_ids() -> None:
    standing = set()
    for numbers in itertools.permutations([1, 2, 3]):
        rows = [Row(number, 10, place) for number, place in zip(numbers, DIVISIONS, strict=True)]
        met = compared(rows)
        assert set(met.values()) == {True}
        standing.add(next(row.division for row in rows if row.number not in met))
        assert len(met) == 2
    assert len(standing) == 1


def test_no_division_is_preferred_over_many_texts() -> None:
    rows = [
        Row(3 * text + at, 10, place, 1 + text) for text in range(300) for at, place in enumerate(DIVISIONS)
    ]
    met = compared(rows)
    standing = Counter(row.division for row in rows if row.number not in met)
    # 300 texts over three divisions: 100 each, give or take four standard deviations of 8.2.
    assert all(67 <= standing[place] <= 133 for place in DIVISIONS)


def test_what_another_division_met_days_ago_is_not_new() -> None:
    assert compared([Row(5, 10, NORD), Row(1, 11, SUD)]) == {1: False}


def test_it_is_new_again_after_the_window() -> None:
    """Three buckets: the tenth is remembered in the twelfth, and forgotten in the thirteenth."""
    assert compared([Row(1, 10, NORD), Row(2, 12, SUD)]) == {2: False}
    assert compared([Row(1, 10, NORD), Row(2, 13, SUD)]) == {}


def test_a_copy_that_is_not_new_itself_is_met_all_the_same() -> None:
    """As within a division: a text that keeps going round is not news each month."""
    assert compared([Row(1, 10, NORD), Row(2, 12, SUD), Row(3, 14, NORD)]) == {2: False, 3: False}


def test_copies_of_one_division_are_left_to_it() -> None:
    assert compared([Row(1, 10, NORD), Row(2, 10, NORD), Row(3, 11, NORD)]) == {}
    assert compared([Row(1, 10, FIRST), Row(2, 10, OTHER), Row(3, 10, FIRST)]) == {2: True}


def test_texts_that_differ_or_are_too_short_are_not_copies() -> None:
    rows = [Row(1, 10, NORD), Row(2, 10, SUD, NOTICE), Row(3, 10, NORD, None), Row(4, 10, SUD, None)]
    assert compared(rows) == {}
    assert [table.num_rows for table in listed(rows)] == [1, 1]


def test_nothing_listed_finds_nothing_and_forgets_nothing() -> None:
    _, met = compare_copies(listed([Row(1, 10, NORD)]), None, window=WINDOW)
    again = compare_copies([], met, window=WINDOW)
    assert found(again.elsewhere) == {}
    assert again.met.equals(met)
    assert compare_copies([COPIES.empty_table()], None, window=WINDOW).met.equals(MET.empty_table())


ROWS = st.lists(
    st.tuples(st.integers(10, 17), st.sampled_from(DIVISIONS), st.sampled_from([TEMPLATE, NOTICE, None])),
    max_size=14,
)


@settings(deadline=None, max_examples=150)
@given(
    drawn=ROWS,
    window=st.integers(1, 4),
    cuts=st.sets(st.integers(10, 17)),
    order=st.randoms(use_true_random=False),
)
def test_slices_and_order_do_not_count(
    drawn: list[tuple[int, str, int | None]], window: int, cuts: set[int], order: random.Random
) -> None:
    """Any cut between buckets gives what the definition says of the whole, and remembers a window."""
    numbers = order.sample(range(1, 100), len(drawn))
    rows = [Row(number, *row) for number, row in zip(numbers, drawn, strict=True)]
    result: dict[int, bool] = {}
    met = None
    for start, end in itertools.pairwise([10, *sorted(cuts), 18]):
        mine = [row for row in rows if start <= row.bucket < end]
        order.shuffle(mine)
        tables = [table.slice(at, 1) for table in listed(mine) for at in range(table.num_rows)]
        order.shuffle(tables)
        elsewhere, met = compare_copies(tables, met, window=window)
        result |= found(elsewhere)
        last = max((row.bucket for row in rows if row.bucket < end and row.text), default=0)
        assert met.schema == MET
        assert met["bucket"].to_pylist() == sorted(
            row.bucket for row in rows if last - window + 1 < row.bucket < end and row.text
        )
    assert result == expected(rows, window)


def authors(division: Division, bucket: int) -> tuple[list[int], list[int]]:
    """Exposure of each perimeter of a division, and authors of its first feature."""
    one = count(division.rows, division.marks, *division.span(bucket, bucket), depths=division.depths)
    return one.exposures.tolist(), one.authors[one.starts[:-1]].tolist()


def test_a_division_counts_such_a_text_nowhere() -> None:
    """One division has three events: its own, a copy of today's in another, one of yesterday's in a third."""
    rows = [
        Row(1, 10, OUEST, NOTICE),
        Row(2, 11, FIRST),
        Row(3, 11, OTHER),
        Row(4, 11, OTHER, NOTICE),
        Row(5, 11, OTHER, None),
    ]
    elsewhere = compare_copies(listed(rows), None, window=WINDOW).elsewhere
    mine = pa.Table.from_batches([understood([row for row in rows if row.division == OTHER])])
    division = Division(OTHER, mine, UNDERSTOOD.empty_table(), window=WINDOW, elsewhere=elsewhere)
    # Two perimeters, the division and its place: who wrote a copy of an earlier day wrote all the same.
    assert authors(division, 11) == ([2, 2], [1, 1])
    assert division.tally().to_pylist() == [
        {"bucket": 11, "feature": feature, "authors": size} for feature, size in ((0, 2), (4, 1), (8, 1))
    ]
    nowhere = [max(depths) for depths in division.table["mention_depths"].to_pylist()]
    assert nowhere == [1, 1, -1]
    assert division.table["row_depth"].to_pylist() == [1, -1, -1]
    # What is remembered keeps its marks, whatever is looked at later.
    kept = division.to_remember(11, WINDOW)
    after = Division(OTHER, UNDERSTOOD.empty_table(), kept, window=WINDOW, elsewhere=ELSEWHERE.empty_table())
    assert after.table.equals(division.table)


def test_a_division_passes_over_what_is_said_of_others() -> None:
    rows = [Row(1, 10, FIRST), Row(2, 10, OTHER)]
    elsewhere = compare_copies(listed(rows), None, window=WINDOW).elsewhere
    assert elsewhere["division"].to_pylist() == [division_id(OTHER)]
    mine = pa.Table.from_batches([understood([rows[0]])])
    division = Division(FIRST, mine, UNDERSTOOD.empty_table(), window=WINDOW, elsewhere=elsewhere)
    assert authors(division, 10) == ([1, 1], [1, 1])
