"""`vigie ingest`: from the configured sources to the event log, once or for as long as it runs."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.accounts import accounts_json, print_accounts, reasons_of
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import notice, plural, print_json, progress

if TYPE_CHECKING:
    from connectors.following import Status


def ingest(
    settings: SettingsFile = DEFAULT_SETTINGS,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Admit texts as of now, not as history; from the first time on, every load is live.",
        ),
    ] = False,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", help="Go on reading what is new, live, until SIGTERM or Ctrl-C; see [follow]."
        ),
    ] = False,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            "--metrics-port",
            min=0,
            max=65535,
            help="With --follow: serve Prometheus metrics on this machine.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read every source into the event log.

    What was read before adds nothing: running again is safe.
    """
    workspace = open_workspace(settings)
    if metrics_port is not None and not follow:
        raise typer.BadParameter("metrics are served with --follow only", param_hint="--metrics-port")
    if follow:
        from connectors.following import Waker, stopped_by_signals
        from connectors.following.metrics import serving

        with Waker() as waker, stopped_by_signals(waker), ExitStack() as stack:

            def started(status: "Status") -> None:
                if metrics_port is not None:
                    stack.enter_context(serving(status, port=metrics_port))
                notice(f"following {plural(len(workspace.sources), 'source')}; SIGTERM or Ctrl-C ends")

            accounts = workspace.follow(waker, live=live, started=started)
    else:
        with progress("rows") as bars:
            tasks = {
                opened.source.name: bars.add_task(opened.source.name, total=None)
                for opened in workspace.sources
            }
            accounts = workspace.ingest(
                live=live, progress=lambda name, rows: bars.advance(tasks[name], rows)
            )
    if as_json:
        print_json(accounts_json(accounts))
    else:
        print_accounts(accounts, {opened.source.name: reasons_of(opened) for opened in workspace.sources})
