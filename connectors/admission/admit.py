"""From what a source parsed to events that may be stored."""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa

from connectors.admission.identity import Identity
from connectors.admission.language import LanguageDetector
from connectors.admission.pseudonyms import Pseudonyms, telling_name
from connectors.admission.redaction import Redactor
from connectors.contract import Parsed, Record, Rejected
from connectors.events import EVENT, FLAG_HISTORY, FLAG_LATE, FLAG_REDACTED, TIME, VOICES
from connectors.perimeters import PerimeterTree
from connectors.secret import Secret
from connectors.source_settings import CommonSource, Window

REASONS = {
    "future_date": "the date is after the time of loading",
    "outside_window": "the date is outside the window the source can plausibly hold",
    "unknown_perimeter": "the perimeter is not in the tree, or the name fits several",
    "score_range": "the score is not between 0 and 1",
    "empty": "there is neither text nor score",
    "unknown_voice": "the voice is neither customer nor field",
    "bad_channel": "the channel is not a word of lower-case letters, digits and underscores",
}
"""Every reason admission may reject with, in words."""

_SLUG = re.compile(r"[a-z][a-z0-9_]*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Admissible = tuple[Record, Parsed]


def unknown_perimeter(perimeter: str, redactor: Redactor) -> Rejected:
    """The rejection of a row whose perimeter the tree does not know; its name is redacted."""
    name = redactor.redact_one(perimeter[:80])
    return Rejected("unknown_perimeter", f"{name!r} is not in the tree, or fits several; add it or an alias")


@dataclass(frozen=True, slots=True)
class Admitted:
    """events: EVENT, in the order of the rows admitted; rejections: the other rows, with their reason.

    rows: for each event, the index of its row among those given.
    """

    events: pa.RecordBatch
    rows: list[int]
    rejections: list[tuple[int, Rejected]]


class Admission:
    """What all sources of one load share. zone: the organisation's, for the days of windows."""

    def __init__(
        self,
        *,
        secret: Secret,
        perimeters: PerimeterTree,
        redactor: Redactor,
        languages: Sequence[str],
        zone: str,
    ) -> None:
        self.secret = secret
        self.perimeters = perimeters
        self.redactor = redactor
        self.zone = zone
        self._pseudonyms = Pseudonyms(secret.key("pseudonym"))
        self._languages = LanguageDetector(languages)

    def of_source(self, settings: CommonSource, *, live: bool, now: datetime) -> "SourceAdmission":
        """Admission of one source during one load. now: the load time, aware; live events carry it."""
        return SourceAdmission(self, settings, live=live, now=now)


class SourceAdmission:
    """Admits the rows of one source, batch after batch, in the order of the source."""

    def __init__(self, shared: Admission, settings: CommonSource, *, live: bool, now: datetime) -> None:
        self._shared = shared
        self._settings = settings
        self._live = live
        self._now = now
        self._identity = Identity(shared.secret.key("event-id"), settings.name)
        self._first, self._end = _bounds(settings.window, settings.timezone or shared.zone)

    def move_to(self, now: datetime, *, live: bool) -> None:
        """Admit what comes from here on at a later time, aware, as live events or as history."""
        self._now, self._live = now, live

    @property
    def identity(self) -> Identity:
        """What gives the ids."""
        return self._identity

    def forget(self, part: Hashable) -> None:
        """Give the ids of later rows as if those of a part had never come; see Identity.forget."""
        self._identity.forget(part)

    def admit(self, rows: Sequence[Admissible], *, part: Hashable = None) -> Admitted:
        """Check, pseudonymise and redact rows. Every row given is an event or a rejection.

        Identity is counted over all rows given, so a row keeps its id when others are rejected or fixed.
        part: the file the rows come from, where `forget` may be asked for.
        """
        ids = self._identity.of([parsed for _, parsed in rows], part=part)
        kept: list[int] = []
        rejections: list[tuple[int, Rejected]] = []
        for i, (_, parsed) in enumerate(rows):
            fault = self._fault(parsed)
            if fault is None:
                kept.append(i)
            else:
                rejections.append((i, fault))
        events = self._events([ids[i] for i in kept], [rows[i][1] for i in kept])
        return Admitted(events, kept, rejections)

    def _fault(self, row: Parsed) -> Rejected | None:
        """Why a row cannot be admitted. Details give dates and rules, never what could be a person."""
        settings = self._settings
        if row.occurred_at > self._now:
            return Rejected(
                "future_date", f"{_iso(row.occurred_at)} is after {_iso(self._now)}, when it was loaded"
            )
        if not self._first <= row.occurred_at < self._end:
            last = settings.window.last or "now"
            return Rejected(
                "outside_window", f"{_iso(row.occurred_at)} is outside {settings.window.first} to {last}"
            )
        if row.score is not None and not 0 <= row.score <= 1:
            return Rejected("score_range", f"the score is {row.score:g}; it must be in [0, 1]")
        if row.score is None and not row.text.strip():
            return Rejected("empty", "an event needs a text or a score")
        if row.voice is not None and row.voice not in VOICES:
            return Rejected("unknown_voice", f"the voice must be one of {', '.join(VOICES)}")
        if row.channel is not None and not _SLUG.fullmatch(row.channel):
            return Rejected("bad_channel", "the channel must match [a-z][a-z0-9_]*")
        if self._shared.perimeters.resolve(row.perimeter) is None:
            return unknown_perimeter(row.perimeter, self._shared.redactor)
        return None

    def _events(self, ids: list[bytes], rows: list[Parsed]) -> pa.RecordBatch:
        shared, settings = self._shared, self._settings
        occurred = [(row.occurred_at - _EPOCH) // _MICROSECOND for row in rows]
        redacted = shared.redactor.redact([row.text for row in rows], [_persons(row) for row in rows])
        grace_s = int(settings.grace.total_seconds())
        resolve = shared.perimeters.resolve
        count = len(rows)
        columns = {
            "event_id": pa.array(ids, pa.binary(16)),
            "occurred_at": pa.array(occurred, pa.int64()).cast(TIME),
            "admitted_at": pa.array(self._admitted(occurred), pa.int64()).cast(TIME),
            "grace_s": pa.array([grace_s] * count, pa.int32()),
            "source": pa.array([settings.name] * count, pa.string()),
            "channel": pa.array([row.channel or settings.channel for row in rows], pa.string()),
            "voice": pa.array([row.voice or settings.voice for row in rows], pa.string()),
            "perimeter": pa.array([resolve(row.perimeter) for row in rows], pa.string()),
            "score": pa.array([row.score for row in rows], pa.float64()),
            "author": pa.array(shared._pseudonyms.of([row.author for row in rows]), pa.binary(16)),
            "agent": pa.array(shared._pseudonyms.of([row.agent for row in rows]), pa.binary(16)),
            "language": pa.array(shared._languages.detect(redacted.texts), pa.string()),
            "flags": pa.array(self._flags(occurred, redacted.changed, grace_s), pa.uint16()),
            "text": pa.array(redacted.texts.to_list(), pa.string()),
        }
        return pa.RecordBatch.from_arrays([columns[field.name] for field in EVENT], schema=EVENT)

    def _admitted(self, occurred: list[int]) -> list[int]:
        return [(self._now - _EPOCH) // _MICROSECOND] * len(occurred) if self._live else occurred

    def _flags(self, occurred: list[int], redacted: list[bool], grace_s: int) -> list[int]:
        """History is admitted as of its own time, so it is never late."""
        in_time = (self._now - _EPOCH) // _MICROSECOND - grace_s * 1_000_000
        return [
            (FLAG_REDACTED if changed else 0)
            | ((FLAG_LATE if at < in_time else 0) if self._live else FLAG_HISTORY)
            for at, changed in zip(occurred, redacted, strict=True)
        ]


def _persons(row: Parsed) -> tuple[str, ...]:
    persons = (row.author, row.agent, *row.names)
    return tuple(name for person in persons if person and (name := telling_name(person)))


def _bounds(window: Window, zone: str) -> tuple[datetime, datetime]:
    """The instants a window of civil days begins and ends at, the second excluded."""
    tz = ZoneInfo(zone)
    first = datetime.combine(window.first, time(), tz).astimezone(UTC)
    if window.last is None:
        return first, datetime.max.replace(tzinfo=UTC)
    return first, datetime.combine(window.last + timedelta(days=1), time(), tz).astimezone(UTC)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
