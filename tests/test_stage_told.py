"""What the root tells is found by feature, whatever the ids and buckets."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.schemas import ROOT_VIEW
from pipelines.stages.told import Told

# Ids are hashes; those close together share their first bits, which the look-up goes by.
IDS = st.integers(1, 2**64 - 1) | st.integers(1, 40) | st.integers(2**64 - 40, 2**64 - 1)


def view(buckets: list[list[int]]) -> pa.Table:
    rows = [
        {"bucket": 20_000 + day, "feature": feature, "rate": feature / 2**65, "season": 1.0}
        | {"asked_since": None, "flagged": False}
        for day, features in enumerate(buckets)
        for feature in features
    ]
    return pa.Table.from_pylist(rows, schema=ROOT_VIEW)


@settings(deadline=None, max_examples=150)
@given(
    buckets=st.lists(st.sets(IDS, min_size=1, max_size=70).map(sorted), min_size=1, max_size=4),
    data=st.data(),
)
def test_rows_hold_the_features_asked_for(buckets: list[list[int]], data: st.DataObject) -> None:
    told = Told(view(buckets))
    for day, known in enumerate(buckets):
        asked = data.draw(st.lists(st.sampled_from(known), max_size=20))
        rows = told.rows_of(20_000 + day, np.array(asked, np.uint64))
        assert told.features[rows].tolist() == asked
        assert all(told.spans[20_000 + day][0] <= row < told.spans[20_000 + day][1] for row in rows.tolist())


def test_a_bucket_of_which_nothing_is_told() -> None:
    assert Told(view([[5]])).rows_of(19_000, np.empty(0, np.uint64)).tolist() == []


@settings(deadline=None, max_examples=100)
@given(known=st.sets(IDS, max_size=40).map(sorted), asked=st.lists(IDS, max_size=20))
def test_rates_of_what_was_heard_and_none_of_the_rest(known: list[int], asked: list[int]) -> None:
    rates = Told(view([known])).rates_of(20_000, np.array(asked, np.uint64))
    expected = [feature / 2**65 if feature in known else np.nan for feature in asked]
    np.testing.assert_array_equal(rates, expected)
