"""Compiled core of `detectors.emergence`: an open-addressing table of features and one step over a bucket.

All logarithms and exponentials of the detector are taken here, one feature at a time and in the order of
its own history, so results do not depend on how features are ordered or grouped.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

LEARNED, FIRST_BUCKET, NEXT_BUCKET, WEIGHT, EXPOSURE, TESTS, TEST_WEIGHT, USED = range(8)
TOTALS = 8
"""Totals of a perimeter: buckets learned, number of the first and of the next one, discounted exposure as of
the last one, plain exposure so far, discounted tests and buckets, features in the table."""


class State(NamedTuple):
    """Columns of the table, all of the table's capacity; id 0 is an empty place."""

    ids: NDArray[np.uint64]
    shape: NDArray[np.float64]
    """Discounted authors, as of `last`."""
    statistic: NDArray[np.float64]
    base: NDArray[np.float64]
    """Expected rate when the running episode began."""
    seen_exposure: NDArray[np.float64]
    """Exposure of the perimeter up to and with the last mention."""
    start_exposure: NDArray[np.float64]
    """Exposure of the perimeter before the running episode."""
    authors: NDArray[np.float64]
    """Authors since the running episode began."""
    last: NDArray[np.int32]
    since: NDArray[np.int32]


STATE = State._fields
SMALLEST = 64
OVER = 0.5
"""Evidence under which a running episode is over."""


class Constants(NamedTuple):
    """Parameters of the estimator, as the kernel needs them."""

    log_decay: float
    log_fade: float
    strength: float
    base_rate: float
    dispersion: float
    warm_up: int
    ratios: NDArray[np.float64]
    log_ratios: NDArray[np.float64]


def capacity_for(features: int) -> int:
    """Smallest power of two that keeps the table at most two thirds full."""
    capacity = SMALLEST
    while capacity * 2 < features * 3:
        capacity *= 2
    return capacity


def empty_state(capacity: int = SMALLEST) -> State:
    """A table without features."""
    one, two, three, four, five, six = (np.zeros(capacity, np.float64) for _ in range(6))
    last, since = np.zeros(capacity, np.int32), np.zeros(capacity, np.int32)
    return State(np.zeros(capacity, np.uint64), one, two, three, four, five, six, last, since)


def with_room(state: State, used: int, more: int) -> State:
    """The table of `used` features, enlarged where `more` new ones might overfill it."""
    capacity = capacity_for(used + more)
    if capacity <= state.ids.size:
        return state
    return rehash(state, np.flatnonzero(state.ids), capacity)


def rehash(state: State, places: NDArray[Any], capacity: int) -> State:
    """The features at `places` in a new table."""
    table = empty_state(capacity)
    target: NDArray[np.int64] = _places(table.ids, state.ids[places])
    for name in STATE[1:]:
        getattr(table, name)[target] = getattr(state, name)[places]
    return table


def ordered(state: State) -> NDArray[np.int64]:
    """Places of the features, in order of id."""
    used: NDArray[np.int64] = np.flatnonzero(state.ids)
    return used[np.argsort(state.ids[used])]


def kept(state: State, bucket: int, log_decay: float, below: float) -> NDArray[np.int64]:
    """Places of features whose discounted count at `bucket` is at least `below`."""
    used: NDArray[np.int64] = np.flatnonzero(state.ids)
    age = bucket - state.last[used].astype(np.float64)
    enough: NDArray[np.bool_] = np.log(state.shape[used]) + age * log_decay >= math.log(below)
    return used[enough]


@njit(cache=True)
def _find(ids: Any, feature: Any) -> Any:
    """Place of the feature, or of the empty place where it belongs."""
    mask = ids.size - 1
    place = np.int64((feature >> np.uint64(7)) & np.uint64(mask))
    while ids[place] != 0 and ids[place] != feature:
        place = (place + 1) & mask
    return place


@njit(cache=True)
def _places(ids: Any, features: Any) -> Any:
    places = np.empty(features.size, np.int64)
    for i in range(features.size):
        places[i] = _find(ids, features[i])
        ids[places[i]] = features[i]
    return places


@njit(cache=True)
def extent(features: Any, counts: Any) -> Any:
    """Whether ids strictly increase from above 0, and the lowest and highest count."""
    increasing, previous = True, np.uint64(0)
    lowest, highest = np.int64(0), np.int64(0)
    for i in range(counts.size):
        lowest, highest = min(lowest, counts[i]), max(highest, counts[i])
    for i in range(features.size):
        increasing = increasing and features[i] > previous
        previous = features[i]
    return increasing, lowest, highest


