"""The source of rows: files to records, records to outcomes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path

from connectors.contract import Ending, Outcome, Record, Rejected, SourceFile
from connectors.files import expand, relative_name
from connectors.source_settings import TableSource
from connectors.tables.csv_rows import read_csv
from connectors.tables.detect import Format, format_of, is_blank
from connectors.tables.json_rows import read_json, read_jsonl
from connectors.tables.mapping import RowParser, lookup
from connectors.tables.parquet_rows import read_parquet
from connectors.tables.rows import DAY_FIRST, EMPTY_FILE, FileError, Row, Start, faulty
from connectors.tables.workbook_rows import read_workbook
from connectors.values import day_first_of

_READERS: Mapping[Format, Callable[[Path, TableSource], Iterator[Row]]] = {
    "csv": read_csv,
    "workbook": read_workbook,
    "json": read_json,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
}
_LINE_READERS: Mapping[Format, Callable[[Path, TableSource, Start | None], Iterator[Row]]] = {
    "csv": read_csv,
    "jsonl": read_jsonl,
}
_SAMPLE_ROWS = 1000

REASONS = {
    "unreadable_file": "the file cannot be read in its format",
    "missing_column": "a column that the settings name is not in the file or the row",
    "missing_sheet": "the workbook has no sheet of the name that the settings give",
    "missing_rows": "the document has no list of rows where the settings say",
    "bad_row": "the row cannot be cut into cells",
    "field_count": "the row has more fields than columns, or too few for the columns in use",
    "bad_date": "the date is not one, or not in a form that is read",
    "no_date": "no column of dates is filled",
    "bad_score": "the score is not on the configured scale",
    "no_perimeter": "a column that the perimeter is made of is blank",
}


class Table:
    """Rows of tables, one event a row.

    base: folder that `settings.path` starts from. zone: where times without an offset are placed, unless
    the source names its own. A record's payload maps columns to cells and can be written as JSON; its line
    is the physical line a row starts on (CSV, JSONL), the sheet's row, or the row's place from 1 (JSON,
    Parquet).
    """

    reasons: Mapping[str, str] = REASONS

    def __init__(self, settings: TableSource, *, base: Path, zone: str) -> None:
        self.name = settings.name
        self._settings = settings
        self._base = base
        self._parser = RowParser(settings, zone=zone)

    def records(self) -> Iterator[Record]:
        """Every row of every file, files by path. Raises SourceError if the configured place is not there."""
        return (record for file in self.files() for record in file.read())

    def files(self) -> Iterator[SourceFile]:
        """Every file in order of path; SourceError if the configured place is not there."""
        for path in expand(self._base, self._settings.path):
            name = relative_name(self._base, path)
            read = partial(self._records, path, name)
            yield SourceFile(path, name, read, partial(_ending, path), read_on=read)

    def parse(self, record: Record) -> Outcome:
        """The outcome of one row, by its payload alone."""
        if isinstance(record.payload, bytes):
            return Rejected("bad_row", "the record is not a row of a table")
        return self._parser.parse(record.payload)

    def _records(self, path: Path, name: str, offset: int = 0, line: int = 1) -> Iterator[Record]:
        """The file's records, or those from a row on that starts at this byte, on this line.

        Rows are marked with how 03/04/2024 reads in this file, if its first thousand rows tell.
        """
        rows = self._rows(path)
        sample = list(islice(rows, _SAMPLE_ROWS))
        day_first = day_first_of(self._dates(sample))
        wanted = self._rows(path, (offset, line)) if offset else chain(sample, rows)
        for number, payload in wanted:
            if day_first is not None:
                payload[DAY_FIRST] = day_first
            yield Record(name, number, payload)

    def _rows(self, path: Path, start: Start | None = None) -> Iterator[Row]:
        """Rows of one file; what stops the reading is a row itself, rejected, with line 0.

        A file without anything in it is a row too, set aside. start: in a file of lines, the first row.
        """
        try:
            if is_blank(path):
                yield 0, {EMPTY_FILE: True}
                return
            form = format_of(path)
            if form not in _READERS:
                raise FileError("unreadable_file", "a zip archive without a workbook; unpack it")
            if start is not None and form in _LINE_READERS:
                yield from _LINE_READERS[form](path, self._settings, start)
            else:
                yield from _READERS[form](path, self._settings)
        except FileError as fault:
            yield 0, faulty(fault.reason, fault.detail)
        except OSError as error:
            yield 0, faulty("unreadable_file", f"{error.strerror or type(error).__name__}")

    def _dates(self, sample: Sequence[Row]) -> Iterator[str]:
        cells = (lookup(payload, key) for _, payload in sample for key in self._parser.date_keys)
        return (cell for cell in cells if isinstance(cell, str))


def _ending(path: Path) -> Ending:
    return Ending.LINES if format_of(path) in _LINE_READERS else Ending.DOCUMENT
