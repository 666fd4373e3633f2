"""Running a live job until it is told to stop: start from the last checkpoint, watch, stop."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from pipelines.flink import FlinkSettings, cancel, start_java, status, submit, wait
from pipelines.live.cluster import cancel_jobs
from pipelines.live.job import LiveJob
from pipelines.live.metrics import LiveStatus
from pipelines.live.opening import LiveFolder, checkpoints

_LOOK_S = 0.2
_RUNNING, _RESTARTING = "RUNNING", "RESTARTING"
_OVER = ("FAILED", "CANCELED", "FINISHED", "SUSPENDED")


class Service:
    """A live job with its folder. say: receives lines for the user. `status` tells how it is."""

    def __init__(
        self,
        job: LiveJob,
        folder: LiveFolder,
        *,
        parallelism: int,
        checkpoint_every_s: float,
        cluster: str | None,
        say: Callable[[str], None],
    ) -> None:
        self.status = LiveStatus()
        self._job = job
        self._folder = folder
        self._parallelism = parallelism
        self._checkpoint_every_s = checkpoint_every_s
        self._cluster = cluster
        self._say = say

    def run(self) -> None:
        """Run until a signal asks to stop. Errors that end the job are raised as Flink gives them."""
        name = f"vigie live {self._folder.path}"
        if self._cluster is not None and cancel_jobs(self._cluster, name):
            self._say("stopped the job that an earlier start left on the cluster")
        number, restore = self._folder.begin()
        run = self._folder.run(number)
        settings = FlinkSettings(
            parallelism=self._parallelism,
            checkpoints=run.as_uri(),
            checkpoint_every_s=self._checkpoint_every_s,
            restore=None if restore is None else restore.as_uri(),
            run=number,
            temporary=run / "tmp" if self._cluster is None else None,
            name=name,
            cluster=self._cluster,
        )
        self._say(f"starting from {'the log' if restore is None else restore}")
        with _stopped_by_signals() as stop:
            start_java(self._folder.path / "logs")
            running = submit(self._job, settings)
            before, ready = "", False
            self.status.run = number
            while not stop.wait(_LOOK_S):
                now = status(running)
                if now != before and before:
                    self._say(f"job {now.lower()}")
                self.status.running = now == _RUNNING
                self.status.restarts += now == _RESTARTING and now != before
                before = now
                if now in _OVER:
                    wait(running)
                    return
                if not ready and checkpoints(run):
                    ready = True
                    self._say(f"ready: following {self._job.log.location}, checkpoints in {run}")
            cancel(running)
        self._say("stopped")


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set."""
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
