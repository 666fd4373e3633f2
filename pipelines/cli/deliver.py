"""`vigie deliver`: signals to subscribers."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from connectors.errors import StoreError
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import notice, plural, print_json, warn
from pipelines.cli.reporting import end_on_sigterm
from pipelines.cli.signals import open_existing

if TYPE_CHECKING:
    from connectors.alerts.courier import Delivered
    from pipelines.workspace import Workspace


def deliver(
    follow: Annotated[bool, typer.Option("--follow", help="Go on until interrupted.")] = False,
    every: Annotated[
        float, typer.Option("--every", metavar="S", min=1, help="Seconds between looks, with --follow.")
    ] = 30.0,
    digests_now: Annotated[
        bool, typer.Option("--digests-now", help="Send digests without waiting for their time.")
    ] = False,
    pictures: Annotated[
        bool,
        typer.Option("--pictures/--no-pictures", help="Draw pictures, which takes reading the log again."),
    ] = True,
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Send what subscribers are to be told of.

    Every message leaves at least once, whatever is killed when; what failed is tried again by the next call.
    """
    if follow:
        end_on_sigterm()
    workspace = open_workspace(settings)
    while True:
        try:
            _look(workspace, follow, every, pictures=pictures, digests_now=digests_now, as_json=as_json)
        except StoreError as error:
            if not follow:
                raise
            # A server that is restarted comes back.
            warn(str(error))
            time.sleep(every)
        else:
            return


def _look(
    workspace: "Workspace",
    follow: bool,
    every: float,
    *,
    pictures: bool,
    digests_now: bool,
    as_json: bool,
) -> None:
    """Open the store and deliver, once or until interrupted."""
    from pipelines.cli.alerting import Alerting

    with open_existing(workspace) as store:
        alerting = Alerting(workspace, store, say=warn)
        with alerting.courier().outbox.alone():
            while True:
                # Made anew each time: subscriptions may have come.
                done = alerting.round(alerting.courier(), pictures=pictures, digests_now=digests_now)
                _tell(done, quiet=follow, as_json=as_json)
                if not follow:
                    return
                time.sleep(every)


def _tell(done: "Delivered", *, quiet: bool, as_json: bool) -> None:
    if as_json:
        if not quiet or any(done.as_json().values()):
            print_json(done.as_json())
        return
    if not quiet or any(done.as_json().values()):
        notice(f"{plural(done.sent, 'message')} sent")
    if done.failed:
        warn(f"{plural(done.failed, 'message')} could not leave and will be tried again: `vigie outbox`")
    if done.dead:
        warn(f"{plural(done.dead, 'message')} given up: `vigie outbox --state dead` says why")
