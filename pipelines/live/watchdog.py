"""Ends a Python worker when the Java that it works for is gone, so that no killed run leaves workers behind.

A worker whose Java was killed would otherwise wait for it, with all of its memory, until its connections
time out. What it holds is of no use then: state is Java's, and a transaction it had begun is undone by the
database.
"""

import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

_JAVA = "java"
"""Name of Java's processes; PyFlink starts its workers by a shell in between."""


def end_with(pid: int, *, end: Callable[[int], object] = os._exit) -> None:
    """End this process, with exit code 1, as soon as another one of this user has ended; returns at once.

    end: takes the exit code. Does nothing where the system has no pidfd (Linux 5.3 has).
    """
    if sys.platform != "linux":
        return
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        end(1)
        return
    except OSError:
        return

    def watch() -> None:
        with os.fdopen(process):
            # Readable once the process has ended, and never before.
            select.select([process], [], [])
        end(1)

    threading.Thread(target=watch, name="watchdog", daemon=True).start()


@cache
def end_with_java() -> None:
    """End this process as soon as the Java that it is a worker of has ended; once a process."""
    java = next((pid for pid, name in ancestors() if name == _JAVA), None)
    if java is not None:
        end_with(java)


def ancestors() -> Iterator[tuple[int, str]]:
    """Number and name of the processes above this one, the nearest first; none where /proc is not there."""
    pid = os.getppid()
    while pid > 1:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            return
        told = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        yield pid, told["Name"]
        pid = int(told["PPid"])
