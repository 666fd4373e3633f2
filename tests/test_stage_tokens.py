"""The compiled tokeniser against `pipelines.words`, its breaks and spans against hand-worked cases.

Two capitals are left out of random texts: İ (U+0130), whose lower case is two code points, and Σ (U+03A3),
whose lower case depends on its place in the word. `words` follows Unicode there; the compiled tables, one
code point at a time, give the first code point (i) and the plain sigma.
"""

import sys
import unicodedata
from types import ModuleType

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.features import feature_id
from pipelines.stages.tokens import Tokens, normalise, tokenise
from pipelines.words import stem, words

LANGUAGES = ["fr", "en", "und"]
_PIECES = [
    *"'’‘ʼ´`[](){}«»\"“”.,;:!?…|•-_/ \n\t\r",
    *["\u00a0", "\u2009", "\u037e"],
    *"aeéèêçÀÉœŒæÆßẞıK\u212a\u01c5",
    *["e\u0301", "\u0301", "\u0327", "c\u0327", "\u0338", "a\u030a\u0301", "\u1112\u1161\u11ab"],
    *["0", "7", "²", "½", "Ⅷ", "٣", "b2b", "12h30", "1er"],
    *["日", "本語", "한", "ن", "я", "𐐀", "𐐨", "𝔘", "𠮷", "🙂", "👩‍🚒", "🇫🇷", "\ufe0f"],
    *["l", "d", "qu", "j", "s", "t", "n", "jusqu", "aujourd", "hui", "quelqu", "un", "une"],
    *["can", "won", "shan", "don", "isn", "panne", "Caisse", "[email]", "[Titre]"],
]
PIECEWISE = st.lists(st.sampled_from(_PIECES), max_size=20).map("".join)
ANY_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cn"], exclude_characters="\u0130\u03a3"), max_size=40
)


def ids_of(tokens: Tokens, row: int) -> list[int]:
    listed: list[int] = tokens.ids[tokens.offsets[row] : tokens.offsets[row + 1]].tolist()
    return listed


def hashed(found: list[str]) -> list[int]:
    return [feature_id(word) for word in found]


@pytest.mark.parametrize("language", LANGUAGES)
@settings(deadline=None, max_examples=150)
@given(texts=st.lists(PIECEWISE | ANY_TEXT, max_size=6))
@example(texts=["[" + "a" * 60 + "]b", "[" + "a" * 61 + "]b", "[" + "a" * 59 + "[b]]c", "[]a", "[\n]a"])
@example(texts=["can't won't shan't don't isn't n't 't's it's 'tis driver's's", "n't't", "can''t", "'t"])
@example(texts=["l'l'l'un quelqu'un'une aujourd'hui'hui", "qu''un", "quelqu' un", "b2'un", "l'7'eau"])
def test_the_words_are_those_of_the_reference(language: str, texts: list[str]) -> None:
    tokens = tokenise(pa.array(texts, pa.string()), language)
    assert tokens.offsets.size == len(texts) + 1
    found = [[word for word in ids_of(tokens, row) if word] for row in range(len(texts))]
    assert found == [hashed(words(text, language)) for text in texts]


@settings(deadline=None, max_examples=150)
@given(texts=st.lists(st.none() | PIECEWISE | ANY_TEXT, max_size=6))
def test_texts_are_composed_whether_few_need_it_or_all(texts: list[str | None]) -> None:
    composed = [unicodedata.normalize("NFC", text or "") for text in texts]
    assert normalise(pa.array(texts, pa.string())).to_pylist() == composed


def test_no_code_point_that_composition_changes_is_passed_over() -> None:
    starters = "aeK\u1100\uac00\u0915\u05d0"
    texts = [
        "".join(before + chr(code) for before in starters)
        for code in range(sys.maxunicode + 1)
        if not 0xD800 <= code < 0xE000
    ]
    changed = [text for text in texts if not unicodedata.is_normalized("NFC", text)]
    assert len(changed) > 1_000
    composed = [unicodedata.normalize("NFC", text) for text in changed]
    assert normalise(pa.array(changed)).to_pylist() == composed


_ENDINGS = [
    "s",
    "x",
    "ss",
    "us",
    "is",
    "ent",
    "er",
    "ez",
    "ée",
    "ées",
    "e",
    "es",
    "é",
    "és",
    "ing",
    "ed",
    "œ",
    "",
]
_STEMS = ["a", "b", "gl", "pr", "por", "bip", "cœ", "retard", "É", "charg", "日本", "ent", "ing"]


@pytest.mark.parametrize("language", LANGUAGES)
@settings(deadline=None, max_examples=200)
@given(text=st.lists(st.sampled_from([*_STEMS, *_ENDINGS, " ", " "]), max_size=30).map("".join))
def test_the_stems_are_those_of_the_reference(language: str, text: str) -> None:
    tokens = tokenise(pa.array([text]), language)
    expected = hashed([stem(word, language) for word in words(text, language)])
    assert [found for found in tokens.stems.tolist() if found] == expected
    assert ((tokens.stems == 0) == (tokens.ids == 0)).all()


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("l'agence n'ouvrait", "fr", ["agenc", "ouvrait"]),
        ("quelqu'une aujourd'hui", "fr", ["quelqu'une", "aujourd'hui"]),
        ("shares isn't haven't", "en", ["shar", "is", "not", "have", "not"]),
    ],
)
def test_what_a_rule_makes_of_an_apostrophe_keeps_its_ending(
    text: str, language: str, expected: list[str]
) -> None:
    assert [found for found in tokenise(pa.array([text]), language).stems.tolist() if found] == hashed(
        expected
    )


