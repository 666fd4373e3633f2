"""A following service in made-up time: its clocks, its files' times and its pauses are the test's.

Tests reach this through the fixture `follow_time`.
"""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.admission import Admission, Redactor
from connectors.contract import Accounting
from connectors.following import Clock, Follower, Limits, Positions, Waits
from connectors.log import EventLog, LogWriter
from connectors.perimeters import PerimeterTree
from connectors.quarantine import Quarantine
from connectors.secret import Secret
from connectors.source_settings import LettersSource, MailSource, TableSource
from connectors.sources import open_sources

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
SECRET = Secret(bytes(32))
SURVEY = TableSource.model_validate(
    {
        "kind": "table",
        "name": "avis",
        "path": "avis",
        "channel": "survey",
        "perimeter": "{lieu}",
        "columns": {"text": "avis", "occurred_at": "date"},
    }
)
MAIL = MailSource.model_validate({"kind": "mail", "name": "mail", "path": "mail", "perimeter": "siège"})
LETTERS = LettersSource.model_validate(
    {"kind": "letters", "name": "lettres", "path": "lettres", "perimeter": "siège"}
)
HEADER = "date;lieu;avis\n"


def row(text: str, *, day: int = 31) -> str:
    """A line of the survey, on a day of May 2024."""
    return f"{day:02d}/05/2024 09:00;nord;{text}\n"


def message(text: str, *, number: int, day: int = 31) -> str:
    """A message of a mailbox, with the blank line that ends it."""
    sent = f"{day} May 2024 09:00:00 +0000"
    return (
        f"From client@example.org Fri May {day} 09:00:00 2024\nFrom: client@example.org\nDate: {sent}\n"
        f"Subject: avis\nMessage-ID: <{number}@example.org>\n\n{text}\n\n"
    )


@dataclass
class Place:
    """A folder with sources, a log and a quarantine, and the service's clocks."""

    folder: Path
    wall: datetime = NOW
    steady: float = 1000.0
    stopping: bool = False
    settings: str = "as they are"
    pauses: list[float] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def pass_time(self, seconds: float) -> None:
        self.steady += seconds
        self.wall += timedelta(seconds=seconds)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.pass_time(seconds)

    def write(self, name: str, content: str | bytes, *, more: bool = False) -> Path:
        """Write a file of a source, or add to it; its time is the service's."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        with path.open("ab" if more else "wb") as file:
            file.write(data)
        self.touch(path)
        return path

    def touch(self, path: Path) -> None:
        os.utime(path, (self.wall.timestamp(), self.wall.timestamp()))

    @property
    def log(self) -> EventLog:
        return EventLog(self.folder / "log")

    @property
    def quarantine(self) -> Quarantine:
        return Quarantine(self.folder / "quarantine", SECRET)

    def writer(self) -> LogWriter:
        return LogWriter(self.folder / "log", now=lambda: self.wall)

    def follower(self, log: LogWriter, *sources: Any, **options: Any) -> Follower:
        for source in sources:
            (self.folder / source.path).mkdir(parents=True, exist_ok=True)
        admission = Admission(
            secret=SECRET,
            perimeters=PerimeterTree("r"),
            redactor=Redactor(()),
            languages=("fr",),
            zone="Europe/Paris",
        )

        def pause(seconds: float) -> None:
            self.pause(seconds)  # looked up at each call: a test may put another in its place

        options = {"live": True, "waits": Waits(3, 60), "limits": Limits(), **options}
        return Follower(
            open_sources(sources, base=self.folder, zone="Europe/Paris"),
            admission=admission,
            log=log,
            quarantine=self.quarantine,
            zone="Europe/Paris",
            positions=Positions(self.folder / "log/positions", key=bytes(32), fingerprint=self.settings),
            clock=Clock(lambda: self.wall, lambda: self.steady, pause, lambda: self.stopping),
            say=self.said.append,
            **options,
        )

    def texts(self) -> list[str]:
        """The texts of the log, in order of position."""
        log = self.log
        batches = [
            log.read_piece(piece)
            for part in log.slices(max_rows=10_000, zone="UTC")
            for piece in log.pieces(part)
        ]
        rows = [
            pair
            for b in batches
            for pair in zip(b["position"].to_pylist(), b["text"].to_pylist(), strict=True)
        ]
        return [text for _, text in sorted(rows)]

    def told(self, source: str) -> Accounting:
        """What the log's notes tell of a source, all together."""
        from connectors.loads import accounts_of, add

        total = Accounting()
        for manifest in self.log.manifests():
            total = add(total, accounts_of(manifest.note).get(source, Accounting()))
        return total
