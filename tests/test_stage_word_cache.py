"""Words met before: read again they give what the reference gives, whatever was read in between."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.features import feature_id
from pipelines.stages.tokens import Tokens, tokenise
from pipelines.words import stem, words

_PIECES = [*"aéçÀßœ'’`-.×÷ªµ·я日7 ", "e\u0301", "l'", "qu’", "don't", "aujourd'hui", "panne", "[nom]", "ux"]
TEXT = st.lists(st.sampled_from(_PIECES), max_size=14).map("".join)


def words_and_stems(tokens: Tokens, row: int) -> list[tuple[int, int]]:
    part = slice(tokens.offsets[row], tokens.offsets[row + 1])
    pairs = zip(tokens.ids[part].tolist(), tokens.stems[part].tolist(), strict=True)
    return [pair for pair in pairs if pair[0]]


def words_alone(tokens: Tokens, row: int) -> list[int]:
    return [word for word, _ in words_and_stems(tokens, row)]


@pytest.mark.parametrize("language", ["fr", "en", "und"])
@settings(deadline=None, max_examples=150)
@given(texts=st.lists(TEXT, min_size=1, max_size=5))
def test_a_text_reads_the_same_each_time(language: str, texts: list[str]) -> None:
    tokens = tokenise(pa.array([*texts, *texts, *(f"{text} {text}" for text in texts)]), language)
    for row, text in enumerate(texts):
        found = words(text, language)
        assert words_alone(tokens, row) == [feature_id(word) for word in found]
        assert words_and_stems(tokens, row + len(texts)) == words_and_stems(tokens, row)
        assert words_alone(tokens, row + 2 * len(texts)) == 2 * words_alone(tokens, row)


@pytest.mark.parametrize("length", range(12, 21))
@pytest.mark.parametrize("last", ["a", "é", "ß"])
def test_runs_as_long_as_keys_and_longer(length: int, last: str) -> None:
    """Runs that differ in their first letter alone, in the last 16 bytes not at all where they are longer."""
    runs = [first + "b" * length + last for first in "acd"]
    tokens = tokenise(pa.array([" ".join([*runs, *runs])]), "und")
    assert words_alone(tokens, 0) == [feature_id(word) for word in [*runs, *runs]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("aujourd aujourd hui aujourd’hui aujourd", ["aujourd", "aujourd", "hui", "aujourd'hui", "aujourd"]),
        ("l l’eau l l'eau", ["l", "eau", "l", "eau"]),
        ("prix prix×2 prix÷prix", ["prix", "prix", "prix", "prix"]),
        ("b2b b2b b b²", ["b"]),
        ("CAISSE Caisse caisse", ["caisse"] * 3),
    ],
)
def test_what_stands_after_a_known_word_counts(text: str, expected: list[str]) -> None:
    assert words_alone(tokenise(pa.array([f"{text} {text}"]), "fr"), 0) == 2 * list(map(feature_id, expected))


def test_more_words_than_are_remembered() -> None:
    many = [f"mot{''.join(chr(97 + int(digit)) for digit in str(number))}s" for number in range(70_000)]
    tokens = tokenise(pa.array([" ".join(many), " ".join(many)]), "fr")
    expected = [(feature_id(word), feature_id(stem(word, "fr"))) for word in many]
    assert words_and_stems(tokens, 0) == expected
    assert words_and_stems(tokens, 1) == expected
