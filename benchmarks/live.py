"""How `vigie live` keeps up: time to ready, to a closed day's signals, to recover; memory and state.

A writer commits a live segment each second, whose events are the demo's under new ids. The log's clock runs
faster than the wall's, so that a day closes every few seconds. A day's signals are stored once every event
before its end is counted, so the delay of closes tells how far the job is behind. Sources and admission are
not part of it: the writer begins with admitted events.
"""

import math
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks._data import ingest_demo, open_workspace, read_events, work_folder, write_demo
from benchmarks._report import SEED, Figure, Options, Report, Row, main
from benchmarks._run import in_child

if TYPE_CHECKING:
    from connectors.log import LogWriter
    from connectors.store import Store

RATES, QUICK_RATES = (1_000, 10_500), (500,)
"""Events a second; the last is somewhat more than is asked of it, SUSTAINED."""
SECONDS, QUICK_SECONDS = 300, 30
A_DAY_S = 10
"""Seconds of the wall's clock to a day of the log's."""
PATIENCE_S = 900.0
READY_S, SHOWN_S, CLOSE_S, RECOVERY_S, MEMORY_MIB = 30.0, 2.0, 1.0, 20.0, 4096.0
SUSTAINED, GROWTH_S = 10_000, 1.0
"""Events a second, and by how much closes may be later at the end of a run than at its beginning."""
_MIB = 1 << 20
_OPEN_TEXTS = (
    "SELECT (bucket_at AT TIME ZONE 'UTC')::date, sum(texts)::bigint FROM vigie.open_tally "
    "WHERE perimeter = division AND channel = '' AND theme = '' GROUP BY 1"
)
"""Events of each open day that the tallies count."""


@dataclass(slots=True)
class Measured:
    """One run. delays: seconds from the commit that closes a day to its signals in the store, in order.

    shown: seconds from a commit until the open day's tallies count all of its events, or the day is closed.
    ready, stored: seconds from the start until it said so, and until what the log held was in the store.
    recovery: seconds from the death of a worker until all that was committed by then is stored. memory: peak
    of all processes, in MiB, what they share counted once a process. state: MiB of the last checkpoint.
    """

    rate: int
    events: int = 0
    seconds: float = 0.0
    ready: float = 0.0
    stored: float = 0.0
    recovery: float = 0.0
    memory: float = 0.0
    state: float = 0.0
    delays: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """By how many seconds closes were later in the last third of the run than in the first."""
        first, last = _thirds(self.delays)
        return last - first


class Load:
    """Commits live events at a rate, and remembers when each day was closed.

    grace: by how much the log's clock must pass the end of a day.
    """

    def __init__(
        self, writer: "LogWriter", events: pa.Table, rate: int, begin: datetime, grace: timedelta
    ) -> None:
        self.closed: list[tuple[date, float]] = []
        """Days, and the monotonic time of the commit that closed each."""
        self.commits: list[tuple[date, int, float]] = []
        """Day of each commit's events, how many of that day there are by then, and its monotonic time."""
        self.events = 0
        self._writer = writer
        self._pool = events
        self._rate = rate
        self._clock = begin
        self._grace = grace
        self._chance = random.Random(SEED)

    def second(self) -> None:
        """Commit a second's events, and a heartbeat at the end of its time in the log."""
        step = timedelta(days=1) / A_DAY_S
        start = self._chance.randrange(max(1, self._pool.num_rows - self._rate))
        rows = self._pool.slice(start, self._rate)
        size = rows.num_rows
        ids = [self._chance.randbytes(16) for _ in range(size)]
        instants = [self._clock + step * place / size for place in range(size)]
        fresh = {
            "event_id": pa.array(ids, pa.binary(16)),
            "occurred_at": pa.array(instants, rows.schema.field("occurred_at").type),
            "admitted_at": pa.array(instants, rows.schema.field("admitted_at").type),
            "grace_s": pa.array([0] * size, pa.int32()),
            "flags": pa.array([0] * size, pa.uint16()),
        }
        columns = [fresh.get(name, rows[name]) for name in rows.column_names]
        self._writer.append_live(pa.table(columns, schema=rows.schema), note={})
        today, known = self._clock.date(), self.commits[-1][:2] if self.commits else (None, 0)
        so_far = known[1] if known[0] == today else 0
        self.commits.append((today, so_far + size, time.monotonic()))
        before, self._clock = self._clock, self._clock + step
        self._writer.heartbeat(self._clock)
        self.events += size
        day = (before - self._grace).date()
        if (self._clock - self._grace).date() != day:
            self.closed.append((day, time.monotonic()))


