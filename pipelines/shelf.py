"""Where a replay's state lies between its steps: in files that all workers reach, or in this process."""

import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4


class Shelf(Protocol):
    """State by the number of the step that starts from it, and by name."""

    def put(self, number: int, name: str, state: Any) -> None:
        """Keep what a step starts from."""

    def take(self, number: int, name: str) -> Any:
        """What was put there, None if nothing was; a shelf in memory gives it away."""

    def drop(self, number: int) -> None:
        """Let go of all that a step started from."""


@dataclass(frozen=True, slots=True)
class Files:
    """A file each, written whole under a new name: a step that runs twice reads and writes the same."""

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

    def drop(self, number: int) -> None:
        """Remove the files."""
        shutil.rmtree(self._place(number, "").parent, ignore_errors=True)

    def _place(self, number: int, name: str) -> Path:
        return self.folder / f"state-{number:06d}" / f"{name.replace('/', '+')}.state"


class Held:
    """In memory, for an engine whose steps all run in this process, each part of them once."""

    def __init__(self) -> None:
        self._states: dict[tuple[int, str], Any] = {}

    def put(self, number: int, name: str, state: Any) -> None:
        """Hold it, not a copy."""
        self._states[number, name] = state

    def take(self, number: int, name: str) -> Any:
        """Give it away: a state that a step changes is not in memory twice."""
        return self._states.pop((number, name), None)

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
