"""Blind spots against scipy's beta-binomial, by hand, and on simulated perimeters under one parent."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from detectors.blind_spot import CUSTOMER, FIELD, BlindSpot, BlindSpotScores

YEAR, SETTLED = 365, 60
SHOP, REGION = np.array([7], np.uint64), np.array([900], np.uint64)


def one(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def learn(detector: BlindSpot, bucket: int, *counts: int, score: bool = False) -> BlindSpotScores:
    """One bucket of a shop and its region: customer, field, their exposures, first the shop's."""
    customer, field, customers, agents = np.array(counts).reshape(2, 4).T.copy()
    act = detector.score_many if score else detector.learn_many
    return act(
        np.concatenate([SHOP, REGION]),
        customer,
        field,
        customer_exposure=customers,
        field_exposure=agents,
        bucket=bucket,
        parents=np.array([REGION[0], 0], np.uint64),
    )


# --- The evidence of a block -----------------------------------------------------------------------------


@pytest.mark.parametrize(("customer", "field"), [(6, 0), (0, 6), (3, 2), (1, 1), (25, 0)])
def test_log_e_is_scipys_ratio_of_beta_binomials(customer: int, field: int) -> None:
    """The region's other shops: 40 mentions of 80 customers, 30 of 60 agents; ratio 31 / 31."""
    detector = BlindSpot(half_life=1e12, warm_up=1, min_authors=0, caution=0.5, together=0.2)
    learn(detector, 0, 0, 0, 10, 10, 40, 30, 90, 70)
    scores = learn(detector, 1, customer, field, 30, 15, customer, field, 30, 15, score=True)
    assert scores.ratio[0] == pytest.approx(31 / 31)
    slack = 0.5 * math.sqrt(1 / 41 + 1 / 31) + math.log(1.25)
    n, concentration = customer + field, 1 / 0.2 - 1
    quiet = CUSTOMER if scores.quiet[0] == CUSTOMER else FIELD
    sign = -1 if quiet == FIELD else 1

    def log_pmf(log_odds: float) -> float:
        share = 1 / (1 + math.exp(-log_odds))
        return float(stats.betabinom.logpmf(field, n, concentration * share, concentration * (1 - share)))

    least = math.log(15 / 30) + sign * slack
    change = [log_pmf(least + sign * math.log(ratio)) for ratio in (2, 5, 20)]
    assert scores.log_e[0] == pytest.approx(np.logaddexp.reduce(change) - math.log(3) - log_pmf(least))


def test_evidence_is_the_mean_of_both_voices_and_all_ratios() -> None:
    detector = BlindSpot(half_life=1e12, warm_up=1, min_authors=0)
    learn(detector, 0, 0, 0, 10, 10, 40, 30, 90, 70)
    scores = learn(detector, 1, 8, 0, 20, 20, 8, 0, 20, 20)
    # One block after one unjudged: R = e, of the quiet voice, and half for two voices.
    assert scores.evidence[0] == pytest.approx(scores.log_e[0] - math.log(2))
    assert (scores.quiet[0], scores.running[0], scores.since[0]) == (FIELD, True, 1)
    assert (scores.loud[0], scores.observed[0]) == (8, 0)
    assert scores.expected[0] == pytest.approx(8 / 2)


# --- What it is for ----------------------------------------------------------------------------------------


def usual_days(detector: BlindSpot, days: int) -> None:
    """The region's field mentions the theme two thirds as often as its customers do; the shop's likewise."""
    for day in range(days):
        learn(detector, day, 3, 2, 10, 10, 33, 22, 110, 110)


def test_customers_without_the_field_and_the_field_without_customers() -> None:
    for counts, quiet in (((3, 0), FIELD), ((0, 2), CUSTOMER)):
        detector = BlindSpot()
        usual_days(detector, 60)
        for day in range(60, 85):
            scores = learn(detector, day, *counts, 10, 10, 30 + counts[0], 20 + counts[1], 110, 110)
        assert scores.evidence[0] > math.log(YEAR)
        assert (scores.quiet[0], scores.since[0], scores.observed[0]) == (quiet, 60, 0)
        assert scores.loud[0] == 25 * max(counts)
        assert scores.expected[0] > 10
        assert scores.evidence[1] < 1


def test_it_ends_when_the_quiet_voice_is_back() -> None:
    detector = BlindSpot()
    usual_days(detector, 60)
    for day in range(60, 85):
        learn(detector, day, 3, 0, 10, 10, 33, 20, 110, 110)
    for day in range(85, 130):
        scores = learn(detector, day, 3, 3, 10, 10, 33, 23, 110, 110)
    assert (scores.evidence[0], scores.running[0]) == (0, False)


