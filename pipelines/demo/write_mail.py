"""Writes mailboxes: one mbox a region, with what real mailboxes hold besides what people wrote."""

import base64
import html
import quopri
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from connectors.perimeters import slugify
from pipelines.demo.entries import Entry
from pipelines.demo.grammar import pick
from pipelines.demo.labels import GENERATED
from pipelines.demo.organisation import MAIL_DOMAIN, NAME, Organisation, Store
from pipelines.demo.rhythm import DAYS, day_date

ZONE = ZoneInfo("Europe/Paris")
QUOTED_REPLY = 0.12
HTML = 0.22
_FROM_LINE = re.compile(rb"^(>*From )", re.MULTILINE)
_MONTHS = ("janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc.")
_DEVICES = ("Envoyé de mon iPhone", "Envoyé depuis mon smartphone", "Envoyé de mon appareil mobile")


def write_mail(folder: Path, entries: Sequence[Entry], organisation: Organisation, rng: Random) -> int:
    """Write `mail/REGION.mbox`; returns the number of messages."""
    boxes: dict[str, list[tuple[datetime, bytes]]] = defaultdict(list)
    for entry in entries:
        boxes[entry.store.region].append((entry.moment, _written(entry, rng)))
    others = [make for make, count in _MACHINE_MADE for _ in range(count)]
    for number, make in enumerate(others, start=1):
        store, moment = pick(rng, organisation.stores), _any_moment(rng)
        boxes[store.region].append((moment, make(store, moment, number, rng)))
    target = folder / "mail"
    target.mkdir()
    for region, messages in boxes.items():
        messages.sort(key=lambda message: message[0])
        (target / f"{slugify(region)}.mbox").write_bytes(b"".join(content for _, content in messages))
    return sum(map(len, boxes.values()))


def _any_moment(rng: Random) -> datetime:
    day = day_date(rng.randrange(DAYS))
    return datetime(day.year, day.month, day.day, 8) + timedelta(seconds=rng.randrange(40_000))  # noqa: DTZ001


def _written(entry: Entry, rng: Random) -> bytes:
    """A customer's message."""
    author = entry.author
    if author is None:
        raise ValueError(f"{entry.own_id}: a mail needs its author")
    text, title = entry.text, entry.title
    extra: list[tuple[str, str]] = []
    if rng.random() < QUOTED_REPLY:
        title = f"Re: {title}"
        extra = [("In-Reply-To", f"<reponse.{rng.randrange(10**9)}@{MAIL_DOMAIN}>")]
        text += _device_or_signature(rng) + _quote(entry, rng)
    else:
        text += _device_or_signature(rng)
    headers = [
        ("From", f"{_word(author.name)} <{author.email}>"),
        ("To", _to(entry.store)),
        ("Subject", _word(title)),
        ("Date", format_datetime(entry.moment.replace(tzinfo=ZONE))),
        ("Message-ID", entry.own_id),
        *extra,
    ]
    return _message(headers, *_body(text, rng), sender=author.email, moment=entry.moment)


def _device_or_signature(rng: Random) -> str:
    draw = rng.random()
    if draw < 0.15:
        return f"\n\n{pick(rng, _DEVICES)}"
    if draw < 0.22:
        # 06 39 98 is reserved for fiction.
        return f"\n\n-- \nTél. 06 39 98 {rng.randrange(100):02d} {rng.randrange(100):02d}"
    return ""


def _quote(entry: Entry, rng: Random) -> str:
    before = entry.moment - timedelta(days=rng.randint(1, 6))
    month = _MONTHS[before.month - 1]
    return (
        f"\n\nLe {before.day} {month} {before.year} à {before:%H:%M}, "
        f"{NAME} <{entry.store.address}> a écrit :\n"
        "> Bonjour,\n> Nous avons bien reçu votre message et nous vous répondrons\n"
        f"> dans les meilleurs délais.\n> L'équipe {NAME} {entry.store.name}"
    )


