"""Files that are still being written: taken once they are whole, never twice, not quarantined too early."""

import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.contract import Accounting, SourceFile
from connectors.following.growth import start_of_line
from connectors.sources import open_sources


@pytest.fixture
def place(follow_time: ModuleType, tmp_path: Path) -> Any:
    return follow_time.Place(tmp_path)


class Running:
    """A service that runs: `after(seconds)` lets time pass and makes a step."""

    def __init__(self, place: Any, log: Any, *sources: Any) -> None:
        self.place = place
        self.follower = place.follower(log, *sources)

    def after(self, seconds: float) -> list[str]:
        """The texts in the log once some seconds have passed; only what the pieces hold after a commit."""
        self.place.pass_time(seconds)
        self.follower.step()
        self.place.pass_time(1)
        self.follower.step()
        return list(self.place.texts())


def quarantined(place: Any) -> list[str]:
    return [entry.reason for entry in place.quarantine.entries()]


def test_a_line_without_end_waits_until_it_has_one(follow_time: ModuleType, place: Any) -> None:
    row = follow_time.row
    with place.writer() as log:
        running = Running(place, log, follow_time.SURVEY)
        place.write("avis/a.csv", follow_time.HEADER + row("un") + "31/05/2024 0")
        assert running.after(0) == ["un"]
        place.write("avis/a.csv", "9:00;nord;de", more=True)
        assert running.after(50) == ["un"]
        place.write("avis/a.csv", "ux\n" + row("trois"), more=True)
        assert running.after(0) == ["un", "deux", "trois"]
    assert quarantined(place) == []
    assert place.told("avis") == Accounting(read=3, events=3)


def test_a_last_line_without_end_is_believed_after_a_minute(follow_time: ModuleType, place: Any) -> None:
    with place.writer() as log:
        running = Running(place, log, follow_time.SURVEY)
        place.write("avis/a.csv", follow_time.HEADER + follow_time.row("un").rstrip("\n"))
        assert running.after(57) == []
        assert running.follower.status.waiting == {"avis": 1}
        assert running.after(2) == ["un"]
        assert running.follower.status.waiting == {"avis": 0}
        # Its writer was not done after all: the line as it is now is another event, as for `vigie ingest`.
        place.write("avis/a.csv", " et deux\n", more=True)
        assert running.after(0) == ["un", "un et deux"]


def test_a_header_cut_short_is_no_fault(follow_time: ModuleType, place: Any) -> None:
    with place.writer() as log:
        running = Running(place, log, follow_time.SURVEY)
        place.write("avis/a.csv", "date;li")
        assert running.after(30) == []
        place.write("avis/a.csv", "eu;avis\n" + follow_time.row("un"), more=True)
        assert running.after(0) == ["un"]
    assert quarantined(place) == []


def test_a_quote_still_open_holds_the_lines_after_it(follow_time: ModuleType, place: Any) -> None:
    row = follow_time.row
    with place.writer() as log:
        running = Running(place, log, follow_time.SURVEY)
        place.write("avis/a.csv", follow_time.HEADER + row("un") + '31/05/2024 09:00;nord;"deux\n')
        assert running.after(0) == ["un"]
        place.write("avis/a.csv", "lignes\n", more=True)
        assert running.after(10) == ["un"]
        place.write("avis/a.csv", 'de texte"\n' + row("trois"), more=True)
        assert running.after(0) == ["un", "deux\nlignes\nde texte", "trois"]
    assert quarantined(place) == []


def test_a_quote_never_closed_goes_to_quarantine_after_a_minute(follow_time: ModuleType, place: Any) -> None:
    with place.writer() as log:
        running = Running(place, log, follow_time.SURVEY)
        place.write(
            "avis/a.csv", follow_time.HEADER + '31/05/2024 09:00;nord;"deux\n' + follow_time.row("un")
        )
        for number in range(12):  # it goes on growing all the while
            place.write("avis/a.csv", follow_time.row(f"suite {number}"), more=True)
            running.after(4)
            assert place.log.head is None or number == 11
        assert running.after(10)[:2] == ["un", "suite 0"]
    assert quarantined(place) == ["bad_row"]


