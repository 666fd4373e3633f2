"""What an audit tells of a signal, section by section: the same for a terminal and for a page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import typer

from dashboards.evidence_words import SHAPES
from pipelines.cli.audit_words import figure, words
from pipelines.cli.explain_plot import draw
from pipelines.cli.options import Lang
from pipelines.cli.output import minute, print_table, shown
from pipelines.cli.signal_text import ID_LENGTH, name_of, raised_early_at

if TYPE_CHECKING:
    from dashboards.report import Section
    from pipelines.derivation import Budget, Derivation, SeriesBudget
    from pipelines.stages.judged_days import JudgedDay
    from pipelines.why import Why

_LISTED_DAYS = 21
"""Days up to the alert that a report lists."""


@dataclass(frozen=True, slots=True)
class Trail:
    """What became of a signal after it was raised. alerts, actions: rows of the store, None without one.

    verdicts: number of the log's record, time and judgement.
    """

    alerts: Sequence[Mapping[str, Any]] | None
    actions: Sequence[Mapping[str, Any]] | None
    verdicts: Sequence[tuple[int, datetime, str]]


@dataclass(frozen=True, slots=True)
class Ground:
    """What an answer rests on. decision: number and time of the log's, None where none holds the settings."""

    log_head: str
    settings_version: str
    decision: tuple[int, datetime] | None
    lexicon: str
    code: str
    command: str


def sections_of(
    why: "Why",
    derived: "Derivation | None",
    trail: Trail,
    ground: Ground,
    names: Mapping[str, str],
    lang: Lang,
) -> "list[Section]":
    """All that is known of a signal. derived: None for a signal of the watch."""
    from dashboards.report import Section

    told = why.french if lang is Lang.FR else why.english
    sections = [
        Section(words("picture", lang), [told.whole], figure=draw(why, lang)),
        Section(words("judged", lang), headings=("", ""), rows=list(judged_rows(why, derived, names, lang))),
    ]
    if derived is not None:
        sections.append(budget_section(derived.budget, lang))
    elif why.budget is not None:
        sections.append(series_budget_section(why.budget, lang))
    sections.append(
        days_section(
            why.days,
            why.signal["min_authors"],
            lang,
            until=why.grounds.raised,
            counted=why.grounds.kind in SHAPES,
        )
    )
    if derived is not None:
        sections += [_merges(why, derived, names, lang), _attribution(derived, names, lang)]
    sections += [_told(trail, lang), _done(trail, lang)]
    if why.excerpts:
        sections.append(excerpts_section(why, names, lang))
    sections.append(ground_section(ground, lang, signal_id=why.signal["signal_id"]))
    return sections


def print_sections(sections: "Sequence[Section]") -> None:
    """Sections as text; their pictures are left out."""
    for section in sections:
        typer.echo(f"\n{shown(section.title)}")
        for paragraph in section.paragraphs:
            typer.echo(shown(paragraph))
        if section.rows:
            columns = {
                heading or " " * (place + 1): "wrap" if place == len(section.headings) - 1 else "left"
                for place, heading in enumerate(section.headings)
            }
            print_table(columns, section.rows)


def budget_section(budget: "Budget", lang: Lang) -> "Section":
    """Where a threshold comes from."""
    from dashboards.report import Section

    unknown = words("unknown", lang)
    rows = [
        (words("false_alerts", lang), figure(budget.false_alerts, "g", lang)),
        (words("share", lang), figure(budget.share, ".0%", lang)),
        (words("tests", lang), figure(budget.tests, ",.0f", lang)),
        (words("stories", lang), unknown if budget.stories is None else figure(budget.stories, ".3g", lang)),
        (words("slope", lang), figure(budget.slope, ".2f", lang)),
        (
            words("calibrated", lang),
            unknown if budget.calibrated is None else figure(budget.calibrated, ".2f", lang),
        ),
        (words("bound", lang), figure(budget.bound, ".2f", lang)),
        *([(words("taught", lang), figure(budget.taught, "+.2f", lang))] if budget.taught else []),
        (words("chosen_urgent" if budget.urgent else "chosen", lang), figure(budget.threshold, ".2f", lang)),
    ]
    return Section(words("budget", lang), headings=("", ""), rows=rows)


