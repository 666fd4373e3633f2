"""The machines of a live job moved by hand: messages in any order, states that outlive their machines."""

import random
from pathlib import Path
from typing import Any

from connectors.log import EventLog
from pipelines.flow import Rules
from pipelines.live.job import LiveJob
from pipelines.live.machine import Taker
from pipelines.live.messages import Message, Parcel, Station
from pipelines.live.sinks import FolderSink
from pipelines.replay import Replayed
from pipelines.settings import Settings
from pipelines.stages.explain import Telling

Key = tuple[Station, int]


def live_job(log: EventLog, settings: Settings, telling: Telling, folder: Path, **more: Any) -> LiveJob:
    """A job that writes to a folder."""
    root = settings.organisation.root
    return LiveJob(
        log=log,
        rules=Rules(root=root, detection=settings.stages),
        telling=telling,
        sink=FolderSink(folder, root),
        **{"version": telling.settings_version, "ends": True, "shards": 4, **more},
    )


def replayed_by(job: LiveJob) -> Replayed:
    """What a job wrote to its folder."""
    assert isinstance(job.sink, FolderSink)
    return job.sink.read()


class ByHand:
    """Moves messages between machines in this process. chance: takes those that wait in a random order."""

    def __init__(self, job: LiveJob, chance: random.Random | None = None) -> None:
        self.job = job
        self.position: str | None = None
        self.states: dict[Key, dict[str, bytes]] = {}
        self._machines: dict[Key, Taker] = {}
        self._waiting: list[Parcel | Message] = []
        self._chance = chance
        self._feed = job.feed(None)

    def run(self) -> None:
        """Go on until the feed has caught up, or has nothing new."""
        while True:
            before = self._feed.position
            self._waiting += self._feed.step()
            self.position = self._feed.position.to_json()
            if self._chance is None or self._chance.random() < 0.5:
                self._settle()
            if self._feed.position == before or (self.job.ends and self._feed.caught_up):
                break
        self._settle()

    def show(self) -> None:
        """Let all machines show what they have to."""
        while waiting := [key for key in list(self.states) if self._machine(key).has_to_show]:
            for key in waiting:
                self._waiting += self._machine(key).show()
            self._settle()

    def restart(self, job: LiveJob | None = None) -> None:
        """Begin anew with the states and the position alone, as after a failure."""
        self.job = job or self.job
        self._machines = {}
        self._feed = self.job.feed(self.position)

    def _settle(self) -> None:
        while self._waiting:
            at = 0 if self._chance is None else self._chance.randrange(len(self._waiting))
            message = self._waiting.pop(at)
            if isinstance(message, Parcel):
                self._waiting += self.job.understand(message)
            else:
                self._waiting += self._machine((message.station, message.shard)).take(message)

    def _machine(self, key: Key) -> Taker:
        if key not in self._machines:
            state = self.states.setdefault(key, {})
            self._machines[key] = self.job.machine(*key, state)
        return self._machines[key]
