"""What commands print: results on the standard output; notices, warnings and progress on the error stream."""

import json
import os
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TextIO

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_WIDTH_WITHOUT_TERMINAL = 160
_KEPT_CONTROLS = "\n\t"
_LEAST_WRAPPED = 20
"""Characters: a column that wraps is not read with ease in less."""
_BETWEEN_COLUMNS = 3


def print_json(value: Any) -> None:
    """One JSON value on the standard output: dates as ISO 8601, instants in UTC, bytes in hexadecimal."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_as_json))


def _as_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} has no form in JSON here")


def notice(line: str) -> None:
    """A line for people."""
    typer.echo(shown(line), err=True)


def warn(line: str) -> None:
    """A line for people, about something to look at."""
    typer.echo(f"warning: {shown(line)}", err=True)


def complain(line: str) -> None:
    """A line for people, about what went wrong."""
    typer.echo(f"error: {shown(line)}", err=True)


def shown(text: str) -> str:
    """Text with its control characters and lone surrogates replaced, which a terminal would obey or refuse.

    >>> shown("un\\x1b[31m deux")
    'un\\ufffd[31m deux'
    """
    return "".join(
        "\ufffd" if unicodedata.category(char) in ("Cc", "Cs") and char not in _KEPT_CONTROLS else char
        for char in text
    )


def minute(instant: datetime) -> str:
    """An instant in UTC, to the minute."""
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    >>> plural(1, "signal"), plural(12000, "event")
    ('1 signal', '12,000 events')
    """
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun[:-1] + 'ies' if noun.endswith('y') else noun + 's'}"


def print_table(columns: Mapping[str, str], rows: Sequence[Sequence[str]]) -> None:
    """Rows under headings, or without if all are blank.

    columns: heading to `left`, `right`, or `wrap`: left, in the room that is left. Where the terminal is
    too narrow to show every cell, each row stands on lines of its own, a line a column.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    headed = any(heading.strip() for heading in columns)
    console = _console(sys.stdout)
    if headed and rows and _least_width(columns, rows) > console.width:
        _print_records(list(columns), rows)
        return
    table = Table(box=box.SIMPLE_HEAD if headed else None, show_header=headed, pad_edge=False)
    for heading, how in columns.items():
        wraps = how == "wrap"
        table.add_column(
            heading,
            justify="right" if how == "right" else "left",
            no_wrap=not wraps,
            overflow="fold" if wraps else "ellipsis",
            ratio=1 if wraps else None,
        )
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    console.print(table)


def _least_width(columns: Mapping[str, str], rows: Sequence[Sequence[str]]) -> int:
    """Characters that a table needs, so that nothing but what wraps is cut."""
    from rich.cells import cell_len

    widths = []
    for (heading, how), *cells in zip(columns.items(), *rows, strict=True):
        longest = max(cell_len(line) for cell in (heading, *cells) for line in cell.split("\n"))
        widths.append(min(longest, _LEAST_WRAPPED) if how == "wrap" else longest)
    return sum(widths) + _BETWEEN_COLUMNS * len(widths)


def _print_records(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A line a cell with its heading, blank cells left out, and a blank line after each row."""
    for row in rows:
        for heading, cell in zip(headings, row, strict=True):
            if cell.strip():
                typer.echo(f"{heading}: {shown(cell)}" if heading.strip() else shown(cell))
        typer.echo()


@contextmanager
def progress(unit: str) -> Iterator["Progress"]:
    """Progress bars on the error stream, none where it is not a terminal. unit: what is counted, plural."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    with ExitStack() as stack:
        console = _console(_stderr_of_its_own(stack))
        bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        yield stack.enter_context(bars)


def _stderr_of_its_own(stack: ExitStack) -> TextIO:
    """The error stream; where a terminal, by another descriptor: an engine may lead the first elsewhere."""
    if not sys.stderr.isatty():
        return sys.stderr
    copy = os.dup(sys.stderr.fileno())
    return stack.enter_context(os.fdopen(copy, "w", encoding=sys.stderr.encoding, errors="backslashreplace"))


def _console(file: TextIO) -> "Console":
    from rich.console import Console

    console = Console(file=file, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH_WITHOUT_TERMINAL)
    return console
