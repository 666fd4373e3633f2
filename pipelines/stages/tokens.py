"""Texts to word ids in one compiled pass over the UTF-8 bytes of an Arrow column.

Gives exactly the words of `pipelines.words.words`, and their stems as `pipelines.words.stem` cuts them, as
ids, with a 0 where a sentence or clause breaks.
"""

import sys
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from detectors.features import OFFSET, WORD, absorb, feature_id, finish
from pipelines.words import ELISIONS

_SPACE, _LETTER, _DIGIT, _APOSTROPHE, _BREAK, _OPEN = range(6)
_APOSTROPHES = "'’‘ʼ´`"
_BREAKS = '.!?;:,…()«»"“”\n\r\t|•'
_PLAIN, _FRENCH, _ENGLISH = range(3)
_RULE_OF = {"fr": _FRENCH, "en": _ENGLISH}
_MARKUP_LENGTH = 60
_LAST_LETTER = 0x33480
"""No code point from here on is a letter or a number, or combines with another (Unicode 16)."""
_FIRST_UNSURE = 0x300
"""Texts of code points below are in NFC as they are."""
_RING = 8
"""Letters of a word that are remembered from its end, a power of two: an ending and the letter before."""
_WORD = np.uint64(WORD)


class Tables(NamedTuple):
    """Per code point: lower case and class. Per byte: the lower case of a plain letter, 0 for all else. Then
    the word ids the apostrophe rules know."""

    lower: NDArray[np.uint32]
    kind: NDArray[np.uint8]
    plain: NDArray[np.uint8]
    elisions: NDArray[np.uint64]
    whole: NDArray[np.uint64]
    contracted: NDArray[np.uint64]


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
            kind[code] = _LETTER
            lower[code] = ord(character.lower()[0])
        elif character.isalnum():
            kind[code] = _DIGIT
    for character in _APOSTROPHES:
        kind[ord(character)] = _APOSTROPHE
    for character in _BREAKS:
        kind[ord(character)] = _BREAK
    kind[ord("[")] = _OPEN
    plain = np.where(kind[:0x80] == _LETTER, lower[:0x80], 0).astype(np.uint8)
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
    ids, stems = np.empty(room, np.uint64), np.empty(room, np.uint64)
    places = np.empty((room if spans else 0, 2), np.int64)
    ends = np.zeros(rows + 1, np.int64)
    used = _tokenise(raw, starts, _tables(), _RULE_OF.get(language, _PLAIN), ids, stems, ends, places)
    return Tokens(ids[:used], stems[:used], ends, places[:used] if spans else None)


def normalise(texts: pa.Array) -> pa.LargeStringArray:
    """The column in Unicode NFC, nulls as empty: what `spans` point into."""
    texts = pc.fill_null(texts.cast(pa.large_string()), "")
    mask = _may_differ(*_bytes_of(texts), _unsure())
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


@njit(cache=True)
def _may_differ(raw: Any, starts: Any, unsure: Any) -> Any:
    """Texts that hold a code point that may not be in NFC; the others are."""
    found = np.zeros(starts.size - 1, np.bool_)
    for row in range(starts.size - 1):
        place, end = starts[row], starts[row + 1]
        while place < end:
            # A first byte below 0xCC: a code point below 0x300. Bytes that follow it are below, too.
            if raw[place] < 0xCC:
                place += 1
                continue
            code, place = _decode(raw, place)
            if unsure[code]:
                found[row] = True
                break
    return found


@njit(cache=True)
def _in(value: Any, values: Any) -> bool:
    for other in values:  # noqa: SIM110  (compiled: `any` over a generator is not)
        if other == value:
            return True
    return False


@njit(cache=True)
def _whole(first: Any, second: Any, whole: Any) -> Any:
    """Id of the French word that two pieces around an apostrophe make, 0 if they are two."""
    for place in range(0, whole.size, 3):
        if whole[place] == first and whole[place + 1] == second:
            return whole[place + 2]
    return np.uint64(0)


