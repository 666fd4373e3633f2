"""A machine: takes messages, keeps state, sends messages. One for each shard of a station."""

import pickle
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from pipelines.live.messages import Message
from pipelines.live.state import InTurn, State


class Taker(ABC):
    """Takes the messages of one station and shard."""

    @abstractmethod
    def take(self, message: Any) -> Iterator[Message]:
        """Take a message; yields those it gives rise to."""

    @property
    def has_to_show(self) -> bool:
        """Whether there is something provisional to show; to show it at each message would cost too much."""
        return False

    def show(self) -> Iterator[Message]:
        """Show it."""
        return iter(())


class Machine(Taker):
    """Takes its messages in order. Its state is all in `state`, and in memory beside it.

    What is pickled there is this program's own.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._epoch = int(state.get("epoch") or b"0")
        self._in_turn: InTurn | None = None

    def take(self, message: Any) -> Iterator[Message]:
        """Take a message; yields those it gives rise to. A message of an epoch gone by is dropped."""
        if message.epoch < self._epoch:
            return
        if message.epoch > self._epoch:
            self._state.clear()
            self._epoch = message.epoch
            self._state["epoch"] = str(self._epoch).encode()
            self._in_turn = None
        for parts in self._loaded().offer(self._number(message), message):
            yield from self._handle(parts)

    def _loaded(self) -> InTurn:
        """The messages in turn, once what the state holds is taken."""
        if self._in_turn is None:
            self._in_turn = InTurn(self._state, self._complete, dump=dump, load=pickle.loads)
            self._load()
        return self._in_turn

    def _number(self, message: Any) -> int:
        """What the message is counted by."""
        number: int = message.close.number
        return number

    @abstractmethod
    def _complete(self, parts: Sequence[Any]) -> bool:
        """Whether these messages of one number are all there will be."""

    @abstractmethod
    def _load(self) -> None:
        """Take what the state holds, nothing at the beginning of an epoch."""

    @abstractmethod
    def _handle(self, parts: Sequence[Any]) -> Iterator[Message]:
        """Handle all messages of the number whose turn it is."""


def dump(value: Any) -> bytes:
    """A value as bytes."""
    return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
