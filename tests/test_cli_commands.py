"""The commands, one after the other, on a small shop: init to quarantine, with the built-in store."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from connectors.store import Store, open_store


@dataclass(frozen=True)
class Loaded:
    """A shop that was ingested and replayed into its store. replayed: what `replay --json` printed."""

    settings: Path
    ingested: Any
    replayed: Any
    export: Path
    store: Store


@pytest.fixture(scope="module")
def loaded(shop: ModuleType) -> Iterator[Loaded]:
    """Not under pytest's folder, which only its owner may enter: as root the server is another account."""
    folder = Path(tempfile.mkdtemp(prefix="vigie-cli-"))
    settings = shop.write_shop(folder / "shop")
    ingested = shop.run_json("ingest", "--settings", settings)
    # Kept open, so that the commands find the server running.
    with open_store(None, data=folder / "shop" / "store") as store:
        export = folder / "signals.jsonl"
        replayed = shop.run_json("replay", "--settings", settings, "--engine", "plain", "--export", export)
        yield Loaded(settings, ingested, replayed, export, store)
    shutil.rmtree(folder)


def test_ingest_accounts_for_every_row(loaded: Loaded, shop: ModuleType) -> None:
    survey, mail = loaded.ingested["sources"]["avis"], loaded.ingested["sources"]["mail"]
    assert (survey["read"], survey["events"]) == (shop.SURVEY_ROWS + 2, shop.SURVEY_ROWS)
    assert survey["quarantine_reasons"] == {"bad_date": 1, "unknown_perimeter": 1}
    assert (mail["read"], mail["events"]) == (shop.MAILS, shop.MAILS)
    assert loaded.ingested["total"] == {
        "read": shop.EVENTS + 2,
        "events": shop.EVENTS,
        "duplicates": 0,
        "set_aside": 0,
        "quarantined": 2,
    }


def test_ingest_again_adds_nothing_and_says_why_rows_wait(loaded: Loaded, shop: ModuleType) -> None:
    result = shop.run("ingest", "--settings", loaded.settings)
    assert result.exit_code == 0
    total = next(line.split() for line in result.stdout.splitlines() if line.split()[:1] == ["total"])
    assert total == ["total", str(shop.EVENTS + 2), "0", str(shop.EVENTS), "0", "2"]
    assert (
        "avis: 1 row quarantined: the date is not one, or not in a form that is read (bad_date)"
        in result.stderr
    )
    assert "warning: 2 rows in quarantine: `vigie quarantine list` shows why" in result.stderr


def test_replay_finds_what_was_planted(loaded: Loaded, shop: ModuleType) -> None:
    replayed = loaded.replayed
    assert (replayed["events"], replayed["stored"]) == (shop.EVENTS, True)
    (signal,) = replayed["signals"]
    assert (signal["perimeter"], signal["bucket"]) == ("mag/nord/lille", shop.PLANTED_DAYS[0].isoformat())
    assert "portillon bloqué" in signal["terms"]
    texts = len(signal["evidence_events"])
    assert signal["distinct_authors"] == texts - texts % 5
    assert 8 <= signal["distinct_authors"] <= 16


def test_the_export_holds_the_canonical_lines(loaded: Loaded) -> None:
    lines = loaded.export.read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == loaded.replayed["signals"]


def test_replay_shows_a_table_in_the_language_asked_for_and_the_digest(
    loaded: Loaded, shop: ModuleType
) -> None:
    plain = ("replay", "--settings", loaded.settings, "--engine", "plain", "--no-store")
    french, english = (
        shop.run(*plain),
        shop.run(*plain, "--lang", "en", "--slice-rows", "90", "--batch-rows", "7"),
    )
    for result in (french, english):
        assert result.exit_code == 0, result.stderr
        assert "2025-04-08" in result.stdout
        assert "Lille centre" in result.stdout
        assert f"{shop.EVENTS} events" in result.stdout
        assert f"digest {loaded.replayed['digest']}" in result.stdout
    assert "depuis le 8 avril" in " ".join(french.stdout.split())
    assert "since 8 April" in " ".join(english.stdout.split())


