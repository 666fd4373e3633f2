"""Features of an estimator as columns that take little room, and back, to the last bit.

What follows from something else is told by it: the id of a perimeter's feature by the place that it has among
those of the root, which knows nearly all of them, and what an episode expected by its rate and who wrote.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from detectors.features import feature_id

Ids = NDArray[np.uint64]
Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

_MOST_PERIMETERS = 1_000
"""Of a division with more of them ids are kept as they are: whose each is would be looked for too long."""
_MOST_EXPOSURE = 2**31 - 1
_OWNER, _PLACE, _EXPOSURE = "owner", "place", "expected_of"
"""Columns that a table has besides those of the state. owner: number of the perimeter under which an id is of
a feature of the root, -1 where it is kept as it is; place: of that feature. expected_of: see `_off`."""
_OF_WEEK = "features_"
_BITS = 64
"""Of an id."""
_NOBODY = -1


def fold(columns: Mapping[str, NDArray[Any]], perimeters: Sequence[str], known: Ids) -> pa.Table:
    """Columns of features as they are kept, in an order in which like values lie together.

    columns: as `state_arrays` of an emergence estimator names them. perimeters: whose features they are; none
    for an estimator that keeps ids as they are. known: ids of the root's features, in order.
    """
    owner, place = _owned(columns["ids"], perimeters, known)
    # Of one bucket and one perimeter in it before the next, and there of those that were new in it first.
    began = columns["last"] != columns["since"], columns["shape"] != columns["authors"]
    order = np.lexsort(
        (place, columns["known"] >= 1, *began, owner, columns["seen_exposure"], columns["last"])
    )
    kept = {name: values[order] for name, values in columns.items()}
    kept[_OWNER], kept[_PLACE] = owner[order], place[order]
    kept["ids"] = np.where(kept[_OWNER] == _NOBODY, kept["ids"], np.uint64(0))
    kept[_EXPOSURE], kept["expected"] = _off(kept["expected"], kept["base"])
    return pa.table(kept)


def unfold(table: pa.Table, perimeters: Sequence[str], known: Ids) -> dict[str, NDArray[Any]]:
    """What `fold` was given, in another order."""
    columns = {name: table[name].to_numpy() for name in table.column_names}
    owner, place, exposure = (columns.pop(name) for name in (_OWNER, _PLACE, _EXPOSURE))
    mine = owner != _NOBODY
    ids = columns["ids"].copy()
    ids[mine] = known[place[mine]] ^ _salts(perimeters)[owner[mine]]
    return {**columns, "ids": ids, "expected": _near(columns["base"], exposure, columns["expected"])}


def fold_weeks(weeks: Mapping[str, NDArray[Any]]) -> pa.Table:
    """Features and rates of each week, as `SeasonMemory.state_arrays` names them, each feature's together."""
    numbers = [int(name.removeprefix(_OF_WEEK)) for name in weeks if name.startswith(_OF_WEEK)]
    features = [weeks[f"{_OF_WEEK}{number}"] for number in numbers]
    table = {
        "feature": np.concatenate([np.empty(0, np.uint64), *features]),
        "week": np.repeat(np.array(numbers, np.int32), [part.size for part in features]),
        "rate": np.concatenate([np.empty(0), *(weeks[f"rates_{number}"] for number in numbers)]),
    }
    order = np.lexsort((table["week"], table["feature"]))
    return pa.table({name: values[order] for name, values in table.items()})


def unfold_weeks(table: pa.Table) -> dict[str, NDArray[Any]]:
    """What `fold_weeks` was given, features of each week in order."""
    feature, week, rate = (table[name].to_numpy() for name in ("feature", "week", "rate"))
    found: dict[str, NDArray[Any]] = {}
    for number in np.unique(week).tolist():
        mine = week == number
        found[f"{_OF_WEEK}{number}"], found[f"rates_{number}"] = feature[mine], rate[mine]
    return found


def _owned(ids: Ids, perimeters: Sequence[str], known: Ids) -> tuple[Integers, Integers]:
    """Owner and place of each id."""
    owner, place = np.full(ids.size, _NOBODY, np.int32), np.zeros(ids.size, np.int32)
    if known.size and 0 < len(perimeters) <= _MOST_PERIMETERS:
        bits = min(30, max(1, known.size.bit_length()))
        starts = np.searchsorted(
            known >> np.uint64(_BITS - bits), np.arange((1 << bits) + 1, dtype=np.uint64)
        )
        _look_for(ids, _salts(perimeters), known, starts, _BITS - bits, owner, place)
    return owner, place


def _salts(perimeters: Sequence[str]) -> Ids:
    """What the features of perimeters are mixed with; see `EmergenceTree`."""
    return np.array([feature_id(path) for path in perimeters], np.uint64)


@njit(cache=True)
def _look_for(ids: Any, salts: Any, known: Any, starts: Any, shift: int, owner: Any, place: Any) -> None:
    """Find a salt under which each id is known, the one of the id before first. starts: first of the known
    ids that begin with the same bits."""
    latest = 0
    for i in range(ids.size):
        for turn in range(salts.size):
            at = (latest + turn) % salts.size
            feature = ids[i] ^ salts[at]
            begin = np.int64(feature >> np.uint64(shift))
            row = starts[begin]
            while row < starts[begin + 1] and known[row] < feature:
                row += 1
            if row < starts[begin + 1] and known[row] == feature:
                owner[i], place[i], latest = at, row, at
                break


def _off(expected: Floats, rate: Floats) -> tuple[Integers, Integers]:
    """The exposure that makes a rate expect so much, and by how many steps of a float that is off.

    An episode expects its rate times all who wrote since, or nearly: both take little room.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        exposure = np.nan_to_num(np.rint(expected.astype(np.float64) / rate), nan=0, posinf=0, neginf=0)
    exposure = np.clip(exposure, 0, _MOST_EXPOSURE).astype(np.int32)
    return exposure, (_bits(expected) - _bits(_times(rate, exposure))).view(np.int32)


def _near(rate: Floats, exposure: Integers, off: Integers) -> Floats:
    """What `_off` was given as expected."""
    found: Floats = (_bits(_times(rate, exposure)) + off.view(np.uint32)).view(np.float32)
    return found


def _times(rate: Floats, exposure: Integers) -> Floats:
    with np.errstate(invalid="ignore", over="ignore"):
        return (rate.astype(np.float64) * exposure).astype(np.float32)


def _bits(values: Floats) -> NDArray[np.uint32]:
    """Floats as whole numbers, in the same order where they are not negative."""
    return np.ascontiguousarray(values).view(np.uint32)
