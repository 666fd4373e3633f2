"""What a probe tells is what an estimator of its own makes of rows counted by hand, whatever the engine."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from connectors.events import EVENT
from connectors.log import EventLog, LogWriter
from detectors.features import feature_id
from pipelines.beam import BeamEngine
from pipelines.lexicon import Lexicon, Lexicons
from pipelines.plain import PlainEngine
from pipelines.probing import Probed, probe_log
from pipelines.replay import Engine, judged, make_plan
from pipelines.settings import Settings
from pipelines.stages.clearing import authors_to_clear
from pipelines.stages.finding import MOOD, SILENCE, Series
from pipelines.stages.judged_days import days_of_series
from pipelines.stages.probe import PROBED, Probe
from pipelines.stages.understand import make_reader

FIRST = date(2024, 1, 8)
FIRST_BUCKET = (FIRST - date(1970, 1, 1)).days
DAYS, RISE, BEFORE = 70, 50, (20, 33)
PLACES = ("e/nord/lille/gare", "e/nord/lille", "e/sud/nice", "e/sud")
GARE, LILLE, NORD = "e/nord/lille/gare", "e/nord/lille", "e/nord"
SMELL = feature_id("odeur")
NOTHING = feature_id("introuvable")
PROBES = [Probe(path, SMELL) for path in (GARE, LILLE, NORD, "e/sud/nice", "e")] + [Probe(GARE, NOTHING)]
SETTINGS = Settings.model_validate(
    {
        "organisation": {"root": "e", "name": "Enseigne", "languages": ["fr"], "timezone": "UTC"},
        "privacy": {"min_authors": 4},
        "detection": {"warm_up_days": 10, "memory_days": 14},
    }
)
DETECTION = SETTINGS.stages
LEXICONS = Lexicons({"fr": Lexicon("fr", frozenset({"une", "de"}), {}, {}, {}, {})}, {}, "none")
READER = make_reader(LEXICONS, default="fr", zone="UTC")
Said = tuple[int, str, bool]
"""Day, perimeter, whether it speaks of the smell; every author writes once."""


def said() -> list[Said]:
    """Days of four to nine texts, the station silent on Sundays; the smell twice by chance, then daily."""
    chance = random.Random(3)
    texts: list[Said] = []
    for day in range(DAYS):
        for _ in range(chance.randrange(4, 10)):
            place = chance.choice(PLACES[1:] if day % 7 == 6 else PLACES)
            texts.append((day, place, False))
        if day in BEFORE:
            texts.append((day, GARE, True))
        if day >= RISE and day % 7 != 6:
            texts += [(day, GARE, True)] * 2
    return texts


SAID = said()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    chance, rows = random.Random(4), []
    for number, (day, perimeter, smells) in enumerate(SAID):
        word = "".join(chance.choices("aeioulmnrt", k=8))
        at = datetime(2024, 1, 8, 9, tzinfo=UTC) + timedelta(days=day, seconds=number)
        rows.append(
            {
                "event_id": number.to_bytes(16, "little"),
                "occurred_at": at,
                "admitted_at": at,
                "grace_s": 0,
                "source": "s",
                "channel": "survey",
                "voice": "customer",
                "perimeter": perimeter,
                "score": None,
                "author": (number + 1).to_bytes(16, "little"),
                "agent": None,
                "language": "fr",
                "flags": 0,
                "text": f"{word} odeur" if smells else word,
            }
        )
    folder = tmp_path_factory.mktemp("probe") / "log"
    now = datetime(2025, 1, 1, tzinfo=UTC)
    with LogWriter(folder, now=lambda: now) as writer:
        writer.append_history(pa.Table.from_pylist(rows, EVENT), loaded_at=now, note={})
    return EventLog(folder)


def look(log: EventLog, work: Path, engine: Engine | None = None, **options: Any) -> Probed:
    work.mkdir()
    options = {"asked": PROBES, "themes": {}, **options}
    return probe_log(log, SETTINGS, READER, engine or PlainEngine(), work=work, **options)


def probed(log: EventLog, work: Path, engine: Engine | None = None, **options: Any) -> pa.Table:
    return look(log, work, engine, **options).features


@pytest.fixture(scope="module")
def table(log: EventLog, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    return probed(log, tmp_path_factory.mktemp("table") / "work")


def rows_of(table: pa.Table, probe: Probe) -> list[dict[str, Any]]:
    rows = table.to_pylist()
    return [row for row in rows if (row["perimeter"], row["feature"]) == (probe.perimeter, probe.feature)]


def heard(day: int, perimeter: str) -> tuple[int, int]:
    """Authors who speak of the smell, and who wrote, at a perimeter or below."""
    here = [smells for when, place, smells in SAID if when == day and f"{place}/".startswith(f"{perimeter}/")]
    return sum(here), len(here)


@pytest.mark.parametrize("perimeter", [GARE, LILLE, NORD, "e/sud/nice", "e"])
def test_authors_and_exposure_are_those_counted_by_hand(table: pa.Table, perimeter: str) -> None:
    rows = rows_of(table, Probe(perimeter, SMELL))
    assert table.schema == PROBED
    division = "/".join(perimeter.split("/")[:2])
    days = [day for day in range(DAYS) if heard(day, division)[1]]
    assert [row["bucket"] for row in rows] == [FIRST_BUCKET + day for day in days]
    assert [(row["authors"], row["exposure"]) for row in rows] == [heard(day, perimeter) for day in days]


def alone(thresholds: dict[tuple[int, str], float]) -> dict[tuple[int, str], dict[str, float]]:
    """What estimators of one feature, one a level, each with its parent's rate, make of counts by hand.

    thresholds: by bucket and perimeter, those wanted.
    """
    levels = {path: DETECTION.estimator() for path in ("e", NORD, LILLE, GARE)}
    features, made = np.array([SMELL], np.uint64), {}
    for day in range(DAYS):
        # Divisions learn what the root would expect without a prior of its own.
        bucket, prior, told = FIRST_BUCKET + day, None, levels["e"].rates(features, bucket=FIRST_BUCKET + day)
        for path, estimator in levels.items():
            authors, exposure = heard(day, path)
            if (bucket, path) not in thresholds:
                continue
            given: Any = {"exposure": exposure, "bucket": bucket, "prior": prior}
            scores = estimator.score_many(features, np.array([authors]), **given)
            alarm = authors > 0 and scores.observed[0] >= 4 and scores.evidence[0] >= thresholds[bucket, path]
            names = ("rate", "evidence", "observed", "expected", "since")
            made[bucket, path] = {name: getattr(scores, name)[0] for name in names} | {"flagged": alarm}
            if exposure:
                estimator.learn_many(features, np.array([authors]), **given)
            if alarm:
                estimator.restart(features)
            prior = told if path == "e" else scores.rate
    return made


def test_values_are_those_of_estimators_of_their_own(table: pa.Table) -> None:
    mine = {
        (row["bucket"], path): row
        for path in ("e", NORD, LILLE, GARE)
        for row in rows_of(table, Probe(path, SMELL))
    }
    theirs = alone({key: row["threshold"] for key, row in mine.items()})
    assert theirs.keys() == mine.keys()
    for key, values in theirs.items():
        assert {name: mine[key][name] for name in values} == pytest.approx(values, rel=1e-12), key
    flagged = [bucket for (bucket, path), row in mine.items() if path == GARE and row["flagged"]]
    assert flagged
    assert min(flagged) >= FIRST_BUCKET + RISE


def test_silence_takes_from_the_evidence_of_the_last_mention(table: pa.Table) -> None:
    last, silences = 0.0, 0
    for row in rows_of(table, Probe(GARE, SMELL)):
        if row["authors"]:
            last = 0.0 if row["flagged"] else row["evidence"]
        else:
            silences += last > 0
            # What is remembered is in single precision.
            same = row["evidence"] == pytest.approx(last, rel=1e-6)
            assert row["evidence"] < last or same or row["evidence"] <= 0
            assert row["exposure"] == 0 or not same or row["evidence"] <= 0
    assert silences


def test_a_feature_never_heard_is_expected_less_and_less(table: pa.Table) -> None:
    rows = rows_of(table, Probe(GARE, NOTHING))
    assert len(rows) == len(rows_of(table, Probe(GARE, SMELL)))
    assert not any(row["authors"] or row["flagged"] or row["evidence"] > 0 for row in rows)
    assert rows[-1]["rate"] <= rows[1]["rate"]


@pytest.mark.parametrize(
    ("engine", "sizes"),
    [
        pytest.param(PlainEngine, {"slice_rows": 31, "batch_rows": 7}, id="plain, many slices"),
        pytest.param(BeamEngine, {"slice_rows": 250}, id="beam, slices"),
    ],
)
def test_engines_and_sizes_give_the_same(
    log: EventLog, table: pa.Table, tmp_path: Path, engine: Callable[[], Engine], sizes: dict[str, int]
) -> None:
    assert probed(log, tmp_path / "work", engine(), **sizes).equals(table)


def test_one_probe_alone_tells_the_same(log: EventLog, table: pa.Table, tmp_path: Path) -> None:
    alone = probed(log, tmp_path / "work", asked=[Probe(GARE, SMELL)])
    assert alone.to_pylist() == rows_of(table, Probe(GARE, SMELL))


def test_a_last_bucket_ends_it(log: EventLog, table: pa.Table, tmp_path: Path) -> None:
    until = FIRST_BUCKET + 40
    early = probed(log, tmp_path / "work", until=until)
    assert early.to_pylist() == [row for row in table.to_pylist() if row["bucket"] <= until]


def test_no_probe_no_rows(log: EventLog, tmp_path: Path) -> None:
    assert probed(log, tmp_path / "work", asked=[]).equals(PROBED.empty_table())


SERIES = [Series(SILENCE, GARE, "survey"), Series(MOOD, "e"), Series(SILENCE, GARE, "email")]


@pytest.fixture(scope="module")
def watched(log: EventLog, tmp_path_factory: pytest.TempPathFactory) -> Probed:
    return look(log, tmp_path_factory.mktemp("watched") / "work", asked=SERIES)


def test_a_series_of_the_watch_is_shown_day_by_day(watched: Probed) -> None:
    shown = [one for one in watched.series if one.kind == SILENCE]
    days = days_of_series(shown, watched.raised, since=FIRST, min_authors=2)
    first = next(day for day in range(DAYS) if heard(day, GARE)[1])
    assert [one.day for one in days] == [FIRST + timedelta(days=day) for day in range(first, DAYS)]
    begun = [one.since - FIRST_BUCKET for one in shown]
    counts = [
        sum(heard(day, GARE)[1] for day in range(since, number))
        for since, number in zip(begun, range(first + 1, DAYS + 1), strict=True)
    ]
    told = [
        (count, one.observed)
        for count, one in zip(counts, days, strict=True)
        if one.observed is not None and not one.withheld
    ]
    assert told
    # A count is told to the minimum below, and stands until one that differs by the minimum can be told.
    assert all(observed % 2 == 0 and 0 <= count - observed <= 2 for count, observed in told)
    assert {observed for _, observed in told} > {0}
    assert {(one.perimeter, one.detail) for one in shown} == {(GARE, "survey")}


def test_a_mood_is_that_of_each_days_texts(watched: Probed) -> None:
    moods = [one for one in watched.series if one.kind == MOOD]
    assert [one.bucket for one in moods] == [FIRST_BUCKET + day for day in range(DAYS)]
    # The lexicon knows no word that is glad or sad.
    assert {one.observed for one in days_of_series(moods, (), since=FIRST, min_authors=1)} == {0.0}


@pytest.mark.parametrize("slice_rows", [31, 250])
def test_sizes_show_the_same_series(log: EventLog, watched: Probed, tmp_path: Path, slice_rows: int) -> None:
    again = look(log, tmp_path / "work", asked=SERIES, slice_rows=slice_rows)
    assert list(again.series) == list(watched.series)
    assert again.raised == watched.raised


def _alarm(rows: list[dict[str, Any]], fewer: int, alarm: int) -> bool:
    """Whether the station's estimator alone raises one up to `alarm`, its latest authors taken away."""
    counts = [row["authors"] for row in rows if row["bucket"] <= alarm]
    for _ in range(fewer):
        counts[max(at for at, count in enumerate(counts) if count)] -= 1
    estimator, features = DETECTION.estimator(), np.array([SMELL], np.uint64)
    for row, count in zip(rows, counts, strict=False):
        if row["exposure"]:
            scores = estimator.learn_many(
                features,
                np.array([count]),
                exposure=row["exposure"],
                bucket=row["bucket"],
                prior=np.array([row["prior"]]),
            )
            if count and scores.observed[0] >= 4 and scores.evidence[0] >= row["threshold"]:
                return True
    return False


