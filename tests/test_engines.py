"""Every engine gives the same signals and the same cells, to the byte, however log and work are cut."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.errors import LogError
from connectors.events import EVENT
from connectors.log import EventLog, LogWriter
from detectors.features import THEME, feature_id
from pipelines.beam import BeamEngine
from pipelines.flink import FlinkEngine
from pipelines.lexicon import Lexicon, Lexicons, Theme
from pipelines.plain import PlainEngine
from pipelines.replay import Engine, Replayed, canonical, digest, replay
from pipelines.settings import Settings
from pipelines.stages.explain import Telling
from pipelines.stages.tally import CELL, CELLS
from pipelines.stages.understand import make_reader

DAYS, A_DAY = 120, 25
FIRST = date(2024, 1, 8)
PARIS = ZoneInfo("Europe/Paris")
STORES = [
    f"e/{division}/{store}" for division in ("nord", "sud", "ouest") for store in ("a", "b", "c/x", "c/y")
]
PLANTED = "e/sud/b"
PLANTED_FROM = 100
SENT_ON, REMINDED_ON = (47, 48, 49), (70, 88, 93)
SMELL = Theme("smell", "Odeur", "Smell", "conformity", "none", "facilities", "complaint")
FRENCH = Lexicon(
    "fr",
    stopwords=frozenset({"une", "de", "du", "près", "bonjour", "merci"}),
    sentiment={("odeur",): -2},
    negators={"pas": 3},
    intensifiers={},
    themes={("odeur", "de"): ("smell",)},
)
ENGLISH = Lexicon("en", frozenset({"not"}), {("good",): 2}, {"not": 3}, {}, {})
LEXICONS = Lexicons({"en": ENGLISH, "fr": FRENCH}, {"smell": SMELL}, "small")
"""A small lexicon: Beam compresses what its workers need once a step."""
SETTINGS = Settings.model_validate(
    {
        "organisation": {"root": "e", "name": "Enseigne", "languages": ["fr", "en"]},
        "privacy": {"min_authors": 4},
        # Words at random: with more, one of them would be told for nothing now and then.
        "detection": {"false_alerts_per_perimeter_per_year": 0.02},
    }
)
READER = make_reader(LEXICONS, default="fr", zone="Europe/Paris")
TELLING = Telling(
    reader=READER,
    names={PLANTED: "Magasin B"},
    themes={feature_id(key, THEME): theme for key, theme in LEXICONS.themes.items()},
    min_authors=4,
    window=SETTINGS.stages.window,
    settings_version=SETTINGS.version(LEXICONS.version),
)
Rows = list[dict[str, Any]]


def syllables(chance: random.Random) -> str:
    return "".join(chance.choice(["ba", "ri", "mo", "té", "lun", "ca", "vé"]) for _ in range(3))


def generated() -> Rows:
    """A hundred and twenty days of made-up words, and from day 100 a smell of ashes in one store.

    On SENT_ON one notice a day is sent everywhere, and the last of them again on REMINDED_ON.
    """
    chance = random.Random(11)
    vocabulary = sorted({syllables(chance) for _ in range(250)})
    rows: Rows = []

    def add(day: int, perimeter: str, text: str, **more: Any) -> None:
        at = datetime.combine(FIRST + timedelta(days=day), time(), PARIS) + timedelta(
            seconds=chance.randrange(86_000)
        )
        author = chance.randrange(1, 4_000)
        rows.append(
            {
                "event_id": len(rows).to_bytes(16, "little"),
                "occurred_at": at.astimezone(UTC),
                "admitted_at": at.astimezone(UTC),
                "grace_s": 0,
                "source": "s",
                "channel": chance.choice(["survey", "email"]),
                "voice": chance.choice(["customer", "customer", "customer", "field"]),
                "perimeter": perimeter,
                "score": chance.choice([None, 0.25, 0.9, 1 / 3]),
                "author": author.to_bytes(16, "little") if author % 3 else None,
                "agent": None,
                "language": "fr",
                "flags": 0,
                "text": text,
                **more,
            }
        )

    for day in range(DAYS):
        for _ in range(A_DAY):
            said = " ".join(chance.choices(vocabulary, k=chance.randrange(4, 20)))
            place = chance.choice([*STORES, "e/nord", "e"])
            kind = chance.random()
            if kind < 0.08:
                add(day, place, "", score=0.5)
            elif kind < 0.16:
                add(day, place, f"not good: {said}", language="en")
            else:
                add(day, place, f"Bonjour, {said}. Merci", language=chance.choice(["fr", "fr", "und"]))
        if day >= PLANTED_FROM:
            for _ in range(4):
                add(
                    day,
                    PLANTED,
                    "Une odeur de cendre près du fournil, " + " ".join(chance.choices(vocabulary, k=3)),
                )
        if 80 <= day < 86:
            for store in ("e/nord/a", "e/nord/a", "e/nord/c/x", "e/nord/c/x"):
                add(day, store, "La navette ne passe plus, " + " ".join(chance.choices(vocabulary, k=3)))
        if 60 <= day < 63:
            for _ in range(6):
                add(day, "e/ouest/a", "Signez contre la taupe mécanique du square. " * 3, author=None)
    for day in (*SENT_ON, *REMINDED_ON):
        number = "i" * min(len(SENT_ON), day - SENT_ON[0] + 1)
        for place in (*STORES, "e/nord", "e"):
            said = f"Les hirondelles nichent encore sous notre auvent numéro {number}"
            add(day, place, said, author=None)
    for place in STORES:
        add(REMINDED_ON[-1], place, "Le ramonage des cheminées aura lieu mardi prochain", author=None)
    return rows


ROWS = generated()


def table(rows: Rows) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=EVENT)


def history(folder: Path, *loads: Rows) -> EventLog:
    """A log with one history load, and so one segment, for each list of rows."""
    now = datetime(2025, 1, 1, tzinfo=UTC)
    with LogWriter(folder, now=lambda: now) as writer:
        for rows in loads:
            writer.append_history(table(rows), loaded_at=now, note={})
    return EventLog(folder)


def live(folder: Path, segments: list[Rows]) -> EventLog:
    """A log with one live segment for each list of rows."""
    with LogWriter(folder, now=lambda: datetime(2025, 1, 1, tzinfo=UTC)) as writer:
        for rows in segments:
            writer.append_live(table(rows), note={})
    return EventLog(folder)


@dataclass(frozen=True)
class Result:
    lines: list[str]
    cells: list[dict[str, Any]]
    replayed: Replayed


def run(
    log: EventLog,
    engine: Engine | FlinkEngine,
    work: Path,
    settings: Settings = SETTINGS,
    telling: Telling = TELLING,
    /,
    **sizes: Any,
) -> Result:
    work.mkdir()
    if isinstance(engine, FlinkEngine):
        replayed = engine.replay(log, settings, telling, work=work, **sizes)
    else:
        replayed = replay(log, settings, telling.reader, telling, engine, work=work, **sizes)
    cells = pa.concat_tables([pq.read_table(file) for file in replayed.cells])
    assert cells.schema == CELLS
    ordered = cells.sort_by([(name, "ascending") for name in CELL]).to_pylist()
    return Result(list(canonical(replayed.signals)), ordered, replayed)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    return history(tmp_path_factory.mktemp("one") / "log", ROWS)


@pytest.fixture(scope="module")
def expected(log: EventLog, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The plain functions, in one slice."""
    return run(log, PlainEngine(), tmp_path_factory.mktemp("plain") / "work")