def series_budget_section(budget: "SeriesBudget", lang: Lang) -> "Section":
    """Where the threshold of a series of the watch comes from."""
    from dashboards.report import Section

    rows = [
        (words("false_alerts", lang), figure(budget.false_alerts, "g", lang)),
        (words("share", lang), figure(budget.share, ".0%", lang)),
        (words("series", lang), figure(budget.series, ",.0f", lang)),
        (words("bound", lang), figure(budget.bound, ".2f", lang)),
        *([(words("taught", lang), figure(budget.taught, "+.2f", lang))] if budget.taught else []),
        (words("threshold", lang), figure(budget.threshold, ".2f", lang)),
    ]
    return Section(words("budget", lang), [words("series_note", lang)], ("", ""), rows)


def channel_name(channel: str, lang: Lang) -> str:
    """What a channel is called, nothing where it is withheld."""
    from pipelines.stages.tongues import ENGLISH, FRENCH

    return (FRENCH if lang is Lang.FR else ENGLISH).channel(channel) if channel else ""


def excerpts_section(why: "Why", names: Mapping[str, str], lang: Lang) -> "Section":
    """The most telling excerpts, those that came after the alert marked as such."""
    from dashboards.report import Section

    rows = [
        (
            words("after_alert", lang, day=one["occurred_on"])
            if one["after_alert"]
            else str(one["occurred_on"]),
            ", ".join(filter(None, (name_of(one["perimeter"], names), channel_name(one["channel"], lang)))),
            one["excerpt"],
        )
        for one in why.excerpts
    ]
    return Section(words("excerpts", lang), headings=("", "", ""), rows=rows)


def days_section(
    days: "Sequence[JudgedDay]",
    least: int,
    lang: Lang,
    *,
    until: Any,
    counted: bool,
    most: int = _LISTED_DAYS,
) -> "Section":
    """What was known day by day, up to a day. counted: whether what was observed is at least so many.

    most: days that are listed at most, the latest.
    """
    from dashboards.report import Section

    listed = [one for one in days if one.day <= until][-most:]
    names = ("day", "observed", "writers", "expected", "ordinary", "evidence", "threshold")
    rows = [
        (
            f"{one.day}",
            words("withheld", lang)
            if one.withheld
            else ""
            if one.observed is None
            else ("≥\u00a0" if counted else "") + figure(one.observed, ".3g", lang),
            "" if one.writers is None else f"≥\u00a0{one.writers}",
            figure(one.expected, ".3g", lang),
            ""
            if one.low is None or one.high is None
            else f"{figure(one.low, '.3g', lang)} - {figure(one.high, '.3g', lang)}",
            "" if one.evidence is None else figure(one.evidence, ".1f", lang),
            figure(one.threshold, ".1f", lang),
            words("alert", lang) if one.raised else "",
        )
        for one in listed
    ]
    note = [words("days_note", lang, least=least)] if counted else []
    note += [words("withheld_note", lang, least=least)] if any(one.withheld for one in listed) else []
    return Section(words("days", lang), note, (*(words(name, lang) for name in names), ""), rows)


def ground_section(ground: Ground, lang: Lang, *, signal_id: str | None = None) -> "Section":
    """What an answer rests on, and how to come by it again."""
    from dashboards.report import Section

    if ground.decision is None:
        by = words("settings_undecided", lang, version=ground.settings_version)
    else:
        seq, at = ground.decision
        by = words(
            "settings_by", lang, version=ground.settings_version, seq=seq, at=f"{at:%Y-%m-%d %H:%M} UTC"
        )
    rows = [
        *([(words("signal", lang), signal_id)] if signal_id else []),
        (words("log_head", lang), ground.log_head),
        (words("settings", lang), by),
        (words("lexicon", lang), ground.lexicon),
        (words("code", lang), ground.code),
        (words("again", lang), ground.command),
    ]
    return Section(words("rests", lang), headings=("", ""), rows=rows)


