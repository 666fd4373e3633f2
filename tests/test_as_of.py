"""Replay as of an instant: byte for byte what a replay of the log as it was then gave, with its settings."""

import json
import pickle
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from connectors.errors import LogError, SettingsError
from connectors.log import EventLog, LogWriter
from connectors.log.as_of import known_at
from pipelines.in_force import payload_of, settings_of, workspace_as_of, workspace_of_version
from pipelines.plain import PlainEngine
from pipelines.replay import canonical
from pipelines.workspace import Workspace
from tests.past_log import BEGUN, LOADED, Life, live_through, opened, rows_between
from tests.test_engines import table

COPIES = 6


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return live_through(tmp_path_factory.mktemp("past"), copies=COPIES)


def lines(workspace: Workspace) -> tuple[str, list[str]]:
    """Head of the log that was read, and the canonical export."""
    replayed = workspace.replay(PlainEngine(), use=lambda _: None)
    return replayed.log_head, list(canonical(replayed.signals))


@pytest.mark.parametrize("number", range(COPIES + 1))
def test_as_of_is_a_replay_of_the_log_as_it_was(life: Life, number: int) -> None:
    moment = life.moments[number]
    past = workspace_as_of(opened(life.settings, life.now), moment.at)
    assert lines(past) == lines(moment.workspace)
    assert payload_of(past) == payload_of(moment.workspace)


def test_the_life_shows_what_it_is_to_show(life: Life) -> None:
    log = EventLog(life.folder / "log")
    assert {"history", "live", "heartbeat", "decision", "generation", "compaction"} == {
        manifest.kind for manifest in log.manifests()
    }
    found = [lines(workspace_as_of(opened(life.settings, life.now), one.at))[1] for one in life.moments]
    assert len({tuple(one) for one in found}) > COPIES / 2
    assert "odeur" in "".join(found[-1])
    versions = {json.loads(line)["settings_version"] for one in found for line in one}
    assert len(versions) >= 3
    assert list(log.verify()) == []


