"""Where a replay's state lies between its steps: in files that all workers reach, or in this process."""

import pickle
import shutil
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias, TypeVar
from uuid import uuid4
from weakref import WeakValueDictionary

_T = TypeVar("_T")


class Lent(NamedTuple):
    """Where something is that a shelf lent: a step's number and a name."""

    number: int
    name: str


Passed: TypeAlias = _T | Lent
"""What one part of a step passes on to another: see `Shelf.lend`."""


class Shelf(Protocol):
    """State by the number of the step that starts from it, and by name.

    shared: whether all parts of a step share the memory that this is in.
    """

    shared: ClassVar[bool]

    def put(self, number: int, name: str, state: Any) -> None:
        """Keep what a step starts from."""

    def take(self, number: int, name: str) -> Any:
        """What was put there, None if nothing was; a shelf in memory gives it away."""

    def lend(self, number: int, thing: _T) -> Passed[_T]:
        """What to pass on to a later part of the same step in place of something: a reference to it where
        all parts share memory, the thing itself where they do not."""

    def borrowed(self, passed: Passed[_T]) -> _T:
        """What `lend` was given, which stays for others."""

    def returned(self, passed: Passed[_T]) -> _T:
        """The same, for the last who needs it: memory holds it no longer than that one does."""

    def drop(self, number: int) -> None:
        """Let go of all that a step started from."""


@dataclass(frozen=True, slots=True)
class Files:
    """A file each, written whole under a new name: a step that runs twice reads and writes the same."""

    shared: ClassVar[bool] = False
    folder: Path

    def put(self, number: int, name: str, state: Any) -> None:
        """Write the file."""
        place = self._place(number, name)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_state(place, state)

    def take(self, number: int, name: str) -> Any:
        """Read the file; it stays."""
        place = self._place(number, name)
        return read_state(place) if place.exists() else None

    def lend(self, _number: int, thing: _T) -> Passed[_T]:
        """The thing: the engine passes it on."""
        return thing

    def borrowed(self, passed: Passed[_T]) -> _T:
        """The thing."""
        assert not isinstance(passed, Lent)
        return passed

    def returned(self, passed: Passed[_T]) -> _T:
        """The thing."""
        assert not isinstance(passed, Lent)
        return passed

    def drop(self, number: int) -> None:
        """Remove the files."""
        shutil.rmtree(self._place(number, "").parent, ignore_errors=True)

    def _place(self, number: int, name: str) -> Path:
        return self.folder / f"state-{number:06d}" / f"{name.replace('/', '+')}.state"


class Resident:
    """Pickled and read again in this process it is the same object, not a copy; elsewhere it is refused.

    Engines pickle what their steps are given.
    """

    def __init__(self) -> None:
        self._name = uuid4().hex
        _RESIDENTS[self._name] = self

    def __reduce__(self) -> tuple[Any, ...]:
        return _resident, (self._name,)


_RESIDENTS = WeakValueDictionary[str, Resident]()


def _resident(name: str) -> Resident:
    """The one of a name in this process; KeyError in another one, or where it is gone."""
    return _RESIDENTS[name]


class Held(Resident):
    """In memory, for an engine whose steps all run in this process, each part of them once.

    Threads may share it.
    """

    shared: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._states: dict[tuple[int, str], Any] = {}
        self._numbers = count()

    def put(self, number: int, name: str, state: Any) -> None:
        """Hold it, not a copy."""
        self._states[number, name] = state

    def take(self, number: int, name: str) -> Any:
        """Give it away: a state that a step changes is not in memory twice."""
        return self._states.pop((number, name), None)

    def lend(self, number: int, thing: _T) -> Passed[_T]:
        """Hold it under a name that no other state has; gives its place."""
        lent = Lent(number, f".lent.{next(self._numbers)}")
        self._states[lent] = thing
        return lent

    def borrowed(self, passed: Passed[_T]) -> _T:
        """What is held there."""
        assert isinstance(passed, Lent)
        thing: _T = self._states[passed]
        return thing

    def returned(self, passed: Passed[_T]) -> _T:
        """What was held there, given away."""
        assert isinstance(passed, Lent)
        thing: _T = self._states.pop(passed)
        return thing

    def drop(self, number: int) -> None:
        """Forget what is left of a step."""
        for key in [key for key in self._states if key[0] == number]:
            del self._states[key]


def read_state(place: Path) -> Any:
    """State files are this program's own, in its own folder: pickle is safe there."""
    with place.open("rb") as file:
        return pickle.load(file)


def write_state(place: Path, content: Any) -> None:
    """Write beside and rename; straight to the file, for the bytes of a whole state would double memory."""
    beside = place.with_name(f".{place.name}.{uuid4().hex}")
    with beside.open("wb") as file:
        pickle.dump(content, file, protocol=pickle.HIGHEST_PROTOCOL)
    beside.replace(place)
