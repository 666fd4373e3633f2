"""The contract every source keeps.

A source yields *records* (what was read, with its place) and parses a record into exactly one *outcome*:
an event to admit, a row set aside on purpose, or a rejection with its reason. So accounting closes by
construction, and a quarantined record can be parsed again, alone, after a fix.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """One row, message or document as read. `line` is 1-based (0: the whole file)."""

    file: str
    line: int
    payload: bytes | Mapping[str, Any]

    @property
    def where(self) -> str:
        """`avis.csv:17`, for messages to the user."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Parsed:
    """A record that can become an event. Nothing here is redacted yet: it goes to admission only.

    own_id: the source's own identifier, None where it has none. occurred_at: aware. text: may be empty if
    score is given. score: [0, 1], 1 is best. author, agent: identifying strings or None. perimeter: as the
    source names it, resolved against the tree by admission. names: by which the author or agent may sign, to
    be redacted; not part of the identity.
    """

    occurred_at: datetime
    perimeter: str
    text: str
    own_id: str | None = None
    score: float | None = None
    author: str | None = None
    agent: str | None = None
    channel: str | None = None
    voice: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record that is well formed but is not a person writing: auto-reply, bounce, newsletter, blank."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that cannot be understood. reason: one of the source's `reasons`; detail: value and rule."""

    reason: str
    detail: str


MISSING = frozenset({"missing_column", "missing_field", "missing_rows", "missing_sheet"})
"""Reasons of every source whose details tell what the settings name and the source has not."""

Outcome = Parsed | SetAside | Rejected


class Source(Protocol):
    """Reads one configured source.

    `reasons` lists every reason `parse` may reject with, and says each in words. `records` never raises for
    bad content: an unreadable file is one record whose parse is a rejection; it raises SourceError only
    when the configured place does not exist. `parse` is pure: same record, same outcome.
    """

    name: str
    reasons: Mapping[str, str]

    def records(self) -> Iterator[Record]: ...

    def parse(self, record: Record) -> Outcome: ...


class Ending(Enum):
    """What shows that the last record of a file is whole, while others may still write to it."""

    DOCUMENT = "the file no longer changes"
    LINES = "a line end"
    MAILBOX = "a blank line"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source. read: its records from the first; never raises for what the file holds.

    name: how records call the file; members of an archive are `name/member`.
    ending: looks at the file, OSError where it cannot. beside: files that say something of this one, whether
    they are there or not. read_on: given the place of a record, its first byte and its line, the records from
    there on, as `read` gives them; None where only `read` can.
    """

    path: Path
    name: str
    read: Callable[[], Iterator[Record]]
    ending: Callable[[], Ending]
    beside: tuple[Path, ...] = ()
    read_on: Callable[[int, int], Iterator[Record]] | None = None


class FileSource(Source, Protocol):
    """A source that is made of files, which can be read one by one."""

    def files(self) -> Iterator[SourceFile]:
        """Every file in order of path; SourceError if the configured place does not exist."""
        ...


@dataclass(slots=True)
class Accounting:
    """What became of every row of one source: read = events + duplicates + set_aside + quarantined."""

    read: int = 0
    events: int = 0
    duplicates: int = 0
    set_aside: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)

    def closes(self) -> bool:
        """True if every row read is accounted for exactly once."""
        kept = self.events + self.duplicates
        return self.read == kept + sum(self.set_aside.values()) + sum(self.quarantined.values())

    def as_json(self) -> dict[str, Any]:
        """Plain numbers and the reasons, for printing and for the log."""
        return {
            "read": self.read,
            "events": self.events,
            "duplicates": self.duplicates,
            "set_aside": sum(self.set_aside.values()),
            "quarantined": sum(self.quarantined.values()),
            "set_aside_reasons": dict(sorted(self.set_aside.items())),
            "quarantine_reasons": dict(sorted(self.quarantined.items())),
        }