def test_a_file_that_cannot_be_read_is_believed_after_a_minute_and_mended(
    follow_time: ModuleType, place: Any
) -> None:
    with place.writer() as log:
        running = Running(place, log, follow_time.SURVEY)
        place.write("avis/a.json", '[{"date": "31/05/2024 09:00", "lieu": "nord", ')
        running.after(30)
        assert quarantined(place) == []
        running.after(31)
        assert quarantined(place) == ["unreadable_file"]
        rows = [{"date": "31/05/2024 09:00", "lieu": "nord", "avis": "un"}]
        place.write("avis/a.json", json.dumps(rows))
        assert running.after(4) == ["un"]
    assert quarantined(place) == []


def test_the_last_message_of_a_mailbox_waits_for_its_end(follow_time: ModuleType, place: Any) -> None:
    message = follow_time.message
    with place.writer() as log:
        running = Running(place, log, follow_time.MAIL)
        whole, cut = message("un", number=1), message("deux est long", number=2)
        place.write("mail/a.mbox", whole + cut[:-9])
        assert running.after(0) == ["[Subject] avis\nun"]
        assert running.after(50) == ["[Subject] avis\nun"]
        place.write("mail/a.mbox", cut[-9:], more=True)
        assert running.after(0) == ["[Subject] avis\nun"]  # the blank line may be one of the message's own
        assert running.after(2) == ["[Subject] avis\nun", "[Subject] avis\ndeux est long"]
        place.write("mail/a.mbox", message("trois", number=3) + message("quatre", number=4), more=True)
        assert running.after(0)[2:] == ["[Subject] avis\ntrois"]
        assert running.after(3)[3:] == ["[Subject] avis\nquatre"]
    assert place.told("mail") == Accounting(read=4, events=4)


def test_mail_read_by_somebody_moves_and_is_not_read_again(follow_time: ModuleType, place: Any) -> None:
    for folder in ("cur", "tmp"):
        (place.folder / "mail/box" / folder).mkdir(parents=True)
    # Without an id of its own, a message that came twice would be two events.
    content = follow_time.message("un", number=1).partition("\n")[2].replace("Message-ID", "X-Other")
    with place.writer() as log:
        running = Running(place, log, follow_time.MAIL)
        path = place.write("mail/box/new/1.host", content)
        place.write("mail/box/tmp/2.host", content)
        assert running.after(4) == ["[Subject] avis\nun"]
        path.rename(place.folder / "mail/box/cur/1.host:2,S")
        running.after(4)
        place.write("mail/box/new/3.host", content.replace("un", "deux"))
        assert running.after(4) == ["[Subject] avis\nun", "[Subject] avis\ndeux"]
    assert place.told("mail") == Accounting(read=2, events=2)


def test_a_letter_waits_until_it_and_what_is_said_of_it_are_there(
    follow_time: ModuleType, place: Any
) -> None:
    with place.writer() as log:
        running = Running(place, log, follow_time.LETTERS)
        place.write("lettres/a.txt", "Bonjour, ")
        running.after(1)
        place.write("lettres/a.txt", "merci", more=True)
        running.after(10)  # read, but it has no date yet
        assert place.log.head is None
        place.write("lettres/a.txt.json", '{"date": "31/05/2024"}')
        assert running.after(4) == ["Bonjour, merci"]
    assert quarantined(place) == []
    assert place.told("lettres") == Accounting(read=1, events=1)


