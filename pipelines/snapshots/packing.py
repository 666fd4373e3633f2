"""The state of a replay as a snapshot keeps it, smaller by what the log gives again.

Rows that divisions remember are most of a state. Of them only how far their mentions were new is kept, which
no window of rows tells alone: the rows themselves are understood again, and the copies that were met follow
from them. Features are kept as columns, in an order in which like values lie together.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.emergence_tree import EmergenceTree
from pipelines.snapshots.folding import Ids, fold, fold_weeks, unfold, unfold_weeks
from pipelines.stages.copies import MET, compare_copies, list_copies
from pipelines.stages.detect import Detection, RootState
from pipelines.stages.division import LAID_OUT
from pipelines.stages.understand import UNDERSTOOD
from pipelines.steps import remembered_by

_FEATURES, _SEASON, _WEEKS = "//features", "//season", "//weeks"
"""Endings of names that no path has."""
_PERIMETERS = ("totals", "perimeters")
"""Arrays of an estimator's state that are no columns of its features."""
_ABOUT_WEEKS = ("now", "open_features", "open_counts", "exposures")
"""Arrays of a season's state that are not the features of a week that has ended."""
_MARKS = ["bucket", *(name for name in LAID_OUT.names if name not in UNDERSTOOD.names)]
"""Of a remembered row, what is kept."""
_NOTHING = np.empty(0, np.uint64)

Rows = Callable[[int], Mapping[str, pa.Table]]
"""Rows (UNDERSTOOD) of each division from a bucket on, as far as the snapshot was made, in any order."""


class StateError(Exception):
    """A state was not made of the rows that the log holds."""


def packed(state: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """State by name, as `pipelines.steps.state_of` gives it, the root's first, as it is to be kept."""
    known = _NOTHING
    for name, part in state:
        if isinstance(part, RootState):
            arrays = part.estimator.state_arrays()
            yield from _taken_apart(name, arrays, known)
            season = part.season.state_arrays()
            yield name + _SEASON, {key: season.pop(key) for key in _ABOUT_WEEKS}
            yield name + _WEEKS, fold_weeks(season)
            known = arrays["ids"]
        elif isinstance(part, EmergenceTree):
            yield from _taken_apart(name, part.state_arrays(), known)
        elif isinstance(part, pa.Table):
            yield name, part.slice(0, 0) if part.schema.equals(MET) else part.select(_MARKS)
        else:
            raise TypeError(f"{name}: {type(part).__name__} is no state that a snapshot keeps")


def unpacked(
    kept: Mapping[str, Any], divisions: Iterable[str], detection: Detection, rows: Rows
) -> Iterator[tuple[str, Any]]:
    """What `packed` was given, of its divisions. StateError where rows are not those that it was made of."""
    owners = {remembered_by(division): division for division in divisions}
    firsts = [part["bucket"][0].as_py() for name, part in kept.items() if name in owners and part.num_rows]
    again = rows(min(firsts)) if firsts else {}
    root = next((name for name in kept if name + _SEASON in kept), None)
    about = {} if root is None else _put_together(kept, root, _NOTHING)
    known = np.sort(about["ids"]) if about else _NOTHING
    for name, part in kept.items():
        if name == root:
            state = RootState.new(detection)
            state.estimator.load_state_arrays(about)
            state.season.load_state_arrays({**kept[name + _SEASON], **unfold_weeks(kept[name + _WEEKS])})
            yield name, state
        elif name + _FEATURES in kept:
            tree = EmergenceTree(detection.estimator())
            tree.load_state_arrays(_put_together(kept, name, known))
            yield name, tree
        elif name in owners:
            yield name, _remembered(again.get(owners[name], UNDERSTOOD.empty_table()), part)
        elif not name.endswith((_FEATURES, _SEASON, _WEEKS)):
            listed = [list_copies(one, batch) for one, table in again.items() for batch in table.to_batches()]
            yield name, compare_copies(listed, None, window=detection.window).met


def _taken_apart(name: str, arrays: Mapping[str, NDArray[Any]], known: Ids) -> Iterator[tuple[str, Any]]:
    """An estimator's state, its features apart. known: ids that the root knows."""
    about = {key: arrays[key] for key in _PERIMETERS if key in arrays}
    features = {key: values for key, values in arrays.items() if key not in _PERIMETERS}
    yield name, about
    yield name + _FEATURES, fold(features, _paths(about), known)


def _put_together(kept: Mapping[str, Any], name: str, known: Ids) -> dict[str, NDArray[Any]]:
    about = kept[name]
    return {**about, **unfold(kept[name + _FEATURES], _paths(about), known)}


def _paths(about: Mapping[str, NDArray[Any]]) -> list[str]:
    """The perimeters of a tree, none of an estimator alone."""
    paths: list[str] = about["perimeters"].tolist() if "perimeters" in about else []
    return paths


def _remembered(rows: pa.Table, marks: pa.Table) -> pa.Table:
    """LAID_OUT: rows with what was kept of them."""
    first = marks["bucket"][0].as_py() if marks.num_rows else None
    mine = rows.filter(pc.greater_equal(rows["bucket"], first)) if first is not None else rows.slice(0, 0)
    mine = mine.sort_by([("bucket", "ascending"), ("event_id", "ascending")])
    alike = mine["bucket"].equals(marks["bucket"]) and pc.list_value_length(mine["features"]).equals(
        pc.list_value_length(marks["mention_depths"])
    )
    if not alike:
        raise StateError("its state was not made of the rows that the log holds")
    return pa.table([*mine.columns, *(marks[name] for name in _MARKS[1:])], schema=LAID_OUT)
