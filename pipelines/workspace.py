"""What the commands do, from a settings file: ingest, replay, and open the signal store.

The stages are imported where they are used: detection's libraries take seconds, most commands need none.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.admission import Admission, Redactor, read_names
from connectors.contract import Accounting
from connectors.errors import SecretError, SettingsError, SourceError
from connectors.files import is_there, where_to_watch
from connectors.ingest import Progress, ingest, retry
from connectors.log import EventLog, LogWriter
from connectors.log.compaction import KEPT, compact
from connectors.log.forget import finish_erasures
from connectors.log.inbox import answer
from connectors.perimeters import PerimeterTree, read_perimeters
from connectors.quarantine import Quarantine
from connectors.secret import Secret, load_secret
from connectors.sources import OpenedSource, open_sources
from pipelines.lexicon import Lexicons, load_lexicons
from pipelines.settings import Settings

if TYPE_CHECKING:
    from connectors.alerts.verdicts import Verdicts
    from connectors.following import Status, Waker
    from connectors.store import Store
    from pipelines.learn import Lesson
    from pipelines.probing import Probed
    from pipelines.replay import Engine, Replayed, Standing
    from pipelines.sealing import Seals
    from pipelines.stages.corroborate import Placed
    from pipelines.stages.explain import Telling
    from pipelines.stages.finding import Series
    from pipelines.stages.probe import Probe
    from pipelines.stages.understand import Reader
    from pipelines.steps import Plan
    from pipelines.weights import Weights

Say = Callable[[str], None]
WallClock = Callable[[], datetime]


def wall_clock() -> datetime:
    """Now, UTC: the one place where the time of day enters."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Workspace:
    """A settings file's world. say: receives lines for the user; now: the wall clock, aware."""

    settings: Settings
    say: Say = print
    now: WallClock = wall_clock

    @cached_property
    def tree(self) -> PerimeterTree:
        """The perimeters, from the CSV or from the paths that will be met."""
        organisation = self.settings.organisation
        if organisation.tree is None:
            return PerimeterTree(organisation.root)
        return read_perimeters(self.settings.path(organisation.tree), root=organisation.root)

    @property
    def names(self) -> dict[str, str]:
        """Names of the CSV's perimeters, by path; only the root's where the paths met make the tree."""
        paths = self.tree.paths if self.tree.closed else (self.tree.root,)
        return {path: self.tree.name(path) for path in paths}

    @cached_property
    def lexicons(self) -> Lexicons:
        """The lexicons of the organisation's languages."""
        extra, languages = self.settings.detection.lexicon, self.settings.organisation.languages
        return load_lexicons(languages, self.settings.path(extra) if extra else None)

    @cached_property
    def weights(self) -> "Weights | None":
        """The learned weights that the settings name."""
        from pipelines.weights import read_weights

        file = self.settings.understanding.sentiment
        return None if file is None else read_weights(self.settings.path(file))

    @property
    def verdicts(self) -> "Verdicts | None":
        """Where managers' verdicts go; None for a log elsewhere, which can be read only."""
        from connectors.alerts.verdicts import Verdicts

        is_elsewhere = "://" in self.settings.log.path
        return None if is_elsewhere else Verdicts(self.log_path, self.secret)

    @property
    def settings_version(self) -> str:
        """Hash of what signals depend on besides the log."""
        return self.settings.version(self.lexicons.version, self.names, self.tree.moves)

    @property
    def log_path(self) -> Path:
        """Folder of the event log, to write to; SettingsError where it is at a URI."""
        place = self.settings.log.path
        if "://" in place:
            raise SettingsError(
                f"log.path is '{place}'; a log elsewhere can be read, not written: name a local folder"
            )
        return self.settings.path(place)

    @cached_property
    def secret(self) -> Secret:
        """The key, made on first use."""
        key = self.settings.path(self.settings.privacy.key_file)
        if not key.exists() and (kept := self._kept_under_a_key()):
            raise SecretError(
                f"{key}: no such file, but {kept} was written with a key: "
                "put the key file back; a new key would know nothing again"
            )
        return load_secret(key, log_folder=self.log_path, on_created=self.say)

    def _kept_under_a_key(self) -> str | None:
        """What a new key would not open, as messages name it."""
        if self.log_path.is_dir() and EventLog(self.log_path).rows:
            return f"the log {self.log_path}"
        quarantine = self.settings.path(self.settings.privacy.quarantine)
        return f"the quarantine {quarantine}" if any(quarantine.glob("*.jsonl")) else None

    @cached_property
    def quarantine(self) -> Quarantine:
        """Rejected rows, encrypted."""
        privacy = self.settings.privacy
        return Quarantine(
            self.settings.path(privacy.quarantine), self.secret, kept=timedelta(days=privacy.quarantine_days)
        )

    @cached_property
    def sources(self) -> list[OpenedSource]:
        """The configured sources."""
        if not self.settings.source:
            raise SettingsError("no [[source]] is configured: there is nothing to ingest")
        return open_sources(
            self.settings.source, base=self.settings.base, zone=self.settings.organisation.timezone
        )

    @cached_property
    def admission(self) -> Admission:
        """What every text passes."""
        organisation, directory = self.settings.organisation, self.settings.privacy.directory
        names = read_names(self.settings.path(directory)) if directory else []
        return Admission(
            secret=self.secret,
            perimeters=self.tree,
            redactor=Redactor(names),
            languages=organisation.languages,
            zone=organisation.timezone,
        )

    def open_log(self) -> EventLog:
        """The log, for reading; LogError where there is none."""
        place = self.settings.log.path
        return EventLog(place if "://" in place else self.log_path)

    def ingest(self, *, live: bool = False, progress: Progress | None = None) -> dict[str, Accounting]:
        """Read every source into the log; history until the log has a live part.

        SourceError, before anything is read, names every source whose place is not there.
        """
        self._find_sources()
        return self._load(ingest, live=live, progress=progress)

    def follow(
        self, waker: "Waker", *, live: bool = False, started: "Callable[[Status], None]" = lambda _: None
    ) -> dict[str, Accounting]:
        """Follow the sources into the log until the waker is told to stop; the accounting of each.

        live: what is there at first is admitted as of now, not loaded as history. started: called once the
        log is taken, with what the service tells of itself while it runs.
        """
        from connectors.following import Clock, Follower, Limits, Positions, Waits, watching

        self._find_sources()
        sources, admission, quarantine = self.sources, self.admission, self.quarantine
        wanted, base = self.settings.follow, self.settings.base
        clock = Clock(self.now, time.monotonic, waker.pause, lambda: waker.stopping)
        places = [where_to_watch(base, source.path) for source in self.settings.source]
        with self._writer() as log:
            follower = Follower(
                sources,
                admission=admission,
                log=log,
                quarantine=quarantine,
                zone=self.settings.organisation.timezone,
                positions=Positions(
                    self.log_path / "positions",
                    key=self.secret.key("positions"),
                    fingerprint=self._what_sources_give(),
                ),
                clock=clock,
                say=self.say,
                live=live,
                waits=Waits(wanted.settle.total_seconds(), wanted.patience.total_seconds()),
                limits=Limits(wanted.segment_rows, tick=wanted.tick, poll_s=wanted.poll.total_seconds()),
            )
            started(follower.status)
            ours = [self.log_path, quarantine.folder]
            with watching(places, ours=ours, changed=waker.wake, say=self.say):
                while not waker.stopping:
                    waker.wait(follower.step())
                follower.close()
        return follower.status.accounts

    def retry(self, only: list[str] | None = None) -> dict[str, Accounting]:
        """Parse quarantined records again with today's settings."""
        return self._load(retry, only=only)

    seals: ClassVar["Seals | None"] = None
    """What erasures sealed; None for what the log that is read says."""

    def open_store(self, *, read_only: bool = False) -> "AbstractContextManager[Store]":
        """The signal store: a server by its DSN, or the built-in one, made where there is none."""
        from connectors.store import open_store

        place = self.settings.store
        return open_store(place.dsn, data=self.settings.path(place.folder), read_only=read_only)

    def reader(self) -> "Reader":
        """What `understand` needs."""
        from pipelines.stages.understand import make_reader

        organisation = self.settings.organisation
        named = [path for path in self.tree.paths if organisation.tree is not None]
        names = {word for path in named for word in (path.rpartition("/")[2], self.tree.name(path))}
        return make_reader(
            self.lexicons,
            default=organisation.languages[0],
            zone=organisation.timezone,
            names=names,
            weights=None if self.weights is None else self.weights.languages,
            moves=self.tree.moves,
        )

    def telling(self) -> "Telling":
        """What `explain` and `tell` need."""
        from detectors.features import THEME, feature_id
        from pipelines.stages.explain import Telling

        stages = self.settings.stages
        return Telling(
            reader=self.reader(),
            names=self.names,
            themes={feature_id(key, THEME): theme for key, theme in self.lexicons.themes.items()},
            min_authors=stages.min_authors,
            window=stages.window,
            settings_version=self.settings_version,
            look_every_us=stages.look_every_us,
        )

    def learn(self, *, progress: Callable[[int, int], None] | None = None) -> "Lesson":
        """Learn weights from the scored texts of the log; nothing is written."""
        from detectors.features import THEME, feature_id
        from pipelines.learn import learn

        themes = {feature_id(key, THEME): key for key in self.lexicons.themes}
        least = self.settings.privacy.min_authors
        return learn(self.open_log(), self.reader(), min_authors=least, themes=themes, progress=progress)

    def replay(
        self,
        engine: "Engine",
        *,
        use: "Callable[[Replayed], None] | None",
        slice_rows: int | None = None,
        batch_rows: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        begin: "Callable[[Plan, Seals], Standing] | None" = None,
        end: "Callable[[Plan, Standing, int], None] | None" = None,
    ) -> "Replayed":
        """Replay the log; `use` is given the result while its files exist, else no cells are; as `replay`."""
        from pipelines.flow import BATCH_ROWS
        from pipelines.replay import SLICE_ROWS, Standing, replay

        telling = self.telling()
        with tempfile.TemporaryDirectory(prefix="vigie-replay-") as work:
            replayed = replay(
                self.open_log(),
                self.settings,
                telling.reader,
                telling,
                engine,
                work=Path(work),
                slice_rows=slice_rows or SLICE_ROWS,
                batch_rows=batch_rows or BATCH_ROWS,
                progress=progress,
                begin=begin or Standing.at_first,
                end=end,
                seals=self.seals,
                with_cells=use is not None,
            )
            if use is not None:
                use(replayed)
        return replayed

    def probe(
        self,
        engine: "Engine",
        asked: "Sequence[Probe | Series]",
        *,
        until: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        placed: "list[Placed] | None" = None,
    ) -> "Probed":
        """What detection knows of features and series day by day; see `pipelines.probing.probe_log`."""
        from detectors.features import THEME, feature_id
        from pipelines.probing import probe_log

        with tempfile.TemporaryDirectory(prefix="vigie-probe-") as work:
            return probe_log(
                self.open_log(),
                self.settings,
                self.reader(),
                engine,
                asked,
                themes={feature_id(key, THEME): key for key in self.lexicons.themes},
                work=Path(work),
                until=until,
                progress=progress,
                placed=placed,
            )

    def _load(
        self, load: Callable[..., dict[str, Accounting]], *, live: bool = False, **options: Any
    ) -> dict[str, Accounting]:
        """Run `ingest` or `retry` on the log; what they need is opened before the log is taken."""
        sources, admission, quarantine = self.sources, self.admission, self.quarantine
        with self._writer() as log:
            log.skip_damaged(say=self.say)
            answer(log, self.say)
            return load(
                sources,
                admission=admission,
                log=log,
                quarantine=quarantine,
                live=live or EventLog(self.log_path).has_live,
                now=self.now(),
                **options,
            )

    def _what_sources_give(self) -> str:
        """Hash of all that decides, besides the sources' files, what becomes of their records."""
        from connectors.following import fingerprint_of

        named = (self.settings.organisation.tree, self.settings.privacy.directory)
        files = [self.settings.path(name).read_bytes() for name in named if name]
        sources = [source.model_dump_json() for source in self.settings.source]
        return fingerprint_of(
            [version("vigie"), self.secret.fingerprint, self.settings_version, *sources, *files]
        )

    def _find_sources(self) -> None:
        base = self.settings.base
        faults = [
            f"source {source.name}: {base / source.path}: no such file or folder; correct `path`, which "
            f"starts from {base.absolute()}"
            for source in self.settings.source
            if not is_there(base, source.path)
        ]
        if faults:
            raise SourceError("\n".join(faults))

    def compact_log(self) -> tuple[int, int]:
        """Merge the live segments of closed days; how many segments became how many. LogError without log."""
        self.open_log().refresh()
        with LogWriter(self.log_path, now=self.now) as log:
            merged = compact(log, zone=self.settings.organisation.timezone, say=self.say)
            log.remove_replaced(keep=KEPT)
        return sum(len(one.segment.replaces) for one in merged if one.segment), len(merged)

    def set_aside(self, seq: int) -> None:
        """Set a damaged segment of the log aside. LogError if there is none, or it is whole."""
        self.open_log().refresh()
        with LogWriter(self.log_path, now=self.now) as log:
            log.skip(seq, say=self.say)

    @contextmanager
    def _writer(self) -> Iterator[LogWriter]:
        """The log for writing, with a decision for what changed since the last time."""
        from pipelines.in_force import put_in_force

        with LogWriter(self.log_path, now=self.now) as log:
            put_in_force(self, log)
            finish_erasures(log)
            yield log
