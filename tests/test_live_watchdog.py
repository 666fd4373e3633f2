"""A worker ends with the process that it works for."""

import os
import subprocess
import sys

import pytest

from pipelines.live.watchdog import ancestors, end_with

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="pidfd is Linux's")
WAITS = "import sys; sys.stdin.read()"
WATCHES = """\
import sys, threading
from pipelines.live.watchdog import end_with
end_with(int(sys.argv[1]))
print("watching", flush=True)
threading.Event().wait()
"""


def started(script: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python process that runs a script, with pipes."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@LINUX
def test_a_process_ends_when_the_one_it_watches_is_killed() -> None:
    with started(WAITS) as watched, started(WATCHES, str(watched.pid)) as watching:
        try:
            assert watching.stdout is not None
            assert watching.stdout.readline() == "watching\n"
            assert watching.poll() is None
            watched.kill()
            assert watching.wait(60) == 1
        finally:
            watched.kill()
            watching.kill()


@LINUX
def test_a_process_ends_at_once_where_the_one_to_watch_is_gone() -> None:
    with started("pass") as gone:
        gone.wait(60)
    ended: list[int] = []
    end_with(gone.pid, end=ended.append)
    assert ended == [1]


@LINUX
def test_ancestors_are_told_from_the_parent_up() -> None:
    script = "from pipelines.live.watchdog import ancestors; print(next(ancestors())[0])"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert int(told) == os.getpid()
    assert next(pid for pid, _ in ancestors()) == os.getppid()
