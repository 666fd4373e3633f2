"""Mailboxes on disk: mbox, maildir, zips, and files that are none of these."""

import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors import mail_boxes
from connectors.contract import Parsed, Record, Rejected, SetAside
from connectors.mail import Mail
from connectors.source_settings import MailSource

MESSAGE = b"From: z@example.org\nDate: Tue, 5 Mar 2024 09:30:00 +0100\nSubject: Colis\n\nCasse.\n"


def source(base: Path = Path(), path: str = ".", **settings: Any) -> Mail:
    fields: dict[str, Any] = {"perimeter": "enseigne", **settings}
    return Mail(
        MailSource.model_validate({"kind": "mail", "name": "sav", "path": path, **fields}),
        base=base,
        zone="Europe/Paris",
    )


MBOX = b"""From zoe at example.org Tue Mar  5 09:30:00 2024
From: zoe at example.org (Zoe)
Date: Tue, 5 Mar 2024 09:30:00 +0100
Subject: Un

Premier.
From ce jour, plus rien.
>From hier non plus.
>>From marks.

From zoe at example.org Tue Mar  5 10:30:00 2024
From: zoe at example.org (Zoe)
Date: Tue, 5 Mar 2024 10:30:00 +0100
Subject: Deux

Second.
"""


def read(tmp_path: Path, name: str, data: bytes) -> list[Record]:
    (tmp_path / name).write_bytes(data)
    return list(mail_boxes.read(tmp_path / name, name))


def test_mbox_is_cut_at_dated_from_lines_only(tmp_path: Path) -> None:
    records = read(tmp_path, "boite.mbox", MBOX)
    assert [record.line for record in records] == [1, 11]
    assert [source(subject=False).parse(record) for record in records] == [
        Parsed(
            occurred_at=datetime(2024, 3, 5, hour, 30, tzinfo=UTC),
            perimeter="enseigne",
            text=text,
            author="zoe@example.org",
            names=("Zoe",),
        )
        for hour, text in [(8, "Premier.\nFrom ce jour, plus rien.\nFrom hier non plus."), (9, "Second.")]
    ]


@pytest.mark.parametrize("start", [b"\n\r\n", b"\xef\xbb\xbf"])
def test_mbox_behind_blank_lines_or_a_byte_order_mark(tmp_path: Path, start: bytes) -> None:
    records = read(tmp_path, "boite.mbox", start + MBOX)
    assert [record.payload for record in records] == [
        record.payload for record in read(tmp_path, "boite.mbox", MBOX)
    ]
    assert records[0].line == 1 + start.count(b"\n")


def test_a_grown_mbox_gives_its_first_messages_again_unchanged(tmp_path: Path) -> None:
    before = read(tmp_path, "a.mbox", MBOX.rstrip())
    after = read(
        tmp_path, "a.mbox", MBOX.rstrip() + b"\r\n\r\nFrom b Tue Mar  5 11:30:00 2024\nSubject: c\n\nd\n"
    )
    assert after[: len(before)] == before
    assert len(after) == 3


def test_maildir_without_what_is_half_delivered(tmp_path: Path) -> None:
    for name in ("cur/1:2,S", "new/2", "tmp/3", ".Lille/cur/4"):
        (tmp_path / "box" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "box" / name).write_bytes(MESSAGE)
    mail = source(tmp_path, "box", perimeter="{folder}")
    outcomes = [(record.file, mail.parse(record)) for record in mail.records()]
    assert [(file, getattr(outcome, "perimeter", outcome)) for file, outcome in outcomes] == [
        ("box/.Lille/cur/4", "Lille"),
        ("box/cur/1:2,S", "box"),
        ("box/new/2", "box"),
    ]


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_zips_of_mailboxes_and_messages(tmp_path: Path) -> None:
    zipped(
        tmp_path / "boites.zip", **{"b.eml": MESSAGE, "a.mbox": MBOX, "empty.mbox": b"", ".DS_Store": b"x"}
    )
    records = list(source(tmp_path).records())
    assert [record.where for record in records] == [
        "boites.zip/a.mbox:1",
        "boites.zip/a.mbox:11",
        "boites.zip/b.eml",
        "boites.zip/empty.mbox",
    ]
    *messages, empty = records
    assert all(isinstance(source().parse(record), Parsed) for record in messages)
    assert source().parse(empty) == SetAside("empty_file")


def reason_of(records: list[Record]) -> list[str]:
    outcomes = [source().parse(record) for record in records]
    return [outcome.reason for outcome in outcomes if isinstance(outcome, Rejected)]


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = zipped(tmp_path / "bomb.zip", **{"a.eml": bytes(mail_boxes.MAX_MESSAGE_BYTES + 1)})
    assert path.stat().st_size < 100_000
    assert reason_of(list(mail_boxes.read(path, "bomb.zip"))) == ["oversized"]


def test_a_locked_or_damaged_zip_is_one_rejection(tmp_path: Path) -> None:
    data = zipped(tmp_path / "a.zip", **{"a.eml": MESSAGE * 50}).read_bytes()
    directory = data.rindex(b"PK\x01\x02")
    locked = bytearray(data)
    locked[directory + 8] |= 1
    assert reason_of(read(tmp_path, "locked.zip", bytes(locked))) == ["encrypted"]
    damaged = bytearray(data)
    damaged[60:90] = bytes(30)
    assert reason_of(read(tmp_path, "damaged.zip", bytes(damaged))) == ["unreadable"]
    assert reason_of(read(tmp_path, "cut.zip", data[:100])) == ["unreadable"]


def test_what_is_not_mail_is_rejected_not_skipped(tmp_path: Path) -> None:
    assert reason_of(read(tmp_path, "notes.txt", b"Bonjour\nceci n'est pas un mail")) == ["not_mail"]
    assert reason_of(read(tmp_path, "page.html", b"<html></html>")) == ["not_mail"]


@pytest.mark.parametrize("name", ["nothing.eml", "nothing.mbox"])
@pytest.mark.parametrize("data", [b"", b"\n\r\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_one_record_set_aside(tmp_path: Path, name: str, data: bytes) -> None:
    records = read(tmp_path, name, data)
    assert records == [Record(name, 0, b"")]
    assert source().parse(records[0]) == SetAside("empty_file")
