"""Compiled core of `detectors.blind_spot`: one step of the series given over one bucket.

A series is a row. What a row is compared with is read before any row learns, so neither the order nor the
number of series changes a result.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detectors.series import find

NEVER = np.iinfo(np.int64).min
"""`first` of a series that has not been given yet."""
CUSTOMER, FIELD = 0, 1
"""Voices, as places in the columns of shape (series, 2)."""
OVER = 3.0
"""Fall of an episode's evidence from its peak by which the quiet voice is back."""
PAIRS_STRENGTH = 10.0
LEAST_CORRELATION, MOST_CORRELATION = 0.01, 0.5
"""Weight, in pairs of mentions, of the correlation assumed, and the range of the one learned."""
LARGEST_LOG_ODDS = 30.0
FEW = 20
"""Factors that are multiplied rather than taken from the gamma function, which costs more."""


class State(NamedTuple):
    """Columns of the series, rows in order of id. Those of shape (series, 2) hold one value a voice."""

    ids: NDArray[np.uint64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    """First and last bucket learned."""
    opened: NDArray[np.int64]
    """First bucket of the open block."""
    mentions: NDArray[np.float64]
    exposure: NDArray[np.float64]
    """Discounted authors of each voice who mention the theme, and who wrote, as of `last`: (series, 2)."""
    open_mentions: NDArray[np.float64]
    open_exposure: NDArray[np.float64]
    """The same of the open block, plain: (series, 2)."""
    alike: NDArray[np.float64]
    pairs: NDArray[np.float64]
    """Discounted pairs of mentions in one block that are of one voice beyond chance, and that might be."""
    log_r: NDArray[np.float64]
    """Logarithm of the Shiryaev-Roberts statistic at the last block with mentions, by quiet voice and ratio:
    (series, 2, ratios)."""
    passed: NDArray[np.float64]
    """Buckets since then, by quiet voice: each a test with an e-value of 1, which adds 1 to the statistic:
    (series, 2)."""
    run: NDArray[np.float64]
    peak: NDArray[np.float64]
    """Evidence of the running episode of each quiet voice, 0 where none runs, and its peak: (series, 2)."""
    since: NDArray[np.int64]
    loud: NDArray[np.float64]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    chances: NDArray[np.float64]
    """Of that episode: first bucket, mentions of the loud voice, mentions of the quiet one, those expected,
    and authors of the quiet voice who wrote: (series, 2). Where none runs they mean nothing."""


STATE = State._fields


class Constants(NamedTuple):
    """Parameters of the estimator, as the kernel needs them."""

    log_decay: float
    strength: float
    caution: float
    log_tolerance: float
    together: float
    warm_up: int
    min_authors: float
    ratios: NDArray[np.float64]


class Columns(NamedTuple):
    """What a step says of each series; see `BlindSpotScores`."""

    log_e: NDArray[np.float64]
    evidence: NDArray[np.float64]
    quiet: NDArray[np.int8]
    ratio: NDArray[np.float64]
    running: NDArray[np.bool_]
    since: NDArray[np.int64]
    loud: NDArray[np.float64]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]


def no_episodes(size: int, bucket: int) -> Columns:
    """What a step says of `size` series none of which has an episode."""
    log_e, evidence, ratio, loud, observed, expected = np.zeros((6, size))
    quiet, running = np.full(size, FIELD, np.int8), np.zeros(size, np.bool_)
    since = np.full(size, bucket, np.int64)
    return Columns(log_e, evidence, quiet, ratio, running, since, loud, observed, expected)


def blank_state(ids: NDArray[np.uint64], ratios: int) -> State:
    """A table whose series have not been learned yet."""
    size = ids.size
    columns: dict[str, NDArray[Any]] = {name: np.zeros((size, 2)) for name in STATE}
    columns["ids"] = ids
    columns["first"] = np.full(size, NEVER, np.int64)
    columns["last"], columns["opened"] = np.zeros((2, size), np.int64)
    columns["alike"], columns["pairs"] = np.zeros((2, size))
    columns["since"] = np.zeros((size, 2), np.int64)
    columns["log_r"] = np.full((size, 2, ratios), -np.inf)
    return State(**columns)


