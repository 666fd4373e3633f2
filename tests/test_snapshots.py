"""What snapshots answer is, byte for byte, what a replay of the whole log gives; others are not used."""

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.log import EventLog, LogWriter
from detectors.schemas import CANDIDATE, SUPPORT
from pipelines.flow import Shard
from pipelines.in_force import workspace_as_of
from pipelines.plain import PlainEngine
from pipelines.replay import canonical
from pipelines.snapshots import Keeping, KnownDays, Snapshots
from pipelines.snapshots.folder import RECORD
from pipelines.snapshots.journal import TABLES, Journal, differing
from pipelines.stages.finding import Finding
from pipelines.stages.finds import Found
from pipelines.stages.tally import CELLS
from pipelines.stages.teaching import NOTHING_TAUGHT
from pipelines.steps import Plan, Step
from pipelines.workspace import Workspace
from tests.past_log import Life, live_through, opened

COPIES = 3
KEY = bytes(range(32))
PLENTY = 1 << 30


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return live_through(tmp_path_factory.mktemp("snapshots"), copies=COPIES)


def snapshots_in(folder: Path, *, key: bytes = KEY, most: int = PLENTY) -> Snapshots:
    return Snapshots(folder, key=key, most=lambda: most)


def keeping(
    workspace: Workspace, snapshots: Snapshots, say: Callable[[str], None] = lambda _: None
) -> Keeping:
    return Keeping(
        snapshots,
        settings=workspace.settings_version,
        zone=workspace.settings.organisation.timezone,
        erasures=workspace.open_log().erasures,
        say=say,
        now=workspace.now,
    )


class Counting(PlainEngine):
    """Counts the days' rows that it reads."""

    def __init__(self) -> None:
        self.pieces = 0

    def run(self, step: Step, plan: Plan) -> Shard:
        self.pieces += len(step.pieces)
        return super().run(step, plan)


def told(
    workspace: Workspace, keeping: Keeping | None = None, engine: PlainEngine | None = None
) -> list[str]:
    """The canonical export and the number of events."""
    replayed = workspace.replay(
        engine or PlainEngine(), use=lambda _: None, begin=None if keeping is None else keeping.begin
    )
    return [str(replayed.events), *canonical(replayed.signals)]


def written(workspace: Workspace, snapshots: Snapshots, *, go_on: bool = True) -> Keeping:
    one = keeping(workspace, snapshots)
    begin = one.begin if go_on else one.at_first
    workspace.replay(PlainEngine(), use=lambda _: None, begin=begin, end=one.end, slice_rows=120)
    assert one.kept is not None
    return one


@pytest.fixture(scope="module")
def last(life: Life) -> Workspace:
    """The world at the end."""
    return life.moments[-1].workspace


@pytest.fixture(scope="module")
def whole(last: Workspace) -> list[str]:
    """What is known at the end, without snapshots."""
    return told(last)


