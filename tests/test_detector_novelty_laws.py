"""What holds for every stream of texts that novelty reads: purity, checkpoints, order, consistency."""

import pickle
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.features import feature_id
from detectors.novelty import Novelty, NoveltyScores

SCORES = (
    "texts",
    "clusters",
    "authors",
    "evidence",
    "log_e",
    "since",
    "observed",
    "expected",
    "merges",
    "splits",
)


def csr(texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    words = [[feature_id(word) for word in text.split()] for text in texts]
    offsets = np.cumsum([0, *map(len, words)])
    return offsets.astype(np.int64), np.array([word for text in words for word in text], np.uint64)


def same_scores(one: NoveltyScores, other: NoveltyScores) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in SCORES)


def same_state(one: Novelty, other: Novelty) -> bool:
    left, right = one.state_arrays(), other.state_arrays()
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


def small(**changes: Any) -> Novelty:
    return Novelty(**({"warm_up": 0, "clusters": 64} | changes))


TEXT = st.lists(st.sampled_from("abcdefghij"), max_size=5).map(" ".join)


BUCKET = st.fixed_dictionaries(
    {
        "gap": st.sampled_from([1, 1, 1, 3, 50]),
        "texts": st.lists(TEXT, max_size=8),
        "people": st.integers(1, 8),
        "restart": st.booleans(),
    }
)


STREAM = st.lists(BUCKET, max_size=10)


PARAMETERS = st.fixed_dictionaries(
    {
        "join": st.sampled_from([0.1, 0.4]),
        "merge": st.sampled_from([0.4, 0.9]),
        "half_life": st.sampled_from([1.0, 10.0]),
        "clusters": st.sampled_from([1, 4, 32]),
        "vocabulary": st.sampled_from([0, 5, 1000]),
        "warm_up": st.sampled_from([0, 3]),
    }
)


Stream = list[dict[str, Any]]


def arguments(stream: Stream) -> list[tuple[Any, Any, Any, int]]:
    buckets, bucket = [], 3
    for part in stream:
        bucket += part["gap"]
        people = np.arange(len(part["texts"]), dtype=np.uint64) % np.uint64(part["people"])
        buckets.append((*csr(part["texts"]), people, bucket))
    return buckets


@settings(deadline=None, max_examples=60)
@given(stream=STREAM, parameters=PARAMETERS, cuts=st.sets(st.integers(0, 9)))
def test_scoring_changes_nothing_and_checkpoints_neither(
    stream: Stream, parameters: dict[str, Any], cuts: set[int]
) -> None:
    whole, stopped = Novelty(**parameters), Novelty(**parameters)
    for number, (part, heard) in enumerate(zip(stream, arguments(stream), strict=True)):
        *columns, bucket = heard
        if number in cuts:
            arrays = stopped.state_arrays()
            stopped = Novelty(**parameters)
            stopped.load_state_arrays(arrays)
        before = pickle.loads(pickle.dumps(whole))
        scored = whole.score_many(*columns, bucket=bucket)
        assert same_state(before, whole)
        assert same_scores(scored, whole.learn_many(*columns, bucket=bucket))
        assert same_scores(scored, stopped.learn_many(*columns, bucket=bucket))
        if part["restart"]:
            for each in (whole, stopped):
                each.restart(scored.clusters[:1])
        assert same_state(whole, stopped)


@settings(deadline=None, max_examples=40)
@given(stream=STREAM, parameters=PARAMETERS, order=st.randoms(use_true_random=False))
def test_the_order_of_words_within_a_text_changes_nothing(
    stream: Stream, parameters: dict[str, Any], order: Any
) -> None:
    plain, shuffled = Novelty(**parameters), Novelty(**parameters)
    for part, heard in zip(stream, arguments(stream), strict=True):
        *columns, bucket = heard
        mixed = []
        for text in part["texts"]:
            words = text.split() * 2
            order.shuffle(words)
            mixed.append(" ".join(words))
        one = plain.learn_many(*columns, bucket=bucket)
        assert same_scores(one, shuffled.learn_many(*csr(mixed), columns[2], bucket=bucket))
        assert same_state(plain, shuffled)


def heard(*texts: str, gap: int = 1) -> dict[str, Any]:
    return {"gap": gap, "texts": list(texts), "people": 1, "restart": False}


# A cluster splits after a long pause: what its members of late hold is not what its faded counts say.
@example(
    stream=[heard("a", "a", "a", "a", "b"), heard("a d", gap=50), heard("b c d"), heard("a d")],
    parameters={
        "join": 0.4,
        "merge": 0.4,
        "half_life": 1.0,
        "clusters": 4,
        "vocabulary": 0,
        "warm_up": 0,
    },
)
@settings(deadline=None, max_examples=40)
@given(stream=STREAM, parameters=PARAMETERS)
def test_what_is_kept_is_consistent(stream: Stream, parameters: dict[str, Any]) -> None:
    novelty = Novelty(**parameters)
    alive: set[int] = set()
    for *columns, bucket in arguments(stream):
        scores = novelty.learn_many(*columns, bucket=bucket)
        arrays = novelty.state_arrays()
        assert arrays["cluster_ids"].size <= parameters["clusters"]
        assert (np.diff(arrays["feature_ids"].astype(object)) > 0).all()
        assert np.isin(arrays["cluster_terms"], np.append(arrays["feature_ids"], 0)).all()
        assert (arrays["cluster_counts"] <= arrays["cluster_texts"][:, None] * (1 + 1e-9)).all()
        assert (arrays["cluster_texts"] > 0).all()
        # Ids come from birth, or by a split; none comes back under another name.
        new = set(arrays["cluster_ids"].tolist()) - alive - set(scores.splits[:, 1].tolist())
        born = arrays["cluster_born"][np.isin(arrays["cluster_ids"], list(new))]
        assert (born == bucket).all()
        alive |= set(arrays["cluster_ids"].tolist())
        assert not set(scores.merges[:, 0].tolist()) & set(arrays["cluster_ids"].tolist())


@settings(deadline=None, max_examples=30)
@given(texts=st.lists(TEXT, max_size=6))
def test_one_at_a_time_is_the_same_as_many(texts: list[str]) -> None:
    one, many = small(), small()
    for bucket, text in enumerate(texts):
        x: dict[Any, Any] = dict.fromkeys(text.split(), 1)
        columns = (*csr([text]), np.ones(1, np.uint64))
        scores = many.score_many(*columns, bucket=bucket)
        assert one.predict_one(x) == scores.texts[0]
        assert one.score_one(x) == max(0.0, scores.evidence.max(initial=0.0))
        one.learn_one(x)
        many.learn_many(*columns, bucket=bucket)
        assert same_state(one, many)
