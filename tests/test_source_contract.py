"""One body of checks for every kind of source: what connectors.contract promises.

A kind is one entry of KINDS: how to make a source over a folder, a file name it reads, and a good file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.contract import Accounting, Outcome, Parsed, Record, Rejected, SetAside, Source
from connectors.errors import SourceError
from connectors.letters import Letters
from connectors.mail import Mail
from connectors.source_settings import LettersSource, MailSource, TableSource
from connectors.tables.source import Table

ZONE = "Europe/Paris"
COMMON: Mapping[str, Any] = {"name": "essai", "channel": "essai", "perimeter": "enseigne"}
SECRET = "zoe.secrete@example.org"


@dataclass(frozen=True)
class Kind:
    """make(base, path): the source. good: files that give `events` events. garbage: bytes in no format."""

    make: Callable[[Path, str], Source]
    good: Mapping[str, bytes]
    events: int
    file: str
    garbage: bytes
    prefixes: tuple[bytes, ...]
    """Starts that lead property tests past the format's front door."""


def mail(base: Path, path: str) -> Source:
    return Mail(MailSource.model_validate({"kind": "mail", "path": path, **COMMON}), base=base, zone=ZONE)


def letters(base: Path, path: str) -> Source:
    fields = {"kind": "letters", "path": path, "pattern": r"^(?P<date>[\d-]+)", **COMMON}
    return Letters(LettersSource.model_validate(fields), base=base, zone=ZONE)


def table(base: Path, path: str) -> Source:
    columns = {"text": "texte", "occurred_at": "date", "score": "note"}
    fields = {"kind": "table", "path": path, "columns": columns, "score": {"worst": 0, "best": 10}, **COMMON}
    return Table(TableSource.model_validate(fields), base=base, zone=ZONE)


MESSAGE = b"From: z@example.org\nDate: Tue, 5 Mar 2024 09:30:00 +0100\nSubject: Colis\n\nCasse.\n"
MULTIPART = MESSAGE.replace(b"\n\n", b"\nContent-Type: multipart/mixed; boundary=b\n\n--b\n", 1)

KINDS = {
    "mail": Kind(
        make=mail,
        good={"a.mbox": b"From z Tue Mar  5 09:30:00 2024\n" + MESSAGE, "b.eml": MESSAGE},
        events=2,
        file="x.eml",
        garbage=b"\x00\x01" + SECRET.encode(),
        prefixes=(
            *(b"", b"From ", b"From: ", b"PK\x03\x04", MESSAGE, MULTIPART),
            b"From: a@b\nDate: 1 Jan 2024\nContent-Type: text/html; charset=utf-8\n\n<div",
            b"From: a@b\nDate: 1 Jan 2024\nContent-Transfer-Encoding: base64\n\n",
            b"Date: 1 Jan 2024\nSubject: =?utf-8?B?",
        ),
    ),
    "letters": Kind(
        make=letters,
        good={"2024-03-05.txt": b"Casse."},
        events=1,
        file="2024-03-05.pdf",
        garbage=b"\x00\x01" + SECRET.encode(),
        prefixes=(b"", b"%PDF-1.4\n", b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"),
    ),
    "letters, docx": Kind(
        make=letters,
        good={"2024-03-05.txt": b"Casse."},
        events=1,
        file="2024-03-05.docx",
        garbage=b"PK\x03\x04" + SECRET.encode(),
        prefixes=(b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)),
    ),
    "table, csv": Kind(
        make=table,
        good={"a.csv": "date;texte;note\n05/03/2024;Cassé;2\n06/03/2024;;9\n".encode()},
        events=2,
        file="x.csv",
        garbage=b"\x00\x01" + SECRET.encode(),
        prefixes=(b"", b"date;texte;note\n", b"date,texte,note\n05/03/2024,", b"\xff\xfed\x00"),
    ),
    "table, json": Kind(
        make=table,
        good={"a.jsonl": b'{"date": "2024-03-05", "texte": "Casse", "note": 2}\n'},
        events=1,
        file="x.json",
        garbage=b"{" + SECRET.encode(),
        prefixes=(b"", b"[", b'[{"date": "2024-03-05", "texte": "', b'{"date": '),
    ),
    "table, jsonl": Kind(
        make=table,
        good={"a.jsonl": b'{"date": "2024-03-05", "texte": "Casse", "note": 2}\n'},
        events=1,
        file="x.jsonl",
        garbage=b"{" + SECRET.encode(),
        prefixes=(b"", b"{", b'{"date": "2024-03-05", "texte": "a"}\n{"date": '),
    ),
    "table, workbook": Kind(
        make=table,
        good={"a.csv": b"date;texte;note\n2024-03-05;Casse;2\n"},
        events=1,
        file="x.xlsx",
        garbage=b"PK\x03\x04" + SECRET.encode(),
        prefixes=(b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    ),
    "table, parquet": Kind(
        make=table,
        good={"a.csv": b"date;texte;note\n2024-03-05;Casse;2\n"},
        events=1,
        file="x.parquet",
        garbage=b"PAR1" + SECRET.encode(),
        prefixes=(b"", b"PAR1", b"PAR1PAR1"),
    ),
}


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen = request.param
    assert isinstance(chosen, Kind)
    return chosen


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)


