"""Text of a letter from the bytes of its file: plain text, DOCX, PDF with a text layer."""

import re
import zipfile
import zlib
from io import BytesIO

import docx
import pypdfium2
from docx.oxml.ns import qn
from docx.text.paragraph import Paragraph
from lxml import etree

from connectors.files import decode

SUFFIXES = frozenset({".txt", ".docx", ".pdf"})

_MAX_EXPANSION = 200
_MAX_PAGES = 200
# PDFium marks a hyphen that only breaks a line.
_LINE_HYPHEN = re.compile("[\x02\xad\ufffe]\\s*\\n?")
# What python-docx raises on archives that are damaged or hold something else, found by fuzzing.
_DOCX_FAULTS = (
    *(zipfile.BadZipFile, zlib.error, etree.LxmlError, RuntimeError, OSError, EOFError),
    *(ValueError, LookupError, AttributeError, TypeError, AssertionError),
)


class LetterError(Exception):
    """The file gives no text. reason: `unreadable`, `encrypted`, `oversized` or `no_text_layer`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read_text(data: bytes, suffix: str, *, encoding: str | None) -> str:
    """Text of a letter; raises LetterError. suffix: one of SUFFIXES. encoding: of plain text, if known."""
    if suffix == ".pdf":
        text = _read_pdf(data)
    elif suffix == ".docx":
        text = _read_docx(data)
    else:
        text, _ = decode(data, encoding)
    lines = (line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _read_docx(data: bytes) -> str:
    try:
        _check_size(data)
        document = docx.Document(BytesIO(data))
        # Tables hold paragraphs too; the body's own list leaves them out.
        paragraphs = document.element.body.iter(qn("w:p"))
        text = "\n".join(Paragraph(paragraph, document).text for paragraph in paragraphs)
    except _DOCX_FAULTS as error:
        raise LetterError("unreadable", f"not a DOCX, or a damaged one ({type(error).__name__})") from error
    return decode(text.encode("utf-8", errors="replace"))[0]


def _check_size(data: bytes) -> None:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        expanded = sum(member.file_size for member in archive.infolist())
    if expanded > _MAX_EXPANSION * len(data):
        raise LetterError("oversized", f"it expands to over {_MAX_EXPANSION} times its size")


def _read_pdf(data: bytes) -> str:
    try:
        with pypdfium2.PdfDocument(data) as document:
            pages = [_page_text(document, number) for number in range(min(len(document), _MAX_PAGES))]
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise LetterError("encrypted", "the PDF asks for a password") from error
        raise LetterError("unreadable", "not a PDF, or a damaged one") from error
    text, _ = decode("\n".join(pages).encode("utf-8", errors="replace"))
    if not text.strip():
        raise LetterError("no_text_layer", f"{len(pages)} page(s) of images")
    return text


def _page_text(document: pypdfium2.PdfDocument, number: int) -> str:
    page = document[number]
    try:
        textpage = page.get_textpage()
        try:
            return _LINE_HYPHEN.sub("", str(textpage.get_text_bounded()))
        finally:
            textpage.close()
    finally:
        page.close()
