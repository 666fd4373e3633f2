"""Text to words, one text at a time: the reference that the columnar path must equal.

The same result as a sequence of vectorised replacements (Rust regular expressions, no look-around):

1. NFC, then lower case.
2. `\\[[^\\]\\n]{1,60}\\]` becomes a space (markup).
3. The characters ``’ ‘ ʼ ´ ` ``  become `'`; `œ` becomes `oe`, `æ` becomes `ae`.
4. `\\p{L}*\\p{N}[\\p{L}\\p{N}]*` becomes a space (numbers, and tokens that hold a digit).
5. `[^\\p{L}']+` becomes two spaces; `'` becomes ` ' `; one space is added at each end. Every piece now
   has a space of its own on either side, so a replacement never eats its neighbour's.
6. French: ` aujourd ' hui ` becomes ` aujourd'hui ` and ` quelqu ' (une?) ` becomes ` quelqu'$1 `;
   then ` (?:l|d|qu|j|n|s|c|m|t|jusqu|lorsqu|puisqu|quoiqu) '` becomes nothing.
   English: ` won ' t `, ` can ' t `, ` shan ' t ` become ` will not `, ` can not `, ` shall not `;
   then `n ' t ` becomes ` not `; then `' s ` becomes a space.
7. The words are the matches of `\\p{L}+(?:'\\p{L}+)*`.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import groupby

ELISIONS = frozenset(["l", "d", "qu", "j", "n", "s", "c", "m", "t", "jusqu", "lorsqu", "puisqu", "quoiqu"])
"""French words that lose their vowel before another; dropped where an apostrophe follows."""

_WHOLE = frozenset({("aujourd", "hui"), ("quelqu", "un"), ("quelqu", "une")})
"""French words with an apostrophe inside."""

_AUXILIARIES = {"won": "will", "can": "can", "shan": "shall"}
"""English auxiliaries that are more than the contraction without its n't."""

_MARKUP = re.compile(r"\[[^\]\n]{1,60}\]")
_SPELLINGS = str.maketrans({**dict.fromkeys("’‘ʼ´`", "'"), "œ": "oe", "æ": "ae"})


def words(text: str, language: str) -> list[str]:
    """The normalised words of a text, in order.

    language: `fr` and `en` have rules for the apostrophe; in every other language it separates.
    Returns lower-case runs of letters, accents kept. Bracketed markup, numbers and tokens that mix
    letters and digits are dropped; a hyphen separates.

    >>> words("L’attente, qu'on m'a dit… jusqu'à 45 min [Titre] au rendez-vous !", "fr")
    ['attente', 'on', 'a', 'dit', 'à', 'min', 'au', 'rendez', 'vous']
    >>> words("Quelqu'un d'aujourd'hui, cœur b2b", "fr")
    ["quelqu'un", "aujourd'hui", 'coeur']
    >>> words("The company's app doesn't work, I can't use it on iPhone12", "en")
    ['the', 'company', 'app', 'does', 'not', 'work', 'i', 'can', 'not', 'use', 'it', 'on']
    >>> words("Dell'arte 2024", "und")
    ['dell', 'arte']
    """
    text = unicodedata.normalize("NFC", text).lower()
    text = _MARKUP.sub(" ", text).translate(_SPELLINGS)
    rule = _RULES.get(language, _letters_only)
    return [word for chunk in _chunks(text) for word in rule(chunk.split("'"))]


_ENDINGS = {
    "fr": (re.compile(r"(?<=...)(?<!s)[sx]$"), re.compile(r"(?<=...)(?:ent|er|ez|ée|e|é)$")),
    "en": (re.compile(r"(?<=...)(?<![sui])s$"), re.compile(r"(?<=...)(?:ing|ed|e)$")),
}


def stem(word: str, language: str) -> str:
    """A word without the endings of number, gender and common verb forms, at least three letters long.

    Light on purpose: it brings the forms of a word together where counts are small, and need not be right
    about the word.

    >>> [stem(word, "fr") for word in ("portiques", "bipe", "bipé", "biper", "bipent", "sac", "rendez")]
    ['portiqu', 'bip', 'bip', 'bip', 'bip', 'sac', 'rend']
    >>> [stem(word, "en") for word in ("charges", "charged", "charging", "bus", "glass")]
    ['charg', 'charg', 'charg', 'bus', 'glass']
    """
    for ending in _ENDINGS.get(language, ()):
        word = ending.sub("", word)
    return word


def strip_accents(word: str) -> str:
    """The word as typed by those who leave accents out.

    >>> strip_accents("déçu")
    'decu'
    """
    decomposed = unicodedata.normalize("NFD", word)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _chunks(text: str) -> Iterator[str]:
    """Maximal runs of letters, digits and apostrophes."""
    for inside, run in groupby(text, key=lambda character: character.isalnum() or character == "'"):
        if inside:
            yield "".join(run)


def _letters_only(pieces: list[str]) -> list[str]:
    return [piece for piece in pieces if piece.isalpha()]


def _french(pieces: list[str]) -> list[str]:
    kept: list[str] = []
    position = 0
    while position < len(pieces):
        piece = pieces[position]
        followed = position + 1 < len(pieces)
        if followed and (piece, pieces[position + 1]) in _WHOLE:
            kept.append(f"{piece}'{pieces[position + 1]}")
            position += 2
            continue
        if piece.isalpha() and not (followed and piece in ELISIONS):
            kept.append(piece)
        position += 1
    return kept


def _english(pieces: list[str]) -> list[str]:
    kept: list[str] = []
    position = 0
    while position < len(pieces):
        piece = pieces[position]
        followed = position + 1 < len(pieces)
        if followed and piece.isalpha() and piece.endswith("n") and pieces[position + 1] == "t":
            kept.extend(filter(None, (_AUXILIARIES.get(piece, piece[:-1]), "not")))
            position += 2
            continue
        if piece.isalpha() and not (piece == "s" and position > 0):
            kept.append(piece)
        position += 1
    return kept


_RULES: dict[str, Callable[[list[str]], list[str]]] = {"fr": _french, "en": _english}
