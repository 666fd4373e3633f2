"""Distinct authors per perimeter, bucket and feature, against Python sets, at every level of any tree.

A row's mention counts at a perimeter unless an earlier row within the window, under that same perimeter,
said the same by the same author, or was a copy of the same text.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.schemas import FEATURE_TALLY
from pipelines.stages.detect import merge_tallies
from pipelines.stages.division import Division
from pipelines.stages.mentions import Counted, count
from pipelines.stages.understand import UNDERSTOOD

TOP = "e/nord"
PATHS = [TOP, f"{TOP}/lille", f"{TOP}/lille/b1", f"{TOP}/lille/b1/r2", f"{TOP}/lille/b2", f"{TOP}/arras"]


@dataclass(frozen=True)
class Row:
    """One understood event; `number` orders events within a bucket."""

    number: int
    bucket: int
    path: str
    person: int
    copy: int
    features: frozenset[int]
    writes: bool = True


@st.composite
def divisions(draw: st.DrawFn) -> list[Row]:
    size = draw(st.integers(0, 14))
    rows = []
    for number in range(size):
        writes = draw(st.booleans()) or draw(st.booleans())
        features = draw(st.frozensets(st.sampled_from([5, 6, 9, 2**63 + 1]), max_size=3))
        rows.append(
            Row(
                number,
                draw(st.integers(10, 16)),
                draw(st.sampled_from(PATHS)),
                draw(st.integers(1, 4)),
                draw(st.sampled_from([0, 0, 0, 1, 2])) or 1000 + number,
                features if writes else frozenset(),
                writes,
            )
        )
    return rows


def understood(rows: list[Row]) -> pa.Table:
    listed = [
        {
            "bucket": row.bucket,
            "event_id": row.number.to_bytes(16),
            "position": row.number,
            "perimeter": row.path,
            "channel": "survey",
            "voice": "customer",
            "person": row.person,
            "copy": row.copy,
            "score_e4": None,
            "sentiment": 0,
            "has_text": row.writes,
            "late": False,
            "features": sorted(row.features),
        }
        for row in rows
    ]
    return pa.Table.from_pylist(listed, schema=UNDERSTOOD)


def under(path: str, perimeter: str) -> bool:
    return f"{path}/".startswith(f"{perimeter}/")


def earlier(rows: list[Row], row: Row, perimeter: str, window: int) -> Iterator[Row]:
    """Rows before this one, within the window and under the perimeter."""
    for other in rows:
        before = (other.bucket, other.number) < (row.bucket, row.number)
        if before and other.bucket > row.bucket - window and under(other.path, perimeter):
            yield other


def counts(rows: list[Row], row: Row, feature: int, perimeter: str, window: int) -> bool:
    return not any(
        other.copy == row.copy or (other.person == row.person and feature in other.features)
        for other in earlier(rows, row, perimeter, window)
    )


def expected_count(rows: list[Row], bucket: int, perimeter: str, window: int) -> tuple[dict[int, int], int]:
    """Distinct authors per feature, features only repeated at 0; and the exposure."""
    here = [row for row in rows if row.bucket == bucket and row.writes and under(row.path, perimeter)]
    authors = {
        feature: sum(counts(rows, row, feature, perimeter, window) for row in here if feature in row.features)
        for feature in sorted(set().union(*(row.features for row in here)))
    }
    wrote = sum(
        not any(
            other.bucket == bucket and other.writes and (other.person == row.person or other.copy == row.copy)
            for other in earlier(rows, row, perimeter, window)
        )
        for row in here
    )
    return authors, max([wrote, *authors.values()])


def counted(division: Division, bucket: int) -> dict[str, tuple[dict[int, int], int]]:
    """What `count` gives for every perimeter with texts in a bucket."""
    one = count(division.rows, division.marks, *division.span(bucket, bucket), depths=division.depths)
    paths = [division.nodes[node][0] for node in one.nodes.tolist()]
    assert one.depths.tolist() == [path.count("/") - TOP.count("/") for path in paths]
    spans = [slice(start, end) for start, end in itertools.pairwise(one.starts.tolist())]
    for path, span in zip(paths, spans, strict=True):
        assert_found_above(one, paths, spans, path, span)
    return {
        path: (dict(zip(one.features[span].tolist(), one.authors[span].tolist(), strict=True)), exposure)
        for path, span, exposure in zip(paths, spans, one.exposures.tolist(), strict=True)
    }


def assert_found_above(one: Counted, paths: list[str], spans: list[slice], path: str, span: slice) -> None:
    """Each entry leads to the same feature of the parent."""
    above = one.above[span].tolist()
    if path == TOP:
        assert set(above) <= {-1}
        return
    parent = spans[paths.index(path.rpartition("/")[0])]
    assert all(parent.start <= place < parent.stop for place in above)
    assert one.features[above].tolist() == one.features[span].tolist()


def ancestors(path: str) -> list[str]:
    """The path and those above it, down from the division."""
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(2, len(parts) + 1)]


@settings(deadline=None, max_examples=150)
@given(rows=divisions(), window=st.integers(1, 4), order=st.randoms(use_true_random=False))
@example(
    # A score alone first, then a text without news by the same author in another place: still one who wrote.
    rows=[
        Row(0, 10, PATHS[1], 1, 100, frozenset({5})),
        Row(1, 11, PATHS[1], 1, 101, frozenset(), writes=False),
        Row(2, 11, PATHS[5], 1, 102, frozenset({5})),
    ],
    window=4,
    order=random.Random(0),
)
def test_every_perimeter_counts_distinct_authors(rows: list[Row], window: int, order: random.Random) -> None:
    shuffled = list(rows)
    order.shuffle(shuffled)
    division = Division(TOP, understood(shuffled), UNDERSTOOD.empty_table(), window=window)
    for bucket in sorted({row.bucket for row in rows}):
        heard = [row for row in rows if row.bucket == bucket and row.writes]
        perimeters = {perimeter for row in heard for perimeter in ancestors(row.path)}
        expected = {perimeter: expected_count(rows, bucket, perimeter, window) for perimeter in perimeters}
        assert counted(division, bucket) == expected


@settings(deadline=None, max_examples=100)
@given(rows=divisions(), window=st.integers(1, 4), cut=st.none() | st.integers(11, 14))
def test_supporters_are_the_rows_that_count(rows: list[Row], window: int, cut: int | None) -> None:
    first, last = 12, 14
    if cut is None:
        division = Division(TOP, understood(rows), UNDERSTOOD.empty_table(), window=window)
    else:
        # What is remembered of the rows before the cut is in pieces of its own.
        past = understood([row for row in rows if row.bucket < cut])
        before = Division(TOP, past, UNDERSTOOD.empty_table(), window=window)
        remembered = before.to_remember(cut - 1, 7)
        after = [row for row in rows if row.bucket >= cut]
        division = Division(TOP, understood(after), remembered, window=window)
        first = max(first, cut - 7 + 1)
    start, end = division.span(first, last)
    for node in range(len({perimeter for row in rows for perimeter in ancestors(row.path)})):
        path, _ = division.nodes[node]
        depth = path.count("/") - 1
        for feature in (5, 2**63 + 1):
            places = division.supporters(start, end, node=node, depth=depth, feature=feature)
            found = sorted(division.table["position"].take(pa.array(places)).to_pylist())
            assert found == [
                row.number
                for row in rows
                if first <= row.bucket <= last
                and under(row.path, path)
                and feature in row.features
                and counts(rows, row, feature, path, window)
            ]


@settings(deadline=None, max_examples=100)
@given(rows=divisions(), window=st.integers(1, 4), cuts=st.sets(st.integers(10, 16)))
def test_what_is_remembered_makes_slices_as_good_as_the_whole(
    rows: list[Row], window: int, cuts: set[int]
) -> None:
    whole = Division(TOP, understood(rows), UNDERSTOOD.empty_table(), window=window)
    remembered = UNDERSTOOD.empty_table()
    for start, end in itertools.pairwise([10, *sorted(cuts), 17]):
        mine = [row for row in rows if start <= row.bucket < end]
        division = Division(TOP, understood(mine), remembered, window=window)
        assert division.buckets.tolist() == sorted({row.bucket for row in mine})
        assert sorted(division.new_rows["position"].to_pylist()) == sorted(row.number for row in mine)
        for bucket in division.buckets.tolist():
            assert counted(division, bucket) == counted(whole, bucket)
        if division.buckets.size:
            closed = int(division.buckets[-1])
            remembered = division.to_remember(closed, window)
            assert all(bucket > closed - 2 * window for bucket in remembered["bucket"].to_pylist())


@settings(deadline=None, max_examples=60)
@given(rows=divisions(), window=st.integers(1, 4))
def test_the_tally_is_the_count_of_the_division(rows: list[Row], window: int) -> None:
    division = Division(TOP, understood(rows), UNDERSTOOD.empty_table(), window=window)
    tally = division.tally()
    assert tally.schema == FEATURE_TALLY
    expected = []
    for bucket in sorted({row.bucket for row in rows if row.writes}):
        authors, wrote = expected_count(rows, bucket, TOP, window)
        expected += [(bucket, 0, wrote), *((bucket, feature, size) for feature, size in authors.items())]
    assert [tuple(row.values()) for row in tally.to_pylist()] == expected


def test_by_hand() -> None:
    lille, arras = PATHS[1], PATHS[5]
    rows = [
        Row(1, 10, lille, 1, 11, frozenset({5})),
        Row(2, 10, lille, 1, 12, frozenset({5, 6})),  # the same author: 5 again, 6 anew, no new author
        Row(3, 10, arras, 1, 13, frozenset({5})),  # new to Arras, not to the division
        Row(4, 10, arras, 2, 11, frozenset({5, 9})),  # another author, a copy of row 1: new to Arras only
        Row(5, 12, lille, 1, 15, frozenset({5})),  # remembered for three buckets: nothing new
        Row(6, 13, lille, 1, 16, frozenset({6})),  # three buckets after row 2: anew
    ]
    division = Division(TOP, understood(rows), UNDERSTOOD.empty_table(), window=3)
    assert counted(division, 10) == {
        TOP: ({5: 1, 6: 1, 9: 0}, 1),
        lille: ({5: 1, 6: 1}, 1),
        arras: ({5: 2, 9: 1}, 2),
    }
    assert counted(division, 12) == {TOP: ({5: 0}, 1), lille: ({5: 0}, 1)}
    assert counted(division, 13) == {TOP: ({6: 1}, 1), lille: ({6: 1}, 1)}


# --- Tallies merge ---------------------------------------------------------------------------------------

TALLIES = st.dictionaries(
    st.tuples(st.integers(0, 3), st.sampled_from([0, 5, 2**64 - 1])), st.integers(0, 50), max_size=6
).map(
    lambda cells: pa.Table.from_pylist(
        [{"bucket": bucket, "feature": feature, "authors": n} for (bucket, feature), n in cells.items()],
        schema=FEATURE_TALLY,
    )
)
NOTHING = FEATURE_TALLY.empty_table()


@settings(deadline=None, max_examples=60)
@given(one=TALLIES, two=TALLIES, three=TALLIES)
def test_tallies_merge_in_any_order_and_grouping(one: pa.Table, two: pa.Table, three: pa.Table) -> None:
    together = merge_tallies(one, two, three)
    assert merge_tallies(merge_tallies(one, two), three).equals(together)
    assert merge_tallies(one, merge_tallies(two, three)).equals(together)
    assert merge_tallies(three, one, two).equals(together)
    assert merge_tallies(together, NOTHING).equals(together)
    assert together.schema == FEATURE_TALLY
    expected: dict[tuple[int, int], int] = {}
    for row in [*one.to_pylist(), *two.to_pylist(), *three.to_pylist()]:
        key = (row["bucket"], row["feature"])
        expected[key] = expected.get(key, 0) + row["authors"]
    assert [((row["bucket"], row["feature"]), row["authors"]) for row in together.to_pylist()] == sorted(
        expected.items()
    )


def test_nothing_merges_to_nothing() -> None:
    assert merge_tallies(NOTHING).equals(NOTHING)


@pytest.mark.parametrize("rows", [[], [Row(1, 10, TOP, 1, 1, frozenset())]])
def test_a_division_without_words_is_whole(rows: list[Row]) -> None:
    division = Division(TOP, understood(rows), UNDERSTOOD.empty_table(), window=3)
    assert division.tally().to_pylist() == [{"bucket": 10, "feature": 0, "authors": 1} for _ in rows]
