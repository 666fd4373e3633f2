"""What is new in a source's files, and whether what stands at their end is whole yet.

A position is how many records of a file were taken, with the hash of the bytes they came from and of the last
record: a file that only grew is read on from there. One that was written anew, or whose last record went on,
is read from its first record, and what was taken from it before counts no more for the numbers of equal
contents.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import TypeAlias

import xxhash

from connectors.contract import Ending, FileSource, Record, Rejected, SourceFile
from connectors.following.positions import Digests, Saved
from connectors.tables.csv_rows import UNCLOSED
from connectors.tables.rows import DETAIL
from connectors.unread import stands_for_file

Version: TypeAlias = tuple[tuple[int, int, int] | None, ...]
"""Inode, size and modification time in nanoseconds of a file and of those beside it; None where absent."""

_BLOCK = 1 << 20
_PACE = 4
"""A growing file is read again after at least this many times what the last reading took."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long to wait for writers, in seconds.

    settle_s: a document, or the last message of a mailbox, is taken once its file has not changed for this
    long. patience_s: what cannot be read, or lacks its end, is believed to be meant after this long.
    """

    settle_s: float = 3.0
    patience_s: float = 60.0


class _Prefix:
    """The first bytes of a file, by their hash."""

    def __init__(self, size: int = 0, digest: str = "") -> None:
        self._size = size
        self._hash = xxhash.xxh3_128()
        self._digest = digest

    @property
    def told(self) -> tuple[int, str]:
        """Size and hash, to make the same one from."""
        return self._size, self._digest

    def begins(self, path: Path) -> bool:
        """Whether the file still begins with these bytes, if there are any."""
        found = xxhash.xxh3_128()
        same = 0 < self._size == _update(found, path, 0, self._size) and found.hexdigest() == self._digest
        if same:
            self._hash = found
        return same

    def grow(self, path: Path, size: int) -> None:
        """Take in the bytes up to a size; a file that has fewer by now will not begin with these."""
        self._size += _update(self._hash, path, self._size, size)
        if self._size < size:
            self._size = 0
        self._digest = self._hash.hexdigest()


def _update(found: xxhash.xxh3_128, path: Path, start: int, end: int) -> int:
    """Hash the bytes of a file from start to end; how many there were."""
    left = end - start
    try:
        with path.open("rb") as file:
            file.seek(start)
            while left > 0 and (block := file.read(min(_BLOCK, left))):
                found.update(block)
                left -= len(block)
    except OSError:
        pass
    return end - start - left


@dataclass(slots=True)
class _Position:
    """How far one file was read. part: its name towards admission. Times are of the monotonic clock.

    last: hash of the last record taken. mark: its first byte and its line; None where no byte tells lines.
    """

    part: int
    seen: Version
    changed_at: float
    taken: int = 0
    read: Version | None = None
    prefix: _Prefix = field(default_factory=_Prefix)
    last: bytes = b""
    mark: tuple[int, int] | None = (0, 1)
    held: tuple[int, float] | None = None
    due: float | None = None
    not_before: float = 0.0


@dataclass(slots=True)
class Growth:
    """The files of one source, watched for what is new.

    monotonic: seconds that only grow. now: seconds since 1970, to tell how old a file met for the first
    time is. forget: called with the part of a file whose records count no more. saved: positions of an
    earlier run, by what `name_of` gives for a path; remember: called with the part and contents of one that
    is taken up.
    """

    source: FileSource
    waits: Waits
    monotonic: Callable[[], float]
    now: Callable[[], float]
    forget: Callable[[int], None]
    saved: dict[str, Saved] = field(default_factory=dict)
    name_of: Callable[[Path], str] = str
    remember: Callable[[int, Digests], None] = lambda _part, _contents: None
    _positions: dict[Path, _Position] = field(default_factory=dict)
    _parts: Iterator[int] = field(default_factory=lambda: count(1))
    _looked_at: float = -math.inf

    def scan(self) -> list[SourceFile]:
        """The files to read now, in order of path; SourceError if the configured place does not exist."""
        found = {file.path: file for file in self.source.files()}
        versions = {path: version_of(file) for path, file in found.items()}
        self._follow_moves(versions)
        for path in self._positions.keys() - found.keys():
            self.forget(self._positions.pop(path).part)
        due = [file for path, file in found.items() if self._is_due(path, versions[path])]
        # A file that is gone counts no more, and is a new one should it come back.
        self.saved.clear()
        self._looked_at = self.monotonic()
        return due

    def part_of(self, file: SourceFile) -> int:
        """The name of a scanned file towards admission."""
        return self._positions[file.path].part

    @property
    def waiting(self) -> int:
        """Files with something that is not whole yet."""
        return sum(position.due is not None for position in self._positions.values())

    def next_due(self) -> float | None:
        """When a file is worth a look although nothing changes, on the monotonic clock."""
        return min((p.due for p in self._positions.values() if p.due is not None), default=None)

    def fresh(self, file: SourceFile, read: Callable[[], Iterator[Record]] | None = None) -> Iterator[Record]:
        """The whole records not taken before; they count as taken once the iterator is exhausted.

        read: what to read the file with, from its first record, if not with the source's own means.
        """
        position, started = self._positions[file.path], self.monotonic()
        version = version_of(file)
        self._note(position, version)
        position.due = None
        quiet, size = started - position.changed_at, version[0][1] if version[0] else 0
        try:
            ending = file.ending()
        except OSError:
            ending = Ending.DOCUMENT
        wait = self.waits.patience_s if not size else self.waits.settle_s
        if (not size or ending is Ending.DOCUMENT) and quiet < wait:
            position.due = position.changed_at + wait
            return
        changed = position.taken and position.read != version
        if changed and (ending is Ending.DOCUMENT or not position.prefix.begins(file.path)):
            self._start_anew(position)
        records = self._after_taken(file, position, ending, read)
        skipped_in, last_taken = self.monotonic() - started, None
        for record, last in _with_last(records):
            due = self._held_until(file, position, record, ending, version, last=last)
            if due is not None and due > self.monotonic():
                position.due = due
                break
            yield record
            position.taken += 1
            last_taken = record
        position.read = version
        if last_taken is not None:
            position.last = _digest_of(last_taken)
        if ending is not Ending.DOCUMENT:
            position.prefix.grow(file.path, size)
            if last_taken is not None and position.mark is not None:
                position.mark = start_of_line(file.path, position.mark, last_taken.line)
        position.not_before = self.monotonic() + _PACE * skipped_in

    def _after_taken(
        self,
        file: SourceFile,
        position: _Position,
        ending: Ending,
        read: Callable[[], Iterator[Record]] | None,
    ) -> Iterator[Record]:
        """The records from the position on; all of them if the last one taken is not what it was."""
        if position.taken:
            if file.read_on and position.mark and not read and ending is not Ending.DOCUMENT:
                records = file.read_on(*position.mark)
            else:
                records = islice((read or file.read)(), position.taken - 1, None)
            last = next(records, None)
            if last is not None and _digest_of(last) == position.last:
                return records
            self._start_anew(position)
        return (read or file.read)()

    def _start_anew(self, position: _Position) -> None:
        self.forget(position.part)
        position.taken, position.held, position.mark, position.prefix = 0, None, (0, 1), _Prefix()

    def _is_due(self, path: Path, version: Version) -> bool:
        now, position = self.monotonic(), self._positions.get(path)
        if version[0] is None:
            return False
        if position is None:
            position = self._positions[path] = self._first_position(path, version)
            return position.read != version
        self._note(position, version)
        if position.read != version and position.due is None and now < position.not_before:
            position.due = position.not_before
        return (position.read != version and now >= position.not_before) or (
            position.due is not None and now >= position.due
        )

    def _first_position(self, path: Path, version: Version) -> _Position:
        position = _Position(next(self._parts), version, self._changed_at(version))
        saved = self.saved.pop(self.name_of(path), None) if self.saved else None
        if saved is not None:
            position.taken, position.read, position.mark = saved.taken, saved.read, saved.mark
            position.prefix, position.last = (
                _Prefix(saved.prefix_size, saved.prefix),
                bytes.fromhex(saved.last),
            )
            self.remember(position.part, saved.contents)
        return position

    def to_save(self, contents: Callable[[int], Digests]) -> dict[Path, Saved]:
        """The positions for a later run. contents: what `remember` will be given for a part."""
        return {
            path: Saved(
                # What waits for its end is to be looked at again, changed or not.
                read=position.read if position.due is None else (),
                taken=position.taken,
                prefix_size=position.prefix.told[0],
                prefix=position.prefix.told[1],
                last=position.last.hex(),
                mark=position.mark,
                contents=contents(position.part),
            )
            for path, position in self._positions.items()
            if position.read is not None
        }

    def _note(self, position: _Position, version: Version) -> None:
        if position.seen != version:
            position.seen, position.changed_at = version, self._changed_at(version)

    def _changed_at(self, version: Version) -> float:
        """When a change that is seen now took place: as the file's time says, but after the last look."""
        age = self.now() - max(part[2] for part in version if part) / 1e9 if any(version) else 0.0
        return max(self.monotonic() - max(0.0, age), self._looked_at)

    def _follow_moves(self, versions: dict[Path, Version]) -> None:
        """A file that only got another name, as mail does when it is read, is no new file."""
        gone = {self._positions[path].seen[0]: path for path in self._positions.keys() - versions.keys()}
        if not gone:
            return
        for path, version in versions.items():
            if path not in self._positions and version[0] is not None and version[0] in gone:
                moved = self._positions.pop(gone.pop(version[0]))
                moved.read = version if moved.read == moved.seen else None
                moved.seen = version
                self._positions[path] = moved

    def _held_until(
        self,
        file: SourceFile,
        position: _Position,
        record: Record,
        ending: Ending,
        version: Version,
        *,
        last: bool,
    ) -> float | None:
        """Until when a record waits because it may not be whole, on the monotonic clock; None if it is."""
        if last and ending is not Ending.DOCUMENT:
            whole = _is_ended(file.path, ending) and version_of(file) == version
            if not whole:
                return position.changed_at + self.waits.patience_s
            if ending is Ending.MAILBOX:
                return position.changed_at + self.waits.settle_s
        young = self.monotonic() - position.changed_at < self.waits.patience_s
        if not young or not self._may_be_half(record, ending):
            return None
        if position.held is None or position.held[0] != position.taken:
            position.held = position.taken, self.monotonic()
        return min(position.held[1], position.changed_at) + self.waits.patience_s

    def _may_be_half(self, record: Record, ending: Ending) -> bool:
        """Whether a fault of this record may come from a file that is still being written."""
        if stands_for_file(record):
            return True
        if not isinstance(record.payload, bytes) and record.payload.get(DETAIL) == UNCLOSED:
            return True
        alone = ending is Ending.DOCUMENT and not record.line
        return alone and isinstance(self.source.parse(record), Rejected)


