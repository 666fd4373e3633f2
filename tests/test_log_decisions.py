"""Decisions: what was in force at a bucket, verdicts and segments set aside, asked for by those outside."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from connectors.errors import LogError
from connectors.events import EVENT
from connectors.log import EventLog, LogWriter, Verdict
from connectors.log.inbox import answer, ask_skip, ask_verdict
from connectors.log.manifest import from_bytes

T0 = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ONE, TWO = "1" * 32, "2" * 32
MANAGER = "ab" * 16


def events(*numbers: int) -> pa.Table:
    """Event n is admitted n days after T0."""
    rows = [
        {
            "event_id": n.to_bytes(16),
            "occurred_at": T0 + n * DAY,
            "admitted_at": T0 + n * DAY,
            "grace_s": 0,
            "source": "enquete",
            "channel": "survey",
            "voice": "customer",
            "perimeter": "r",
            "language": "fr",
            "flags": 0,
            "text": f"texte {n}",
        }
        for n in numbers
    ]
    return pa.Table.from_pylist(rows, schema=EVENT)


def opened(path: Path) -> LogWriter:
    return LogWriter(path, now=lambda: T0)


def silent(line: str) -> None:
    raise AssertionError(line)


def test_settings_are_in_force_from_the_next_bucket_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with opened(path) as log:
        log.decide("settings", {"version": "first"})
        log.append_live(events(1), note={})
        log.decide("settings", {"version": "second"})
        log.decide("settings", {"version": "far"}, effective=T0 + 9 * DAY)
        log.append_live(events(3), note={})
        log.decide("settings", {"version": "third"})
        with pytest.raises(ValueError, match="must not be before the log's clock, 2024-03-04T"):
            log.decide("settings", {}, effective=T0 + 2 * DAY)
    found = EventLog(path)
    versions = [(found.in_force(T0 + n * DAY).settings or {}).get("version") for n in range(-5, 12)]
    # By hand: the first for all buckets before the clock moved; the second from day 1, the third from day 3,
    # and on day 9 the one that was decided for then.
    assert versions == ["first"] * 6 + ["second"] * 2 + ["third"] * 6 + ["far"] * 3
    assert found.in_force(T0 + DAY - timedelta(microseconds=1)).settings == {"version": "first"}


def test_nothing_was_in_force_before_the_first_decision(tmp_path: Path) -> None:
    with opened(tmp_path / "log") as log:
        log.append_live(events(1), note={})
        log.decide("settings", {"version": "x"})
    assert EventLog(tmp_path / "log").in_force(T0).settings is None


def test_decisions_of_the_first_logs_take_effect_at_their_clock() -> None:
    old = {
        "format": 1,
        "seq": 1,
        "generation": 1,
        "kind": "decision",
        "previous": None,
        "clock": "2024-03-01T00:00:00.000000Z",
        "written_at": "2024-03-01T00:00:00.000000Z",
        "rows": 0,
        "segment": None,
        "load": None,
        "decision": {"kind": "settings", "payload": {"version": "x"}},
        "carries": None,
        "note": {},
    }
    decision = from_bytes(json.dumps(old).encode(), name="x").decision
    assert decision is not None
    assert decision.effective == T0
    decision = from_bytes(json.dumps({**old, "clock": None}).encode(), name="x").decision
    assert decision is not None
    assert decision.effective is None


def test_the_last_verdict_of_a_signal_counts(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with opened(path) as log:
        log.append_live(events(1), note={})
        log.verdict(ONE, "confirm", by=MANAGER)
        log.verdict(TWO, "dismiss")
        log.append_live(events(4), note={})
        log.verdict(ONE, "dismiss", by=MANAGER)
    found = EventLog(path)
    assert found.in_force(T0).verdicts == {}
    assert found.in_force(T0 + DAY).verdicts == {
        ONE: Verdict(ONE, "confirm", T0 + DAY, MANAGER),
        TWO: Verdict(TWO, "dismiss", T0 + DAY),
    }
    assert found.in_force(T0 + 4 * DAY).verdicts[ONE] == Verdict(ONE, "dismiss", T0 + 4 * DAY, MANAGER)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("x", "confirm", None), "signal_id is 'x'; it must be 32 hexadecimal digits"),
        ((ONE, "maybe", None), "judgement is 'maybe'; it must be one of confirm, dismiss"),
        ((ONE, "confirm", "Mme Durand"), "by must be a pseudonym"),
    ],
)
def test_a_verdict_of_another_form_is_refused(
    tmp_path: Path, arguments: tuple[str, str, str | None], rule: str
) -> None:
    signal_id, judgement, by = arguments
    with opened(tmp_path / "log") as log, pytest.raises(ValueError, match=rule):
        log.verdict(signal_id, judgement, by=by)
    with pytest.raises(ValueError, match=rule):
        ask_verdict(tmp_path / "log", signal_id, judgement, by=by, now=T0)
    assert EventLog(tmp_path / "log").head is None


def test_what_is_asked_for_is_decided_once_in_order_of_time(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with opened(path) as log:
        log.append_live(events(1), note={})
        assert answer(log, silent) == []
        keys = [
            ask_verdict(path, ONE, judgement, by=MANAGER, now=T0 + n * timedelta(hours=1))
            for n, judgement in ((2, "dismiss"), (1, "confirm"), (3, "confirm"))
        ]
        assert ask_verdict(path, ONE, "confirm", by=MANAGER, now=T0 + timedelta(hours=3)) == keys[2]
        taken = answer(log, silent)
        assert [m.decision.payload["judgement"] for m in taken if m.decision] == [
            "confirm",
            "dismiss",
            "confirm",
        ]
        assert [m.note["request"] for m in taken] == [keys[1], keys[0], keys[2]]
        assert answer(log, silent) == []
    assert list((path / "inbox").iterdir()) == []


def test_a_kill_between_decision_and_removal_decides_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with opened(path) as log:
        ask_verdict(path, ONE, "confirm", by=None, now=T0)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", killed)
            with pytest.raises(KeyboardInterrupt):
                answer(log, silent)
    assert len(list((path / "inbox").iterdir())) == 1
    with opened(path) as log:
        assert answer(log, silent) == []
    assert [m.kind for m in EventLog(path).manifests()] == ["decision"]
    assert list((path / "inbox").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("{", "it is not a request"),
        ('{"kind": "settings", "payload": {}}', "decisions of kind 'settings' cannot be asked for"),
        ('{"kind": "verdict", "payload": {"signal_id": "x", "judgement": "confirm"}}', "signal_id is 'x'"),
        ('{"kind": "verdict", "payload": {}}', "signal_id"),
    ],
)
def test_a_request_that_cannot_be_decided_is_told_and_put_by(tmp_path: Path, content: str, rule: str) -> None:
    path, told = tmp_path / "log", list[str]()
    with opened(path) as log:
        (path / "inbox").mkdir()
        (path / "inbox" / "a.json").write_text(content)
        ask_verdict(path, ONE, "confirm", by=None, now=T0)
        assert len(answer(log, told.append)) == 1
        assert answer(log, told.append) == []
    assert len(told) == 1
    assert rule in told[0]
    assert [file.name for file in (path / "inbox").iterdir()] == ["a.refused"]


def damage(path: Path, name: str) -> None:
    file = path / "generation-0001/segments" / name
    content = file.read_bytes()
    file.write_bytes(content[:9] + bytes(len(content) // 4) + content[9 + len(content) // 4 :])


@pytest.mark.parametrize("kind", ["core", "text"])
def test_a_poisoned_segment_is_set_aside_told_once_and_the_rest_goes_on(tmp_path: Path, kind: str) -> None:
    path, told = tmp_path / "log", list[str]()
    with opened(path) as log:
        for number in (1, 2, 3):
            log.append_live(events(number), note={})
        damage(path, f"000000000002.{kind}.parquet")
        for _ in range(2):  # every reader that meets it asks
            ask_skip(path, 2)
        assert len(answer(log, told.append)) == 1
        ask_skip(path, 2)
        assert answer(log, told.append) == []
        log.append_live(events(4), note={})
    assert len(told) == 1
    assert f"000000000002.{kind}.parquet" in told[0]
    assert "segment 2 with its 1 events is set aside" in told[0]
    found = EventLog(path)
    assert found.rows == 3
    assert found.take([1 << 32, 3 << 32])["text"].to_pylist() == ["texte 1", "texte 3"]
    with pytest.raises(LogError, match="segment 2 was set aside"):
        found.take([2 << 32])
    assert found.pieces_of(2) == []
    assert not found.known_ids().contains(events(2)["event_id"]).any()
    assert list(found.verify()) == []
    assert (dict(found.in_force(T0 + 2 * DAY).skipped), list(found.in_force(T0 + 3 * DAY).skipped)) == (
        {},
        [2],
    )


def test_a_whole_an_absent_and_a_missing_segment_are_not_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with opened(path) as log:
        log.append_live(events(1), note={})
        log.append_live(events(2), note={})
        with pytest.raises(LogError, match="segment 1 is whole"):
            log.skip(1, say=silent)
        with pytest.raises(LogError, match="no visible segment 9"):
            log.skip(9, say=silent)
        (path / "generation-0001/segments/000000000002.text.parquet").unlink()
        with pytest.raises(LogError, match="cannot be read"):
            log.skip(2, say=silent)
        (path / "generation-0001/segments/000000000002.core.parquet").unlink()
        with pytest.raises(LogError, match="cannot be read"):
            log.skip_damaged(say=silent)
    assert EventLog(path).skipped == {}


def test_damaged_cores_are_found_before_their_ids_are_needed(tmp_path: Path) -> None:
    path, told = tmp_path / "log", list[str]()
    with opened(path) as log:
        for number in (1, 2, 3):
            log.append_live(events(number), note={})
        damage(path, "000000000003.core.parquet")
        damage(path, "000000000001.core.parquet")
        assert log.skip_damaged(say=told.append) == [1, 3]
        assert log.skip_damaged(say=told.append) == []
    assert len(told) == 2
    assert len(EventLog(path).known_ids()) == 1
