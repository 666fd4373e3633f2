"""The past under other settings: which stages must run again, and what comes of it beside what happened."""

import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Literal

from pydantic import ValidationError

from connectors.alerts.subscription import Subscription
from connectors.errors import SettingsError
from connectors.log import EventLog
from pipelines.chronicle import Chronicle
from pipelines.comparing import Comparison, compare_runs
from pipelines.in_force import payload_of
from pipelines.plain import JudgingEngine, KeepingEngine, PlainEngine
from pipelines.replay import Standing
from pipelines.rules import rule_of
from pipelines.runs import Run, raised_on, run_of
from pipelines.sealing import Seals
from pipelines.settings import Settings
from pipelines.settings_faults import unmet
from pipelines.stages.finding import Finding
from pipelines.stages.understand import Reader
from pipelines.stages.watch import Watch
from pipelines.steps import Plan
from pipelines.workspace import Workspace

Again = Literal["nothing", "judging", "everything"]
"""What must run again: after scoring nothing; the detectors, on texts that were understood; a full replay."""
Values = Mapping[str, Any]
"""Settings by name, `detection.half_life_days`."""

_JUDGING = ("detection.", "privacy.min_authors")
_READING = ("detection.lexicon", "understanding.", "organisation.")
_AFTER = ("alerts.weekly_cap",)
_WEEK = timedelta(days=7)


def parse_set(text: str) -> tuple[str, Any]:
    """A setting and its value, `detection.half_life_days=30`; a value that is not TOML is text.

    SettingsError for another form, or for a setting that changes nothing of the past.

    >>> parse_set("detection.half_life_days=30"), parse_set("organisation.timezone=UTC")
    (('detection.half_life_days', 30), ('organisation.timezone', 'UTC'))
    """
    key, given, value = text.partition("=")
    key = key.strip()
    if not given or not key:
        raise SettingsError(
            f"{text!r} is no setting with its value; give one such as detection.half_life_days=30"
        )
    if not key.startswith((*_JUDGING, *_READING, *_AFTER)):
        raise SettingsError(
            f"{key}: changes nothing of what was found or told; it must be a setting of [detection], "
            "[understanding] or [organisation], privacy.min_authors or alerts.weekly_cap"
        )
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value.strip()


def with_values(settings: Settings, values: Values) -> Settings:
    """Settings with some of their values changed; SettingsError, a line a fault, where those break a rule."""
    unchanged = {name: getattr(settings, name) for name in Settings.model_fields}
    parts: dict[str, Any] = {}
    faults: list[str] = []
    for section in dict.fromkeys(key.partition(".")[0] for key in values):
        content = unchanged[section].model_dump()
        for key, value in values.items():
            within, _, name = key.partition(".")
            if within == section and name not in content:
                raise SettingsError(f"{key}: there is no such setting")
            if within == section:
                content[name] = value
        try:
            parts[section] = type(unchanged[section]).model_validate(content)
        except ValidationError as error:
            faults += [
                f"{section}.{'.'.join(map(str, fault['loc']))} is {fault['input']!r}; {rule_of(fault)}"
                for fault in error.errors(include_url=False)
            ]
        faults += unmet({section: content}, settings.base)
    if faults:
        raise SettingsError("\n".join(faults))
    changed = Settings(**{**unchanged, **parts})
    changed._base = settings.base
    return changed


def must_run_again(before: Workspace, after: Workspace) -> Again:
    """What the difference between two workspaces of one log asks for."""
    ours, theirs = payload_of(before), payload_of(after)
    if ours["version"] == theirs["version"]:
        return "nothing"
    if before.settings.stages.look_every_us != after.settings.stages.look_every_us:
        # Looks read rows of days that do not close with their slice.
        return "everything"
    judged = {"version", "detection", "min_authors", "occasions"}
    read = {name for name in {*ours, *theirs} - judged if ours.get(name) != theirs.get(name)}
    return "everything" if read else "judging"


@dataclass(frozen=True, kw_only=True)
class _Pinned(Workspace):
    """A workspace whose log stands still: what was kept of it stays what would be read."""

    log: EventLog
    read_by: "Reader | None" = None

    def open_log(self) -> EventLog:
        """The log as it was first seen."""
        return self.log

    def reader(self) -> "Reader":
        """What was compiled once, where the same texts are read the same way."""
        return super().reader() if self.read_by is None else self.read_by


