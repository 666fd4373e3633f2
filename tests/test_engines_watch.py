"""Signals of the watch, from log to sentence, are the same on every engine and however work is cut."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from connectors.log import EventLog
from pipelines.beam import BeamEngine
from pipelines.plain import PlainEngine
from pipelines.replay import Engine
from tests.test_engines import FIRST, PARIS, Result, Rows, history, run, same

WORDS = "pomme table route lampe porte chaise livre carte verre plage fleur sable neige nuage".split()
DAYS, CHANGE, PLACE = 90, 60, "e/nord/a"


def generated() -> Rows:
    """Answers and mails of three stores; from day 60 one has no mails, and its answers no text."""
    chance, rows = random.Random(3), Rows()
    for day in range(DAYS):
        for place in (PLACE, "e/nord/b", "e/sud/c"):
            changed = place == PLACE and day >= CHANGE
            for number in range(8):
                mail = number >= 5
                if mail and changed:
                    continue
                wordless = not mail and (changed or chance.random() < 0.2)
                at = datetime.combine(FIRST + timedelta(days=day), time(9, number), PARIS).astimezone(UTC)
                rows.append(
                    {
                        "event_id": len(rows).to_bytes(16, "little"),
                        "occurred_at": at,
                        "admitted_at": at,
                        "grace_s": 0,
                        "source": "s",
                        "channel": "email" if mail else "survey",
                        "voice": "customer",
                        "perimeter": place,
                        "score": None if mail else chance.choice([0.7, 0.8, 0.9]),
                        "author": (len(rows) + 1).to_bytes(16, "little"),
                        "agent": None,
                        "language": "fr",
                        "flags": 0,
                        "text": "" if wordless else " ".join(chance.choices(WORDS, k=3)),
                    }
                )
    return rows


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    return history(tmp_path_factory.mktemp("watched") / "log", generated())


@pytest.fixture(scope="module")
def expected(log: EventLog, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The plain functions, in one slice."""
    return run(log, PlainEngine(), tmp_path_factory.mktemp("watched") / "work")


def test_the_changes_are_told_and_nothing_else(expected: Result) -> None:
    signals = expected.replayed.signals.signals.to_pylist()
    whole = [row for row in signals if row["status"] != "merged"]
    assert {(row["kind"], row["perimeter"]) for row in whole} == {
        ("silence", PLACE),
        ("answers_without_text", PLACE),
    }
    for row in whole:
        assert CHANGE <= (row["bucket"] - FIRST).days < CHANGE + 14
        assert row["distinct_authors"] >= 4 or row["kind"] == "silence"
    (silence,) = (row for row in whole if row["kind"] == "silence")
    assert silence["label"] == "silence : e-mail"
    assert silence["sentence_fr"].startswith("a : depuis le 8 mars, aucun texte par e-mail pour ")


@pytest.mark.parametrize(
    ("engine", "sizes"),
    [
        pytest.param(PlainEngine, {"slice_rows": 25, "batch_rows": 7}, id="plain, a slice a day"),
        pytest.param(PlainEngine, {"slice_rows": 333}, id="plain, slices"),
        pytest.param(BeamEngine, {"slice_rows": 900}, id="beam, slices"),
    ],
)
def test_slices_and_engines_give_the_same(
    log: EventLog, expected: Result, tmp_path: Path, engine: Callable[[], Engine], sizes: dict[str, int]
) -> None:
    same(run(log, engine(), tmp_path / "work", **sizes), expected)
