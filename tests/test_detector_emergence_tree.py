"""A tree of perimeters in one table against an estimator for each, and what a tree is asked of."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.emergence import Emergence, EmergenceScores
from detectors.emergence_tree import EmergenceTree, Heard

PARENTS = {"n": None, "n/l": "n", "n/l/b": "n/l", "n/a": "n"}
SCORES = ("log_e", "evidence", "rate", "since", "observed", "expected", "followed")
FEATURES = (5, 6, 2**63 + 1)
BAR = 2.0


@dataclass(frozen=True)
class Day:
    """Authors per feature at each leaf, and the authors who say nothing of interest."""

    bucket: int
    said: dict[str, dict[int, int]]
    silent: dict[str, int]

    def heard(self) -> Heard:
        """A parent's authors are those of its children and its own."""
        counts: dict[str, dict[int, int]] = {}
        exposures: dict[str, int] = {}
        for place, said in self.said.items():
            at: str | None = place
            while at is not None:
                exposures[at] = exposures.get(at, 0) + sum(said.values()) + self.silent.get(place, 0)
                mine = counts.setdefault(at, {})
                for feature, authors in said.items():
                    mine[feature] = mine.get(feature, 0) + authors
                at = PARENTS[at]
        perimeters = [place for place in PARENTS if exposures.get(place)]
        entries = [(place, feature) for place in perimeters for feature in counts[place]]
        sizes = [len(counts[place]) for place in perimeters]
        return Heard(
            perimeters,
            np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]),
            np.array([exposures[place] for place in perimeters], np.int64),
            np.array([feature for _, feature in entries], np.uint64),
            np.array([counts[place][feature] for place, feature in entries], np.int64),
            np.array([self._above(place, feature, entries) for place, feature in entries], np.int64),
        )

    def _above(self, place: str, feature: int, entries: Sequence[tuple[str, int]]) -> int:
        parent = PARENTS[place]
        return -1 if parent is None else entries.index((parent, feature))


def days(said: Sequence[dict[str, dict[int, int]]], silent: int = 4) -> list[Day]:
    return [Day(bucket, day, dict.fromkeys(day, silent)) for bucket, day in enumerate(said)]


SAID = st.dictionaries(
    st.sampled_from(list(PARENTS)), st.dictionaries(st.sampled_from(FEATURES), st.integers(0, 9), max_size=3)
)


def columns(heard: Heard) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A prior and a season for each entry at the top, by its feature."""
    top = heard.features[heard.above < 0]
    return np.where(top == 5, 0.05, 0.002), np.where(top == 6, 1.5, 1.0)


def learn(tree: EmergenceTree, day: Day, bar: float) -> tuple[Heard, EmergenceScores]:
    heard = day.heard()
    prior, season = columns(heard)
    looked_at = np.full(len(heard.perimeters), bar)
    scores = tree.learn_many(heard, bucket=day.bucket, prior=prior, season=season, looked_at=looked_at)
    return heard, scores


def learn_apart(
    apart: dict[str, Emergence], like: Emergence, day: Day, bar: float
) -> dict[str, EmergenceScores]:
    """Each perimeter by an estimator of its own, told its parent's rates."""
    heard = day.heard()
    prior, season = columns(heard)
    priors, seasons = np.zeros((2, heard.features.size))
    priors[heard.above < 0], seasons[heard.above < 0] = prior, season
    found = {}
    for place, perimeter in enumerate(heard.perimeters):
        span = heard.span(place)
        below = heard.above[span] >= 0
        seasons[span][below] = seasons[heard.above[span][below]]
        estimator = apart.setdefault(perimeter, like.clone())
        found[perimeter] = estimator.learn_many(
            heard.features[span],
            heard.counts[span],
            exposure=int(heard.exposures[place]),
            bucket=day.bucket,
            prior=priors[span],
            season=seasons[span],
            looked_at=bar,
        )
        for child in range(place + 1, len(heard.perimeters)):
            inner = heard.span(child)
            mine = (heard.above[inner] >= span.start) & (heard.above[inner] < span.stop)
            parents = heard.above[inner][mine]
            priors[inner][mine] = found[perimeter].rate[parents - span.start] / seasons[parents]
    return found


