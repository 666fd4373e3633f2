"""`vigie explain`: why a signal was raised, in figures, sentences and a picture."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.options import (
    DEFAULT_SETTINGS,
    AsJson,
    Lang,
    Language,
    SettingsFile,
    language,
    open_workspace,
)
from pipelines.cli.output import notice, print_json, print_table, progress, shown, warn
from pipelines.cli.signal_text import counts_text, name_of
from pipelines.cli.signals import has_store, pick

if TYPE_CHECKING:
    from pipelines.why import JudgedDay, Why
    from pipelines.workspace import Workspace

BEFORE, AFTER = 42, 14
"""Days that a picture shows before the alert's episode and after the alert."""

_LISTED_DAYS = 10
"""Days up to the alert that the text lists."""


def explain(
    signal_id: Annotated[str, typer.Argument(metavar="ID", help="The id, or its beginning.")],
    settings: SettingsFile = DEFAULT_SETTINGS,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", dir_okay=False, help="Draw it as SVG."),
    ] = None,
    lang: Language = None,
    as_json: AsJson = False,
) -> None:
    """Tell why a signal was raised.

    Reads the log up to the signal's last day again, and shows what was expected and observed day by day, how
    evidence crossed its threshold, and what would have cleared it.
    """
    if plot is not None and not plot.parent.is_dir():
        raise typer.BadParameter(f"--plot: there is no folder {plot.parent}")
    workspace, tongue = open_workspace(settings), language(lang)
    why = _ask(workspace, signal_id)
    if plot is not None:
        plot.write_text(draw(why, workspace.names, tongue), encoding="utf-8")
    if as_json:
        print_json(why.as_json())
    else:
        _print(why, workspace.names, tongue)


def draw(why: "Why", names: Mapping[str, str], lang: Lang) -> str:
    """The picture of a signal as SVG. names: of perimeters, by path."""
    from dashboards.evidence_plot import Judged, Titles, evidence_plot

    words, grounds = _TITLES[lang], why.grounds
    first, last = grounds.since - timedelta(days=BEFORE), grounds.raised + timedelta(days=AFTER)
    place = name_of(why.signal["explanation"]["judged_at"], names)
    days = [
        Judged(
            day=one.day,
            observed=one.observed,
            expected=one.expected,
            low=one.low,
            high=one.high,
            evidence=one.evidence,
            threshold=one.threshold,
            raised=one.raised,
        )
        for one in why.days
        if first <= one.day <= last
    ]
    learned_until = grounds.since - timedelta(days=1)
    first_learned = grounds.first_learned or first
    titles = Titles(
        title=words["title"].format(term=grounds.term, place=place),
        subtitle=words["subtitle"].format(
            observed=f"{grounds.observed:.0f}",
            expected=_number(grounds.expected, lang),
            since=f"{grounds.since:%d/%m/%Y}",
            raised=f"{grounds.raised:%d/%m/%Y}",
        ),
        unit=words["unit"],
        alert=words["alert"].format(raised=f"{grounds.raised:%d/%m}"),
        baseline=words["baseline"].format(
            first=f"{first_learned:%d/%m/%Y}", last=f"{learned_until:%d/%m/%Y}"
        ),
    )
    return evidence_plot(
        days, titles, raised=grounds.raised, learned_until=learned_until, counts=True, lang=lang.value
    )


_TITLES = {
    Lang.FR: {
        "title": "« {term} », {place} : quand c'est devenu un signal",
        "subtitle": "{observed} personnes du {since} au {raised}, pour {expected} attendues",
        "unit": "personnes par jour",
        "alert": "alerte du {raised}",
        "baseline": "historique dont vient l'attendu : du {first} au {last}",
    },
    Lang.EN: {
        "title": "“{term}”, {place}: when it became a signal",
        "subtitle": "{observed} people from {since} to {raised}, for {expected} expected",
        "unit": "people a day",
        "alert": "alert of {raised}",
        "baseline": "history that the expected comes from: {first} to {last}",
    },
}


def _number(value: float, lang: Lang) -> str:
    from pipelines.stages.tongues import ENGLISH, FRENCH

    return (FRENCH if lang is Lang.FR else ENGLISH).number(value)


