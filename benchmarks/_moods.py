"""Methods that tell the class of a text, each behind one call: learn some texts, classify others."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks._labelled import Labelled
from detectors.text_weights import Texts, TextWeights
from pipelines.lexicon import load_lexicons
from pipelines.stages.lexicon_table import LexiconTable, compile_lexicon
from pipelines.stages.reading import read
from pipelines.stages.tokens import tokenise

Classes = NDArray[np.int64]
Polarity = Callable[[str], float]
Method = Callable[[Labelled, Labelled], Classes]
"""(texts to learn, in order; texts to classify) to the classes of the latter."""


def our_features(given: Labelled) -> Texts:
    """What `understand` reads in the texts: words, pairs and themes, and the lexicon's sentiment."""
    tokens = tokenise(pa.array(given.texts, pa.string()), given.language)
    readings = read(tokens, _table(given.language))
    return Texts(readings.features, readings.offsets, readings.sentiment.astype(np.int64))


def learned_online(train: Labelled, test: Labelled) -> Classes:
    """Ours: one pass over the texts in the order given; the whole numbers that `understand` would use."""
    model = TextWeights(range(int(train.classes.max()) + 1))
    model.learn_many(our_features(train), train.classes, authors=train.authors)
    log_odds, _ = model.quantised().log_odds(our_features(test))
    told: Classes = np.argmax(log_odds, axis=1)
    return told


def progressive(given: Labelled) -> Classes:
    """Ours: each text classified before it is learned, from the first on."""
    model = TextWeights(range(int(given.classes.max()) + 1))
    before = model.learn_many(our_features(given), given.classes, authors=given.authors)
    told: Classes = np.argmax(before, axis=1)
    return told


def learned_offline(train: Labelled, test: Labelled) -> Classes:
    """The ceiling: TF-IDF of words and logistic regression to convergence, all texts at hand at once."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(sublinear_tf=True), LogisticRegression(class_weight="balanced", max_iter=1000)
    )
    model.fit(train.texts, train.classes)
    return np.array(model.predict(test.texts), np.int64)


def our_lexicon(train: Labelled, test: Labelled) -> Classes:
    """Our lexicon's sum of weights."""
    return _cut(_our_polarity(train), train.classes, _our_polarity(test))


def vader(train: Labelled, test: Labelled) -> Classes:
    """VADER's compound score; English."""
    return _cut(_vader_polarity(train), train.classes, _vader_polarity(test))


def textblob_fr(train: Labelled, test: Labelled) -> Classes:
    """TextBlob-fr's polarity; French."""
    return _cut(_textblob_polarity(train), train.classes, _textblob_polarity(test))


def peers(language: str) -> dict[str, Method]:
    """Lexicons that read a language."""
    foreign: dict[str, Method] = {"VADER": vader} if language == "en" else {"TextBlob-fr": textblob_fr}
    return {"our lexicon alone": our_lexicon, **foreign}


def _our_polarity(given: Labelled) -> NDArray[np.float64]:
    hints = our_features(given).hints
    return np.zeros(len(given.texts)) if hints is None else hints.astype(np.float64)


def _vader_polarity(given: Labelled) -> NDArray[np.float64]:
    return np.array([_vader()(text) for text in given.texts])


def _textblob_polarity(given: Labelled) -> NDArray[np.float64]:
    return np.array([_textblob()(text) for text in given.texts])


# A text is asked for in every fold: what reads it is made once, and what it said is kept.


@cache
def _table(language: str) -> LexiconTable:
    return compile_lexicon(load_lexicons([language]).languages[language])


@cache
def _vader() -> Polarity:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return cache(lambda text: float(analyzer.polarity_scores(text)["compound"]))


@cache
def _textblob() -> Polarity:
    from textblob import Blobber
    from textblob_fr import PatternAnalyzer, PatternTagger

    blobber = Blobber(pos_tagger=PatternTagger(), analyzer=PatternAnalyzer())
    return cache(lambda text: float(blobber(text).sentiment[0]))


def _cut(polarity: NDArray[np.float64], classes: Classes, asked: NDArray[np.float64]) -> Classes:
    """Classes of polarities; where to cut is learned offline, which flatters a lexicon."""
    from sklearn.linear_model import LogisticRegression

    model: Any = LogisticRegression(class_weight="balanced", C=100.0, max_iter=1000)
    model.fit(_powers(polarity), classes)
    return np.array(model.predict(_powers(asked)), np.int64)


def _powers(polarity: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(polarity, -10.0, 10.0)
    return np.stack([clipped, clipped**2], axis=1)
