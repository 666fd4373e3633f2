"""Compiled core of `detectors.unusual_day`: the state of many series and one step over a bucket.

Every series is judged and learned by itself, its components in order of id, so results depend neither on the
other series nor on the order in which series and components are given.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detectors._unusual_day_math import VALUE, log_e_of, log_upper_f, plain, stabilised
from detectors.series import find

LIMIT = 3.0
"""Standardised residuals are learned up to here: an odd day does not teach itself normal."""
LEAST_LEFT = 1e-12
"""Share of the past that the longest gap leaves: a little, so that there is something to divide by."""
RHYTHM_STRENGTH = 1.0
"""Answers that speak against a rhythm before any day was seen."""
LEAST_PIVOT = 0.05
"""Least variance of a component given those before it; pairs are learned apart and need not fit together."""
TAIL = math.log(10.0)
"""Raw surprise above which days are the tail that is fitted."""
TAIL_LIMIT = 5.0
"""Excess that is learned at most, in mean excesses."""


class State(NamedTuple):
    """Columns of n series and d components, both in order of id; weekdays are places in the rhythm."""

    series: NDArray[np.uint64]
    components: NDArray[np.uint64]
    level: NDArray[np.float64]
    """Mean without the rhythm; (n, d), as the next three."""
    level_weight: NDArray[np.float64]
    spread: NDArray[np.float64]
    """Discounted sum of squared residuals, each times its weight."""
    spread_weight: NDArray[np.float64]
    rhythm: NDArray[np.float64]
    """Discounted sum of departures from the level on each weekday; (n, d, period)."""
    rhythm_weight: NDArray[np.float64]
    cross: NDArray[np.float64]
    """Discounted sum of products of standardised residuals; (n, d, d)."""
    cross_weight: NDArray[np.float64]
    days: NDArray[np.float64]
    """Discounted days whose surprise was learned; (n,), as the rest."""
    beyond: NDArray[np.float64]
    """Those of them in the tail."""
    excess: NDArray[np.float64]
    """Discounted sum of their excess over the tail's start."""
    in_episode: NDArray[np.int32]
    """1 where the last day was in the tail."""
    learned: NDArray[np.int32]
    last: NDArray[np.int32]
    since: NDArray[np.int32]


STATE = State._fields


class Constants(NamedTuple):
    """Parameters of the estimator, as the kernel needs them."""

    log_decay: float
    log_slow_decay: float
    saturation: float
    freedom: float
    strength: float
    warm_up: int
    period: int


class Judged(NamedTuple):
    """What a step writes, in the order in which the series and components were given."""

    expected: NDArray[np.float64]
    z: NDArray[np.float64]
    evidence: NDArray[np.float64]
    log_e: NDArray[np.float64]
    tail: NDArray[np.float64]
    since: NDArray[np.int32]


def empty_state(
    period: int, series: NDArray[np.uint64] | None = None, components: NDArray[np.uint64] | None = None
) -> State:
    """Series and components of which nothing is known; ids distinct and increasing."""
    series = np.empty(0, np.uint64) if series is None else series
    components = np.empty(0, np.uint64) if components is None else components
    n, d = series.size, components.size
    one, two, three, four = np.zeros((4, n, d))
    rhythm, rhythm_weight = np.zeros((2, n, d, period))
    cross, cross_weight = np.zeros((2, n, d, d))
    days, beyond, excess = np.zeros((3, n))
    in_episode, learned, last, since = np.zeros((4, n), np.int32)
    return State(
        series,
        components,
        one,
        two,
        three,
        four,
        rhythm,
        rhythm_weight,
        cross,
        cross_weight,
        days,
        beyond,
        excess,
        in_episode,
        learned,
        last,
        since,
    )


def with_room(state: State, series: NDArray[np.uint64], components: NDArray[np.uint64], period: int) -> State:
    """The same state with room for series and components that may be new."""
    if find(state.series, series)[1].all() and find(state.components, components)[1].all():
        return state
    all_series, all_components = np.union1d(state.series, series), np.union1d(state.components, components)
    wider = empty_state(period, all_series, all_components)
    rows = np.searchsorted(all_series, state.series)
    columns = np.searchsorted(all_components, state.components)
    for name in STATE[2:]:
        old, new = getattr(state, name), getattr(wider, name)
        if name in ("cross", "cross_weight"):
            new[np.ix_(rows, columns, columns)] = old
        elif old.ndim > 1:
            new[np.ix_(rows, columns)] = old
        else:
            new[rows] = old
    return wider


@njit(cache=True)
def _correlation(state: Any, row: int, i: int, j: int, slow: float, size: int) -> Any:
    """Correlation of two components, shrunk towards 0 while few days speak of it."""
    own = state.cross[row, i, i] * state.cross[row, j, j]
    if own <= 0.0:
        return 0.0
    days = state.cross_weight[row, i, j] * slow
    return state.cross[row, i, j] / math.sqrt(own) * days / (days + size)