def _ask(workspace: "Workspace", signal_id: str) -> "Why":
    """The signal, from the store or, where there is none, from a replay; and why it was raised."""
    from pipelines.plain import PlainEngine
    from pipelines.why import last_day_of, probe_of, why

    with progress("events") as bars:
        task = bars.add_task("reading the log", total=None)

        def report(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        if has_store(workspace):
            with workspace.open_store() as store:
                signal = pick(store.signals(), signal_id)
                evidence = store.evidence(signal["signal_id"])
        else:
            notice("there is no signal store yet: the signal comes from a replay")
            signal, evidence = _replayed(workspace, signal_id, report)
        if signal["settings_version"] != workspace.settings_version:
            warn("the settings have changed since the signal was raised: `vigie replay` judges with today's")
        probe, probed = probe_of(signal), []
        if probe is not None:
            until = last_day_of(signal, workspace.settings.organisation.timezone) + AFTER
            table = workspace.probe(PlainEngine(), [probe], until=until, progress=report)
            probed = table.to_pylist()
    place = name_of(signal["explanation"]["judged_at"], workspace.names)
    return why(signal, evidence, probed, workspace.settings, place=place)


def _replayed(
    workspace: "Workspace", signal_id: str, report: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from pipelines.plain import PlainEngine

    signals = workspace.replay(PlainEngine(), use=lambda _: None, progress=report).signals
    rows = [
        {**row, **{name: json.loads(row[name]) for name in ("channels", "voices", "explanation")}}
        for row in signals.signals.to_pylist()
    ]
    signal = pick(rows, signal_id)
    evidence = signals.evidence.to_pylist()
    return signal, [item for item in evidence if item["signal_id"] == signal["signal_id"]]


def _print(why: "Why", names: Mapping[str, str], lang: Lang) -> None:
    typer.echo(shown(why.sentence_fr if lang is Lang.FR else why.sentence_en))
    typer.echo()
    print_table({"": "left", " ": "wrap"}, _figures(why))
    if why.days:
        _print_days([one for one in why.days if one.day <= why.grounds.raised][-_LISTED_DAYS:])
    for item in why.excerpts:
        where = ", ".join(filter(None, (name_of(item["perimeter"], names), item["channel"])))
        typer.echo(f"{item['occurred_at']:%Y-%m-%d}  {where}: {shown(item['excerpt'])}")


def _figures(why: "Why") -> list[tuple[str, str]]:
    signal, grounds = why.signal, why.grounds
    figures = [
        ("id", signal["signal_id"]),
        ("judged", f"“{grounds.term}” at {grounds.place} ({signal['explanation']['judged_at']})"),
        ("from, to", f"{grounds.since} to {grounds.raised}, the day of the alert"),
        ("then", f"{grounds.observed:.3g} observed, {grounds.expected:.2g} expected"),
        ("evidence", f"{grounds.evidence:.1f}, threshold {grounds.threshold:.1f} (natural logarithms)"),
        ("people", f"{signal['distinct_authors']} so far"),
        ("channels", counts_text(grounds.channels, signal["min_authors"])),
    ]
    if grounds.first_learned is not None:
        until = grounds.since - timedelta(days=1)
        figures.insert(3, ("baseline", f"{grounds.first_learned} to {until}"))
    if grounds.fewer is not None:
        figures.append(("to clear it", f"{grounds.fewer} people fewer, the latest of them"))
    return figures


def _print_days(days: "Sequence[JudgedDay]") -> None:
    print_table(
        {
            "day": "left",
            "people": "right",
            "of": "right",
            "expected": "right",
            "ordinary": "right",
            "evidence": "right",
            "threshold": "right",
            "": "left",
        },
        [
            (
                f"{one.day}",
                f"{one.observed:.0f}",
                f"{one.writers}",
                f"{one.expected:.2f}",
                f"{one.low:.0f} to {one.high:.0f}",
                f"{one.evidence:.1f}",
                f"{one.threshold:.1f}",
                "alert" if one.raised else "",
            )
            for one in days
        ],
    )
