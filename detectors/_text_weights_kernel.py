"""Compiled core of `detectors.text_weights`: texts one after the other, each scored before it is learned.

Logarithms and exponentials are taken here, one at a time and in the order of a text's own features, so
results do not depend on how texts are cut into batches.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detectors._emergence_state import find as find_open

SQUARED = 1 << 8
"""Unit of the squared idf of a quantised feature."""
UNIT = 1 << 16
"""Unit of quantised weights: a log-odds of 1."""
_ROOT = 16.0
"""Square root of SQUARED."""
_CAUTION = 1e-2
"""Under the root of the step size: how large a first step may be."""


class State(NamedTuple):
    """One row a feature, in id order; hints have rows of their own.

    texts: texts that hold the feature. authors: distinct ones among them, counted up to the minimum; seen:
    those, shape (features, minimum). weights: as the last step left them, squares: of past gradients, dated:
    past steps, each times its number; shape (features, classes). hint_weights, hint_squares, hint_dated: the
    same of hints, shape (levels, classes). totals: texts learned, by class.

    The mean of the weights over all texts learned is weights - dated / (texts + 1).
    """

    ids: NDArray[np.uint64]
    texts: NDArray[np.int64]
    authors: NDArray[np.int64]
    seen: NDArray[np.uint64]
    weights: NDArray[np.float64]
    squares: NDArray[np.float64]
    dated: NDArray[np.float64]
    hint_weights: NDArray[np.float64]
    hint_squares: NDArray[np.float64]
    hint_dated: NDArray[np.float64]
    totals: NDArray[np.int64]


class Batch(NamedTuple):
    """Texts as rows of a list column. places: row of each feature in the state, -1 where it has none.

    levels: row of each text's hint. classes, authors: empty where nothing is learned.
    """

    places: NDArray[np.int64]
    values: NDArray[np.float64]
    offsets: NDArray[np.int64]
    levels: NDArray[np.int64]
    classes: NDArray[np.int64]
    authors: NDArray[np.uint64]


class Constants(NamedTuple):
    """Of the estimator's parameters, those the kernel needs."""

    rate: float
    balance: float
    hint_value: float
    min_authors: int


def empty_state(classes: int, levels: int, min_authors: int) -> State:
    """Nothing learned."""
    return State(
        np.zeros(0, np.uint64),
        np.zeros(0, np.int64),
        np.zeros(0, np.int64),
        np.zeros((0, min_authors), np.uint64),
        np.zeros((0, classes)),
        np.zeros((0, classes)),
        np.zeros((0, classes)),
        np.zeros((levels, classes)),
        np.zeros((levels, classes)),
        np.zeros((levels, classes)),
        np.zeros(classes, np.int64),
    )


def with_features(state: State, features: NDArray[np.uint64]) -> State:
    """The state with a row for each of `features`, which are distinct and in order."""
    fresh = features[find(state.ids, features) < 0]
    if not fresh.size:
        return state
    at = np.searchsorted(state.ids, fresh)
    grown = {
        name: np.insert(getattr(state, name), at, 0, axis=0)
        for name in ("texts", "authors", "seen", "weights", "squares", "dated")
    }
    return state._replace(ids=np.insert(state.ids, at, fresh), **grown)


def with_class(state: State) -> State:
    """The state with one more class."""
    wider = {
        name: np.pad(getattr(state, name), ((0, 0), (0, 1)))
        for name in ("weights", "squares", "dated", "hint_weights", "hint_squares", "hint_dated")
    }
    return state._replace(totals=np.append(state.totals, 0), **wider)


