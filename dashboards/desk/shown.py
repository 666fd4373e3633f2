"""A signal as a subscriber may see it: words and figures, nothing of fewer people than the minimum."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from connectors.alerts.actions import state_of
from connectors.alerts.excerpts import may_be_quoted, most_telling
from connectors.alerts.plan import may_be_shown
from connectors.alerts.subscription import Subscription
from dashboards.desk.words import Words
from dashboards.evidence_words import SHAPES, SHOWN_TIMES, UNITS
from dashboards.taught_words import taught_words

_BILLION = 9
_ABSENCE = "silence"
STANDINGS = EARLY, NOT_SUSTAINED = ("early", "not_sustained")
"""Statuses of what a look at an open day raised."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What somebody wrote, redacted. about: day, channel and place, as far as they may be told."""

    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """An action on a signal, in words."""

    who: str
    what: str
    when: str
    comment: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A signal in words. people: at least so many, None for a silence, which nobody writes.

    facts: label and value of each. taught: what verdicts about the like of it taught; empty of none.
    standing: `early` or `not_sustained` for what a look at an open day raised, until its close confirms it.
    """

    signal_id: str
    label: str
    sentence: str
    place: str
    tone: str
    tone_word: str
    kind_word: str
    raised: str
    people: int | None
    people_word: str
    observed: str
    expected: str
    unit: str
    seen: str
    odds: str
    facts: Sequence[tuple[str, str]]
    excerpts: Sequence[Excerpt]
    merged: bool
    standing: str
    standing_word: str
    state: str
    state_word: str
    history: Sequence[Done]
    taught: str


@dataclass(frozen=True, slots=True)
class Organisation:
    """What the desk knows besides the store. themes: key to label, by language. min_authors: today's."""

    name: str
    min_authors: int
    themes: Mapping[str, Mapping[str, str]]


def show(
    signal: Row | None,
    evidence: Sequence[Row],
    history: Sequence[dict[str, Any]],
    *,
    wanted: Subscription,
    names: Mapping[str, str],
    organisation: Organisation,
    words: Words,
    excerpts: int,
) -> Shown | None:
    """A signal for a subscriber, with as many excerpts at most; None if it is not theirs to see.

    signal, evidence, history: rows of the store. names: of perimeters, by path.
    """
    if (
        signal is None
        or not wanted.watches(signal["perimeter"])
        or not may_be_shown(signal, organisation.min_authors)
    ):
        return None
    zone = ZoneInfo(wanted.timezone)
    least = max(organisation.min_authors, signal["min_authors"])
    quoted = may_be_quoted(evidence, signal["voices"], least)
    telling = most_telling(quoted, signal["explanation"]["terms"], signal["bucket"], most=excerpts)
    times = SHOWN_TIMES.get(signal["kind"], 1.0)
    silent = signal["kind"] == _ABSENCE
    people = None if silent else signal["distinct_authors"]
    state = state_of(history)
    standing = signal["status"] if signal["status"] in STANDINGS else ""
    return Shown(
        signal_id=signal["signal_id"],
        label=signal["label"],
        sentence=signal[f"sentence_{words.lang}"],
        place=name_of(signal["perimeter"], names),
        tone=signal["tone"],
        tone_word=words["kinds.silence"] if silent else words.of("tones", signal["tone"]),
        kind_word=words.of("kinds", signal["kind"]),
        raised=words.date(signal["bucket"]),
        people=people,
        people_word=words["people"],
        observed=_observed(signal, times, words),
        expected=words.number(times * signal["expected"]),
        unit=UNITS[words.lang][signal["kind"]],
        seen="" if silent else words.fill("seen", words.date(signal["last_seen"].astimezone(zone))),
        odds=words.fill("odds", _odds(signal["evidence"], words)),
        facts=tuple(_facts(signal, organisation, words, least)),
        excerpts=tuple(
            Excerpt(_about(item, signal, names, words, zone), item["excerpt"]) for item in telling
        ),
        merged=signal["status"] == "merged",
        standing=standing,
        standing_word=words.of("standings", standing) if standing else "",
        state=state,
        state_word=words.of("states", state),
        history=tuple(
            Done(
                row["actor"],
                words.of("done", row["action"]),
                words.moment(row["acted_at"].astimezone(zone)),
                row["comment"] or "",
            )
            for row in history
        ),
        taught=taught_words(signal["explanation"].get("taught"), words.lang, words.date),
    )


def name_of(perimeter: str, names: Mapping[str, str]) -> str:
    """What people call a perimeter; the last part of its path where it has no name."""
    return names.get(perimeter) or perimeter.rpartition("/")[2]


def counts(groups: Mapping[str, int | None], least: int, words: Words) -> str:
    """Channels with their people, `enquête 10 ou plus`; no count where one is under the minimum."""
    told = {words.of("channel_names", name): count for name, count in groups.items()}
    if any(count is None or count < least for count in told.values()):
        return words.fill("withheld", ", ".join(told), least)
    return ", ".join(f"{name} {words.fill('or_more', count)}" for name, count in told.items())


def _observed(signal: Row, times: float, words: Words) -> str:
    """A count as the multiple of the minimum that it is not under; a mean as it is."""
    value = signal["observed"]
    if signal["kind"] not in SHAPES:
        return words.number(times * value)
    return words.fill("or_more", words.number(value)) if value else words.fill("below", signal["min_authors"])


def _facts(signal: Row, organisation: Organisation, words: Words, least: int) -> "Sequence[tuple[str, str]]":
    facts = []
    if signal["channels"]:
        facts.append((words["channels"], counts(signal["channels"], least, words)))
    if signal["theme"] is not None:
        labels = organisation.themes.get(signal["theme"], {})
        facts.append((words["theme"], labels.get(words.lang) or signal["theme"].replace("_", " ")))
    if signal["dimension"] is not None:
        facts.append((words["dimension"], words.of("dimensions", signal["dimension"])))
    if signal["stance"] not in (None, "none"):
        facts.append((words["stance"], words.of("stances", signal["stance"])))
    if signal["owning_function"] is not None:
        facts.append((words["function"], words.of("functions", signal["owning_function"])))
    return facts


def _about(item: Row, signal: Row, names: Mapping[str, str], words: Words, zone: ZoneInfo) -> str:
    at: datetime = item["occurred_at"].astimezone(zone)
    parts = [words.date(at)]
    if at.date() > signal["bucket"]:
        # What came later is no reason for the alert.
        parts.append(words["after_alert"])
    if item["channel"]:
        parts.append(words.of("channel_names", item["channel"]))
    if item["perimeter"] != signal["perimeter"]:
        parts.append(name_of(item["perimeter"], names))
    return " · ".join(parts)


def _odds(evidence: float, words: Words) -> str:
    """How rare so much evidence is: 1, 10, 100... up to a billion."""
    power = max(0, int(evidence / math.log(10)))
    if power > _BILLION:
        return words["billion"]
    return f"{10**power:,}".replace(",", "\u202f" if words.lang == "fr" else ",")
