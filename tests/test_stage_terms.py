"""Feature ids back to words: spellings and labels, by hand."""

import pyarrow as pa
import pytest

from detectors.features import THEME, feature_id, pair_id
from pipelines.lexicon import Lexicon
from pipelines.stages.lexicon_table import compile_lexicon
from pipelines.stages.reading import read
from pipelines.stages.terms import label, spelled
from pipelines.stages.tokens import tokenise
from pipelines.stages.understand import Reader

FRENCH = Lexicon("fr", frozenset({"de", "la", "en", "est"}), {}, {}, {}, {("panne",): ("till",)})
ENGLISH = Lexicon("en", frozenset({"the", "is"}), {}, {}, {}, {})
READER = Reader({"en": compile_lexicon(ENGLISH), "fr": compile_lexicon(FRENCH)}, "fr", "Europe/Paris")
PANN, CAISS, OUVERT = (feature_id(stem) for stem in ("pann", "caiss", "ouvert"))


def texts(*rows: tuple[str, str]) -> pa.Table:
    return pa.Table.from_pylist([{"language": language, "text": text} for language, text in rows])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [("fr", "Pannes ; CAISSE"), ("fr", "panne, caisse"), ("fr", "pannes")],
            {PANN: "pannes", CAISS: "caisse"},
        ),
        # As often: in the order of the alphabet.
        ([("fr", "pannes. panne")], {PANN: "panne"}),
        # The pair as written, stop words and all; never across a clause, a text or three stop words.
        (
            [("fr", "Panne de   la\u00a0caisse")],
            {pair_id(PANN, CAISS): "panne de la caisse", PANN: "panne", CAISS: "caisse"},
        ),
        (
            [("fr", "panne, caisse"), ("fr", "la panne"), ("fr", "caisse"), ("fr", "panne de la en caisse")],
            {PANN: "panne", CAISS: "caisse"},
        ),
        ([("fr", "L’e\u0301te\u0301 à l'ouverte")], {OUVERT: "ouverte"}),
        # What stands between two words and is neither: markup, a reference number.
        (
            [("fr", "panne [email] de caisse")],
            {pair_id(PANN, CAISS): "panne de caisse", PANN: "panne", CAISS: "caisse"},
        ),
        (
            [("fr", "panne n°84512 caisse")],
            {pair_id(PANN, CAISS): "panne caisse", PANN: "panne", CAISS: "caisse"},
        ),
        # A language without lexicon is read with the default's.
        ([("xx", "la panne"), ("en", "panne")], {PANN: "panne"}),
        ([("fr", ""), ("en", "")], {}),
    ],
)
def test_spellings(rows: list[tuple[str, str]], expected: dict[int, str]) -> None:
    wanted = [PANN, CAISS, OUVERT, pair_id(PANN, CAISS), feature_id("till", THEME)]
    assert spelled(texts(*rows), wanted, READER) == expected


def test_every_word_and_pair_that_is_read_can_be_spelled() -> None:
    text = "La panne de caisse est longue ; l'aujourd'hui des caisses ouvertes, de la lumière en plus"
    readings = read(tokenise(pa.array([text]), "fr"), READER.tables["fr"])
    features = set(readings.features.tolist()) - {feature_id("till", THEME)}
    assert set(spelled(texts(("fr", text)), features, READER)) == features


def test_only_what_is_wanted_is_spelled() -> None:
    assert spelled(texts(("fr", "panne de caisse")), [CAISS], READER) == {CAISS: "caisse"}


WORD_A, WORD_B, WORD_C, WORD_D = (feature_id(word) for word in "abcd")


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ({WORD_A: 10.0, WORD_B: 9.0}, ["panne", "caisse"]),
        # A pair wins over its words unless one is clearly stronger, and takes their place.
        ({WORD_A: 11.0, pair_id(WORD_A, WORD_B): 10.0, WORD_B: 9.0}, ["panne de caisse"]),
        ({WORD_A: 12.0, pair_id(WORD_A, WORD_B): 10.0}, ["panne de caisse"]),
        ({WORD_A: 12.0, WORD_C: 11.8, pair_id(WORD_A, WORD_B): 10.0}, ["bip", "panne de caisse"]),
        ({WORD_A: 4.0, WORD_B: 3.0, WORD_C: 2.0, WORD_D: 1.0}, ["panne", "caisse", "bip"]),
        ({WORD_C: 5.0, WORD_D: 5.0}, ["alarme", "bip"]),
        ({feature_id("till", THEME): 50.0, WORD_C: 5.0}, ["bip"]),
        ({}, []),
    ],
)
def test_labels(evidence: dict[int, float], expected: list[str]) -> None:
    spellings = {
        WORD_A: "panne",
        WORD_B: "caisse",
        WORD_C: "bip",
        WORD_D: "alarme",
        pair_id(WORD_A, WORD_B): "panne de caisse",
    }
    assert label(evidence, spellings) == expected