def test_what_the_field_never_mentions_anywhere_is_no_blind_spot() -> None:
    detector = BlindSpot()
    for day in range(300):
        scores = learn(detector, day, 3, 0, 10, 10, 33, 0, 110, 110)
        assert scores.evidence[0] < math.log(YEAR)
    assert scores.ratio[0] < 0.01


def test_without_field_notes_there_is_no_blind_spot() -> None:
    detector = BlindSpot()
    usual_days(detector, 60)
    for day in range(60, 200):
        scores = learn(detector, day, 3, 0, 10, 0, 33, 20, 110, 100)
    assert scores.evidence[0] == 0
    # After all those mentions a single note, on something else, is not much of a chance.
    assert learn(detector, 200, 3, 0, 10, 1, 33, 20, 110, 101).evidence[0] < 2


@pytest.mark.parametrize(("loud", "noted"), [(4, 10), (60, 0)])
def test_too_few_authors_have_no_evidence(loud: int, noted: int) -> None:
    detector = BlindSpot(warm_up=0)
    learn(detector, 0, 0, 0, 10, 0, 400, 400, 500, 500)
    scores = learn(detector, 1, loud, 0, 100, noted, loud + 300, 300, 500, 500)
    assert scores.evidence[0] == 0
    told = learn(BlindSpot(warm_up=0, min_authors=0), 0, loud, 0, 100, 10, 300, 300, 500, 500)
    assert told.evidence[0] >= 0


def test_weekly_notes_are_compared_with_the_customers_of_the_week() -> None:
    detector = BlindSpot()
    for day in range(210):
        friday = day % 7 == 4
        notes = (14, 70) if friday else (0, 0)
        scores = learn(detector, day, 3, notes[0], 10, notes[1], 33, notes[0] + 20, 110, notes[1] + 100)
        assert friday or scores.log_e[0] == 0
        assert scores.evidence[0] < math.log(YEAR)


def test_a_series_without_parent_is_compared_with_its_own_past() -> None:
    detector = BlindSpot()
    usual = {"customer": 3, "field": 2, "customer_exposure": 10, "field_exposure": 10}
    for _ in range(80):
        detector.learn_one(usual)
    assert detector.score_one(usual) == 0
    for _ in range(20):
        detector.learn_one(usual | {"field": 0})
    assert detector.score_one(usual | {"field": 0}) > math.log(YEAR)


def test_a_parent_never_given_says_nothing() -> None:
    detector = BlindSpot(warm_up=0)
    scores = detector.score_many(
        SHOP,
        one(30),
        one(0),
        customer_exposure=one(40),
        field_exposure=one(40),
        bucket=0,
        parents=np.array([12345], np.uint64),
    )
    assert scores.ratio[0] == 1
    assert scores.evidence[0] < math.log(YEAR)


# --- False alarms and delay over simulated perimeters ------------------------------------------------------