def copied(state: State) -> State:
    """A table that shares nothing with `state`."""
    columns: dict[str, NDArray[Any]] = {name: getattr(state, name).copy() for name in STATE}
    return State(**columns)


def with_series(state: State, series: NDArray[np.uint64]) -> State:
    """The table with rows for all of `series`, in order of id; the same table where it has them."""
    if find(state.ids, series)[1].all():
        return state
    ids = np.union1d(state.ids, series)
    wider = blank_state(ids, state.log_r.shape[2])
    places = np.searchsorted(ids, state.ids)
    for target, source in zip(wider[1:], state[1:], strict=True):
        target[places] = source
    return wider


@njit(cache=True)
def _log_mean_exp(values: Any) -> Any:
    top = values[0]
    for value in values:
        top = max(top, value)
    if top == -np.inf:
        return top
    total = 0.0
    for value in values:
        total += math.exp(value - top)
    return top + math.log(total / values.size)


@njit(cache=True)
def _rate_ratio(customer: float, field: float, customers: float, agents: float, strength: float) -> Any:
    """Rate of the field over that of customers. customer, field: mentions; customers, agents: who wrote."""
    usual = customer * agents / customers if customers > 0.0 else 0.0
    return (field + strength) / (usual + strength)


@njit(cache=True)
def _decay(buckets: int, log_decay: float, of_one: float) -> Any:
    """Weight left after some buckets; of_one: after a single one, which is what most series ask."""
    return of_one if buckets == 1 else math.exp(buckets * log_decay)


@njit(cache=True)
def _baseline(state: Any, own: int, parent: int, bucket: int, constants: Any, of_one: float) -> Any:
    """Ratio of a series and the variance of its logarithm: its parent's without its own, or its own without
    a parent."""
    source = own if parent < 0 else parent
    customer, field, customers, agents = 0.0, 0.0, 0.0, 0.0
    if state.first[source] != NEVER:
        decay = _decay(bucket - state.last[source], constants.log_decay, of_one)
        customer, field = decay * state.mentions[source, CUSTOMER], decay * state.mentions[source, FIELD]
        customers, agents = decay * state.exposure[source, CUSTOMER], decay * state.exposure[source, FIELD]
    if parent >= 0 and state.first[own] != NEVER:
        decay = _decay(bucket - state.last[own], constants.log_decay, of_one)
        customer = max(0.0, customer - decay * state.mentions[own, CUSTOMER])
        field = max(0.0, field - decay * state.mentions[own, FIELD])
        customers = max(0.0, customers - decay * state.exposure[own, CUSTOMER])
        agents = max(0.0, agents - decay * state.exposure[own, FIELD])
    strength = constants.strength
    ratio = _rate_ratio(customer, field, customers, agents, strength)
    return ratio, 1.0 / (field + strength) + 1.0 / (customer + strength)


@njit(cache=True)
def _share(log_odds: float) -> Any:
    """Share of the field in the mentions, from its odds; never so near 0 or 1 that it rounds to them."""
    return 1.0 / (1.0 + math.exp(-min(max(log_odds, -LARGEST_LOG_ODDS), LARGEST_LOG_ODDS)))


@njit(cache=True)
def _log_weight(mentions: Any, share: float, concentration: float) -> Any:
    """Logarithm of the beta-binomial probability of a block, up to what does not depend on the share."""
    field, customer = concentration * share, concentration * (1.0 - share)
    return _log_rising(field, mentions[FIELD]) + _log_rising(customer, mentions[CUSTOMER])


@njit(cache=True)
def _log_rising(start: float, n: float) -> Any:
    """Logarithm of start (start + 1) ... (start + n - 1), n whole."""
    if n > FEW:
        return math.lgamma(start + n) - math.lgamma(start)
    product = 1.0
    for k in range(int(n)):
        product *= start + k
    return math.log(product)


@njit(cache=True)
def _concentration(state: Any, row: int, together: float) -> Any:
    """Beta-binomial concentration of a series: how alike the mentions of one block are.

    The correlation of two mentions of a block is (sum of squared differences less the binomial variance)
    over the sum of n (n - 1) s (1 - s), shrunk towards `together`.
    """
    alike = state.alike[row] + PAIRS_STRENGTH * together
    correlation = alike / (state.pairs[row] + PAIRS_STRENGTH)
    correlation = min(max(correlation, LEAST_CORRELATION), MOST_CORRELATION)
    return 1.0 / correlation - 1.0


