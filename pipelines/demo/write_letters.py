"""Writes letters: text, DOCX and PDF files, and the register of who sent them."""

import csv
from collections.abc import Sequence
from pathlib import Path

from pipelines.demo.entries import Entry
from pipelines.demo.labels import ORIGIN
from pipelines.demo.office import docx_bytes, pdf_bytes

PATTERN = r"(?P<date>\d{4}-\d{2}-\d{2})_(?P<magasin>L\d+)_(?P<id>LET-\d{5})"
"""What the name of a letter's file says."""

_DOCX_EVERY, _PDF_EVERY = 6, 3
_BAD_LETTERS = {
    "2026-02-30_L03_LET-90001_genere.txt": b"Monsieur,\n\nLa date de ce courrier est fausse.",
    "2026-03-03_L99_LET-90002_genere.txt": b"Madame,\n\nCe magasin n'existe pas.",
    "2026-03-05_L07_LET-90003_genere.docx": b"un envoi interrompu",
    "2026-03-06_L12_LET-90004_genere.pdf": b"%PDF-1.4\n1 0 obj\n",
    "courrier sans date ni magasin genere.txt": b"Madame,\n\nCe courrier est hors classement.",
    "2026-03-10_L15_LET-90006_genere.jpeg": b"\xff\xd8\xff\xe0 photographie",
}


def write_letters(folder: Path, entries: Sequence[Entry]) -> int:
    """Write `letters/DATE_STORE_ID_genere.*` and `letters/metadata.csv`; returns the number of letters."""
    target = folder / "letters"
    target.mkdir()
    register = [("file", "author", "origine")]
    for number, entry in enumerate(entries):
        suffix, content = _file(number, entry.text)
        name = f"{entry.moment:%Y-%m-%d}_{entry.store.code}_{entry.own_id}_genere.{suffix}"
        (target / name).write_bytes(content)
        register.append((name, entry.author.name if entry.author else "", ORIGIN))
    for name, content in _BAD_LETTERS.items():
        (target / name).write_bytes(content)
        register.append((name, "", ORIGIN))
    with (target / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(register)
    return len(register) - 1


def _file(number: int, text: str) -> tuple[str, bytes]:
    if number % _DOCX_EVERY == 0:
        return "docx", docx_bytes(text)
    if number % _PDF_EVERY == 1:
        return "pdf", pdf_bytes(text)
    return "txt", text.encode("cp1252" if number % 2 else "utf-8")