@njit(cache=True)
def _decode(raw: Any, place: int) -> Any:
    """Code point at a byte of valid UTF-8, and the place of the next."""
    byte = np.int64(raw[place])
    if byte < 0x80:
        return byte, place + 1
    if byte < 0xE0:
        return ((byte & 0x1F) << 6) | np.int64(raw[place + 1] & 0x3F), place + 2
    if byte < 0xF0:
        high = ((byte & 0x0F) << 12) | (np.int64(raw[place + 1] & 0x3F) << 6)
        return high | np.int64(raw[place + 2] & 0x3F), place + 3
    high = ((byte & 0x07) << 18) | (np.int64(raw[place + 1] & 0x3F) << 12)
    return high | (np.int64(raw[place + 2] & 0x3F) << 6) | np.int64(raw[place + 3] & 0x3F), place + 4


@njit(cache=True)
def _after_markup(raw: Any, place: int, end: int) -> int:
    """Place after `[...]` whose bracket opens just before `place`, or -1 if it is not markup."""
    for length in range(_MARKUP_LENGTH + 1):
        if place >= end:
            return -1
        code, place = _decode(raw, place)
        if code == 93:  # ]
            return place if length > 0 else -1
        if code == 10:
            return -1
    return -1


@njit(cache=True)
def _stem(rule: int, length: int, states: Any, codes: Any) -> Any:
    """Running hash of a word without its ending; see `pipelines.words.stem`.

    states, codes: of the first k letters at place k, and the k-th letter, the last _RING of them.
    """
    cut = 0
    last = _RING - 1
    one, two, three = codes[length & last], codes[(length - 1) & last], codes[(length - 2) & last]
    if rule == _FRENCH:
        if length >= 4 and (one == 115 or one == 120) and two != 115:  # s, x; not ss
            cut = 1
            one, two, three = two, three, codes[(length - 3) & last]
        left = length - cut
        if left >= 6 and one == 116 and two == 110 and three == 101:  # ent
            cut += 3
        elif left >= 5 and ((two == 101 and (one == 114 or one == 122)) or (two == 233 and one == 101)):
            cut += 2  # er, ez, ée
        elif left >= 4 and (one == 101 or one == 233):  # e, é
            cut += 1
    elif rule == _ENGLISH:
        if length >= 4 and one == 115 and two != 115 and two != 117 and two != 105:
            cut = 1  # s; not ss, us, is
            one, two, three = two, three, codes[(length - 3) & last]
        left = length - cut
        if left >= 6 and one == 103 and two == 110 and three == 105:  # ing
            cut += 3
        elif left >= 5 and one == 100 and two == 101:  # ed
            cut += 2
        elif left >= 4 and one == 101:  # e
            cut += 1
    return states[(length - cut) & last]