def test_an_empty_file_is_not_set_aside_while_it_may_be_filled(follow_time: ModuleType, place: Any) -> None:
    with place.writer() as log:
        running = Running(place, log, follow_time.SURVEY)
        place.write("avis/a.csv", "")
        place.write("avis/b.csv", "")
        running.after(30)
        place.write("avis/a.csv", follow_time.HEADER + follow_time.row("un"), more=True)
        assert running.after(0) == ["un"]
        running.after(31)
    assert place.told("avis") == Accounting(read=2, events=1, set_aside={"empty_file": 1})


def test_a_file_written_anew_counts_as_for_one_ingest(follow_time: ModuleType, place: Any) -> None:
    row, header = follow_time.row, follow_time.HEADER
    with place.writer() as log:
        running = Running(place, log, follow_time.SURVEY)
        place.write("avis/a.csv", header + row("un") + row("un") + row("deux"))
        assert running.after(0) == ["un", "un", "deux"]
        place.write("avis/a.csv", header + row("deux") + row("un") + row("un") + row("un"))
        assert running.after(0) == ["un", "un", "deux", "un"]
        (place.folder / "avis/a.csv").unlink()
        running.after(5)
        place.write("avis/b.csv", header + row("un") + row("trois"))
        assert running.after(0) == ["un", "un", "deux", "un", "trois"]


FORMS: dict[str, bytes] = {
    "plain.csv": b'date;lieu;avis\n31/05/2024;nord;un\n\n05/06/2024;nord;"deux\nlignes"\n1;2\n',
    "windows.csv": "date,lieu,avis\r\n31/05/2024,nord,été\r\n30/05/2024,sud,café\r\n".encode("cp1252"),
    "marked.csv": "\ufeffdate;lieu;avis\n31/05/2024;nord;à\n30/05/2024;nord;é\n".encode(),
    "quote.csv": b'date;lieu;avis\n31/05/2024;nord;"open\n30/05/2024;nord;un\n30/05/2024;nord;deux\n',
    "rows.jsonl": b'{"date": "31/05/2024", "avis": "un"}\n\n{"date": 3}\n[1]\n{"avis": "deux"}\n',
}


@pytest.mark.parametrize("name", FORMS)
def test_reading_on_gives_what_reading_gives(follow_time: ModuleType, place: Any, name: str) -> None:
    place.write(f"avis/{name}", FORMS[name])
    (source,) = open_sources([follow_time.SURVEY], base=place.folder, zone="Europe/Paris")
    check_reading_on(next(source.source.files()))


def test_reading_on_in_a_mailbox_gives_what_reading_gives(follow_time: ModuleType, place: Any) -> None:
    body = "un\n\nFrom here on it is better\n"
    content = follow_time.message(body, number=1) + "".join(
        follow_time.message(str(n), number=n) for n in range(2, 5)
    )
    place.write("mail/a.mbox", "\n" + content.replace("\n", "\r\n"))
    (source,) = open_sources([follow_time.MAIL], base=place.folder, zone="Europe/Paris")
    check_reading_on(next(source.source.files()))


def check_reading_on(file: SourceFile) -> None:
    records = list(file.read())
    assert len(records) > 1
    assert file.read_on is not None
    place: tuple[int, int] | None = (0, 1)
    for number, record in enumerate(records):
        assert place is not None
        place = start_of_line(file.path, place, record.line)
        assert place is not None
        assert list(file.read_on(*place)) == records[number:]


def test_where_bytes_do_not_tell_lines_a_file_is_read_from_its_first_record(
    follow_time: ModuleType, place: Any
) -> None:
    rows = [follow_time.row(text) for text in ("un", "deux", "trois")]
    with place.writer() as log:
        running = Running(place, log, follow_time.SURVEY)
        place.write("avis/a.csv", (follow_time.HEADER + "".join(rows)).encode("utf-16"))
        place.write("avis/b.csv", (follow_time.HEADER + "".join(rows)).replace("\n", "\r"))
        assert len(running.after(0)) == 6
        place.write("avis/a.csv", follow_time.row("quatre").encode("utf-16-le"), more=True)
        place.write("avis/b.csv", follow_time.row("quatre").replace("\n", "\r"), more=True)
        running.after(0)
    # Of the six rows that were there twice, the second ones are events of their own.
    assert sorted(place.texts()) == sorted(["un", "deux", "trois", "quatre"] * 2)
    assert place.told("avis") == Accounting(read=8, events=8)