def judged_rows(
    why: "Why", derived: "Derivation | None", names: Mapping[str, str], lang: Lang
) -> Iterator[tuple[str, str]]:
    """What was judged, where, and what came of it. derived: None to leave out the terms of the baseline."""
    grounds, signal = why.grounds, why.signal
    judged_at = signal["explanation"]["judged_at"]
    yield words("subject", lang), grounds.term
    yield words("place", lang), f"{name_of(judged_at, names)} ({judged_at})"
    yield words("owner", lang), f"{name_of(signal['perimeter'], names)} ({signal['perimeter']})"
    if at := raised_early_at(signal):
        yield words("early", lang), words("early_at", lang, at=at)
    yield words("episode", lang), words("span", lang, first=grounds.since, last=grounds.raised)
    if grounds.first_learned is not None:
        until = grounds.since - timedelta(days=1)
        yield words("baseline", lang), words("span", lang, first=grounds.first_learned, last=until)
    if derived is not None:
        yield words("history", lang), str(derived.history)
        yield words("rate", lang), figure(derived.rate, ".3g", lang)
        if derived.wider is not None:
            yield words("wider", lang), figure(derived.wider, ".3g", lang)
        yield words("season", lang), _season(derived.season, grounds.occasion, lang)
    # Of other spans than the share of the alert's day above: beside it, they would read as a contradiction.
    yield words("observed_since", lang, since=grounds.since), _observed(why, lang)
    yield words("expected_since", lang, since=grounds.since), figure(grounds.expected, ".3g", lang)
    yield words("evidence", lang), words("ln", lang, value=figure(grounds.evidence, ".2f", lang))
    yield words("threshold", lang), words("ln", lang, value=figure(grounds.threshold, ".2f", lang))
    if grounds.fewer is not None:
        yield words("clear", lang), words("fewer", lang, fewer=grounds.fewer)


def _season(factor: float, occasion: tuple[str, date] | None, lang: Lang) -> str:
    told = figure(factor, ".3g", lang)
    if occasion is None:
        return told
    name, day = occasion
    return words("around", lang, factor=told, name=name, day=day)


def _observed(why: "Why", lang: Lang) -> str:
    value = why.grounds.observed
    if why.grounds.kind not in SHAPES:
        return figure(value, ".3g", lang)
    if not value:
        return words("under", lang, least=why.signal["min_authors"])
    return words("at_least", lang, count=figure(value, ".0f", lang))


def _merges(why: "Why", derived: "Derivation", names: Mapping[str, str], lang: Lang) -> "Section":
    from dashboards.report import Section

    rows = [
        (
            f"{one.day}",
            words(when, lang),
            one.term or "?",
            name_of(one.perimeter, names),
            figure(one.evidence, ".1f", lang),
            figure(one.threshold, ".1f", lang),
        )
        for when, several in (("birth", derived.born), ("later", derived.grown))
        for one in several
    ]
    paragraphs = [words("merges_note", lang)]
    if derived.parts:
        ids = ", ".join(part[:ID_LENGTH] for part in derived.parts)
        paragraphs.append(words("parts", lang, ids=ids))
    if whole := why.signal["explanation"]["part_of"]:
        paragraphs.append(words("part_of", lang, id=whole[:ID_LENGTH]))
    headings = ("day", "when", "term", "place", "evidence", "threshold")
    return Section(words("merges", lang), paragraphs, [words(one, lang) for one in headings], rows)


def _attribution(derived: "Derivation", names: Mapping[str, str], lang: Lang) -> "Section":
    from dashboards.report import Section

    steps = list(zip(derived.descent, [*derived.descent[1:], None], strict=False))
    paragraphs = [
        words("stays", lang, place=name_of(place, names))
        if child is None
        else words("descends", lang, place=name_of(place, names), child=name_of(child, names))
        for place, child in steps
    ]
    return Section(words("attribution", lang), paragraphs)


def _told(trail: Trail, lang: Lang) -> "Section":
    from dashboards.report import Section

    title = words("told", lang)
    if not trail.alerts:
        return Section(title, [words("no_store" if trail.alerts is None else "nobody_told", lang)])
    rows = [
        (
            one["subscriber"],
            one["channel"],
            minute(one["decided_at"]),
            f"≥\u00a0{one['people']}" if one["people"] else "",
            words(f"held_{one['held']}" if one["state"] is None else f"state_{one['state']}", lang)
            + (f" {minute(one['settled_at'])}" if one["settled_at"] else ""),
        )
        for one in trail.alerts
    ]
    headings = ("who", "channel", "decided", "people", "became")
    return Section(title, (), [words(one, lang) for one in headings], rows)


def _done(trail: Trail, lang: Lang) -> "Section":
    from dashboards.report import Section

    rows = [
        (minute(one["acted_at"]), one["actor"], words(one["action"], lang), one["comment"] or "")
        for one in trail.actions or ()
    ]
    rows += [
        (minute(at), "", words(judgement, lang), words("verdict_kept", lang, seq=seq))
        for seq, at, judgement in trail.verdicts
    ]
    title = words("done", lang)
    if not rows:
        return Section(title, [words("nothing_done", lang)])
    headings = ("when", "who", "what", "comment")
    return Section(title, (), [words(one, lang) for one in headings], rows)