class _Listening(Chronicle):
    """Keeps what the watch finds of each slice."""

    def __init__(self, watched: Watch, heard: list[list[Finding]]) -> None:
        super().__init__(watched)
        self._heard = heard

    def _watch(self, *what: Any, **more: Any) -> list[Finding]:
        self._heard.append(super()._watch(*what, **more))
        return self._heard[-1]


class _Repeating(Chronicle):
    """Finds what the watch found: for settings that the watch does not look at."""

    def __init__(self, watched: Watch, heard: Sequence[list[Finding]]) -> None:
        super().__init__(watched)
        self._heard = iter(heard)

    def _watch(self, *_what: Any, **_more: Any) -> list[Finding]:
        return next(self._heard)


class Past:
    """What happened, by today's settings, ready to be judged again under others. See `opened`."""

    def __init__(self, workspace: Workspace, kept: Path, progress: Callable[[int, int], None] | None) -> None:
        log = workspace.open_log()
        log.refresh()
        reader = workspace.reader()
        self._workspace = _Pinned(workspace.settings, workspace.say, workspace.now, log=log, read_by=reader)
        self._heard: list[list[Finding]] = []
        self._kept = kept
        self._progress = progress
        self.run = self._replay(
            self._workspace,
            KeepingEngine(kept),
            lambda plan, _: Standing(_Listening(Watch.new(plan.root, plan.detection), self._heard)),
        )

    @classmethod
    @contextmanager
    def opened(
        cls, workspace: Workspace, progress: Callable[[int, int], None] | None = None
    ) -> Iterator["Past"]:
        """Replay the log once, and keep what was understood as long as this is open."""
        with tempfile.TemporaryDirectory(prefix="vigie-past-") as kept:
            yield cls(workspace, Path(kept), progress)

    def under(self, settings: Settings) -> tuple[Run, Again]:
        """The past under other settings, and what had to run again for it."""
        other = replace(self._workspace, settings=settings)
        again = must_run_again(self._workspace, other)
        if again == "nothing":
            return self.run, again
        if again == "everything":
            return self._replay(replace(other, read_by=None), PlainEngine()), again
        same = _watched_by(settings) == _watched_by(self._workspace.settings)
        return self._replay(other, JudgingEngine(self._kept), self._repeating if same else None), again

    def _repeating(self, plan: Plan, _sealed: Seals) -> Standing:
        return Standing(_Repeating(Watch.new(plan.root, plan.detection), self._heard))

    def _replay(
        self,
        workspace: Workspace,
        engine: PlainEngine,
        begin: "Callable[[Plan, Seals], Standing] | None" = None,
    ) -> Run:
        replayed = workspace.replay(engine, use=None, progress=self._progress, begin=begin)
        return run_of(replayed, payload_of(workspace))


def _watched_by(settings: Settings) -> tuple[object, ...]:
    """The settings that the watch looks at: see `Watch.new` and `watch`."""
    stages = settings.stages
    return stages.min_authors, stages.warm_up, stages.false_alerts


