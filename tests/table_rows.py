"""Tables for tests of their readers: a workbook written by hand, and a source read whole.

Tests reach this through the fixture `tables`.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connectors.contract import Outcome, Parsed, Record, Rejected
from connectors.source_settings import TableSource
from connectors.tables import Table

_CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
)
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
# Style 1 shows a number as a date and time (built-in format 22).
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>'
    "</styleSheet>"
)


def read(base: Path, path: str, **given: Any) -> list[tuple[Record, Outcome]]:
    plain: dict[str, Any] = {
        "kind": "table",
        "name": "avis",
        "path": path,
        "channel": "survey",
        "perimeter": "enseigne",
        "columns": {"text": "avis", "occurred_at": "date"},
    }
    source = Table(TableSource.model_validate(plain | given), base=base, zone="Europe/Paris")
    return [(record, source.parse(record)) for record in source.records()]


def texts(rows: list[tuple[Record, Outcome]]) -> list[str]:
    return [outcome.text for _, outcome in rows if isinstance(outcome, Parsed)]


def rejections(rows: list[tuple[Record, Outcome]]) -> list[tuple[int, str]]:
    return [(record.line, outcome.reason) for record, outcome in rows if isinstance(outcome, Rejected)]


def parsed(rows: list[tuple[Record, Outcome]]) -> list[Parsed]:
    return [outcome for _, outcome in rows if isinstance(outcome, Parsed)]


def cell(place: str, value: object) -> str:
    """One cell: text, number, ("date", serial), ("formula", text) or ("error", code)."""
    if isinstance(value, tuple):
        kind, content = value
        if kind == "date":
            return f'<c r="{place}" s="1"><v>{content}</v></c>'
        if kind == "formula":
            return f'<c r="{place}" t="str"><f>CONCAT("x")</f><v>{content}</v></c>'
        return f'<c r="{place}" t="e"><v>{content}</v></c>'
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
    return f'<c r="{place}"><v>{value}</v></c>'


def write_workbook(path: Path, sheets: dict[str, dict[int, Sequence[object]]]) -> None:
    """Sheets of rows by row number; None leaves a cell out."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", _CONTENT_TYPES)
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="rId1" Type="{_OFFICE}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        listed = "".join(
            f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>'
            for number, name in enumerate(sheets, 1)
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
        )
        related = "".join(
            f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" '
            f'Target="worksheets/sheet{number}.xml"/>'
            for number in range(1, len(sheets) + 1)
        )
        styles = f'<Relationship Id="rId99" Type="{_OFFICE}/styles" Target="styles.xml"/>'
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{_PACKAGE}">{related}{styles}</Relationships>',
        )
        archive.writestr("xl/styles.xml", _STYLES)
        for number, rows in enumerate(sheets.values(), 1):
            drawn = "".join(
                f'<row r="{line}">'
                + "".join(
                    cell(f"{chr(65 + i)}{line}", value) for i, value in enumerate(cells) if value is not None
                )
                + "</row>"
                for line, cells in rows.items()
            )
            archive.writestr(
                f"xl/worksheets/sheet{number}.xml",
                f'<worksheet xmlns="{_MAIN}"><sheetData>{drawn}</sheetData></worksheet>',
            )