def version_of(file: SourceFile) -> Version:
    """What tells whether a file, or one beside it, changed."""
    return tuple(map(_version, (file.path, *file.beside)))


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def start_of_line(path: Path, known: tuple[int, int], line: int) -> tuple[int, int] | None:
    """First byte and number of a line, counted from one whose place is known.

    None where a byte does not tell where lines end: in UTF-16, and with carriage returns alone.
    """
    offset, number = known
    try:
        with path.open("rb") as file:
            file.seek(offset)
            while number < line:
                content = file.readline()
                if not content.endswith(b"\n") or b"\0" in content or b"\r" in content[:-2]:
                    return None
                offset += len(content)
                number += 1
    except OSError:
        return None
    return (offset, line) if number == line else None


def _digest_of(record: Record) -> bytes:
    return xxhash.xxh3_128_digest(repr((record.line, record.payload)).encode("utf-8", "surrogatepass"))


def _is_ended(path: Path, ending: Ending) -> bool:
    """Whether the file ends as its writer ends a record."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 4))
            tail = file.read()
    except OSError:
        return False
    if ending is Ending.MAILBOX:
        return tail.endswith((b"\n\n", b"\n\r\n"))
    # UTF-16 ends a line with a NUL beside the line feed.
    return tail.endswith((b"\n", b"\r", b"\n\x00", b"\r\x00"))


def _with_last(records: Iterator[Record]) -> Iterator[tuple[Record, bool]]:
    """Each record, and whether none follows."""
    before = next(records, None)
    while before is not None:
        record = next(records, None)
        yield before, record is None
        before = record
