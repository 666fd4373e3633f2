"""`vigie subscribe`, `subscriptions`, `unsubscribe`: who is told of what."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connectors.errors import AlertError
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import notice, plural, print_json, print_table
from pipelines.cli.signal_text import name_of
from pipelines.cli.signals import open_existing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.alerts.subscriptions import Kept

Repeated = list[str] | None


def subscribe(
    subscriber: Annotated[
        str, typer.Option("--subscriber", metavar="WHO", help="Name or role; stands in messages.")
    ] = "",
    to: Annotated[
        str, typer.Option("--to", metavar="ADDRESS", help="An e-mail address, or an Apprise URL.")
    ] = "",
    to_file: Annotated[
        Path | None,
        typer.Option("--to-file", metavar="FILE", dir_okay=False, help="File that holds the address."),
    ] = None,
    perimeter: Annotated[
        Repeated, typer.Option("--perimeter", help="Path or name; may be repeated.", show_default=False)
    ] = None,
    descendants: Annotated[
        bool,
        typer.Option("--descendants/--no-descendants", help="The perimeters inside those too, or not."),
    ] = True,
    dimension: Annotated[
        Repeated, typer.Option("--dimension", help="Only of this dimension; may be repeated.")
    ] = None,
    theme: Annotated[Repeated, typer.Option("--theme", help="Only of this theme; may be repeated.")] = None,
    function: Annotated[
        Repeated, typer.Option("--function", help="Only what this function owns; may be repeated.")
    ] = None,
    kind: Annotated[Repeated, typer.Option("--kind", help="Only of this kind; may be repeated.")] = None,
    min_evidence: Annotated[
        float, typer.Option("--min-evidence", help="Only of so much evidence, a natural logarithm.")
    ] = 0.0,
    lang: Annotated[str, typer.Option("--lang", help="Language of the messages, fr or en.")] = "",
    timezone: Annotated[str, typer.Option("--timezone", help="Of the times here, Europe/Paris.")] = "",
    quiet: Annotated[
        str, typer.Option("--quiet", metavar="FROM-UNTIL", help="Quiet hours, 20:00-07:30.")
    ] = "",
    rhythm: Annotated[
        str, typer.Option("--rhythm", help="immediate, or a daily or weekly digest.")
    ] = "immediate",
    digest_at: Annotated[
        str, typer.Option("--digest-at", metavar="TIME", help="When digests leave, on Mondays if weekly.")
    ] = "08:00",
    weekly_cap: Annotated[
        int | None, typer.Option("--weekly-cap", help="Most alerts a week; the rest waits for a digest.")
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Signals that were raised from history too.")
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option("--import", metavar="FILE", dir_okay=False, help="Subscriptions of a CSV instead."),
    ] = None,
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Subscribe to the signals of perimeters, or import subscriptions.

    The same subscriber, address and perimeters again change the rest.
    """
    from pipelines.cli.alerting import known, sealer
    from pipelines.subscribing import read_csv

    workspace = open_workspace(settings)
    if file is not None:
        if subscriber or to or to_file or perimeter:
            raise typer.BadParameter("--import takes every subscription from its file: leave the others out")
        wanted = read_csv(file, known(workspace))
    else:
        raw: dict[str, Any] = {
            "subscriber": subscriber,
            "to": _address(to, to_file),
            "perimeters": tuple(perimeter or ()),
            "descendants": descendants,
            "dimensions": tuple(dimension or ()),
            "themes": tuple(theme or ()),
            "functions": tuple(function or ()),
            "kinds": tuple(kind or ()),
            "min_evidence": min_evidence,
            "lang": lang,
            "timezone": timezone,
            "quiet": quiet,
            "rhythm": rhythm,
            "digest_at": digest_at,
            "weekly_cap": "" if weekly_cap is None else weekly_cap,
            "history": history,
        }
        wanted = [known(workspace).read(raw)]
    from connectors.alerts.subscriptions import Subscriptions

    with workspace.open_store() as store:
        kept = Subscriptions(store, sealer(workspace))
        ids = kept.subscribe(wanted, now=workspace.now())
        made = {one.id: one for one in kept.all()}
    if as_json:
        print_json([made[one].as_json() for one in ids])
    else:
        _print([made[one] for one in ids], workspace.names)
        notice(f"{plural(len(ids), 'subscription')} in force; `vigie deliver` sends what there is to tell")


def subscriptions(
    ended: Annotated[bool, typer.Option("--ended", help="Those that ended too.")] = False,
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """List the subscriptions."""
    from connectors.alerts.subscriptions import Subscriptions
    from pipelines.cli.alerting import sealer

    workspace = open_workspace(settings)
    with open_existing(workspace) as store:
        found = Subscriptions(store, sealer(workspace))
        kept = found.all() if ended else found.in_force()
    if as_json:
        print_json([one.as_json() for one in kept])
    elif kept:
        _print(kept, workspace.names)
    else:
        notice("no subscription; `vigie subscribe` makes one")


def unsubscribe(
    subscription_id: Annotated[str, typer.Argument(metavar="ID", help="The id, or its beginning.")],
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """End a subscription."""
    from connectors.alerts.subscriptions import Subscriptions
    from pipelines.cli.alerting import sealer

    workspace = open_workspace(settings)
    with open_existing(workspace) as store:
        kept = Subscriptions(store, sealer(workspace))
        one = kept.pick(subscription_id)
        ended = kept.end(one.id, now=workspace.now())
    if as_json:
        print_json({"subscription_id": one.id, "ended": ended})
    else:
        notice(f"{one.subscription.subscriber}: {'ended' if ended else 'had ended already'}")


def _address(to: str, file: Path | None) -> str:
    if file is None:
        return to
    if to:
        raise typer.BadParameter("give --to or --to-file, not both")
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise AlertError(f"{file}: the address cannot be read: {type(error).__name__}") from None


def _print(kept: "list[Kept]", names: "Mapping[str, str]") -> None:
    print_table(
        {
            "subscriber": "left",
            "to": "left",
            "perimeters": "wrap",
            "rhythm": "left",
            "cap": "right",
            "id": "left",
        },
        [
            (
                one.subscription.subscriber,
                one.subscription.shown_to,
                ", ".join(name_of(path, names) for path in one.subscription.perimeters),
                one.subscription.rhythm if one.ended_at is None else f"ended {one.ended_at:%Y-%m-%d}",
                str(one.subscription.weekly_cap),
                one.id,
            )
            for one in kept
        ],
    )
