"""`vigie explain`: why a signal was raised, in figures, sentences and a picture."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connectors.errors import StoreError
from dashboards.evidence_words import SHAPES
from pipelines.cli.audit_report import (
    channel_name,
    days_section,
    excerpts_section,
    judged_rows,
    print_sections,
)
from pipelines.cli.audit_words import words
from pipelines.cli.explain_plot import AFTER, draw
from pipelines.cli.options import (
    DEFAULT_SETTINGS,
    AsJson,
    Lang,
    Language,
    SettingsFile,
    language,
    open_workspace,
)
from pipelines.cli.output import notice, print_json, progress, shown, warn
from pipelines.cli.signal_text import name_of, raised_early_at
from pipelines.cli.signals import has_store, pick

if TYPE_CHECKING:
    from pipelines.probing import Probed
    from pipelines.stages.corroborate import Placed
    from pipelines.why import Why
    from pipelines.workspace import Workspace

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
    why, _ = ask(workspace, signal_id)
    if plot is not None:
        plot.write_text(draw(why, tongue), encoding="utf-8")
    if as_json:
        print_json(why.as_json())
    else:
        _print(why, workspace.names, tongue)


def ask(workspace: "Workspace", signal_id: str, placed: "list[Placed] | None" = None) -> "tuple[Why, Probed]":
    """Why a signal was raised, and what detection knew of it; the signal comes from the store or, where there
    is none, from a replay. placed: takes what became of all clusters of candidates up to its last day.
    """
    from pipelines.plain import PlainEngine
    from pipelines.why import asked_of, last_day_of, why

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
        until = last_day_of(signal, workspace.settings.organisation.timezone) + AFTER
        probed = workspace.probe(PlainEngine(), asked_of(signal), until=until, progress=report, placed=placed)
    place = name_of(signal["explanation"]["judged_at"], workspace.names)
    told = why(signal, evidence, probed, workspace.settings, place=place)
    if not any(one.raised and one.day == told.grounds.raised for one in told.days):
        raise StoreError(f"signal {signal['signal_id']}: {why_no_alert(signal)}")
    return told, probed


def why_no_alert(signal: Mapping[str, Any]) -> str:
    """Why no closed day shows a signal's alert, and what to do."""
    at = raised_early_at(signal)
    if at is None:
        return (
            "the log, judged with today's settings, raises no such alert; `vigie replay` brings the store up "
            "to date"
        )
    since = {
        "early": "is not closed yet, and only closed days are explained: ask again once it is",
        "not_sustained": "has closed without bearing it out: `vigie audit why-not` tells why not",
    }.get(signal["explanation"]["early"]["standing"], "bore it out by other terms than the look's")
    return f"a look raised it at {at}, before its day, {signal['bucket']}, was over; that day {since}"


def _replayed(
    workspace: "Workspace", signal_id: str, report: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from pipelines.plain import PlainEngine

    signals = workspace.replay(PlainEngine(), use=None, progress=report).signals
    rows = [
        {**row, **{name: json.loads(row[name]) for name in ("channels", "voices", "explanation")}}
        for row in signals.signals.to_pylist()
    ]
    signal = pick(rows, signal_id)
    evidence = signals.evidence.to_pylist()
    return signal, [item for item in evidence if item["signal_id"] == signal["signal_id"]]


def _print(why: "Why", names: Mapping[str, str], lang: Lang) -> None:
    from dashboards.report import Section

    typer.echo(shown((why.french if lang is Lang.FR else why.english).whole))
    judged = list(_figures(why, names, lang))
    days = days_section(
        why.days,
        why.signal["min_authors"],
        lang,
        until=why.grounds.raised,
        counted=why.grounds.kind in SHAPES,
        most=_LISTED_DAYS,
    )
    excerpts = [excerpts_section(why, names, lang)] if why.excerpts else []
    print_sections([Section(words("judged", lang), headings=("", ""), rows=judged), days, *excerpts])


def _figures(why: "Why", names: Mapping[str, str], lang: Lang) -> Iterator[tuple[str, str]]:
    signal = why.signal
    channels = {channel_name(name, lang): count for name, count in why.grounds.channels.items()}
    yield words("signal", lang), signal["signal_id"]
    yield from judged_rows(why, None, names, lang)
    yield words("people", lang), words("so_far", lang, count=signal["distinct_authors"])
    if any(count is None for count in channels.values()):
        listed = ", ".join(channels)
        least = signal["min_authors"]
        yield words("channels", lang), words("channels_withheld", lang, channels=listed, least=least)
    elif channels:
        yield words("channels", lang), ", ".join(f"{name} ≥\u00a0{n}" for name, n in channels.items())
