"""What is said with a signal's words, and not around them, by hand."""

import numpy as np
import pyarrow as pa
import pytest

from detectors.features import THEME, feature_id, pair_id
from pipelines.lexicon import Lexicon
from pipelines.stages.clauses import Said, said_of, tone_of
from pipelines.stages.lexicon_table import compile_lexicon
from pipelines.stages.understand import Reader

FRENCH = Lexicon(
    "fr",
    frozenset({"la", "de", "une"}),
    {("mauvaise",): -2, ("odeur",): -1, ("bravo",): 3},
    {"pas": 3},
    {},
    {("mauvaise", "odeur"): ("smell",), ("bravo",): ("cheers",)},
)
ENGLISH = Lexicon("en", frozenset({"the"}), {("bad",): -2}, {}, {}, {})
READER = Reader({"fr": compile_lexicon(FRENCH), "en": compile_lexicon(ENGLISH)}, "fr", "Europe/Paris")
ODEUR, CAVE = feature_id("odeur"), feature_id("cav")
SMELL, CHEERS = feature_id("smell", THEME), feature_id("cheers", THEME)


def said(*texts: str, features: set[int] | None = None, languages: list[str] | None = None) -> Said:
    events = pa.table({"language": languages or ["fr"] * len(texts), "text": list(texts)})
    return said_of(features or {ODEUR}, events, READER)


def test_clauses_without_a_feature_say_nothing() -> None:
    found = said("Bravo ! Une mauvaise odeur", "bravo mais une odeur, bravo", "bravo")
    assert found.themes == [{SMELL}, set(), set()]
    assert found.sentiment.tolist() == [-3, -1, 0]


def test_every_clause_with_a_feature_counts() -> None:
    found = said("Mauvaise odeur.\nBravo pour l'odeur ; pas de bravo")
    assert found.themes == [{SMELL, CHEERS}]
    assert found.sentiment.tolist() == [-3 + 3 - 1]


def test_features_are_words_however_written_pairs_and_themes() -> None:
    assert said("mauvaise ODEURS", "mauvaise").sentiment.tolist() == [-2, 0]
    assert said("odeur de cave", "une odeur", features={pair_id(ODEUR, CAVE)}).sentiment.tolist() == [-1, 0]
    assert said("mauvaise odeur", "odeur", features={SMELL}).sentiment.tolist() == [-3, 0]


def test_each_text_is_read_in_its_language_and_others_in_the_default() -> None:
    found = said("bad odeur", "bad odeur", "mauvaise odeur", languages=["en", "fr", "und"])
    assert found.sentiment.tolist() == [-2, -1, -3]


def test_nothing_to_read() -> None:
    assert said().themes == []
    assert said("").sentiment.tolist() == [0]


@pytest.mark.parametrize(
    ("texts", "mean_score", "tone"),
    [
        (["bravo pour l'odeur"], None, "praise"),
        (["une mauvaise odeur"], None, "complaint"),
        (["une odeur. bravo, bravo !"], None, "complaint"),  # praise of something else
        (["bravo. une odeur", "bravo pour l'odeur"], None, "praise"),  # -1 and 2: half of one
        (["bravo pour l'odeur", "une mauvaise odeur"], None, "complaint"),  # 2 and -3
        (["bravo"], None, "mixed"),
        (["bravo"], 0.45, "complaint"),
        (["bravo"], 0.46, "mixed"),
        (["bravo pour l'odeur"], 0.1, "praise"),
    ],
)
def test_the_tone_is_that_of_the_clauses_with_the_terms(
    texts: list[str], mean_score: float | None, tone: str
) -> None:
    assert tone_of(said(*texts), mean_score) == tone


def test_one_outburst_is_one_voice() -> None:
    outburst = Said([set(), set()], np.array([9, -2]))
    assert tone_of(outburst, None) == "praise"  # 3 and -2
    assert tone_of(Said([set(), set()], np.array([9, -3])), None) == "mixed"
