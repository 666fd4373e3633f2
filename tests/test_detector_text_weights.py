"""Text weights against hand-worked steps and a slow reference; whole numbers against floats."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from river.checks import check_estimator

from detectors.features import feature_id
from detectors.text_weights import UNIT, Quantised, Texts, TextWeights

Floats = NDArray[np.float64]
Text = tuple[list[int], int, int, int]
"""Features, hint, class, author."""
Place = tuple[str, int, int]
"""Kind of a weight, its feature or hint, its class."""

FEATURES = st.lists(st.integers(1, 12), max_size=6, unique=True)
TEXT = st.tuples(FEATURES, st.integers(-5, 5), st.integers(0, 2), st.integers(0, 4))
TEXTS = st.lists(TEXT, max_size=40)


def columns(texts: Sequence[Text]) -> tuple[Texts, NDArray[np.int64], NDArray[np.uint64]]:
    """The texts as a batch, their classes and their authors."""
    features = [feature for text in texts for feature in text[0]]
    offsets = np.cumsum([0, *(len(text[0]) for text in texts)])
    hints = np.array([text[1] for text in texts], np.int64)
    batch = Texts(np.array(features, np.uint64), offsets.astype(np.int64), hints)
    return (
        batch,
        np.array([text[2] for text in texts], np.int64),
        np.array([text[3] for text in texts], np.uint64),
    )


def learned(texts: Sequence[Text], **given: Any) -> tuple[TextWeights, Floats]:
    model = TextWeights((0, 1, 2), **{"min_authors": 2, **given})
    batch, classes, authors = columns(texts)
    return model, model.learn_many(batch, classes, authors=authors)


def same_state(one: TextWeights, other: TextWeights) -> bool:
    first, second = one.state_arrays(), other.state_arrays()
    return all(np.array_equal(first[name], second[name]) for name in first)


class Slow:
    """The same method with dictionaries, one number at a time; means are taken from the whole past."""

    def __init__(self, min_authors: int) -> None:
        self.min_authors = min_authors
        self.texts: dict[int, int] = {}
        self.authors: dict[int, set[int]] = {}
        self.weights: dict[Place, float] = {}
        self.squares: dict[Place, float] = {}
        self.past: list[dict[Place, float]] = [{}]
        self.totals = [0, 0, 0]

    def inputs(self, text: Text) -> dict[tuple[str, int], float]:
        """What is told from: the hint and the words that enough authors use."""
        features, hint, _, _ = text
        known = [one for one in features if len(self.authors.get(one, ())) >= self.min_authors]
        return {("hint", max(-3, min(3, hint))): 0.5, **self.scaled(known)}

    def lesson(self, text: Text) -> dict[tuple[str, int], float]:
        """What is learned from: all words, those not told from as parts of the whole text."""
        return {**self.scaled(text[0]), **self.inputs(text)}

    def scaled(self, features: Sequence[int]) -> dict[tuple[str, int], float]:
        idf = {
            feature: math.log((1 + sum(self.totals)) / (1 + self.texts.get(feature, 0))) + 1
            for feature in features
        }
        length = math.sqrt(sum(value**2 for value in idf.values()))
        return {("word", feature): value / length for feature, value in idf.items()}

    def tell(self, text: Text) -> list[float]:
        """Probabilities by the mean of all weights there were."""
        places = {place for weights in self.past for place in weights}
        mean = {place: sum(one.get(place, 0.0) for one in self.past) / len(self.past) for place in places}
        return self.shares(text, mean)

    def shares(self, text: Text, weights: Mapping[Place, float]) -> list[float]:
        inputs = self.inputs(text)
        sizes = [
            math.exp(sum(weights.get((*key, number), 0.0) * value for key, value in inputs.items()))
            for number in range(3)
        ]
        return [size / sum(sizes) for size in sizes]

    def learn(self, text: Text) -> None:
        features, _, right, author = text
        inputs, shares = self.lesson(text), self.shares(text, self.weights)
        self.totals[right] += 1
        weight = math.sqrt((sum(self.totals) + 3) / (3 * (self.totals[right] + 1)))
        for number, share in enumerate(shares):
            error = weight * (share - (number == right))
            for key, value in inputs.items():
                place = (*key, number)
                gradient = error * value
                self.squares[place] = self.squares.get(place, 0.0) + gradient**2
                step = 0.75 * gradient / math.sqrt(self.squares[place] + 0.01)
                self.weights[place] = self.weights.get(place, 0.0) - step
        for feature in features:
            self.texts[feature] = self.texts.get(feature, 0) + 1
            self.authors.setdefault(feature, set()).add(author)
        self.past.append(dict(self.weights))


# what it computes ----------------------------------------------------------------------------------------


def test_the_first_step_worked_by_hand() -> None:
    model = TextWeights(("low", "high"), min_authors=1)
    model.learn_one({"panne": 1.0}, "low")
    # Shares of one half; the class weighs sqrt((1 + 2) / (2 (1 + 1))); the hint's value is one half.
    gradient = math.sqrt(3 / 4) * 0.5 * 0.5
    step = 0.75 * gradient / math.sqrt(gradient**2 + 0.01)
    # The mean of the weights before and after that step, up for one class and down for the other.
    odds = 2 * 0.5 * step / 2
    shares = model.predict_proba_one({})
    assert shares["low"] / shares["high"] == pytest.approx(math.exp(odds))
    # The word alone has length 1, and was learned before it had its author.
    gradient = math.sqrt(3 / 4) * 0.5
    odds += 2 * 0.75 * gradient / math.sqrt(gradient**2 + 0.01) / 2
    shares = model.predict_proba_one({"panne": 1.0})
    assert shares["low"] / shares["high"] == pytest.approx(math.exp(odds))


@settings(max_examples=60, deadline=None)
@given(texts=TEXTS, min_authors=st.integers(1, 3))
def test_it_equals_a_slow_reference(texts: list[Text], min_authors: int) -> None:
    slow, expected = Slow(min_authors), []
    for text in texts:
        expected.append(slow.tell(text))
        slow.learn(text)
    _, shares = learned(texts, min_authors=min_authors)
    assert shares == pytest.approx(np.array(expected).reshape(-1, 3), abs=1e-10)


def test_values_weigh_and_a_value_of_zero_is_no_feature() -> None:
    model = TextWeights(min_authors=1)
    for _ in range(20):
        model.learn_one({"lent": 1.0}, "low")
        model.learn_one({"rapide": 1.0}, "high")
    both = model.predict_proba_one({"lent": 1.0, "rapide": 1.0})["low"]
    assert model.predict_proba_one({"lent": 3.0, "rapide": 1.0})["low"] > both + 0.05
    assert model.predict_proba_one({"lent": 1.0, "rapide": 0.0}) == model.predict_proba_one({"lent": 1.0})


def test_hints_decide_until_words_are_learned() -> None:
    model = TextWeights((0, 1), min_authors=1)
    for _ in range(30):
        model.learn_one({"mood": -2}, 0)
        model.learn_one({"mood": 2}, 1)
    assert model.predict_one({"mood": -2, "nouveau": 1}) == 0
    assert model.predict_one({"mood": 2, "nouveau": 1}) == 1
    # Beyond the last level a hint reads as that one, which nobody has met yet.
    assert model.predict_proba_one({"mood": 9}) == model.predict_proba_one({"mood": 3}) == {0: 0.5, 1: 0.5}


def test_rare_classes_weigh_more() -> None:
    def share(balance: float) -> float:
        model = TextWeights((0, 1), min_authors=1, balance=balance)
        for number in range(200):
            model.learn_one({"mot": 1.0}, int(number % 10 == 0))
        return model.predict_proba_one({"mot": 1.0})[1]

    assert share(0.0) < share(0.5) < share(1.0)
    assert share(0.0) == pytest.approx(0.1, abs=0.05)
    assert share(1.0) == pytest.approx(0.5, abs=0.15)


# who may be learned from ---------------------------------------------------------------------------------


def test_a_word_is_learned_only_after_enough_authors() -> None:
    model = TextWeights(("low", "high"), min_authors=3)
    for _ in range(50):
        model.learn_one({"dupont": 1.0}, "low", author=7)
    model.learn_one({"dupont": 1.0}, "low", author=8)
    assert model.quantised().features.size == 0
    assert model.predict_proba_one({"dupont": 1.0}) == model.predict_proba_one({})
    model.learn_one({"dupont": 1.0}, "low", author=9)
    assert model.quantised().features.tolist() == [feature_id("dupont")]


def test_what_was_learned_of_a_word_is_withheld_until_enough_people_use_it() -> None:
    patient, eager = (TextWeights(("low", "high"), min_authors=least) for least in (3, 1))
    for author in range(2):
        for model in (patient, eager):
            model.learn_one({"dupont": 1.0, "caisse": 1.0}, "low", author=author)
            model.learn_one({"caisse": 1.0}, "high", author=author + 2)
    # Four people said one word and two the other.
    assert patient.quantised().features.tolist() == [feature_id("caisse")]
    assert patient.predict_proba_one({"dupont": 1.0}) == patient.predict_proba_one({})
    assert eager.predict_proba_one({"dupont": 1.0})["low"] > 0.55
    before = patient.predict_proba_one({})["low"]
    patient.learn_one({"dupont": 1.0}, "low", author=9)
    # With the third person the word counts, and tells what the first two said as well: more than the step
    # that the third text alone makes.
    alone = TextWeights(("low", "high"), min_authors=1)
    alone.learn_one({"dupont": 1.0}, "low")
    after = patient.predict_proba_one({"dupont": 1.0})["low"]
    assert after > alone.predict_proba_one({"dupont": 1.0})["low"] > before


def test_values_whose_squares_vanish_are_as_good_as_absent() -> None:
    model = TextWeights(("low", "high"), min_authors=1)
    model.learn_one({"panne": 1e-300}, "low")
    assert model.predict_proba_one({"panne": 1e-300}) == model.predict_proba_one({})


def test_texts_without_author_are_of_different_people() -> None:
    model = TextWeights(("low", "high"), min_authors=3)
    for _ in range(4):
        model.learn_one({"panne": 1.0}, "low")
    assert model.quantised().features.tolist() == [feature_id("panne")]


# laws ----------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(texts=TEXTS, cuts=st.lists(st.integers(0, 40), max_size=4))
def test_batches_can_be_cut_anywhere(texts: list[Text], cuts: list[int]) -> None:
    whole, expected = learned(texts)
    model = TextWeights((0, 1, 2), min_authors=2)
    ends = sorted({0, len(texts), *(min(cut, len(texts)) for cut in cuts)})
    parts = [np.empty((0, 3))]
    for start, end in pairwise(ends):
        batch, classes, authors = columns(texts[start:end])
        parts.append(model.learn_many(batch, classes, authors=authors))
    assert np.array_equal(np.concatenate(parts), expected)
    assert same_state(model, whole)


@settings(max_examples=30, deadline=None)
@given(texts=TEXTS)
def test_one_at_a_time_is_the_same(texts: list[Text]) -> None:
    # One at a time, features are taken in order of id.
    named = [(sorted(feature_id(str(feature)) for feature in text[0]), *text[1:]) for text in texts]
    whole, expected = learned(named)
    model = TextWeights((0, 1, 2), min_authors=2)
    for row, (features, hint, label, author) in enumerate(texts):
        x = {"mood": hint, **{str(feature): 1 for feature in features}}
        assert list(model.predict_proba_one(x).values()) == expected[row].tolist()
        model.learn_one(x, label, author=author)
    assert same_state(model, whole)


@settings(max_examples=30, deadline=None)
@given(texts=TEXTS, asked=TEXTS)
def test_scoring_changes_nothing_and_a_checkpoint_holds_everything(
    texts: list[Text], asked: list[Text]
) -> None:
    model, _ = learned(texts)
    before = model.state_arrays()
    scores = model.score_many(columns(asked)[0])
    assert all(np.array_equal(before[name], column) for name, column in model.state_arrays().items())
    other = TextWeights((0, 1, 2), min_authors=2)
    other.load_state_arrays(before)
    assert np.array_equal(other.score_many(columns(asked)[0]), scores)
    batch, classes, authors = columns(asked)
    learned_again = model.learn_many(batch, classes, authors=authors)
    assert np.array_equal(other.learn_many(batch, classes, authors=authors), learned_again)
    assert same_state(model, other)


@settings(max_examples=40, deadline=None)
@given(texts=TEXTS, asked=TEXTS)
def test_whole_numbers_say_the_same(texts: list[Text], asked: list[Text]) -> None:
    model, _ = learned(texts)
    shares = model.score_many(columns(asked)[0])
    log_odds, known = model.quantised().log_odds(columns(asked)[0])
    told = np.log(shares) - np.log(shares[:, :1])
    assert (log_odds - log_odds[:, :1]) / UNIT == pytest.approx(told, abs=0.02)
    held = set(model.quantised().features.tolist())
    assert known.tolist() == [len(held & set(text[0])) for text in asked]


@settings(max_examples=30, deadline=None)
@given(texts=TEXTS, asked=TEXTS)
def test_the_order_of_words_is_nothing_to_whole_numbers(texts: list[Text], asked: list[Text]) -> None:
    quantised = learned(texts)[0].quantised()
    turned = [(text[0][::-1], *text[1:]) for text in asked]
    straight, back = quantised.log_odds(columns(asked)[0]), quantised.log_odds(columns(turned)[0])
    assert all(np.array_equal(one, other) for one, other in zip(straight, back, strict=True))


def test_log_odds_worked_by_hand() -> None:
    quantised = Quantised(
        features=np.array([5, 9], np.uint64),
        weights=np.array([[4 * UNIT, 0], [0, 2 * UNIT]]),
        # Idf of 3 and of 4: together of length 5.
        squared=np.array([9 * 256, 16 * 256]),
        hints=np.array([[0, 1], [0, 0], [-1, 0]]),
    )
    batch = Texts(
        np.array([9, 5, 7, 5, 7], np.uint64),
        np.array([0, 2, 4, 5]),
        np.array([0, 2, -1]),
    )
    log_odds, known = quantised.log_odds(batch)
    assert known.tolist() == [2, 1, 0]
    assert log_odds.tolist() == [
        [4 * UNIT // 5, 2 * UNIT // 5],
        [4 * UNIT // 3 - 1, 0],
        [0, 1],
    ]


# edges ---------------------------------------------------------------------------------------------------


def test_no_texts_and_texts_without_words() -> None:
    model, shares = learned([])
    assert shares.shape == (0, 3)
    assert model.score_many(columns([([], 0, 0, 0)])[0]).tolist() == [[1 / 3, 1 / 3, 1 / 3]]
    assert model.quantised().log_odds(columns([])[0])[0].shape == (0, 3)
    assert TextWeights().predict_proba_one({"mot": 1}) == {}
    assert TextWeights().predict_one({"mot": 1}) is None


def test_labels_are_those_given_and_then_those_met() -> None:
    model = TextWeights(("low",), min_authors=1)
    model.learn_one({"a": 1}, "low")
    model.learn_one({"b": 1}, "high")
    assert model.labels == ("low", "high")
    assert set(model.predict_proba_one({"a": 1})) == {"low", "high"}
    with pytest.raises(ValueError, match="the state has 2 classes, the estimator 1"):
        TextWeights(("low",)).load_state_arrays(model.state_arrays())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"classes": ("a", "a")}, "labels must differ"),
        ({"min_authors": 0}, "min_authors is 0; it must be at least 1"),
        ({"rate": 0.0}, "rate is 0.0; it must be above 0"),
        ({"balance": 1.5}, "balance is 1.5; it must lie between 0 and 1"),
        ({"levels": -1}, "levels -1; both must be at least 0"),
    ],
)
def test_parameters_out_of_range(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TextWeights(**wrong)


@pytest.mark.parametrize(
    ("features", "offsets", "hints", "values", "message"),
    [
        ([0], [0, 1], None, None, "a feature is 0"),
        ([5, 5], [0, 2], None, None, "text 0 holds a feature twice"),
        ([5], [0, 2], None, None, "offsets must rise from 0 to 1"),
        ([5], [0, 1], [0, 0], None, "1 texts but 2 hints"),
        ([5], [0, 1], None, [1.0, 1.0], "1 features but 2 values"),
        ([5], [0, 1], None, [math.nan], "a value is nan; values must be finite"),
        ([5], [0, 1], None, [-math.inf], "a value is -inf; values must be finite"),
    ],
)
def test_texts_that_break_a_rule_teach_nothing(
    features: list[int],
    offsets: list[int],
    hints: list[int] | None,
    values: list[float] | None,
    message: str,
) -> None:
    model, _ = learned([([5], 0, 0, 0)])
    before = model.state_arrays()
    texts = Texts(
        np.array(features, np.uint64),
        np.array(offsets, np.int64),
        None if hints is None else np.array(hints, np.int64),
        None if values is None else np.array(values),
    )
    with pytest.raises(ValueError, match=message):
        model.learn_many(texts, np.array([0]))
    assert all(np.array_equal(before[name], column) for name, column in model.state_arrays().items())


def test_classes_and_authors_are_one_a_text() -> None:
    model, _ = learned([])
    texts = columns([([5], 0, 0, 0)])[0]
    with pytest.raises(ValueError, match="1 texts but 2 classes"):
        model.learn_many(texts, np.array([0, 1]))
    with pytest.raises(ValueError, match="1 texts but 0 authors"):
        model.learn_many(texts, np.array([0]), authors=np.empty(0, np.uint64))
    with pytest.raises(ValueError, match="classes run from 3 to 3; there are 3"):
        model.learn_many(texts, np.array([3]))


def test_rivers_own_checks() -> None:
    check_estimator(TextWeights(min_authors=1))
