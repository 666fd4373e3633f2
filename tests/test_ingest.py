"""From sources to the log: accounting closes, nothing doubles, nothing is lost, no canary passes."""

import csv
import errno
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import ingest as ingest_module
from connectors.admission import Admission, Redactor
from connectors.contract import Accounting, Outcome, Parsed, Record, Rejected, SetAside
from connectors.errors import LogError, SecretError, SourceError
from connectors.ingest import ingest, retry
from connectors.letters import Letters
from connectors.log import EventLog, LogWriter
from connectors.mail import Mail
from connectors.perimeters import Perimeter, PerimeterTree
from connectors.quarantine import Quarantine
from connectors.secret import Secret
from connectors.source_settings import LettersSource, MailSource, TableSource
from connectors.sources import OpenedSource, open_sources
from connectors.tables import Table

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
DAY = datetime(2024, 5, 1, tzinfo=UTC)
SETTINGS = TableSource.model_validate(
    {
        "kind": "table",
        "name": "avis",
        "path": "*.csv",
        "channel": "survey",
        "perimeter": "{Magasin}",
        "columns": {"text": "Avis", "occurred_at": "Date", "author": "Client", "agent": "Agent"},
    }
)


@dataclass
class Rows:
    """A source of prepared payloads: `kind` says what a row is, the rest is its content."""

    rows: Sequence[Mapping[str, Any]]
    name: str = "avis"
    reasons: Mapping[str, str] = field(default_factory=lambda: {"bad": "bad"})

    def records(self) -> Iterator[Record]:
        return (Record("f.csv", line, row) for line, row in enumerate(self.rows, start=2))

    def parse(self, record: Record) -> Outcome:
        assert not isinstance(record.payload, bytes)
        content = dict(record.payload)
        match content.pop("kind", "good"):
            case "bad":
                return Rejected("bad", "a rule")
            case "aside":
                return SetAside("auto_reply")
        return Parsed(**{"occurred_at": DAY, "perimeter": "nord", "text": "bien", **content})


@dataclass
class Place:
    """A log, a quarantine and a key in one folder."""

    folder: Path
    key: bytes = bytes(32)
    tree: PerimeterTree = field(default_factory=lambda: PerimeterTree("r"))
    names: Sequence[str] = ()

    @property
    def quarantine(self) -> Quarantine:
        return Quarantine(self.folder / "quarantine", Secret(self.key))

    @property
    def log(self) -> EventLog:
        return EventLog(self.folder / "log")

    def run(
        self, *sources: Any, again: bool = False, now: datetime = NOW, **options: Any
    ) -> dict[str, Accounting]:
        opened = [
            source if isinstance(source, OpenedSource) else OpenedSource(source, SETTINGS)
            for source in sources
        ]
        admission = Admission(
            secret=Secret(self.key),
            perimeters=self.tree,
            redactor=Redactor(self.names),
            languages=("fr",),
            zone="Europe/Paris",
        )
        with LogWriter(self.folder / "log", now=lambda: now) as log:
            return (retry if again else ingest)(
                opened,
                admission=admission,
                log=log,
                quarantine=self.quarantine,
                now=now,
                **{"live": False, **options},
            )

    def events(self) -> list[dict[str, Any]]:
        log = self.log
        return [
            event
            for window in log.slices(max_rows=10_000, zone="Europe/Paris")
            for piece in log.pieces(window)
            for event in log.read_piece(piece).to_pylist()
        ]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


MIXED: list[Mapping[str, Any]] = [
    {"text": "un"},
    {"text": "un"},
    {"kind": "aside"},
    {"kind": "bad", "n": 1},
    {"text": "deux", "own_id": "7"},
    {"text": "trois", "own_id": "7"},
    {"text": "hier", "occurred_at": NOW + timedelta(days=1)},
]


def test_every_row_is_accounted_for_once(place: Place) -> None:
    account = place.run(Rows(MIXED))["avis"]
    assert account == Accounting(
        read=7,
        events=3,
        duplicates=1,
        set_aside={"auto_reply": 1},
        quarantined={"bad": 1, "future_date": 1},
    )
    assert account.closes()
    assert sorted(event["text"] for event in place.events()) == ["deux", "un", "un"]
    assert [entry.reason for entry in place.quarantine.entries()] == ["bad", "future_date"]
    notes = [manifest.note for manifest in place.log.manifests()]
    assert notes == [
        {"source": "avis", "key": Secret(bytes(32)).fingerprint, "accounting": account.as_json()}
    ]


def test_the_same_again_adds_nothing(place: Place) -> None:
    first = place.run(Rows(MIXED))["avis"]
    second = place.run(Rows(MIXED))["avis"]
    assert (second.events, second.duplicates) == (0, first.events + first.duplicates)
    assert second.quarantined == first.quarantined  # counted again, kept once
    assert len(list(place.quarantine.entries())) == 2
    assert place.log.rows == 3
    assert len(list(place.log.manifests())) == 1


