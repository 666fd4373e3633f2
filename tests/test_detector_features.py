"""Feature ids against the same hashes written with Python's unbounded integers, and published vectors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.features import OFFSET, PAIR, THEME, WORD, absorb, feature_id, finish, kind_of, mix, pair_id

MOD = 2**64
KINDS = st.sampled_from([WORD, PAIR, THEME])
UINT64 = st.integers(0, MOD - 1)


def fnv_1a(code_points: list[int]) -> int:
    value = 14695981039346656037
    for code_point in code_points:
        value = ((value ^ code_point) * 1099511628211) % MOD
    return value


def murmur_finaliser(value: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value ^= value // 2**33
        value = value * factor % MOD
    return value ^ value // 2**33


def marked(value: int, kind: int) -> int:
    return value - value % 4 + kind


@pytest.mark.parametrize(
    ("text", "expected"),
    # From the published test suite of the Fowler-Noll-Vo hash: over ASCII, code points are bytes.
    [("", 0xCBF29CE484222325), ("a", 0xAF63DC4C8601EC8C), ("foobar", 0x85944171F73967E8)],
)
def test_published_vectors(text: str, expected: int) -> None:
    value = OFFSET
    for character in text:
        value = absorb(value, np.uint64(ord(character)))
    assert int(value) == expected == fnv_1a([ord(character) for character in text])


@settings(deadline=None, max_examples=200)
@given(text=st.text(max_size=30), kind=KINDS)
def test_a_feature_is_a_marked_finalised_hash_of_its_code_points(text: str, kind: int) -> None:
    expected = marked(murmur_finaliser(fnv_1a([ord(character) for character in text])), kind)
    assert feature_id(text, kind) == expected
    assert kind_of(expected) == kind
    assert expected != 0


@settings(deadline=None, max_examples=200)
@given(first=UINT64, second=UINT64)
def test_a_pair_mixes_in_order(first: int, second: int) -> None:
    mixed = (first * 0x9E3779B97F4A7C15 % MOD) ^ ((second + first // 2**29) % MOD)
    assert int(mix(np.uint64(first), np.uint64(second))) == mixed
    assert pair_id(first, second) == marked(murmur_finaliser(mixed), PAIR)
    assert kind_of(pair_id(first, second)) == PAIR


def test_even_the_hash_that_is_zero_gives_an_id() -> None:
    assert [int(finish(np.uint64(0), np.uint64(kind))) for kind in (WORD, PAIR, THEME)] == [1, 2, 3]


def test_order_kind_and_spelling_tell_features_apart() -> None:
    words = [f"{a}{b}" for a in "abcdefghijklmnopqrstuvwxyzéèàç" for b in "abcdefghijklmnopqrstuvwxyzéèàç"]
    alone = [feature_id(word) for word in words]
    pairs = [pair_id(one, other) for one in alone[:60] for other in alone[:60]]
    themes = [feature_id(word, THEME) for word in words]
    everything = alone + pairs + themes
    assert len(set(everything)) == len(everything)