@njit(cache=True)
def _tokenise(
    raw: Any, starts: Any, tables: Any, rule: int, ids: Any, stems: Any, ends: Any, spans: Any
) -> int:
    used = 0
    states, codes = np.empty(_RING, np.uint64), np.empty(_RING, np.int64)
    keep_spans = spans.shape[0] > 0
    nothing = np.uint64(0)
    for row in range(starts.size - 1):
        place, end = starts[row], starts[row + 1]
        # One piece (letters and digits between apostrophes) is held back until the next one is known.
        held, held_stem, held_short, held_pure, held_n = nothing, nothing, nothing, False, False
        holding, held_first = False, True
        held_from, held_to = place, place
        states[:], codes[:] = OFFSET, 0
        length, pure, begin = 0, True, place
        state, low = OFFSET, np.int64(0)
        in_chunk = False
        while place <= end:
            here = place
            if place == end:
                code, kind, place = 0, _BREAK, place + 1
            else:
                code, place = _decode(raw, place)
                kind = tables.kind[code]
                if kind == _OPEN:
                    after = _after_markup(raw, place, end)
                    kind = _SPACE
                    if after >= 0:
                        place = after
            if kind == _LETTER or kind == _DIGIT:
                if length == 0:
                    begin = here
                in_chunk = True
                if kind == _DIGIT:
                    pure = False
                low = np.int64(tables.lower[code])
                if low == 0x153 or low == 0xE6:  # oe, ae
                    first_half = np.int64(111 if low == 0x153 else 97)
                    state = absorb(state, np.uint64(first_half))
                    length += 1
                    states[length & (_RING - 1)], codes[length & (_RING - 1)] = state, first_half
                    low = np.int64(101)
                state = absorb(state, np.uint64(low))
                length += 1
                states[length & (_RING - 1)], codes[length & (_RING - 1)] = state, low
                # Plain letters, which most of any text is, one after the other.
                while place < end and tables.plain[raw[place]] != 0:
                    low = np.int64(tables.plain[raw[place]])
                    state = absorb(state, np.uint64(low))
                    length += 1
                    states[length & (_RING - 1)], codes[length & (_RING - 1)] = state, low
                    place += 1
                continue
            if kind == _APOSTROPHE and not in_chunk:
                in_chunk = True  # an empty first piece, as in 'tis
            if in_chunk:
                piece = finish(state, _WORD)
                short = finish(_stem(rule, length, states, codes), _WORD)
                joined = False
                if holding:
                    if rule == _FRENCH:
                        one = (
                            _whole(held, piece, tables.whole)
                            if held_pure and pure and length > 0
                            else nothing
                        )
                        if one != 0:
                            ids[used], stems[used] = one, one
                            if keep_spans:
                                spans[used, 0], spans[used, 1] = held_from, here
                            used += 1
                            joined = True
                    elif (
                        rule == _ENGLISH
                        and held_n
                        and held_pure
                        and length > 0
                        and piece == tables.contracted[1]
                    ):
                        auxiliary = held_stem
                        if held == tables.contracted[3]:
                            auxiliary = tables.contracted[4]
                        elif held == tables.contracted[5]:
                            auxiliary = tables.contracted[5]
                        elif held == tables.contracted[6]:
                            auxiliary = tables.contracted[7]
                        if auxiliary != 0:
                            ids[used], stems[used] = auxiliary, auxiliary
                            if keep_spans:
                                spans[used, 0], spans[used, 1] = held_from, held_to
                            used += 1
                        ids[used], stems[used] = tables.contracted[2], tables.contracted[2]
                        if keep_spans:
                            spans[used, 0], spans[used, 1] = held_from, here
                        used += 1
                        joined = True
                    if not joined and held_pure:
                        # followed by an apostrophe: a French elision goes, an English s that follows one too
                        dropped = (rule == _FRENCH and _in(held, tables.elisions)) or (
                            rule == _ENGLISH and not held_first and held == tables.contracted[0]
                        )
                        if not dropped:
                            ids[used], stems[used] = held, held_short
                            if keep_spans:
                                spans[used, 0], spans[used, 1] = held_from, held_to
                            used += 1
                first_piece = not holding and not joined and held_first
                if kind == _APOSTROPHE:
                    if joined:
                        holding = False
                        held_first = False
                    else:
                        held_first = first_piece
                        held, held_short, held_pure = piece, short, pure and length > 0
                        held_n = length > 0 and low == 110
                        held_stem = (
                            finish(states[(length - 1) & (_RING - 1)], _WORD) if length > 1 else nothing
                        )
                        held_from, held_to = begin, here
                        holding = True
                else:
                    if (
                        not joined
                        and pure
                        and length > 0
                        and not (rule == _ENGLISH and not first_piece and piece == tables.contracted[0])
                    ):
                        ids[used], stems[used] = piece, short
                        if keep_spans:
                            spans[used, 0], spans[used, 1] = begin, here
                        used += 1
                    holding, held_first, in_chunk = False, True, False
                states[0], state = OFFSET, OFFSET
                length, pure = 0, True
            if kind == _BREAK and used > ends[row] and ids[used - 1] != 0:
                ids[used], stems[used] = nothing, nothing
                if keep_spans:
                    spans[used, 0], spans[used, 1] = here, here
                used += 1
        ends[row + 1] = used
    return used
