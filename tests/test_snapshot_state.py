"""The state that a snapshot keeps: smaller than it was, and given back as it was, from what the log holds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest

from detectors.emergence_tree import EmergenceTree
from pipelines.plain import PlainEngine
from pipelines.replay import Standing
from pipelines.snapshots import Keeping, Snapshots
from pipelines.snapshots.packing import StateError, packed, unpacked
from pipelines.stages.detect import RootState
from pipelines.stages.understand import UNDERSTOOD
from pipelines.steps import Plan, state_of
from pipelines.workspace import Workspace
from tests.past_log import live_through

State = dict[str, Any]


@dataclass(frozen=True)
class Left:
    """What a replay left: its plan, what it had come to, and its state, as it was."""

    plan: Plan
    divisions: set[str]
    state: State
    rows: Callable[[int], dict[str, pa.Table]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return live_through(tmp_path_factory.mktemp("state"), copies=0).moments[-1].workspace


@pytest.fixture(scope="module")
def left(world: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Left:
    """What the replay of a whole life left."""
    folder = tmp_path_factory.mktemp("kept")
    keeping = Keeping(
        Snapshots(folder, key=bytes(32), most=lambda: 1 << 30),
        settings=world.settings_version,
        zone=world.settings.organisation.timezone,
        erasures=[],
        say=lambda _: None,
        now=world.now,
    )
    found: list[Left] = []

    def end(plan: Plan, standing: Standing, number: int) -> None:
        state = dict(state_of(number, standing.divisions, plan))
        first = min(table["bucket"][0].as_py() for table in remembered(state).values())
        # Read while the reader is there.
        rows = keeping.rows_again(plan, plan.last_bucket, first)
        found.append(Left(plan, set(standing.divisions), state, lambda _: rows))

    world.replay(PlainEngine(), use=lambda _: None, begin=keeping.at_first, end=end, slice_rows=200)
    return found[0]


def remembered(state: State) -> dict[str, pa.Table]:
    """The rows that divisions remember, by name of the state."""
    return {
        name: part
        for name, part in state.items()
        if isinstance(part, pa.Table) and "features" in part.column_names
    }


def plain(part: Any) -> Any:
    """A part of a state as it can be compared."""
    if isinstance(part, RootState):
        return arrays(part.estimator.state_arrays()), arrays(part.season.state_arrays())
    if isinstance(part, EmergenceTree):
        return arrays(part.state_arrays())
    rows = part.to_pylist()
    # Copies that were met are in no order within a day.
    return rows if "features" in part.column_names else sorted(rows, key=repr)


def arrays(named: dict[str, Any]) -> dict[str, Any]:
    """Arrays as lists."""
    return {name: array.tolist() for name, array in named.items()}


def test_a_state_is_given_back_as_it_was(left: Left) -> None:
    kept = dict(packed(left.state.items()))
    again = dict(unpacked(kept, left.divisions, left.plan.detection, left.rows))
    assert set(again) == set(left.state)
    assert sum(len(part) for part in remembered(again).values()) > 100
    for name, part in left.state.items():
        assert plain(again[name]) == plain(part), name


def test_what_the_log_gives_again_is_not_kept(left: Left) -> None:
    kept = dict(packed(left.state.items()))
    tables = [part for part in kept.values() if isinstance(part, pa.Table)]
    assert any("event_id" in part.column_names for part in left.state.values() if isinstance(part, pa.Table))
    for name in ("event_id", "copy", "features"):
        assert not sum(len(table) for table in tables if name in table.column_names), name


@pytest.mark.parametrize("what", ["fewer", "other", "none"])
def test_rows_that_are_not_those_of_then_are_refused(left: Left, what: str) -> None:
    kept = dict(packed(left.state.items()))
    rows = left.rows(0)
    if what == "none":
        rows = {}
    else:
        name, table = max(rows.items(), key=lambda one: len(one[1]))
        last = table.sort_by("bucket").slice(0, len(table) - 1)
        if what == "other":
            more = table.slice(0, 1).to_pylist()[0]
            more["features"] = [*more["features"], 5]
            last = pa.concat_tables([table.slice(1), pa.Table.from_pylist([more], UNDERSTOOD)])
        rows = {**rows, name: last}
    with pytest.raises(StateError, match="not made of the rows that the log holds"):
        dict(unpacked(kept, left.divisions, left.plan.detection, lambda _: rows))