@njit(cache=True)
def _compare(state: Any, row: int, strength: float) -> None:
    """Learn from the open block how alike its mentions are, given the usual share of the series itself."""
    mentions, exposure = state.open_mentions[row], state.open_exposure[row]
    ratio = _rate_ratio(
        state.mentions[row, CUSTOMER],
        state.mentions[row, FIELD],
        state.exposure[row, CUSTOMER],
        state.exposure[row, FIELD],
        strength,
    )
    share = _share(math.log(ratio * exposure[FIELD] / exposure[CUSTOMER]))
    n = mentions[CUSTOMER] + mentions[FIELD]
    variance = share * (1.0 - share)
    off = mentions[FIELD] - n * share
    state.alike[row] += off * off - n * variance
    state.pairs[row] += n * (n - 1.0) * variance


@njit(cache=True)
def _judge(
    mentions: Any, log_odds: float, slack: float, quiet: int, concentration: float, ratios: Any, terms: Any
) -> None:
    """Log e-values, by ratio, that a voice is quiet in a block, into `terms`."""
    sign = -1.0 if quiet == FIELD else 1.0
    least = log_odds + sign * slack
    same = _log_weight(mentions, _share(least), concentration)
    for k in range(terms.size):
        share = _share(least + sign * math.log(ratios[k]))
        terms[k] = _log_weight(mentions, share, concentration) - same


@njit(cache=True)
def _accumulate(state: Any, row: int, quiet: int, log_e: float, terms: Any) -> None:
    """Add the e-values of a block to the statistic; log_e: their logarithmic mean."""
    for k in range(terms.size):
        state.log_r[row, quiet, k] = terms[k] + _log_statistic(state, row, quiet, k)
    state.passed[row, quiet] = 0.0
    state.run[row, quiet] = max(0.0, state.run[row, quiet] + log_e)
    state.peak[row, quiet] = max(state.peak[row, quiet], state.run[row, quiet])
    if state.peak[row, quiet] - state.run[row, quiet] >= OVER:
        state.run[row, quiet] = 0.0
        state.log_r[row, quiet] = -np.inf
    if state.run[row, quiet] == 0.0:
        state.peak[row, quiet] = 0.0


@njit(cache=True)
def _log_statistic(state: Any, row: int, quiet: int, k: int) -> Any:
    """Logarithm of the statistic with the buckets passed since."""
    past = state.log_r[row, quiet, k]
    top = max(past, 0.0)
    return top + math.log(math.exp(past - top) + state.passed[row, quiet] * math.exp(-top))


@njit(cache=True)
def _close(
    state: Any,
    row: int,
    bucket: int,
    ratio: float,
    variance: float,
    constants: Any,
    terms: Any,
    log_e: Any,
) -> None:
    """Test the open block, in which the theme is mentioned, for both voices; the log e-value of each being
    quiet into `log_e`."""
    mentions, exposure = state.open_mentions[row], state.open_exposure[row]
    for quiet in range(2):
        state.passed[row, quiet] += bucket - state.opened[row] + 1
        if state.run[row, quiet] > 0.0:
            state.chances[row, quiet] += exposure[quiet]
        else:
            state.since[row, quiet], state.chances[row, quiet] = state.opened[row], exposure[quiet]
            state.loud[row, quiet] = state.observed[row, quiet] = state.expected[row, quiet] = 0.0
    log_odds = math.log(ratio * exposure[FIELD] / exposure[CUSTOMER])
    slack = constants.caution * math.sqrt(variance) + constants.log_tolerance
    concentration = _concentration(state, row, constants.together)
    for quiet in range(2):
        share = _share(log_odds) if quiet == FIELD else _share(-log_odds)
        state.loud[row, quiet] += mentions[1 - quiet]
        state.observed[row, quiet] += mentions[quiet]
        state.expected[row, quiet] += share * (mentions[CUSTOMER] + mentions[FIELD])
        _judge(mentions, log_odds, slack, quiet, concentration, constants.ratios, terms)
        log_e[quiet] = _log_mean_exp(terms)
        _accumulate(state, row, quiet, log_e[quiet], terms)


