"""The tokeniser, against hand-worked cases and against the columnar recipe of its own module docstring."""

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.words import strip_accents, words

_APOSTROPHES = ["’", "‘", "ʼ", "´", "`"]
_STEPS_BY_LANGUAGE = {
    "fr": [
        (" aujourd ' hui ", " aujourd'hui "),
        (" quelqu ' (une?) ", " quelqu'$1 "),
        (" (?:l|d|qu|j|n|s|c|m|t|jusqu|lorsqu|puisqu|quoiqu) '", ""),
    ],
    "en": [
        (" won ' t ", " will not "),
        (" can ' t ", " can not "),
        (" shan ' t ", " shall not "),
        ("n ' t ", " not "),
        ("' s ", " "),
    ],
    "und": [],
}


def columnar(texts: list[str], language: str) -> list[list[str]]:
    """The documented sequence of replacements, on a polars column."""
    column = pl.Series(texts, dtype=pl.String).str.normalize("NFC").str.to_lowercase()
    column = column.str.replace_all(r"\[[^\]\n]{1,60}\]", " ")
    column = column.str.replace_many([*_APOSTROPHES, "œ", "æ"], [*["'"] * len(_APOSTROPHES), "oe", "ae"])
    column = column.str.replace_all(r"\p{L}*\p{N}[\p{L}\p{N}]*", " ")
    column = column.str.replace_all(r"[^\p{L}']+", "  ").str.replace_all("'", " ' ", literal=True)
    column = " " + column + " "
    for pattern, replacement in _STEPS_BY_LANGUAGE[language]:
        column = column.str.replace_all(pattern, replacement)
    return column.str.extract_all(r"\p{L}+(?:'\p{L}+)*").to_list()


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("L'attente", "fr", ["attente"]),
        ("qu’j’l’ai vu", "fr", ["ai", "vu"]),
        ("jusqu'aujourd'hui", "fr", ["aujourd'hui"]),
        ("quelqu’une d'elles", "fr", ["quelqu'une", "elles"]),
        ("prud'hommes", "fr", ["prud", "hommes"]),
        ("l' attente", "fr", ["attente"]),
        ("ŒUVRE, et cætera", "fr", ["oeuvre", "et", "caetera"]),
        ("e\u0301te\u0301", "fr", ["été"]),
        ("à 12h30, le 1er b2b_x l'iphone12", "fr", ["à", "le", "x"]),
        ("[email] merci [n° de tel]", "fr", ["merci"]),
        ("[" + "a" * 61 + "]", "fr", ["a" * 61]),
        ("porte-à-porte", "fr", ["porte", "à", "porte"]),
        ("don't, can’t, won't, shan't", "en", ["do", "not", "can", "not", "will", "not", "shall", "not"]),
        ("it's the driver's; I've", "en", ["it", "the", "driver", "i", "ve"]),
        ("d'accord", "und", ["d", "accord"]),
        ("", "fr", []),
    ],
)
def test_hand_worked_cases(text: str, language: str, expected: list[str]) -> None:
    assert words(text, language) == expected


_PIECES = [
    *["l", "d", "qu", "n", "s", "t", "un", "une", "hui", "aujourd", "quelqu", "can", "won", "shan", "don"],
    *["jusqu", "été", "Œ", "É", "b2", "7", "½", "[x]", "[", "]", "_", "-", "'", "’", "`", "Σ", "İ", "ΑΣ"],
    *[" ", "\n", "\u0301"],
]


@pytest.mark.parametrize("language", ["fr", "en", "und"])
@settings(deadline=None, max_examples=300)
@given(pieces=st.lists(st.sampled_from(_PIECES), max_size=14))
@example(pieces=["don", "'", "t", " ", "don", "'", "t"])
@example(pieces=["n", "'", "t", "'", "s"])
def test_columnar_recipe_gives_the_same_words(language: str, pieces: list[str]) -> None:
    text = "".join(pieces)
    assert columnar([text], language) == [words(text, language)]


@pytest.mark.parametrize("language", ["fr", "en", "und"])
@settings(deadline=None, max_examples=200)
@given(text=st.text(st.characters(max_codepoint=0x24F, exclude_categories=["Cs"]), max_size=40))
def test_columnar_recipe_on_any_latin_text(language: str, text: str) -> None:
    assert columnar([text], language) == [words(text, language)]


@settings(deadline=None, max_examples=200)
@given(text=st.text(max_size=60), language=st.sampled_from(["fr", "und"]))
def test_normalising_words_again_changes_nothing(text: str, language: str) -> None:
    once = words(text, language)
    assert words(" ".join(once), language) == once


def test_accents_left_out() -> None:
    assert [strip_accents(word) for word in ("reçu", "gâché", "où", "aujourd'hui")] == [
        "recu",
        "gache",
        "ou",
        "aujourd'hui",
    ]
