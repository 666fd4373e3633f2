"""Compiled core of `detectors.emergence`: one step over a bucket.

A table serves one perimeter or a whole tree of them: its keys are features, mixed with the perimeter's salt.

All logarithms and exponentials of the detector are taken here, one feature at a time and in the order of
its own history, so results do not depend on how features are ordered or grouped.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detectors._emergence_evidence import log_ratio, rises
from detectors._emergence_state import find, find_from, key_of

LEARNED, FIRST_BUCKET, NEXT_BUCKET, WEIGHT, EXPOSURE, TESTS, TEST_WEIGHT = range(7)
CROSSINGS, HIGH_CROSSINGS, HEARD, SPAN = range(7, 11)
TOTALS = 11
"""Totals of a perimeter: buckets learned, number of the first and of the next one, discounted exposure as of
the last one, plain exposure so far, discounted tests and buckets; discounted crossings of CROSSING and of
HIGH_CROSSING, and the exposure and the buckets, silent ones too, in which they were counted."""
CROSSING, HIGH_CROSSING = 3.0, 6.0
"""Evidence that episodes cross often enough to be counted, and evidence that tells how seldom more is."""
CROSSINGS_LAST = 4.0
"""Half-lives of the rest that a crossing weighs half after: they are few, and habits of a perimeter last."""


class Bucket(NamedTuple):
    """What perimeters heard in a bucket, one after the other, each after the perimeter it looks up to.

    slots, salts: row in the totals and salt of each, shape (perimeters,). starts: first entry of each, then
    the number of entries. exposures: authors who wrote. features, counts: shape (entries,). above: entry of
    the same feature in the wider perimeter, -1 where `prior` and `season` say what it would.
    """

    slots: NDArray[np.int64]
    salts: NDArray[np.uint64]
    starts: NDArray[np.int64]
    exposures: NDArray[np.int64]
    features: NDArray[np.uint64]
    counts: NDArray[np.int64]
    above: NDArray[np.int64]
    prior: NDArray[np.float64]
    season: NDArray[np.float64]


class Scores(NamedTuple):
    """Columns that a step fills, one value an entry; see `detectors.emergence.EmergenceScores`."""

    log_e: NDArray[np.float64]
    evidence: NDArray[np.float64]
    rate: NDArray[np.float64]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    known: NDArray[np.float64]
    since: NDArray[np.int32]
    followed: NDArray[np.bool_]


SOME = 1.0
"""Stands for evidence above 0 that is not worked out."""
_GAPS = 64
"""Buckets since a last mention whose decay is worked out once a step."""
_AHEAD = 64
"""Features that are looked up before the first of them is judged: their memory is fetched at once."""


class Constants(NamedTuple):
    """Parameters of the estimator, as the kernel needs them."""

    log_decay: float
    strength: float
    base_rate: float
    base_strength: float
    dispersion: float
    longest: float
    warm_up: int
    rehearsal: int
    least: int
    follow: int
    ratios: NDArray[np.float64]
    log_ratios: NDArray[np.float64]
    turns: NDArray[np.float64]
    """See `detectors._emergence_evidence.turns`."""


def empty_scores(size: int) -> Scores:
    """Room for the scores of a bucket."""
    since, followed = np.empty(size, np.int32), np.empty(size, np.bool_)
    one, two, three, four, five, six = np.empty((6, size))
    return Scores(one, two, three, four, five, six, since, followed)


def usual_exposures(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Discounted mean exposure of the buckets learned, 0 where there is none; shape (slots,)."""
    weight = totals[:, TEST_WEIGHT]
    return np.divide(totals[:, WEIGHT], weight, out=np.zeros(weight.size), where=weight > 0)


@njit(cache=True, nogil=True)
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
def evidences(observed: Any, expected: Any, known: Any, constants: Any, found: Any) -> None:
    """`log_ratio` of each, into `found`; all of shape (features,)."""
    terms = np.empty(constants.ratios.size, np.float64)
    for i in range(found.size):
        found[i] = log_ratio(observed[i], expected[i], known[i], constants, terms)


@njit(cache=True, nogil=True)
def restart(state: Any, totals: Any, features: Any, salts: Any, slots: Any) -> None:
    """End the running episodes of some features, and follow them from their last mention on.

    What is told is no chance: its crossings do not count.
    """
    for i in range(features.size):
        key = key_of(features[i], salts[i])
        place = find(state.ids, key)
        if state.ids[place] == key:
            for column, level in ((CROSSINGS, CROSSING), (HIGH_CROSSINGS, HIGH_CROSSING)):
                if state.evidence[place] >= level:
                    totals[slots[i], column] = max(0.0, totals[slots[i], column] - 1.0)
            state.evidence[place] = 0.0
            state.followed[place] = True


