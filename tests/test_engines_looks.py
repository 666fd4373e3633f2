"""Early looks are the same on every engine, however log and work are cut, and as they were taken live."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.events import FLAG_HISTORY
from connectors.log import EventLog, LogWriter
from pipelines import chronicle
from pipelines.beam import BeamEngine
from pipelines.flink import FlinkEngine
from pipelines.plain import PlainEngine
from pipelines.replay import Engine
from pipelines.settings import Settings
from pipelines.stages.corroborate import corroborate as take_in
from pipelines.stages.finds import Found
from tests.live_machines import ByHand, live_job, replayed_by
from tests.test_engines import PARIS, PLANTED, ROWS, Result, Rows, run, same, table
from tests.test_engines import TELLING as CLOSES_ONLY

GRACE = timedelta(days=1)
BEGUN = ROWS[0]["occurred_at"] + timedelta(days=60)
LOADED = BEGUN + timedelta(days=32)
ENDS = LOADED + timedelta(days=16)
LOOK_MINUTES = 240
FLOODED, FLOOD = LOADED + timedelta(days=12), 300
"""A day on which a few people of one store write of tar early, and many people of other things later."""
FLOODED_STORE = "e/nord/a"


def settings(minutes: int) -> Settings:
    return Settings.model_validate(
        {
            "organisation": {"root": "e", "name": "Enseigne", "languages": ["fr", "en"]},
            "privacy": {"min_authors": 4},
            "detection": {
                "false_alerts_per_perimeter_per_year": 0.05,
                "warm_up_days": 10,
                "early_look_minutes": minutes,
            },
        }
    )


SETTINGS = settings(LOOK_MINUTES)
TELLING = replace(CLOSES_ONLY, look_every_us=SETTINGS.stages.look_every_us)


def past() -> Rows:
    """The rows before the live part, loaded in one go."""
    rows = [row for row in ROWS if BEGUN <= row["occurred_at"] < LOADED]
    return [{**row, "grace_s": int(GRACE.total_seconds()), "flags": FLAG_HISTORY} for row in rows]


def flood() -> Rows:
    """What comes in on the day that is FLOODED, in one store."""
    chance = random.Random(7)
    usual = [row["text"] for row in ROWS if row["language"] == "fr" and row["occurred_at"] < LOADED]
    midnight = FLOODED.astimezone(PARIS).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = []
    for number in range(FLOOD):
        early = number < 5
        said = chance.choice(usual)
        at = (midnight + timedelta(hours=6 if early else 14, seconds=number)).astimezone(UTC)
        rows.append(
            {
                **ROWS[0],
                "event_id": (10**9 + number).to_bytes(16, "little"),
                "occurred_at": at,
                "admitted_at": at,
                "perimeter": FLOODED_STORE,
                "channel": "survey",
                "voice": "customer",
                "author": (10**6 + number).to_bytes(16, "little"),
                "text": f"Le goudron colle aux semelles. {said}" if early else said,
            }
        )
    return rows


def arriving() -> Rows:
    """Live rows in the order they come in; one in five comes hours late, but for those of the flood."""
    chance = random.Random(3)
    rows = [row for row in ROWS if LOADED <= row["occurred_at"] < ENDS]
    late = [timedelta(hours=chance.choice([0, 0, 0, 0, chance.random() * 20])) for _ in rows]
    came = [
        {**row, "admitted_at": row["occurred_at"] + wait, "grace_s": int(GRACE.total_seconds())}
        for row, wait in zip(rows, late, strict=True)
    ]
    came += [{**row, "grace_s": int(GRACE.total_seconds())} for row in flood()]
    return sorted(came, key=lambda row: (row["admitted_at"], row["event_id"]))


def segments(rows: Rows, hours: int) -> list[Rows]:
    """Rows in pieces of so many hours."""
    pieces: dict[int, Rows] = {}
    for row in rows:
        pieces.setdefault((row["admitted_at"] - LOADED) // timedelta(hours=hours), []).append(row)
    return [piece for _, piece in sorted(pieces.items())]


def written(folder: Path, hours: int, until: datetime = ENDS + timedelta(days=1)) -> EventLog:
    """A log of the history and the live rows, in segments of so many hours, up to an instant."""
    with LogWriter(folder, now=lambda: LOADED) as writer:
        writer.append_history(table(past()), loaded_at=LOADED, note={})
        for rows in segments([row for row in arriving() if row["admitted_at"] < until], hours):
            writer.append_live(table(rows), note={})
        writer.heartbeat(until)
    return EventLog(folder)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    return written(tmp_path_factory.mktemp("looks") / "log", 3)


@pytest.fixture(scope="module")
def expected(log: EventLog, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The plain functions, in one slice."""
    return run(log, PlainEngine(), tmp_path_factory.mktemp("plain") / "work", SETTINGS, TELLING)


def signals(found: Result) -> list[dict[str, Any]]:
    rows = found.replayed.signals.signals.to_pylist()
    return [{**row, "early": json.loads(row["explanation"]).get("early")} for row in rows]