@dataclass(frozen=True, slots=True)
class Load:
    """Alerts of one manager, or of one perimeter: under today's settings, and under others.

    a_year: of those under the others, alerts a year. held: of them, over the week's cap.
    """

    who: str
    before: int
    after: int
    a_year: float
    held_before: int
    held_after: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What other settings would have done. verdicts: of managers, by id of what happened.

    loads: of managers where there are subscriptions, else of the perimeters that alerts belong to. budget:
    false alerts a perimeter and year, under the others.
    """

    values: Values
    again: Again
    comparison: Comparison
    verdicts: Mapping[str, str]
    loads: Sequence[Load]
    budget: float
    alerts: int

    @property
    def gained(self) -> list[Mapping[str, Any]]:
        """Signals that would have been raised besides."""
        return [pair.there for pair in self.comparison.pairs if pair.there and not pair.here]

    @property
    def lost(self) -> list[Mapping[str, Any]]:
        """Signals that would not have been raised."""
        return [pair.here for pair in self.comparison.pairs if pair.here and not pair.there]

    def judged(self, judgement: str) -> int:
        """How many of the lost ones managers confirmed, or dismissed."""
        return sum(self.verdicts.get(row["signal_id"]) == judgement for row in self.lost)

    def kept(self, judgement: str | None = None) -> float | None:
        """Share of what happened that would have been raised too, of those of a verdict if one is given."""
        mine = [
            pair
            for pair in self.comparison.pairs
            if pair.here and (judgement is None or self.verdicts.get(pair.here["signal_id"]) == judgement)
        ]
        return sum(pair.there is not None for pair in mine) / len(mine) if mine else None

    @property
    def delay(self) -> float | None:
        """Median of the days by which others would have been raised later, negative where sooner; None where
        no day would have changed.
        """
        moved = [pair.days for pair in self.comparison.pairs if pair.days]
        return median(moved) if moved else None

    def as_json(self) -> dict[str, Any]:
        """One object."""
        return {
            "values": dict(self.values),
            "again": self.again,
            "alerts": self.alerts,
            "counts": self.comparison.counts,
            "lost_confirmed": self.judged("confirm"),
            "lost_dismissed": self.judged("dismiss"),
            "kept_share": self.kept(),
            "kept_share_of_confirmed": self.kept("confirm"),
            "delay_days": self.delay,
            "budget": self.budget,
            "loads": [
                {
                    "who": one.who,
                    "before": one.before,
                    "after": one.after,
                    "a_year": one.a_year,
                    "held_before": one.held_before,
                    "held_after": one.held_after,
                }
                for one in self.loads
            ],
            "pairs": [pair.as_json() for pair in self.comparison.pairs if pair.verdict != "same"],
        }


def outcome(
    values: Values,
    before: Run,
    after: Run,
    again: Again,
    *,
    settings: Settings,
    verdicts: Mapping[str, str],
    subscriptions: Sequence[Subscription],
) -> Outcome:
    """Put a run beside what happened. settings: the other ones. Parts of wider signals are not counted."""
    ours, theirs = _whole(before), _whole(after)
    cap = settings.alerts.weekly_cap if "alerts.weekly_cap" in values else None
    return Outcome(
        values,
        again,
        compare_runs(ours, theirs),
        verdicts,
        _loads(ours, theirs, subscriptions, cap),
        settings.detection.false_alerts_per_perimeter_per_year,
        len(theirs.signals),
    )


def _whole(run: Run) -> Run:
    return replace(run, signals=[row for row in run.signals if row["status"] != "merged"])


def _loads(before: Run, after: Run, subscriptions: Sequence[Subscription], cap: int | None) -> list[Load]:
    days = sorted(raised_on(row) for run in (before, after) for row in run.signals)
    years = max(((after.closed_until.date() - days[0]).days if days else 0) / 365.25, 1 / 365.25)
    if not subscriptions:
        places = sorted({row["perimeter"] for run in (before, after) for row in run.signals})
        counted = [
            (place, *(sum(row["perimeter"] == place for row in run.signals) for run in (before, after)))
            for place in places
        ]
        return [Load(place, old, new, new / years, 0, 0) for place, old, new in counted]
    loads = []
    for one in subscriptions:
        # What is raised from history is counted as if it had been live: that is the question.
        wide = one.model_copy(update={"history": True})
        old, new = (
            sorted(raised_on(row) for row in run.signals if wide.wants(row)) for run in (before, after)
        )
        held_old = over_cap(old, one.weekly_cap)
        held_new = over_cap(new, one.weekly_cap if cap is None else cap)
        loads.append(Load(one.subscriber, len(old), len(new), len(new) / years, held_old, held_new))
    return sorted(loads, key=lambda load: (-load.after, load.who))


def over_cap(days: Sequence[date], cap: int) -> int:
    """Alerts that a weekly cap holds back, of those raised on some days, in order.

    >>> over_cap([date(2025, 3, 1)] * 3 + [date(2025, 3, 8)], 2)
    1
    """
    sent: list[date] = []
    for day in days:
        if sum(day - _WEEK < other for other in sent) < cap:
            sent.append(day)
    return len(days) - len(sent)
