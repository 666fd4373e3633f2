"""One value of each class of personal data, to be planted in sources and found nowhere downstream.

All are fictional: reserved domains, telephone ranges kept for fiction, test numbers of card networks.
Tests reach this through the fixture `canaries`.
"""

import base64
import re
from pathlib import Path

AUTHOR = "Zoé Canarivelle <zoe.canarivelle@example.org>"
AGENT = "AGT-58213-QX"
TEXT_CANARIES = {
    "email": "lucas.serinette+sav@example.com",
    "phone": "06 39 98 47 12",
    "phone_abroad": "+44 7700 900 461",
    "iban": "FR14 2004 1010 0505 0001 3M02 606",
    "card": "4539 1488 0343 6467",
    "nir": "2 69 05 49 588 157 80",
    "url": "https://suivi.example.net/colis?token=k9QzT4mW81",
    "name": "Aurélien Passerinot",
}
"""What may stand in a text, by class. `name` must be in the directory given to redaction."""

DIRECTORY = (TEXT_CANARIES["name"],)

# What gives each value away even if blanks or case changed.
TELLTALES = (
    "canarivelle",
    "58213-qx",
    "serinette",
    "39984712",
    "7700900461",
    "20041010050500013m02606",
    "4539148803436467",
    "2690549588157",
    "k9qzt4mw81",
    "passerinot",
)

_SEPARATORS = re.compile(rb"[\s.\-\xa0]+")


def planted_text(text: str = "Le four livré hier ne chauffe pas.") -> str:
    """A text that holds every text canary, and words that should stay."""
    return f"{text} " + " ; ".join(f"{name} {value}" for name, value in TEXT_CANARIES.items())


def found_in(content: bytes | str) -> list[str]:
    """Telltales found in some content, whatever case and separators; also inside base64 of it."""
    data = content.encode() if isinstance(content, str) else content
    plain = data.lower()
    squeezed = _SEPARATORS.sub(b"", plain)
    return [
        telltale
        for telltale in TELLTALES
        if telltale.encode() in plain
        or telltale.replace("-", "").encode() in squeezed
        or _base64_core(telltale) in data
    ]


def assert_no_canary(folder: Path) -> None:
    """Fail if any file under a folder, or its name, holds a canary. The folder must hold files."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files, f"{folder} holds no file: nothing was checked"
    for path in files:
        name = str(path.relative_to(folder))
        assert not found_in(name), f"the name {name} holds {found_in(name)}"
        held = found_in(_uncompressed(path))
        assert not held, f"{name} holds {held}"


def _uncompressed(path: Path) -> bytes:
    """A file's bytes; for Parquet also its rows, which compression would hide."""
    content = path.read_bytes()
    if path.suffix == ".parquet" or content[:4] == b"PAR1":
        import pyarrow.parquet as pq

        content += str(pq.read_table(path).to_pylist()).encode()
    return content


def _base64_core(text: str) -> bytes:
    """The middle of the text's base64 when it begins on a boundary."""
    return base64.b64encode(text.encode())[: len(text) * 4 // 3 // 4 * 4]