@njit(cache=True)
def _distance(state: Any, row: int, present: Any, z: Any, slow: float, work: Any) -> Any:
    """Squared Mahalanobis length of the standardised residuals, by Cholesky factors.

    work: scratch, a row longer than the components: the factors, then the whitened residual.
    """
    total, size = 0.0, present.size
    for a in range(size):
        pivot, rest = 1.0, z[a]
        for b in range(a):
            value = _correlation(state, row, present[a], present[b], slow, size)
            for c in range(b):
                value -= work[a, c] * work[b, c]
            work[a, b] = value / work[b, b]
            pivot -= work[a, b] * work[a, b]
            rest -= work[a, b] * work[b, size]
        work[a, a] = math.sqrt(max(pivot, LEAST_PIVOT))
        work[a, size] = rest / work[a, a]
        total += work[a, size] * work[a, size]
    return total


@njit(cache=True)
def _fit_tail(state: Any, row: int, slow: float, prior: Any, strength: float, tail: Any) -> None:
    """Rate and mean excess of a series' tail; the prior speaks as `strength` days do."""
    beyond = state.beyond[row] * slow + strength * prior[0]
    tail[0] = beyond / (state.days[row] * slow + strength)
    tail[1] = (state.excess[row] * slow + strength * prior[0] * prior[1]) / beyond


@njit(cache=True)
def _calibrated(raw: float, tail: Any) -> Any:
    """Minus log of the share of days as surprising, by the tail that days of the past showed."""
    start = -math.log(tail[0])
    return raw * start / TAIL if raw <= TAIL else start + (raw - TAIL) / tail[1]


@njit(cache=True)
def _certainty(weight: float, constants: Any) -> Any:
    """What a value from `weight` answers counts: days differ in themselves, however many answer."""
    return weight / (1.0 + weight / constants.saturation)


@njit(cache=True)
def _expectation(
    state: Any, row: int, place: int, weekday: int, decay: float, slow: float, period: int
) -> Any:
    """Expected stabilised value and its variance, in units of one answer's."""
    expected, doubt = state.level[row, place], 1.0 / (state.level_weight[row, place] * decay)
    if period > 1:
        seen = state.rhythm_weight[row, place, weekday] * slow
        expected += state.rhythm[row, place, weekday] * slow / (seen + RHYTHM_STRENGTH)
        doubt += seen / (seen + RHYTHM_STRENGTH) ** 2
    return expected, doubt


@njit(cache=True)
def _standardised(residual: float, usual: float, days: float) -> Any:
    """Residual over its standard deviation, which includes the day itself.

    So |z| stays under the root of the days known, and a component that never moved has a defined answer.
    """
    around = usual + residual * residual
    return residual * math.sqrt((days + 1.0) / around) if around > 0.0 else 0.0


@njit(cache=True)
def _discount(state: Any, row: int, decay: float, slow: float) -> None:
    """Discount all sums of a series to the day. Loops in full: slices would take long to compile."""
    state.days[row] *= slow
    state.beyond[row] *= slow
    state.excess[row] *= slow
    for i in range(state.components.size):
        state.level_weight[row, i] *= decay
        state.spread[row, i] *= slow
        state.spread_weight[row, i] *= slow
        for weekday in range(state.rhythm.shape[2]):
            state.rhythm[row, i, weekday] *= slow
            state.rhythm_weight[row, i, weekday] *= slow
        for j in range(state.components.size):
            state.cross[row, i, j] *= slow
            state.cross_weight[row, i, j] *= slow


@njit(cache=True)
def _learn_component(
    state: Any, row: int, place: int, weekday: int, value: float, weight: float, kept: float, constants: Any
) -> None:
    """Learn a stabilised value of today. kept: share of the surprise that is believed."""
    day = _certainty(weight, constants)
    known = state.level_weight[row, place]
    if known == 0.0:
        state.level[row, place], state.level_weight[row, place] = value, day
        return
    level = state.level[row, place]
    expected, _ = _expectation(state, row, place, weekday, 1.0, 1.0, constants.period)
    believed = expected + (value - expected) * kept
    state.level_weight[row, place] = known + day
    state.level[row, place] = level + (believed - expected) * day / (known + day)
    if constants.period > 1:
        state.rhythm[row, place, weekday] += (believed - level) * day
        state.rhythm_weight[row, place, weekday] += day


@njit(cache=True)
def _believed(residual: float, usual: float, days: float) -> Any:
    """Share of a residual that is learned: up to the one that is LIMIT standard deviations large.

    Where nothing varied so far the scale is not known, and all of it is learned.
    """
    beyond = days + 1.0 - LIMIT * LIMIT
    if usual == 0.0 or beyond <= 0.0:
        return 1.0
    return min(1.0, LIMIT * math.sqrt(usual / beyond) / abs(residual)) if residual != 0.0 else 1.0


