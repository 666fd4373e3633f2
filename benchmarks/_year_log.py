"""A year as it is lived: a live segment a day, and the questions asked of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from benchmarks import _throughput_log as stirred
from benchmarks._report import SEED
from benchmarks._run import Cost, timed

if TYPE_CHECKING:
    from pipelines.replay import Replayed
    from pipelines.workspace import Workspace

DAYS = 365
TAILS = (14, 1)
"""Days that came since a snapshot was written, for each of two: where they are written by hand now and then,
and where every evening."""
QUESTIONS = 3
"""Times asked about, drawn at random of the days that the first snapshot knows after the first quarter."""
LOG = "year"


@dataclass(frozen=True, slots=True)
class Year:
    """Costs. known: of each time within the days of the first snapshot. tails: of the end, by the days that
    came since a snapshot. full: of the end, without snapshots. written: of the first snapshot, judging
    included. log, snapshots: bytes, with the last snapshot. goes_on: whether the state after the days of
    each snapshot was kept. same: whether answers were those of replays without snapshots, of the first time
    and of the end.
    """

    events: int
    written: Cost
    known: list[Cost]
    tails: dict[int, Cost]
    full: Cost
    log: int
    snapshots: int
    goes_on: bool
    same: bool


def write_year(folder: Path, events: int) -> None:
    """Write the log."""
    from connectors.log import LogWriter
    from pipelines.in_force import put_in_force

    wall = {"now": stirred.FIRST_DAY}
    world = _world(folder)
    key = world.settings.path(world.settings.privacy.key_file)
    key.parent.mkdir(parents=True)
    key.write_text("ab" * 32, encoding="ascii")
    key.chmod(0o600)
    with LogWriter(folder / LOG, now=lambda: wall["now"]) as log:
        put_in_force(world, log)
        for table in stirred.tables(events, stirred.read_sentences(), SEED, a_day=events / DAYS):
            days = pc.cast(pc.floor_temporal(table["occurred_at"], unit="day"), "int64").to_numpy()
            order = np.argsort(table["occurred_at"].to_numpy(), kind="stable")
            table, days = table.take(order), days[order]
            for day in np.unique(days):
                mine = table.filter(days == day)
                wall["now"] = mine["admitted_at"][-1].as_py()
                log.append_live(mine, note={})
        log.heartbeat(wall["now"] + timedelta(days=1))


def measure_year(folder: Path) -> Year:
    """Write snapshots some days before the end, and ask; compiled code loaded before."""
    from pipelines.in_force import workspace_as_of
    from pipelines.plain import PlainEngine
    from pipelines.snapshots.opening import keeping_of, size_of, snapshots_of

    world, engine = _world(folder), PlainEngine()
    log = world.open_log()
    end = log.clock
    assert end is not None

    def replay(at: datetime, *, use: bool, keep: bool = False) -> "tuple[Replayed, Cost]":
        def once() -> "Replayed":
            past = workspace_as_of(world, at)
            keeping = keeping_of(past, print)
            assert keeping is not None
            return past.replay(
                engine,
                use=lambda _: None,
                begin=keeping.begin if use else keeping.at_first,
                end=keeping.end if keep else None,
            )

        return timed(once)

    replay(log_start(world) + timedelta(days=30), use=False)
    first_tail, *later = TAILS
    _, written = replay(end - timedelta(days=first_tail), use=False, keep=True)
    snapshots = snapshots_of(world)
    assert snapshots is not None
    drawn = np.random.default_rng(SEED).integers(first_tail + 1, DAYS * 3 // 4, QUESTIONS)
    times = [end - timedelta(days=int(days)) for days in drawn]
    answers = [replay(at, use=True) for at in times]
    first, _ = replay(times[0], use=False)
    ends = {first_tail: replay(end, use=True)}
    goes_on = any(one.state for one in snapshots.all())
    for days in later:
        replay(end - timedelta(days=days), use=True, keep=True)
        goes_on = goes_on and any(one.state for one in snapshots.all())
        ends[days] = replay(end, use=True)
    full, full_cost = replay(end, use=False)
    same = first.digest == answers[0][0].digest and {full.digest} == {one.digest for one, _ in ends.values()}
    return Year(
        events=full.events,
        written=written,
        known=[cost for _, cost in answers],
        tails={days: cost for days, (_, cost) in ends.items()},
        full=full_cost,
        log=size_of(folder / LOG),
        snapshots=snapshots.size(),
        goes_on=goes_on,
        same=same,
    )


def log_start(world: "Workspace") -> datetime:
    """When the log's first event was known."""
    return next(one.written_at for one in world.open_log().manifests() if one.rows)


def _world(folder: Path) -> "Workspace":
    return stirred.open_throughput_log(folder, LOG)
