"""Letters as a source: text, DOCX and PDF files with their metadata in, one outcome a letter out."""

import base64
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from connectors import files
from connectors.contract import Ending, Outcome, Parsed, Record, Rejected, SetAside, SourceFile
from connectors.letter_metadata import Metadata, MetadataError, is_metadata, metadata_places
from connectors.letter_text import SUFFIXES, LetterError, read_text
from connectors.source_settings import LettersSource
from connectors.template import Template
from connectors.unread import rejection_of, unread
from connectors.values import parse_time

MAX_LETTER_BYTES = 32 * 2**20
_NOT_A_LETTER = Rejected("unreadable", "the record is not a letter's")


class Letters:
    """Files of one letter each.

    A record's payload is {"file": name, "bytes": base64, "metadata": {...}}, plain enough for JSON and
    enough to be parsed alone; a file that could not be read has the payload of connectors.unread.
    Metadata gives date (needed), author and id, names compared without case, and the perimeter's fields.
    zone: of a date without offset, where the settings name none.
    """

    reasons: Mapping[str, str] = {
        "not_a_letter": "only .txt, .docx and .pdf files are read",
        "unreadable": "the file cannot be read, or is damaged",
        "encrypted": "the file asks for a password; save it without one",
        "oversized": f"over {MAX_LETTER_BYTES // 2**20} MiB, or expands to far more than a letter holds",
        "no_text_layer": "a PDF of images; run text recognition on it first",
        "bad_metadata": "a sidecar or metadata.csv cannot be understood",
        "no_date": "no date in sidecar, metadata.csv or file name, or not a date",
        "missing_field": "the metadata has no field of a name that the perimeter is made of",
        "no_perimeter": "a field that the perimeter is made of is blank",
    }

    def __init__(self, settings: LettersSource, *, base: Path, zone: str) -> None:
        self.name = settings.name
        self._settings = settings
        self._base = base
        self._zone = settings.timezone or zone
        self._perimeter = Template(settings.perimeter)

    def records(self) -> Iterator[Record]:
        """Every letter in order of path. Raises SourceError if there is no such place."""
        return (record for file in self.files() for record in file.read())

    def files(self) -> Iterator[SourceFile]:
        """Every letter's file in order of path; SourceError if there is no such place."""
        metadata = Metadata(self._settings.pattern)
        for path in files.expand(self._base, self._settings.path):
            if not is_metadata(path):
                name = files.relative_name(self._base, path)
                read = partial(_records, path, name, metadata)
                yield SourceFile(path, name, read, lambda: Ending.DOCUMENT, beside=metadata_places(path))

    def parse(self, record: Record) -> Outcome:
        """The outcome of one letter."""
        payload = record.payload
        if isinstance(payload, bytes):
            return _NOT_A_LETTER
        if rejection := rejection_of(payload, self.reasons):
            return rejection
        try:
            data = base64.b64decode(payload["bytes"], validate=True)
            suffix = PurePosixPath(payload["file"]).suffix.lower()
            metadata = {str(key): str(value) for key, value in payload["metadata"].items()}
        except (KeyError, ValueError, TypeError, AttributeError):
            return _NOT_A_LETTER
        try:
            text = read_text(data, suffix, encoding=self._settings.encoding)
        except LetterError as error:
            return Rejected(error.reason, error.detail)
        return self._parse_text(text, metadata) if text else SetAside("empty")

    def _parse_text(self, text: str, metadata: Mapping[str, str]) -> Outcome:
        known = {key.casefold(): value for key, value in metadata.items()}
        if not known.get("date"):
            return Rejected("no_date", "no date in sidecar, metadata.csv or file name")
        try:
            occurred_at = parse_time(known["date"], zone=self._zone, day_first=True)
        except ValueError as error:
            return Rejected("no_date", str(error))
        perimeter = self._perimeter.fill(metadata)
        if perimeter is None:
            return self._without_perimeter(metadata)
        return Parsed(
            occurred_at=occurred_at,
            perimeter=perimeter,
            text=text,
            own_id=known.get("id"),
            author=known.get("author"),
        )

    def _without_perimeter(self, metadata: Mapping[str, str]) -> Rejected:
        absent = [name for name in self._perimeter.fields if name not in metadata]
        if absent:
            missing, found = (", ".join(map(repr, names)) for names in (absent, metadata))
            detail = f"no field {missing} in the metadata; found {found}; correct perimeter or pattern"
            return Rejected("missing_field", detail)
        blank = [name for name in self._perimeter.fields if not metadata[name].strip()]
        return Rejected("no_perimeter", f"blank in the metadata: {', '.join(blank)}")


def _records(path: Path, name: str, metadata: Metadata) -> Iterator[Record]:
    yield Record(name, 0, {"file": name, **_read(path, metadata)})


def _read(path: Path, metadata: Metadata) -> Mapping[str, object]:
    """The payload of one file, its name apart."""
    if path.suffix.lower() not in SUFFIXES:
        return unread("not_a_letter", f"the file ends in {path.suffix or 'nothing'}")
    try:
        if path.stat().st_size > MAX_LETTER_BYTES:
            return unread("oversized", f"over {MAX_LETTER_BYTES} bytes")
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        return {"bytes": data, "metadata": metadata.of(path)}
    except OSError as error:
        return unread("unreadable", error.strerror or type(error).__name__)
    except MetadataError as error:
        return unread("bad_metadata", str(error))