@njit(cache=True, nogil=True)
def step(
    state: Any,
    totals: Any,
    heard: Any,
    number: int,
    constants: Any,
    looked_at: Any,
    learn: bool,
    scores: Any,
) -> Any:
    """Judge bucket `number` into `scores` and, if `learn`, learn it afterwards.

    totals: shape (slots, TOTALS). looked_at: as in `Emergence.learn_many`, one for each perimeter. Returns
    how many features the table gained.
    """
    terms = np.empty(constants.ratios.size, np.float64)
    decays = np.empty(_GAPS, np.float64)
    for days in range(_GAPS):
        decays[days] = math.exp(days * constants.log_decay)
    places, dates = np.empty(_AHEAD, np.int64), np.empty(_AHEAD, np.int32)
    gained = 0
    for group in range(heard.slots.size):
        total = totals[heard.slots[group]]
        exposure, salt = float(heard.exposures[group]), heard.salts[group]
        first = total[LEARNED] == 0
        gap = number - (total[NEXT_BUCKET] - 1)
        weight = 0.0 if first else total[WEIGHT] * math.exp(gap * constants.log_decay)
        before = total[EXPOSURE]
        age = number - (number if first else total[FIRST_BUCKET])
        judged, rehearsed = age >= constants.warm_up, age >= constants.warm_up - constants.rehearsal
        crossings = high_crossings = 0
        for i in range(heard.starts[group], heard.starts[group + 1]):
            ahead = (i - heard.starts[group]) % _AHEAD
            if ahead == 0:
                for j in range(min(_AHEAD, heard.starts[group + 1] - i)):
                    places[j] = find(state.ids, key_of(heard.features[i + j], salt))
                    dates[j] = state.last[places[j]]
            parent = heard.above[i]
            if parent >= 0:
                heard.season[i] = heard.season[parent]
                heard.prior[i] = scores.rate[parent] / heard.season[parent]
            season = heard.season[i]
            key = key_of(heard.features[i], salt)
            place = find_from(state.ids, key, places[ahead])
            met = state.ids[place] == key
            own = 0.0
            if met:
                silence = number - dates[ahead]
                own = state.shape[place] * (
                    decays[silence] if silence < _GAPS else math.exp(silence * constants.log_decay)
                )
            # The prior is worth no more than it lets expect, less what is in it because it was said here.
            others = heard.prior[i] * (weight + exposure) - own
            strength = min(constants.strength, max(constants.base_strength, others))
            known = own + strength
            base = known / (weight + strength / max(heard.prior[i], constants.base_rate))
            rate = base * season
            scores.rate[i] = rate
            y, expected_now = heard.counts[i], rate * exposure

            said, expected, begun = 0.0 + y, expected_now, number
            running = met and state.evidence[place] > 0.0 and number - state.since[place] < constants.longest
            if running:
                silent = state.base[place] * (before - state.seen_exposure[place])
                awaited = state.expected[place] + silent
                running = rises(state.authors[place], awaited, state.known[place], constants, terms)
            everything = looked_at[group] <= 0.0
            log_e = 0.0
            # No more than expected and nothing running: no ratio above 1 can gain by it.
            if everything or (rehearsed and not running and y > expected_now and y >= constants.least):
                log_e = log_ratio(y, expected_now, known, constants, terms)
            evidence = log_e
            if running:
                base, known, begun = state.base[place], state.known[place], state.since[place]
                # A season makes normal again what it lets expect, whatever the episode began with.
                usual = max(base, rate) if season > 1.0 else base
                said, expected = state.authors[place] + y, awaited + usual * exposure
                if everything or said >= constants.least:
                    evidence = log_ratio(said, expected, known, constants, terms)
            if not rehearsed:
                evidence = 0.0
            if y > 0 and evidence >= CROSSING and said >= constants.least:
                before_it = 0.0
                if running and state.authors[place] >= constants.least:
                    before_it = state.evidence[place]
                crossings += before_it < CROSSING
                high_crossings += before_it < HIGH_CROSSING <= evidence
            scores.log_e[i] = log_e
            scores.evidence[i] = evidence if judged else 0.0
            if rehearsed and not everything and said < constants.least:
                evidence = SOME if rises(said, expected, known, constants, terms) else 0.0
            scores.since[i] = begun
            scores.observed[i] = said
            scores.expected[i] = expected
            scores.known[i] = known
            followed = met and y > 0 and state.followed[place] and dates[ahead] > number - constants.follow
            scores.followed[i] = followed

            if learn and y > 0:
                gained += not met
                state.ids[place] = key
                state.shape[place] = own + y
                state.evidence[place] = max(0.0, evidence)
                state.base[place] = base
                state.known[place] = known
                state.since[place] = begun
                state.authors[place] = said
                state.expected[place] = expected
                state.seen_exposure[place] = before + exposure
                state.last[place] = number
                state.followed[place] = followed
        if learn:
            decay = math.exp(gap * constants.log_decay)
            if first:
                total[FIRST_BUCKET] = number
            total[LEARNED] += 1
            total[NEXT_BUCKET] = number + 1
            total[WEIGHT] = weight + exposure
            total[EXPOSURE] = before + exposure
            tests = heard.starts[group + 1] - heard.starts[group]
            total[TESTS] = total[TESTS] * (0.0 if first else decay) + tests
            total[TEST_WEIGHT] = total[TEST_WEIGHT] * (0.0 if first else decay) + 1.0
            if rehearsed:
                one = math.exp(constants.log_decay / CROSSINGS_LAST)
                decay = math.exp(gap * constants.log_decay / CROSSINGS_LAST)
                silent = 0.0
                if total[SPAN] > 0.0:
                    silent = (one - decay) / (1.0 - one) if one < 1.0 else gap - 1.0
                total[CROSSINGS] = total[CROSSINGS] * decay + crossings
                total[HIGH_CROSSINGS] = total[HIGH_CROSSINGS] * decay + high_crossings
                total[HEARD] = total[HEARD] * decay + exposure
                total[SPAN] = total[SPAN] * decay + silent + 1.0
    return gained
