"""Rows of a workbook's sheet: the values last computed, dates typed, errors blank."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from connectors.source_settings import TableSource
from connectors.tables.cells import jsonable
from connectors.tables.rows import FileError, Header, Row, shown_names


def read_workbook(path: Path, settings: TableSource) -> Iterator[Row]:
    """Rows of the named sheet, or the first, each with its row number; rows without any value are not rows.

    Raises FileError where the workbook or the sheet cannot be read or lacks a configured column.
    """
    try:
        with CalamineWorkbook.from_path(str(path)) as workbook:
            rows = _rows(_sheet(workbook, settings.sheet))
    except (CalamineError, OSError, ValueError) as error:
        raise FileError("unreadable_file", f"not a readable workbook ({error}); save it again") from error
    if not rows:
        return
    width = max(len(cells) for _, cells in rows)
    if settings.header_rows == 0:
        header = Header(None, width=width, settings=settings)
    else:
        names = ["" if cell is None else str(cell) for cell in rows[0][1]]
        header = Header(names, width=width, settings=settings)
    for line, cells in rows[settings.header_rows :]:
        yield line, header.payload(cells)


def _sheet(workbook: CalamineWorkbook, name: str | None) -> CalamineSheet:
    if not workbook.sheet_names:
        raise FileError("unreadable_file", "the workbook has no sheet")
    if name is None:
        return workbook.get_sheet_by_index(0)
    if name not in workbook.sheet_names:
        found = shown_names(workbook.sheet_names)
        raise FileError("missing_sheet", f"no sheet {name!r}; found {found}; correct sheet")
    return workbook.get_sheet_by_name(name)


def _rows(sheet: CalamineSheet) -> list[tuple[int, Sequence[object]]]:
    """Cells of every row that has a value, with the sheet's own row numbers."""
    if sheet.start is None:
        return []
    cells = sheet.to_python(skip_empty_area=False)
    numbered = ((line, [jsonable(cell) for cell in row]) for line, row in enumerate(cells, 1))
    return [(line, row) for line, row in numbered if any(cell not in ("", None) for cell in row)]
