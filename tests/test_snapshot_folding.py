"""Columns of features in little room: whatever their bits, they come back as they were."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.features import feature_id
from pipelines.snapshots.folding import fold, fold_weeks, unfold, unfold_weeks

PATHS = ["e/nord", "e/nord/lille", "e/nord/arras"]
KNOWN = np.sort(np.array([feature_id(f"mot {number}") for number in range(50)], np.uint64))
MENTIONS = np.array([0.001, 1.5, 0.25, 0.0, np.nan, np.inf], np.float32)
Columns = dict[str, NDArray[np.generic]]


def columns(
    ids: NDArray[np.uint64], base: NDArray[np.float32], expected: NDArray[np.float32], seen: list[int]
) -> Columns:
    last = np.arange(ids.size, dtype=np.int32) % 3
    return {
        "ids": ids,
        "base": base,
        "expected": expected,
        "known": np.resize(MENTIONS, ids.size),
        "shape": np.ones(ids.size, np.float32),
        "authors": np.ones(ids.size, np.uint32),
        "last": last,
        "since": last // 2 * 2,
        "seen_exposure": np.array(seen, np.uint32),
    }


def rows(table: Columns) -> list[bytes]:
    """Each feature's bits, in order of id."""
    order = np.argsort(table["ids"])
    return [b"".join(column[row].tobytes() for column in table.values()) for row in order]


FLOATS = st.integers(0, 2**32 - 1)
"""Any bits: numbers, infinite ones, and none."""


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.integers(1, 2**64 - 1),
                # Of a feature that the root knows, under the salt of a perimeter.
                st.tuples(st.sampled_from(KNOWN.tolist()), st.sampled_from(PATHS)).map(
                    lambda one: one[0] ^ feature_id(one[1])
                ),
            ),
            FLOATS,
            FLOATS,
            st.integers(0, 2**32 - 1),
        ),
        max_size=30,
        unique_by=lambda one: one[0],
    ),
    st.sampled_from([PATHS, []]),
)
def test_whatever_the_bits_they_come_back(
    features: list[tuple[int, int, int, int]], paths: list[str]
) -> None:
    ids, base, expected, seen = zip(*features, strict=True) if features else ((), (), (), ())
    given_ = columns(
        np.array(ids, np.uint64),
        np.array(base, np.uint32).view(np.float32),
        np.array(expected, np.uint32).view(np.float32),
        list(seen),
    )
    table = fold(given_, paths, KNOWN)
    again = unfold(table, paths, KNOWN)
    assert set(again) == set(given_)
    assert rows({name: again[name] for name in given_}) == rows(given_)


def folded(paths: list[str], perimeter: str = PATHS[1]) -> pa.Table:
    """Features of one perimeter that expect their rate times 60 who wrote."""
    ids = KNOWN ^ np.uint64(feature_id(perimeter))
    base = np.linspace(1e-6, 0.5, ids.size).astype(np.float32)
    expected = (base.astype(np.float64) * 60).astype(np.float32)
    return fold(columns(ids, base, expected, [60] * ids.size), paths, KNOWN)


def test_what_follows_from_something_else_is_not_kept() -> None:
    table = folded(PATHS)
    assert set(table["owner"].to_pylist()) == {1}
    assert set(table["ids"].to_pylist()) == {0}
    assert sorted(table["place"].to_pylist()) == list(range(KNOWN.size))
    assert set(table["expected_of"].to_pylist()) == {60}
    assert set(table["expected"].to_pylist()) == {0}


@pytest.mark.parametrize("paths", [[], ["e/sud"], [f"e/nord/{number}" for number in range(1_001)]])
def test_ids_of_other_or_too_many_perimeters_are_kept_as_they_are(paths: list[str]) -> None:
    table = folded(paths)
    assert set(table["owner"].to_pylist()) == {-1}
    assert sorted(table["ids"].to_pylist()) == sorted((KNOWN ^ np.uint64(feature_id(PATHS[1]))).tolist())


def test_weeks_come_back_as_they_were() -> None:
    weeks = {
        "features_2800": np.array([3, 8, 2**63 + 5], np.uint64),
        "counts_2800": np.array([3, 4, 70_000]),
        "features_2802": np.array([8], np.uint64),
        "counts_2802": np.array([3]),
    }
    table = fold_weeks(weeks)
    assert table["feature"].to_pylist() == [3, 8, 8, 2**63 + 5]
    assert {name: one.tolist() for name, one in unfold_weeks(table).items()} == {
        name: one.tolist() for name, one in weeks.items()
    }
    assert unfold_weeks(fold_weeks({})) == {}


def test_what_was_new_on_a_day_is_told_by_what_it_is_known_by() -> None:
    # Two perimeters' days: their features' rates are what they are known by over 1,180 and over 40.
    known = np.array([0.25, 0.5, 0.0625, 0.75], np.float32)
    base = known / np.array([1_180, 1_180, 40, 40], np.float32)
    ids = KNOWN[:4] ^ np.array([feature_id(path) for path in [PATHS[0]] * 2 + [PATHS[1]] * 2], np.uint64)
    new = {**columns(ids, base, base, [60] * 4), "known": known, "last": np.full(4, 3, np.int32)}
    table = fold({**new, "since": new["last"]}, PATHS, KNOWN)
    assert sorted(table["weighed_by"].to_pylist()) == [40, 40, 1_180, 1_180]
    assert not table["base"].to_numpy().view(np.uint32).any()


def test_what_was_said_before_is_told_by_who_has_said_it() -> None:
    # 2.5 authors before the day and one on it: known by 2.5, and by the least that a prior is worth.
    ids, same = KNOWN[:2], np.array([0.5, 0.25], np.float32)
    known = np.array([2.5, 7.0], np.float32) + np.float32(0.001)
    again = {**columns(ids, same, same, [60] * 2), "known": known}
    again |= {"shape": np.array([3.5, 8.0], np.float32), "last": np.full(2, 3, np.int32)}
    table = fold({**again, "since": again["last"]}, [], KNOWN)
    assert not table["known"].to_numpy().view(np.uint32).any()
