"""Verdicts teach the same on every engine, from the bucket after the one in which they came into the log."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from connectors.events import EVENT
from connectors.log import About, EventLog, LogWriter
from pipelines.beam import BeamEngine
from pipelines.flink import FlinkEngine
from pipelines.lexicon import Lexicon, Lexicons
from pipelines.live.sinks import FolderSink
from pipelines.plain import PlainEngine
from pipelines.replay import Engine, Replayed, canonical, replay
from pipelines.settings import Settings
from pipelines.stages.explain import Telling
from pipelines.stages.understand import make_reader
from tests.live_machines import ByHand, live_job

FIRST, DAYS = datetime(2025, 1, 6, tzinfo=UTC), 122
STORE, OTHER = "e/nord/a", "e/sud/b"
WAVES = ((40, STORE), (108, STORE), (66, OTHER))
VERDICTS_ON = 50
SETTINGS = Settings.model_validate(
    {
        "organisation": {"root": "e", "name": "Enseigne", "languages": ["fr"], "timezone": "UTC"},
        "privacy": {"min_authors": 3},
        "detection": {"false_alerts_per_perimeter_per_year": 0.25},
    }
)
READER = make_reader(
    Lexicons({"fr": Lexicon("fr", frozenset({"la", "ne", "plus"}), {}, {}, {}, {})}, {}, "small"),
    default="fr",
    zone="UTC",
)
TELLING = Telling(READER, {}, {}, 3, SETTINGS.stages.window, SETTINGS.version("small"))


def generated() -> list[list[dict[str, Any]]]:
    """Rows of each day: made-up words, and in three waves a shuttle that comes no more, at two stores."""
    chance = random.Random(5)
    vocabulary = ["".join(chance.choices(["ba", "ri", "mo", "té", "lun"], k=3)) for _ in range(80)]
    days: list[list[dict[str, Any]]] = []
    number = 0
    for day in range(DAYS):
        said = [
            (chance.choice([STORE, OTHER, "e/nord/c", "e/sud/d"]), " ".join(chance.choices(vocabulary, k=6)))
            for _ in range(16)
        ]
        for start, place in WAVES:
            if start <= day < start + 10:
                # What a store heard before it must hear louder to be found again.
                for _ in range(4 if (start, place) == WAVES[1] else 1):
                    more = f"{chance.choice(vocabulary)} {chance.choice(vocabulary)}"
                    said.append((place, f"La navette passe plus, {more}"))
        rows = []
        for place, text in said:
            number += 1
            at = FIRST + timedelta(days=day, seconds=chance.randrange(80_000))
            rows.append(
                {
                    **dict.fromkeys(EVENT.names),
                    "event_id": number.to_bytes(16, "little"),
                    "occurred_at": at,
                    "admitted_at": at,
                    "grace_s": 0,
                    "source": "s",
                    "channel": "survey",
                    "voice": "customer",
                    "perimeter": place,
                    "author": number.to_bytes(16, "little"),
                    "language": "fr",
                    "flags": 0,
                    "text": text,
                }
            )
        days.append(sorted(rows, key=lambda row: row["admitted_at"]))
    return days


ROWS = generated()


def append(log: LogWriter, days: range, verdicts: Sequence[tuple[str, About]] = ()) -> None:
    """Append days as they come; on the day VERDICTS_ON, when half of it is in, the verdicts are taken."""
    for day in days:
        rows = ROWS[day]
        parts = [rows[: len(rows) // 2], rows[len(rows) // 2 :]] if day == VERDICTS_ON else [rows]
        log.append_live(pa.Table.from_pylist(parts[0], schema=EVENT), note={})
        if day == VERDICTS_ON:
            for number, (judgement, about) in enumerate(verdicts):
                log.verdict(f"{number:032x}", judgement, about=about, judged_at=FIRST)
            log.append_live(pa.Table.from_pylist(parts[1], schema=EVENT), note={})


def written(folder: Path, verdicts: Sequence[tuple[str, About]] = ()) -> EventLog:
    with LogWriter(folder, now=lambda: FIRST) as log:
        append(log, range(DAYS), verdicts)
    return EventLog(folder)


def run(log: EventLog, engine: Engine | FlinkEngine, work: Path, **sizes: Any) -> Replayed:
    work.mkdir()
    if isinstance(engine, FlinkEngine):
        return engine.replay(log, SETTINGS, TELLING, work=work, **sizes)
    return replay(log, SETTINGS, READER, TELLING, engine, work=work, **sizes)


def waves(replayed: Replayed) -> dict[tuple[int, str], dict[str, Any]]:
    """The signals of each wave at its store, by the wave."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for row in replayed.signals.signals.to_pylist():
        day = (row["bucket"] - FIRST.date()).days
        for start, place in WAVES:
            if start <= day < start + 14 and row["perimeter"] == place and row["kind"] == "emergence":
                assert (start, place) not in found
                found[start, place] = {**row, "day": day, "explanation": json.loads(row["explanation"])}
    return found


