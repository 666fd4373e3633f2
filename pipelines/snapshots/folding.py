"""Features of an estimator as columns that take little room, and back, to the last bit.

What follows from something else is told by it: the id of a perimeter's feature by the place that it has among
those of the root, which knows nearly all of them; what an episode expected by its rate and who wrote; what a
rate was known by, where the episode is one day long, by who has said it; and the rate of what was new that
day by that, for of one perimeter and day all of these have the same prior. What does not follow is kept as
by how many steps of a float it is off.
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
_OWNER, _PLACE, _EXPOSURE, _WEIGHED = "owner", "place", "expected_of", "weighed_by"
"""Columns that a table has besides those of the state. owner: number of the perimeter under which an id is of
a feature of the root, -1 where it is kept as it is; place: of that feature. expected_of: see `_off`.
weighed_by: see `_weighed`. Of `known`, `base` and `expected` a table has how far off they are."""
_LEAST_STRENGTH = np.float32(0.001)
"""What a prior is worth at least, by default: what is known of a feature that is said often here."""
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
    known_by, rate = kept["known"], kept["base"]
    kept[_EXPOSURE], kept["expected"] = _off(kept["expected"], rate)
    kept[_WEIGHED] = _weighed(kept)
    kept["base"] = _by_bytes(_steps(rate, _shared(known_by, kept[_WEIGHED])))
    kept["known"] = _by_bytes(_steps(known_by, _counted(kept)))
    return pa.table(kept)


def unfold(table: pa.Table, perimeters: Sequence[str], known: Ids) -> dict[str, NDArray[Any]]:
    """What `fold` was given, in another order."""
    columns = {name: table[name].to_numpy() for name in table.column_names}
    owner, place, exposure, weighed = (columns.pop(name) for name in (_OWNER, _PLACE, _EXPOSURE, _WEIGHED))
    mine = owner != _NOBODY
    ids = columns["ids"].copy()
    ids[mine] = known[place[mine]] ^ _salts(perimeters)[owner[mine]]
    columns["known"] = _stepped(_counted(columns), _from_bytes(columns["known"]))
    columns["base"] = _stepped(_shared(columns["known"], weighed), _from_bytes(columns["base"]))
    columns["expected"] = _stepped(_times(columns["base"], exposure), columns["expected"])
    return {**columns, "ids": ids}


def fold_weeks(weeks: Mapping[str, NDArray[Any]]) -> pa.Table:
    """Features and authors of weeks, as `SeasonMemory.state_arrays` names them, each feature's together."""
    numbers = [int(name.removeprefix(_OF_WEEK)) for name in weeks if name.startswith(_OF_WEEK)]
    features = [weeks[f"{_OF_WEEK}{number}"] for number in numbers]
    table = {
        "feature": np.concatenate([np.empty(0, np.uint64), *features]),
        "week": np.repeat(np.array(numbers, np.int32), [part.size for part in features]),
        "authors": np.concatenate(
            [np.empty(0, np.int64), *(weeks[f"counts_{number}"] for number in numbers)]
        ),
    }
    order = np.lexsort((table["week"], table["feature"]))
    return pa.table({name: values[order] for name, values in table.items()})


def unfold_weeks(table: pa.Table) -> dict[str, NDArray[Any]]:
    """What `fold_weeks` was given, features of each week in order."""
    feature, week, authors = (table[name].to_numpy() for name in ("feature", "week", "authors"))
    found: dict[str, NDArray[Any]] = {}
    for number in np.unique(week).tolist():
        mine = week == number
        found[f"{_OF_WEEK}{number}"], found[f"counts_{number}"] = feature[mine], authors[mine]
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
    return exposure, _steps(expected, _times(rate, exposure))


def _counted(columns: Mapping[str, NDArray[Any]]) -> Floats:
    """What a rate was known by where the episode is of one day: mentions before it, and the least prior; 0
    elsewhere, and where there were none before."""
    with np.errstate(invalid="ignore"):
        before = columns["shape"] - columns["authors"].astype(np.float32)
    said = (columns["last"] == columns["since"]) & (before > 0) & (before < np.inf)
    return np.where(said, before + _LEAST_STRENGTH, np.float32(0)).astype(np.float32)


def _weighed(columns: Mapping[str, NDArray[Any]]) -> Floats:
    """Of features that were new on a day: what their rates are known by over their rates, the median of those
    of one owner; 0 for others. Where the prior is worth what it lets expect that is the same for all."""
    new = np.flatnonzero((columns["last"] == columns["since"]) & (columns["shape"] == columns["authors"]))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = (columns["known"][new].astype(np.float64) / columns["base"][new]).astype(np.float32)
    owner, last = columns[_OWNER][new], columns["last"][new]
    order = np.lexsort((ratio, owner, last))
    begins = np.flatnonzero(
        np.diff(owner[order], prepend=-2).astype(bool) | np.diff(last[order], prepend=-1).astype(bool)
    )
    sizes = np.diff(begins, append=order.size)
    weighed = np.zeros(columns["last"].size, np.float32)
    weighed[new[order]] = np.repeat(ratio[order][begins + sizes // 2], sizes)
    return weighed


def _shared(known: Floats, weighed: Floats) -> Floats:
    """Rates that follow from what they are known by; 0 where nothing says how much that weighs."""
    found = np.zeros(known.size, np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        np.divide(known, weighed, out=found, where=weighed > 0)
    # Of what is no number there is more than one kind.
    return np.where(np.isfinite(found), found, np.float32(0))


def _steps(value: Floats, near: Floats) -> Integers:
    """By how many steps of a float a value is off."""
    return (_bits(value) - _bits(near)).view(np.int32)


def _stepped(near: Floats, off: Integers) -> Floats:
    """What `_steps` was given as value."""
    found: Floats = (_bits(near) + off.view(np.uint32)).view(np.float32)
    return found


def _by_bytes(steps: Integers) -> Floats:
    """Steps, small ones of either sign as small bits, in the type whose bytes Parquet lays out apart."""
    return ((steps << 1) ^ (steps >> 31)).view(np.float32)


def _from_bytes(kept: Floats) -> Integers:
    """What `_by_bytes` was given."""
    bits = _bits(kept)
    return (bits >> np.uint32(1)).view(np.int32) ^ -(bits & np.uint32(1)).view(np.int32)


def _times(rate: Floats, exposure: Integers) -> Floats:
    with np.errstate(invalid="ignore", over="ignore"):
        return (rate.astype(np.float64) * exposure).astype(np.float32)


def _bits(values: Floats) -> NDArray[np.uint32]:
    """Floats as whole numbers, in the same order where they are not negative."""
    return np.ascontiguousarray(values).view(np.uint32)