@njit(cache=True)
def _evidence(state: Any, row: int, quiet: int, min_authors: float, terms: Any) -> Any:
    """Evidence that a voice is quiet; 0 where no episode runs or too few authors stand behind it."""
    least = min(state.loud[row, quiet], state.expected[row, quiet], state.chances[row, quiet])
    if state.run[row, quiet] == 0.0 or least < min_authors:
        return 0.0
    for k in range(terms.size):
        terms[k] = _log_statistic(state, row, quiet, k)
    # Two voices are tested where one evidence is given: it is their mean, hence log 2.
    return max(0.0, _log_mean_exp(terms) - math.log(2.0))


@njit(cache=True)
def _report(state: Any, row: int, i: int, log_e: Any, min_authors: float, terms: Any, out: Any) -> None:
    """What is said of a series with an episode: of the voice that is the quieter one."""
    customer = _evidence(state, row, CUSTOMER, min_authors, terms)
    field = _evidence(state, row, FIELD, min_authors, terms)
    quiet = FIELD if field >= customer else CUSTOMER
    if field == customer and state.run[row, CUSTOMER] > state.run[row, FIELD]:
        quiet = CUSTOMER
    out.quiet[i], out.log_e[i] = quiet, log_e[quiet]
    if state.run[row, quiet] > 0.0:
        out.running[i] = True
        out.evidence[i] = max(customer, field)
        out.since[i] = state.since[row, quiet]
        out.loud[i], out.observed[i] = state.loud[row, quiet], state.observed[row, quiet]
        out.expected[i] = state.expected[row, quiet]


@njit(cache=True)
def step(
    state: Any, rows: Any, parents: Any, mentions: Any, exposure: Any, bucket: int, constants: Any, out: Any
) -> None:
    """Judge one bucket of some series into `out`, which tells of no episode, and learn it.

    rows, parents: places of the series and of what they are compared with, -1 for none. mentions, exposure:
    authors of each voice, shape (rows, 2).
    """
    ratios, variances = np.empty(rows.size), np.empty(rows.size)
    of_one = math.exp(constants.log_decay)
    for i in range(rows.size):
        ratios[i], variances[i] = _baseline(state, rows[i], parents[i], bucket, constants, of_one)
    terms, log_e = np.empty(constants.ratios.size), np.empty(2)
    # Most series in most blocks are not mentioned. What these need is done here, element by element: slices,
    # and calls that hand on the whole state, would cost several times as much as the rest.
    open_mentions, open_exposure, run = state.open_mentions, state.open_exposure, state.run
    for i in range(rows.size):
        row = rows[i]
        if state.first[row] == NEVER:
            state.first[row] = state.last[row] = state.opened[row] = bucket
        for voice in range(2):
            open_mentions[row, voice] += mentions[i, voice]
            open_exposure[row, voice] += exposure[i, voice]
        decay = _decay(bucket - state.last[row], constants.log_decay, of_one)
        state.alike[row] *= decay
        state.pairs[row] *= decay
        log_e[CUSTOMER] = log_e[FIELD] = 0.0
        if open_exposure[row, CUSTOMER] > 0.0 and open_exposure[row, FIELD] > 0.0:
            judged = bucket - state.first[row] >= constants.warm_up
            if open_mentions[row, CUSTOMER] + open_mentions[row, FIELD] > 0.0:
                if judged:
                    _close(state, row, bucket, ratios[i], variances[i], constants, terms, log_e)
                _compare(state, row, constants.strength)
            elif judged:
                # That nobody mentions the theme tells neither way.
                for quiet in range(2):
                    state.passed[row, quiet] += bucket - state.opened[row] + 1
                    state.chances[row, quiet] += open_exposure[row, quiet]
            for voice in range(2):
                open_mentions[row, voice] = open_exposure[row, voice] = 0.0
            state.opened[row] = bucket + 1
        out.ratio[i] = ratios[i]
        if run[row, CUSTOMER] > 0.0 or run[row, FIELD] > 0.0:
            _report(state, row, i, log_e, constants.min_authors, terms, out)
        else:
            out.log_e[i] = log_e[FIELD]
        for voice in range(2):
            state.mentions[row, voice] = decay * state.mentions[row, voice] + mentions[i, voice]
            state.exposure[row, voice] = decay * state.exposure[row, voice] + exposure[i, voice]
        state.last[row] = bucket
