"""Feature ids: 64-bit content hashes, the same on every machine and in every version.

A word's id hashes its code points; a pair's id mixes the ids of its two words in order; a theme's id hashes
its key. The two lowest bits say which kind it is. No id is 0.

    h <- OFFSET; for each code point c: h <- (h xor c) * PRIME          (FNV-1a over code points, mod 2^64)
    id <- finish(h), MurmurHash3's 64-bit finaliser; then the kind replaces the two lowest bits

Sources: Fowler, Noll & Vo's FNV-1a; Appleby's MurmurHash3.
"""

from typing import Any

import numpy as np
from numba import njit, uint64

WORD, PAIR, THEME = 1, 2, 3

OFFSET = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0x100000001B3)
_MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
_MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
_TURN = np.uint64(33)
KIND_BITS = np.uint64(3)
_ALL_BITS = (1 << 64) - 1
_PLAIN_OFFSET, _PLAIN_PRIME, _PLAIN_MIX_1, _PLAIN_MIX_2 = map(int, (OFFSET, PRIME, _MIX_1, _MIX_2))
_ORDER = np.uint64(0x9E3779B97F4A7C15)
_PLAIN_ORDER = int(_ORDER)


@njit(uint64(uint64, uint64), cache=True, inline="always")
def finish(value: Any, kind: Any) -> Any:
    """Spread the bits of `value` and mark it with its kind."""
    value ^= value >> _TURN
    value *= _MIX_1
    value ^= value >> _TURN
    value *= _MIX_2
    value ^= value >> _TURN
    return (value & ~KIND_BITS) | kind


@njit(uint64(uint64, uint64), cache=True, inline="always")
def absorb(value: Any, code_point: Any) -> Any:
    """One more code point of a running hash that started at OFFSET."""
    return (value ^ code_point) * PRIME


@njit(uint64(uint64, uint64), cache=True, inline="always")
def mix(first: Any, second: Any) -> Any:
    """Running hash of two ids in order; `finish` it, or mix in a third."""
    return (first * _ORDER) ^ (second + (first >> np.uint64(29)))


def mix_ids(first: int, second: int) -> int:
    """`mix` in plain numbers: a call of compiled code costs more.

    >>> mix_ids(5, 2**63) == int(mix(np.uint64(5), np.uint64(2**63)))
    True
    """
    return ((first * _PLAIN_ORDER) & _ALL_BITS) ^ ((second + (first >> 29)) & _ALL_BITS)


def feature_id(text: str, kind: int = WORD) -> int:
    """Id of a word, or of a theme by its key.

    >>> feature_id("panne") == feature_id("panne"), feature_id("panne") == feature_id("pannes")
    (True, False)
    """
    value = _PLAIN_OFFSET
    for character in text:
        value = ((value ^ ord(character)) * _PLAIN_PRIME) & _ALL_BITS
    # The finaliser again in plain numbers: a call of compiled code costs more than a short word does.
    value ^= value >> 33
    value = (value * _PLAIN_MIX_1) & _ALL_BITS
    value ^= value >> 33
    value = (value * _PLAIN_MIX_2) & _ALL_BITS
    value ^= value >> 33
    return (value & ~3) | kind


def pair_id(first: int, second: int) -> int:
    """Id of two word ids in order.

    >>> a, b = feature_id("carte"), feature_id("bleue")
    >>> pair_id(a, b) != pair_id(b, a)
    True
    """
    return int(finish(mix(np.uint64(first), np.uint64(second)), np.uint64(PAIR)))


def kind_of(feature: int) -> int:
    """WORD, PAIR or THEME."""
    return feature & 3