@pytest.mark.parametrize("language", LANGUAGES)
@settings(deadline=None, max_examples=150)
@given(text=PIECEWISE)
@example(text="oui; non\u037e si")
def test_one_break_ends_every_clause_that_has_words(reference: ModuleType, language: str, text: str) -> None:
    expected = [word for clause in reference.clauses(text, language) for word in [*hashed(clause), 0]]
    assert ids_of(tokenise(pa.array([text]), language), 0) == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("la caisse, en panne.", "fr", "la caisse | en panne |"),
        (", . ! ?", "fr", ""),
        ("...enfin !!! (non)", "fr", "enfin | non |"),
        ("panne - caisse / carte", "fr", "panne caisse carte |"),
        ("ligne\nautre\r\ndernière", "fr", "ligne | autre | dernière |"),
        ("le [email] du 12, [Titre]: rien", "fr", "le du | rien |"),
        ("12, 13; 14 ans", "fr", "ans |"),
        ("dit : «l'attente»", "fr", "dit | attente |"),
        ("it's late; the driver's rude", "en", "it late | the driver rude |"),
        ("I can’t. Won't", "en", "i can not | will not |"),
    ],
)
def test_breaks_by_hand(text: str, language: str, expected: str) -> None:
    names = [0 if word == "|" else feature_id(word) for word in expected.split()]
    assert ids_of(tokenise(pa.array([text]), language), 0) == names


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("L’Été,  à QUELQU’UN !", "fr", [("été", "Été"), ("à", "à"), ("quelqu'un", "QUELQU’UN")]),
        ("Cœur e\u0301mu [nom] 日本語🙂fin", "fr", "Cœur=coeur ému 日本語 fin"),
        (
            "I Can't say it's",
            "en",
            [("i", "I"), ("can", "Can"), ("not", "Can't"), ("say", "say"), ("it", "it")],
        ),
        ("aujourd'hui", "und", [("aujourd", "aujourd"), ("hui", "hui")]),
    ],
)
def test_spans_by_hand(text: str, language: str, expected: str | list[tuple[str, str]]) -> None:
    if isinstance(expected, str):
        parts = [part.partition("=") for part in expected.split()]
        expected = [(lower or surface, surface) for surface, _, lower in parts]
    assert surfaces([text], language)[0] == [(feature_id(word), surface) for word, surface in expected]


def surfaces(texts: list[str], language: str) -> list[list[tuple[int, str]]]:
    """Each row's words and what their spans hold."""
    column = normalise(pa.array(texts, pa.string()))
    tokens = tokenise(column, language, spans=True)
    assert tokens.spans is not None
    assert tokens.spans.shape == (tokens.ids.size, 2)
    data = column.buffers()[2].to_pybytes() if len("".join(texts)) else b""
    return [
        [
            (int(tokens.ids[place]), data[tokens.spans[place, 0] : tokens.spans[place, 1]].decode())
            for place in range(tokens.offsets[row], tokens.offsets[row + 1])
            if tokens.ids[place]
        ]
        for row in range(len(texts))
    ]


@pytest.mark.parametrize("language", ["fr", "und"])
@settings(deadline=None, max_examples=150)
@given(texts=st.lists(PIECEWISE, max_size=4))
def test_spans_point_at_the_words_as_written(language: str, texts: list[str]) -> None:
    spelling = str.maketrans({**dict.fromkeys("’‘ʼ´`", "'"), "œ": "oe", "æ": "ae"})
    for row in surfaces(texts, language):
        assert [word for word, _ in row] == hashed([held.lower().translate(spelling) for _, held in row])


@settings(deadline=None, max_examples=60)
@given(
    texts=st.lists(st.none() | PIECEWISE, min_size=1, max_size=8),
    cut=st.tuples(st.integers(0, 8), st.integers(0, 8)),
    large=st.booleans(),
)
def test_slices_nulls_and_either_string_type_read_alike(
    texts: list[str | None], cut: tuple[int, int], large: bool
) -> None:
    first, size = cut
    column = pa.array(texts, pa.large_string() if large else pa.string()).slice(first, size)
    tokens = tokenise(column, "fr")
    expected = [hashed(words(text or "", "fr")) for text in texts[first : first + size]]
    assert [[word for word in ids_of(tokens, row) if word] for row in range(len(column))] == expected


def test_two_capitals_that_unicode_lowers_by_context() -> None:
    assert ids_of(tokenise(pa.array(["İL ΑΣ"]), "und"), 0) == [*hashed(["il", "ασ"]), 0]
    assert words("İL ΑΣ", "und") == ["i", "l", "ας"]


@pytest.mark.parametrize("texts", [[], [None], [""], ["", None, ""]])
@pytest.mark.parametrize("spans", [False, True])
def test_nothing_to_read(texts: list[str | None], spans: bool) -> None:
    tokens = tokenise(pa.array(texts, pa.string()), "fr", spans=spans)
    assert tokens.ids.size == 0
    assert tokens.offsets.tolist() == [0] * (len(texts) + 1)
