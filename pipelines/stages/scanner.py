"""Compiled core of `pipelines.stages.tokens`: the bytes of texts to ids of words, one pass.

A run is a longest row of letters, digits and apostrophes; apostrophes divide it into pieces. Runs that were
met before are taken from a cache; others are read piece by piece.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import inner
from detectors.features import OFFSET, WORD, absorb, finish
from pipelines.stages.word_cache import LONGEST, WordCache, enter, find, key_at

SPACE, LETTER, DIGIT, APOSTROPHE, BREAK, OPEN = range(6)
"""Classes of code points; OPEN: the bracket that begins markup."""
PLAIN, FRENCH, ENGLISH = range(3)
"""Rules for apostrophes and endings."""
MARKUP_LENGTH = 60
RING = 8
"""Letters of a piece that are remembered from its end, a power of two: an ending and the letter before."""
_LAST = RING - 1
_WORD = np.uint64(WORD)
_NOTHING = np.uint64(0)


class Tables(NamedTuple):
    """Per code point: lower case and class. Per byte: the lower case of a plain letter, 0 for all else. Then
    the word ids the apostrophe rules know."""

    lower: NDArray[np.uint32]
    kind: NDArray[np.uint8]
    plain: NDArray[np.uint8]
    elisions: NDArray[np.uint64]
    whole: NDArray[np.uint64]
    contracted: NDArray[np.uint64]


class Ring(NamedTuple):
    """The last letters of the piece at hand: running hash up to each, and its code; place k holds letter k,
    counted from 1, modulo RING."""

    states: NDArray[np.uint64]
    codes: NDArray[np.int64]


class Written(NamedTuple):
    """Room for what is found. ids, stems: of words, 0 for a break. spans: without rows where not asked."""

    ids: NDArray[np.uint64]
    stems: NDArray[np.uint64]
    spans: NDArray[np.int64]


class _Piece(NamedTuple):
    """word, stem: ids. shorter: id of all but its last letter, 0 if that is none. pure: letters only, and not
    empty. begin, after: its first byte and the one after it."""

    word: Any
    stem: Any
    shorter: Any
    pure: Any
    last: Any
    begin: Any
    after: Any


@inner
def decode(raw: Any, place: int) -> Any:
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


@inner
def scan(
    raw: Any, starts: Any, tables: Tables, rule: int, cache: WordCache, ring: Ring, out: Written, ends: Any
) -> int:
    """Read texts starts[i]..starts[i + 1] of `raw`; gives the entries written, ends[i + 1]: after text i.

    One break ends every clause that has words.
    """
    used = 0
    spans = out.spans.shape[0] > 0
    for row in range(starts.size - 1):
        place, end = starts[row], starts[row + 1]
        while place < end:
            if cache.fold[raw[place]] != 0 and not spans:
                place, used = _read_known(raw, place, end, tables, rule, cache, ring, out, used)
                continue
            code, after = decode(raw, place)
            kind = tables.kind[code]
            if kind == LETTER or kind == DIGIT or kind == APOSTROPHE:
                place, used = _read_run(raw, place, end, tables, rule, ring, out, used)
                continue
            if kind == BREAK and used > ends[row] and out.ids[used - 1] != 0:
                used = _write(_NOTHING, _NOTHING, place, place, out, used)
            place = after
            if kind == OPEN:
                place = _after_markup(raw, after, end)
        if used > ends[row] and out.ids[used - 1] != 0:
            used = _write(_NOTHING, _NOTHING, end, end, out, used)
        ends[row + 1] = used
    return used


@inner
def _after_markup(raw: Any, place: int, end: int) -> int:
    """Place after `[...]` whose bracket opens just before `place`, or `place` if it is not markup."""
    begin = place
    for length in range(MARKUP_LENGTH + 1):
        if place >= end:
            break
        code, place = decode(raw, place)
        if code == 93:  # ]
            return place if length > 0 else begin
        if code == 10:
            break
    return begin


@inner
def _read_known(
    raw: Any,
    place: int,
    end: int,
    tables: Tables,
    rule: int,
    cache: WordCache,
    ring: Ring,
    out: Written,
    used: int,
) -> Any:
    """As `_read_run`, from the cache if the run is there; enters it if not."""
    key = key_at(raw, place, end, cache)
    at, known = find(key, cache)
    short = key.after - place <= LONGEST
    if known and short and (key.after == end or _ends(raw, key.after, tables)):
        out.ids[used], out.stems[used] = cache.entries[at, 2], cache.entries[at, 3]
        return key.after, used + (cache.entries[at, 2] != 0)
    after, ended = _read_run(raw, place, end, tables, rule, ring, out, used)
    if short and after == key.after and ended <= used + 1:
        if ended > used:
            enter(key, at, out.ids[used], out.stems[used], cache)
        else:
            enter(key, at, _NOTHING, _NOTHING, cache)
    # What begins with a byte of a run may be none, such as a multiplication sign.
    return (decode(raw, place)[1] if after == place else after), ended


@inner
def _ends(raw: Any, place: int, tables: Tables) -> Any:
    """Whether what stands at a place, where a key ends, ends a run."""
    if raw[place] < 0x80:
        return True
    kind = tables.kind[decode(raw, place)[0]]
    return kind == SPACE or kind == BREAK or kind == OPEN


@inner
def _read_run(
    raw: Any, place: int, end: int, tables: Tables, rule: int, ring: Ring, out: Written, used: int
) -> Any:
    """Write the words of the run at a place; returns the place after it, and what is written now."""
    piece = _read_piece(raw, place, end, tables, rule, ring)
    # A piece is held back until the next one is known.
    holding, first = True, True
    while True:
        place = piece.after
        divided = False
        if place < end:
            code, after = decode(raw, place)
            divided = tables.kind[code] == APOSTROPHE
        if not divided:
            break
        held, was_held, held_first = piece, holding, first
        piece = _read_piece(raw, after, end, tables, rule, ring)
        holding, first = True, False
        if was_held:
            joined, used = _join(held, piece, tables, rule, out, used)
            if joined:
                holding = False
            elif held.pure and not _is_dropped(held, held_first, tables, rule):
                used = _write(held.word, held.stem, held.begin, held.after, out, used)
    clipped = rule == ENGLISH and not first and piece.word == tables.contracted[0]
    if holding and piece.pure and not clipped:
        used = _write(piece.word, piece.stem, piece.begin, piece.after, out, used)
    return place, used


@inner
def _read_piece(raw: Any, place: int, end: int, tables: Tables, rule: int, ring: Ring) -> _Piece:
    """The letters and digits from a place on; there may be none."""
    begin, length, pure = place, 0, True
    state, low = OFFSET, np.int64(0)
    ring.states[:], ring.codes[:] = OFFSET, 0
    while place < end:
        code, after = decode(raw, place)
        kind = tables.kind[code]
        if kind != LETTER and kind != DIGIT:
            break
        place = after
        pure = pure and kind == LETTER
        low = np.int64(tables.lower[code])
        if low == 0x153 or low == 0xE6:  # oe, ae
            state, length = _add_letter(state, 111 if low == 0x153 else 97, length, ring)
            low = np.int64(101)
        state, length = _add_letter(state, low, length, ring)
        # Plain letters, which most of any text is, one after the other.
        while place < end and tables.plain[raw[place]] != 0:
            low = np.int64(tables.plain[raw[place]])
            state, length = _add_letter(state, low, length, ring)
            place += 1
    word, stem = finish(state, _WORD), finish(_stem(rule, length, ring), _WORD)
    shorter = finish(ring.states[(length - 1) & _LAST], _WORD) if length > 1 else _NOTHING
    return _Piece(word, stem, shorter, pure and length > 0, low, begin, place)


@inner
def _add_letter(state: Any, code: Any, length: int, ring: Ring) -> Any:
    state = absorb(state, np.uint64(code))
    length += 1
    ring.states[length & _LAST], ring.codes[length & _LAST] = state, code
    return state, length


@inner
def _stem(rule: int, length: int, ring: Ring) -> Any:
    """Running hash of a word without its ending; see `pipelines.words.stem`."""
    cut = 0
    codes = ring.codes
    one, two, three = codes[length & _LAST], codes[(length - 1) & _LAST], codes[(length - 2) & _LAST]
    if rule == FRENCH:
        if length >= 4 and (one == 115 or one == 120) and two != 115:  # s, x; not ss
            cut = 1
            one, two, three = two, three, codes[(length - 3) & _LAST]
        left = length - cut
        if left >= 6 and one == 116 and two == 110 and three == 101:  # ent
            cut += 3
        elif left >= 5 and ((two == 101 and (one == 114 or one == 122)) or (two == 233 and one == 101)):
            cut += 2  # er, ez, ée
        elif left >= 4 and (one == 101 or one == 233):  # e, é
            cut += 1
    elif rule == ENGLISH:
        if length >= 4 and one == 115 and two != 115 and two != 117 and two != 105:
            cut = 1  # s; not ss, us, is
            one, two, three = two, three, codes[(length - 3) & _LAST]
        left = length - cut
        if left >= 6 and one == 103 and two == 110 and three == 105:  # ing
            cut += 3
        elif left >= 5 and one == 100 and two == 101:  # ed
            cut += 2
        elif left >= 4 and one == 101:  # e
            cut += 1
    return ring.states[(length - cut) & _LAST]


@inner
def _join(held: _Piece, piece: _Piece, tables: Tables, rule: int, out: Written, used: int) -> Any:
    """Write what two pieces around an apostrophe make together; whether they do, and what is written now."""
    if rule == FRENCH and held.pure and piece.pure:
        for place in range(0, tables.whole.size, 3):
            if tables.whole[place] == held.word and tables.whole[place + 1] == piece.word:
                word = tables.whole[place + 2]
                return True, _write(word, word, held.begin, piece.after, out, used)
    if rule == ENGLISH and held.pure and held.last == 110 and piece.word == tables.contracted[1]:  # n't
        verb = held.shorter
        if held.word == tables.contracted[3]:  # won
            verb = tables.contracted[4]
        elif held.word == tables.contracted[5]:  # can
            verb = held.word
        elif held.word == tables.contracted[6]:  # shan
            verb = tables.contracted[7]
        if verb != 0:
            used = _write(verb, verb, held.begin, held.after, out, used)
        negation = tables.contracted[2]
        return True, _write(negation, negation, held.begin, piece.after, out, used)
    return False, used


@inner
def _is_dropped(held: _Piece, first: bool, tables: Tables, rule: int) -> bool:
    """Whether a piece before an apostrophe goes: a French elision, an English s that follows one too."""
    if rule == FRENCH:
        for elision in tables.elisions:  # noqa: SIM110  (compiled: `any` over a generator is not)
            if elision == held.word:
                return True
        return False
    return rule == ENGLISH and not first and held.word == tables.contracted[0]


@inner
def _write(word: Any, stem: Any, begin: int, after: int, out: Written, used: int) -> int:
    out.ids[used], out.stems[used] = word, stem
    if out.spans.shape[0] > 0:
        out.spans[used, 0], out.spans[used, 1] = begin, after
    return used + 1
