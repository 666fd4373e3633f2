"""Words met before, by their bytes: what the tokeniser made of them need not be made again.

A direct-mapped cache: each run of bytes has one place, and the last one there is known. Most words of most
texts are among a few thousand. The bytes themselves are compared: what is told does not depend on what was
read before.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import inner
from detectors.features import mix

LONGEST = 16
"""Bytes of the longest run that is known again: two words of 64 bits."""
_BITS = 15
_SHIFT = np.uint64(64 - _BITS)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_BYTE, _REST = np.uint64(8), np.uint64(56)


class WordCache(NamedTuple):
    """fold: of each byte, what stands for it in a key; 0 for those that end a run.

    entries: the key's high and low half, the word's id and its stem's, 0 where the run gives no word; shape
    (places, 4), one megabyte in all.
    """

    fold: NDArray[np.uint8]
    entries: NDArray[np.uint64]


class Key(NamedTuple):
    """A run of bytes, at most LONGEST to be known again. after: place after the run."""

    high: Any
    low: Any
    after: Any


def empty_cache() -> WordCache:
    """A cache for the words of one rule of `pipelines.stages.scanner`."""
    fold = np.zeros(256, np.uint8)
    for code in range(0x80):
        if chr(code).isalnum():
            fold[code] = ord(chr(code).lower())
    fold[ord("'")] = fold[ord("`")] = ord("'")
    # Bytes of code points 0xC0 to 0x7FF, nearly all letters: a run that holds another is never entered.
    fold[0x80:0xC0], fold[0xC3:0xE0] = np.arange(0x80, 0xC0), np.arange(0xC3, 0xE0)
    return WordCache(fold, np.zeros((1 << _BITS, 4), np.uint64))


@inner
def key_at(raw: Any, place: int, end: int, cache: WordCache) -> Key:
    """The run that begins at a place."""
    high, low = np.uint64(0), np.uint64(0)
    while place < end:
        byte = np.uint64(cache.fold[raw[place]])
        if byte == 0:
            break
        high = (high << _BYTE) | (low >> _REST)
        low = (low << _BYTE) | byte
        place += 1
    return Key(high, low, place)


@inner
def find(key: Key, cache: WordCache) -> Any:
    """Place of a key's entry, and whether it is there."""
    at = np.int64((mix(key.high, key.low) * _SPREAD) >> _SHIFT)
    return at, cache.entries[at, 0] == key.high and cache.entries[at, 1] == key.low


@inner
def enter(key: Key, at: int, word: Any, stem: Any, cache: WordCache) -> None:
    """Note what a key's run gives, in place of what was there. word: 0 if it gives none."""
    cache.entries[at, 0], cache.entries[at, 1] = key.high, key.low
    cache.entries[at, 2], cache.entries[at, 3] = word, stem
