"""A log that lives: history, live segments, settings that change, verdicts, merges, a new generation.

At moments of its life it is copied as it is, with the settings of that moment: what a replay of a copy gives
is what was known then. Everything in it is generated.
"""

import random
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.log import LogWriter
from connectors.log.compaction import compact
from pipelines.in_force import put_in_force
from pipelines.settings import load_settings
from pipelines.workspace import Workspace
from tests.test_engines import PLANTED, ROWS, Rows, table

GRACE_S = 86_400
BEGUN = ROWS[0]["occurred_at"] + timedelta(days=70)
"""Events from here on; a replay of all would take longer and show no more."""
LOADED = BEGUN + timedelta(days=20)
"""When the history was loaded."""
SETTINGS = """\
[organisation]
root = "e"
name = "Enseigne"
languages = ["fr", "en"]
{tree}
[privacy]
min_authors = 4
[detection]
false_alerts_per_perimeter_per_year = {alerts}
half_life_days = {half_life}
warm_up_days = 10
early_look_minutes = {looks}
{lexicon}
"""
TREE = "perimeter,name\ne,Enseigne\n" + "".join(
    f"{place},{place}\n" for place in sorted({row["perimeter"] for row in ROWS} - {"e"})
)
THEME = """\
[cendre]
label_fr = "Cendre"
label_en = "Ash"
dimension = "conformity"
stance = "none"
function = "facilities"
polarity = "complaint"
"""


@dataclass(frozen=True)
class Moment:
    """The log and the settings as they were at a time: `settings` stands beside a copy of the log."""

    at: datetime
    settings: Path

    @property
    def workspace(self) -> Workspace:
        """Its world."""
        return opened(self.settings, self.at)


def opened(settings: Path, at: datetime) -> Workspace:
    """The world of a settings file, at a time of the wall clock."""
    return Workspace(load_settings(settings), say=lambda _: None, now=lambda: at)


class Life:
    """Writes the log of a folder, day after day."""

    def __init__(self, folder: Path, *, looks: int = 0) -> None:
        """looks: minutes from one early look to the next."""
        self.folder = folder
        self.now = LOADED
        self.moments: list[Moment] = []
        self._values: dict[str, Any] = {
            "alerts": 0.05,
            "half_life": 60,
            "tree": "",
            "lexicon": "",
            "looks": looks,
        }
        folder.mkdir(parents=True)
        self.settings = folder / "vigie.toml"
        self.set()

    def set(self, **values: Any) -> None:
        """Change the settings file."""
        self._values |= values
        self.settings.write_text(SETTINGS.format(**self._values), encoding="utf-8")

    def pass_time(self, **span: float) -> None:
        self.now += timedelta(**span)

    def copy(self) -> None:
        """Keep the log and the settings as they are."""
        place = self.folder.with_name(f"{self.folder.name}-{len(self.moments):02d}")
        shutil.copytree(self.folder, place)
        self.moments.append(Moment(self.now, place / "vigie.toml"))

    def write(self) -> "Writing":
        """The log for writing; what the settings changed is decided first, as `vigie ingest` does."""
        return Writing(self)


class Writing:
    """A writer of the log with the settings in force."""

    def __init__(self, life: Life) -> None:
        self._log = LogWriter(life.folder / "log", now=lambda: life.now)
        self._life = life

    def __enter__(self) -> LogWriter:
        log = self._log.__enter__()
        put_in_force(opened(self._life.settings, self._life.now), log)
        return log

    def __exit__(self, *failure: Any) -> None:
        self._log.__exit__(*failure)


def rows_between(first: datetime, last: datetime) -> Rows:
    """Events that occurred in a span, half-open."""
    return [row for row in ROWS if first <= row["occurred_at"] < last]


def live_segments(chance: random.Random, last: datetime) -> Iterator[tuple[datetime, Rows]]:
    """Segments a third of a day apart, from the load on; one in five rows comes late, within the grace."""
    by_time: dict[datetime, Rows] = {}
    for row in rows_between(LOADED, last):
        late = chance.choice([0, 0, 0, 0, chance.random() * GRACE_S])
        arrival = row["occurred_at"] + timedelta(seconds=late)
        at = arrival.replace(hour=arrival.hour // 8 * 8, minute=0, second=0, microsecond=0)
        at += timedelta(hours=8)
        by_time.setdefault(at, []).append({**row, "admitted_at": at, "grace_s": GRACE_S})
    yield from sorted(by_time.items())


def live_through(folder: Path, *, copies: int, also: Iterable[int] = (), looks: int = 0) -> Life:
    """A whole life, copied at so many moments drawn at random, and at its end.

    also: numbers of segments after which it is copied too. looks: as in `Life`.
    """
    chance = random.Random(7)
    life = Life(folder / "now", looks=looks)
    with life.write() as log:
        past = [{**row, "grace_s": GRACE_S} for row in rows_between(BEGUN, LOADED)]
        log.append_history(table(past), loaded_at=life.now, note={})
    segments = list(live_segments(chance, LOADED + timedelta(days=30)))
    copied = {*chance.sample(range(1, len(segments)), copies), *also}
    for number, (at, rows) in enumerate(segments):
        life.now = max(at, life.now)
        _decide(life, number)
        with life.write() as log:
            log.append_live(table(rows), note={})
            if number % 7 == 3:
                life.pass_time(minutes=7)
                log.heartbeat(life.now)
            if number == 33:
                log.verdict("ab" * 16, "dismiss", by=None)
            if number in (20, 50, 75):
                compact(log, zone="Europe/Paris", say=lambda _: None)
            if number == 60:
                log.remove_replaced(keep=timedelta())
            if number == 65:
                log.new_generation()
                before = rows_between(BEGUN - timedelta(days=5), BEGUN)
                log.append_history(table(before), loaded_at=life.now, note={})
        if number in copied:
            life.pass_time(seconds=chance.randrange(1, 60))
            life.copy()
            life.pass_time(seconds=1)
    with life.write() as log:
        log.remove_replaced(keep=timedelta())
    life.pass_time(hours=1)
    life.copy()
    return life


def _decide(life: Life, number: int) -> None:
    """Settings change now and then."""
    if number == 15:
        life.set(half_life=40)
    if number == 30:
        (life.folder / "tree.csv").write_text(TREE, encoding="utf-8")
        life.set(tree='tree = "tree.csv"')
    if number == 42:
        renamed = TREE.replace(f"{PLANTED},{PLANTED}", f"{PLANTED},Magasin B")
        (life.folder / "tree.csv").write_text(renamed, encoding="utf-8")
    if number == 55:
        words = life.folder / "mots" / "fr"
        words.mkdir(parents=True)
        (words.parent / "themes.toml").write_text(THEME, encoding="utf-8")
        (words / "themes.toml").write_text('cendre = "odeur de cendre"\n', encoding="utf-8")
        life.set(lexicon='lexicon = "mots"')
    if number == 70:
        life.set(alerts=0.5)