def test_a_grown_file_is_read_on_and_not_again(
    follow_time: ModuleType, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors.tables import csv_rows

    cut: list[int] = []
    rows = csv_rows._Cutter.rows

    def counted(self: Any) -> Any:
        for row in rows(self):
            cut.append(row[0])
            yield row

    with place.writer() as log:
        running = Running(place, log, follow_time.SURVEY)
        place.write("avis/a.csv", follow_time.HEADER + "".join(follow_time.row(str(n)) for n in range(3000)))
        running.after(0)
        monkeypatch.setattr(csv_rows._Cutter, "rows", counted)
        place.write("avis/a.csv", follow_time.row("neuf"), more=True)
        assert running.after(0)[3000:] == ["neuf"]
    # Headers, the thousand rows that tell how dates read, the last row taken and the new one.
    assert len(cut) == 1 + 1000 + 1 + 2
    assert cut[-2:] == [3001, 3002]


CONTENTS = st.sampled_from(["un", "deux", "trois"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("grow"), st.integers(0, 2), st.lists(CONTENTS, min_size=1, max_size=3)),
        st.tuples(st.just("rewrite"), st.integers(0, 2), st.lists(CONTENTS, min_size=1, max_size=3)),
        st.tuples(st.just("remove"), st.integers(0, 2), st.just([])),
        st.tuples(st.just("restart"), st.integers(0, 1), st.just([])),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=25)
@given(steps=STEPS)
@example(
    # A file that is gone at a restart, whose text another one has brought meanwhile, comes back as it was.
    steps=[
        ("grow", 0, ["deux"]),
        ("grow", 1, ["un"]),
        ("restart", 1, []),
        ("rewrite", 0, ["un"]),
        ("grow", 1, ["deux"]),
        ("remove", 0, []),
        ("restart", 0, []),
        ("grow", 0, ["deux"]),
    ]
)
def test_following_gives_the_events_that_one_ingest_after_each_step_gives(
    follow_time: ModuleType, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, list[str]]]
) -> None:
    """The law: the ids taken are those of the files as they are, whatever way they became so."""
    place = follow_time.Place(tmp_path_factory.mktemp("law"))
    (place.folder / "avis").mkdir()
    expected: dict[str, int] = {}
    files: dict[int, list[str]] = {}
    log = place.writer().__enter__()
    running = Running(place, log, follow_time.SURVEY)
    for kind, number, contents in steps:
        path = place.folder / f"avis/{number}.csv"
        if kind == "restart":
            if number:  # in good order: how far it read is kept
                running.follower.close()
            log.__exit__(None, None, None)
            log = place.writer().__enter__()
            running = Running(place, log, follow_time.SURVEY)
        elif kind == "remove":
            files.pop(number, None)
            path.unlink(missing_ok=True)
        else:
            files[number] = (files.get(number, []) if kind == "grow" else []) + contents
            place.write(
                f"avis/{number}.csv", follow_time.HEADER + "".join(map(follow_time.row, files[number]))
            )
            # Another inode or not, as editors and exporters do.
            if kind == "rewrite":
                os.replace(path, path.with_suffix(".new"))  # noqa: PTH105
                os.replace(path.with_suffix(".new"), path)  # noqa: PTH105
        running.after(1)
        together = [text for rows in files.values() for text in rows]
        for text in together:
            expected[text] = max(expected.get(text, 0), together.count(text))
    log.__exit__(None, None, None)
    found = place.texts()
    assert {text: found.count(text) for text in found} == expected
    assert place.told("avis").closes()
    assert place.told("avis").events == len(found)
