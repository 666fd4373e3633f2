"""Every real mail file: accounting closes, nothing raises, nothing warns."""

import mailbox
from collections import Counter
from pathlib import Path

import pytest

from connectors.contract import Accounting, Parsed, Rejected, SetAside
from connectors.mail import Mail
from connectors.source_settings import MailSource

DATA = Path(__file__).parents[2] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not here")


def read(path: str) -> tuple[Accounting, list[Parsed]]:
    settings = MailSource(kind="mail", name="mail", path=path, perimeter="e/{folder}")
    mail = Mail(settings, base=DATA, zone="Europe/Paris")
    accounting, events = Accounting(), []
    set_aside: Counter[str] = Counter()
    quarantined: Counter[str] = Counter()
    for record in mail.records():
        accounting.read += 1
        outcome = mail.parse(record)
        assert mail.parse(record) == outcome
        match outcome:
            case Parsed():
                accounting.events += 1
                events.append(outcome)
            case SetAside(reason):
                set_aside[reason] += 1
            case Rejected(reason, detail):
                assert reason in mail.reasons
                assert "@" not in detail
                quarantined[reason] += 1
    accounting.set_aside, accounting.quarantined = dict(set_aside), dict(quarantined)
    return accounting, events


def test_real_messages() -> None:
    files = [path for path in (DATA / "mail_ham").iterdir() if path.is_file()]
    accounting, events = read("mail_ham")
    assert accounting.closes()
    assert accounting.read == len(files)
    # SOURCE.txt is the one file that is not mail; all others have a date and somebody who wrote.
    assert accounting.quarantined == {"not_mail": 1}
    assert all(event.occurred_at.tzinfo is not None and event.text.strip() for event in events)
    assert sum(event.author is not None for event in events) == len(events)
    # The one date in 2028 stands in a quoted header, and must not be taken for the message's own.
    assert {event.occurred_at.year for event in events} == {2002}
    assert not any("2028" in event.text for event in events)
    assert not any("\ufffd" in event.text for event in events if "charset" not in event.text)


@pytest.mark.parametrize("path", sorted((DATA / "mailboxes").rglob("*.mbox")), ids=lambda path: path.name)
def test_mailboxes_hold_what_the_standard_library_finds(path: Path) -> None:
    accounting, events = read(path.relative_to(DATA).as_posix())
    box = mailbox.mbox(path, create=False)
    count = len(box)
    box.close()
    assert accounting.closes()
    assert accounting.read == accounting.events == count
    assert all(event.author and "@" in event.author for event in events)


def test_all_mailboxes_and_zips() -> None:
    accounting, events = read("mailboxes")
    assert accounting.closes()
    assert set(accounting.quarantined) == {"not_mail"}
    assert sum(event.perimeter == "e/messages" for event in events) == 49


def test_unknown_encodings_are_read() -> None:
    _, (event,) = read("mailboxes/mbox/mbox_iso8859_encoding.mbox")
    assert "\ufffd" not in event.text
    _, news = read("mailboxes/nntp")
    assert len(news) == 3


def test_replies_and_forwards() -> None:
    accounting, _ = read("mail_replies")
    assert accounting.closes()
    _, talon = read("mail_replies/talon/standard_replies/*.eml")
    assert len(talon) == 11
    for event in talon:
        # Each is a one-word answer to one mail, under a subject of one or two words.
        subject, _, reply = event.text.partition("\n")
        assert subject.startswith("[Subject] ")
        assert len(reply.split()) == 1