def simulated(
    kind: str, *, seed: int, regions: int = 20, shops: int = 20, quiet: int = 0, change: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Alarms by day and shop at one a year; a region's field mentions the theme as often as its customers.

    quiet: shops of each region whose field stops mentioning it on day `change`. Returns (alarm, quiet voice),
    both of shape (days, shops, regions).
    """
    chance, size = np.random.default_rng(seed), (SETTLED + YEAR, shops * regions)
    day = np.arange(size[0])[:, None]
    customers = chance.poisson(6 * (4 ** (day / size[0]) if kind == "growing" else 1), size)
    agents = chance.poisson(3, size)
    if kind == "weekly notes":
        agents = np.where(day % 7 == 4, chance.poisson(21, size), 0)
    rate = np.full(size, 0.1)
    field_rate = rate.copy()
    if kind == "incidents":
        rate = field_rate = rate * chance.gamma(0.5, 2, size)
    if kind == "uneven":
        rate, field_rate = rate * chance.gamma(1, 1, size), rate * chance.gamma(1, 1, size)
    if kind == "different shops":
        field_rate = rate * np.exp(chance.normal(0, 0.3, size[1]))
    field_rate = np.where((np.arange(size[1]) < quiet * regions) & (day >= change), 0.0, field_rate)
    customer = chance.binomial(customers, np.minimum(rate, 1))
    field = chance.binomial(agents, np.minimum(field_rate, 1))
    detector = BlindSpot()
    series = np.arange(1, size[1] + regions + 1, dtype=np.uint64)
    parents = np.concatenate([np.tile(series[size[1] :], shops), np.zeros(regions, np.uint64)])
    alarms, voices = np.zeros(size), np.zeros(size, np.int64)

    def with_regions(values: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.concatenate([values, values.reshape(shops, regions).sum(axis=0)])

    for now in range(size[0]):
        scores = detector.learn_many(
            series,
            with_regions(customer[now]),
            with_regions(field[now]),
            customer_exposure=with_regions(customers[now]),
            field_exposure=with_regions(agents[now]),
            bucket=now,
            parents=parents,
        )
        hit = scores.evidence >= math.log(YEAR)
        detector.restart(series[hit])
        alarms[now], voices[now] = hit[: size[1]], scores.quiet[: size[1]]
    return alarms.reshape(size[0], shops, regions), voices.reshape(size[0], shops, regions)


@pytest.mark.parametrize("kind", ["steady", "growing", "weekly notes", "incidents", "uneven"])
def test_false_alarms_stay_within_the_budget(kind: str) -> None:
    alarms, _ = simulated(kind, seed=51)
    assert alarms[SETTLED:].sum(axis=0).mean() <= 1.2


def test_the_budget_is_used_where_shops_differ() -> None:
    """The field of one shop mentions it by 30 % more or less than the next one's, for good."""
    alarms, _ = simulated("different shops", seed=52)
    assert 0.2 <= alarms[SETTLED:].sum(axis=0).mean() <= 1.2


def test_a_field_that_falls_silent_on_a_theme_is_noticed() -> None:
    """Three field authors a day and a theme in a tenth of notes: 12 missing mentions in 40 days."""
    alarms, voices = simulated("steady", seed=53, quiet=2, change=200)
    found = alarms[200:, :2].reshape(SETTLED + YEAR - 200, -1)
    delays = np.where(found.any(axis=0), found.argmax(axis=0) + 1, 999)
    assert np.median(delays) <= 40
    assert np.quantile(delays, 0.9) <= 80
    assert (voices[200:, :2][alarms[200:, :2] > 0] == FIELD).all()


# --- Bad values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"half_life": 0.5}, "half_life is 0.5"),
        ({"ratios": (0.5,)}, "each must be above 1"),
        ({"tolerance": 0.9}, "tolerance is 0.9"),
        ({"strength": 0}, "strength is 0"),
        ({"together": 1.0}, "together is 1.0"),
        ({"caution": -1}, "caution is -1"),
        ({"warm_up": -1}, "warm_up -1"),
        ({"min_authors": -1}, "min_authors -1"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BlindSpot(**parameters)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"customer": one(3, -1)}, "customer is -1"),
        ({"field": one(3, 11)}, r"field is 11; it must lie in \[0, field_exposure=10\]"),
        ({"field": np.array([math.nan, 1.0])}, "field are float64"),
        ({"customer_exposure": one(9)}, "2 series but 1 customer_exposure"),
        ({"parents": one(0, 0, 0)}, "2 series but 3 parents"),
        ({"parents": np.array([9, 7], np.uint64)}, "its own parent"),
        ({"series": np.array([9, 9], np.uint64)}, "distinct"),
        ({"series": np.array([0, 9], np.uint64)}, "distinct"),
        ({"bucket": 4}, "bucket is 4"),
    ],
)
@pytest.mark.parametrize("method", ["score_many", "learn_many"])
def test_a_bucket_that_cannot_be_is_refused_and_leaves_no_trace(
    changes: dict[str, Any], message: str, method: str
) -> None:
    detector = BlindSpot()
    learn(detector, 4, 1, 1, 5, 5, 3, 3, 20, 20)
    before = detector.state_arrays()
    usual = {
        "series": np.array([9, 8], np.uint64),
        "customer": one(1, 2),
        "field": one(2, 1),
        "customer_exposure": one(10, 10),
        "field_exposure": one(10, 10),
        "parents": np.array([8, 0], np.uint64),
        "bucket": 5,
    }
    with pytest.raises(ValueError, match=message):
        getattr(detector, method)(**(usual | changes))
    after = detector.state_arrays()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_one_at_a_time_refuses_what_is_no_count() -> None:
    with pytest.raises(ValueError, match="a count is nan"):
        BlindSpot().learn_one({"customer": math.nan})
    assert BlindSpot().score_one({}) == 0


def test_the_most_uneven_exposures_give_finite_evidence() -> None:
    detector = BlindSpot(warm_up=0, min_authors=0)
    for bucket, (customers, agents) in enumerate([(10**15, 1), (1, 10**15), (10**15, 1)]):
        scores = learn(detector, bucket, 1, 1, customers, agents, 1, 1, customers, agents)
        assert np.isfinite(scores.evidence).all()
        assert np.isfinite(scores.log_e).all()