@njit(cache=True)
def restart(state: Any, features: Any) -> None:
    """End the running episodes of some features."""
    for feature in features:
        place = _find(state.ids, feature)
        if state.ids[place] == feature:
            state.statistic[place] = 0.0


@njit(cache=True)
def _log_mean_exp(values: Any) -> Any:
    top = values[0]
    for value in values:
        top = max(top, value)
    total = 0.0
    for value in values:
        total += math.exp(value - top)
    return top + math.log(total / values.size)


@njit(cache=True)
def _episode(observed: Any, expected: Any, constants: Any, terms: Any) -> Any:
    """Log e-value of a whole episode, rates of single episodes varying like Gamma(dispersion, dispersion)."""
    dispersion = constants.dispersion
    for k in range(terms.size):
        terms[k] = observed * constants.log_ratios[k] + (dispersion + observed) * math.log(
            (dispersion + expected) / (dispersion + constants.ratios[k] * expected)
        )
    return _log_mean_exp(terms)


@njit(cache=True)
def step(
    state: Any,
    totals: Any,
    features: Any,
    counts: Any,
    exposure: float,
    bucket: int,
    prior: Any,
    season: Any,
    constants: Any,
    looked_at: float,
    learn: bool,
    log_e: Any,
    statistic: Any,
    evidence: Any,
    rate: Any,
    since: Any,
    observed: Any,
    expected: Any,
) -> None:
    """Judge one bucket into the last seven arrays and, if `learn`, learn it afterwards."""
    first = totals[LEARNED] == 0
    gap = bucket - (totals[NEXT_BUCKET] - 1)
    weight = 0.0 if first else totals[WEIGHT] * math.exp(gap * constants.log_decay)
    before = totals[EXPOSURE]
    judged = bucket - (bucket if first else totals[FIRST_BUCKET]) >= constants.warm_up
    terms = np.empty(constants.ratios.size, np.float64)
    for i in range(features.size):
        place = _find(state.ids, features[i])
        known = state.ids[place] == features[i]
        own = 0.0
        if known:
            own = state.shape[place] * math.exp((bucket - state.last[place]) * constants.log_decay)
        shape = own + constants.strength
        scale = (weight + constants.strength / max(prior[i], constants.base_rate)) / season[i]
        rate[i] = shape / scale

        running = state.statistic[place] if known else 0.0
        if running > 0.0:
            silent = min(before - state.seen_exposure[place], weight)
            for k in range(terms.size):
                terms[k] = shape * math.log(scale / (scale + (constants.ratios[k] - 1.0) * silent))
            faded = running * math.exp((bucket - state.last[place]) * constants.log_fade)
            running = max(0.0, faded + _log_mean_exp(terms))
            if running < OVER:
                running = 0.0
        y = counts[i]
        for k in range(terms.size):
            ratio = constants.ratios[k]
            terms[k] = y * constants.log_ratios[k] + (shape + y) * math.log(
                (scale + exposure) / (scale + ratio * exposure)
            )
        log_e[i] = _log_mean_exp(terms)
        if running > 0.0:
            base, start, begun = state.base[place], state.start_exposure[place], state.since[place]
            heard = state.authors[place]
        else:
            base, start, begun, heard = rate[i], before, bucket, 0.0
        statistic[i] = running + log_e[i] if judged else 0.0
        since[i] = begun
        observed[i] = heard + y
        expected[i] = base * (before + exposure - start)
        evidence[i] = statistic[i]
        if statistic[i] >= looked_at:
            evidence[i] = min(statistic[i], _episode(observed[i], expected[i], constants, terms))

        if learn and y > 0:
            totals[USED] += state.ids[place] == 0
            state.ids[place] = features[i]
            state.shape[place] = own + y
            state.statistic[place] = max(0.0, statistic[i])
            state.base[place] = base
            state.start_exposure[place] = start
            state.since[place] = begun
            state.authors[place] = heard + y
            state.seen_exposure[place] = before + exposure
            state.last[place] = bucket
    if learn:
        decay = math.exp(gap * constants.log_decay)
        if first:
            totals[FIRST_BUCKET] = bucket
        totals[LEARNED] += 1
        totals[NEXT_BUCKET] = bucket + 1
        totals[WEIGHT] = weight + exposure
        totals[EXPOSURE] = before + exposure
        totals[TESTS] = totals[TESTS] * (0.0 if first else decay) + features.size
        totals[TEST_WEIGHT] = totals[TEST_WEIGHT] * (0.0 if first else decay) + 1.0
