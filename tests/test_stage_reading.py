"""Features, sentiment and fingerprints against plain references, on random word sequences and real texts."""

import csv
import random
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.features import THEME, feature_id, pair_id
from pipelines.lexicon import Intensifier, Lexicon, load_lexicons
from pipelines.stages.lexicon_table import compile_lexicon, sequence_id
from pipelines.stages.reading import Readings, read
from pipelines.stages.tokens import Tokens, tokenise
from pipelines.words import stem

DATA = Path(__file__).parents[2] / "shared" / "data" / "services_publics" / "balanced_dataset.csv"
VOCABULARY = ["panne", "caisse", "carte", "très", "pas", "bon", "de", "la", "a", "é"]
WORDS = st.sampled_from(VOCABULARY)
TEXT = st.lists(st.lists(WORDS, min_size=1, max_size=9), max_size=4)
Text = list[list[str]]


def expressions(longest: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(WORDS, min_size=1, max_size=longest).map(tuple)


LEXICONS = st.builds(
    Lexicon,
    language=st.just("und"),
    stopwords=st.frozensets(WORDS, max_size=4),
    sentiment=st.dictionaries(expressions(3), st.sampled_from([-3, -2, -1, 1, 2, 3]), max_size=8),
    negators=st.dictionaries(WORDS, st.integers(1, 5), max_size=3),
    intensifiers=st.dictionaries(
        WORDS, st.builds(Intensifier, step=st.sampled_from([-1, 1]), reach=st.integers(1, 5)), max_size=3
    ),
    themes=st.dictionaries(
        expressions(4),
        st.lists(st.sampled_from(["wait", "till", "mood"]), min_size=1, max_size=2, unique=True).map(tuple),
        max_size=6,
    ),
)
SMALL = Lexicon(
    language="und",
    stopwords=frozenset({"de", "la"}),
    sentiment={("bon",): 2, ("mauvais",): -2, ("pas", "pu"): -1, ("trop",): -1},
    negators={"pas": 3, "sans": 1},
    intensifiers={"très": Intensifier(1, 2), "peu": Intensifier(-1, 2), "trop": Intensifier(1, 2)},
    themes={("pas", "pu"): ("access",), ("panne", "de", "caisse"): ("till",), ("caisse",): ("shop",)},
)


def tokens_of(texts: list[Text]) -> Tokens:
    """Tokens of clauses already split into words, each word its own stem."""
    rows = [[word for clause in text for word in [*map(feature_id, clause), 0]] for text in texts]
    ids = np.array([word for row in rows for word in row], np.uint64)
    return Tokens(ids, ids, np.cumsum([0, *map(len, rows)]), None)


def features_of(readings: Readings, row: int) -> list[int]:
    listed: list[int] = readings.features[readings.offsets[row] : readings.offsets[row + 1]].tolist()
    return listed


def said(*texts: str, lexicon: Lexicon = SMALL) -> Readings:
    return read(tokenise(pa.array(texts, pa.string()), lexicon.language), compile_lexicon(lexicon))


@settings(deadline=None, max_examples=200)
@given(texts=st.lists(TEXT, max_size=4), lexicon=LEXICONS)
@example(texts=[[["pas", "pu", "bon"]], [["pas", "la", "bon", "bon"]]], lexicon=SMALL)
def test_random_sequences_read_as_the_reference(
    reference: ModuleType, texts: list[Text], lexicon: Lexicon
) -> None:
    readings = read(tokens_of(texts), compile_lexicon(lexicon))
    for row, text in enumerate(texts):
        found = features_of(readings, row)
        assert len(set(found)) == len(found)
        assert set(found) == reference.features(text, lexicon)
        assert readings.sentiment[row] == reference.sentiment(text, lexicon)


def test_features_by_hand() -> None:
    names = {feature_id(word): word for word in ("panne", "caisse", "pas", "pu", "neuve")}
    names |= {
        pair_id(feature_id(one), feature_id(other)): f"{one} {other}"
        for one, other in (("panne", "caisse"), ("caisse", "neuve"), ("pas", "pu"))
    }
    names |= {feature_id(key, THEME): f"<{key}>" for key in ("access", "till", "shop")}
    readings = said(
        "Panne de la caisse. Neuve",
        "panne de caisse",
        "panne, de caisse neuve",
        "panne de la de caisse",
        "pas pu caisse b de la neuve caisse",
    )
    assert [{names.get(found, "?") for found in features_of(readings, row)} for row in range(5)] == [
        {"panne", "caisse", "panne caisse", "<shop>", "neuve"},
        {"panne", "caisse", "panne caisse", "<shop>", "<till>"},
        {"panne", "caisse", "caisse neuve", "<shop>", "neuve"},
        {"panne", "caisse", "<shop>"},
        {"pas", "pu", "pas pu", "<access>", "caisse", "<shop>", "neuve", "?"},
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bon", 2),
        ("très bon", 3),
        ("peu bon", 1),
        ("peu mauvais, peu bon", 0),
        ("pas bon", -2),
        ("pas très bon", -3),
        ("pas la de bon", -2),
        ("pas la de la bon", 2),  # out of reach
        ("pas, bon", 2),  # a clause ends
        ("sans pas bon", -2),  # two negators count once
        ("pas pu bon", 1),  # inside an entry, a negator is part of it: -1 + 2
        ("bon pas mauvais", 4),
        ("trop bon", 1),  # used up as an entry: -1 + 2
        ("peu très bon", 3),  # the nearest intensifier
        ("très peu bon", 1),
    ],
)
def test_sentiment_by_hand(text: str, expected: int) -> None:
    assert said(text).sentiment.tolist() == [expected]


