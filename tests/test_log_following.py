"""Following a log: manifest by manifest, without a listing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.errors import LogError
from connectors.log import EventLog, LogWriter
from connectors.log.files import LogFiles

T0 = datetime(2024, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def beats(path: Path, *hours: int) -> None:
    with LogWriter(path, now=lambda: T0) as log:
        for hour in hours:
            log.heartbeat(T0 + hour * HOUR)


def test_the_next_manifest_is_seen_when_it_is_there(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    assert log.read_next() is None
    beats(tmp_path, 1, 2)
    seen = [manifest.seq for manifest in iter(log.read_next, None)]
    assert seen == [1, 2]
    assert log.clock == T0 + 2 * HOUR
    beats(tmp_path, 3)
    following = log.read_next()
    assert following is not None
    assert following.seq == 3
    assert log.head_hash == EventLog(tmp_path).head_hash


def test_the_first_manifest_of_a_new_generation_is_next(tmp_path: Path) -> None:
    beats(tmp_path, 1)
    log = EventLog(tmp_path)
    log.refresh()
    with LogWriter(tmp_path, now=lambda: T0) as writer:
        writer.new_generation()
    opened = log.read_next()
    assert opened is not None
    assert (opened.seq, opened.generation) == (2, 2)


def test_following_lists_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beats(tmp_path, 1, 2, 3)

    def listed(*_: object) -> None:
        raise AssertionError("a folder was listed")

    monkeypatch.setattr(LogFiles, "manifests", listed)
    log = EventLog(tmp_path)
    log.read_to(2)
    assert log.head is not None
    assert log.head.seq == 2


def test_an_altered_manifest_is_refused(tmp_path: Path) -> None:
    beats(tmp_path, 1, 2)
    log = EventLog(tmp_path)
    log.read_to(1)
    place = tmp_path / "generation-0001/manifests/000000000002.json"
    place.write_text(place.read_text().replace('"previous":"', '"previous":"0'))
    with pytest.raises(LogError, match="000000000002"):
        log.read_next()


def test_a_log_that_lost_its_end_is_refused(tmp_path: Path) -> None:
    beats(tmp_path, 1, 2)
    with pytest.raises(LogError, match="manifest 3 is missing, of 4"):
        EventLog(tmp_path).read_to(4)
