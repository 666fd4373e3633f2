"""The machines of a live stream give what a replay gives, whatever the order of their messages."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.errors import LogError
from connectors.log import EventLog, LogWriter
from connectors.log.compaction import compact
from connectors.log.inbox import answer
from pipelines.live.job import LiveJob
from pipelines.plain import PlainEngine
from pipelines.replay import canonical
from pipelines.stages.tally import CELL
from tests.live_machines import ByHand, live_job, replayed_by
from tests.live_service import shows_all_closed
from tests.test_engines import PARIS, ROWS, SETTINGS, TELLING, Result, Rows, history, run, same, table

GRACE_S = 2 * 86_400
HISTORY_DAYS = 90


def result_of(job: LiveJob) -> Result:
    """What a job wrote to its folder, to compare."""
    replayed = replayed_by(job)
    cells = pa.concat_tables([pq.read_table(file) for file in replayed.cells])
    ordered = cells.sort_by([(name, "ascending") for name in CELL]).to_pylist()
    return Result(list(canonical(replayed.signals)), ordered, replayed)


def admitted(rows: Rows) -> list[tuple[datetime, Rows]]:
    """Rows as they come in live: a third on time, the others up to the grace later; a segment a half-day."""
    chance = random.Random(5)
    by_time: dict[datetime, Rows] = {}
    for row in rows:
        late = chance.choice([0, chance.random() * GRACE_S, chance.random() * GRACE_S])
        arrival = row["occurred_at"] + timedelta(seconds=late)
        half = arrival.replace(hour=arrival.hour // 12 * 12, minute=0, second=0, microsecond=0)
        at = half + timedelta(hours=12)
        by_time.setdefault(at, []).append({**row, "admitted_at": at, "grace_s": GRACE_S})
    return sorted(by_time.items())


FIRST_LIVE = ROWS[0]["occurred_at"].astimezone(PARIS).date() + timedelta(days=HISTORY_DAYS)
PAST = [row for row in ROWS if row["occurred_at"].astimezone(PARIS).date() < FIRST_LIVE]
LIVE = admitted([row for row in ROWS if row["occurred_at"].astimezone(PARIS).date() >= FIRST_LIVE])


def day_counted(row: dict[str, Any]) -> date:
    """Civil day of a row's effective time."""
    moved = max(row["occurred_at"], row["admitted_at"] - timedelta(seconds=row["grace_s"]))
    counted: datetime = min(moved, row["admitted_at"])
    return counted.astimezone(PARIS).date()


def append(folder: Path, segments: list[tuple[datetime, Rows]]) -> None:
    """Commit live segments, and a heartbeat two hours after each."""
    with LogWriter(folder, now=lambda: datetime(2025, 1, 1, tzinfo=UTC)) as writer:
        for at, rows in segments:
            writer.append_live(table(rows), note={})
            writer.heartbeat(at + timedelta(hours=2))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    """History, and all that came in live."""
    folder = tmp_path_factory.mktemp("live") / "log"
    history(folder, [{**row, "grace_s": GRACE_S} for row in PAST])
    append(folder, LIVE)
    return EventLog(folder)


