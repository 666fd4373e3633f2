"""`vigie erase`: texts go, counts and signals stay, the audit says so, and a replay gives the same again."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from connectors.log import EventLog
from connectors.store import Store

REASON = "demande d'effacement, dossier 12"
TALLIES = "SELECT * FROM vigie.tally ORDER BY bucket_at, perimeter, channel, voice, theme"


@pytest.fixture(scope="module")
def original(shop: ModuleType, store_dsn: str, opened_store: Store) -> Iterator[Path]:
    assert opened_store.connection
    folder = Path(tempfile.mkdtemp(prefix="vigie-erase-test-"))
    settings = shop.write_shop(folder)
    with settings.open("a", encoding="utf-8") as file:
        file.write(f"\n[store]\ndsn = {json.dumps(store_dsn)}\n")
    shop.run_json("ingest", "--settings", settings)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def settings(shop: ModuleType, original: Path, tmp_path: Path, raw: psycopg.Connection) -> Path:
    """Of a copy of the shop, replayed into the store, whose kept heads are its own."""
    copy = Path(shutil.copytree(original, tmp_path / "shop")) / "vigie.toml"
    raw.execute("ALTER TABLE vigie.log_head DISABLE TRIGGER log_head_append_only")
    raw.execute("TRUNCATE vigie.log_head")
    raw.execute("ALTER TABLE vigie.log_head ENABLE TRIGGER log_head_append_only")
    replay(shop, copy)
    return copy


def replay(shop: ModuleType, settings: Path) -> list[dict[str, Any]]:
    told = shop.run_json("replay", "--settings", settings, "--engine", "plain")
    signals: list[dict[str, Any]] = told["signals"]
    return signals


def erase(shop: ModuleType, settings: Path, *options: str) -> dict[str, Any]:
    told: dict[str, Any] = shop.run_json(
        "erase", "--settings", settings, "--reason", REASON, "--yes", *options
    )
    return told


def verify(shop: ModuleType, settings: Path, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = shop.run_json("audit", "verify", "--settings", settings, *options)
    assert found["whole"]
    return found


def texts_on_disk(settings: Path) -> list[str]:
    files = (settings.parent / "log").rglob("*.text.parquet")
    return [text for file in files for text in pq.read_table(file)["text"].to_pylist()]


def planted(texts: list[str], shop: ModuleType) -> int:
    return sum(text in shop.PLANTED for text in texts)


def test_counts_and_signals_stay_when_their_texts_go(
    shop: ModuleType, settings: Path, raw: psycopg.Connection
) -> None:
    signals, tallies = replay(shop, settings), raw.execute(TALLIES).fetchall()
    [signal] = [one for one in signals if one["kind"] == "emergence"]
    going = signal["evidence_events"][:14]
    before = planted(texts_on_disk(settings), shop)
    told = erase(shop, settings, *(part for event in going for part in ("--event", event)))
    assert told["erased"] == len(going) == told["excerpts"]
    assert planted(texts_on_disk(settings), shop) == before - len(going)
    excerpts = raw.execute(
        "SELECT count(excerpt) FROM vigie.signal_evidence WHERE encode(event_id, 'hex') = ANY(%s)", (going,)
    ).fetchone()
    assert excerpts == (0,)

    raw.execute(
        "UPDATE vigie.signal_evidence SET excerpt = 'x' WHERE encode(event_id, 'hex') = %s", (going[0],)
    )
    left = shop.run("audit", "verify", "--settings", settings)
    assert left.exit_code == 5
    assert f"an excerpt of {going[0]} is there, whose text is erased" in left.stderr
    assert shop.run_json("erase", "--settings", settings, "--finish") == {"completed": 0, "excerpts": 1}

    found = verify(shop, settings, "--signals")
    [erasure] = found["erasures"]
    assert (erasure["events"], erasure["reason"]) == (len(going), REASON)
    assert erasure["asked"]["events"] == going
    assert found["sealed"] == [signal["signal_id"]]
    assert found["shifted"] == []

    # Two texts are left of sixteen: without the seal there would be no signal, and fewer mentions.
    assert replay(shop, settings) == signals
    assert raw.execute(TALLIES).fetchall() == tallies
    assert verify(shop, settings, "--signals")["sealed"] == [signal["signal_id"]]
    said = shop.run("audit", "verify", "--settings", settings).stdout
    assert f"erased: {len(going)} texts" in said
    assert REASON in said
    assert f"signal {signal['signal_id'][:8]}: sealed, not re-derivable" in said


def test_everything_of_a_person_or_before_a_day_goes_and_is_not_asked_twice(
    shop: ModuleType, settings: Path, raw: psycopg.Connection
) -> None:
    tallies = raw.execute(TALLIES).fetchall()
    assert erase(shop, settings, "--person", "cliente 1", "--person", "nobody")["erased"] == 1
    first_week = f"{shop.FIRST_DAY.replace(day=shop.FIRST_DAY.day + 7)}"
    mails, answers = 7, 7 * len(shop.STORES) * shop.A_DAY
    assert erase(shop, settings, "--before", first_week)["erased"] == mails + answers - 1
    assert erase(shop, settings, "--before", first_week)["erased"] == 0
    log = EventLog(settings.parent / "log")
    assert [one.events for one in log.erasures] == [1, mails + answers - 1]
    assert "cliente" not in json.dumps([dict(one.asked) for one in log.erasures])
    assert log.rows == shop.EVENTS
    assert verify(shop, settings, "--rows")["events"] == shop.EVENTS
    replay(shop, settings)
    assert raw.execute(TALLIES).fetchall() == tallies
    # The sources still hold the texts: their ids are known, so they do not come back.
    assert shop.run_json("ingest", "--settings", settings)["total"]["events"] == 0
    assert texts_on_disk(settings).count("") == mails + answers


def test_an_interrupted_erasure_is_completed_by_finish_or_ingest(
    shop: ModuleType, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors.log import forget

    for number, command in enumerate((["erase", "--finish"], ["ingest"])):
        with monkeypatch.context() as patch:
            patch.setattr(forget, "finish_erasures", lambda _: [])
            erase(shop, settings, "--person", f"cliente {number + 1}")
        pending = shop.run("audit", "verify", "--settings", settings)
        assert pending.exit_code == 4
        assert "is not completed" in pending.stderr
        shop.run_json(*command, "--settings", settings)
        verify(shop, settings)
    assert texts_on_disk(settings).count("") == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "give --event, --author, --person or --before"),
        (("--finish", "--person", "x"), "--finish alone"),
        (("--person", "x"), "--reason is missing"),
        (("--event", "12", "--reason", "x"), "an id is 32 hexadecimal digits"),
        (("--author", "z" * 32, "--reason", "x"), "an id is 32 hexadecimal digits"),
    ],
)
def test_what_is_not_asked_clearly_is_refused(
    shop: ModuleType, settings: Path, options: tuple[str, ...], said: str
) -> None:
    before = len(list(EventLog(settings.parent / "log").manifests()))
    result = shop.run("erase", "--settings", settings, *options)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert len(list(EventLog(settings.parent / "log").manifests())) == before


def test_nothing_goes_without_a_yes(shop: ModuleType, settings: Path) -> None:
    result = shop.run("erase", "--settings", settings, "--person", "cliente 1", "--reason", "x")
    assert result.exit_code == 1
    assert "Erase 1 text for good?" in result.stderr
    assert EventLog(settings.parent / "log").erasures == []
