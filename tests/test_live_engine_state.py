"""The engine's state as a map of bytes: what is asked of the engine, and what is remembered beside it."""

from collections.abc import Iterator

import pytest

from pipelines.live.state import BLOCK_BYTES, SHORT_BYTES, EngineState, get_large, put_large


class Kept:
    """A MapState of one key, with the keys that were asked for."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.asked: list[str] = []

    def get(self, key: str) -> bytes | None:
        self.asked.append(key)
        return self.content.get(key)

    def put(self, key: str, value: bytes) -> None:
        self.content[key] = value

    def remove(self, key: str) -> None:
        del self.content[key]

    def keys(self) -> Iterator[str]:
        return iter(self.content)

    def clear(self) -> None:
        self.content.clear()


def test_what_was_written_is_read_whatever_its_size() -> None:
    kept = Kept()
    state = EngineState(kept)
    short, long = b"7", b"x" * (SHORT_BYTES + 1)
    state["number"] = short
    assert state["number"] == short
    # Longer, then shorter again: what is remembered is never of before.
    for value in (long, b"8", long, short):
        state["number"] = value
        assert state["number"] == kept.content["number"] == value
    del state["number"]
    assert "number" not in state
    with pytest.raises(KeyError):
        state["number"]
    state["number"] = short
    state.clear()
    assert list(state) == []
    assert state.get("number") is None


def test_the_engine_is_not_asked_for_a_number_that_was_just_given() -> None:
    kept = Kept()
    state = EngineState(kept)
    content = b"y" * (2 * BLOCK_BYTES + 1)
    put_large(state, "tree", content)
    kept.asked.clear()
    put_large(state, "tree", content)
    assert kept.asked == []
    put_large(state, "tree", b"small")
    assert get_large(state, "tree") == b"small"
    assert sorted(kept.content) == ["tree", "tree\n#0"]


def test_a_new_machine_reads_what_the_engine_kept() -> None:
    kept = Kept()
    EngineState(kept)["number"] = b"7"
    assert EngineState(kept)["number"] == b"7"
