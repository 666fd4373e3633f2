"""Rows of CSV and its kin, read as a stream; a quote left open costs one line, not the rest of the file."""

import csv
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from connectors.source_settings import TableSource
from connectors.tables.detect import find_delimiter, open_text, usual_width
from connectors.tables.rows import RAW, FileError, Header, Row, Start, faulty, wanted_columns

MOST_CHARACTERS = 1 << 22
"""A longer row is taken for a quote left open, or for something that is not a table."""
UNCLOSED = "a quote opens here and is never closed"
"""Detail of a line whose field goes on to the end of the file, as it does while the file is being written."""
_END = "\ufdd0end"  # fed after the last line; found inside a field, it proves a quote left open

csv.field_size_limit(MOST_CHARACTERS)

_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?(?:\r\n|\r|\n)', re.IGNORECASE)
"""The first line with which Excel is told the delimiter."""

Cells = list[str]


class _RunawayRowError(Exception):
    """The row grew beyond MOST_CHARACTERS."""


class _Broken:
    """A line that cannot be cut into cells, and why."""

    def __init__(self, line: str, detail: str) -> None:
        self.line = line
        self.detail = detail


def read_csv(path: Path, settings: TableSource, start: Start | None = None) -> Iterator[Row]:
    """Rows of one file, each with the physical line it starts on; blank lines are not rows.

    start: the row to begin with, where not the first.
    Raises FileError where the header is broken or lacks a configured column, OSError from the file system.
    """
    stream, sample = open_text(path, settings.encoding)
    with stream:
        names = [column for column in wanted_columns(settings) if isinstance(column, str)]
        told = _SEPARATOR_LINE.match(sample)
        if told:
            stream.readline()
            sample = sample[told.end() :]
        delimiter = settings.delimiter or (
            told[1] if told else find_delimiter(sample, wanted=names, header=settings.header_rows > 0)
        )
        cutter = _Cutter(stream, delimiter, line=1 if told else 0)
        header = _header(cutter, settings, width=usual_width(sample, delimiter))
        if header is None:
            return
        cutter.width = len(header.names)
        if start is not None:
            cutter.go_to(start)
        for line, cells in cutter.rows():
            if isinstance(cells, _Broken):
                yield line, faulty("bad_row", cells.detail) | {RAW: cells.line}
            else:
                yield line, header.payload(cells)


def _header(cutter: "_Cutter", settings: TableSource, *, width: int) -> Header | None:
    """The header, its further rows skipped; None for a file without any row."""
    if settings.header_rows == 0:
        return Header(None, width=width, settings=settings) if width else None
    rows = cutter.rows()
    _, first = next(rows, (0, None))
    if first is None:
        return None
    if isinstance(first, _Broken):
        raise FileError("bad_row", f"the header cannot be read: {first.detail}")
    header = Header(first, width=len(first), settings=settings)
    for _ in range(settings.header_rows - 1):
        next(rows, None)
    return header


class _Cutter:
    """Cuts a stream of text into rows of cells, counting physical lines.

    line: physical lines before those of the stream. width: the number of columns once known. A row of
    several lines that does not have it, or that goes on after a closing quote, comes from a quote left
    open: its first line is broken and reading resumes on the second. Such a row ends at the first lone
    quote, so a line is read again about once.
    """

    def __init__(self, stream: TextIO, delimiter: str, *, line: int) -> None:
        self.width: int | None = None
        self._stream = stream
        self._delimiter = delimiter
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._line = line

    def go_to(self, start: Start) -> None:
        """Go on with a row elsewhere in the file."""
        offset, line = start
        self._stream.seek(offset)
        self._again.clear()
        self._line = line - 1

    def rows(self) -> Iterator[tuple[int, Cells | _Broken]]:
        """Rows from here to the end, each with the line it starts on."""
        reader = csv.reader(self._feed(), delimiter=self._delimiter)
        while True:
            self._taken.clear()
            start = self._line + 1
            fault = None
            try:
                cells = next(reader)
                if cells[-1:] == [_END] and len(cells) == 1:
                    return
                fault = self._fault(cells)
            except _RunawayRowError:
                fault = f"the row is longer than {MOST_CHARACTERS} characters: is a quote left open?"
            except csv.Error as error:
                fault = f"{error}: quote fields that hold quotes or line ends"
            if fault:
                self._line += 1
                first, *rest = self._taken
                self._again.extendleft(reversed(rest))
                reader = csv.reader(self._feed(), delimiter=self._delimiter)
                yield start, _Broken(first, fault)
                continue
            self._line += len(self._taken)
            if cells:
                yield start, cells

    def _fault(self, cells: Cells) -> str | None:
        if cells and cells[-1].endswith(_END):
            return UNCLOSED
        if len(self._taken) > 1 and not self._holds_together(cells):
            return (
                f"a quote opens here, and the row it makes of {len(self._taken)} lines has "
                f"{len(cells)} fields where the file has {self.width} columns, or text after a closing quote"
            )
        return None

    def _holds_together(self, cells: Cells) -> bool:
        """Whether a row of several lines is what a writer of CSV makes."""
        if self.width is not None and (len(cells) < self.width or any(cells[self.width :])):
            return False
        try:
            list(csv.reader(self._taken, delimiter=self._delimiter, strict=True))
        except csv.Error:
            return False
        return True

    def _feed(self) -> Iterator[str]:
        size = 0
        while True:
            line = self._again.popleft() if self._again else self._stream.readline(MOST_CHARACTERS)
            if not line:
                break
            if not self._taken:
                size = 0
            self._taken.append(line)
            size += len(line)
            if size >= MOST_CHARACTERS:
                self._skip_rest_of_line(line)
                raise _RunawayRowError
            yield line
        yield _END

    def _skip_rest_of_line(self, line: str) -> None:
        while line and not line.endswith(("\n", "\r")):
            line = self._stream.readline(MOST_CHARACTERS)
