"""Sentences with choices and slots: `[a|b]` takes one side, `{name}` is filled by the caller; both nest."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

T = TypeVar("T")
Fill = Callable[[str], str]

# The literal start makes the search fast; what must stand before it is looked for last.
_ELIDED = re.compile(r"e (?:(?<=\b[Dd]e )|(?<=\b[Qq]ue ))(?=une?\b|[AEIOUÉ][a-zé])")


@dataclass(frozen=True, slots=True)
class Slot:
    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    sides: tuple["Pattern", ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One compiled sentence.

    >>> pattern = Pattern.compile("il [pleut|neige] à {ville}")
    >>> pattern.render(Random(0), lambda slot: "Brécourt") in {"il pleut à Brécourt", "il neige à Brécourt"}
    True
    """

    parts: tuple[str | Slot | Choice, ...]

    @classmethod
    def compile(cls, source: str) -> "Pattern":
        """Raises ValueError where a bracket or brace has no pair."""
        reader = _Reader(source)
        pattern = reader.pattern(depth=0)
        if reader.position != len(source):
            raise ValueError(f"{source!r}: unexpected {source[reader.position]!r} at {reader.position}")
        return pattern

    def render(self, rng: Random, fill: Fill) -> str:
        """One sentence, elisions and spaces repaired."""
        out: list[str] = []
        self._write(rng, fill, out)
        return _ELIDED.sub("'", "".join(out)).replace("  ", " ").replace(" ,", ",").strip()

    def _write(self, rng: Random, fill: Fill, out: list[str]) -> None:
        for part in self.parts:
            if isinstance(part, str):
                out.append(part)
            elif isinstance(part, Slot):
                out.append(fill(part.name))
            else:
                pick(rng, part.sides)._write(rng, fill, out)


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.position = 0

    def pattern(self, *, depth: int) -> Pattern:
        """Read until the end, or until the `|` or `]` of the choice around."""
        stops = "[{|]" if depth else "[{]"
        parts: list[str | Slot | Choice] = []
        while self.position < len(self.source):
            char = self.source[self.position]
            if char not in stops:
                parts.append(self._literal(stops))
            elif char == "[":
                parts.append(self._choice(depth + 1))
            elif char == "{":
                parts.append(self._slot())
            else:
                break
        return Pattern(tuple(parts))

    def _literal(self, stops: str) -> str:
        start = self.position
        while self.position < len(self.source) and self.source[self.position] not in stops:
            self.position += 1
        return self.source[start : self.position]

    def _slot(self) -> Slot:
        end = self.source.find("}", self.position)
        if end < 0:
            raise ValueError(f"{self.source!r}: the brace at {self.position} is not closed")
        name = self.source[self.position + 1 : end]
        self.position = end + 1
        return Slot(name)

    def _choice(self, depth: int) -> Choice:
        start = self.position
        sides: list[Pattern] = []
        while self.source[self.position : self.position + 1] in ("[", "|"):
            self.position += 1
            sides.append(self.pattern(depth=depth))
        if self.source[self.position : self.position + 1] != "]":
            raise ValueError(f"{self.source!r}: the bracket at {start} is not closed")
        self.position += 1
        return Choice(tuple(sides))


def compile_lines(block: str) -> tuple[Pattern, ...]:
    """One pattern a line; blank lines are skipped."""
    return tuple(Pattern.compile(line.strip()) for line in block.splitlines() if line.strip())


def pick(rng: Random, items: Sequence[T]) -> T:
    """One of the items, each as likely; several times faster than Random.choice."""
    return items[int(rng.random() * len(items))]
