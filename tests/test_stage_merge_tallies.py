"""Merging tallies: a plain sum by bucket and feature, in whatever order and portions."""

from collections import Counter

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.schemas import FEATURE_TALLY
from pipelines.stages.detect import merge_tallies

KEY = st.tuples(st.integers(20_000, 20_003), st.integers(0, 6) | st.integers(2**64 - 3, 2**64 - 1))
TALLY = st.dictionaries(KEY, st.integers(0, 9), max_size=12)


def table(tally: dict[tuple[int, int], int]) -> pa.Table:
    keys = sorted(tally, key=lambda key: key[0])
    rows = [{"bucket": key[0], "feature": key[1], "authors": tally[key]} for key in keys]
    return pa.Table.from_pylist(rows, schema=FEATURE_TALLY)


@settings(deadline=None, max_examples=150)
@given(tallies=st.lists(TALLY, max_size=4), cut=st.integers(0, 4))
def test_a_sum_in_any_order_and_portions(tallies: list[dict[tuple[int, int], int]], cut: int) -> None:
    total: Counter[tuple[int, int]] = Counter()
    for tally in tallies:
        for key, count in tally.items():
            total[key] += count
    expected = [(*key, total[key]) for key in sorted(total)]
    tables = [table(tally) for tally in tallies]
    empty = FEATURE_TALLY.empty_table()
    merged = merge_tallies(empty, *tables)
    assert merged.schema == FEATURE_TALLY
    assert [tuple(row.values()) for row in merged.to_pylist()] == expected
    assert merge_tallies(*reversed(tables), empty).equals(merged)
    assert merge_tallies(merge_tallies(empty, *tables[:cut]), merge_tallies(empty, *tables[cut:])).equals(
        merged
    )
