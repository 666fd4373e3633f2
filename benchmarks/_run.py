"""Measuring: work in processes of its own, its wall time, its CPU time and its peak memory."""

import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import psutil

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that a piece of work took: by the clock, and of processors, those of its processes included."""

    wall_s: float
    cpu_s: float

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.wall_s - other.wall_s, self.cpu_s - other.cpu_s)


def cpu_seconds() -> float:
    """Processor seconds of this process, all its threads, and the processes it started and waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def timed(work: Callable[[], T]) -> tuple[T, Cost]:
    """The result of a call, and its cost."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    result = work()
    return result, Cost(time.perf_counter() - wall, cpu_seconds() - cpu)


def median_cost(work: Callable[[int], object], *, runs: int) -> Cost:
    """Medians of the costs of `work(0)`, `work(1)`, ..."""
    costs = [timed(lambda run=run: work(run))[1] for run in range(runs)]  # type: ignore[misc]
    return Cost(
        statistics.median(cost.wall_s for cost in costs), statistics.median(cost.cpu_s for cost in costs)
    )


def since_start() -> Cost:
    """What this process has cost since it was made: its start-up, where called when it is ready."""
    return Cost(max(0.0, time.time() - psutil.Process().create_time()), cpu_seconds())


def peak_mib() -> float:
    """Peak resident memory of this process, in MiB.

    Linux hands a new process the peak of the one that made it in `getrusage`, hence VmHWM where it is.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / (1 << 20)


def in_child(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a call in a fresh process with one thread for each library; errors are raised here."""
    with _one_thread(), _pool() as pool:
        return pool.submit(function, *args, **kwargs).result()


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Libraries read the number of their threads from the environment when they are imported."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
