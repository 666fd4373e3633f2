"""`vigie dashboards`: Grafana's boards, built, pushed and checked."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connectors.errors import DashboardError
from pipelines.cli.options import DEFAULT_SETTINGS, SettingsFile, open_workspace
from pipelines.cli.output import notice, plural, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboards.grafana import Change
    from dashboards.words import Lang


class Boards(StrEnum):
    """Languages of boards."""

    FR = "fr"
    EN = "en"
    BOTH = "both"


BoardLanguage = Annotated[Boards, typer.Option("--lang", help="Language of the boards.")]


def build_dashboards(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to; made if absent.")],
    lang: BoardLanguage = Boards.BOTH,
    start: Annotated[
        str, typer.Option("--from", help="What boards show when opened, in Grafana's words.")
    ] = "now-90d",
    end: Annotated[str, typer.Option("--to", help="The end of it.")] = "now",
) -> None:
    """Write the boards and what provisions them.

    A Grafana that mounts the folder starts complete: data sources, folders, boards, alert rules.
    """
    from dashboards.board import Span
    from dashboards.provisioning import write_provisioning

    files = write_provisioning(folder, langs=_langs(lang), span=Span(start, end))
    typer.echo(f"{plural(len(files), 'file')} in {folder}: mount {folder}/provisioning and {folder}/boards")


def push_dashboards(
    url: Annotated[str, typer.Option("--url", envvar="VIGIE_GRAFANA_URL", help="Address of Grafana.")],
    token: Annotated[
        str, typer.Option("--token", envvar="VIGIE_GRAFANA_TOKEN", help="Token of a service account.")
    ],
    lang: BoardLanguage = Boards.BOTH,
    yes: Annotated[bool, typer.Option("--yes", help="Change Grafana without asking.")] = False,
) -> None:
    """Bring the boards and alert rules of a running Grafana up to date.

    Shows what would change first. Panels, variables and links that users added stay.
    """
    from dashboards.grafana import Grafana

    changes = list(Grafana(url, token).changes(_langs(lang)))
    pending = [change for change in changes if change.diff]
    for change in pending:
        _show(change)
    same = len(changes) - len(pending)
    if not pending:
        typer.echo(f"nothing to change: {same} of {same} are as they should be")
        return
    typer.echo(f"{plural(len(pending), 'change')}, {same} as they should be")
    if not yes and not typer.confirm("Change Grafana?"):
        raise typer.Exit(1)
    for change in pending:
        change.apply()
        typer.echo(f"pushed {change.name}")


def check_dashboards(
    settings: SettingsFile = DEFAULT_SETTINGS,
    schemas: Annotated[
        Path | None, typer.Option("--schemas", metavar="DIR", help="Folder of Grafana's JSON schemas.")
    ] = None,
    lang: BoardLanguage = Boards.BOTH,
) -> None:
    """Check the boards: their structure, Grafana's schemas, every query on the store.

    Queries run where the settings file and its store are there, as the role that Grafana has.
    """
    from dashboards.building import build_boards
    from dashboards.checking import query_faults, schema_faults, shown_range, structure_faults
    from pipelines.cli.signals import has_store

    boards = [board for boards in build_boards(_langs(lang)).values() for board in boards]
    faults = [fault for board in boards for fault in structure_faults(board)]
    if schemas is not None:
        faults += [fault for board in boards for fault in schema_faults(board, schemas)]
    workspace = open_workspace(settings) if settings.exists() else None
    empty: list[str] = []
    if workspace is not None and has_store(workspace):
        with workspace.open_store() as store:
            broken, empty = query_faults(store.connection, boards, shown_range(store.connection))
            faults += broken
    else:
        notice(f"{settings}: no settings file with a store: the queries were not run")
    if faults:
        raise DashboardError("\n".join(faults))
    for name in empty:
        notice(f"{name} gives nothing on this store")
    typer.echo(f"{plural(len(boards), 'board')} as they should be")


def _langs(lang: Boards) -> "Sequence[Lang]":
    from dashboards.words import LANGS

    return [one for one in LANGS if lang in (Boards.BOTH, one)]


def _show(change: "Change") -> None:
    typer.echo(change.name)
    for line in change.diff:
        typer.echo(shown(f"  {line}"))
