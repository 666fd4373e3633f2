"""Word ids to what a text says: its distinct features, its sentiment and its fingerprint."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import inner
from detectors.features import PAIR, finish, mix
from pipelines.stages.lexicon_table import LexiconTable
from pipelines.stages.tokens import Tokens

_PAIR = np.uint64(PAIR)
_LONGEST = 4
BRIDGE = 2
"""Stop words that may stand between the two words of a pair: `panne de la caisse`."""
_COPY_WORDS = 8
"""Words that the two longest clauses of a text hold at least for it to be known again as a copy: shorter
remarks repeat by chance. Of messages of eight words and more that customers write to companies, hardly any
two are equal but copies."""


@dataclass(frozen=True, slots=True)
class Readings:
    """One entry a text, features as a list column.

    features: distinct ids of words, pairs and themes. offsets: shape (texts + 1,). sentiment: sum of weights.
    fingerprint: equal for near-copies, 0 for texts too short to tell.
    """

    features: NDArray[np.uint64]
    offsets: NDArray[np.int64]
    sentiment: NDArray[np.int16]
    fingerprint: NDArray[np.uint64]


def read(tokens: Tokens, table: LexiconTable) -> Readings:
    """Features, sentiment and fingerprint of every text of a batch in one language."""
    texts = tokens.offsets.size - 1
    longest = int(np.diff(tokens.offsets).max(initial=0))
    per_word = 2 + _LONGEST * int((table.theme_to - table.theme_from).max(initial=0))
    features = np.empty(per_word * tokens.ids.size + 1, np.uint64)
    offsets = np.zeros(texts + 1, np.int64)
    sentiment = np.zeros(texts, np.int16)
    fingerprint = np.zeros(texts, np.uint64)
    places = 1 << max(6, (2 * per_word * longest).bit_length())
    seen, stamp = np.zeros(places, np.uint64), np.full(places, -1, np.int32)
    used = _read(
        tokens.ids,
        tokens.stems,
        tokens.offsets,
        table,
        np.zeros(tokens.ids.size, np.bool_),
        seen,
        stamp,
        features,
        offsets,
        sentiment,
        fingerprint,
    )
    return Readings(features[:used].copy(), offsets, sentiment, fingerprint)


@inner
def _look_up(keys: Any, key: Any) -> Any:
    mask = keys.size - 1
    place = np.int64((key >> np.uint64(7)) & np.uint64(mask))
    while keys[place] != 0:
        if keys[place] == key:
            return place
        place = (place + 1) & mask
    return -1


@inner
def _add(feature: Any, row: int, seen: Any, stamp: Any, features: Any, used: int) -> int:
    """Append the feature unless the row has it; `stamp` tells whose row a place of `seen` belongs to."""
    mask = seen.size - 1
    place = np.int64((feature >> np.uint64(11)) & np.uint64(mask))
    while stamp[place] == row:
        if seen[place] == feature:
            return used
        place = (place + 1) & mask
    stamp[place] = row
    seen[place] = feature
    features[used] = feature
    return used + 1


@inner
def _weigh(ids: Any, spent: Any, start: int, begin: int, weight: Any, table: LexiconTable) -> Any:
    """The weight of an entry at `begin`, after the intensifier and the negator nearest before it.

    spent: words that other entries hold.
    """
    turned, moved = False, False
    size = abs(weight)
    for distance in range(1, 9):
        place = begin - distance
        if place < start or ids[place] == 0:
            break
        word = _look_up(table.keys, ids[place])
        if word < 0 or spent[place]:
            continue
        if not turned and table.negates[word] >= distance:
            turned = True
        if not moved and table.step_reach[word] >= distance:
            moved = True
            size = max(1, size + table.step[word])
    return size if (weight > 0) != turned else -size


@inner
def _fingerprint(ids: Any, start: int, end: int) -> Any:
    """Hash of the two longest clauses; 0 if they are too short to tell copies from common phrases.

    A greeting, a name, a reference or a line put before changes other clauses, so near-copies keep these.
    """
    first, second = np.uint64(0), np.uint64(0)
    longest, next_longest = 0, 0
    value, length = np.uint64(0), 0
    for place in range(start, end + 1):
        if place < end and ids[place] != 0:
            value = mix(value, ids[place])
            length += 1
            continue
        if length > longest or (length == longest and value > first):
            second, next_longest = first, longest
            first, longest = value, length
        elif length > next_longest or (length == next_longest and value > second):
            second, next_longest = value, length
        value, length = np.uint64(0), 0
    if longest + next_longest < _COPY_WORDS:
        return np.uint64(0)
    return finish(mix(first, second), np.uint64(0)) | np.uint64(1)


@inner
def _read(
    ids: Any,
    stems: Any,
    ends: Any,
    table: LexiconTable,
    spent: Any,
    seen: Any,
    stamp: Any,
    features: Any,
    offsets: Any,
    sentiment: Any,
    fingerprint: Any,
) -> int:
    used = 0
    for row in range(ends.size - 1):
        start, end = ends[row], ends[row + 1]
        previous, bridge = np.uint64(0), 0
        mood: Any = 0
        weighed_to: Any = start
        for place in range(start, end):
            word = ids[place]
            if word == 0:
                previous = np.uint64(0)
                continue
            entry = _look_up(table.keys, word)
            if entry >= 0 and table.stop[entry]:
                bridge += 1
                if bridge > BRIDGE:
                    previous = np.uint64(0)
            else:
                stem = stems[place]
                used = _add(stem, row, seen, stamp, features, used)
                if previous != 0:
                    pair = finish(mix(previous, stem), _PAIR)
                    used = _add(pair, row, seen, stamp, features, used)
                previous, bridge = stem, 0
            # expressions that begin here
            key, found_length = word, 0
            found_weight: Any = 0
            for length in range(1, _LONGEST + 1):
                if entry < 0:
                    break
                if table.weight[entry] != 0:
                    found_weight, found_length = np.int64(table.weight[entry]), length
                for theme in range(table.theme_from[entry], table.theme_to[entry]):
                    used = _add(table.theme_ids[theme], row, seen, stamp, features, used)
                after = place + length
                if not table.longer[entry] or after >= end or ids[after] == 0:
                    break
                key = mix(key, ids[after])
                entry = _look_up(table.keys, key)
            if found_length > 0 and place >= weighed_to:
                mood += _weigh(ids, spent, start, place, found_weight, table)
                weighed_to = place + found_length
                spent[place:weighed_to] = True
        offsets[row + 1] = used
        sentiment[row] = max(-32767, min(32767, mood))
        fingerprint[row] = _fingerprint(ids, start, end)
    return used