@pytest.mark.parametrize("live", [False, True])
def test_nothing_new_leaves_the_log_as_it_is(place: Place, live: bool) -> None:
    assert place.run(Rows([]), live=live)["avis"] == Accounting()
    assert place.log.head is None
    place.run(Rows(MIXED), Rows(MIXED[2:4], name="autre"), live=live)
    head = place.log.head_hash
    again = place.run(Rows(MIXED[:4]), Rows(MIXED[2:4], name="autre"), live=live)
    assert again["avis"] == Accounting(
        read=4, duplicates=2, set_aside={"auto_reply": 1}, quarantined={"bad": 1}
    )
    assert again["autre"] == Accounting(read=2, set_aside={"auto_reply": 1}, quarantined={"bad": 1})
    assert place.log.head_hash == head


@pytest.mark.parametrize("row", [{"kind": "aside"}, {"kind": "bad", "n": 2}, {"text": "neuf"}])
def test_whatever_is_new_is_told_in_the_log(place: Place, row: Mapping[str, Any]) -> None:
    place.run(Rows(MIXED))
    account = place.run(Rows([*MIXED, row]))["avis"]
    notes = [manifest.note["accounting"] for manifest in place.log.manifests()]
    assert notes[1:] == [account.as_json()]


def test_a_bad_row_in_the_place_of_another_is_new(place: Place) -> None:
    place.run(Rows([{"kind": "bad", "n": 1}]))
    place.run(Rows([{"kind": "bad", "n": 2}]))
    assert len(list(place.log.manifests())) == 2


def test_what_a_killed_load_quarantined_is_told_by_the_next(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LogWriter, "append_history", killed)
        with pytest.raises(KeyboardInterrupt):
            place.run(Rows([{"kind": "bad"}]))
    account = place.run(Rows([{"kind": "bad"}]))["avis"]
    assert [manifest.note["accounting"] for manifest in place.log.manifests()] == [account.as_json()]


def test_a_grown_file_adds_what_is_new(place: Place) -> None:
    place.run(Rows(MIXED))
    account = place.run(Rows([*MIXED, {"text": "un"}, {"text": "neuf"}]))["avis"]
    assert account.events == 2
    assert sorted(event["text"] for event in place.events()) == ["deux", "neuf", "un", "un", "un"]