def test_sentiment_stays_within_its_type() -> None:
    assert said("très bon " * 12_000, "pas bon " * 20_000).sentiment.tolist() == [32767, -32767]


def test_names_of_places_are_no_terms() -> None:
    lexicon = Lexicon("fr", frozenset(), {}, {}, {}, {})
    table = compile_lexicon(lexicon, ["lille-2", "Villeneuve-d'Ascq"])
    readings = read(tokenise(pa.array(["caisse de Lille, Villeneuve d'Ascq"]), "fr"), table)
    expected = [feature_id(word) for word in ("caiss", "de")]
    assert sorted(features_of(readings, 0)) == sorted([*expected, pair_id(*expected)])
    assert table.is_stop(feature_id("ascq"))
    assert not table.is_stop(feature_id("caisse"))


def test_ids_of_expressions_follow_the_order_of_words() -> None:
    ids = [sequence_id(words) for words in (["a", "b"], ["b", "a"], ["a"], ["b"], ["a", "b", "a"])]
    assert ids[2] == feature_id("a")
    assert len(set(ids)) == len(ids)


def french_stem(word: str) -> str:
    """Words with an apostrophe inside stay whole."""
    return word if "'" in word else stem(word, "fr")


@pytest.mark.skipif(not DATA.is_file(), reason="the shared data is not here")
def test_real_texts_read_as_the_reference(reference: ModuleType) -> None:
    lexicon = load_lexicons(["fr", "en"]).languages["fr"]
    texts = random.Random(3).sample(real_texts(), 400)
    readings = said(*texts, lexicon=lexicon)
    for row, text in enumerate(texts):
        split = reference.clauses(text, "fr")
        assert readings.sentiment[row] == reference.sentiment(split, lexicon)
        expected = reference.features(split, lexicon, french_stem)
        assert set(features_of(readings, row)) == expected


# --- Fingerprints ----------------------------------------------------------------------------------------


def real_texts() -> list[str]:
    with DATA.open(encoding="utf-8", newline="") as file:
        return [f"{row['Titre']}. {row['Description']}" for row in csv.DictReader(file)]


PETITION = (
    "{greeting}, nous demandons que la fontaine du square soit remise en eau avant la fin du printemps. "
    "Les habitants du quartier y tiennent depuis trois générations de promeneurs ; {name} l'a dit. "
    "Dossier {number}. Merci de votre réponse, {name}."
)
SENT = [
    PETITION.format(greeting="Madame, Monsieur", name="Odile Framboisier", number="A-1047"),
    PETITION.format(greeting="Bonjour", name="Zéphyrin de la Maltaverne", number="99 / 2"),
    "Je vous transmets ceci.\n\n" + PETITION.format(greeting="À la direction", name="R.", number="7"),
    PETITION.format(greeting="Bonsoir", name="Anne", number="1").upper().replace(" ", "  "),
]


def test_near_copies_are_equal() -> None:
    fingerprints = said(*SENT).fingerprint
    assert len(set(fingerprints.tolist())) == 1
    assert fingerprints[0] != 0


def test_another_text_on_the_same_subject_differs() -> None:
    other = SENT[0].replace("remise en eau", "enfin réparée")
    assert said(other).fingerprint[0] != said(SENT[0]).fingerprint[0]


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("", False),
        ("tout va bien, merci à tous", False),
        ("un deux trois quatre cinq six sept", False),
        ("un deux trois quatre cinq six sept huit", True),
        ("un deux trois quatre, cinq six sept huit", True),
        ("un deux trois, quatre cinq six, sept huit", False),
    ],
)
def test_two_clauses_of_eight_words_are_needed(text: str, known: bool) -> None:
    assert (said(text).fingerprint[0] != 0) == known


@settings(deadline=None, max_examples=200)
@given(one=TEXT, other=TEXT)
def test_equal_fingerprints_mean_equal_longest_clauses(one: Text, other: Text) -> None:
    fingerprints = read(tokens_of([one, other]), compile_lexicon(SMALL)).fingerprint
    longest = [sorted(text, key=len, reverse=True) for text in (one, other)]
    for fingerprint, clauses in zip(fingerprints, longest, strict=True):
        assert (fingerprint != 0) == (sum(map(len, clauses[:2])) >= 8)
    if fingerprints[0] and fingerprints[0] == fingerprints[1]:
        # Of several of the same length, which one stands for it is free.
        assert [len(clause) for clause in longest[0][:2]] == [len(clause) for clause in longest[1][:2]]
        assert longest[0][0] in longest[1]


@settings(deadline=None, max_examples=100)
@given(
    text=st.lists(st.lists(WORDS, min_size=7, max_size=12), min_size=2, max_size=4),
    order=st.randoms(use_true_random=False),
    short=st.lists(WORDS, min_size=1, max_size=6),
    place=st.integers(0, 4),
)
def test_short_clauses_and_order_change_nothing(
    text: Text, order: random.Random, short: list[str], place: int
) -> None:
    shuffled = [*text[:place], short, *text[place:]]
    order.shuffle(shuffled)
    fingerprints = read(tokens_of([text, shuffled]), compile_lexicon(SMALL)).fingerprint
    assert fingerprints[0] == fingerprints[1] != 0


@pytest.mark.skipif(not DATA.is_file(), reason="the shared data is not here")
def test_real_texts_are_told_apart_and_survive_another_greeting_and_closing() -> None:
    texts = list(dict.fromkeys(real_texts()))
    edited = [f"Bonjour chère Madame Durandeau,\n{text}\nCordialement, Odile" for text in texts]
    before, after = said(*texts).fingerprint, said(*edited).fingerprint
    known = before != 0
    assert known.mean() > 0.8
    assert len(set(before[known].tolist())) > 0.99 * known.sum()
    assert (before == after)[known].mean() > 0.95
