"""Names of a directory file, found in texts without case or accents, on word boundaries."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import polars as pl

from connectors.errors import SettingsError

_WORD = re.compile(r"[^\W_]+")
# What may stand between two words of one name: `Jean-Pierre`, `L'Hôte`, `MARTIN, Paul`, a line's end.
_JOINT = re.compile(r"[\s\-‐‑'’.,]{1,3}")


def _plain_letters() -> dict[int, str]:
    """Each accented Latin letter to its plain lower-case one: one character for one, so places are kept."""
    table = {}
    for code in (*range(0x00C0, 0x0250), *range(0x1E00, 0x1F00)):
        plain = unicodedata.normalize("NFD", chr(code))[0].lower()
        if len(plain) == 1 and plain != chr(code):
            table[code] = plain
    return table


_PLAIN = _plain_letters()
_ACCENTED = list(map(chr, _PLAIN))
_UNACCENTED = list(_PLAIN.values())


def fold(text: str) -> str:
    """Lower case without accents, of the same length; the text should be in NFC.

    >>> fold("ÉLÉONORE d'Hœrdt")
    "eleonore d'hœrdt"
    """
    lowered = text.lower()
    return (lowered if len(lowered) == len(text) else text).translate(_PLAIN)


def fold_all(texts: pl.Series) -> pl.Series:
    """The same for a whole column, much faster."""
    folded = texts.str.to_lowercase().str.replace_many(_ACCENTED, _UNACCENTED)
    odd = (folded.str.len_chars() != texts.str.len_chars()).arg_true()
    if len(odd):
        # A few capitals, such as the dotted I, are longer in lower case.
        folded = folded.scatter(odd, [fold(text) for text in texts.gather(odd)])
    return folded


def read_names(path: Path) -> list[str]:
    """The names of a directory file, one a line, blank lines skipped. Raises SettingsError if unreadable."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: the directory of names cannot be read: {error.strerror}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    return [name for line in text.splitlines() if (name := line.strip())]


class NameMatcher:
    """Finds any of many names; those of several words in either order, `Jean Martin`, `MARTIN Jean`."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_first: dict[str, list[tuple[str, ...]]] = {}
        variants = {variant for name in names for variant in _variants(name)}
        # Longest first: `Jean Martin Dupont` is one name, not a name and a rest.
        for words in sorted(variants, key=lambda words: (-len(words), words)):
            self._by_first.setdefault(words[0], []).append(words)
        self._spaced = sorted(f" {' '.join(words)} " for words in variants)

    def __bool__(self) -> bool:
        return bool(self._spaced)

    def may_hold(self, folded: pl.Series) -> list[int]:
        """Indexes of the folded texts that hold the words of a name in a row, whatever parts them."""
        spaced = " " + folded.str.replace_all(r"[^\p{L}\p{N}]+", " ") + " "
        return spaced.str.contains_any(self._spaced).arg_true().to_list()

    def redact(self, text: str, folded: str) -> str:
        """Replace every name by `[name]`. folded: the text folded."""
        words = [(match[0], match.start(), match.end()) for match in _WORD.finditer(folded)]
        parts, kept, i = [], 0, 0
        while i < len(words):
            length = self._length_at(text, words, i)
            if length:
                parts += [text[kept : words[i][1]], "[name]"]
                kept = words[i + length - 1][2]
            i += length or 1
        return "".join([*parts, text[kept:]]) if parts else text

    def _length_at(self, text: str, words: Sequence[tuple[str, int, int]], at: int) -> int:
        """Number of words of the longest name that begins at word `at`; 0 if none does."""
        for name in self._by_first.get(words[at][0], ()):
            met = words[at : at + len(name)]
            if len(met) == len(name) and all(a[0] == b for a, b in zip(met, name, strict=True)):
                joints = (text[a[2] : b[1]] for a, b in pairwise(met))
                if all(_JOINT.fullmatch(joint) for joint in joints):
                    return len(name)
        return 0


def _variants(name: str) -> Iterable[tuple[str, ...]]:
    folded = fold(unicodedata.normalize("NFC", name))
    for spelling in {
        folded,
        folded.replace("oe", "œ").replace("ae", "æ"),
        folded.replace("œ", "oe").replace("æ", "ae"),
    }:
        words = tuple(_WORD.findall(spelling))
        if sum(map(len, words)) >= 2:
            yield words
            yield (*words[1:], words[0])
            yield (words[-1], *words[:-1])
