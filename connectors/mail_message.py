"""One raw message, decoded whatever its faults: headers, addresses, date, and the text somebody wrote."""

import base64
import binascii
import quopri
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

from connectors.files import decode
from connectors.mail_html import html_to_text

_MAX_DEPTH = 20
_MAX_DATE_CHARS = 200
# Looking for an address takes time in the square of a run of letters; an address has 254 characters at most.
_MAX_AUTHOR_CHARS = 2000
# What the standard parser raises on headers and structures gone wrong, found by fuzzing.
_PARSER_FAULTS = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)

_WORD = r"=\?[^?\s]*\?[bBqQ]\?[^?]*\?="
_WORDS = re.compile(rf"{_WORD}(?:\s*{_WORD})*")
_WORD_PARTS = re.compile(r"=\?([^?*\s]*)[^?\s]*\?([bBqQ])\?([^?]*)\?=")
_ADDRESS = re.compile(r"<\s*([^<>\s@]+@[^<>\s@]+)\s*>|([^\s<>()\"',;:@]+@[^\s<>()\"',;:@]+)")
_QUOTED_STRING = re.compile(r'"[^"]*"')
_PIPERMAIL_ADDRESS = re.compile(r"([^\s<>()\"',;:@]+) at ([^\s<>()\"',;:@]+)")
_ASCTIME = re.compile(
    r"[A-Z][a-z]{2} +[A-Z][a-z]{2} +\d+ +\d+:\d\d(?::\d\d)?[^\r\n]{0,20}? +\d{4}(?: [+-]\d{4})?"
)
_LEAP_SECOND = re.compile(r"(:\d\d):60\b")
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_MAIL_HEADERS = frozenset(
    {"from", "date", "subject", "to", "message-id", "received", "return-path", "mime-version", "delivered-to"}
)


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """A parsed message. headers: raw values by lower-case name, in order; body: its MIME structure."""

    headers: dict[str, list[str]]
    body: Message
    from_line: str

    def first(self, name: str) -> str:
        """First value of a header, decoded; empty where it is absent."""
        values = self.headers.get(name)
        return decode_header(values[0]).strip() if values else ""

    @property
    def content_type(self) -> str:
        """`text/plain` where the header is absent or wrong."""
        return self.body.get_content_type()


def parse_message(raw: bytes) -> ParsedMail | None:
    """Read one message; None if the bytes hold none of the headers that mail has.

    A message that starts with an mbox `From ` line has its `>From ` quoting undone.
    """
    if raw.startswith(b"From "):
        raw = _QUOTED_FROM.sub(rb"\1", raw)
    try:
        body = BytesParser(policy=compat32).parsebytes(raw.lstrip(b"\r\n"))
        headers: dict[str, list[str]] = {}
        for name, value in body.raw_items():
            headers.setdefault(name.lower(), []).append(str(value))
    except _PARSER_FAULTS:
        return None
    if _MAIL_HEADERS.isdisjoint(headers):
        return None
    return ParsedMail(headers=headers, body=body, from_line=body.get_unixfrom() or "")


def decode_header(value: str) -> str:
    """A header's text on one line: encoded words decoded, raw 8-bit bytes found out, never an error.

    >>> decode_header("=?iso-8859-1?Q?R=E9clamation?= =?utf-8?B?IGQnw6l0w6k=?=")
    "Réclamation d'été"
    """
    text, _ = decode(value.encode("utf-8", errors="surrogateescape"))
    unfolded = " ".join(text.split())
    return _WORDS.sub(_decode_words, unfolded) if "=?" in unfolded else unfolded


def _decode_words(match: re.Match[str]) -> str:
    """Adjacent words of one charset are joined before decoding: some cut inside a character."""
    parts: list[tuple[str, bytes]] = []
    for charset, coding, content in _WORD_PARTS.findall(match[0]):
        data = _word_bytes(coding, content)
        if parts and parts[-1][0] == charset.lower():
            data = parts.pop()[1] + data
        parts.append((charset.lower(), data))
    return " ".join("".join(decode(data, charset)[0] for charset, data in parts).split())


