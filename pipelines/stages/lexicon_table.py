"""A lexicon as arrays for compiled matching: every word and expression by its id."""

import string
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.features import THEME, feature_id, mix_ids
from pipelines.lexicon import Lexicon
from pipelines.words import words

_SINGLE_LETTERS = string.ascii_lowercase + "àâäéèêëîïôöùûüÿç"


class LexiconTable(NamedTuple):
    """Open addressing over the ids of words and expressions; id 0 is an empty place.

    The id of an expression mixes the ids of its words in order. `longer` says that some expression
    begins with this one. `themes` of an entry are `theme_ids[theme_from:theme_to]`.
    """

    keys: NDArray[np.uint64]
    stop: NDArray[np.bool_]
    longer: NDArray[np.bool_]
    weight: NDArray[np.int8]
    negates: NDArray[np.int8]
    step: NDArray[np.int8]
    step_reach: NDArray[np.int8]
    theme_from: NDArray[np.int32]
    theme_to: NDArray[np.int32]
    theme_ids: NDArray[np.uint64]

    def is_stop(self, word: int) -> bool:
        """Whether the word of this id is never a term; for the odd word outside compiled code."""
        mask = self.keys.size - 1
        place = (word >> 7) & mask
        while self.keys[place]:
            if self.keys[place] == word:
                return bool(self.stop[place])
            place = (place + 1) & mask
        return False


def sequence_id(sequence: Iterable[str], known: dict[str, int] | None = None) -> int:
    """Id of an expression: its first word's id, mixed with those of the next. known: ids of words so far."""
    known = {} if known is None else known
    value = 0
    for place, word in enumerate(sequence):
        if word not in known:
            known[word] = feature_id(word)
        value = mix_ids(value, known[word]) if place else known[word]
    return value


def compile_lexicon(lexicon: Lexicon, names: Iterable[str] = ()) -> LexiconTable:
    """The lexicon as a table at most half full. names: of perimeters; their words are never terms."""
    entries: dict[int, dict[str, int]] = {}
    theme_ids: list[int] = []
    known: dict[str, int] = {}

    def entry(sequence: tuple[str, ...]) -> dict[str, int]:
        for length in range(1, len(sequence)):
            entries.setdefault(sequence_id(sequence[:length], known), {})["longer"] = 1
        return entries.setdefault(sequence_id(sequence, known), {})

    named = [word for name in names for word in words(name, lexicon.language)]
    for word in (*lexicon.stopwords, *_SINGLE_LETTERS, *named):
        entry((word,))["stop"] = 1
    for sequence, weight in lexicon.sentiment.items():
        entry(sequence)["weight"] = weight
    for word, reach in lexicon.negators.items():
        entry((word,))["negates"] = reach
    for word, intensifier in lexicon.intensifiers.items():
        entry((word,)).update(step=intensifier.step, step_reach=intensifier.reach)
    for sequence, keys in lexicon.themes.items():
        start = len(theme_ids)
        theme_ids.extend(feature_id(key, THEME) for key in keys)
        entry(sequence).update(theme_from=start, theme_to=len(theme_ids))
    return _fill(entries, theme_ids)


def _fill(entries: dict[int, dict[str, int]], theme_ids: list[int]) -> LexiconTable:
    size = 1 << max(4, (2 * len(entries)).bit_length())
    keys = np.zeros(size, np.uint64)
    columns: dict[str, NDArray[Any]] = {
        name: np.zeros(size, dtype)
        for name, dtype in (
            ("stop", np.bool_),
            ("longer", np.bool_),
            ("weight", np.int8),
            ("negates", np.int8),
            ("step", np.int8),
            ("step_reach", np.int8),
            ("theme_from", np.int32),
            ("theme_to", np.int32),
        )
    }
    for key, values in sorted(entries.items()):
        place = (key >> 7) & (size - 1)
        while keys[place]:
            place = (place + 1) & (size - 1)
        keys[place] = key
        for name, value in values.items():
            columns[name][place] = value
    return LexiconTable(keys, **columns, theme_ids=np.array(theme_ids, np.uint64))