def find(ids: NDArray[np.uint64], features: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Place of each feature among ids in order; -1 where it is not there."""
    places = np.searchsorted(ids, features)
    there = places < ids.size
    there[there] = ids[places[there]] == features[there]
    return np.where(there, places, -1)


@njit(cache=True)
def repeats(places: Any, offsets: Any, size: int) -> int:
    """First text that holds a feature twice, -1 if none. size: bound of the places."""
    stamp = np.full(size, -1, np.int64)
    for row in range(offsets.size - 1):
        for entry in range(offsets[row], offsets[row + 1]):
            place = places[entry]
            if stamp[place] == row:
                return row
            stamp[place] = row
    return -1


@njit(cache=True)
def _is_known(state: State, place: int, min_authors: int) -> bool:
    """Whether enough authors use a feature for it to count in what is told."""
    return place >= 0 and state.authors[place] >= min_authors


@njit(cache=True)
def _scale(state: State, batch: Batch, row: int, min_authors: int, scaled: Any) -> None:
    """Features of a text as the model sees them: idf, the known ones together of length 1.

    The others, which are learned but not told, are scaled as parts of the whole text, known ones included;
    0 where a feature has no row.
    """
    start, end = batch.offsets[row], batch.offsets[row + 1]
    learned = state.totals.sum()
    known, whole = 0.0, 0.0
    for entry in range(start, end):
        place = batch.places[entry]
        value = 0.0
        if place >= 0:
            value = batch.values[entry] * (math.log((1.0 + learned) / (1.0 + state.texts[place])) + 1.0)
        scaled[entry - start] = value
        whole += value * value
        if _is_known(state, place, min_authors):
            known += value * value
    known, whole = math.sqrt(known), math.sqrt(whole)
    for entry in range(start, end):
        if scaled[entry - start] != 0.0:
            length = known if _is_known(state, batch.places[entry], min_authors) else whole
            # Values so small that their squares vanish are as good as absent.
            scaled[entry - start] = scaled[entry - start] / length if length > 0.0 else 0.0


@njit(cache=True)
def _tell(
    state: State, batch: Batch, row: int, constants: Constants, age: float, scaled: Any, shares: Any
) -> None:
    """Class probabilities of a text, by known features and its hint.

    age: 1 / (texts + 1) for mean weights, 0 for those of the last step.
    """
    start, end = batch.offsets[row], batch.offsets[row + 1]
    level = batch.levels[row]
    highest = -math.inf
    for number in range(shares.size):
        total = state.hint_weights[level, number] - state.hint_dated[level, number] * age
        total *= constants.hint_value
        for entry in range(start, end):
            place = batch.places[entry]
            if _is_known(state, place, constants.min_authors):
                weight = state.weights[place, number] - state.dated[place, number] * age
                total += weight * scaled[entry - start]
        shares[number] = total
        highest = max(highest, total)
    total = 0.0
    for number in range(shares.size):
        shares[number] = math.exp(shares[number] - highest)
        total += shares[number]
    for number in range(shares.size):
        shares[number] /= total


@njit(cache=True)
def _meet(state: State, place: int, author: Any, min_authors: int) -> None:
    """Count a text of an author who uses a feature."""
    state.texts[place] += 1
    known = state.authors[place]
    if known >= min_authors:
        return
    for other in range(known):
        if state.seen[place, other] == author:
            return
    state.seen[place, known] = author
    state.authors[place] += 1


@njit(cache=True)
def _move(
    weights: Any, squares: Any, dated: Any, place: Any, number: int, gradient: float, rate: float, date: float
) -> None:
    """One step of AdaGrad. date: number of the step."""
    squares[place, number] += gradient * gradient
    change = -rate * gradient / math.sqrt(squares[place, number] + _CAUTION)
    weights[place, number] += change
    dated[place, number] += change * date


@njit(cache=True)
def _learn(state: State, batch: Batch, row: int, constants: Constants, scaled: Any, shares: Any) -> None:
    """Learn a text, all its features. shares: its class probabilities by the weights of the last step."""
    start, end = batch.offsets[row], batch.offsets[row + 1]
    level, right, classes = batch.levels[row], batch.classes[row], shares.size
    state.totals[right] += 1
    date = float(state.totals.sum())
    # One more text of each class, so that the first of a class does not outweigh everything.
    even = (date + classes) / (classes * (state.totals[right] + 1.0))
    weight = math.exp(constants.balance * math.log(even))
    for number in range(classes):
        error = weight * (shares[number] - (1.0 if number == right else 0.0))
        _move(
            state.hint_weights,
            state.hint_squares,
            state.hint_dated,
            level,
            number,
            error * constants.hint_value,
            constants.rate,
            date,
        )
        for entry in range(start, end):
            if scaled[entry - start] != 0.0:
                _move(
                    state.weights,
                    state.squares,
                    state.dated,
                    batch.places[entry],
                    number,
                    error * scaled[entry - start],
                    constants.rate,
                    date,
                )
    for entry in range(start, end):
        _meet(state, batch.places[entry], batch.authors[row], constants.min_authors)


@njit(cache=True)
def step(state: State, batch: Batch, constants: Constants, learn: bool, probabilities: Any) -> None:
    """Score each text, then learn it where asked. probabilities: shape (texts, classes), written."""
    longest = 0
    for row in range(probabilities.shape[0]):
        longest = max(longest, batch.offsets[row + 1] - batch.offsets[row])
    scaled, shares = np.empty(longest), np.empty(probabilities.shape[1])
    for row in range(probabilities.shape[0]):
        age = 1.0 / (state.totals.sum() + 1.0)
        _scale(state, batch, row, constants.min_authors, scaled)
        _tell(state, batch, row, constants, age, scaled, probabilities[row])
        if learn:
            _tell(state, batch, row, constants, 0.0, scaled, shares)
            _learn(state, batch, row, constants, scaled, shares)


@njit(cache=True)
def quantise(state: State, constants: Constants, weights: Any, squared: Any, hints: Any) -> None:
    """Whole numbers of the learned state: mean weights times idf, squared idf, and what hints add."""
    learned = state.totals.sum()
    age = 1.0 / (learned + 1.0)
    for place in range(state.ids.size):
        idf = math.log((1.0 + learned) / (1.0 + state.texts[place])) + 1.0
        squared[place] = max(1, round(idf * idf * SQUARED))
        for number in range(weights.shape[1]):
            weight = state.weights[place, number] - state.dated[place, number] * age
            weights[place, number] = round(weight * idf * UNIT)
    for level in range(hints.shape[0]):
        for number in range(hints.shape[1]):
            weight = state.hint_weights[level, number] - state.hint_dated[level, number] * age
            hints[level, number] = round(weight * constants.hint_value * UNIT)


@njit(cache=True)
def index(features: Any, capacity: int) -> Any:
    """Table by open addressing of distinct features: their ids, and the row of each, -1 where none is."""
    ids, rows = np.zeros(capacity, np.uint64), np.full(capacity, -1, np.int64)
    for row in range(features.size):
        place = find_open(ids, features[row])
        ids[place], rows[place] = features[row], row
    return ids, rows


@njit(cache=True)
def weigh(
    features: Any,
    offsets: Any,
    levels: Any,
    table: Any,
    weights: Any,
    squared: Any,
    hints: Any,
    log_odds: Any,
    known: Any,
) -> None:
    """Log-odds of each class in 1/UNIT, and how many features are known. Exact: sums are of integers.

    table: `index` of the weights. Features are looked up one by one: most have no weight, and sorted ids
    would take a search each. A square root and a quotient are the only floats, and IEEE 754 leaves no choice
    in either.
    """
    ids, rows = table
    for row in range(offsets.size - 1):
        size = np.int64(0)
        for number in range(log_odds.shape[1]):
            log_odds[row, number] = 0
        for entry in range(offsets[row], offsets[row + 1]):
            place = rows[find_open(ids, features[entry])]
            if place < 0:
                continue
            known[row] += 1
            size += squared[place]
            for number in range(log_odds.shape[1]):
                log_odds[row, number] += weights[place, number]
        norm = math.sqrt(float(size)) if size > 0 else _ROOT
        for number in range(log_odds.shape[1]):
            share = math.floor(float(log_odds[row, number]) * _ROOT / norm)
            log_odds[row, number] = np.int64(share) + hints[levels[row], number]
