"""`vigie what-if`: the past under other settings."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connectors.errors import SettingsError
from pipelines.cli.audit_diff import print_pairs
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import notice, plural, print_json, print_table, progress
from pipelines.cli.signals import has_store

if TYPE_CHECKING:
    from connectors.alerts.subscription import Subscription
    from pipelines.settings import Settings
    from pipelines.what_if import Outcome, Past
    from pipelines.workspace import Workspace

MOST_CHOICES = 64
"""Combinations that one sweep tries at most."""
_AGAIN = {
    "nothing": "nothing had to run again: what was found is the same",
    "judging": "the detectors ran again on what had been understood",
    "everything": "a full replay: these settings change how texts are read, or where they belong",
}
Several = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting with its value; may be repeated."),
]


def what_if(
    set_values: Several = None,
    other: Annotated[
        Path | None,
        typer.Option("--with", metavar="FILE", dir_okay=False, help="A settings file with the others."),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option("--sweep", metavar="KEY=V1,V2", help="Try each of these values; may be repeated."),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE", dir_okay=False, help="Draw what the choices trade as SVG."),
    ] = None,
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Judge the past with other settings.

    Alerts gained and lost beside what happened, with what managers said of them, days won, and the load on
    each manager. Texts are read again only where the settings ask for it. Nothing is changed.
    """
    from pipelines.what_if import Past, parse_set

    if not (set_values or other or sweep):
        raise typer.BadParameter(
            "name what is to be other: --set KEY=VALUE, --with FILE or --sweep KEY=V1,V2"
        )
    if picture is not None and not (sweep and picture.parent.is_dir()):
        raise typer.BadParameter("--picture: draws a --sweep, into a folder that is there")
    fixed = dict(parse_set(text) for text in set_values or ())
    choices = [{**fixed, **one} for one in _choices(sweep or ())]
    workspace = open_workspace(settings)
    tried = [(values, _settings(workspace, other, values)) for values in choices]
    with progress("events") as bars:
        task = bars.add_task("replaying what happened", total=None)

        def report(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        with Past.opened(workspace, report) as past:
            bars.update(task, description="judging it again")
            outcomes = _outcomes(workspace, past, tried)
    if picture is not None:
        picture.write_text(_draw(outcomes, len(past.run.signals)), encoding="utf-8")
    if as_json:
        told = [one.as_json() for one in outcomes]
        print_json(told if sweep else told[0])
    elif sweep:
        _show_sweep(outcomes)
    else:
        _show(outcomes[0])


def _choices(sweeps: Sequence[str]) -> list[dict[str, Any]]:
    """Every combination of the values."""
    from pipelines.what_if import parse_set

    axes = []
    for text in sweeps:
        key, given, listed = text.partition("=")
        values = [value for value in listed.split(",") if value.strip()]
        if not given or not values:
            raise SettingsError(f"--sweep {text!r}: give a setting and its values, such as {key}=1,2,4")
        axes.append([parse_set(f"{key}={value}") for value in values])
    number = 1
    for axis in axes:
        number *= len(axis)
    if number > MOST_CHOICES:
        raise SettingsError(
            f"the sweep has {number} combinations; {MOST_CHOICES} at most are tried at a time"
        )
    return [dict(one) for one in product(*axes)]


def _settings(workspace: "Workspace", other: Path | None, values: Mapping[str, Any]) -> "Settings":
    from pipelines.settings import load_settings
    from pipelines.what_if import with_values

    base = workspace.settings if other is None else load_settings(other)
    changed = with_values(base, values)
    if changed.organisation.root != workspace.settings.organisation.root:
        raise SettingsError(
            f"organisation.root is '{changed.organisation.root}'; the log's perimeters begin at "
            f"'{workspace.settings.organisation.root}', which cannot be other"
        )
    if other is None:
        return changed
    # What is judged is this log: the other file says how, not what.
    places = {name: getattr(workspace.settings, name) for name in ("log", "store", "source")}
    return changed.model_copy(update=places)


def _outcomes(
    workspace: "Workspace", past: "Past", tried: "Sequence[tuple[Mapping[str, Any], Settings]]"
) -> "list[Outcome]":
    from pipelines.what_if import outcome

    verdicts, subscriptions = _verdicts(workspace), _subscriptions(workspace)
    outcomes = []
    for values, settings in tried:
        run, again = past.under(settings)
        outcomes.append(
            outcome(
                values,
                past.run,
                run,
                again,
                settings=settings,
                verdicts=verdicts,
                subscriptions=subscriptions,
            )
        )
    return outcomes


def _verdicts(workspace: "Workspace") -> dict[str, str]:
    """The last verdict of each signal, as the log holds them."""
    from connectors.log.decisions import VERDICT

    return {
        str(one.decision.payload["signal_id"]): str(one.decision.payload["judgement"])
        for one in workspace.open_log().decisions()
        if one.decision and one.decision.kind == VERDICT
    }


def _subscriptions(workspace: "Workspace") -> "list[Subscription]":
    if not has_store(workspace):
        return []
    from connectors.alerts.subscription import Sealer
    from connectors.alerts.subscriptions import Subscriptions

    with workspace.open_store() as store:
        kept = Subscriptions(store, Sealer(workspace.secret)).in_force()
    return [one.subscription for one in kept]


def _show(one: "Outcome") -> None:
    notice(_AGAIN[one.again])
    print_pairs(one.comparison)
    lost, gained = len(one.lost), len(one.gained)
    before = one.alerts + lost - gained
    typer.echo(
        f"{plural(before, 'alert')} happened, {one.alerts} would have: {gained} gained, {lost} lost"
        + _of_the_lost(one)
    )
    if one.delay is not None:
        way = "later" if one.delay > 0 else "sooner"
        moved = sum(bool(pair.days) for pair in one.comparison.pairs)
        typer.echo(f"{plural(moved, 'alert')} on another day: {abs(one.delay):g} days {way} at the median")
    loads = [
        (
            load.who,
            str(load.before),
            str(load.after),
            f"{load.a_year:.1f}",
            f"{load.held_before} → {load.held_after}",
        )
        for load in one.loads
        if load.before or load.after
    ]
    if loads:
        columns = {
            "who is told": "left",
            "happened": "right",
            "would have": "right",
            "a year": "right",
            "over the cap": "right",
        }
        print_table(columns, loads)
    typer.echo(f"budget: {one.budget:g} false alerts a perimeter and year")


def _of_the_lost(one: "Outcome") -> str:
    """`; none of the lost ones was confirmed, 2 were dismissed`, where managers judged anything."""
    if not one.lost or not one.verdicts:
        return ""
    confirmed, dismissed = one.judged("confirm") or "none", one.judged("dismiss") or "none"
    return f"; of the lost ones {confirmed} had been confirmed, {dismissed} dismissed"


def _show_sweep(outcomes: "Sequence[Outcome]") -> None:
    rows = [
        (
            _name(one.values),
            str(one.alerts),
            str(len(one.gained)),
            str(len(one.lost)),
            str(one.judged("confirm")),
            str(one.judged("dismiss")),
            "" if one.delay is None else f"{one.delay:+g}",
            one.again,
        )
        for one in outcomes
    ]
    columns = {"settings": "left", "alerts": "right", "gained": "right", "lost": "right"}
    more = {"confirmed lost": "right", "dismissed lost": "right", "days later": "right", "ran again": "left"}
    print_table({**columns, **more}, rows)


def _name(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key.partition('.')[2]} {value}" for key, value in values.items())


def _draw(outcomes: "Sequence[Outcome]", happened: int) -> str:
    from dashboards.tradeoff_plot import Point, TradeoffWords, tradeoff_plot

    judged = "confirm" if any(one.kept("confirm") is not None for one in outcomes) else None
    points = [
        Point(_name(one.values), one.alerts, one.kept(judged) or 0.0, one.again == "nothing")
        for one in outcomes
    ]
    what = "of the alerts that were confirmed" if judged else "of the alerts that were raised"
    return tradeoff_plot(
        points,
        TradeoffWords(
            title="What other settings would have raised",
            subtitle=f"A point each; {plural(happened, 'signal')} happened under today's settings, in red",
            alerts="alerts raised in all",
            kept=f"share {what}, raised still",
        ),
    )
