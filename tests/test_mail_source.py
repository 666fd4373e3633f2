"""Mail as a source: mailboxes, messages with faults, machine-written kinds, perimeters."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.contract import Outcome, Parsed, Record, Rejected, SetAside
from connectors.mail import Mail
from connectors.mail_kinds import kind
from connectors.mail_message import address_of, decode_header, display_name_of, parse_date
from connectors.source_settings import MailSource

HEADERS = {
    "From": "Zoé Exemple <Zoe.Exemple@Example.org>",
    "To": "SAV <sav-lille@example.com>",
    "Date": "Tue, 5 Mar 2024 09:30:00 +0100",
    "Message-ID": "<1@example.org>",
    "Subject": "Re: Commande",
}


def source(base: Path = Path(), path: str = ".", **settings: Any) -> Mail:
    fields: dict[str, Any] = {"perimeter": "enseigne", **settings}
    return Mail(
        MailSource.model_validate({"kind": "mail", "name": "sav", "path": path, **fields}),
        base=base,
        zone="Europe/Paris",
    )


def message(body: bytes | str = "Le colis est cassé.", **headers: str | None) -> bytes:
    """A message with HEADERS, replaced by name; None leaves one out."""
    given = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\n" for name, value in given.items() if value is not None)
    return head.encode() + b"\n" + (body.encode() if isinstance(body, str) else body)


def parse(raw: bytes, *, file: str = "in/1.eml", line: int = 0, **settings: Any) -> Outcome:
    return source(**settings).parse(Record(file, line, raw))


def text_of(raw: bytes, **settings: Any) -> str:
    outcome = parse(raw, **settings)
    assert isinstance(outcome, Parsed), outcome
    return outcome.text


def test_a_plain_message_becomes_an_event() -> None:
    assert parse(message()) == Parsed(
        occurred_at=datetime(2024, 3, 5, 8, 30, tzinfo=UTC),
        perimeter="enseigne",
        text="[Subject] Commande\nLe colis est cassé.",
        own_id="<1@example.org>",
        author="zoe.exemple@example.org",
        names=("Zoé Exemple",),
    )


# Text


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain; charset=iso-8859-1", "Cassé à l'arrivée".encode("latin-1")),
        ("text/plain; charset=utf-8", "Cassé à l'arrivée".encode("latin-1")),
        ("text/plain; charset=us-ascii", "Cassé à l'arrivée".encode()),
        ("text/plain; charset=x-nothing", "Cassé à l'arrivée".encode("cp1252")),
        ("text/plain", "Cassé à l'arrivée".encode("cp1252")),
        ("text/plain; charset=a\0b", "Cassé à l'arrivée".encode()),
        ('text/plain; charset="utf-8', "Cassé à l'arrivée".encode()),
        ("text/html; charset=utf-8", b"<p>Cass&eacute; \xc3\xa0 l'arriv\xc3\xa9e</p>"),
        ("text/plain; charset=utf-8", b"<html><body>Cass\xc3\xa9 \xc3\xa0 l'arriv\xc3\xa9e</body></html>"),
        ("nonsense", "Cassé à l'arrivée".encode()),
        ("multipart/mixed", "Cassé à l'arrivée".encode()),
    ],
)
def test_charsets_right_wrong_unknown_and_missing(content_type: str, body: bytes) -> None:
    assert text_of(message(body, Content_Type=content_type), subject=False) == "Cassé à l'arrivée"


def test_japanese_mail() -> None:
    raw = message("破損しました".encode("iso2022_jp"), Content_Type="text/plain; charset=ISO-2022-JP")
    assert text_of(raw, subject=False) == "破損しました"


def test_transfer_encodings() -> None:
    base64 = message(
        b"Q2Fzc8Op", Content_Type="text/plain; charset=utf-8", Content_Transfer_Encoding="base64"
    )
    quoted = message("Cass=C3=A9 en =\nroute", Content_Transfer_Encoding="quoted-printable")
    assert text_of(base64, subject=False) == "Cassé"
    assert text_of(quoted, subject=False) == "Cassé en route"


MULTIPART = """--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/html