@pytest.mark.parametrize("bar", [-np.inf, BAR])
@settings(deadline=None, max_examples=60)
@given(said=st.lists(SAID, max_size=12))
def test_each_perimeter_is_as_its_own_estimator_says(
    bar: float, said: list[dict[str, dict[int, int]]]
) -> None:
    like = Emergence(half_life=5, warm_up=2, follow=3)
    tree, apart = EmergenceTree(like), dict[str, Emergence]()
    for day in days(said):
        heard, scores = learn(tree, day, bar)
        alone = learn_apart(apart, like, day, bar)
        for place, perimeter in enumerate(heard.perimeters):
            mine = scores.part(heard.span(place))
            for name in SCORES:
                np.testing.assert_array_equal(getattr(mine, name), getattr(alone[perimeter], name), name)
            assert tree.buckets(perimeter) == apart[perimeter].buckets
            flagged = np.flatnonzero(mine.evidence >= BAR)
            tree.restart(heard, flagged + heard.span(place).start)
            apart[perimeter].restart(heard.features[heard.span(place)][flagged])
    tests = tree.tests_per_bucket([*apart, "elsewhere"])
    assert tests.tolist() == [*(one.tests_per_bucket for one in apart.values()), 0.0]
    assert tree.features == sum(one.features for one in apart.values())


STREAM = days([{"n/l": {5: 1}, "n/l/b": {5: 2, 6: 1}, "n/a": {6: 3}}] * 3 + [{"n/l/b": {5: 9}}] * 3)


def trained(upto: int) -> EmergenceTree:
    tree = EmergenceTree(Emergence(warm_up=0))
    for day in STREAM[:upto]:
        learn(tree, day, BAR)
    return tree


def state(tree: EmergenceTree) -> dict[str, list[Any]]:
    return {name: array.tolist() for name, array in tree.state_arrays().items()}


@pytest.mark.parametrize("upto", [0, 1, 4])
def test_a_checkpoint_goes_on_as_if_nothing_had_happened(upto: int) -> None:
    tree, again = trained(upto), EmergenceTree(Emergence(warm_up=0))
    again.load_state_arrays(tree.state_arrays())
    assert state(again) == state(tree)
    for day in STREAM[upto:]:
        one, other = learn(tree, day, BAR)[1], learn(again, day, BAR)[1]
        assert one.evidence.tolist() == other.evidence.tolist()
    assert state(again) == state(tree)


def test_what_is_rare_and_old_is_forgotten_everywhere() -> None:
    tree = trained(6)
    kept = tree.features
    assert tree.forget(below=0.5, bucket=6) == 0
    assert tree.features == kept
    assert tree.forget(below=0.5, bucket=2_000) == kept
    assert tree.features == 0


def test_a_bucket_is_learned_once() -> None:
    with pytest.raises(ValueError, match="bucket is 2; buckets up to 2 are learned already"):
        learn(trained(3), STREAM[2], BAR)


def test_every_entry_at_the_top_needs_a_prior() -> None:
    heard = STREAM[0].heard()
    with pytest.raises(ValueError, match="2 entries have none above but 1 have a prior"):
        EmergenceTree(Emergence()).learn_many(heard, bucket=0, prior=np.ones(1), season=np.ones(2))


def test_a_feature_is_followed_from_its_alarm_on_while_it_is_heard() -> None:
    detector = Emergence(warm_up=0, follow=3)
    five, none = np.array([5], np.uint64), np.array([], np.uint64)

    def hear(bucket: int, authors: int) -> bool:
        features = five if authors >= 0 else none
        counts = np.array([authors] if authors >= 0 else [], np.int64)
        scores = detector.learn_many(features, counts, exposure=10, bucket=bucket)
        return bool(scores.followed.any())

    assert not hear(0, 2)
    assert not hear(1, 2)
    detector.restart(five)
    assert not hear(2, 0)  # not mentioned
    assert hear(3, 1)  # two buckets after the alarm
    assert hear(5, 1)  # two buckets after that
    assert not hear(8, 1)  # three buckets of silence
    assert not hear(9, 1)


