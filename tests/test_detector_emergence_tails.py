"""How often evidence is reached where nothing happens: counted crossings, against hand-worked cases."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors import _emergence_kernel as kernel
from detectors.emergence import Emergence
from detectors.emergence_tails import LEAST_SPAN, PRIOR_AUTHORS, PRIOR_CROSSINGS, USUAL_CROSSINGS
from detectors.emergence_tree import EmergenceTree, Heard

FEATURE, OTHER = np.array([5], np.uint64), np.array([6], np.uint64)
USUAL_SHARE = math.exp(kernel.CROSSING - kernel.HIGH_CROSSING)


def say(detector: Emergence, bucket: int, authors: int, feature: NDArray[np.uint64] = FEATURE) -> float:
    """Authors out of 50, where one is usual; the evidence."""
    scores = detector.learn_many(
        feature, np.array([authors]), exposure=50, bucket=bucket, prior=np.array([0.02])
    )
    return float(scores.evidence[0])


def quiet(detector: Emergence, buckets: range) -> None:
    for bucket in buckets:
        say(detector, bucket, 1)


def totals(detector: Emergence) -> dict[str, float]:
    row = detector.state_arrays()["totals"][0]
    places = {
        "low": kernel.CROSSINGS,
        "high": kernel.HIGH_CROSSINGS,
        "heard": kernel.HEARD,
        "span": kernel.SPAN,
    }
    return {name: float(row[place]) for name, place in places.items()}


def long(*, warm_up: int = 0, least: int = 1) -> Emergence:
    """One that forgets nothing to speak of."""
    return Emergence(half_life=1e9, dispersion=math.inf, warm_up=warm_up, least=least)


def test_an_episode_crosses_a_level_once() -> None:
    detector = long()
    quiet(detector, range(100))
    before = totals(detector)
    assert (before["low"], before["high"]) == (0, 0)
    evidence = [say(detector, 100 + day, 4) for day in range(4)]
    assert evidence[0] < kernel.CROSSING < evidence[1] < kernel.HIGH_CROSSING < evidence[3]
    after = totals(detector)
    assert [after["low"], after["high"]] == pytest.approx([1, 1])
    assert after["heard"] == pytest.approx(104 * 50, rel=1e-6)
    assert after["span"] == pytest.approx(104, rel=1e-6)


def test_silent_buckets_are_buckets_too() -> None:
    detector = long()
    for bucket in (0, 10, 30):
        say(detector, bucket, 1)
    assert totals(detector)["span"] == pytest.approx(31, rel=1e-6)
    fading = Emergence(half_life=2, warm_up=0)
    say(fading, 0, 1)
    say(fading, 3, 1)
    # Crossings fade four times more slowly: half after eight buckets.
    assert totals(fading)["span"] == pytest.approx(sum(0.5 ** (age / 8) for age in range(4)))


def test_an_episode_of_too_few_authors_crosses_nothing() -> None:
    detector = long(least=9)
    quiet(detector, range(100))
    assert [say(detector, 100 + day, 4) > kernel.CROSSING for day in range(2)] == [False, True]
    assert totals(detector)["low"] == 0
    say(detector, 102, 4)
    assert totals(detector)["low"] == pytest.approx(1)


def test_what_was_told_does_not_count() -> None:
    detector = long()
    quiet(detector, range(100))
    for day in range(4):
        say(detector, 100 + day, 4)
    detector.restart(FEATURE)
    assert totals(detector)["low"] == pytest.approx(0, abs=1e-6)
    assert totals(detector)["high"] == pytest.approx(0, abs=1e-6)


def test_the_end_of_the_warm_up_is_a_rehearsal() -> None:
    detector = long(warm_up=100)
    quiet(detector, range(50))
    assert totals(detector)["span"] == 0
    for day in range(50, 54):
        assert say(detector, day, 4) == 0
    found = totals(detector)
    assert [found[name] for name in ("low", "high", "span")] == pytest.approx([1, 1, 4])


def test_a_perimeter_without_history_is_not_known() -> None:
    tails = Emergence().tails
    assert tails.crossings.tolist() == [math.inf]
    assert tails.slopes.tolist() == [pytest.approx(1)]


def tree_of(rows: dict[str, tuple[float, float, float, float]]) -> EmergenceTree:
    """A tree whose perimeters have these totals: crossings, high ones, authors, buckets."""
    tree = EmergenceTree(Emergence(warm_up=0))
    heard = Heard(
        list(rows),
        np.arange(len(rows) + 1),
        np.ones(len(rows), np.int64),
        np.full(len(rows), 5, np.uint64),
        np.ones(len(rows), np.int64),
        np.arange(len(rows)) - 1,
    )
    tree.learn_many(heard, bucket=0, prior=np.array([0.1]), season=np.ones(1))
    arrays = tree.state_arrays()
    arrays["totals"][:, kernel.CROSSINGS : kernel.SPAN + 1] = list(rows.values())
    tree.load_state_arrays(arrays)
    return tree


def test_a_perimeter_is_known_by_its_own_past_and_by_the_widest() -> None:
    rows = {
        "n": (9.0, 3.0, 1_000.0, 100.0),
        "n/l": (1.0, 1.0, 50.0, 20.0),
        "n/a": (1.0, 0.0, 50.0, LEAST_SPAN - 1),
    }
    tails = tree_of(rows).tails(list(rows))
    rate = (PRIOR_AUTHORS * USUAL_CROSSINGS + 9) / (PRIOR_AUTHORS + 1_000)
    share = (PRIOR_CROSSINGS * USUAL_SHARE + 3) / (PRIOR_CROSSINGS + 9)
    below = (PRIOR_AUTHORS * rate + 1) / (PRIOR_AUTHORS + 50)
    steep = (PRIOR_CROSSINGS * share + 1) / (PRIOR_CROSSINGS + 1)
    assert tails.crossings.tolist() == pytest.approx([rate * 10, below * 2.5, math.inf])
    # Slope s: of what reaches 3, a share of exp(-3 s) reaches 6.
    assert tails.slopes[0] == pytest.approx(-math.log(share) / 3)
    assert tails.slopes[1] == pytest.approx(-math.log(steep) / 3)


def test_no_slope_is_above_that_of_the_model() -> None:
    calm = tree_of({"n": (1_000.0, 0.0, 1e5, 100.0)}).tails(["n"])
    wild = tree_of({"n": (1_000.0, 1_000.0, 1e5, 100.0)}).tails(["n"])
    assert calm.slopes.tolist() == [1.0]
    assert 0 < wild.slopes[0] < 0.01


@pytest.mark.parametrize("least", [0, -1])
def test_least_is_at_least_one(least: int) -> None:
    with pytest.raises(ValueError, match=f"least is {least} authors; it must be at least 1"):
        Emergence(least=least)