def test_the_fewest_authors_that_clear_an_alarm(table: pa.Table) -> None:
    rows = rows_of(table, Probe(GARE, SMELL))
    alarm = next(row["bucket"] for row in rows if row["flagged"])
    fewest = authors_to_clear(rows, DETECTION, alarm=alarm)
    assert fewest is not None
    assert fewest >= 1
    assert not _alarm(rows, fewest, alarm)
    assert all(_alarm(rows, fewer, alarm) for fewer in range(fewest))


def test_where_there_was_no_alarm_nothing_clears_it(table: pa.Table) -> None:
    assert authors_to_clear(rows_of(table, Probe(GARE, SMELL)), DETECTION, alarm=FIRST_BUCKET) is None


def test_thresholds_are_those_that_alarms_are_held_against(
    log: EventLog, table: pa.Table, tmp_path: Path
) -> None:
    plan, _ = make_plan(log, SETTINGS, READER, work=tmp_path)
    slices = log.slices(max_rows=100_000, zone="Europe/Paris")
    found = [
        row for shard in judged(slices, plan, PlainEngine()) for row in shard.found.candidates.to_pylist()
    ]
    known = {
        (row["bucket"], row["perimeter"], row["feature"]): row for row in table.to_pylist() if row["flagged"]
    }
    asked = {(probe.perimeter, probe.feature) for probe in PROBES}
    mine = [row for row in found if (row["perimeter"], row["feature"]) in asked]
    assert {row["perimeter"] for row in mine} >= {"e", NORD}
    assert len(mine) == len(known)
    for row in mine:
        probe = known[row["bucket"], row["perimeter"], row["feature"]]
        assert (probe["threshold"], probe["evidence"]) == (row["threshold"], row["evidence"])