def same(found: Result, expected: Result) -> None:
    assert found.lines == expected.lines
    assert found.cells == expected.cells
    assert found.replayed.digest == expected.replayed.digest
    assert found.replayed.events == expected.replayed.events


def test_the_planted_rises_are_found_and_nothing_else(expected: Result) -> None:
    signals = expected.replayed.signals.signals.to_pylist()
    parts = {json.loads(signal["explanation"])["part_of"] for signal in signals}
    region, store = (
        signal for signal in signals if signal["signal_id"] in parts or signal["status"] != "merged"
    )
    for signal, perimeter, day, word in (
        (region, "e/nord", 80, "navette"),
        (store, PLANTED, PLANTED_FROM, "cendre"),
    ):
        assert signal["perimeter"] == perimeter
        assert timedelta(days=day) <= signal["bucket"] - FIRST <= timedelta(days=day + 4)
        assert word in signal["label"]
    assert store["sentence_fr"].startswith("Magasin B : ")
    assert store["retrospective"]


def test_what_is_sent_everywhere_is_told_only_where_people_write_it_themselves(tmp_path: Path) -> None:
    """Three notices are three mentions, too few for a signal; the same words by many are one."""
    chance = random.Random(7)
    rows = [
        {**row, "text": f"{row['text']} {syllables(chance)}"} if "hirondelles" in row["text"] else row
        for row in ROWS
    ]
    signals = run(history(tmp_path / "log", rows), PlainEngine(), tmp_path / "work").replayed.signals.signals
    told = [row for row in signals.to_pylist() if row["perimeter"] == "e" and row["status"] != "merged"]
    assert [row["bucket"] - FIRST for row in told] == [timedelta(days=SENT_ON[0])]
    assert "auvent" in told[0]["label"]


