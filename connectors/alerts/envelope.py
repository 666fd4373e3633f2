"""A message as it leaves: its words in the forms that the ways out take, and as a mail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Any, cast

from connectors.errors import VigieError


class _Verbatim(UnstructuredHeader):
    """A header on one line, as it is: folding would encode the long link in it, which mail programmes do not
    decode there."""

    name: str

    def fold(self, *, policy: Any) -> str:
        """One line."""
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
for _name in ("list-unsubscribe", "references", "in-reply-to"):
    # The registry makes a class of what it is given and BaseHeader, as of its own kinds of header.
    _HEADERS.map_to_type(_name, cast(Any, _Verbatim))

MAIL = SMTP.clone(header_factory=_HEADERS)
"""How mails are written: lines end in CRLF, links stay whole."""


class UndeliveredError(VigieError):
    """A message was not taken. permanent: whether trying again cannot help. Names no address and no token."""

    def __init__(self, problem: str, *, permanent: bool) -> None:
        super().__init__(problem)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is sent. message_id: 32 hexadecimal characters, the same for the same message.

    text, html: the whole message; html names pictures by `cid:`. brief: a few lines for chats and text
    messages. pictures: PNG by content id. unsubscribe: link. follows: ids of earlier messages on the same
    signal, the oldest first. facts: plain values for machines. left_out: ids of signals that the message was
    to tell of and does not.
    """

    message_id: str
    subject: str
    text: str
    html: str
    brief: str
    unsubscribe: str
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    follows: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()


def recipient(to: str) -> Address:
    """An e-mail address as mails bear it. Raises UndeliveredError, without the address, where none can."""
    try:
        return Address(addr_spec=to)
    except (MessageError, ValueError):
        raise UndeliveredError("no mail can bear the recipient's address", permanent=True) from None


def sender_of(written: str) -> Address:
    """The address, with a name or without, that mails come from. Raises UndeliveredError where none can."""
    name, address = parseaddr(written)
    try:
        return Address(name, addr_spec=address)
    except (MessageError, ValueError, IndexError):
        raise UndeliveredError("no mail can bear the address alerts.sender", permanent=False) from None


def as_mail(envelope: Envelope, *, sender: str, to: str, at: datetime) -> EmailMessage:
    """The mail of an envelope: text and HTML with its pictures, and what RFC 8058 asks for to unsubscribe.

    sender: an address, with a name or without: `Vigie <vigie@exemple.fr>`. at: aware. Raises UndeliveredError
    where no mail can bear the addresses.
    """
    origin = sender_of(sender)
    domain = origin.domain
    mail = EmailMessage(policy=MAIL)
    mail["From"] = origin
    mail["To"] = recipient(to)
    mail["Subject"] = envelope.subject
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{envelope.message_id}@{domain}>"
    if envelope.follows:
        earlier = [f"<{one}@{domain}>" for one in envelope.follows]
        mail["In-Reply-To"] = earlier[-1]
        mail["References"] = " ".join(earlier)
    mail["List-Unsubscribe"] = f"<{envelope.unsubscribe}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(envelope.text)
    mail.add_alternative(envelope.html, subtype="html")
    body = mail.get_body(("html",))
    assert isinstance(body, EmailMessage)
    for content_id, png in envelope.pictures.items():
        body.add_related(
            png, "image", "png", cid=f"<{content_id}>", disposition="inline", filename=f"{content_id}.png"
        )
    return mail