@settings(deadline=None, max_examples=40)
@given(counts=st.lists(st.integers(0, 8), min_size=1, max_size=12), bar=st.floats(0.1, 5))
def test_what_lies_above_the_bar_is_exact(counts: list[int], bar: float) -> None:
    exact, quick = Emergence(warm_up=1), Emergence(warm_up=1)
    five = np.array([5], np.uint64)
    for bucket, authors in enumerate(counts):
        count = np.array([authors])
        one = exact.learn_many(five, count, exposure=20, bucket=bucket)
        other = quick.learn_many(five, count, exposure=20, bucket=bucket, looked_at=bar)
        if one.evidence[0] >= bar:
            assert other.evidence.tolist() == one.evidence.tolist()
        assert (other.evidence[0] >= bar) == (one.evidence[0] >= bar)
        assert other.evidence[0] >= one.evidence[0]
    assert exact.state_arrays()["evidence"].tolist() == quick.state_arrays()["evidence"].tolist()


@settings(deadline=None, max_examples=60)
@given(
    counts=st.lists(st.integers(0, 8), min_size=1, max_size=14),
    bar=st.floats(0.1, 5),
    least=st.integers(2, 20),
    exposure=st.sampled_from([9, 20, 2_000]),
)
def test_episodes_of_few_authors_run_as_long_though_their_evidence_is_not_told(
    counts: list[int], bar: float, least: int, exposure: int
) -> None:
    exact, quick = Emergence(warm_up=1, least=least), Emergence(warm_up=1, least=least)
    five = np.array([5], np.uint64)
    for bucket, authors in enumerate(counts):
        count = np.array([authors])
        one = exact.learn_many(five, count, exposure=exposure, bucket=bucket)
        other = quick.learn_many(five, count, exposure=exposure, bucket=bucket, looked_at=bar)
        for name in ("rate", "since", "observed", "expected"):
            assert getattr(other, name).tolist() == getattr(one, name).tolist()
        if one.observed[0] >= least:
            assert (other.evidence[0] >= bar) == (one.evidence[0] >= bar)
            if one.evidence[0] >= bar:
                assert other.evidence.tolist() == one.evidence.tolist()
        else:
            assert other.evidence[0] == 0
    before, after = exact.state_arrays(), quick.state_arrays()
    assert (before.pop("evidence") > 0).tolist() == (after.pop("evidence") > 0).tolist()
    assert {name: one.tolist() for name, one in before.items()} == {
        name: other.tolist() for name, other in after.items()
    }


def test_a_pickled_tree_goes_on_as_if_it_had_not_been() -> None:
    tree = EmergenceTree(Emergence(warm_up=0))
    heard = Heard(
        ["e"],
        np.array([0, 2]),
        np.array([9]),
        np.array([5, 6], np.uint64),
        np.array([3, 1]),
        np.array([-1, -1]),
    )
    told = {"prior": np.array([0.1, 0.2]), "season": np.ones(2)}
    tree.learn_many(heard, bucket=0, **told)
    copy = pickle.loads(pickle.dumps(tree))
    one, other = (each.learn_many(heard, bucket=1, **told) for each in (tree, copy))
    assert one.evidence.tolist() == other.evidence.tolist()
    for name, values in tree.state_arrays().items():
        assert copy.state_arrays()[name].tolist() == values.tolist()


def test_rates_are_those_that_a_bucket_would_be_judged_by() -> None:
    detector = Emergence(warm_up=0)
    features = np.array([5, 6], np.uint64)
    for bucket in range(3):
        detector.learn_many(features, np.array([2, 1]), exposure=10, bucket=bucket)
    judged = detector.score_many(features, np.array([1, 1]), exposure=10, bucket=5)
    assert detector.rates(features, bucket=5).tolist() == judged.rate.tolist()
