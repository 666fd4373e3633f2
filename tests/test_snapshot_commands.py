"""Snapshots of a workspace: commands write and list them, audits judge them again, erasures remove them."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest

from connectors.errors import LogError
from pipelines.cli.snapshots import write_snapshot
from pipelines.erase import Asked, erase_found, find
from pipelines.in_force import workspace_as_of
from pipelines.plain import PlainEngine
from pipelines.proof import prove
from pipelines.replay import canonical
from pipelines.snapshots import Keeping, Snapshots
from pipelines.snapshots.journal import differing
from pipelines.snapshots.opening import keeping_of, snapshots_of
from pipelines.workspace import Workspace
from tests.past_log import Life, live_through, opened


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return live_through(tmp_path_factory.mktemp("snapshots"), copies=0)


def told(workspace: Workspace, keeping: Keeping | None) -> list[str]:
    """The canonical export."""
    begin = None if keeping is None else keeping.begin
    return list(canonical(workspace.replay(PlainEngine(), use=lambda _: None, begin=begin).signals))


def keyed(life: Life, tmp_path: Path) -> tuple[Workspace, Snapshots]:
    """The end of a life with a key and room for snapshots, and where they lie."""
    folder = tmp_path / "world"
    shutil.copytree(life.moments[-1].settings.parent, folder)
    settings = folder / "vigie.toml"
    content = settings.read_text("utf-8")
    settings.write_text(f"{content}[audit]\nsnapshots_share = 100\n", encoding="utf-8")
    world = opened(settings, life.now)
    key = settings.parent / "secret" / "vigie.key"
    key.parent.mkdir()
    key.write_text("ab" * 32, encoding="ascii")
    key.chmod(0o600)
    snapshots = snapshots_of(world)
    assert snapshots is not None
    return world, snapshots


def test_an_audit_judges_again_what_a_snapshot_says(life: Life, tmp_path: Path) -> None:
    world, snapshots = keyed(life, tmp_path)
    one = keeping_of(world, print)
    assert one is not None
    world.replay(PlainEngine(), use=lambda _: None, begin=one.begin, end=one.end)
    whole = prove(world, store=None, heads=[], signals=True)
    assert (whole.faults, whole.snapshots) == ([], 1)
    # Whoever holds the key can sign what is not so: only a replay finds that.
    (kept,) = snapshots.all()
    false = snapshots.journal(kept).until(kept.days.last - 3)
    assert list(differing(false, snapshots.journal(kept)))
    assert snapshots.add(kept, false, []) is not None
    assert prove(world, store=None, heads=[]).faults == []
    (fault,) = prove(world, store=None, heads=[], signals=True).faults
    assert fault.area == "snapshots"
    assert "are not what the log gives" in fault.finding.problem
    (snapshots.folder / kept.name / "texts.parquet").write_bytes(b"")
    (fault,) = prove(world, store=None, heads=[]).faults
    assert (fault.area, fault.finding.file) == ("snapshots", str(snapshots.folder / kept.name))
    assert "texts.parquet is not what was written" in fault.finding.problem


def test_an_erasure_leaves_no_snapshot(life: Life, tmp_path: Path) -> None:
    world, snapshots = keyed(life, tmp_path)
    one = keeping_of(world, print)
    assert one is not None
    world.replay(PlainEngine(), use=lambda _: None, begin=one.begin, end=one.end)
    other = snapshots.folder / "notes.txt"
    other.write_text("not ours", encoding="utf-8")
    log = world.open_log()
    (part, *_) = log.slices(max_rows=1, zone="UTC")
    event = log.read_piece(log.pieces(part)[0])["event_id"][0].as_py()
    asked = Asked(events=(event,))
    erase_found(world, find(log, asked, zone="Europe/Paris"), asked, reason="a request")
    assert list(snapshots.folder.iterdir()) == [other]
    again = keeping_of(world, print)
    assert again is not None
    world.replay(PlainEngine(), use=lambda _: None, begin=again.begin, end=again.end)
    assert again.used is None
    assert told(world, again) == told(world, None)


def test_as_of_before_an_erasure_tells_what_was_sealed(life: Life, tmp_path: Path) -> None:
    world, _ = keyed(life, tmp_path)
    before = world.replay(PlainEngine(), use=lambda _: None)
    told_then = list(canonical(before.signals))
    evidence = before.signals.evidence.to_pylist()
    assert evidence
    asked = Asked(events=tuple(row["event_id"] for row in evidence[:4]))
    found = find(world.open_log(), asked, zone="Europe/Paris")
    later = replace(world, now=lambda: life.now + timedelta(hours=1))
    erase_found(later, found, asked, reason="a request")
    past = workspace_as_of(later, life.now)
    assert past.log.erasures == []
    after = past.replay(PlainEngine(), use=lambda _: None)
    assert after.events == before.events
    sealed = {
        json.loads(line)["signal_id"]: line for line in told_then if evidence[0]["event_id"].hex() in line
    }
    assert sealed
    again = {json.loads(line)["signal_id"]: line for line in canonical(after.signals)}
    assert {signal_id: again[signal_id] for signal_id in sealed} == sealed
    gone = [row["excerpt"] for row in after.signals.evidence.to_pylist() if row["event_id"] in asked.events]
    assert gone
    assert set(gone) == {None}


def test_no_key_no_share_or_a_log_elsewhere_and_there_are_none(life: Life, tmp_path: Path) -> None:
    world = life.moments[0].workspace
    assert keeping_of(world, print) is None
    world, _ = keyed(life, tmp_path)
    assert keeping_of(world, print) is not None
    settings = world.settings
    none = settings.model_copy(update={"audit": settings.audit.model_copy(update={"snapshots_share": 0})})
    assert keeping_of(replace(world, settings=none), print) is None
    there = settings.model_copy(update={"log": settings.log.model_copy(update={"path": "memory://log"})})
    assert snapshots_of(replace(world, settings=there)) is None


def test_the_commands_write_use_list_and_remove(tmp_path: Path, shop: ModuleType) -> None:
    settings = shop.write_shop(tmp_path / "shop")
    with settings.open("a", encoding="utf-8") as file:
        file.write("\n[audit]\nsnapshots_share = 100\n")
    shop.run_json("ingest", "--settings", settings)
    ours = ("--settings", settings)
    asked = ("replay", *ours, "--engine", "plain", "--no-store")
    shop.run_json(*asked, "--no-snapshots")
    assert shop.run_json("snapshots", "list", *ours) == []
    replayed = shop.run_json(*asked)
    (row,) = shop.run_json("snapshots", "list", *ours)
    assert (row["state"], row["serves_today"]) == (True, True)
    then = (*asked, "--as-of", "2099-01-01")
    used, whole = shop.run(*then, "--json"), shop.run(*then, "--json", "--no-snapshots")
    assert used.stdout == whole.stdout
    assert json.loads(used.stdout)["digest"] == replayed["digest"]
    assert f"from the snapshot of {row['last_day']}" in used.stderr
    assert "snapshot" not in whole.stderr
    again = shop.run_json("snapshots", "write", *ours)
    assert (again["last_day"], again["went_on_from"]) == (row["last_day"], row["last_day"])
    assert "1 snapshot" in shop.run("snapshots", *ours).stderr
    assert shop.run_json("snapshots", "remove", *ours) == {"removed": 1}
    assert shop.run_json("snapshots", "list", *ours) == []
    (settings.parent / "secret" / "vigie.key").rename(tmp_path / "key")
    refused = shop.run("snapshots", "list", *ours)
    assert (refused.exit_code, refused.stderr.count("\n")) == (4, 1)


def test_where_early_looks_are_taken_no_snapshot_is_used_or_kept(life: Life, tmp_path: Path) -> None:
    world, snapshots = keyed(life, tmp_path)
    one = keeping_of(world, print)
    assert one is not None
    world.replay(PlainEngine(), use=lambda _: None, begin=one.begin, end=one.end)
    settings = tmp_path / "world" / "vigie.toml"
    content = settings.read_text("utf-8")
    settings.write_text(content.replace("early_look_minutes = 0", "early_look_minutes = 60"), "utf-8")
    looking = opened(settings, life.now)
    assert looking.settings.stages.look_every_us
    assert keeping_of(looking, print) is None
    with pytest.raises(LogError, match="early_look_minutes is 60, "):
        write_snapshot(settings)
    assert len(snapshots.all()) == 1
    # An audit looks at what is there, and finds no fault with it.
    proof = prove(looking, store=None, heads=[], signals=True)
    assert (proof.faults, proof.snapshots) == ([], 1)
