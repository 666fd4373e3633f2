"""The season's memory by hand, and its laws."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.season import SeasonMemory

DAY = 7 * 100  # the first day of week 100
YEAR = 365


def ids(*numbers: int) -> NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def learn(memory: SeasonMemory, day: int, said: dict[int, int], exposure: int) -> None:
    memory.learn(ids(*said), np.array([*said.values()], np.int64), exposure=exposure, bucket=day)


def factor(memory: SeasonMemory, day: int, *, rate: float = 0.01, feature: int = 5) -> float:
    return float(memory.factor(ids(feature), np.array([rate]), bucket=day)[0])


def week_of_snow() -> SeasonMemory:
    """Week 100: 6 of 120 authors said 5, 2 said 6. Then a week of others, which closes it."""
    memory = SeasonMemory()
    learn(memory, DAY, {5: 4, 6: 2}, 70)
    learn(memory, DAY + 6, {5: 2}, 50)
    learn(memory, DAY + 7, {7: 1}, 10)
    return memory


@pytest.mark.parametrize(
    ("week", "expected"),
    # The anniversary's week and two on either side: 6 / 120 against 0.01.
    [(97, 1), (98, 5), (99, 5), (100, 5), (101, 5), (102, 5), (103, 1)],
)
def test_a_season_returns_within_two_weeks_of_its_day(week: int, expected: float) -> None:
    memory = week_of_snow()
    for day in (7 * week, 7 * week + 6):
        assert factor(memory, day + YEAR) == pytest.approx(expected)


def test_expected_is_never_lowered() -> None:
    assert factor(week_of_snow(), DAY + YEAR, rate=0.2) == 1.0


def test_two_authors_a_week_are_chance() -> None:
    assert factor(week_of_snow(), DAY + YEAR, feature=6) == 1.0
    memory = SeasonMemory()
    learn(memory, DAY, {6: 2}, 70)
    learn(memory, DAY + 1, {6: 1}, 30)
    learn(memory, DAY + 7, {}, 1)
    assert factor(memory, DAY + YEAR, feature=6) == pytest.approx(3 / 100 / 0.01)


def test_the_busiest_of_the_weeks_around_counts() -> None:
    memory = SeasonMemory()
    for week, authors in enumerate((3, 8, 4)):
        learn(memory, DAY + 7 * week, {5: authors}, 100)
    learn(memory, DAY + 21, {}, 1)
    assert factor(memory, DAY + YEAR) == pytest.approx(8)


def test_the_open_week_does_not_count_yet() -> None:
    memory = SeasonMemory()
    learn(memory, DAY, {5: 9}, 10)
    assert factor(memory, DAY + YEAR) == 1.0


def test_memory_holds_one_year_and_no_more() -> None:
    memory = SeasonMemory()
    for week in range(100, 260):
        learn(memory, 7 * week, {5: week}, 1000)
        if week > 155:
            # Of the five weeks around a year ago the last, 50 weeks back, is the busiest.
            assert factor(memory, 7 * week + 1, rate=1e-3) == pytest.approx(week - 50)
    weeks = [name for name in memory.state_arrays() if name.startswith("features_")]
    assert 52 + 2 <= len(weeks) <= 60


def test_features_are_looked_up_one_by_one() -> None:
    memory = SeasonMemory()
    learn(memory, DAY, {2: 10, 9: 5, 2**64 - 1: 20}, 100)
    learn(memory, DAY + 7, {}, 1)
    asked = ids(1, 2, 5, 9, 10, 2**64 - 1)
    factors = memory.factor(asked, np.full(6, 0.05), bucket=DAY + YEAR)
    assert factors == pytest.approx([1, 2, 1, 1, 1, 4])
    assert memory.factor(asked[:0], np.zeros(0), bucket=DAY + YEAR).size == 0


DAYS = st.lists(
    st.tuples(
        st.integers(1, 5),
        st.dictionaries(st.integers(1, 5), st.integers(0, 5), max_size=4),
        st.integers(0, 9),
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=60)
@given(days=DAYS, stop=st.integers(0, 20))
def test_weekly_rates_are_plain_sums_and_checkpoints_change_nothing(
    days: list[tuple[int, dict[int, int], int]], stop: int
) -> None:
    memory = SeasonMemory()
    said: dict[tuple[int, int], int] = {}
    wrote: dict[int, int] = {}
    day = DAY
    for number, (gap, counts, others) in enumerate(days):
        if number == stop:
            restored = SeasonMemory()
            restored.load_state_arrays(memory.state_arrays())
            memory = pickle.loads(pickle.dumps(restored))
        day += gap
        exposure = max(counts.values(), default=0) + others
        learn(memory, day, counts, exposure)
        week = day // 7
        wrote[week] = wrote.get(week, 0) + exposure
        for feature, authors in counts.items():
            said[week, feature] = said.get((week, feature), 0) + authors
    for week in range(DAY // 7, day // 7 + 3):
        for feature in range(1, 6):
            around = [w for w in range(week - 2, week + 3) if w in wrote and w < day // 7]
            usual = [
                said[w, feature] / wrote[w] for w in around if said.get((w, feature), 0) >= 3 and wrote[w]
            ]
            expected = max([0.02, *usual]) / 0.02
            found = factor(memory, 7 * week + YEAR, rate=0.02, feature=feature)
            assert found == pytest.approx(expected)
