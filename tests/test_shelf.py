"""Shelves: what a step leaves, the next one takes, once where it stays in memory."""

import pickle
from pathlib import Path

import pytest

from pipelines.shelf import Files, Held, Lent, Shelf


@pytest.fixture(params=["files", "held"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    return Files(tmp_path) if request.param == "files" else Held()


def test_what_is_put_is_taken_by_number_and_name(shelf: Shelf) -> None:
    shelf.put(1, "e/nord", [1])
    shelf.put(1, "e/sud", [2])
    shelf.put(2, "e/nord", [3])
    assert [shelf.take(1, "e/sud"), shelf.take(2, "e/nord"), shelf.take(1, "e/nord")] == [[2], [3], [1]]
    assert shelf.take(3, "e/nord") is None


def test_a_step_that_is_over_leaves_nothing(shelf: Shelf) -> None:
    for number in (1, 2):
        shelf.put(number, "e", [number])
    shelf.drop(1)
    shelf.drop(1)
    assert shelf.take(1, "e") is None
    assert shelf.take(2, "e") == [2]


def test_files_can_be_read_twice_and_by_a_pickled_shelf(tmp_path: Path) -> None:
    shelf = Files(tmp_path)
    shelf.put(1, "e", [1])
    assert shelf.take(1, "e") == pickle.loads(pickle.dumps(shelf)).take(1, "e") == [1]


def test_what_is_held_is_given_away_and_is_the_same_object() -> None:
    shelf, state = Held(), [1]
    shelf.put(1, "e", state)
    assert shelf.take(1, "e") is state
    assert shelf.take(1, "e") is None


def test_a_shelf_in_memory_is_the_same_to_whoever_reads_it_pickled() -> None:
    shelf, state = Held(), [1]
    copy = pickle.loads(pickle.dumps(shelf))
    copy.put(1, "e", state)
    assert shelf.take(1, "e") is state


def test_what_is_lent_comes_back_as_it_is_and_costs_the_engine_nothing_where_memory_is_shared(
    shelf: Shelf,
) -> None:
    thing = [1]
    passed = shelf.lend(1, thing)
    assert isinstance(passed, Lent) == shelf.shared
    for _ in range(2):
        assert shelf.borrowed(passed) is thing
    assert shelf.returned(passed) is thing


def test_of_two_equal_things_lent_each_comes_back() -> None:
    shelf = Held()
    one, other = [1], [1]
    first, second = (pickle.loads(pickle.dumps(shelf.lend(1, thing))) for thing in (one, other))
    assert shelf.returned(second) is other
    assert shelf.returned(first) is one


def test_what_is_lent_and_not_returned_goes_with_its_step() -> None:
    shelf = Held()
    passed = shelf.lend(1, [1])
    shelf.drop(1)
    with pytest.raises(KeyError):
        shelf.borrowed(passed)