def run(asked: Options) -> Report:
    """Measure each rate on a workspace of its own."""
    rates, seconds = (QUICK_RATES, QUICK_SECONDS) if asked.quick else (RATES, SECONDS)
    measured = []
    for rate in rates:
        with work_folder() as work:
            in_child(_prepare, work / "demo", asked.texts)
            measured.append(measure(work / "demo", rate, seconds))
    return report(measured)


def _prepare(folder: Path, texts: int) -> None:
    write_demo(folder, texts)
    # Days of the log's clock and of buckets are then the same.
    settings = folder / "vigie.toml"
    settings.write_text(settings.read_text().replace('"Europe/Paris"', '"UTC"'))
    ingest_demo(folder)


def measure(folder: Path, rate: int, seconds: int) -> Measured:
    """Load a live job for some seconds, then kill a worker and see it recover."""
    from connectors.log import LogWriter

    events, workspace = read_events(folder), open_workspace(folder)
    last = pc.max(events["occurred_at"]).as_py()
    begin = datetime.combine(last.date() + timedelta(days=3), datetime.min.time(), UTC)
    log = workspace.open_log()
    settled = log.settled_until()
    grace = timedelta() if log.clock is None or settled is None else log.clock - settled
    found = Measured(rate)
    with (
        _live(folder) as process,
        workspace.open_store() as store,
        LogWriter(folder / "log", now=workspace.now) as writer,
    ):
        started = time.monotonic()
        _until(lambda: b"ready: " in (folder / "said").read_bytes(), process, "ready")
        found.ready = time.monotonic() - started
        # What follows is how it keeps up, not how it catches up.
        _until(lambda: store.run() is not None, process, "what the log holds to be stored")
        found.stored = time.monotonic() - started
        load, peak = Load(writer, events, rate, begin, grace), _Peak(process.pid)
        stop = threading.Event()
        watchers = [
            threading.Thread(target=_watch, args=(store, load, found, peak, stop)),
            threading.Thread(target=_watch_open, args=(folder, load, found, stop)),
        ]
        for watcher in watchers:
            watcher.start()
        started = time.monotonic()
        for second in range(seconds):
            load.second()
            stop.wait(max(0.0, started + second + 1 - time.monotonic()))
        found.seconds = time.monotonic() - started
        found.events, commits = load.events, len(load.commits)
        _until(lambda: len(found.delays) == len(load.closed), process, "the last day to be stored")
        _until(lambda: len(found.shown) >= commits, process, "the last events to be shown")
        worker = next(one for one in _family(process.pid) if "beam_boot" in " ".join(one.cmdline()))
        killed = time.monotonic()
        worker.kill()
        while len(load.closed) == len(found.delays):
            load.second()
        _until(lambda: len(found.delays) == len(load.closed), process, "the day after the worker's death")
        found.recovery = time.monotonic() - killed
        found.delays.pop()
        stop.set()
        for watcher in watchers:
            watcher.join()
        del found.shown[commits:]
        found.memory, found.state = peak.mib, _state_mib(folder / "live")
    return found


def _watch(store: "Store", load: Load, found: Measured, peak: "_Peak", stop: threading.Event) -> None:
    """Note the delay of each close as it appears in the store, and the memory of all processes."""
    while not stop.wait(0.02):
        peak.look()
        run = store.run()
        waiting = load.closed[len(found.delays) :]
        for day, committed in waiting:
            if run is None or run.closed_until.date() <= day:
                break
            found.delays.append(time.monotonic() - committed)


