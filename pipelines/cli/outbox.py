"""`vigie outbox`: what became of messages."""

from typing import Annotated

import typer

from connectors.errors import AlertError
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import notice, plural, print_json, print_table
from pipelines.cli.signals import open_existing

_STATES = ("due", "sent", "dead", "withdrawn")
_ID_LENGTH = 8


def list_outbox(
    state: Annotated[
        str | None, typer.Option("--state", help="Only those due, sent, dead or withdrawn.")
    ] = None,
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """List messages, the oldest first."""
    from connectors.alerts.outbox import Outbox
    from connectors.alerts.subscriptions import Subscriptions
    from pipelines.cli.alerting import sealer

    if state is not None and state not in _STATES:
        raise typer.BadParameter(f"--state is {state!r}; it must be {', '.join(_STATES)}")
    workspace = open_workspace(settings)
    with open_existing(workspace) as store:
        rows = Outbox(store).messages(state)
        kept = {one.id: one.subscription for one in Subscriptions(store, sealer(workspace)).all()}
    if as_json:
        print_json(rows)
    elif rows:
        print_table(
            {
                "written": "left",
                "kind": "left",
                "subscriber": "left",
                "state": "left",
                "attempts": "right",
                "problem": "wrap",
                "id": "left",
            },
            [
                (
                    f"{row['written_at']:%Y-%m-%d %H:%M}",
                    row["kind"],
                    kept[row["subscription_id"]].subscriber,
                    row["state"],
                    str(row["attempts"]),
                    row["problem"] or "",
                    row["message_id"][:_ID_LENGTH],
                )
                for row in rows
            ],
        )
    else:
        notice("no message")


def retry_outbox(
    message_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The id, or its beginning; all without one.")
    ] = None,
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Make messages that were given up due again."""
    from connectors.alerts.outbox import Outbox

    workspace = open_workspace(settings)
    with open_existing(workspace) as store:
        again = Outbox(store).retry(message_id, now=workspace.now())
    if message_id is not None and not again:
        raise AlertError(f"no message that was given up begins with {message_id!r}; see `vigie outbox`")
    if as_json:
        print_json({"due": again})
    else:
        notice(f"{plural(again, 'message')} due again; `vigie deliver` sends them")
