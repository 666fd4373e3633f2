"""What the stages should find, written slowly and plainly with Python's own strings, sets and dictionaries.

Tests reach this through the fixture `reference`.
"""

import re
import string
import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise

from detectors.features import THEME, feature_id, pair_id
from pipelines.lexicon import Lexicon
from pipelines.words import words

Clauses = Sequence[Sequence[str]]

SINGLE_LETTERS = frozenset(string.ascii_lowercase + "àâäéèêëîïôöùûüÿç")
MOST_STOPS_BETWEEN = 2
LONGEST_EXPRESSION = 4


def clauses(text: str, language: str) -> list[list[str]]:
    """Words between breaks, without empty clauses."""
    plain = re.sub(r"\[[^\]\n]{1,60}\]", " ", unicodedata.normalize("NFC", text))
    parts = re.split(r"""[.!?;:,…()«»"“”\n\r\t|•]""", plain)
    return [found for part in parts if (found := words(part, language))]


def features(text: Clauses, lexicon: Lexicon, stem: Callable[[str], str] = str) -> set[int]:
    """Words that are not stop words and pairs of neighbours, by their stems; themes by their expressions."""
    found: set[int] = set()
    for clause in text:
        content = [
            place
            for place, word in enumerate(clause)
            if word not in lexicon.stopwords and word not in SINGLE_LETTERS
        ]
        found |= {feature_id(stem(clause[place])) for place in content}
        found |= {
            pair_id(feature_id(stem(clause[one])), feature_id(stem(clause[other])))
            for one, other in pairwise(content)
            if other - one - 1 <= MOST_STOPS_BETWEEN
        }
        found |= {
            feature_id(key, THEME)
            for start in range(len(clause))
            for length in range(1, LONGEST_EXPRESSION + 1)
            for key in lexicon.themes.get(tuple(clause[start : start + length]), ())
        }
    return found


def sentiment(text: Clauses, lexicon: Lexicon) -> int:
    """Sum of weights as `Lexicon` says, each clause alone."""
    return sum(_clause_sentiment(clause, lexicon) for clause in text)


def _clause_sentiment(clause: Sequence[str], lexicon: Lexicon) -> int:
    total, place = 0, 0
    free = [True] * len(clause)
    while place < len(clause):
        spans = [tuple(clause[place : place + length]) for length in (3, 2, 1)]
        entry = next((span for span in spans if span in lexicon.sentiment), None)
        if entry is None:
            place += 1
            continue
        weight = lexicon.sentiment[entry]
        size, sign = abs(weight), 1 if weight > 0 else -1
        before = [(place - at, clause[at]) for at in range(place - 1, -1, -1) if free[at]]
        steps = [
            lexicon.intensifiers[word].step
            for distance, word in before
            if word in lexicon.intensifiers and distance <= lexicon.intensifiers[word].reach
        ]
        if steps:
            size = max(1, size + steps[0])
        if any(distance <= lexicon.negators.get(word, 0) for distance, word in before):
            sign = -sign
        total += sign * size
        for used in range(place, place + len(entry)):
            free[used] = False
        place += len(entry)
    return total
