"""The accounting of logs as they are truly written: followed, loaded in parts, cut short."""

from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

from connectors.audit.accounting import Accounted, check_accounting
from connectors.contract import Accounting
from connectors.loads import load_note
from connectors.log import EventLog, LogWriter
from tests import log_events
from tests.log_events import T0


def events(first: int, count: int) -> pa.Table:
    return log_events.events(first, count, source="avis")


def checked(log: EventLog, quarantine: Path | None = None) -> Accounted:
    return check_accounting(log.manifests(), location="log", quarantine=quarantine)


def told(count: int) -> dict[str, Any]:
    return load_note("avis", "key", Accounting(read=count, events=count))


@pytest.fixture
def place(follow_time: ModuleType, tmp_path: Path) -> Any:
    return follow_time.Place(tmp_path)


def test_a_followed_log_accounts_for_itself(follow_time: ModuleType, place: Any) -> None:
    row = follow_time.row
    place.write("avis/a.csv", follow_time.HEADER + row("un") + row("deux", day=30))
    place.pass_time(60)
    with place.writer() as log:
        follower = place.follower(log, follow_time.SURVEY, live=False)
        follower.step()
        for number in range(3):
            place.pass_time(1)
            place.write(f"avis/b{number}.csv", follow_time.HEADER + row(f"trois {number}") + row("x", day=99))
            follower.step()
        follower.close()
    found = checked(place.log)
    assert found.faults == ()
    assert found.untold == 0
    assert found.counts["events"] == place.log.rows == 5
    assert found.counts["read"] == 5 + found.counts["quarantined"]


def test_a_load_of_several_parts_is_told_by_its_last(tmp_path: Path) -> None:
    with LogWriter(tmp_path, now=lambda: T0) as log:
        log.append_history(events(0, 4), loaded_at=T0, note=load_note("avis", "key"))
        log.append_history(events(4, 3), loaded_at=T0, note=told(7))
    found = checked(EventLog(tmp_path))
    assert (found.counts["events"], found.untold, found.faults) == (7, 0, ())


def test_what_was_cut_short_is_counted_and_no_fault(tmp_path: Path) -> None:
    later = T0 + timedelta(days=1)
    with LogWriter(tmp_path, now=lambda: T0) as log:
        log.append_history(events(0, 4), loaded_at=T0, note=load_note("avis", "key"))
        log.append_history(events(4, 3), loaded_at=later, note=told(3))
        log.append_live(events(10, 2), note=load_note("avis", "key"))
        log.append_live(events(12, 5), note=told(5))
    found = checked(EventLog(tmp_path))
    assert (found.counts["events"], found.untold, found.faults) == (8, 6, ())


@pytest.mark.parametrize("count", [4, 6])
def test_a_load_that_tells_of_more_or_fewer_is_a_fault(tmp_path: Path, count: int) -> None:
    with LogWriter(tmp_path, now=lambda: T0) as log:
        log.append_live(events(0, 5), note=told(count))
    [fault] = checked(EventLog(tmp_path)).faults
    assert fault.seq == 1
    assert f"its note tells of {count} events, the load has 5 rows" in fault.problem