def test_a_past_log_survives_pickling_and_finds_rows_that_moved(life: Life) -> None:
    log = EventLog(life.folder / "log")
    middle = life.moments[COPIES // 2]
    past, copied = log.as_of(middle.at), EventLog(middle.settings.parent / "log")
    assert pickle.loads(pickle.dumps(past)).head_hash == past.head_hash == copied.head_hash
    assert (past.rows, past.clock, past.closed_until()) == (copied.rows, copied.clock, copied.closed_until())
    batches = [
        copied.read_piece(piece)
        for part in copied.slices(max_rows=10_000, zone="UTC")
        for piece in copied.pieces(part)
    ]
    positions = sorted(position for batch in batches for position in batch["position"].to_pylist())
    assert past.take(positions).equals(copied.take(positions))


def test_a_merge_that_holds_later_rows_too_still_gives_those_of_then(tmp_path: Path) -> None:
    from connectors.log.compaction import compact
    from tests.test_log_compaction import DAY, T0, events

    now = T0
    with LogWriter(tmp_path / "log", now=lambda: now) as log:
        for number in range(6):
            now = T0 + timedelta(hours=number)
            log.append_live(events(number), note={})
        now = T0 + 3 * DAY
        log.heartbeat(now)
        assert [one.segment.rows for one in compact(log, zone="UTC", say=print) if one.segment] == [6]
        log.remove_replaced(keep=timedelta())
    past = EventLog(tmp_path / "log").as_of(T0 + timedelta(hours=2, minutes=30))
    (part,) = past.slices(max_rows=100, zone="UTC")
    texts = [text for piece in past.pieces(part) for text in past.read_piece(piece)["text"].to_pylist()]
    assert sorted(texts) == ["texte n° 0", "texte n° 1", "texte n° 2"]
    assert past.take([1 << 32, 3 << 32])["text"].to_pylist() == ["texte n° 0", "texte n° 2"]


def test_nothing_is_known_before_a_history_was_truly_loaded(life: Life) -> None:
    world = opened(life.settings, life.now)
    with pytest.raises(LogError, match=r"nothing was known at .*: the log's first record is of"):
        workspace_as_of(world, LOADED - timedelta(seconds=1))
    assert workspace_as_of(world, LOADED).log.rows


def test_a_log_without_events_yet_says_when_they_came(tmp_path: Path) -> None:
    life = Life(tmp_path / "now")
    with life.write():
        pass
    with pytest.raises(LogError, match=r"no event was known at .*: the log holds none yet$"):
        workspace_as_of(opened(life.settings, life.now), life.now)


def test_a_clock_that_goes_back_makes_nothing_known_earlier(tmp_path: Path) -> None:
    times = [datetime(2025, 1, 1, hour, tzinfo=UTC) for hour in (10, 12, 11, 13)]
    wall = {"now": times[0]}
    with LogWriter(tmp_path / "log", now=lambda: wall["now"]) as log:
        for time in times:
            wall["now"] = time
            log.decide("note", {})
    known = known_at(EventLog(tmp_path / "log").manifests())
    assert known == [times[0], times[1], times[1], times[3]]


def test_a_log_of_an_older_version_says_so(tmp_path: Path) -> None:
    life = Life(tmp_path / "now")
    with LogWriter(life.folder / "log", now=lambda: LOADED) as log:
        rows = rows_between(BEGUN, BEGUN + timedelta(days=1))
        log.append_history(table(rows), loaded_at=LOADED, note={})
    with pytest.raises(LogError, match=r"does not say which settings were in force at .*: an older version"):
        workspace_as_of(opened(life.settings, LOADED), LOADED)


def test_lexicons_that_are_not_kept_are_missed_in_one_line(life: Life, tmp_path: Path) -> None:
    shutil.copytree(life.folder, tmp_path / "now")
    models = tmp_path / "now" / "log" / "models"
    world = opened(tmp_path / "now" / "vigie.toml", life.now)
    first = life.moments[0].at
    kept = workspace_as_of(world, first).lexicons.version
    (models / f"lexicon-{kept}.json").unlink()
    with pytest.raises(LogError, match=rf"lexicons then in force, {kept}, are not kept in the log"):
        workspace_as_of(world, first).reader()
    # Today's are at hand where they are the same.
    last = workspace_as_of(world, life.now).lexicons.version
    (models / f"lexicon-{last}.json").write_text("[]", encoding="utf-8")
    with pytest.raises(LogError, match="is not what its name says"):
        workspace_as_of(world, life.now).reader()
    (models / f"lexicon-{last}.json").unlink()
    assert workspace_as_of(world, life.now).lexicons.version == last


@pytest.mark.parametrize("lost", ["manifest", "segment"])
def test_a_log_that_was_copied_by_half_is_one_line(
    life: Life, tmp_path: Path, shop: ModuleType, lost: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(life.moments[-1].settings.parent, folder)
    kind, pattern = {"manifest": ("manifests", "*.json"), "segment": ("segments", "*.text.parquet")}[lost]
    files = sorted((folder / "log" / "generation-0001" / kind).glob(pattern))
    # The last of a generation that others follow; and the texts of the history.
    (files[-1] if lost == "manifest" else files[0]).unlink()
    asked = (
        "--settings",
        folder / "vigie.toml",
        "--engine",
        "plain",
        "--as-of",
        life.moments[-1].at.isoformat(),
    )
    refused = shop.run("replay", *asked)
    assert refused.exit_code == 4
    said = [line for line in refused.stderr.splitlines() if line.startswith("error")]
    assert len(said) == 1
    assert str(folder / "log") in said[0]
    assert "restore" in said[0]


def test_settings_that_no_longer_parse_are_named(life: Life) -> None:
    world = opened(life.settings, life.now)
    decided = dict(payload_of(world))
    asked = {**decided["detection"], "half_life_days": 1, "window": 3}
    with pytest.raises(SettingsError, match=r"^here: the settings then in force no longer parse: Detection"):
        settings_of({**decided, "detection": asked}, world.settings, where="here")
    del decided["detection"]
    with pytest.raises(SettingsError, match=r"^here: the settings then in force are not complete"):
        settings_of(decided, world.settings, where="here")


def test_settings_of_a_version_judge_again_what_they_judged(life: Life) -> None:
    moment = life.moments[1]
    world, then = opened(life.settings, life.now), moment.workspace.settings_version
    assert then != world.settings_version
    log = EventLog(moment.settings.parent / "log")
    judging = workspace_of_version(world, then, log)
    assert judging is not None
    assert lines(judging) == lines(moment.workspace)
    assert workspace_of_version(world, world.settings_version, log) is world
    assert workspace_of_version(world, "0" * 32, log) is None


def test_a_segment_set_aside_since_cannot_be_replayed(tmp_path: Path) -> None:
    from tests.test_log_compaction import T0, events

    now = T0
    with LogWriter(tmp_path / "log", now=lambda: now) as log:
        log.append_live(events(0), note={})
        now = T0 + timedelta(hours=1)
        log.append_live(events(1), note={})
        core = tmp_path / "log/generation-0001/segments/000000000001.core.parquet"
        core.write_bytes(core.read_bytes()[:-8])
        log.skip(1, say=lambda _: None)
    with pytest.raises(LogError, match=r"segment 1 was known at .* was set aside since"):
        EventLog(tmp_path / "log").as_of(T0)


def test_the_command_shows_the_past_and_stores_nothing(life: Life, tmp_path: Path, shop: ModuleType) -> None:
    moment = life.moments[-1]
    asked = ("replay", "--settings", life.settings, "--engine", "plain", "--as-of", moment.at.isoformat())
    export = tmp_path / "then.jsonl"
    told = shop.run_json(*asked, "--export", export, "--save", tmp_path / "run")
    assert told["stored"] is False
    assert export.read_text("utf-8").splitlines() == lines(moment.workspace)[1]
    assert (tmp_path / "run" / "signals.jsonl").read_bytes() == export.read_bytes()
    assert datetime.fromisoformat(told["as_of"]) == moment.at
    assert not (life.folder / "store").exists()
    days = sorted(row["bucket"] for row in told["signals"])
    some = shop.run_json(*asked, "--from", days[0], "--to", days[0], "--perimeter", "e/sud")
    assert some["digest"] == told["digest"]
    assert some["signals"] == [
        row for row in told["signals"] if row["bucket"] == days[0] and row["perimeter"].startswith("e/sud")
    ]
    early = shop.run(*asked[:-1], "2001-01-01")
    assert (early.exit_code, early.stderr.count("\n")) == (4, 1)
    assert "nothing was known at 2001-01-01T22:59:59" in early.stderr
    assert shop.run(*asked[:-1], "yesterday").exit_code == 2
