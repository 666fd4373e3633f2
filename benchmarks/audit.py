"""How fast a compacted log is verified, beside `sha256sum`; and how soon a past time is replayed."""

import shutil
import subprocess
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from benchmarks import _throughput_log as stirred
from benchmarks import _year_log
from benchmarks._data import work_folder
from benchmarks._report import SEED, Figure, Options, Report, Row, main
from benchmarks._run import Cost, in_child, median_cost

EVENTS, QUICK_EVENTS = 1_000_000, 60_000
A_SEGMENT = 2_000
"""Events of a live segment before compaction."""
RUNS = 5
HASHED, READ, PEER = (
    "vigie audit verify: hashes",
    "every row read again (--rows)",
    "sha256sum of the same files",
)
TARGET_MB_S = 300
YEAR = 10_000_000
"""Events of the year of the targets."""
TARGET_S, TARGET_SHARE = 30.0, 0.2
TAIL = "as of the end, snapshots {} days old"
KNOWN, FULL, WRITTEN = (
    "as of a time that snapshots know",
    "as of the end, without snapshots",
    "writing the snapshot: a replay, and what it leaves",
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one way of verifying cost. size: bytes of the log's files."""

    what: str
    size: int
    cost: Cost

    @property
    def mb_s(self) -> float:
        """Megabytes (10^6 bytes) per second of CPU time."""
        return self.size / self.cost.cpu_s / 1e6


def write_compacted(log: Path, events: int) -> int:
    """Write a log of live segments, merged as closed days are; how many manifests it has."""
    from connectors.log import LogWriter
    from connectors.log.compaction import compact

    wall = {"now": stirred.FIRST_DAY}
    with LogWriter(log, now=lambda: wall["now"]) as writer:
        # A table at a time, which is some days: the texts of them all are more than one array can hold.
        for table in stirred.tables(events, stirred.made_up(), seed=SEED):
            table = table.sort_by([("occurred_at", "ascending"), ("event_id", "ascending")])
            wall["now"] = table["admitted_at"][-1].as_py()
            for start in range(0, table.num_rows, A_SEGMENT):
                writer.append_live(table.slice(start, A_SEGMENT), note={})
        writer.heartbeat(wall["now"] + timedelta(days=40))
        compact(writer, zone="UTC", say=print)
        writer.remove_replaced(keep=timedelta(0))
        return len(writer.chain.manifests)


def verify(log: Path, *, rows: bool, runs: int) -> Cost:
    """The cost of verifying a log that is whole."""
    from connectors.log import EventLog

    def once(_: int) -> None:
        if found := list(EventLog(log).verify(rows=rows)):
            raise AssertionError(f"the log is not whole: {found[0]}")

    once(0)
    return median_cost(once, runs=runs)


def sha256sum(files: list[Path], *, runs: int) -> Cost | None:
    """The cost of hashing files with coreutils; None where it is not installed."""
    tool = shutil.which("sha256sum")
    if tool is None:
        return None
    return median_cost(
        lambda _: subprocess.run([tool, *files], check=True, stdout=subprocess.DEVNULL), runs=runs
    )


def run(asked: Options) -> Report:
    """Write the log, verify it both ways, and hash its files."""
    with work_folder() as folder:
        log = folder / "log"
        manifests = in_child(write_compacted, log, asked.texts)
        files = [file for file in sorted(log.rglob("*")) if file.suffix in (".json", ".parquet")]
        size = sum(file.stat().st_size for file in files)
        measured = [
            Measured(HASHED, size, in_child(verify, log, rows=False, runs=RUNS)),
            Measured(READ, size, in_child(verify, log, rows=True, runs=1)),
        ]
        peer = sha256sum(files, runs=RUNS)
        if peer is not None:
            measured.append(Measured(PEER, size, peer))
        year_folder = folder / "lived"
        in_child(_year_log.write_year, year_folder, asked.texts)
        year = in_child(_year_log.measure_year, year_folder)
    return together(report(measured, events=asked.texts, manifests=manifests, files=len(files)), year)


def together(verified: Report, year: _year_log.Year) -> Report:
    """The report on verifying with the answers about a year."""
    slowest = max(year.known, key=lambda cost: cost.cpu_s)
    tails = {TAIL.format(days): cost for days, cost in year.tails.items()}
    costs = {KNOWN: slowest, **tails, FULL: year.full, WRITTEN: year.written}
    rows: list[Row] = [
        {"way": what, "MB/s of CPU": None, "CPU s": round(cost.cpu_s, 2), "wall s": round(cost.wall_s, 2)}
        for what, cost in costs.items()
    ]
    share = year.snapshots / year.log
    return replace(
        verified,
        title="Verifying a compacted log, and replaying a year as of a time",
        rows=[*verified.rows, *rows],
        figures=[
            *verified.figures,
            Figure(KNOWN, slowest.cpu_s, "CPU s", TARGET_S, at_least=False),
            *(
                Figure(
                    f"{tail}, scaled to {YEAR:,} events",
                    cost.cpu_s * YEAR / year.events,
                    "CPU s",
                    TARGET_S,
                    at_least=False,
                )
                for tail, cost in tails.items()
            ),
            Figure("snapshots, of the log's size", share, "", TARGET_SHARE, at_least=False),
        ],
        notes=[
            *verified.notes,
            f"the year: {year.events:,} generated events, {year.log / 1e6:,.0f} MB, a live segment a day; "
            f"snapshots {year.snapshots / 1e6:,.1f} MB, "
            f"{'with' if year.goes_on else 'too small for'} a state to go on from; answers "
            f"{'the same as' if year.same else 'OTHER than'} without them",
        ],
    )


def report(measured: list[Measured], *, events: int, manifests: int, files: int) -> Report:
    """The table, and whether the target is reached."""
    rows: list[Row] = [
        {
            "way": one.what,
            "MB/s of CPU": round(one.mb_s),
            "CPU s": round(one.cost.cpu_s, 3),
            "wall s": round(one.cost.wall_s, 3),
        }
        for one in measured
    ]
    hashed = measured[0]
    notes = [
        f"{events:,} generated events, {hashed.size / 1e6:,.0f} MB: {files:,} files, {manifests:,} manifests"
    ]
    if all(one.what != PEER for one in measured):
        notes.append("sha256sum is not installed here: no peer")
    return Report(
        "Verifying a compacted log",
        rows,
        [Figure("verify, by hashes", hashed.mb_s, "MB/s", TARGET_MB_S)],
        notes,
        values={one.what: round(one.mb_s, 1) for one in measured},
    )


if __name__ == "__main__":
    main("audit", __doc__ or "", run, sizes=(EVENTS, QUICK_EVENTS))
