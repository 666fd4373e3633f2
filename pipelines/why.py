"""Why a signal was raised: what was observed and expected day by day, and what would have cleared it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.alerts.excerpts import most_telling
from detectors.occasions import Occasions
from pipelines.derivation import SeriesBudget, budget_of_series
from pipelines.probing import Probed
from pipelines.settings import Settings
from pipelines.stages.clearing import authors_to_clear
from pipelines.stages.finding import COUNTS, KINDS, Finding, Series
from pipelines.stages.judged_days import JudgedDay, days_of_feature, days_of_series
from pipelines.stages.probe import Probe
from pipelines.stages.told_evidence import told_fewer, told_of_finding
from pipelines.stages.why_wording import Grounds, Told, enough_to_clear, why_en, why_fr

MOST_EXCERPTS = 3
_EPOCH = date(1970, 1, 1)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Why:
    """What a signal stands on. signal: its row, with dictionaries. excerpts: rows of EVIDENCE, with their
    civil day, `occurred_on`, and whether that is after the alert's, `after_alert`.
    """

    signal: Row
    grounds: Grounds
    french: Told
    english: Told
    excerpts: Sequence[Row]
    days: Sequence[JudgedDay]
    budget: SeriesBudget | None = None
    """Of a signal of the watch."""

    def as_json(self) -> dict[str, Any]:
        """One object."""
        signal, grounds = self.signal, self.grounds
        told = [count for count in grounds.channels.values() if count is not None]
        whole = sum(told) if told and len(told) == len(grounds.channels) else None
        return {
            "signal_id": signal["signal_id"],
            "kind": grounds.kind,
            "perimeter": signal["perimeter"],
            "judged_at": signal["explanation"]["judged_at"],
            "term": grounds.term,
            "raised": grounds.raised,
            "since": grounds.since,
            "observed": grounds.observed,
            "expected": grounds.expected,
            "baseline": None
            if grounds.first_learned is None
            else {"first": grounds.first_learned, "last": grounds.since - timedelta(days=1)},
            "occasion": None
            if grounds.occasion is None
            else {"name": grounds.occasion[0], "day": grounds.occasion[1]},
            "evidence": grounds.evidence,
            "threshold": grounds.threshold,
            "authors_to_clear": grounds.fewer,
            "value_to_clear": enough_to_clear(grounds) if grounds.kind in KINDS else None,
            "distinct_authors": signal["distinct_authors"],
            "channels": {
                name: {"authors": count, "share": None if whole is None or count is None else count / whole}
                for name, count in grounds.channels.items()
            },
            "sentence_fr": self.french.whole,
            "sentence_en": self.english.whole,
            "excerpts": list(self.excerpts),
            "days": [asdict(day) for day in self.days],
            "budget": asdict(self.budget) if self.budget else None,
        }


def why(signal: Row, evidence: Sequence[Row], probed: Probed, settings: Settings, *, place: str) -> Why:
    """Put together what is known. signal, evidence: as the store gives them.

    probed: what `asked_of(signal)` shows. place: name of the perimeter where it was judged.
    """
    told, raised = signal["explanation"], signal["bucket"]
    zone = ZoneInfo(settings.organisation.timezone)
    rows = probed.features.to_pylist()
    alarm = (raised - _EPOCH).days
    at_alarm = next((row for row in rows if row["bucket"] == alarm), None)
    since = _EPOCH + timedelta(days=at_alarm["since"]) if at_alarm else date.fromisoformat(told["since"])
    value, budget, least = signal["observed"], None, settings.stages.min_authors
    fewer = authors_to_clear(rows, settings.stages, alarm=alarm)
    if rows:
        days = days_of_feature(rows, settings.stages.dispersion, since=since, min_authors=least)
    else:
        shown = _first_alarm(probed.series, signal, alarm, least)
        for one in shown:
            if one.bucket == alarm:
                budget = budget_of_series(one, settings.stages)
                value = signal["observed"] if one.kind in COUNTS else one.observed
        days = days_of_series(shown, probed.raised, since=since, min_authors=least)
    grounds = Grounds(
        kind=signal["kind"],
        term=told.get("term") or signal["label"],
        place=place,
        since=since,
        raised=raised,
        observed=signal["observed"],
        value=value,
        expected=at_alarm["expected"] if at_alarm else signal["expected"],
        first_learned=days[0].day if days else None,
        evidence=signal["evidence"],
        threshold=told["threshold"],
        fewer=told_fewer(fewer, at_alarm["observed"], least) if at_alarm and fewer is not None else None,
        channels=signal["channels"],
        occasion=_occasion(at_alarm, settings.stages.occasions) if at_alarm else None,
    )
    return Why(
        signal,
        grounds,
        why_fr(grounds, signal["sentence_fr"]),
        why_en(grounds, signal["sentence_en"]),
        [
            {**row, "occurred_on": day, "after_alert": day > raised}
            for row in most_telling(evidence, told["terms"], raised, most=MOST_EXCERPTS)
            for day in [row["occurred_at"].astimezone(zone).date()]
        ],
        days,
        budget,
    )


def asked_of(signal: Row) -> Sequence[Probe | Series]:
    """What to show of detection for a signal: a feature, or the series of the watch that it tells of."""
    told = signal["explanation"]
    if "feature" in told:
        return [Probe(told["judged_at"], int(told["feature"], 16))]
    return [Series(signal["kind"], told["judged_at"], detail) for detail in told["details"] or [""]]


def _occasion(at_alarm: Row, occasions: Occasions) -> tuple[str, date] | None:
    """The occasion that the season's factor of a row of PROBED comes from, and its first day."""
    day = at_alarm["occasion_day"]
    like = None if day is None else occasions.named_like(at_alarm["bucket"], day)
    return None if like is None else (like.name, _EPOCH + timedelta(days=like.began))


def _first_alarm(shown: Sequence[Finding], signal: Row, alarm: int, least: int) -> Sequence[Finding]:
    """Of several series, the one whose alarm began the signal."""
    begun = [
        one for one in shown if one.bucket == alarm and told_of_finding(one, least) == signal["evidence"]
    ]
    return [one for one in shown if begun and Series.of(one) == Series.of(begun[0])]


def last_day_of(signal: Row, zone: str) -> int:
    """The bucket in which a signal was last seen."""
    seen: datetime = signal["last_seen"]
    raised: date = signal["bucket"]
    return (max(seen.astimezone(ZoneInfo(zone)).date(), raised) - _EPOCH).days