def test_a_look_raises_the_planted_story_before_the_close_which_confirms_it(
    log: EventLog, expected: Result, tmp_path: Path
) -> None:
    late = run(log, PlainEngine(), tmp_path / "work", settings(0), CLOSES_ONLY)
    (at_close,) = [row for row in signals(late) if row["perimeter"] == PLANTED and row["status"] == "open"]
    (story,) = [row for row in signals(expected) if row["perimeter"] == PLANTED and row["status"] == "open"]
    assert "cendre" in story["label"]
    assert at_close["early"] is None
    assert story["early"]["standing"] == "confirmed"
    # By the fourth author, of whom the first tick after knows.
    fourth = [row["admitted_at"] for row in arriving() if "cendre" in row["text"]][3]
    ticks = -(-fourth.timestamp() // (LOOK_MINUTES * 60))
    assert datetime.fromisoformat(story["early"]["at"]).timestamp() == ticks * LOOK_MINUTES * 60
    assert datetime.fromisoformat(story["early"]["at"]) < at_close["bucket_at"] + timedelta(days=1)


def test_a_close_withdraws_what_a_look_raised_where_many_more_wrote_of_other_things(
    log: EventLog, expected: Result, tmp_path: Path
) -> None:
    (gone,) = [row for row in signals(expected) if row["status"] == "not_sustained"]
    assert gone["perimeter"] == FLOODED_STORE
    assert "goudron" in gone["label"]
    assert gone["early"]["standing"] == "not_sustained"
    assert "withdrawn" in gone["sentence_en"]
    assert "retirée" in gone["sentence_fr"]
    # The close alone raises nothing of it.
    closes = run(log, PlainEngine(), tmp_path / "work", settings(0), CLOSES_ONLY)
    assert not [row for row in signals(closes) if "goudron" in row["label"]]


@pytest.mark.parametrize(
    ("engine", "sizes"),
    [
        pytest.param(PlainEngine, {"slice_rows": 60, "batch_rows": 7}, id="plain, many slices"),
        pytest.param(BeamEngine, {"slice_rows": 600}, id="beam, slices"),
        pytest.param(
            lambda: FlinkEngine(parallelism=2), {"slice_rows": 300}, id="flink", marks=pytest.mark.slow
        ),
    ],
)
def test_engines_and_sizes_give_the_same_looks(
    log: EventLog,
    expected: Result,
    tmp_path: Path,
    engine: Callable[[], Engine | FlinkEngine],
    sizes: dict[str, int],
) -> None:
    same(run(log, engine(), tmp_path / "work", SETTINGS, TELLING, **sizes), expected)


def test_segments_do_not_count(expected: Result, tmp_path: Path) -> None:
    other = run(written(tmp_path / "log", 7), PlainEngine(), tmp_path / "work", SETTINGS, TELLING)
    assert other.lines == expected.lines


def test_followed_live_a_story_is_told_at_its_look_and_a_replay_as_of_then_tells_the_same(
    expected: Result, tmp_path: Path
) -> None:
    """The log grows while the job follows it; whenever a look tells, a replay of the log as it is agrees."""
    place = tmp_path / "log"
    with LogWriter(place, now=lambda: LOADED) as writer:
        writer.append_history(table(past()), loaded_at=LOADED, note={})
    sink = tmp_path / "live"
    live = ByHand(live_job(EventLog(place), SETTINGS, TELLING, sink, ends=False))
    told: list[str] = []
    for number, rows in enumerate(segments(arriving(), 8)):
        with LogWriter(place, now=lambda: LOADED) as writer:
            writer.append_live(table(rows), note={})
        live.run()
        if number % 9 == 4:
            live.restart()
        if not list(sink.glob("epoch-*/told.json")):
            continue
        now = replayed_by(live.job)
        early = [row for row in signals(Result([], [], now)) if row["status"] == "early"]
        if early and now.digest not in told:
            told.append(now.digest)
            work = tmp_path / f"work-{len(told)}"
            then = EventLog(place, until=EventLog(place).seq_of(now.log_head))
            assert run(then, PlainEngine(), work, SETTINGS, TELLING).replayed.digest == now.digest
    assert told
    with LogWriter(place, now=lambda: LOADED) as writer:
        writer.heartbeat(ENDS + timedelta(days=1))
    live.run()
    assert replayed_by(live.job).digest == expected.replayed.digest


Topics = dict[tuple[Any, ...], tuple[int, ...]]


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> Topics:
    """What looks tell of the topic of each event of each candidate, while a test runs."""
    told: Topics = {}

    def corroborate(found: list[Found], *rest: Any) -> None:
        for row in (row for part in found for row in part.early.support.to_pylist()):
            key = tuple(row[name] for name in ("closed", "tick", "perimeter", "feature", "event_id"))
            told[key] = tuple(row["topic"])
        take_in(found, *rest)

    monkeypatch.setattr(chronicle, "corroborate", corroborate)
    return told


def test_looks_tell_topics_and_the_same_ones_live_and_however_work_is_cut(
    log: EventLog, expected: Result, tmp_path: Path, topics: Topics
) -> None:
    """Live, on three shards, with messages in any order."""
    run(log, PlainEngine(), tmp_path / "one", SETTINGS, TELLING)
    whole = dict(topics)
    assert any(whole.values())
    topics.clear()
    run(log, PlainEngine(), tmp_path / "many", SETTINGS, TELLING, slice_rows=60, batch_rows=7)
    assert topics == whole
    topics.clear()
    place = tmp_path / "log"
    with LogWriter(place, now=lambda: LOADED) as writer:
        writer.append_history(table(past()), loaded_at=LOADED, note={})
    job = live_job(EventLog(place), SETTINGS, TELLING, tmp_path / "live", ends=False, shards=3)
    live = ByHand(job, random.Random(2))
    for rows in segments(arriving(), 8):
        with LogWriter(place, now=lambda: LOADED) as writer:
            writer.append_live(table(rows), note={})
        live.run()
    with LogWriter(place, now=lambda: LOADED) as writer:
        writer.heartbeat(ENDS + timedelta(days=1))
    live.run()
    assert topics == whole
    assert replayed_by(live.job).digest == expected.replayed.digest
