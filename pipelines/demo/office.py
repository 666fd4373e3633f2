"""The smallest DOCX, XLSX and PDF files that carry text: same input, same bytes."""

import io
import textwrap
import zipfile
from collections.abc import Sequence
from datetime import datetime
from xml.sax.saxutils import escape

from pipelines.demo.labels import GENERATED

_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - spreadsheets count days of no zone
_STAMP = (1980, 1, 1, 0, 0, 0)
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_FORMATS = "application/vnd.openxmlformats-officedocument"
_LINE_CHARS = 92
_PAGE_LINES = 56

Cell = str | float | datetime | None


def docx_bytes(text: str) -> bytes:
    """A Word document, one paragraph a line, its properties saying that it was generated."""
    paragraphs = "".join(
        f'<w:p><w:r><w:t xml:space="preserve">{escape(line)}</w:t></w:r></w:p>' for line in text.split("\n")
    )
    return _package(
        "word/document.xml",
        f"{_FORMATS}.wordprocessingml.document.main+xml",
        f'<w:document xmlns:w="{_WORD}"><w:body>{paragraphs}</w:body></w:document>',
        {},
    )


def xlsx_bytes(rows: Sequence[Sequence[Cell]]) -> bytes:
    """A workbook of one sheet; dates are serial numbers with a date format, as spreadsheets keep them."""
    lines = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    book = (
        f'<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="Réponses" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    styles = (
        f'<styleSheet xmlns="{_SHEET}"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills>'
        '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
        '<cellXfs count="2"><xf/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>'
    )
    parts = {
        "worksheet": f'<worksheet xmlns="{_SHEET}"><sheetData>{lines}</sheetData></worksheet>',
        "styles": styles,
    }
    return _package("xl/workbook.xml", f"{_FORMATS}.spreadsheetml.sheet.main+xml", book, parts)


def _cell(value: Cell) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, datetime):
        return f'<c s="1"><v>{(value - _EPOCH).total_seconds() / 86_400:.10f}</v></c>'
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f"<c><v>{value:g}</v></c>"


def _package(main: str, main_type: str, document: str, parts: dict[str, str]) -> bytes:
    """An Office package: the main document, parts beside it by kind, and its properties."""
    folder, _, name = main.rpartition("/")
    types = "".join(
        f'<Override PartName="/{folder}/{kind}.xml" ContentType="{_FORMATS}.spreadsheetml.{kind}+xml"/>'
        for kind in parts
    )
    members = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/{main}" ContentType="{main_type}"/><Override PartName="/docProps/core.xml" '
        f'ContentType="application/vnd.openxmlformats-package.core-properties+xml"/>{types}</Types>',
        "_rels/.rels": _relations(
            {
                f"{_OFFICE}/officeDocument": main,
                f"{_PACKAGE}/relationships/metadata/core-properties": "docProps/core.xml",
            }
        ),
        "docProps/core.xml": f'<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description>{GENERATED}</dc:description>'
        "</cp:coreProperties>",
        main: document,
        f"{folder}/_rels/{name}.rels": _relations({f"{_OFFICE}/{kind}": f"{kind}.xml" for kind in parts}),
    }
    members |= {f"{folder}/{kind}.xml": content for kind, content in parts.items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in members.items():
            archive.writestr(_member(path), _XML + content)
    return buffer.getvalue()


def _relations(targets: dict[str, str]) -> str:
    relations = "".join(
        f'<Relationship Id="rId{number}" Type="{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets.items(), start=1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{relations}</Relationships>'


def _member(path: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path, _STAMP)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def pdf_bytes(text: str) -> bytes:
    """A one-page A4 PDF with a text layer in Helvetica; the text must fit the page and cp1252."""
    lines = [row for line in text.split("\n") for row in textwrap.wrap(line, _LINE_CHARS) or [""]]
    if len(lines) > _PAGE_LINES:
        raise ValueError(f"the letter has {len(lines)} lines; a page holds {_PAGE_LINES}")
    shown = " ".join(f"({_pdf_string(line)}) Tj T*" for line in lines)
    stream = f"BT /F1 11 Tf 50 790 Td 13 TL {shown} ET".encode("cp1252")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Producer (%s) >>" % _pdf_string(GENERATED).encode("cp1252"),
    ]
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 6 0 R >>\n" % (len(objects) + 1)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % table)


def _pdf_string(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
