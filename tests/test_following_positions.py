"""How far sources were read, from one service to the next: believed where it holds, void where it may not."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from connectors.contract import Accounting
from connectors.log import LogWriter


@pytest.fixture
def place(follow_time: ModuleType, tmp_path: Path) -> Any:
    return follow_time.Place(tmp_path)


def served(place: Any, *sources: Any, steps: int = 2, close: bool = True) -> Accounting:
    """One service from start to stop; what became of the first source's records."""
    with place.writer() as log:
        follower = place.follower(log, *sources)
        for _ in range(steps):
            place.pass_time(4)
            follower.step()
        if close:
            follower.close()
    account: Accounting = follower.status.accounts[sources[0].name]
    return account


@pytest.fixture
def after_one(follow_time: ModuleType, place: Any) -> Any:
    """A place where a service read three rows, two of them alike, and a file that waits for its end."""
    row = follow_time.row
    place.write("avis/a.csv", follow_time.HEADER + row("un") + row("un") + row("deux"))
    place.write("avis/b.csv", follow_time.HEADER + row("trois") + "31/05/2024 09:00;no")
    assert served(place, follow_time.SURVEY).events == 4
    return place


def test_the_next_service_reads_what_is_new_alone(follow_time: ModuleType, after_one: Any) -> None:
    assert served(after_one, follow_time.SURVEY) == Accounting()
    after_one.write("avis/a.csv", follow_time.row("un"), more=True)
    after_one.write("avis/b.csv", "rd;quatre\n", more=True)
    after_one.write("avis/c.csv", follow_time.HEADER + follow_time.row("deux"))
    # The third `un` and the second `deux` are events of their own, as one reading of all files has it.
    assert served(after_one, follow_time.SURVEY) == Accounting(read=3, events=3)
    assert sorted(after_one.texts()) == ["deux", "deux", "quatre", "trois", "un", "un", "un"]
    assert list(after_one.log.verify()) == []


def test_what_waited_for_its_end_is_believed_in_time_by_the_next_service(
    follow_time: ModuleType, after_one: Any
) -> None:
    after_one.pass_time(60)
    assert served(after_one, follow_time.SURVEY) == Accounting(read=1, quarantined={"field_count": 1})
    assert served(after_one, follow_time.SURVEY) == Accounting()


def test_a_file_written_anew_or_gone_meanwhile_counts_as_for_one_ingest(
    follow_time: ModuleType, after_one: Any
) -> None:
    row, header = follow_time.row, follow_time.HEADER
    after_one.write("avis/a.csv", header + row("deux") + row("un") + row("neuf"))
    (after_one.folder / "avis/b.csv").unlink()
    after_one.write("avis/c.csv", header + row("trois") + row("un"))
    assert served(after_one, follow_time.SURVEY) == Accounting(read=5, events=1, duplicates=4)
    assert sorted(after_one.texts()) == ["deux", "neuf", "trois", "un", "un"]


def test_documents_and_mail_are_not_read_again_either(follow_time: ModuleType, place: Any) -> None:
    place.write("mail/a.mbox", follow_time.message("un", number=1) + follow_time.message("deux", number=2))
    place.write("lettres/a.txt", "Bonjour")
    place.write("lettres/a.txt.json", '{"date": "31/05/2024"}')
    sources = follow_time.MAIL, follow_time.LETTERS
    assert served(place, *sources).events == 2
    assert served(place, *sources) == Accounting()
    place.write("lettres/a.txt", "Bonsoir")
    place.write("mail/a.mbox", follow_time.message("trois", number=3), more=True)
    assert served(place, *sources) == Accounting(read=1, events=1)
    assert sorted(place.texts())[:2] == ["Bonjour", "Bonsoir"]


VOID: dict[str, Any] = {
    "other settings": lambda place: setattr(place, "settings", "others"),
    "damaged": lambda place: (place.folder / "log/positions/avis.npz").write_bytes(b"PK\3\4..."),
    "cut": lambda place: cut(place.folder / "log/positions/avis.npz"),
    "gone": lambda place: (place.folder / "log/positions/avis.npz").unlink(),
}


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-30])


@pytest.mark.parametrize("name", VOID)
def test_void_positions_are_read_over_and_nothing_doubles(
    follow_time: ModuleType, after_one: Any, name: str
) -> None:
    VOID[name](after_one)
    assert served(after_one, follow_time.SURVEY) == Accounting(read=4, duplicates=4)
    assert sorted(after_one.texts()) == ["deux", "trois", "un", "un"]


def test_positions_of_another_log_are_void(follow_time: ModuleType, after_one: Any) -> None:
    (after_one.folder / "log/generation-0001").rename(after_one.folder / "away")
    with LogWriter(after_one.folder / "log", now=lambda: after_one.wall) as log:
        for _ in range(3):
            log.decide("test", {})
    assert served(after_one, follow_time.SURVEY) == Accounting(read=4, events=4)


def test_a_stop_within_a_file_keeps_no_position(
    follow_time: ModuleType, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors import ingest

    monkeypatch.setattr(ingest, "CHUNK_ROWS", 1)
    row = follow_time.row
    place.write("avis/a.csv", follow_time.HEADER + row("un") + row("un") + row("un"))
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY)
        place.stopping = True
        follower._read(follower._sources[0])
        place.stopping = False
        taking = follower._clock

        def stop_after_first(*_: Any) -> bool:
            return bool(follower._pending.rows)

        monkeypatch.setattr(
            follower, "_clock", type(taking)(taking.now, taking.monotonic, taking.pause, stop_after_first)
        )
        follower.step()
        follower.close()
    assert 0 < place.log.rows < 3
    assert not (place.folder / "log/positions").exists()
    assert served(place, follow_time.SURVEY).read == 3
    assert place.texts() == ["un", "un", "un"]


def test_no_name_of_a_file_is_kept(follow_time: ModuleType, place: Any, canaries: ModuleType) -> None:
    place.write(f"avis/{canaries.AUTHOR}.csv", follow_time.HEADER + follow_time.row("un"))
    served(place, follow_time.SURVEY)
    assert (place.folder / "log/positions/avis.npz").exists()
    canaries.assert_no_canary(place.folder / "log")
