"""`vigie.toml`: one file, validated whole, every fault listed at once."""

import json
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from connectors.alerts.envelope import UndeliveredError, sender_of
from connectors.errors import SettingsError, StoreError
from connectors.files import at_home
from connectors.source_settings import Model, Slug, SourceSettings, Span, Step, Zone, matching
from pipelines.occasions import (
    OccasionSettings,
    Period,
    as_plain,
    country_fault,
    expanded,
    in_buckets,
    school_fault,
    subdivisions_fault,
)
from pipelines.settings_faults import NAMES_DIFFER, form_faults, tree_faults, unmet, unmet_sources

if TYPE_CHECKING:
    from pipelines.stages.detect import Detection

_T = TypeVar("_T")

DEFAULT_NAME = "vigie.toml"
_URL = "must be an address such as https://vigie.exemple.fr"
_SENDER = "must be an e-mail address, with a name or without: Vigie <vigie@exemple.fr>"
_TEN_YEARS = 3650
"""Days: more than any log asks for, and few enough to be added to any date."""
_WEIGHTS = "must be a file that `vigie learn` wrote, weights-<hash>.parquet"


def _without(fault: str | None, value: _T) -> _T:
    """The value, if nothing is wrong with it."""
    if fault is not None:
        raise ValueError(fault)
    return value


def _check_sender(value: str) -> str:
    """Accept what mails can come from."""
    try:
        sender_of(value)
    except UndeliveredError:
        raise ValueError(_SENDER) from None
    return value


class Organisation(Model):
    """Whose texts these are."""

    root: Step
    """First segment of every perimeter's path."""
    name: str
    tree: str | None = None
    """CSV of perimeters (perimeter, name, aliases); without it, the paths met make the tree."""
    timezone: Zone = "Europe/Paris"
    languages: Annotated[list[Slug], Field(min_length=1)] = ["fr", "en"]
    """Those texts are read in; the first is the default."""
    country: str | None = None
    """ISO 3166-1 code of the country whose public holidays are expected to be spoken of; none without it."""
    subdivisions: list[str] = []
    """Parts of the country whose own holidays count too, by ISO 3166-2 code or zone."""
    school_holidays: bool = False
    """Whether the country's school holidays count too."""

    @field_validator("country")
    @classmethod
    def _known(cls, country: str | None) -> str | None:
        return _without(None if country is None else country_fault(country), country)

    @field_validator("subdivisions")
    @classmethod
    def _of_it(cls, subdivisions: list[str], info: ValidationInfo) -> list[str]:
        # A country that is refused says nothing of its parts.
        known = "country" in info.data
        fault = subdivisions_fault(info.data["country"], subdivisions) if known else None
        return _without(fault, subdivisions)

    @field_validator("school_holidays")
    @classmethod
    def _told(cls, wanted: bool, info: ValidationInfo) -> bool:
        known = wanted and {"country", "subdivisions"} <= info.data.keys()
        fault = school_fault(info.data["country"], info.data["subdivisions"]) if known else None
        return _without(fault, wanted)


class Privacy(Model):
    """Who may not be recognised."""

    key_file: str = "secret/vigie.key"
    """Outside the log and the repository: whoever holds it can test a pseudonym."""
    directory: str | None = None
    """Names to redact, one a line."""
    min_authors: Annotated[int, Field(ge=3, le=1000)] = 5
    """Nothing is shown of fewer distinct authors."""
    weekly_depth: Annotated[int, Field(ge=0)] = 1
    """Boards count perimeters down to this depth (0: the root) by week, smaller ones by four weeks."""
    quarantine: str = "quarantine"
    quarantine_days: Annotated[int, Field(ge=1, le=_TEN_YEARS)] = 30


class LogPlace(Model):
    """Where the event log is."""

    path: str = "log"


def _check_wait(span: timedelta) -> timedelta:
    """Accept a span that a service can wait for."""
    if not timedelta(seconds=1) <= span <= timedelta(days=1):
        raise ValueError("must be at least 1s and 1d at most")
    return span


def _check_dsn(dsn: str) -> str:
    if dsn:
        # The driver takes a while to import, and most settings leave the DSN empty.
        from connectors.store.connection import check_dsn

        try:
            check_dsn(dsn)
        except StoreError as error:
            raise ValueError(str(error)) from None
    return dsn


