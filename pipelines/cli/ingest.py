"""`vigie ingest`: from the configured sources to the event log."""

from typing import Annotated

import typer

from pipelines.cli.accounts import accounts_json, print_accounts, reasons_of
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import print_json, progress


def ingest(
    settings: SettingsFile = DEFAULT_SETTINGS,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Admit texts as of now, not as history; from the first time on, every load is live.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read every source into the event log.

    What was read before adds nothing: running again is safe.
    """
    workspace = open_workspace(settings)
    with progress("rows") as bars:
        tasks = {
            opened.source.name: bars.add_task(opened.source.name, total=None) for opened in workspace.sources
        }
        accounts = workspace.ingest(live=live, progress=lambda name, rows: bars.advance(tasks[name], rows))
    if as_json:
        print_json(accounts_json(accounts))
    else:
        print_accounts(accounts, {opened.source.name: reasons_of(opened) for opened in workspace.sources})
