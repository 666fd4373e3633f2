"""Texts to word ids in one compiled pass over the UTF-8 bytes of an Arrow column.

Gives exactly the words of `pipelines.words.words`, and their stems as `pipelines.words.stem` cuts them, as
ids, with a 0 where a sentence or clause breaks.
"""

import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.compiled import inner
from detectors.features import feature_id
from pipelines.stages.scanner import (
    APOSTROPHE,
    BREAK,
    DIGIT,
    ENGLISH,
    FRENCH,
    LETTER,
    OPEN,
    PLAIN,
    RING,
    Ring,
    Tables,
    Written,
    decode,
    scan,
)
from pipelines.stages.word_cache import WordCache, empty_cache
from pipelines.words import ELISIONS

_APOSTROPHES = "'’‘ʼ´`"
_BREAKS = '.!?;:,…()«»"“”\n\r\t|•'
_RULE_OF = {"fr": FRENCH, "en": ENGLISH}
_LAST_LETTER = 0x33480
"""No code point from here on is a letter or a number, or combines with another (Unicode 16)."""
_FIRST_UNSURE = 0x300
"""Texts of code points below are in NFC as they are."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Words of a batch of texts. ids, stems: of each word and of its stem, 0 for a break.

    offsets: shape (texts + 1,), into the others. spans: shape (tokens, 2), first byte and byte after the word
    in the column's data (only where asked).
    """

    ids: NDArray[np.uint64]
    stems: NDArray[np.uint64]
    offsets: NDArray[np.int64]
    spans: NDArray[np.int64] | None


@cache
def _tables() -> Tables:
    size = sys.maxunicode + 1
    lower = np.arange(size, dtype=np.uint32)
    kind = np.zeros(size, dtype=np.uint8)
    for code in range(_LAST_LETTER):
        character = chr(code)
        if character.isalpha():
            kind[code] = LETTER
            lower[code] = ord(character.lower()[0])
        elif character.isalnum():
            kind[code] = DIGIT
    for character in _APOSTROPHES:
        kind[ord(character)] = APOSTROPHE
    for character in _BREAKS:
        kind[ord(character)] = BREAK
    kind[ord("[")] = OPEN
    plain = np.where(kind[:0x80] == LETTER, lower[:0x80], 0).astype(np.uint8)
    return Tables(
        lower,
        kind,
        np.concatenate([plain, np.zeros(0x80, np.uint8)]),
        np.array(sorted(feature_id(word) for word in ELISIONS), np.uint64),
        np.array(
            [feature_id(word) for word in ("aujourd", "hui", "aujourd'hui", "quelqu", "un", "quelqu'un")]
            + [feature_id(word) for word in ("quelqu", "une", "quelqu'une")],
            np.uint64,
        ),
        np.array(
            [feature_id(word) for word in ("s", "t", "not", "won", "will", "can", "shan", "shall")], np.uint64
        ),
    )


_caches = defaultdict[int, list[WordCache]](list)
"""Caches of what a rule makes of words that no thread uses now: one is never used by two."""


@contextmanager
def _words_of(rule: int) -> Iterator[WordCache]:
    """A cache for this thread alone."""
    try:
        cache = _caches[rule].pop()
    except IndexError:
        cache = empty_cache()
    try:
        yield cache
    finally:
        _caches[rule].append(cache)


@cache
def _unsure() -> NDArray[np.bool_]:
    """Code points that may not stand in a text in NFC as they are, or not after any other."""
    second = {ord(letter) for code in range(_LAST_LETTER) for letter in _canonical(chr(code))[1:]}
    unsure = np.zeros(sys.maxunicode + 1, np.bool_)
    for code in range(_FIRST_UNSURE, _LAST_LETTER):
        character = chr(code)
        unsure[code] = (
            code in second
            or unicodedata.combining(character) != 0
            or unicodedata.normalize("NFC", character) != character
        )
    # What a jamo joins stands in no table of decompositions: Hangul is put together by rule.
    unsure[0x1160:0x1200] = True
    return unsure


def _canonical(character: str) -> str:
    return unicodedata.normalize("NFD", character)


def tokenise(texts: pa.Array, language: str, *, spans: bool = False) -> Tokens:
    """Word ids of a string column; nulls read as empty. language: as in `pipelines.words.words`."""
    raw, starts = _bytes_of(normalise(texts))
    rows = starts.size - 1
    room = int(starts[-1] - starts[0]) + 2 * rows + 1 if rows else 1
    out = Written(
        np.empty(room, np.uint64), np.empty(room, np.uint64), np.empty((room if spans else 0, 2), np.int64)
    )
    ends = np.zeros(rows + 1, np.int64)
    rule = _RULE_OF.get(language, PLAIN)
    ring = Ring(np.empty(RING, np.uint64), np.empty(RING, np.int64))
    with _words_of(rule) as words:
        used = scan(raw, starts, _tables(), rule, words, ring, out, ends)
    return Tokens(out.ids[:used], out.stems[:used], ends, out.spans[:used] if spans else None)


def normalise(texts: pa.Array) -> pa.LargeStringArray:
    """The column in Unicode NFC, nulls as empty: what `spans` point into."""
    texts = pc.fill_null(texts.cast(pa.large_string()), "")
    mask = np.zeros(len(texts), np.bool_)
    _mark_unsure(*_bytes_of(texts), _unsure(), mask)
    if not mask.any():
        return texts
    # pyarrow 16 decomposes where NFC is asked for; polars composes.
    column: pl.Series = pl.from_arrow(texts.filter(pa.array(mask)))  # type: ignore[assignment]
    composed = column.str.normalize("NFC").to_arrow(compat_level=pl.CompatLevel.oldest())
    return pc.replace_with_mask(texts, pa.array(mask), composed)


def _bytes_of(texts: pa.LargeStringArray) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of a column, and where each text starts in them, then the end of the last."""
    _, offsets, data = texts.buffers()
    rows = len(texts)
    if not rows:
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    starts = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + rows + 1]
    return np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8), starts


@inner
def _mark_unsure(raw: Any, starts: Any, unsure: Any, found: Any) -> None:
    """Texts that hold a code point that may not be in NFC; the others are."""
    for row in range(starts.size - 1):
        place, end = starts[row], starts[row + 1]
        highest = np.uint8(0)
        for byte in raw[place:end]:
            highest = max(highest, byte)
        # Bytes below 0xCC: code points below 0x300, and bytes within others.
        while highest >= 0xCC and place < end:
            if raw[place] < 0xCC:
                place += 1
                continue
            code, place = decode(raw, place)
            if unsure[code]:
                found[row] = True
                break