class StorePlace(Model):
    """Where signals go: a PostgreSQL by its DSN, or the embedded one in a folder."""

    dsn: Annotated[str, AfterValidator(_check_dsn)] = ""
    folder: str = "store"


class Understanding(Model):
    """How texts are read."""

    sentiment: Annotated[str, matching(r"(.*/)?weights-[0-9a-f]{32}\.parquet", _WEIGHTS)] | None = None
    """File of learned weights, as `vigie learn` names it; without it, the lexicon tells a text's mood."""


class DetectionSettings(Model):
    """How detection judges. Buckets are civil days."""

    false_alerts_per_perimeter_per_year: Annotated[float, Field(gt=0, le=52)] = 0.25
    half_life_days: Annotated[float, Field(ge=7)] = 60
    warm_up_days: Annotated[int, Field(ge=0, le=_TEN_YEARS)] = 28
    memory_days: Annotated[int, Field(ge=7, le=_TEN_YEARS)] = 28
    early_look_minutes: Annotated[int, Field(ge=0, le=1440)] = 0
    """How often days that are still open are looked at, on the log's clock; 0: they are not."""
    lexicon: str | None = None
    """Folder of your own lexicon entries, laid out as Vigie's."""


_Wait = Annotated[Span, AfterValidator(_check_wait)]


class FollowSettings(Model):
    """How `vigie ingest --follow` goes about it."""

    poll: _Wait = timedelta(seconds=5)
    """Between two looks at the sources; where the file system tells of changes, it does not wait for them."""
    settle: _Wait = timedelta(seconds=3)
    """A letter, a workbook, a mailbox's last message is read once its file has not changed for this long."""
    patience: _Wait = timedelta(minutes=1)
    """What looks half-written is believed to be meant after this long."""
    tick: _Wait = timedelta(minutes=15)
    """The log's clock advances at least this often, so that quiet days close."""
    segment_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 50_000
    """Events that one segment holds at most; reading waits until they are committed."""


class Alerts(Model):
    """How alerts leave. Nothing leaves before a mail server or a mailbox is named."""

    url: Annotated[str, matching(r"https?://[^\s/?#]+(/[^\s?#]*)?", _URL)] = "http://127.0.0.1:8321"
    """Where `vigie serve` is reached from outside; the links in messages begin with it."""
    sender: Annotated[
        str, matching(r"[^@\r\n]*[^@\s<]@[A-Za-z0-9.-]+>?", _SENDER), AfterValidator(_check_sender)
    ] = "vigie@localhost"
    smtp_host: str = ""
    smtp_port: Annotated[int, Field(ge=1, le=65535)] = 587
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str = ""
    smtp_password_file: str | None = None
    mailbox: str | None = None
    """Folder that mails are written to instead of being sent."""
    weekly_cap: Annotated[int, Field(ge=1, le=1000)] = 5
    """Alerts a week to one address, where its subscription says nothing else."""
    link_days: Annotated[int, Field(ge=1, le=366)] = 60
    """How long the links in messages are good."""


class AuditPlace(Model):
    """Where the log's head is signed, and with what; and where snapshots lie."""

    key_file: str = "secret/vigie-audit.pem"
    """The private key, outside the log: whoever holds it can attest another record."""
    folder: str = "attestations"
    """Where `vigie audit attest` writes, to be copied elsewhere."""
    snapshots: str = "snapshots"
    """Where replays keep what they found day by day, for questions about the past."""
    snapshots_share: Annotated[float, Field(ge=0, le=100)] = 0.2
    """What snapshots may take at most, of the log's size; 0 for none."""