@pytest.fixture(scope="module")
def untaught(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, str], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("untaught")
    found = waves(run(written(folder / "log"), PlainEngine(), folder / "work"))
    assert found.keys() == set(WAVES)
    assert all(one["explanation"]["taught"] is None for one in found.values())
    return found


def judged(
    untaught: dict[tuple[int, str], dict[str, Any]], judgement: str, times: int, perimeter: str = STORE
) -> list[tuple[str, About]]:
    """So many verdicts about signals like that of the first wave."""
    first = untaught[WAVES[0]]
    about = About(perimeter, first["kind"], tuple(first["explanation"]["subjects"]))
    return [(judgement, about)] * times


def test_what_was_dismissed_seven_times_needs_eight_times_the_evidence(
    untaught: dict[tuple[int, str], dict[str, Any]], tmp_path: Path
) -> None:
    log = written(tmp_path / "log", judged(untaught, "dismiss", 7))
    found = waves(run(log, PlainEngine(), tmp_path / "work"))
    before, again, elsewhere = (found[wave] for wave in WAVES)
    # The day of the verdicts and those before it are judged as if nobody had said a thing.
    assert (before["day"], before["evidence"]) == (untaught[WAVES[0]]["day"], untaught[WAVES[0]]["evidence"])
    assert again["day"] > untaught[WAVES[1]]["day"]
    assert again["explanation"]["threshold"] > untaught[WAVES[1]]["explanation"]["threshold"] + 2
    assert (elsewhere["day"], elsewhere["evidence"]) == (
        untaught[WAVES[2]]["day"],
        untaught[WAVES[2]]["evidence"],
    )
    assert again["explanation"]["taught"] == {
        "dismissed": 7,
        "confirmed": 0,
        "times": 8.0,
        "since": (FIRST.date() + timedelta(days=VERDICTS_ON + 1)).isoformat(),
    }
    assert elsewhere["explanation"]["taught"] is None


def test_what_was_confirmed_needs_less(
    untaught: dict[tuple[int, str], dict[str, Any]], tmp_path: Path
) -> None:
    # The second wave is found by the division first.
    log = written(tmp_path / "log", judged(untaught, "confirm", 7, perimeter="e/nord"))
    again = waves(run(log, PlainEngine(), tmp_path / "work"))[WAVES[1]]
    usual = untaught[WAVES[1]]
    assert again["day"] <= usual["day"]
    assert again["explanation"]["threshold"] < usual["explanation"]["threshold"]
    assert again["explanation"]["taught"]["times"] == 1 / 8


@pytest.fixture(scope="module")
def mixed(
    untaught: dict[tuple[int, str], dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[EventLog, list[tuple[str, About]], list[str]]:
    """A log with verdicts of both kinds, the verdicts, and what the plain functions make of it."""
    folder = tmp_path_factory.mktemp("mixed")
    verdicts = judged(untaught, "dismiss", 3)
    other = untaught[WAVES[2]]
    verdicts += [("confirm", About("e/sud", "emergence", tuple(other["explanation"]["subjects"])))] * 2
    verdicts += [
        ("dismiss", About("e", "unusual_day", ("up",))),
        ("confirm", About("e", "score_drift", ("down",))),
    ]
    log = written(folder / "log", verdicts)
    return log, verdicts, list(canonical(run(log, PlainEngine(), folder / "work").signals))


@pytest.mark.parametrize(
    ("engine", "sizes"),
    [
        pytest.param(PlainEngine, {"slice_rows": 50, "batch_rows": 7}, id="plain, many slices"),
        pytest.param(BeamEngine, {"slice_rows": 600}, id="beam"),
        pytest.param(
            lambda: FlinkEngine(parallelism=2), {"slice_rows": 400}, id="flink", marks=pytest.mark.slow
        ),
    ],
)
def test_engines_learn_the_same(mixed: Any, tmp_path: Path, engine: Any, sizes: dict[str, int]) -> None:
    log, _, expected = mixed
    assert any('"taught": {' in line for line in expected)
    assert list(canonical(run(log, engine(), tmp_path / "work", **sizes).signals)) == expected


def test_the_order_of_the_days_verdicts_makes_no_difference(mixed: Any, tmp_path: Path) -> None:
    _, verdicts, expected = mixed
    log = written(tmp_path / "log", verdicts[::-1])
    assert list(canonical(run(log, PlainEngine(), tmp_path / "work").signals)) == expected


def test_a_job_that_follows_the_log_learns_from_verdicts_as_they_come(mixed: Any, tmp_path: Path) -> None:
    """Moved by hand, with a restart from its state before and after the verdicts."""
    _, verdicts, expected = mixed
    with LogWriter(tmp_path / "log", now=lambda: FIRST) as writer:
        append(writer, range(20), verdicts)
        log = EventLog(tmp_path / "log")
        job = live_job(log, SETTINGS, TELLING, tmp_path / "out", ends=False)
        by_hand = ByHand(job, random.Random(1))
        for start, end in ((20, 45), (45, 55), (55, 90), (90, 110), (110, DAYS)):
            append(writer, range(start, end), verdicts)
            by_hand.run()
            by_hand.restart()
    assert list(canonical(FolderSink(tmp_path / "out", "e").read().signals)) == expected