def _watch_open(folder: Path, load: Load, found: Measured, stop: threading.Event) -> None:
    """Note for each commit when boards could show all of its events."""
    with open_workspace(folder).open_store() as store:
        while not stop.wait(0.05):
            counted: dict[date, int] = dict(store.connection.execute(_OPEN_TEXTS).fetchall())
            closed = store.run()
            now = time.monotonic()
            for day, so_far, committed in load.commits[len(found.shown) :]:
                is_closed = closed is not None and closed.closed_until.date() > day
                if not is_closed and counted.get(day, 0) < so_far:
                    break
                found.shown.append(now - committed)


class _Peak:
    """The largest memory of a process and all that it started."""

    def __init__(self, pid: int) -> None:
        self.mib = 0.0
        self._pid = pid
        self._next = 0.0

    def look(self) -> None:
        """Look, at most once a second."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 1
        total = 0
        for one in _family(self._pid):
            with suppress(psutil.Error):
                total += one.memory_info().rss
        self.mib = max(self.mib, total / _MIB)


def _family(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


@contextmanager
def _live(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`vigie live` of a workspace, its words in `said`; it ends with this process, told to end or not."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines", "live", "--settings", folder / "vigie.toml"],
            stdout=said,
            stderr=said,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait()
            signal.signal(signal.SIGTERM, before)


def _until(true: Callable[[], bool], process: "subprocess.Popen[bytes]", what: str) -> None:
    end, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while not true():
        if process.poll() is not None:
            raise RuntimeError(f"vigie live ended while waiting for {what}")
        if time.monotonic() > end:
            raise RuntimeError(f"waited {PATIENCE_S:.0f} s for {what}")
        pause.wait(0.05)


def _state_mib(folder: Path) -> float:
    """Size of the newest checkpoint."""
    from pipelines.live.opening import LiveFolder

    last = LiveFolder(folder).last_checkpoint()
    files = [] if last is None else [file for file in last.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / _MIB


def report(measured: list[Measured]) -> Report:
    """The table, and the figures that have targets."""
    rows: list[Row] = [
        {
            "events/s": one.events / one.seconds,
            "seconds": one.seconds,
            "ready s": one.ready,
            "history stored s": one.stored,
            "shown p50 s": statistics.median(one.shown),
            "shown p99 s": _p99(one.shown),
            "close p50 s": statistics.median(one.delays),
            "close p99 s": _p99(one.delays),
            "first third s": _thirds(one.delays)[0],
            "last third s": _thirds(one.delays)[1],
            "recovery s": one.recovery,
            "state MiB": one.state,
            "memory MiB": one.memory,
        }
        for one in measured
    ]
    fastest = measured[-1]
    figures = [
        Figure("live, ready", max(one.ready for one in measured), "s", READY_S, at_least=False),
        Figure("live, tally shown, p99", _p99(measured[0].shown), "s", SHOWN_S, at_least=False),
        Figure("live, close stored, p99", _p99(measured[0].delays), "s", CLOSE_S, at_least=False),
        *(
            [Figure("live, sustained", fastest.events / fastest.seconds, "events/s", SUSTAINED)]
            if fastest.rate >= SUSTAINED
            else []
        ),
        Figure("live, closes later at its end", fastest.growth, "s", GROWTH_S, at_least=False),
        Figure("live, recovery", max(one.recovery for one in measured), "s", RECOVERY_S, at_least=False),
        Figure("live, memory", max(one.memory for one in measured), "MiB", MEMORY_MIB, at_least=False),
    ]
    return Report(
        "vigie live under load",
        rows,
        figures,
        [
            "shown: from a commit until the open day's tallies count all of its events. "
            f"A day of the log's clock lasts {A_DAY_S} s. close: from the commit that closes a day to its "
            "signals in the store. Lag grows where the last third's is above the first's.",
            "recovery: from the death of a worker until all that was committed then is stored. memory: "
            "vigie, Java, its Python worker and the built-in store.",
        ],
    )


def _thirds(delays: list[float]) -> tuple[float, float]:
    """Mean of the first and of the last third."""
    size = max(1, len(delays) // 3)
    return statistics.mean(delays[:size]), statistics.mean(delays[-size:])


def _p99(delays: list[float]) -> float:
    """The smallest delay that 99 in 100 do not exceed."""
    return sorted(delays)[math.ceil(0.99 * len(delays)) - 1]


if __name__ == "__main__":
    main("live", __doc__ or "", run)