class Settings(Model):
    """The whole file. Paths in it are relative to the file."""

    organisation: Organisation
    privacy: Privacy = Privacy()
    log: LogPlace = LogPlace()
    follow: FollowSettings = FollowSettings()
    store: StorePlace = StorePlace()
    understanding: Understanding = Understanding()
    detection: DetectionSettings = DetectionSettings()
    alerts: Alerts = Alerts()
    audit: AuditPlace = AuditPlace()
    occasion: list[OccasionSettings] = []
    source: list[SourceSettings] = []
    _base: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        names = [source.name for source in self.source]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(NAMES_DIFFER.format(", ".join(twice)))
        return self

    @field_validator("occasion")
    @classmethod
    def _occasions_once(cls, occasion: list[OccasionSettings]) -> list[OccasionSettings]:
        names = [one.name for one in occasion]
        twice = sorted({name for name in names if names.count(name) > 1})
        fault = f"names must differ: {', '.join(twice)} stands twice; put its dates together"
        return _without(fault if twice else None, occasion)

    @property
    def base(self) -> Path:
        """Folder of the file."""
        return self._base

    def path(self, relative: str) -> Path:
        """A path of the file, from where the file stands; `~` is the home folder."""
        return self._base / at_home(relative)

    @property
    def stages(self) -> "Detection":
        """What the stages need, in their words."""
        # Detection's libraries take seconds to import, and most commands do not detect.
        from pipelines.stages.detect import Detection

        return Detection(
            half_life=self.detection.half_life_days,
            warm_up=self.detection.warm_up_days,
            window=self.detection.memory_days,
            false_alerts=self.detection.false_alerts_per_perimeter_per_year,
            min_authors=self.privacy.min_authors,
            look_every_us=self.detection.early_look_minutes * 60_000_000,
            occasions=in_buckets(self.occasions),
        )

    @cached_property
    def occasions(self) -> dict[str, list[Period]]:
        """All that returns but not at a date, by name: the country's holidays and the organisation's own."""
        organisation = self.organisation
        return expanded(
            self.occasion,
            country=organisation.country,
            subdivisions=organisation.subdivisions,
            school=organisation.school_holidays,
            languages=organisation.languages,
        )

    @cached_property
    def relevant(self) -> dict[str, Any]:
        """The settings that signals depend on, plain values."""
        detection = self.detection.model_dump(mode="json", exclude={"lexicon"})
        if not self.detection.early_look_minutes:
            # Where no looks are taken, settings are those of before there were any.
            del detection["early_look_minutes"]
        plain = {
            "organisation": self.organisation.model_dump(
                mode="json", include={"root", "timezone", "languages"}
            ),
            "min_authors": self.privacy.min_authors,
            "detection": detection,
            # Day by day: the library that knows holidays may learn better.
            **({"occasions": as_plain(self.occasions)} if self.occasions else {}),
        }
        if self.understanding.sentiment is None:
            return plain
        # The name is the hash of the content, wherever the file stands.
        return {**plain, "sentiment": Path(self.understanding.sentiment).name}

    def version(
        self,
        lexicon_version: str,
        names: Mapping[str, str] | None = None,
        moves: Mapping[str, str] | None = None,
    ) -> str:
        """Hash of everything besides the log that signals depend on; 32 hexadecimal digits.

        names: perimeters of the tree by path; they stand in sentences, and their words are never terms.
        moves: paths they had before, to those.
        """
        told = {**self.relevant, "lexicon": lexicon_version, "names": dict(names or {})}
        content = json.dumps({**told, "moves": dict(moves)} if moves else told, sort_keys=True)
        return blake2b(content.encode(), digest_size=16).hexdigest()


def load_settings(file: Path) -> Settings:
    """Read and validate a settings file; SettingsError lists every fault, one a line.

    What the file names must be there. Sources may be gone once they are in the log, and not every command
    reads the tree: where nothing else is wrong, only those who read them look.
    """
    try:
        content = tomllib.loads(_text_of(file))
    except ValueError as error:
        raise SettingsError(f"{file}: not TOML: {error}") from error
    faults: list[str] = []
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        faults += form_faults(content, error)
    faults += unmet(content, file.parent)
    if faults:
        faults += unmet_sources(content, file.parent)
        named = (f"{file}: {fault}" for fault in faults)
        raise SettingsError("\n".join([*named, *tree_faults(content, file.parent)]))
    settings._base = file.parent
    return settings


def _text_of(file: Path) -> str:
    """The file's text, without a byte-order mark; SettingsError where it cannot be read."""
    if file.is_dir():
        raise SettingsError(f"{file}: is a folder; name the settings file, such as {file / DEFAULT_NAME}")
    try:
        data = file.read_bytes()
    except FileNotFoundError as error:
        raise SettingsError(f"{file}: no such file; `vigie init DIR` writes one to start from") from error
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + error.object.count(b"\n", 0, error.start)
        raise SettingsError(f"{file}:{line}: is not UTF-8; save it as UTF-8") from error