def _body(text: str, rng: Random) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and bytes of the content, in one of the forms mail programs use."""
    draw = rng.random()
    if draw < HTML:
        mark = f"----=_Partie_{rng.randrange(10**12):012d}"
        page = f"<html><body><p>{html.escape(text).replace(chr(10), '<br>')}</p></body></html>"
        body = b"".join(
            f'--{mark}\nContent-Type: text/{kind}; charset="utf-8"\n'
            "Content-Transfer-Encoding: quoted-printable\n\n".encode()
            + quopri.encodestring(part.encode())
            + b"\n"
            for kind, part in (("plain", text), ("html", page))
        )
        return [
            ("Content-Type", f'multipart/alternative; boundary="{mark}"')
        ], body + f"--{mark}--\n".encode()
    if draw < HTML + 0.15:
        return _plain("windows-1252", "8bit"), text.encode("cp1252")
    if draw < HTML + 0.2:
        return _plain("utf-8", "base64"), base64.encodebytes(text.encode())
    return _plain("utf-8", "quoted-printable"), quopri.encodestring(text.encode())


def _plain(charset: str, encoding: str) -> list[tuple[str, str]]:
    return [("Content-Type", f'text/plain; charset="{charset}"'), ("Content-Transfer-Encoding", encoding)]


def _message(
    headers: Sequence[tuple[str, str]],
    content: Sequence[tuple[str, str]],
    body: bytes,
    *,
    sender: str,
    moment: datetime,
) -> bytes:
    lines = [*headers, ("MIME-Version", "1.0"), ("X-Generated-By", GENERATED), *content]
    head = "".join(f"{name}: {value}\n" for name, value in lines)
    whole = head.encode("ascii") + b"\n" + body
    return f"From {sender} {moment.ctime()}\n".encode() + _FROM_LINE.sub(rb">\1", whole) + b"\n\n"


def _word(text: str) -> str:
    """A header's value in RFC 2047 encoded words of at most 75 characters."""
    if text.isascii():
        return text
    pieces = [text[start : start + 20] for start in range(0, len(text), 20)]
    return "\n ".join(f"=?utf-8?B?{base64.b64encode(piece.encode()).decode()}?=" for piece in pieces)


def _to(store: Store) -> str:
    return f"{_word(f'{NAME} {store.name}')} <{store.address}>"


def _machine_made(
    moment: datetime,
    number: int,
    *,
    sender: str,
    to: str,
    subject: str,
    text: str,
    marks: Sequence[tuple[str, str]],
) -> bytes:
    headers = [
        ("From", sender),
        ("To", to),
        ("Subject", _word(subject)),
        ("Date", format_datetime(moment.replace(tzinfo=ZONE))),
        ("Message-ID", f"<autre.{number:04d}.genere@lavoine.invalid>"),
        *marks,
    ]
    content = _plain("utf-8", "quoted-printable")
    return _message(
        headers, content, quopri.encodestring(text.encode()), sender="machine@lavoine.invalid", moment=moment
    )


def _auto_reply(store: Store, moment: datetime, number: int, rng: Random) -> bytes:
    return _machine_made(
        moment,
        number,
        sender=f"absent{rng.randrange(1000)}@courriel.example",
        to=_to(store),
        subject="Réponse automatique : votre demande",
        text="Bonjour,\n\nJe suis absent jusqu'à lundi et lirai votre message à mon retour.\n",
        marks=[("Auto-Submitted", "auto-replied")],
    )


def _bounce(store: Store, moment: datetime, number: int, rng: Random) -> bytes:
    return _machine_made(
        moment,
        number,
        sender="MAILER-DAEMON@relais.example",
        to=_to(store),
        subject="Undelivered Mail Returned to Sender",
        text=f"<client{rng.randrange(1000)}@boite.example>: user unknown\n",
        marks=[("Auto-Submitted", "auto-generated")],
    )


def _newsletter(store: Store, moment: datetime, number: int, rng: Random) -> bytes:
    topic = pick(rng, ("du commerce", "de l'agencement", "des fournisseurs", "du bricolage"))
    return _machine_made(
        moment,
        number,
        sender="La lettre <lettre@abonnement.example>",
        to=_to(store),
        subject=f"La lettre {topic} n° {number}",
        text=f"Au sommaire : l'actualité {topic}, les salons, les nouveautés.\n",
        marks=[("List-Unsubscribe", "<https://abonnement.example/fin>"), ("Precedence", "bulk")],
    )


def _to_nobody(_store: Store, moment: datetime, number: int, rng: Random) -> bytes:
    """A person's message to an address that is no store's."""
    return _machine_made(
        moment,
        number,
        sender=f"visiteur{rng.randrange(1000)}@courriel.example",
        to=f"service-presse@{MAIL_DOMAIN}",
        subject="Demande de renseignement",
        text="Bonjour,\n\nÀ qui dois-je adresser une demande de partenariat ?\n",
        marks=[],
    )


def _out_of_time(store: Store, moment: datetime, number: int, rng: Random) -> bytes:
    """A person's message from a computer whose clock is wrong."""
    return _machine_made(
        moment.replace(year=2038, day=1),
        number,
        sender=f"visiteur{rng.randrange(1000)}@boite.example",
        to=_to(store),
        subject="Question",
        text="Bonjour,\n\nÊtes-vous ouverts les jours fériés ?\n",
        marks=[],
    )


_MACHINE_MADE: tuple[tuple[Callable[[Store, datetime, int, Random], bytes], int], ...] = (
    (_auto_reply, 45),
    (_bounce, 25),
    (_newsletter, 60),
    (_to_nobody, 5),
    (_out_of_time, 4),
)
"""What to add to the customers' messages, and how many."""