def _word_bytes(coding: str, content: str) -> bytes:
    data = content.encode("utf-8", errors="replace")
    if coding in "qQ":
        return quopri.decodestring(data, header=True)
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4))
    except binascii.Error:
        return data


def address_of(value: str) -> str | None:
    """First e-mail address of a header, lower-case; archives' `name at host` too. None if there is none."""
    value = value[:_MAX_AUTHOR_CHARS]
    match = _ADDRESS.search(_QUOTED_STRING.sub(" ", value)) or _ADDRESS.search(value)
    if match:
        return (match[1] or match[2]).lower()
    archived = _PIPERMAIL_ADDRESS.search(value)
    return f"{archived[1]}@{archived[2]}".lower() if archived else None


def display_name_of(value: str) -> str:
    """What a header says besides the address: `Jean Dupont`."""
    return _PIPERMAIL_ADDRESS.sub(" ", _ADDRESS.sub(" ", value[:_MAX_AUTHOR_CHARS])).strip(" \"'<>()")


def sent_at(mail: ParsedMail, *, zone: str) -> datetime | None:
    """When the message was sent, UTC: its Date, else its newest Received, else its mbox line; None if none.

    zone: of a time that bears no offset; mbox lines are in UTC (RFC 4155).
    """
    candidates = [(value, zone) for value in mail.headers.get("date", [])]
    candidates += [(value.rpartition(";")[2], zone) for value in mail.headers.get("received", [])]
    line = _ASCTIME.search(mail.from_line)
    if line:
        candidates.append((line[0], "UTC"))
    times = (parse_date(value, zone=zone) for value, zone in candidates)
    return next((time for time in times if time is not None), None)


def parse_date(value: str, *, zone: str) -> datetime | None:
    """An RFC 822 date, lenient, in UTC; None if it is no date.

    >>> parse_date("Tue, 5 Mar 2024 09:30:00 +0100", zone="UTC").isoformat()
    '2024-03-05T08:30:00+00:00'
    """
    try:
        # Leap seconds are real, and more than datetime can hold.
        found = parsedate_to_datetime(_LEAP_SECOND.sub(r"\1:59", value[:_MAX_DATE_CHARS]))
        if found.tzinfo is None:
            # -0000 is UTC, said by a machine that does not know its zone (RFC 5322).
            found = found.replace(tzinfo=UTC if "-0000" in value else ZoneInfo(zone))
        return found.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def body_text(message: Message, *, encoding: str | None = None, depth: int = 0) -> str:
    """Text of a message's readable parts, HTML converted; attachments and attached messages left out.

    Of alternatives the plain text is taken, HTML where there is none. encoding: of parts that name none.
    """
    if not message.is_multipart():
        return _part_text(message, encoding)
    if depth >= _MAX_DEPTH or message.get_content_maintype() == "message":
        return ""
    parts = [part for part in message.get_payload() if isinstance(part, Message)]
    if message.get_content_type() == "multipart/alternative":
        # Plain text first, otherwise the sender's order.
        parts.sort(key=lambda part: part.get_content_type() != "text/plain")
        texts = (body_text(part, encoding=encoding, depth=depth + 1) for part in parts)
        return next((text for text in texts if text.strip()), "")
    texts = (body_text(part, encoding=encoding, depth=depth + 1) for part in parts)
    return "\n\n".join(text for text in texts if text.strip())


def _part_text(part: Message, encoding: str | None) -> str:
    kind = part.get_content_type()
    if kind not in ("text/plain", "text/html") and part.get_content_maintype() != "multipart":
        return ""
    try:
        if part.get_content_disposition() == "attachment" or part.get_filename():
            return ""
        charset = part.get_param("charset")
        content = part.get_payload(decode=True)
    except _PARSER_FAULTS:
        return ""
    if not isinstance(content, bytes):
        return ""
    text, _ = decode(content, charset if isinstance(charset, str) else encoding)
    looks_html = kind == "text/html" or text[:200].lstrip().lower().startswith(("<html", "<!doctype html"))
    return html_to_text(text) if looks_html else text
