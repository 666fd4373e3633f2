"""Text weights: which words go with which label, learned text by text, and never from a rare word."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river.base import Classifier

from detectors import _text_weights_kernel as kernel
from detectors._emergence_state import capacity_for
from detectors.features import feature_id

Ids = NDArray[np.uint64]
Whole = NDArray[np.int64]
Floats = NDArray[np.float64]

UNIT = kernel.UNIT
"""Log-odds of 1 in quantised weights."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A batch of texts as a list column.

    features: ids, none 0, distinct within a text, shape (entries,). offsets: where texts begin and end, shape
    (texts + 1,). hints: what another reader says of each text, shape (texts,); 0 where None. values: weight
    of each entry, finite, shape (entries,); 1 where None.
    """

    features: Ids
    offsets: Whole
    hints: Whole | None = None
    values: Floats | None = None

    def __len__(self) -> int:
        return self.offsets.size - 1


@dataclass(frozen=True, slots=True)
class Quantised:
    """Learned weights as whole numbers: they give the same log-odds on every machine.

    features: ids in order, shape (features,). weights: weight times idf, in 1/UNIT, shape (features,
    classes). squared: squared idf, in 1/256, at least 1, shape (features,). hints: what hints add, in 1/UNIT,
    shape (levels, classes), the middle one for hint 0.
    """

    features: Ids
    weights: Whole
    squared: Whole
    hints: Whole

    def log_odds(self, texts: Texts) -> tuple[Whole, Whole]:
        """Log-odds of each class in 1/UNIT, shape (texts, classes), and known features, shape (texts,).

        Differences between classes count, not sizes. `values` are passed over.
        """
        size = len(texts)
        log_odds, known = np.zeros((size, self.weights.shape[1]), np.int64), np.zeros(size, np.int64)
        # Three times as large as it must be: what is not there is then told from the first look.
        table = kernel.index(self.features, capacity_for(3 * self.features.size))
        kernel.weigh(
            texts.features,
            texts.offsets,
            _levels(texts, self.hints.shape[0] // 2),
            table,
            self.weights,
            self.squared,
            self.hints,
            log_odds,
            known,
        )
        return log_odds, known


class TextWeights(Classifier):
    """Softmax regression over the words of texts, in one pass, with weights for words of several authors.

    A text is a set of features, weighted by their inverse document frequency as learned so far and scaled to
    length 1, and a hint: a whole number that says what another reader, such as a lexicon, makes of the text.
    Each level of the hint has weights too: where little is learned yet, they decide. Steps are those of
    AdaGrad, and weights are their mean over all texts, for the last ones must not count most; texts of rare
    classes weigh more. A feature is learned from its first text on, but counts for nothing in what is told,
    and is not given out, before `min_authors` distinct authors have used it: no weight that anybody sees
    tells of what one person wrote.

    Parameters
    ----------
    classes
        Labels in the order of columns; None: none yet. One that `learn_one` meets for the first time is
        added.
    min_authors
        Distinct authors who use a feature before it counts; at least 1.
    rate
        Size of the steps; above 0.
    balance
        0: every text weighs the same; 1: every class does.
    hint_value
        Value of the hint beside the words, whose length is 1; at least 0.
    levels
        Hints are read from -levels to levels, larger ones as the nearest; at least 0.
    hint
        Key of `x` that holds the hint in the one-at-a-time interface.

    Examples
    --------
    >>> model = TextWeights(min_authors=1)
    >>> for _ in range(20):
    ...     model.learn_one({"panne": 1, "caisse": 1}, "low")
    ...     model.learn_one({"merci": 1, "caisse": 1}, "high")
    >>> model.predict_one({"merci": 1}), model.predict_one({"panne": 1})
    ('high', 'low')

    References
    ----------
    Polyak, B. & Juditsky, A. (1992). Acceleration of stochastic approximation by averaging. SIAM Journal on
    Control and Optimization 30(4):838-855.
    Duchi, J., Hazan, E. & Singer, Y. (2011). Adaptive subgradient methods for online learning and stochastic
    optimization. Journal of Machine Learning Research 12:2121-2159.
    """

    def __init__(
        self,
        classes: Sequence[Hashable] | None = None,
        min_authors: int = 5,
        rate: float = 0.75,
        balance: float = 0.5,
        hint_value: float = 0.5,
        levels: int = 3,
        hint: str = "mood",
    ) -> None:
        labels = list(classes or ())
        if len(set(labels)) < len(labels):
            raise ValueError(f"classes is {classes}; labels must differ")
        if not min_authors >= 1:
            raise ValueError(f"min_authors is {min_authors}; it must be at least 1")
        if not 0 < rate < math.inf:
            raise ValueError(f"rate is {rate}; it must be above 0 and finite")
        if not 0 <= balance <= 1:
            raise ValueError(f"balance is {balance}; it must lie between 0 and 1")
        if not (0 <= hint_value < math.inf and levels >= 0):
            raise ValueError(f"hint_value is {hint_value} and levels {levels}; both must be at least 0")
        self.classes = classes
        self.min_authors = min_authors
        self.rate = rate
        self.balance = balance
        self.hint_value = hint_value
        self.levels = levels
        self.hint = hint
        self._labels = labels
        self._state = kernel.empty_state(len(labels), 2 * levels + 1, min_authors)

    @property
    def labels(self) -> tuple[Hashable, ...]:
        """The classes, those met since included, in the order of columns."""
        return tuple(self._labels)

    @property
    def _multiclass(self) -> bool:
        return True

    # one text at a time, as river users know it ------------------------------------------------------

    def predict_proba_one(self, x: Mapping[str, float], **_: Any) -> dict[Hashable, float]:  # type: ignore[override]
        """Probability of each label; empty before any label is known."""
        if not self._labels:
            return {}
        shares = self.score_many(self._one(x))[0]
        return dict(zip(self._labels, shares.tolist(), strict=True))

    def learn_one(self, x: Mapping[str, float], y: Hashable, author: int | None = None) -> None:  # type: ignore[override]
        """Learn a text: its features with their values (0: absent), its label, and who wrote it.

        author: any number for a person; a text without author is of somebody else than all others.
        """
        if y not in self._labels:
            self._labels.append(y)
            self._state = kernel.with_class(self._state)
        classes = np.array([self._labels.index(y)], np.int64)
        authors = None if author is None else np.array([author], np.uint64)
        self.learn_many(self._one(x), classes, authors=authors)

    # many texts at once ------------------------------------------------------------------------------

    def score_many(self, texts: Texts) -> Floats:
        """Probability of each class, shape (texts, classes), without learning."""
        self._check(texts)
        places = kernel.find(self._state.ids, texts.features)
        return self._step(texts, places, np.empty(0, np.int64), np.empty(0, np.uint64), learn=False)

    def learn_many(self, texts: Texts, classes: Whole, *, authors: Ids | None = None) -> Floats:
        """Learn texts one after the other; returns the probabilities each had before it was learned.

        classes: column of each text's label, shape (texts,). authors: who wrote each, shape (texts,); None:
        all different. Raises ValueError where a column is not as long, a feature is 0 or twice in a text, a
        value is not finite, or there is no such class.
        """
        self._check(texts)
        for name, column in (("classes", classes), ("authors", authors)):
            if column is not None and column.size != len(texts):
                raise ValueError(f"{len(texts)} texts but {column.size} {name}; they must be as many")
        if classes.size and not 0 <= classes.min() <= classes.max() < len(self._labels):
            raise ValueError(
                f"classes run from {classes.min()} to {classes.max()}; there are {len(self._labels)}"
            )
        if authors is None:
            learned = int(self._state.totals.sum())
            authors = np.arange(learned, learned + len(texts)).astype(np.uint64)
        state = kernel.with_features(self._state, np.unique(texts.features))
        places = kernel.find(state.ids, texts.features)
        twice = kernel.repeats(places, texts.offsets, state.ids.size)
        if twice >= 0:
            raise ValueError(f"text {twice} holds a feature twice; features of a text must be distinct")
        self._state = state
        return self._step(texts, places, classes, authors, learn=True)

    def quantised(self) -> Quantised:
        """The weights of features that enough authors used, as whole numbers."""
        state = self._state
        weights, hints = np.empty(state.weights.shape, np.int64), np.empty(state.hint_weights.shape, np.int64)
        squared = np.empty(state.ids.size, np.int64)
        kernel.quantise(state, self._constants, weights, squared, hints)
        kept = state.authors >= self.min_authors
        return Quantised(state.ids[kept], weights[kept], squared[kept], hints)

    # checkpoints -------------------------------------------------------------------------------------

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The learned state as named arrays, features in id order: equal states give equal arrays.

        Labels beyond `classes` are not among them.
        """
        return {name: column.copy() for name, column in self._state._asdict().items()}

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_arrays` of an estimator with the same parameters and labels gave."""
        classes = arrays["totals"].size
        if classes != len(self._labels):
            raise ValueError(f"the state has {classes} classes, the estimator {len(self._labels)}")
        self._state = kernel.State(**{name: arrays[name].copy() for name in kernel.State._fields})

    # -------------------------------------------------------------------------------------------------

    @property
    def _constants(self) -> kernel.Constants:
        return kernel.Constants(self.rate, self.balance, self.hint_value, self.min_authors)

    def _one(self, x: Mapping[str, float]) -> Texts:
        named = {name: value for name, value in x.items() if name != self.hint and value}
        ids = np.array([feature_id(str(name)) for name in named], np.uint64)
        # In order of id, whatever the order of the words: sums of floats depend on it.
        order = np.argsort(ids)
        hints = np.array([int(x.get(self.hint, 0))], np.int64)
        values = np.array(list(named.values()), np.float64)
        return Texts(ids[order], np.array([0, ids.size], np.int64), hints, values[order])

    def _step(self, texts: Texts, places: Whole, classes: Whole, authors: Ids, *, learn: bool) -> Floats:
        values = np.ones(texts.features.size) if texts.values is None else texts.values
        levels = _levels(texts, self.levels)
        batch = kernel.Batch(places, values, texts.offsets, levels, classes, authors)
        probabilities = np.empty((len(texts), len(self._labels)))
        kernel.step(self._state, batch, self._constants, learn, probabilities)
        return probabilities

    def _check(self, texts: Texts) -> None:
        entries = texts.features.size
        if texts.values is not None and texts.values.size != entries:
            raise ValueError(f"{entries} features but {texts.values.size} values; they must be as many")
        if texts.hints is not None and texts.hints.size != len(texts):
            raise ValueError(f"{len(texts)} texts but {texts.hints.size} hints; they must be as many")
        if texts.values is not None and not np.isfinite(texts.values).all():
            wrong = texts.values[~np.isfinite(texts.values)][0]
            raise ValueError(f"a value is {wrong}; values must be finite")
        if not texts.features.all():
            raise ValueError("a feature is 0; ids are of detectors.features, and none is 0")
        ends = texts.offsets
        if ends[0] != 0 or ends[-1] != entries or (np.diff(ends) < 0).any():
            raise ValueError(f"offsets must rise from 0 to {entries}, the number of features")


def _levels(texts: Texts, highest: int) -> Whole:
    """Row of each text's hint."""
    if texts.hints is None:
        return np.full(len(texts), highest, np.int64)
    return np.clip(texts.hints, -highest, highest) + highest