@pytest.fixture(scope="module")
def once(last: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a snapshot of the end, to be copied."""
    folder = tmp_path_factory.mktemp("once") / "kept"
    written(last, snapshots_in(folder))
    return folder


@pytest.fixture(scope="module")
def nightly(life: Life, tmp_path_factory: pytest.TempPathFactory) -> Snapshots:
    """Snapshots written at each moment of a life, each going on from the last where it can."""
    snapshots = snapshots_in(tmp_path_factory.mktemp("nightly") / "kept")
    for moment in life.moments:
        written(moment.workspace, snapshots)
    return snapshots


def test_as_of_any_time_is_what_the_whole_log_gives(life: Life, nightly: Snapshots) -> None:
    world = opened(life.settings, life.now)
    used = judged = 0
    instants = [one.at + timedelta(hours=hours) for one in life.moments for hours in (-30, 0)]
    for instant in instants:
        past = workspace_as_of(world, instant)
        one, engine = keeping(past, nightly), Counting()
        assert told(past, one, engine) == told(past)
        used += one.used is not None
        judged += engine.pieces
    assert used > len(instants) / 3
    assert judged


def test_every_day_before_the_last_is_answered_without_judging(life: Life, once: Path) -> None:
    snapshots, last = snapshots_in(once), life.moments[-1]
    (kept,) = snapshots.all()
    world = last.workspace
    changed = max(
        manifest.written_at
        for manifest in world.open_log().manifests()
        if manifest.kind == "generation" or (manifest.decision and manifest.decision.kind == "settings")
    )
    answered = set()
    for hours in range(1, 24 * 6, 43):
        instant = changed + timedelta(hours=hours)
        if instant > last.at:
            break
        past = workspace_as_of(world, instant)
        one, engine = keeping(past, snapshots), Counting()
        found = told(past, one, engine)
        assert one.used == kept
        assert engine.pieces == 0
        assert found == told(past)
        answered.add(tuple(found))
    assert len(answered) > 1


def test_a_replay_goes_on_from_the_state_of_the_last(life: Life, tmp_path: Path) -> None:
    earlier, later = life.moments[-2], life.moments[-1]
    snapshots = snapshots_in(tmp_path / "kept")
    past = workspace_as_of(later.workspace, later.at)
    # The log as it was some days before, under the settings of the end.
    before = replace(past, log=past.log.as_of(later.at - timedelta(days=4)))
    assert earlier.at < later.at
    first = written(before, snapshots).kept
    second = written(past, snapshots)
    assert first is not None
    assert second.used is not None
    assert second.used.name == first.name
    assert second.kept is not None
    assert second.kept.last_day > first.last_day
    # What the later one knows too is let go, and it is the same as one that began anew.
    assert [one.name for one in snapshots.all()] == [second.kept.name]
    anew = snapshots_in(tmp_path / "anew")
    whole = written(past, anew, go_on=False).kept
    assert whole is not None
    ours, theirs = snapshots.journal(second.kept), anew.journal(whole)
    for name in TABLES:
        rows = [sorted(map(repr, one.table(name).to_pylist())) for one in (ours, theirs)]
        assert rows[0] == rows[1]
    assert ours.found.candidates.num_rows
    # Nothing new: nothing is written.
    files = sorted((tmp_path / "kept").rglob("*"))
    times = [file.stat().st_mtime_ns for file in files]
    written(past, snapshots)
    assert [file.stat().st_mtime_ns for file in sorted((tmp_path / "kept").rglob("*"))] == times


@pytest.mark.parametrize("what", ["settings", "code", "key", "file", "record", "missing"])
def test_what_is_stale_or_touched_is_not_used(
    last: Workspace,
    whole: list[str],
    once: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    shutil.copytree(once, tmp_path / "kept")
    snapshots, world = snapshots_in(tmp_path / "kept"), last
    (kept,) = snapshots.all()
    assert list(snapshots.faults()) == []
    said: list[str] = []
    one = keeping(world, snapshots, said.append)
    place = tmp_path / "kept" / kept.name
    if what == "settings":
        one = Keeping(
            snapshots,
            settings="0" * 32,
            zone="Europe/Paris",
            erasures=[],
            say=said.append,
            now=world.now,
        )
    elif what == "code":
        monkeypatch.setattr("pipelines.snapshots.keeping.code_version", lambda: "0" * 16)
    elif what == "key":
        one = keeping(world, snapshots_in(tmp_path / "kept", key=bytes(32)), said.append)
    elif what == "file":
        file = place / "candidates.parquet"
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif what == "record":
        record = json.loads((place / RECORD).read_text("utf-8"))
        record["days"]["last"] += 1
        (place / RECORD).write_text(json.dumps(record), encoding="utf-8")
    else:
        (place / "support.parquet").unlink()
    assert told(world, one) == whole
    assert one.used is None
    touched = what in ("file", "record", "missing")
    assert bool(list(snapshots.faults())) == touched
    assert bool(said) == (what in ("file", "missing"))


def test_another_chain_is_another_log(tmp_path: Path) -> None:
    """Copies of a log that went on differently know the same days until then, and none after."""
    from tests.test_log_compaction import T0, events

    wall = {"now": T0}
    with LogWriter(tmp_path / "one", now=lambda: wall["now"]) as log:
        for day, number in ((0, 0), (1, 30)):
            wall["now"] = T0 + timedelta(days=day)
            log.append_live(events(number), note={})
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    for name, number in (("one", 60), ("two", 61)):
        with LogWriter(tmp_path / name, now=lambda: wall["now"]) as log:
            wall["now"] = T0 + timedelta(days=3)
            log.append_live(events(number), note={})
    first, second = (
        KnownDays.of(EventLog(tmp_path / name), NOTHING_TAUGHT, [], zone="UTC", last=30_000)
        for name in ("one", "two")
    )
    assert first.alike(first) == 30_000
    days = [day for day, _ in first.changes]
    assert len(days) == len(set(days)) > 1
    assert first.alike(second) == days[-1] - 1
    assert replace(first, last=days[0] - 1).alike(first) is None


@pytest.mark.parametrize("left", ["all", "journal", "nothing"])
def test_what_is_over_the_bound_goes(
    last: Workspace, whole: list[str], once: Path, tmp_path: Path, left: str
) -> None:
    (kept,) = snapshots_in(once).all()
    size = snapshots_in(once).size()
    state = sum((once / kept.name / file).stat().st_size for file in kept.state)
    assert 0 < state < size
    most = {"all": 2 * size, "journal": size - state // 2, "nothing": 100}[left]
    said: list[str] = []
    bounded = snapshots_in(tmp_path / "kept", most=most)
    one = keeping(last, bounded, said.append)
    last.replay(PlainEngine(), use=lambda _: None, begin=one.at_first, end=one.end)
    assert bounded.size() <= most
    if left == "nothing":
        assert one.kept is None
        assert "audit.snapshots_share" in said[0]
    else:
        assert one.kept is not None
        assert bool(one.kept.state) == (left == "all")
        assert told(last, keeping(last, bounded)) == whole
        assert list(bounded.faults()) == []


def test_a_folder_that_cannot_be_written_is_told_and_no_fault(life: Life, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file", encoding="utf-8")
    said: list[str] = []
    world = life.moments[0].workspace
    one = keeping(world, snapshots_in(tmp_path / "kept"), said.append)
    world.replay(PlainEngine(), use=lambda _: None, begin=one.begin, end=one.end)
    assert one.kept is None
    assert "no snapshot is written" in said[0]


def test_a_snapshot_says_nothing_of_texts(last: Workspace, once: Path) -> None:
    log = last.open_log()
    texts = {
        text.encode()
        for part in log.slices(max_rows=1 << 20, zone="UTC")
        for piece in log.pieces(part)
        for text in log.read_piece(piece)["text"].to_pylist()
        if len(text) > 10
    }
    assert len(texts) > 100
    snapshots = snapshots_in(once)
    (one,) = snapshots.all()
    content = repr([snapshots.journal(one).table(name).to_pylist() for name in TABLES]).encode()
    content += b"".join(pickle.dumps(part) for _, part in snapshots.state(one))
    assert not any(text in content for text in texts)


def test_findings_are_kept_to_the_last_bit() -> None:
    one = Finding(
        bucket=20_000,
        perimeter="e/nord",
        kind="unusual_day",
        detail="",
        direction=-1,
        evidence=0.1 + 0.2,
        threshold=1e-310,
        observed=1 / 3,
        expected=2.5,
        since=19_999,
        size=7.0,
        moved=(("email", 1 / 7, 3.0), ("mean score", 0.5, 0.25)),
    )
    other = replace(one, bucket=20_001, kind="silence", detail="email", direction=1, moved=())
    journal = Journal()
    shard = Shard(Found(CANDIDATE.empty_table(), SUPPORT.empty_table()), CELLS.empty_table())
    journal.note(shard, [one, other], "e")
    assert journal.findings == [one, other]
    assert journal.until(20_000).findings == [one]
    assert list(differing(journal, journal.until(20_001))) == []
    assert list(differing(journal, journal.until(20_000))) == ["findings"]
    assert journal.events == 0
