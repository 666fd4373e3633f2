"""`vigie signals`: what the store holds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from connectors.errors import SettingsError, StoreError
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, Language, SettingsFile, language, open_workspace
from pipelines.cli.output import print_json
from pipelines.cli.signal_text import print_signal, print_signals

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from connectors.store import Store
    from pipelines.workspace import Workspace


class ListFirst(TyperGroup):
    """A group whose command is `list` where none is named: `vigie signals --since 2025-03-01`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in, unless there is one or help is asked for."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def list_signals(
    settings: SettingsFile = DEFAULT_SETTINGS,
    perimeter: Annotated[
        str | None, typer.Option("--perimeter", help="Only this perimeter and those in it: its path or name.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="Only from this day on.")
    ] = None,
    lang: Language = None,
    as_json: AsJson = False,
) -> None:
    """List signals, the newest first."""
    workspace = open_workspace(settings)
    path = None if perimeter is None else _resolve(workspace, perimeter)
    with _open_existing(workspace) as store:
        rows = store.signals(path, since.date() if since else None)
    if as_json:
        print_json(rows)
    else:
        print_signals(rows, workspace.names, language(lang))


def show_signal(
    signal_id: Annotated[str, typer.Argument(metavar="ID", help="The id, or its beginning.")],
    settings: SettingsFile = DEFAULT_SETTINGS,
    lang: Language = None,
    as_json: AsJson = False,
) -> None:
    """Show one signal with its evidence."""
    workspace = open_workspace(settings)
    with _open_existing(workspace) as store:
        row = pick(store.signals(), signal_id)
        # How many texts a small group wrote is not told either.
        evidence = [item for item in store.evidence(row["signal_id"]) if item["excerpt"] is not None]
    if as_json:
        print_json({**row, "evidence_texts": evidence})
    else:
        print_signal(row, evidence, workspace.names, language(lang))


def _open_existing(workspace: "Workspace") -> "AbstractContextManager[Store]":
    """The store; StoreError where there is none yet, rather than a new one."""
    if not has_store(workspace):
        place = workspace.settings.path(workspace.settings.store.folder)
        raise StoreError(f"{place}: there is no signal store yet; run `vigie replay`")
    return workspace.open_store()


def has_store(workspace: "Workspace") -> bool:
    """Whether there is a signal store: a server by its DSN, or the built-in one's folder."""
    place = workspace.settings.store
    return bool(place.dsn) or workspace.settings.path(place.folder).is_dir()


def _resolve(workspace: "Workspace", perimeter: str) -> str:
    path = workspace.tree.resolve(perimeter)
    if path is None:
        raise SettingsError(
            f"--perimeter is {perimeter!r}; it must be a path of the tree, or a name that fits one perimeter"
        )
    return path


def pick(rows: Sequence[Mapping[str, Any]], signal_id: str) -> dict[str, Any]:
    """The one signal whose id begins so; StoreError where there is none, or several."""
    found = [row for row in rows if signal_id and row["signal_id"].startswith(signal_id.lower())]
    if len(found) != 1:
        many = f"{len(found)} signals begin" if found else "no signal begins"
        raise StoreError(f"{many} with {signal_id!r}; `vigie signals list` shows the ids")
    return dict(found[0])
