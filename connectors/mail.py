"""Mail as a source: mailboxes in, one outcome a message out."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from connectors import files, mail_boxes
from connectors.contract import Outcome, Parsed, Record, Rejected, SetAside, SourceFile
from connectors.events import SUBJECT_MARK
from connectors.mail_kinds import kind
from connectors.mail_message import ParsedMail, address_of, body_text, display_name_of, parse_message, sent_at
from connectors.mail_reply import visible
from connectors.source_settings import MailSource
from connectors.template import Template
from connectors.unread import rejection_of

_RECIPIENT_HEADERS = ("to", "delivered-to", "x-original-to", "envelope-to", "cc")
_PREFIXES = re.compile(
    r"\A(?:(?:re|ré|réf|fw|fwd|tr|aw|wg|rv|res|enc|antw|doorst|sv|vs|rif|i|r)(?:\[\d+\]|\(\d+\))?\s?:\s*)+",
    re.IGNORECASE,
)
_NOT_A_MESSAGE = Rejected("unreadable", "the record is not a message")


class Mail:
    """Messages of mbox files, maildirs, folders of single messages, and zips of these.

    A record's payload is the raw message, its mbox line included. An event's text is what the sender
    wrote, quotes and signature removed, after a `[Subject]` line if the settings want one. author: the
    sender's address; own_id: Message-ID. Auto-replies, bounces, newsletters, messages without text
    and empty files are set aside. zone: of a Date without offset, where the settings name none.
    """

    reasons: Mapping[str, str] = {
        "not_mail": "not a mail message: none of the headers mail has; export mail as .eml or mbox",
        "unreadable": "the file cannot be read, or is a damaged archive",
        "encrypted": "the archive asks for a password; put it there unpacked",
        "oversized": "the archive expands far more than mail does; put it there unpacked",
        "no_date": "neither Date, Received nor mbox line gives a date",
        "no_perimeter": "a field that the perimeter is made of is missing",
    }

    def __init__(self, settings: MailSource, *, base: Path, zone: str) -> None:
        self.name = settings.name
        self._settings = settings
        self._base = base
        self._zone = settings.timezone or zone
        self._perimeter = Template(settings.perimeter)

    def records(self) -> Iterator[Record]:
        """Every message, file by file in order of path. Raises SourceError if there is no such place."""
        return (record for file in self.files() for record in file.read())

    def files(self) -> Iterator[SourceFile]:
        """Every mailbox, message and archive in order of path; SourceError if there is no such place."""
        for path in files.expand(self._base, self._settings.path):
            # A maildir's tmp holds messages half delivered; they will come as whole ones.
            if path.parent.name == "tmp" and (path.parent.parent / "cur").is_dir():
                continue
            name = files.relative_name(self._base, path)
            yield SourceFile(
                path,
                name,
                partial(mail_boxes.read, path, name),
                partial(mail_boxes.ending, path),
                read_on=partial(mail_boxes.read_on, path, name),
            )

    def parse(self, record: Record) -> Outcome:
        """The outcome of one message."""
        payload = record.payload
        if not isinstance(payload, bytes):
            return rejection_of(payload, self.reasons) or _NOT_A_MESSAGE
        if not payload:
            return SetAside("empty_file")
        mail = parse_message(payload)
        if mail is None:
            return Rejected("not_mail", f"{len(payload)} bytes without From, Date, Subject or the like")
        subject = mail.first("subject")
        unwritten = kind(mail.headers, content_type=mail.content_type, subject=subject)
        if unwritten:
            return SetAside(unwritten)
        return self._parse_written(record, mail, subject=_PREFIXES.sub("", subject))

    def _parse_written(self, record: Record, mail: ParsedMail, *, subject: str) -> Outcome:
        text = self._text(mail, subject)
        if not text:
            return SetAside("empty")
        occurred_at = sent_at(mail, zone=self._zone)
        if occurred_at is None:
            return Rejected("no_date", "no readable date in Date, Received or the mbox line")
        fields = _perimeter_fields(record, mail, subject)
        perimeter = self._perimeter.fill(fields)
        if perimeter is None:
            missing = [name for name in self._perimeter.fields if not fields[name].strip()]
            return Rejected("no_perimeter", f"the message has no {', '.join(missing)}")
        return Parsed(
            occurred_at=occurred_at,
            perimeter=perimeter,
            text=text,
            own_id=mail.first("message-id") or None,
            author=address_of(mail.first("from")),
            names=tuple(filter(None, (display_name_of(mail.first("from")),))),
        )

    def _text(self, mail: ParsedMail, subject: str) -> str:
        sender = mail.first("from")
        names = f"{display_name_of(sender)} {(address_of(sender) or '').partition('@')[0]}"
        reply = visible(body_text(mail.body, encoding=self._settings.encoding), sender=names)
        titled = f"{SUBJECT_MARK}{subject}" if subject and self._settings.subject else ""
        return "\n".join(part for part in (titled, reply) if part)


def _perimeter_fields(record: Record, mail: ParsedMail, subject: str) -> dict[str, str]:
    addresses = (address_of(value) for name in _RECIPIENT_HEADERS for value in mail.headers.get(name, ()))
    to = next((address for address in addresses if address), "")
    return {"to": to, "to_local": to.partition("@")[0], "folder": _folder(record), "subject": subject}


def _folder(record: Record) -> str:
    """The mailbox a message lies in: the mbox file's name, the maildir's, or the folder of a single file."""
    path = PurePosixPath(record.file)
    if record.line:
        return path.stem
    parent = path.parent
    if parent.name in ("cur", "new"):
        parent = parent.parent
    return parent.name.lstrip(".")