ROWS = st.lists(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["good", "good", "bad", "aside"])},
        optional={
            "text": st.sampled_from(["a", "b", ""]),
            "own_id": st.sampled_from(["1", "2"]),
            "perimeter": st.sampled_from(["nord", "/"]),
        },
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=15)
@given(rows=ROWS, chunk=st.integers(1, 7), commit=st.integers(1, 9))
def test_accounting_and_events_do_not_depend_on_chunks(
    rows: list[dict[str, Any]], chunk: int, commit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole, parts = (Place(tmp_path_factory.mktemp("place")) for _ in range(2))
    expected = whole.run(Rows(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest_module, "CHUNK_ROWS", chunk)
        patch.setattr(ingest_module, "COMMIT_ROWS", commit)
        assert parts.run(Rows(rows)) == expected
    assert all(account.closes() for account in expected.values())
    ids = [sorted(event["event_id"] for event in one.events()) for one in (whole, parts)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


def test_long_texts_make_smaller_chunks(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_module, "CHUNK_CHARS", 100)
    seen: list[tuple[str, int]] = []
    place.run(Rows([{"text": "x" * 60}] * 5), progress=lambda *step: seen.append(step))
    assert seen == [("avis", 2), ("avis", 2), ("avis", 1)]


def test_live_events_carry_the_time_of_admission(place: Place) -> None:
    place.run(Rows([{"text": "un"}]), live=True)
    place.run(Rows([{"text": "deux"}]), live=True, now=NOW - timedelta(hours=1))  # a clock set back
    assert [event["admitted_at"] for event in place.events()] == [NOW, NOW]


def test_a_failure_half_way_keeps_what_was_committed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"text": str(i)} for i in range(10)]
    monkeypatch.setattr(ingest_module, "CHUNK_ROWS", 2)
    monkeypatch.setattr(ingest_module, "COMMIT_ROWS", 4)
    append, calls = LogWriter.append_history, list[int]()

    def fails_second_time(self: LogWriter, *args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise LogError("the disk is full") from OSError(errno.ENOSPC, "full")
        return append(self, *args, **kwargs)

    monkeypatch.setattr(LogWriter, "append_history", fails_second_time)
    with pytest.raises(LogError, match="the disk is full"):
        place.run(Rows(rows))
    assert place.log.rows == 4
    account = place.run(Rows(rows))["avis"]
    assert (account.events, account.duplicates) == (6, 4)
    assert sorted(event["text"] for event in place.events()) == [str(i) for i in range(10)]


def test_another_key_is_refused(place: Place) -> None:
    place.run(Rows([{"text": "un"}]))
    with pytest.raises(SecretError, match="another secret key"):
        Place(place.folder, key=bytes(31) + b"\1").run(Rows([{"text": "deux"}]))
    assert place.log.rows == 1


def test_expired_entries_go_at_the_next_load(place: Place) -> None:
    place.run(Rows([{"kind": "bad"}]))
    place.run(Rows([]), now=NOW + timedelta(days=31))
    assert list(place.quarantine.entries()) == []


CLOSED = {"r": Perimeter("r"), "r/nord": Perimeter("r/nord")}


def test_retry_admits_what_now_passes(place: Place) -> None:
    source = Rows(
        [{"text": "un"}, {"text": "deux", "perimeter": "sud"}, {"text": "trois", "perimeter": "est"}]
    )
    place.tree = PerimeterTree("r", CLOSED)
    account = place.run(source)["avis"]
    assert account.quarantined == {"unknown_perimeter": 2}
    head = place.log.head_hash
    assert place.run(source, again=True)["avis"].quarantined == {"unknown_perimeter": 2}
    assert place.log.head_hash == head
    place.tree = PerimeterTree("r", {**CLOSED, "r/sud": Perimeter("r/sud")})
    account = place.run(source, again=True)["avis"]
    assert account == Accounting(read=2, events=1, quarantined={"unknown_perimeter": 1})
    assert sorted(event["text"] for event in place.events()) == ["deux", "un"]
    assert [entry.record.payload for entry in place.quarantine.entries()] == [source.rows[2]]
    # The whole file again is no news, and nothing comes back.
    head = place.log.head_hash
    assert place.run(source)["avis"] == Accounting(read=3, duplicates=2, quarantined={"unknown_perimeter": 1})
    assert place.log.head_hash == head


def test_retry_of_chosen_entries_only(place: Place) -> None:
    source = Rows([{"text": "un", "perimeter": "sud"}, {"text": "deux", "perimeter": "sud"}])
    place.tree = PerimeterTree("r", CLOSED)
    place.run(source)
    chosen, other = place.quarantine.entries()
    place.tree = PerimeterTree("r")
    assert place.run(source, again=True, only={chosen.id})["avis"].events == 1
    assert [entry.id for entry in place.quarantine.entries()] == [other.id]
    assert place.run(source, again=True, only={"unknown"}) == {}


def test_a_kill_between_commit_and_removal_doubles_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Rows([{"text": "un", "perimeter": "sud"}, {"text": "un", "perimeter": "sud"}])
    place.tree = PerimeterTree("r", CLOSED)
    place.run(source)
    place.tree = PerimeterTree("r")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Quarantine, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            place.run(source, again=True)
    assert (place.log.rows, len(list(place.quarantine.entries()))) == (2, 2)
    assert place.run(source, again=True)["avis"] == Accounting(read=2, duplicates=2)
    assert (place.log.rows, list(place.quarantine.entries())) == (2, [])


def test_open_sources_maps_each_kind(tmp_path: Path) -> None:
    common = {"name": "x", "path": "x", "perimeter": "r"}
    models: list[MailSource | LettersSource | TableSource] = [
        MailSource.model_validate({"kind": "mail", **common}),
        LettersSource.model_validate({"kind": "letters", **common}),
        SETTINGS,
    ]
    opened = open_sources(models, base=tmp_path, zone="Europe/Paris")
    assert [type(one.source) for one in opened] == [Mail, Letters, Table]
    assert [one.settings for one in opened] == models


def test_a_place_that_is_not_there_is_told(place: Place) -> None:
    with pytest.raises(SourceError):
        place.run(*open_sources([SETTINGS], base=place.folder / "absent", zone="Europe/Paris"))


def test_no_canary_in_any_file_or_message(
    place: Place,
    canaries: ModuleType,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    base = place.folder.parent / f"{place.folder.name}-sources"
    base.mkdir()
    good = ["01/03/2024", "Nord", canaries.planted_text(), canaries.AUTHOR, canaries.AGENT]
    bad = [
        [canaries.AUTHOR, *good[1:]],
        [canaries.TEXT_CANARIES["phone"], *good[1:]],
        ["01/03/2024", "", *good[2:]],
        ["01/03/2034", *good[1:]],
        [*good, canaries.AGENT],
    ]
    with (base / "avis.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["Date", "Magasin", "Avis", "Client", "Agent"], good, *bad])
    place.names = canaries.DIRECTORY
    with caplog.at_level(logging.DEBUG):
        account = place.run(*open_sources([SETTINGS], base=base, zone="Europe/Paris"))["avis"]
    assert account.events == 1
    assert sum(account.quarantined.values()) == len(bad)
    assert "[phone]" in place.events()[0]["text"]
    canaries.assert_no_canary(place.folder)
    written = capfd.readouterr()
    assert canaries.found_in(caplog.text + written.out + written.err + str(account.as_json())) == []