def run(source: Source) -> list[Outcome]:
    """All outcomes, each checked against the contract."""
    accounting = Accounting()
    outcomes = []
    for record in source.records():
        outcome = source.parse(record)
        accounting.read += 1
        check(source, record, outcome)
        outcomes.append(outcome)
        match outcome:
            case Parsed():
                accounting.events += 1
            case SetAside(reason):
                accounting.set_aside[reason] = accounting.set_aside.get(reason, 0) + 1
            case Rejected(reason):
                accounting.quarantined[reason] = accounting.quarantined.get(reason, 0) + 1
    assert accounting.closes()
    return outcomes


def check(source: Source, record: Record, outcome: Outcome) -> None:
    assert record.file
    record.file.encode("utf-8")
    assert record.line >= 0
    assert source.parse(record) == outcome
    assert source.parse(replace(record)) == outcome
    match outcome:
        case Parsed():
            assert outcome.occurred_at.utcoffset() is not None
            assert outcome.perimeter
            assert outcome.text or outcome.score is not None
            assert outcome.score is None or 0 <= outcome.score <= 1
            outcome.text.encode("utf-8")
        case Rejected(reason, detail):
            assert reason in source.reasons
            assert detail
            assert SECRET not in detail
        case SetAside(reason):
            assert reason


def test_good_files_give_their_events(kind: Kind, tmp_path: Path) -> None:
    write(tmp_path, kind.good)
    outcomes = run(kind.make(tmp_path, "."))
    assert [type(outcome) for outcome in outcomes] == [Parsed] * kind.events


def test_the_same_place_gives_the_same_records(kind: Kind, tmp_path: Path) -> None:
    write(tmp_path, {**kind.good, kind.file: kind.garbage})
    source = kind.make(tmp_path, ".")
    assert list(source.records()) == list(source.records())
    assert list(kind.make(tmp_path, ".").records()) == list(source.records())


def test_reasons_are_told_in_words(kind: Kind, tmp_path: Path) -> None:
    source = kind.make(tmp_path, ".")
    assert source.name == "essai"
    assert source.reasons
    assert all(" " in words for words in source.reasons.values())


def test_garbage_is_rejected_without_being_shown(kind: Kind, tmp_path: Path) -> None:
    write(tmp_path, {kind.file: kind.garbage})
    outcomes = run(kind.make(tmp_path, "."))
    assert outcomes
    assert all(isinstance(outcome, Rejected) for outcome in outcomes)


def test_a_file_that_cannot_be_opened_is_one_rejection(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {kind.file: kind.garbage})
    source = kind.make(tmp_path, ".")

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    assert [type(outcome) for outcome in run(source)] == [Rejected]


def test_a_missing_place_is_a_source_error(kind: Kind, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        list(kind.make(tmp_path, "nowhere").records())


def test_an_empty_folder_has_no_records(kind: Kind, tmp_path: Path) -> None:
    assert run(kind.make(tmp_path, ".")) == []


SCRAPS = st.sampled_from(
    [
        *(b"\n", b"\r\n", b"\n\n", b'"', b";", b",", b":", b"<", b">", b"{", b"[", b"\xc3", b"\xe9", b"\x00"),
        *(b"--b", b"=?", b"?=", b"Content-Type: text/html\n", b"Date: ", b"From ", b"charset="),
        *(b"endobj", b"1e999", b"null", b"-1"),
    ]
)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
@given(data=st.data())
@settings(
    deadline=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_malformed_bytes_never_raise(kind: Kind, tmp_path: Path, data: st.DataObject) -> None:
    tail = data.draw(st.lists(SCRAPS | st.binary(max_size=40), max_size=12).map(b"".join))
    write(tmp_path, {kind.file: data.draw(st.sampled_from(kind.prefixes)) + tail})
    run(kind.make(tmp_path, "."))


@given(data=st.data())
@settings(deadline=None, max_examples=100)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_any_payload_has_an_outcome(kind: Kind, data: st.DataObject) -> None:
    leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    keys = st.sampled_from(["date", "texte", "note", "file", "bytes", "metadata", "problem", "detail"])
    value = leaf | st.lists(leaf, max_size=3) | st.dictionaries(st.text(max_size=5), leaf, max_size=3)
    payload = data.draw(st.binary(max_size=60) | st.dictionaries(keys | st.text(max_size=5), value))
    source = kind.make(Path("/nowhere"), ".")
    record = Record("x", 0, payload)
    check(source, record, source.parse(record))
