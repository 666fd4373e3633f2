"""Files that hold mail: mbox, single messages, zips of either; each message comes out as raw bytes."""

import codecs
import re
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO

from connectors.contract import Ending, Record
from connectors.unread import unread

MAX_MESSAGE_BYTES = 32 * 2**20
"""Above what mail servers accept. The rest of a larger message, always an attachment, is not read."""
MAX_EXPANSION = 100
"""A zip may expand to this many times its size; mail text shrinks about tenfold."""

_LINE_BYTES = 2**16
_FROM_LINE = re.compile(rb"From [^\r\n]{1,400}\d:\d\d[^\r\n]{0,40}\b\d{4}\b")
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
# What zipfile raises on damaged or unsupported archives (NotImplementedError is a RuntimeError).
_ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError, ValueError)


def read(path: Path, name: str) -> Iterator[Record]:
    """Messages of one file, in order, in constant memory; never raises for what the file holds.

    name: what records call the file. A message of an mbox keeps its `From ` line, and the record its line
    number; members of a zip are named `name/member`. A file without anything is one record, without bytes.
    """
    try:
        with path.open("rb") as stream:
            if stream.peek(4).startswith(_ZIP_STARTS):
                yield from _read_zip(stream, name, size=path.stat().st_size)
            else:
                yield from _read_messages(stream, name)
    except OSError as error:
        yield Record(name, 0, unread("unreadable", error.strerror or type(error).__name__))


def read_on(path: Path, name: str, offset: int, line: int) -> Iterator[Record]:
    """As `read`, of an mbox, from a message on: the one whose `From ` line is at this byte, on this line."""
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            yield from _split_mbox(stream.readline(_LINE_BYTES), stream, name, number=line)
    except OSError as error:
        yield Record(name, 0, unread("unreadable", error.strerror or type(error).__name__))


def ending(path: Path) -> Ending:
    """A mailbox of several messages ends each with a blank line. Raises OSError where it cannot be read."""
    with path.open("rb") as stream:
        first = stream.readline(_LINE_BYTES).removeprefix(codecs.BOM_UTF8)
        while first and not first.strip(b"\r\n"):
            first = stream.readline(_LINE_BYTES)
    return Ending.MAILBOX if first.startswith(b"From ") else Ending.DOCUMENT


def _read_messages(stream: IO[bytes], name: str) -> Iterator[Record]:
    first, number = stream.readline(_LINE_BYTES).removeprefix(codecs.BOM_UTF8), 1
    while first and not first.strip(b"\r\n"):
        first, number = stream.readline(_LINE_BYTES), number + 1
    if first.startswith(b"From "):
        yield from _split_mbox(first, stream, name, number=number)
    else:
        yield Record(name, 0, first + stream.read(MAX_MESSAGE_BYTES - len(first)))


def _split_mbox(first: bytes, stream: IO[bytes], name: str, *, number: int) -> Iterator[Record]:
    """Cut before each `From ` line that bears a date: bodies hold `From ` lines too, unquoted by some."""
    pieces, size = [first], len(first)
    start = number
    at_line_start = first.endswith(b"\n")
    for piece in iter(partial(stream.readline, _LINE_BYTES), b""):
        number += at_line_start
        if at_line_start and piece.startswith(b"From ") and _FROM_LINE.match(piece):
            yield Record(name, start, _message(pieces))
            pieces, size, start = [], 0, number
        if size < MAX_MESSAGE_BYTES:
            pieces.append(piece)
            size += len(piece)
        at_line_start = piece.endswith(b"\n")
    yield Record(name, start, _message(pieces))


def _message(pieces: list[bytes]) -> bytes:
    """Without the blank lines that separate it from the next, so that a grown mailbox gives it again."""
    return b"".join(pieces).rstrip(b"\r\n") + b"\n"


def _read_zip(stream: IO[bytes], name: str, *, size: int) -> Iterator[Record]:
    try:
        archive = zipfile.ZipFile(stream)
    except _ZIP_FAULTS:
        yield Record(name, 0, unread("unreadable", "damaged zip"))
        return
    allowed = max(MAX_MESSAGE_BYTES, MAX_EXPANSION * size)
    with archive:
        for member in sorted(archive.infolist(), key=lambda member: member.filename):
            if member.is_dir() or Path(member.filename).name.startswith("."):
                continue
            allowed -= member.file_size
            yield from _read_member(archive, member, f"{name}/{member.filename}", oversized=allowed < 0)


def _read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, *, oversized: bool
) -> Iterator[Record]:
    if oversized:
        yield Record(name, 0, unread("oversized", f"the zip expands to over {MAX_EXPANSION} times its size"))
        return
    if member.flag_bits & 1:
        yield Record(name, 0, unread("encrypted", "the zip asks for a password"))
        return
    try:
        with archive.open(member) as stream:
            yield from _read_messages(stream, name)
    except _ZIP_FAULTS as error:
        yield Record(name, 0, unread("unreadable", f"damaged zip member ({type(error).__name__})"))
