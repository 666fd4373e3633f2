"""From a workspace to a live job that writes to its signal store, and where the job keeps its state."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from connectors.errors import SettingsError
from connectors.log import EventLog
from connectors.store import KeptStore
from pipelines.flow import Rules
from pipelines.live.job import LiveJob
from pipelines.live.sinks import StoreSink
from pipelines.publish import crowds_of, publication_of
from pipelines.stages.tally import theme_keys
from pipelines.workspace import Workspace

_RUN = re.compile(r"^run-(\d{6})$")
_CHECKPOINT = re.compile(r"^chk-(\d+)$")


def job_of(workspace: Workspace, *, ends: bool) -> LiveJob:
    """The live job of a workspace. ends: stop where the log ends now."""
    settings, place, log = workspace.settings, workspace.settings.store, workspace.settings.log.path
    # Workers stand in other folders.
    events = EventLog(log if "://" in log else workspace.log_path.absolute())
    sink = StoreSink(
        store=KeptStore(place.dsn, data=settings.path(place.folder).absolute()),
        themes=theme_keys(list(workspace.lexicons.themes)),
        zone=settings.organisation.timezone,
        settings_version=workspace.settings_version,
        lexicon_version=workspace.lexicons.version,
        code_version=version("vigie"),
        names=workspace.names,
        publication=publication_of(workspace),
        crowds=crowds_of(workspace, events),
    )
    return LiveJob(
        log=events,
        rules=Rules(root=settings.organisation.root, detection=settings.stages),
        telling=workspace.telling(),
        sink=sink,
        version=workspace.settings_version,
        ends=ends,
    )


@dataclass(frozen=True, slots=True)
class LiveFolder:
    """Where a live job's checkpoints and logs are: one folder a start, `run-000001` and on."""

    path: Path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other live jobs from this folder; SettingsError where one is running."""
        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path / "live.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise SettingsError(
                f"{self.path}: a live job that keeps its state here is running: stop it, or name another"
            ) from None
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    @property
    def runs(self) -> list[int]:
        """Numbers of the starts so far, in order."""
        names = self.path.iterdir() if self.path.is_dir() else iter(())
        return sorted(int(match[1]) for name in names if (match := _RUN.match(name.name)))

    def run(self, number: int) -> Path:
        """Folder of a start."""
        return self.path / f"run-{number:06d}"

    def last_checkpoint(self) -> Path | None:
        """The newest whole checkpoint of all runs; None before the first."""
        for number in reversed(self.runs):
            found = checkpoints(self.run(number))
            if found:
                return found[-1]
        return None

    def begin(self) -> tuple[int, Path | None]:
        """Number of a new start, and the checkpoint it begins from; what no start needs again is removed."""
        restore = self.last_checkpoint()
        kept = restore.relative_to(self.path).parts[0] if restore is not None else None
        number = max(self.runs, default=0) + 1
        for run in self.runs:
            if self.run(run).name != kept:
                shutil.rmtree(self.run(run), ignore_errors=True)
        self.run(number).mkdir()
        return number, restore


def checkpoints(run: Path) -> list[Path]:
    """Whole checkpoints of a start, the newest last: their metadata is written last, under another name."""
    found = [
        (int(match[1]), place.parent)
        for place in run.glob("*/chk-*/_metadata")
        if (match := _CHECKPOINT.match(place.parent.name))
    ]
    return [place for _, place in sorted(found)]
