"""Novelty: hand-made topics that gather, merge and split, the contract, and real topics."""

import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from river import checks

from detectors import _novelty_kernel as kernel
from detectors._novelty_evidence import with_merges_and_splits
from detectors.emergence import Emergence
from detectors.features import feature_id
from detectors.novelty import Novelty, NoveltyScores

NEWS = Path(__file__).parents[2] / "shared" / "data" / "news_topics" / "news_t.jsonl"


def csr(texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    words = [[feature_id(word) for word in text.split()] for text in texts]
    offsets = np.cumsum([0, *map(len, words)])
    return offsets.astype(np.int64), np.array([word for text in words for word in text], np.uint64)


FILLER = [f"x{number} y{number} z{number}" for number in range(20)]
"""Texts about as many other things."""


def learn(novelty: Novelty, texts: list[str], *, bucket: int, **more: Any) -> NoveltyScores:
    offsets, features = csr(texts)
    people = more.pop("people", np.arange(1, len(texts) + 1, dtype=np.uint64))
    return novelty.learn_many(offsets, features, people, bucket=bucket, **more)


def same_state(one: Novelty, other: Novelty) -> bool:
    left, right = one.state_arrays(), other.state_arrays()
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


def small(**changes: Any) -> Novelty:
    return Novelty(**({"warm_up": 0, "clusters": 64} | changes))


# --- Topics ---------------------------------------------------------------------------------------------


def test_texts_of_a_topic_share_a_cluster_and_others_do_not() -> None:
    scores = learn(
        small(),
        ["gate beeps twice", "cold soup again", "gate beeps badly", "soup was cold", "lost parcel", ""],
        bucket=0,
    )
    gate, soup, gate_too, soup_too, parcel, nothing = scores.texts.tolist()
    assert gate == gate_too
    assert soup == soup_too
    assert len({gate, soup, parcel, 0}) == 4
    assert nothing == 0
    assert scores.clusters.tolist() == sorted([gate, soup, parcel])


def test_the_nearest_cluster_has_the_highest_cosine() -> None:
    novelty = small(join=0.2)
    learn(novelty, ["a b c", "c d e"], bucket=0)
    first, second = learn(novelty, ["a b x", "d e y"], bucket=1).texts.tolist()
    assert novelty.predict_one({"a": 1, "c": 1}) == first
    assert novelty.predict_one({"d": 1, "c": 1}) == second


def test_a_person_counts_once_a_cluster() -> None:
    people = np.array([7, 7, 8, 8, 9], np.uint64)
    texts = ["gate beeps", "gate beeps", "gate beeps", "cold soup", "cold soup"]
    scores = learn(small(), texts, bucket=0, people=people)
    authors = dict(zip(scores.clusters.tolist(), scores.authors.tolist(), strict=True))
    assert authors == {int(scores.texts[0]): 2, int(scores.texts[3]): 2}


def test_words_in_too_many_clusters_tell_nothing() -> None:
    novelty = small(common=0.5)
    texts = [f"thing{number} part{number}" for number in range(30)]
    born = learn(novelty, texts, bucket=0).texts
    assert len(set(born.tolist())) == 30
    scores = learn(novelty, [f"hello {text}" for text in texts], bucket=1)
    assert scores.texts.tolist() == born.tolist()
    # By now thirty clusters of thirty hold it.
    assert novelty.predict_one({"hello": 1}) == 0
    assert learn(novelty, ["hello thing3 part3"], bucket=2).texts[0] == born[3]


def test_a_new_cluster_of_an_old_subject_is_no_news() -> None:
    chance = np.random.default_rng(12)
    novelty = small(warm_up=20)
    for bucket in range(60):
        learn(novelty, [*chatter(chance, 50), "gate beeps"], bucket=bucket)
    before = novelty.terms(novelty.predict_one({"gate": 1, "beeps": 1}))[0]
    assert before.size
    table, clusters = novelty._features, novelty._clusters
    place = int(np.flatnonzero(clusters.ids == novelty.predict_one({"gate": 1, "beeps": 1}))[0])
    kernel.clear(table, clusters, place)
    scores = learn(novelty, [*chatter(chance, 50), "gate beeps"], bucket=60)
    again = scores.clusters.tolist().index(scores.texts[-1])
    assert clusters.born[np.flatnonzero(clusters.ids == scores.texts[-1])] == [60]
    # One in about fifty texts said so before.
    assert scores.expected[again] == pytest.approx(1, rel=0.3)
    assert scores.evidence[again] < 1


def test_an_id_is_the_same_however_the_words_are_ordered_and_another_in_another_bucket() -> None:
    born = learn(small(), ["gate beeps twice"], bucket=5).texts[0]
    assert born == learn(small(), ["twice gate gate beeps"], bucket=5).texts[0]
    assert born != learn(small(), ["gate beeps twice"], bucket=6).texts[0]
    assert int(born) & 3 == 0


def test_the_terms_of_a_cluster_come_most_telling_first() -> None:
    novelty = small()
    scores = learn(novelty, ["gate beeps twice", "gate beeps", "gate beeps", *FILLER], bucket=0)
    terms, shares = novelty.terms(int(scores.texts[0]))
    assert set(terms[:2].tolist()) == {feature_id("gate"), feature_id("beeps")}
    assert shares.tolist() == pytest.approx([1, 1, 1 / 3])
    assert novelty.terms(12)[0].size == 0


def test_old_texts_weigh_less_than_new_ones() -> None:
    novelty = small(half_life=1)
    cluster = int(learn(novelty, ["gate beeps", "gate beeps", "gate beeps", "soup"], bucket=0).texts[0])
    learn(novelty, ["gate beeps loudly"], bucket=1)
    terms, shares = novelty.terms(cluster)
    # Three texts weigh one and a half; the new one is one of two and a half.
    weights = dict(zip(terms.tolist(), shares.tolist(), strict=True))
    assert weights[feature_id("loudly")] == pytest.approx(1 / 2.5)
    assert weights[feature_id("gate")] == pytest.approx(1)


# --- Merging and splitting --------------------------------------------------------------------------------


BRIDGE = ["a b c d e f g h"] * 4


def test_clusters_that_grow_together_merge_and_the_older_id_lives_on() -> None:
    novelty = small(join=0.3, merge=0.5, common=1.0)
    older = int(learn(novelty, ["a b c d", *FILLER], bucket=0).texts[0])
    younger = int(learn(novelty, ["e f g h", *FILLER], bucket=1).texts[0])
    assert older != younger
    merges: list[list[int]] = []
    for bucket in range(2, 8):
        scores = learn(novelty, [*BRIDGE, *FILLER], bucket=bucket)
        merges += scores.merges.tolist()
    assert merges == [[younger, older]]
    assert set(scores.texts[:4].tolist()) == {older}
    assert novelty.terms(younger)[0].size == 0


def test_a_cluster_whose_members_part_splits_and_the_larger_part_keeps_the_id() -> None:
    novelty = small(join=0.2, half_life=3, common=1.0)
    cluster = int(learn(novelty, ["a b c d", *FILLER], bucket=0).texts[0])
    splits: list[list[int]] = []
    for bucket in range(1, 20):
        scores = learn(novelty, ["a b", "a b", "a b", "c d", *FILLER], bucket=bucket)
        splits += scores.splits.tolist()
    assert len(splits) == 1
    assert splits[0][0] == cluster
    assert scores.texts[:4].tolist() == [cluster] * 3 + [splits[0][1]]
    assert set(novelty.terms(splits[0][1])[0].tolist()) == {feature_id("c"), feature_id("d")}


def test_a_merge_adds_up_what_is_known_of_both() -> None:
    novelty = small(join=0.3, merge=0.5, common=1.0)
    older = int(learn(novelty, ["a b c d"] * 3 + FILLER, bucket=0, exposure=300).texts[0])
    learn(novelty, ["e f g h"] * 3 + FILLER, bucket=1, exposure=300)
    for bucket in range(2, 9):
        before = novelty.state_arrays()
        scores = learn(novelty, [*BRIDGE, *FILLER], bucket=bucket, exposure=300)
        if scores.merges.size:
            break
    ended = int(scores.merges[0, 0])
    known = {name: before[f"gathering_{name}"] for name in ("ids", "authors", "since")}
    one, two = (known["ids"].tolist().index(cluster) for cluster in (older, ended))
    place = scores.clusters.tolist().index(older)
    assert scores.observed[place] == known["authors"][one] + known["authors"][two] + 4
    assert scores.since[place] == min(known["since"][one], known["since"][two]) == 0


def test_the_new_part_of_a_split_has_its_share_of_the_past_and_no_evidence() -> None:
    gathering = Emergence(half_life=10, warm_up=0)
    gathering.learn_many(np.array([4, 8], np.uint64), np.array([10, 1], np.int64), exposure=50, bucket=0)
    split = with_merges_and_splits(
        gathering, np.empty((0, 2), np.uint64), np.array([[4, 6]], np.uint64), np.array([0.25])
    )
    arrays = split.state_arrays()
    assert arrays["ids"].tolist() == [4, 6, 8]
    assert arrays["shape"].tolist() == pytest.approx([7.5, 2.5, 1.0])
    assert arrays["evidence"][1] == 0 < arrays["evidence"][0]


def test_a_merge_discounts_both_pasts_to_the_later_mention() -> None:
    gathering = Emergence(half_life=1, warm_up=0)
    gathering.learn_many(np.array([4], np.uint64), np.array([8]), exposure=50, bucket=0)
    gathering.learn_many(np.array([8], np.uint64), np.array([3]), exposure=50, bucket=2)
    before = gathering.state_arrays()["evidence"]
    merged = with_merges_and_splits(
        gathering, np.array([[8, 4], [99, 4]], np.uint64), np.empty((0, 2), np.uint64), np.empty(0)
    )
    arrays = merged.state_arrays()
    assert arrays["ids"].tolist() == [4]
    assert arrays["shape"].tolist() == pytest.approx([8 / 4 + 3])
    assert arrays["last"].tolist() == [2]
    assert arrays["evidence"][0] == pytest.approx(before.sum())
    assert (arrays["authors"][0], arrays["since"][0]) == (11, 0)


# --- Gathering ----------------------------------------------------------------------------------------------


def chatter(chance: np.random.Generator, texts: int) -> list[str]:
    """Texts about forty things that stay as frequent as they are."""
    things = chance.integers(0, 40, texts)
    return [f"thing{thing} part{thing} word{chance.integers(0, 400)}" for thing in things]


def test_a_topic_that_gathers_is_told_from_chatter() -> None:
    chance = np.random.default_rng(11)
    novelty = Novelty(warm_up=28)
    highest = 0.0
    for bucket in range(70):
        scores = learn(novelty, chatter(chance, 60), bucket=bucket)
        highest = max(highest, float(scores.evidence.max()))
    # Budgets of one false alert in four years over the clusters judged in a bucket.
    threshold = float(np.log(novelty.tests_per_bucket * 365 * 4))
    assert highest < threshold
    for bucket in range(70, 74):
        scores = learn(novelty, [*chatter(chance, 60), *["gate beeps at the exit"] * 3], bucket=bucket)
    topic = scores.clusters.tolist().index(scores.texts[-1])
    assert scores.evidence[topic] > threshold
    assert scores.evidence[topic] == scores.evidence.max()
    assert (scores.since[topic], scores.observed[topic]) == (70, 12)
    assert scores.expected[topic] < 2
    novelty.restart(scores.clusters[topic : topic + 1])
    scores = learn(novelty, [*chatter(chance, 60), "gate beeps at the exit"], bucket=74)
    assert scores.evidence[scores.clusters.tolist().index(scores.texts[-1])] < threshold


# --- Memory -------------------------------------------------------------------------------------------------


def test_memory_is_bounded_and_the_weakest_cluster_goes_first() -> None:
    novelty = small(clusters=8, vocabulary=30)
    kept = int(learn(novelty, ["gate beeps"] * 5, bucket=0).texts[0])
    for bucket in range(1, 30):
        learn(novelty, [f"a{bucket} b{bucket} c{bucket}", f"d{bucket} e{bucket}"], bucket=bucket)
        arrays = novelty.state_arrays()
        assert arrays["cluster_ids"].size <= 8
        assert arrays["feature_ids"].size <= 30 + 8 * kernel.MOST_TERMS
        assert kept in arrays["cluster_ids"]
    assert arrays["feature_ids"].size < 2 + 29 * 5
    assert arrays["gathering_ids"].size <= 2 * 8 + 2


def test_a_cluster_keeps_the_terms_heard_most() -> None:
    novelty = small(join=0.05)
    long = " ".join(f"w{number}" for number in range(100))
    cluster = int(learn(novelty, [long, "gate beeps"], bucket=0).texts[0])
    for bucket in range(1, 5):
        learn(novelty, [" ".join(f"w{number}" for number in range(90, 100))], bucket=bucket)
    terms, _ = novelty.terms(cluster)
    assert terms.size == kernel.MOST_TERMS
    assert {feature_id(f"w{number}") for number in range(90, 100)} <= set(terms.tolist())


# --- The contract ---------------------------------------------------------------------------------------


def test_buckets_without_texts_pass() -> None:
    novelty = small()
    scores = learn(novelty, [], bucket=3)
    assert scores.texts.size == scores.clusters.size == scores.merges.size == 0
    assert novelty.next_bucket == 4


def test_river_accepts_it() -> None:
    checks.check_estimator(Novelty())
    fresh = Novelty(join=0.2, clusters=5).clone()
    assert (fresh.join, fresh.clusters) == (0.2, 5)


# --- Bad values -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"join": 0}, "join is 0"),
        ({"join": 1}, "join is 1"),
        ({"join": 0.5, "merge": 0.4}, "merge is 0.4"),
        ({"half_life": 0}, "half_life is 0 buckets"),
        ({"common": 0}, "common is 0"),
        ({"clusters": 0}, "clusters is 0"),
        ({"vocabulary": -1}, "vocabulary -1"),
        ({"strength": 0}, "strength is 0"),
        ({"warm_up": -1}, "warm_up is -1"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Novelty(**parameters)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offsets": np.array([0, 2])}, "2 people but 2 offsets"),
        ({"offsets": np.array([0, 2, 5])}, "number of features, 3"),
        ({"offsets": np.array([0, 4, 3])}, "offsets must rise"),
        ({"offsets": np.array([1, 2, 3])}, "offsets must rise from 0"),
        ({"features": np.array([4, 0, 5], np.uint64)}, "features hold 0"),
        ({"bucket": 4}, "buckets up to 4 are learned already"),
        ({"exposure": 1}, "exposure is 1 persons, but 2"),
    ],
)
@pytest.mark.parametrize("act", ["score_many", "learn_many"])
def test_a_bucket_that_cannot_be_is_refused_and_leaves_no_trace(
    changes: dict[str, Any], message: str, act: str
) -> None:
    novelty = small()
    learn(novelty, ["gate beeps"], bucket=4)
    before = pickle.loads(pickle.dumps(novelty))
    asked: dict[str, Any] = {
        "offsets": np.array([0, 2, 3]),
        "features": np.array([4, 5, 5], np.uint64),
        "people": np.array([1, 2], np.uint64),
        "bucket": 5,
    }
    with pytest.raises(ValueError, match=message):
        getattr(novelty, act)(**(asked | changes))
    assert same_state(novelty, before)


# --- Real text ------------------------------------------------------------------------------------------


def test_real_titles_gather_by_topic() -> None:
    if not NEWS.parent.exists():
        pytest.skip(f"{NEWS.parent} is not there")
    rows = [json.loads(line) for line in NEWS.read_text("utf-8").splitlines()[:4000]]
    novelty = Novelty()
    members: dict[int, Counter[int]] = {}
    for bucket in range(40):
        part = rows[bucket * 100 : (bucket + 1) * 100]
        scores = learn(novelty, [row["textCleaned"] for row in part], bucket=bucket)
        for cluster, row in zip(scores.texts.tolist(), part, strict=True):
            members.setdefault(cluster, Counter())[row["clusterNo"]] += 1
        for ended, kept in scores.merges.tolist():
            members.setdefault(kept, Counter()).update(members.pop(ended, Counter()))
    purity = sum(topics.most_common(1)[0][1] for topics in members.values()) / len(rows)
    assert purity > 0.85
    assert len(members) < len(rows) / 8