@pytest.fixture(scope="module")
def expected(whole: EventLog, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """What a replay of the whole log gives."""
    result = run(whole, PlainEngine(), tmp_path_factory.mktemp("plain") / "work")
    assert result.lines
    assert {False, True} == {row["retrospective"] for row in result.replayed.signals.signals.to_pylist()}
    return result


@pytest.mark.parametrize("seed", [None, 1])
def test_a_log_as_it_is_gives_what_its_replay_gives(
    whole: EventLog, expected: Result, tmp_path: Path, seed: int | None
) -> None:
    job = live_job(whole, SETTINGS, TELLING, tmp_path / "out", slice_rows=400)
    ByHand(job, None if seed is None else random.Random(seed)).run()
    same(result_of(job), expected)


@pytest.mark.parametrize("seed", [None, 3])
def test_a_log_that_is_followed_gives_what_its_replay_gives(
    expected: Result, tmp_path: Path, seed: int | None
) -> None:
    """In parts, with everything lost in between but what the engine holds."""
    folder = tmp_path / "log"
    history(folder, [{**row, "grace_s": GRACE_S} for row in PAST])
    job = live_job(EventLog(folder), SETTINGS, TELLING, tmp_path / "out", slice_rows=700, ends=False)
    live = ByHand(job, None if seed is None else random.Random(seed))
    live.run()
    for start in range(0, len(LIVE), 17):
        append(folder, LIVE[start : start + 17])
        live.restart(replace(job, log=EventLog(folder)))
        live.run()
    same(result_of(job), expected)
    assert not list((tmp_path / "out").glob("epoch-000002"))


def test_manifests_that_close_no_day_leave_nothing_to_wait_for(tmp_path: Path) -> None:
    """Looked at after each, days are told as of the manifest that closed them, not as of the head.

    No division is known when the first of them close.
    """
    folder = tmp_path / "log"
    job = live_job(EventLog(folder), SETTINGS, TELLING, tmp_path / "out", ends=False)
    live, told = ByHand(job), []
    for at, rows in LIVE[:20]:
        with LogWriter(folder, now=lambda: datetime(2025, 1, 1, tzinfo=UTC)) as writer:
            writer.append_live(table(rows), note={})
            live.run()
            writer.heartbeat(at + timedelta(hours=2))
        live.run()
        told.append(replayed_by(job).log_head == EventLog(folder).head_hash)
        assert shows_all_closed(replayed_by(job).closed_until, folder)
    assert not told[-1]
    same(result_of(job), run(EventLog(folder), PlainEngine(), tmp_path / "plain"))


def test_rows_of_closed_days_make_the_log_be_read_again(tmp_path: Path) -> None:
    """A source of a longer grace begins: its first rows belong to days that are told already."""
    folder = tmp_path / "log"
    append(folder, LIVE[:20])
    job = live_job(EventLog(folder), SETTINGS, TELLING, tmp_path / "out", ends=False)
    live = ByHand(job)
    live.run()
    at, rows = LIVE[20]
    back = at - timedelta(days=20)
    late = [{**row, "occurred_at": back, "grace_s": 30 * 86_400, "admitted_at": at} for row in rows]
    append(folder, [(at, late), *LIVE[21:]])
    live.run()
    live.run()
    plain = run(EventLog(folder), PlainEngine(), tmp_path / "plain")
    same(result_of(job), plain)
    assert list((tmp_path / "out").glob("epoch-000002"))


def test_state_of_other_settings_or_code_is_not_read(
    whole: EventLog, expected: Result, tmp_path: Path
) -> None:
    job = live_job(whole, SETTINGS, TELLING, tmp_path / "other", version="other")
    live = ByHand(job)
    live.run()
    for state in live.states.values():
        for key in state.keys() - {"epoch"}:
            state[key] = b"not to be read"
    mine = live_job(whole, SETTINGS, TELLING, tmp_path / "out")
    live.restart(mine)
    live.run()
    same(result_of(mine), expected)


def test_state_stays_bounded(whole: EventLog, tmp_path: Path) -> None:
    """Rows of a division are kept for a window; open rows are gone once their day is closed."""
    live = ByHand(live_job(whole, SETTINGS, TELLING, tmp_path / "out", slice_rows=200))
    live.run()
    for (station, _), state in live.states.items():
        days = [key for key in state if key.startswith("remembered\n")]
        divisions = {key.split("\n")[1] for key in days}
        assert len(days) <= len(divisions) * SETTINGS.stages.window, station
        assert not [key for key in state if key.startswith("waiting/")]
    assert any(key.startswith("open\n") for state in live.states.values() for key in state)


def test_compaction_changes_nothing_for_those_who_follow(expected: Result, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    history(folder, [{**row, "grace_s": GRACE_S} for row in PAST])
    job = live_job(EventLog(folder), SETTINGS, TELLING, tmp_path / "out", ends=False)
    live = ByHand(job)
    live.run()
    for part in (LIVE[:30], LIVE[30:]):
        append(folder, part)
        with LogWriter(folder, now=lambda: datetime(2025, 1, 1, tzinfo=UTC)) as writer:
            assert compact(writer, zone="Europe/Paris", say=print)
        live.restart(replace(job, log=EventLog(folder)))
        live.run()
    found = result_of(job)
    assert found.lines == expected.lines
    assert found.cells == expected.cells
    assert not list((tmp_path / "out").glob("epoch-000002"))


@pytest.mark.parametrize("caught_up", [True, False], ids=["followed", "caught up with"])
def test_a_damaged_segment_is_set_aside_and_the_rest_goes_on(tmp_path: Path, caught_up: bool) -> None:
    folder = tmp_path / "log"
    append(folder, LIVE[:20])
    job = live_job(EventLog(folder), SETTINGS, TELLING, tmp_path / "out", ends=False, slice_rows=200)
    live = ByHand(job)
    if caught_up:
        live.run()
    append(folder, LIVE[20:])
    core = sorted(folder.glob("generation-0001/segments/*.core.parquet"))[25]
    content = bytearray(core.read_bytes())
    content[len(content) // 3] ^= 0xFF
    core.write_bytes(content)
    with pytest.raises(LogError, match=core.name):
        live.run()
    told: list[str] = []
    with LogWriter(folder, now=lambda: datetime(2025, 1, 1, tzinfo=UTC)) as writer:
        assert answer(writer, told.append)
    assert core.name.split(".")[0].lstrip("0") in " ".join(told)
    live.restart(replace(job, log=EventLog(folder)))
    live.run()
    live.run()
    plain = run(EventLog(folder), PlainEngine(), tmp_path / "plain")
    same(result_of(job), plain)