def test_every_event_is_in_the_cells_once(expected: Result) -> None:
    whole = [cell for cell in expected.cells if cell["theme"] == 0]
    assert expected.replayed.events == len(ROWS)
    assert sum(cell["texts"] for cell in whole if cell["perimeter"] == "e") == len(ROWS)
    for store in (PLANTED, "e/ouest/c", "e/ouest/c/x"):
        mine = [row for row in ROWS if f"{row['perimeter']}/".startswith(f"{store}/")]
        assert sum(cell["texts"] for cell in whole if cell["perimeter"] == store) == len(mine)
        scores = [round(row["score"] * 10_000) for row in mine if row["score"] is not None]
        assert sum(cell["score_sum"] for cell in whole if cell["perimeter"] == store) == sum(scores)


@pytest.mark.parametrize(
    ("engine", "sizes"),
    [
        pytest.param(PlainEngine, {"slice_rows": 90, "batch_rows": 7}, id="plain, many slices"),
        pytest.param(PlainEngine, {"slice_rows": 900, "batch_rows": 100}, id="plain, slices"),
        pytest.param(BeamEngine, {"slice_rows": 10_000}, id="beam, one worker"),
        pytest.param(BeamEngine, {"slice_rows": 1_600, "batch_rows": 64}, id="beam, one worker, slices"),
        pytest.param(
            lambda: BeamEngine(workers=2),
            {"slice_rows": 2_000, "batch_rows": 200},
            id="beam, two workers",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda: BeamEngine(workers=2, options=["--direct_running_mode=multi_processing"]),
            {"slice_rows": 5_000},
            id="beam, two processes",
            marks=pytest.mark.slow,
        ),
        pytest.param(FlinkEngine, {"slice_rows": 1_000}, id="flink, one worker", marks=pytest.mark.slow),
        pytest.param(
            lambda: FlinkEngine(parallelism=2),
            {"slice_rows": 500, "batch_rows": 100},
            id="flink, two workers",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda: FlinkEngine(parallelism=4),
            {"slice_rows": 300},
            id="flink, four workers",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_engines_and_sizes_give_the_same(
    log: EventLog,
    expected: Result,
    tmp_path: Path,
    engine: Callable[[], Engine | FlinkEngine],
    sizes: dict[str, int],
) -> None:
    same(run(log, engine(), tmp_path / "work", **sizes), expected)


@pytest.mark.parametrize(("engine", "loads"), [(PlainEngine, 1), (PlainEngine, 9), (BeamEngine, 9)])
def test_order_of_rows_and_number_of_segments_do_not_count(
    expected: Result, tmp_path: Path, engine: Callable[[], Engine], loads: int
) -> None:
    rows = list(ROWS)
    random.Random(loads).shuffle(rows)
    log = history(tmp_path / "log", *(rows[part::loads] for part in range(loads)))
    assert len(list(log.manifests())) == loads
    same(run(log, engine(), tmp_path / "work"), expected)


def test_order_of_arrival_does_not_count(tmp_path: Path) -> None:
    """Live segments of five days each, admitted at their end: every row counts on its own day."""
    days = [(row["occurred_at"].astimezone(PARIS).date() - FIRST).days for row in ROWS]
    spans = [
        [row for row, day in zip(ROWS, days, strict=True) if day // 5 == span] for span in range(DAYS // 5)
    ]
    logs = []
    for shuffled in (False, True):
        parts = []
        for number, rows in enumerate(spans):
            last = max(row["occurred_at"] for row in rows)
            part = [{**row, "admitted_at": last, "grace_s": 5 * 86_400} for row in rows]
            parts.append(random.Random(number).sample(part, len(part)) if shuffled else part)
        logs.append(live(tmp_path / str(shuffled), parts))
    ordered = run(logs[0], PlainEngine(), tmp_path / "work-1")
    same(run(logs[1], PlainEngine(), tmp_path / "work-2", slice_rows=1_000), ordered)
    assert ordered.lines
    assert ordered.replayed.events < len(ROWS)
    assert not any(signal["retrospective"] for signal in ordered.replayed.signals.signals.to_pylist())


class Filing(PlainEngine):
    """As an engine whose workers are other processes keeps state."""

    in_process = False


def test_a_replay_keeps_one_state_and_says_how_far_it_is(log: EventLog, tmp_path: Path) -> None:
    work, done = tmp_path / "work", []

    def progress(rows: int, total: int) -> None:
        done.append((rows, total))
        # The last slice leaves none: nothing follows.
        states = [place for place in work.iterdir() if place.name.startswith("state-")]
        assert len(states) == (rows < total)

    result = run(log, Filing(), work, slice_rows=450, progress=progress)
    assert len(done) > 5
    assert done == sorted(done)
    assert (
        result.replayed.digest == run(log, PlainEngine(), tmp_path / "held", slice_rows=450).replayed.digest
    )
    assert {total for _, total in done} == {len(ROWS)}
    assert done[-1][0] == len(ROWS)
    assert len(result.replayed.cells) == len(done)
    assert {place.suffix for place in work.rglob("*") if place.is_file()} == {
        ".parquet",
        ".pickle",
    }


def test_the_digest_is_of_the_signals(expected: Result) -> None:
    signals = expected.replayed.signals
    assert digest(signals) == expected.replayed.digest
    assert len(expected.replayed.digest) == 32
    fewer = type(signals)(signals.signals.slice(1), signals.evidence)
    assert digest(fewer) != expected.replayed.digest


def test_a_log_without_events_says_what_to_do(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "log", now=lambda: datetime(2025, 1, 1, tzinfo=UTC)) as writer:
        writer.decide("settings", {})
    with pytest.raises(LogError, match="run `vigie ingest` first"):
        run(EventLog(tmp_path / "log"), PlainEngine(), tmp_path / "work")


def test_years_that_arrows_zones_do_not_know_are_replayed(tmp_path: Path) -> None:
    """The last minute of a summer's day in Paris and the first of the next, in slices of their own."""
    times = [datetime(2041, 7, 1, 21, 59, tzinfo=UTC), datetime(2041, 7, 1, 22, tzinfo=UTC)]
    rows = [{**row, "occurred_at": at, "admitted_at": at} for row, at in zip(ROWS[:2], times, strict=True)]
    result = run(history(tmp_path / "log", rows), PlainEngine(), tmp_path / "work", slice_rows=1)
    days = {cell["bucket"] - (date(2041, 7, 1) - date(1970, 1, 1)).days for cell in result.cells}
    assert days == {0, 1}
    assert result.replayed.events == 2


@pytest.mark.parametrize("engine", [PlainEngine, BeamEngine])
def test_scores_without_a_word_give_cells_and_no_signal(tmp_path: Path, engine: Callable[[], Engine]) -> None:
    rows = [{**row, "text": "", "score": 0.5} for row in ROWS[:200]]
    result = run(history(tmp_path / "log", rows), engine(), tmp_path / "work")
    assert result.lines == []
    assert result.replayed.events == 200
    assert all(cell["without_text"] == cell["texts"] for cell in result.cells)


def test_a_number_of_workers_must_be_one_at_least() -> None:
    with pytest.raises(ValueError, match="workers is 0"):
        BeamEngine(workers=0)