def test_the_store_holds_the_replay_and_what_was_loaded(loaded: Loaded, shop: ModuleType) -> None:
    run = loaded.store.run()
    assert run is not None
    assert run.digest == loaded.replayed["digest"]
    tallies = loaded.store.tallies("mag")
    assert sum(tallies["texts"].to_pylist()) == shop.EVENTS
    assert {row["path"]: row["name"] for row in loaded.store.perimeters()} == {
        "mag": "Mag",
        "mag/nord": "nord",
        "mag/nord/lille": "Lille centre",
        "mag/nord/lens": "Lens",
    }
    first = {row["source"]: row for row in reversed(loaded.store.ingests())}
    assert (first["avis"]["read"], first["avis"]["quarantined"]) == (shop.SURVEY_ROWS + 2, 2)


def test_replay_again_leaves_the_store_as_it_is(loaded: Loaded, shop: ModuleType) -> None:
    before = loaded.store.signals(), loaded.store.tallies("mag"), len(loaded.store.perimeters())
    result = shop.run("replay", "--settings", loaded.settings, "--engine", "plain")
    assert result.exit_code == 0, result.stderr
    assert (loaded.store.signals(), loaded.store.tallies("mag"), len(loaded.store.perimeters())) == before


def test_signals_lists_by_default_and_narrows(loaded: Loaded, shop: ModuleType) -> None:
    settings = ("--settings", loaded.settings)
    everything = shop.run_json("signals", *settings)
    assert everything == shop.run_json("signals", "list", *settings)
    assert [row["signal_id"] for row in everything] == [
        row["signal_id"] for row in loaded.replayed["signals"]
    ]
    assert (
        shop.run_json("signals", *settings, "--perimeter", "Lille centre", "--since", "2025-04-08")
        == everything
    )
    assert shop.run_json("signals", *settings, "--perimeter", "mag/nord/lens") == []
    assert shop.run_json("signals", *settings, "--since", "2025-04-09") == []
    assert "Lille centre" in shop.run("signals", *settings).stdout
    assert "no signal" in shop.run("signals", *settings, "--perimeter", "lens").stderr


def test_show_explains_a_signal_found_by_the_beginning_of_its_id(loaded: Loaded, shop: ModuleType) -> None:
    signal_id = loaded.replayed["signals"][0]["signal_id"]
    result = shop.run("signals", "show", signal_id[:6], "--settings", loaded.settings, "--lang", "fr")
    assert result.exit_code == 0, result.stderr
    for shown in (
        signal_id,
        "depuis le 8 avril",
        "Lille centre (mag/nord/lille)",
        "survey ",
        "customer ",
        "portillon bloqué",
    ):
        assert shown in result.stdout
    assert shop.PLANTED[0] in result.stdout
    row = shop.run_json("signals", "show", signal_id, "--settings", loaded.settings)
    assert {item["excerpt"] for item in row["evidence_texts"]} <= set(shop.PLANTED)


def test_quarantine_list_show_and_purge(loaded: Loaded, shop: ModuleType) -> None:
    settings = ("--settings", loaded.settings)
    entries = shop.run_json("quarantine", "list", *settings)
    where = {entry["reason"]: (entry["file"], entry["line"]) for entry in entries}
    assert where == {
        "bad_date": ("avis.csv", shop.SURVEY_ROWS + 2),
        "unknown_perimeter": ("avis.csv", shop.SURVEY_ROWS + 3),
    }
    listed = shop.run("quarantine", "list", *settings)
    assert f"avis.csv:{shop.SURVEY_ROWS + 2}" in listed.stdout
    (bad_date,) = (entry["id"] for entry in entries if entry["reason"] == "bad_date")
    shown = shop.run("quarantine", "show", bad_date[:8], *settings)
    assert shown.exit_code == 0, shown.stderr
    assert "date: 99/99/2025" in shown.stdout
    assert shop.run_json("quarantine", "show", bad_date, *settings)["payload"]["date"] == "99/99/2025"
    assert shop.run_json("quarantine", "purge", *settings) == {"purged": 0}


def test_log_show_and_verify(loaded: Loaded, shop: ModuleType) -> None:
    settings = ("--settings", loaded.settings)
    records = shop.run_json("log", "show", *settings)
    assert [(row["kind"], row["rows"], row["source"]) for row in records[:3]] == [
        ("decision", 0, None),
        ("history", shop.SURVEY_ROWS, "avis"),
        ("history", shop.MAILS, "mail"),
    ]
    assert "settings" in shop.run("log", "show", *settings).stdout
    assert (
        f"whole: {len(records)} records, {shop.EVENTS} events" in shop.run("log", "verify", *settings).stdout
    )
    assert shop.run_json("log", "verify", *settings) == []
