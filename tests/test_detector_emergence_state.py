"""The table of emergence keeps what it should, wherever features lie when others are dropped between them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors._emergence_state import (
    RECORD,
    STATE,
    capacity_for,
    columns_of,
    drop_faded,
    find,
    highest,
    packed,
    records_of,
    spread,
    with_room,
)

SPREAD = 0x9E3779B97F4A7C15
AT_THE_END = [(pow(SPREAD, -1, 2**64) * (2**64 - number)) % 2**64 for number in range(1, 41)]
"""Ids that a table of any size has at its last place, those for whom that is taken at its first ones."""
HALF_A_DAY = float(np.log(0.5))
Features = dict[int, tuple[float, int]]
"""Discounted authors and the day of the last mention, by id."""


@settings(deadline=None)
@given(
    st.dictionaries(
        st.integers(1, 2**64 - 1),
        st.tuples(st.sampled_from([0.25, 1.0, 1.5, 8.0]), st.integers(0, 5)),
        max_size=60,
    )
)
def test_what_has_faded_goes_and_everything_else_is_found(features: Features) -> None:
    records = np.zeros(len(features), RECORD)
    records["ids"] = list(features)
    records["shape"] = [shape for shape, _ in features.values()]
    records["last"] = [last for _, last in features.values()]
    records["authors"] = np.arange(len(features))
    state = spread(records)
    # A count of the last day halves each day, and what counts less than one author goes on day 5.
    stay = {feature for feature, (shape, last) in features.items() if shape * 0.5 ** (5 - last) >= 1.0}
    assert drop_faded(state, 5, HALF_A_DAY, 1.0) == len(features) - len(stay)
    assert set(state.ids[state.ids != 0].tolist()) == stay
    for record in records:
        if int(record["ids"]) in stay:
            assert records_of(state)[find(state.ids, record["ids"])] == record


def test_of_too_many_those_of_the_highest_counts_stay_and_of_equal_ones_the_lowest_ids() -> None:
    records = np.zeros(5, RECORD)
    records["ids"], records["shape"], records["last"] = (
        [9, 4, 7, 2, 5],
        [8.0, 2.0, 1.0, 1.0, 1.0],
        [0, 1, 1, 1, 3],
    )
    # On day 3: 9 counts 1, 4 counts .5, 7 and 2 count .25 each, 5 counts 1.
    state = spread(records)
    for most, expected in ((2, {5, 9}), (3, {4, 5, 9}), (4, {2, 4, 5, 9})):
        assert set(state.ids[highest(state, 3, HALF_A_DAY, most)].tolist()) == expected


def test_a_table_that_outgrows_the_heap_keeps_all_it_knows() -> None:
    ids = np.random.default_rng(3).permutation(np.arange(1, 60_001, dtype=np.uint64))
    records = np.zeros(ids.size, RECORD)
    records["ids"], records["shape"] = ids, np.arange(ids.size)
    table = spread(records[:1_000])
    assert records_of(table).nbytes < 1 << 20
    larger = spread(np.concatenate([packed(table), records[1_000:]]))
    assert records_of(larger).nbytes > 1 << 21
    found = packed(larger)
    order, expected = np.argsort(found["ids"]), np.argsort(ids)
    for name in STATE:
        assert (found[name][order] == records[name][expected]).all()
    assert np.count_nonzero(larger.ids) == ids.size


@settings(deadline=None)
@given(
    st.sets(st.integers(1, 2**64 - 1), max_size=200),
    st.sets(st.sampled_from(AT_THE_END), max_size=40),
    st.integers(1, 400),
)
def test_a_table_grows_where_it_is_and_keeps_all_it_knows(some: set[int], last: set[int], more: int) -> None:
    ids = np.array(sorted(some | last), np.uint64)
    records = np.zeros(ids.size, RECORD)
    records["ids"], records["authors"] = ids, np.arange(ids.size)
    room = np.zeros(10 * capacity_for(ids.size), RECORD)
    small = spread(records)
    room[: small.ids.size] = records_of(small)
    table = columns_of(room[: small.ids.size])
    larger = with_room(table, ids.size, more)
    assert np.shares_memory(larger.ids, table.ids)
    assert larger.ids.size == capacity_for(ids.size + more)
    assert np.count_nonzero(larger.ids) == ids.size
    for record in records:
        assert records_of(larger)[find(larger.ids, record["ids"])] == record
    assert not room[larger.ids.size :]["ids"].any()