<p>En HTML.</p>
--inner
Content-Type: text/plain

En clair.
--inner--
--outer
Content-Type: text/plain; name=journal.txt
Content-Disposition: attachment; filename=journal.txt

Une piece jointe.
--outer
Content-Type: message/rfc822

From: autre@example.org
Subject: Autre

Un message joint.
--outer
Content-Type: text/plain

Suite du texte.
--outer--
"""


def test_nested_parts_without_attachments() -> None:
    raw = message(MULTIPART, Content_Type="multipart/mixed; boundary=outer")
    assert text_of(raw, subject=False) == "En clair.\n\nSuite du texte."


def test_html_alone_loses_its_quote() -> None:
    html = (
        "<div>Cass&eacute;.<br>Que faire&nbsp;?</div><div class='gmail_quote'>Le 3 mai, SAV a écrit :"
        "<blockquote>Bonjour</blockquote></div>"
    )
    assert text_of(message(html, Content_Type="text/html"), subject=False) == "Cassé.\nQue faire ?"


def test_signature_is_known_by_the_sender() -> None:
    assert text_of(message("Cassé.\n\nZoé Exemple\n"), subject=False) == "Cassé."


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("Commande", "Commande"),
        ("Re: RE : Tr: Fwd: Commande", "Commande"),
        ("AW: WG: Re[2]: Commande", "Commande"),
        ("Retard : commande", "Retard : commande"),
        ("Ma lettre : retard", "Ma lettre : retard"),
        ("=?utf-8?Q?R=C3=A9clamation?=", "Réclamation"),
        ("=?iso-8859-1?B?UulwYXI=?= =?iso-8859-1?B?YXRpb24=?=", "Réparation"),
        ("=?utf-8?B?w?= =?utf-8?B?6k=?=", None),
        ("=?x-nothing?Q?abc?=", "abc"),
    ],
)
def test_subjects(subject: str, shown: str | None) -> None:
    first = text_of(message(Subject=subject)).split("\n")[0]
    assert first.startswith("[Subject] ")
    if shown is not None:
        assert first == f"[Subject] {shown}"


def test_raw_bytes_in_headers_are_found_out() -> None:
    raw = message().replace(b"Re: Commande", "Réclamation".encode("latin-1"))
    assert text_of(raw).startswith("[Subject] Réclamation\n")
    assert decode_header("a\n b") == "a b"


def test_a_quote_alone_leaves_the_subject_and_without_it_nothing() -> None:
    assert text_of(message("> Bonjour")) == "[Subject] Commande"
    assert parse(message("> Bonjour"), subject=False) == SetAside("empty")
    assert parse(message("> Bonjour", Subject=None)) == SetAside("empty")


# Who, when, where


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("Zoé <Zoe@Example.org>", "zoe@example.org"),
        ("zoe@example.org (Zoé)", "zoe@example.org"),
        ('"a@b, c" <zoe@example.org>', "zoe@example.org"),
        ("zoe at example.org (Zoé)", "zoe@example.org"),
        ("Zoé", None),
        ("", None),
        ("<>", None),
    ],
)
def test_addresses(value: str, address: str | None) -> None:
    assert address_of(value) == address


def test_no_author_is_none() -> None:
    outcome = parse(message(From=None))
    assert isinstance(outcome, Parsed)
    assert outcome.author is None


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        ("Tue, 5 Mar 2024 09:30:00 +0100", "2024-03-05T08:30:00+00:00"),
        ("5 Mar 24 09:30 EST", "2024-03-05T14:30:00+00:00"),
        ("Tue, 5 Mar 2024 09:30:00", "2024-03-05T08:30:00+00:00"),
        ("Tue, 5 Mar 2024 09:30:00 -0000", "2024-03-05T09:30:00+00:00"),
        ("Wed Dec  1 08:26:40 2010", "2010-12-01T07:26:40+00:00"),
        ("Sat, 31 Dec 2016 23:59:60 +0000", "2016-12-31T23:59:59+00:00"),
        ("Tue, 35 Mar 2024 09:30:00 +0100", None),
        ("Tue, 5 Mar 2024 09:30:00 +9999", None),
        ("hier", None),
        ("", None),
    ],
)
def test_dates(value: str, iso: str | None) -> None:
    found = parse_date(value, zone="Europe/Paris")
    assert (found.isoformat() if found else None) == iso


def test_the_date_falls_back_on_received_then_on_the_mbox_line() -> None:
    received = "from a by b; Wed, 6 Mar 2024 10:00:00 +0000"
    outcome = parse(message(Date="hier", Received=received))
    assert isinstance(outcome, Parsed)
    assert outcome.occurred_at == datetime(2024, 3, 6, 10, tzinfo=UTC)
    outcome = parse(b"From zoe@example.org Thu Mar  7 11:00:00 2024\n" + message(Date=None))
    assert isinstance(outcome, Parsed)
    assert outcome.occurred_at == datetime(2024, 3, 7, 11, tzinfo=UTC)
    assert parse(message(Date="hier")) == Rejected(
        "no_date", "no readable date in Date, Received or the mbox line"
    )


def test_the_sources_zone_is_believed_before_the_organisations() -> None:
    outcome = parse(message(Date="Tue, 5 Mar 2024 09:30:00"), timezone="America/New_York")
    assert isinstance(outcome, Parsed)
    assert outcome.occurred_at == datetime(2024, 3, 5, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("template", "file", "line", "perimeter"),
    [
        ("e/{to_local}", "in/1.eml", 0, "e/sav-lille"),
        ("{to}", "in/1.eml", 0, "sav-lille@example.com"),
        ("e/{folder}", "boites/lille.mbox", 3, "e/lille"),
        ("e/{folder}", "boites/lille/cur/1.host:2,S", 0, "e/lille"),
        ("e/{folder}", "boites/.Lille/new/1", 0, "e/Lille"),
        ("e/{folder}", "lille/1.eml", 0, "e/lille"),
        ("e/{subject}", "1.eml", 0, "e/Commande"),
        ("e/{folder}", "1.eml", 0, None),
    ],
)
def test_perimeters(template: str, file: str, line: int, perimeter: str | None) -> None:
    outcome = parse(message(), file=file, line=line, perimeter=template)
    if perimeter is None:
        assert outcome == Rejected("no_perimeter", "the message has no folder")
    else:
        assert isinstance(outcome, Parsed)
        assert outcome.perimeter == perimeter


def test_the_recipient_is_found_where_to_is_missing() -> None:
    outcome = parse(message(To=None, Delivered_To="sav-arras@example.com"), perimeter="{to_local}")
    assert isinstance(outcome, Parsed)
    assert outcome.perimeter == "sav-arras"


def test_an_unknown_perimeter_field_is_a_settings_error() -> None:
    with pytest.raises(ValidationError, match="magasin") as error:
        source(perimeter="{magasin}")
    assert "to_local" in str(error.value)


# Not a person writing

MACHINE_WRITTEN: Sequence[tuple[str, Mapping[str, str]]] = [
    ("auto_reply", {"Auto-Submitted": "auto-replied", "Return-Path": "<>"}),
    ("auto_reply", {"X-Autoreply": "yes"}),
    ("auto_reply", {"Precedence": "auto_reply"}),
    ("auto_reply", {"Subject": "Réponse automatique : Commande"}),
    ("auto_reply", {"Subject": "Out of Office: Commande"}),
    ("auto_reply", {"Subject": "Automatische Antwort: Bestellung"}),
    ("auto_reply", {"Subject": "Fuera de la oficina"}),
    ("auto_reply", {"Subject": "Risposta automatica: Ordine"}),
    ("auto_reply", {"Subject": "Resposta automática: Pedido"}),
    ("auto_reply", {"Subject": "Automatisch antwoord: Bestelling"}),
    ("bounce", {"Return-Path": "<>"}),
    ("bounce", {"From": "Mail Delivery System <MAILER-DAEMON@example.com>"}),
    ("bounce", {"Content-Type": "multipart/report; report-type=delivery-status; boundary=b"}),
    ("bounce", {"X-Failed-Recipients": "a@example.com"}),
    ("newsletter", {"Precedence": "bulk"}),
    ("newsletter", {"List-Unsubscribe": "<mailto:u@example.com>", "Feedback-ID": "1:2:x"}),
    ("newsletter", {"List-Unsubscribe": "<mailto:u@example.com>", "List-Id": "<offers.example.com>"}),
    ("newsletter", {"From": "Enseigne <newsletter@example.com>"}),
]

WRITTEN: Sequence[Mapping[str, str]] = [
    {},
    {"Auto-Submitted": "no"},
    {"Return-Path": "<zoe@example.org>"},
    {"Subject": "Re: Réponse automatique : Commande"},
    {"Subject": "Réponse automatique à ma réclamation, encore"},
    {"Subject": "Absence de réponse"},
    {"Precedence": "bulk", "List-Post": "<mailto:list@example.com>"},
    {"Precedence": "bulk", "X-Mailman-Version": "2.1"},
    {"Precedence": "list", "List-Unsubscribe": "<mailto:u@example.com>"},
    {"Precedence": "bulk", "In-Reply-To": "<0@example.org>"},
]


def written_by(headers: Mapping[str, str]) -> Outcome:
    return parse(message(**{name.replace("-", "_"): value for name, value in headers.items()}))


@pytest.mark.parametrize(("reason", "headers"), MACHINE_WRITTEN)
def test_what_machines_write_is_set_aside(reason: str, headers: Mapping[str, str]) -> None:
    assert written_by(headers) == SetAside(reason)


@pytest.mark.parametrize("headers", WRITTEN)
def test_what_persons_write_is_not(headers: Mapping[str, str]) -> None:
    assert isinstance(written_by(headers), Parsed)


def test_a_list_that_forbids_posting_is_no_discussion() -> None:
    headers = {"precedence": ["bulk"], "list-post": ["NO (posting not allowed)"]}
    assert kind(headers, content_type="text/plain", subject="") == "newsletter"


# Whatever comes


def test_no_rejection_shows_content() -> None:
    secret = b"zoe.secrete@example.org"
    outcomes = [
        parse(message(secret, Date=secret.decode())),
        parse(message(To=None, Subject=secret.decode()), perimeter="{to}"),
        parse(b"un texte de " + secret),
    ]
    for outcome in outcomes:
        assert isinstance(outcome, Rejected)
        assert outcome.reason in Mail.reasons
        assert secret.decode() not in outcome.detail


def test_deep_nesting_does_not_raise() -> None:
    body = "".join(f"--b{n}\nContent-Type: multipart/mixed; boundary=b{n + 1}\n\n" for n in range(3000))
    outcome = parse(message(body, Content_Type="multipart/mixed; boundary=b0"))
    assert isinstance(outcome, Parsed | Rejected | SetAside)


def test_a_header_of_a_hundred_thousand_letters_takes_no_time() -> None:
    # Without a bound, each takes minutes: the test would not end.
    for run in ("a" * 100_000, "<" * 100_000, "a at " * 20_000, '"' * 99_999):
        assert address_of(f"camille@exemple.fr {run}") == "camille@exemple.fr"
        assert address_of(run) is None or " at " in run
        assert len(display_name_of(run)) <= 2000
