"""Files that could not be read: once they can, their entries leave quarantine, and only then."""

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.admission import Admission, Redactor
from connectors.contract import Accounting, Record
from connectors.ingest import ingest, retry
from connectors.log import EventLog, LogWriter
from connectors.perimeters import PerimeterTree
from connectors.quarantine import Quarantine
from connectors.secret import Secret
from connectors.source_settings import MailSource, TableSource
from connectors.sources import open_sources
from connectors.tables.rows import faulty
from connectors.unread import stands_for_file, unread

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
GOOD = "Date,Avis\n2024-05-01,un\n2024-05-01,deux\n"
BAD = "Date,Texte\n2024-05-01,un\n2024-05-01,deux\n"
TABLE: dict[str, Any] = {
    "kind": "table",
    "name": "avis",
    "path": "avis*.csv",
    "channel": "survey",
    "perimeter": "nord",
    "columns": {"text": "Avis", "occurred_at": "Date"},
}
MAIL = {"kind": "mail", "name": "sav", "path": "boites*", "perimeter": "nord"}
MESSAGE = b"From: z@example.org\nDate: Wed, 1 May 2024 09:30:00 +0100\nSubject: Colis\n\nCasse.\n"


class Place:
    """A folder with sources, a log and a quarantine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.quarantine = Quarantine(folder / "quarantine", Secret(bytes(32)))
        self.settings: MailSource | TableSource = TableSource.model_validate(TABLE)

    def run(self, load: Callable[..., dict[str, Accounting]] = ingest, **options: Any) -> Accounting:
        admission = Admission(
            secret=Secret(bytes(32)),
            perimeters=PerimeterTree("r"),
            redactor=Redactor([]),
            languages=("fr",),
            zone="Europe/Paris",
        )
        sources = open_sources([self.settings], base=self.folder, zone="Europe/Paris")
        with LogWriter(self.folder / "log", now=lambda: NOW) as log:
            accounts = load(
                sources,
                admission=admission,
                log=log,
                quarantine=self.quarantine,
                live=False,
                now=NOW,
                **options,
            )
        account = accounts[self.settings.name]
        assert account.closes()
        return account

    def write(self, content: str, name: str = "avis.csv") -> None:
        (self.folder / name).write_text(content, encoding="utf-8")

    def kept(self) -> list[tuple[str, str]]:
        return [(entry.record.file, entry.reason) for entry in self.quarantine.entries()]

    @property
    def log(self) -> EventLog:
        return EventLog(self.folder / "log")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.write(BAD)
    assert place.run() == Accounting(read=1, quarantined={"missing_column": 1})
    return place


NOW_READ = Accounting(read=2, events=2)


@pytest.mark.parametrize("load", [ingest, retry])
def test_a_corrected_file_leaves_quarantine(place: Place, load: Any) -> None:
    place.write(GOOD)
    assert place.run(load) == NOW_READ
    assert place.kept() == []


@pytest.mark.parametrize("load", [ingest, retry])
def test_corrected_settings_let_the_file_leave_quarantine(place: Place, load: Any) -> None:
    columns = {"text": "Texte", "occurred_at": "Date"}
    place.settings = TableSource.model_validate({**TABLE, "columns": columns})
    assert place.run(load) == NOW_READ
    assert place.kept() == []
    assert place.run() == Accounting(read=2, duplicates=2)


@pytest.mark.parametrize("load", [ingest, retry])
def test_the_same_fault_stays_and_is_no_news(place: Place, load: Any) -> None:
    head = place.log.head_hash
    assert place.run(load) == Accounting(read=1, quarantined={"missing_column": 1})
    assert place.kept() == [("avis.csv", "missing_column")]
    assert place.log.head_hash == head


@pytest.mark.parametrize("load", [ingest, retry])
def test_another_fault_takes_the_place_of_the_first(place: Place, load: Any) -> None:
    place.write("Quand,Avis\n2024-05-01,un\n")
    assert place.run(load) == Accounting(read=1, quarantined={"missing_column": 1})
    [entry] = place.quarantine.entries()
    assert "'Date'" in entry.detail


def test_a_file_that_is_gone_resolves_nothing(place: Place) -> None:
    place.write(GOOD, "avis-2.csv")
    (place.folder / "avis.csv").unlink()
    assert place.run(retry) == Accounting(read=1, quarantined={"missing_column": 1})
    assert place.run() == NOW_READ
    assert place.kept() == [("avis.csv", "missing_column")]
    (place.folder / "avis-2.csv").unlink()  # the place itself is gone: retry does not need it
    assert place.run(retry) == Accounting(read=1, quarantined={"missing_column": 1})


def test_retry_reads_only_the_files_it_is_to_try(place: Place) -> None:
    place.write(BAD, "avis-2.csv")
    place.write("Date,Avis\n2024-05-02,trois\n", "avis-3.csv")
    place.run()
    assert place.log.rows == 1
    place.write(GOOD)
    place.write("Date,Avis\n2024-05-03,quatre\n", "avis-2.csv")
    [second] = [entry.id for entry in place.quarantine.entries() if entry.record.file == "avis-2.csv"]
    assert place.run(retry, only={second}) == Accounting(read=1, events=1)
    assert place.kept() == [("avis.csv", "missing_column")]
    assert place.run(retry) == NOW_READ


def test_retry_adds_up_rows_and_files(place: Place) -> None:
    place.write("Date,Avis\nhier,rien\n", "avis-2.csv")
    place.run()
    place.write("Date,Avis\n2024-05-01,un\njamais,deux\n")
    account = place.run(retry)
    assert account == Accounting(read=3, events=1, quarantined={"bad_date": 2})
    assert sorted(place.kept()) == [("avis-2.csv", "bad_date"), ("avis.csv", "bad_date")]


def test_a_damaged_archive_is_resolved_by_its_messages(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.settings = MailSource.model_validate(MAIL)
    with zipfile.ZipFile(tmp_path / "boites.zip", "w") as archive:
        archive.writestr("a.eml", MESSAGE)
    whole = (tmp_path / "boites.zip").read_bytes()
    (tmp_path / "boites.zip").write_bytes(whole[:40])
    assert place.run() == Accounting(read=1, quarantined={"unreadable": 1})
    (tmp_path / "boites.zip").write_bytes(whole)
    assert place.run(retry) == Accounting(read=1, events=1)
    assert place.kept() == []


@pytest.mark.parametrize(
    ("record", "stands"),
    [
        (Record("t.csv", 0, faulty("missing_column", "no column")), True),
        (Record("t.csv", 3, faulty("bad_row", "a quote")), False),
        (Record("a.zip", 0, unread("unreadable", "damaged zip")), True),
        (Record("a.txt", 0, {"file": "a.txt", **unread("oversized", "over")}), True),
        (Record("a.txt", 0, {"file": "a.txt", "bytes": "", "metadata": {}}), False),
        (Record("a.eml", 0, b"problem"), False),
    ],
)
def test_what_stands_for_a_file(record: Record, stands: bool) -> None:
    assert stands_for_file(record) is stands