@njit(cache=True)
def _learn_spread(state: Any, row: int, present: Any, residual: Any, z: Any, kept: Any) -> None:
    """Learn residuals as far as they are believed, and their products."""
    for a in range(present.size):
        i = present[a]
        state.spread[row, i] += (residual[a] * kept[a]) ** 2
        state.spread_weight[row, i] += 1.0
        one = min(max(z[a], -LIMIT), LIMIT)
        for b in range(present.size):
            state.cross[row, i, present[b]] += one * min(max(z[b], -LIMIT), LIMIT)
            state.cross_weight[row, i, present[b]] += 1.0


@njit(cache=True)
def _learn_tail(state: Any, row: int, raw: float, mean: float) -> None:
    state.days[row] += 1.0
    if raw > TAIL:
        state.beyond[row] += 1.0
        state.excess[row] += min(raw - TAIL, TAIL_LIMIT * mean)


@njit(cache=True)
def _raw_surprise(state: Any, row: int, present: Any, z: Any, slow: float, freedom: float, work: Any) -> Any:
    """Minus log p of the day by normal theory: of all components jointly, or of the one that moved most."""
    size = present.size
    if size == 0:
        return 0.0
    length = _distance(state, row, present, z, slow, work)
    most = 0.0
    for value in z[:size]:
        most = max(most, value * value)
    joint = -log_upper_f(length / size, size, freedom)
    single = -log_upper_f(most, 1.0, freedom) - math.log(size)
    return max(0.0, joint, single)


@njit(cache=True)
def step(
    state: Any,
    rows: Any,
    columns: Any,
    order: Any,
    kinds: Any,
    values: Any,
    weights: Any,
    prior: Any,
    bucket: int,
    constants: Any,
    learn: bool,
    judged: Any,
) -> None:
    """Judge one bucket and, if `learn`, learn it afterwards.

    rows, columns: places in the state of the series and components as given. order: the components as given
    in order of id, which sums follow.
    """
    size, weekday = columns.size, bucket % constants.period
    present, residual = np.empty(size, np.int64), np.empty(size)
    z, kept = np.empty(size), np.empty(size)
    work = np.empty((size, size + 1))
    for s in range(rows.size):
        row = rows[s]
        fresh = state.learned[row] == 0
        gap = 0.0 if fresh else float(bucket - state.last[row])
        decay = max(LEAST_LEFT, math.exp(gap * constants.log_decay))
        slow = max(LEAST_LEFT, math.exp(gap * constants.log_slow_decay))
        count = 0
        for column in order:
            judged.expected[s, column], judged.z[s, column] = math.nan, math.nan
            place, weight, kind = columns[column], weights[s, column], kinds[column]
            if math.isnan(values[s, column]) or weight == 0.0 or state.level_weight[row, place] == 0.0:
                continue
            expected, doubt = _expectation(state, row, place, weekday, decay, slow, constants.period)
            certainty = _certainty(weight, constants)
            usual, days = state.spread[row, place] * slow, state.spread_weight[row, place] * slow
            if kind != VALUE:
                usual = max(usual, days * certainty / weight)
            value = stabilised(values[s, column], weight, kind)
            residual[count] = (value - expected) / math.sqrt(1.0 / certainty + doubt)
            z[count] = _standardised(residual[count], usual, days)
            kept[count] = _believed(residual[count], usual, days)
            present[count] = place
            judged.expected[s, column], judged.z[s, column] = plain(expected, kind), z[count]
            count += 1
        raw = _raw_surprise(state, row, present[:count], z, slow, constants.freedom, work)

        tail = judged.tail[s]
        _fit_tail(state, row, slow, prior[s], constants.strength, tail)
        is_judged = state.learned[row] >= constants.warm_up and count > 0
        judged.evidence[s] = _calibrated(raw, tail) if is_judged else 0.0
        judged.log_e[s] = log_e_of(judged.evidence[s]) if is_judged else 0.0
        goes_on = state.in_episode[row] == 1 and gap == 1.0
        judged.since[s] = state.since[row] if goes_on else bucket

        if learn:
            _discount(state, row, decay, slow)
            _learn_spread(state, row, present[:count], residual, z, kept)
            found = 0
            for column in order:
                weight, place = weights[s, column], columns[column]
                if math.isnan(values[s, column]) or weight == 0.0:
                    continue
                share = 1.0
                if found < count and present[found] == place:
                    share = kept[found]
                    found += 1
                value = stabilised(values[s, column], weight, kinds[column])
                _learn_component(state, row, place, weekday, value, weight, share, constants)
            if is_judged:
                _learn_tail(state, row, raw, tail[1])
            state.in_episode[row] = is_judged and raw > TAIL
            state.since[row] = judged.since[s]
            state.learned[row] += 1
            state.last[row] = bucket
