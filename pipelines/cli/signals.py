"""`vigie signals`: what the store holds, and what people make of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from connectors.errors import SettingsError, StoreError
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, Language, SettingsFile, language, open_workspace
from pipelines.cli.output import notice, print_json
from pipelines.cli.signal_text import ID_LENGTH, print_signal, print_signals

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from connectors.alerts.actions import Actions
    from connectors.store import Store
    from pipelines.workspace import Workspace


SignalId = Annotated[str, typer.Argument(metavar="ID", help="The id, or its beginning.")]
By = Annotated[str, typer.Option("--by", metavar="WHO", help="Who says so; kept with the time.")]
Comment = Annotated[str | None, typer.Option("--comment", metavar="TEXT", help="Kept with it; redacted.")]

InPerimeter = Annotated[
    str | None, typer.Option("--perimeter", help="Only this perimeter and those in it: its path or name.")
]


class ListFirst(TyperGroup):
    """A group whose command is `list` where none is named: `vigie signals --since 2025-03-01`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in, unless there is one or help is asked for."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def list_signals(
    settings: SettingsFile = DEFAULT_SETTINGS,
    perimeter: InPerimeter = None,
    since: Annotated[
        datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="Only from this day on.")
    ] = None,
    lang: Language = None,
    as_json: AsJson = False,
) -> None:
    """List signals, the newest first."""
    workspace = open_workspace(settings)
    path = None if perimeter is None else path_of(workspace, perimeter)
    with open_existing(workspace) as store:
        states = _states(store)
        rows = [_with_state(row, states) for row in store.signals(path, since.date() if since else None)]
    if as_json:
        print_json(rows)
    else:
        print_signals(rows, workspace.names, language(lang))


def show_signal(
    signal_id: SignalId,
    settings: SettingsFile = DEFAULT_SETTINGS,
    lang: Language = None,
    as_json: AsJson = False,
) -> None:
    """Show one signal with its evidence."""
    workspace = open_workspace(settings)
    with open_existing(workspace) as store:
        row = _with_state(pick(store.signals(), signal_id), _states(store))
        actions = _actions(store).of(row["signal_id"])
        # How many texts a small group wrote is not told either.
        evidence = [item for item in store.evidence(row["signal_id"]) if item["excerpt"] is not None]
    if as_json:
        print_json({**row, "evidence_texts": evidence, "actions": actions})
    else:
        print_signal(row, evidence, actions, workspace.names, language(lang))


def acknowledge(
    signal_id: SignalId,
    by: By,
    comment: Comment = None,
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Say that a signal was seen and is in hand."""
    _act("acknowledge", signal_id, by, comment, settings, as_json=as_json)


def confirm(
    signal_id: SignalId,
    by: By,
    comment: Comment = None,
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Say that the situation a signal tells of is real."""
    _act("confirm", signal_id, by, comment, settings, as_json=as_json)


def dismiss(
    signal_id: SignalId,
    by: By,
    comment: Comment = None,
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Say that a signal is none: however it grows, it is not told again."""
    _act("dismiss", signal_id, by, comment, settings, as_json=as_json)


def resolve(
    signal_id: SignalId,
    by: By,
    comment: Comment = None,
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Say that the situation is over."""
    _act("resolve", signal_id, by, comment, settings, as_json=as_json)


def add_comment(
    signal_id: SignalId,
    by: By,
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="What is said; redacted.")],
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Comment on a signal."""
    _act("comment", signal_id, by, comment, settings, as_json=as_json)


def _act(action: str, signal_id: str, by: str, comment: str | None, settings: Path, *, as_json: bool) -> None:
    from connectors.alerts.actions import Actions

    workspace = open_workspace(settings)
    with open_existing(workspace) as store:
        row = pick(store.signals(), signal_id)
        said = None if comment is None else workspace.admission.redactor.redact_one(comment)
        kept = Actions(store, workspace.verdicts).act(
            row["signal_id"], action, actor=by, comment=said, via="command", now=workspace.now()
        )
        state = _with_state(row, _states(store))["state"]
    if as_json:
        print_json({"signal_id": row["signal_id"], "kept": kept, "state": state})
    elif kept:
        notice(f"kept: signal {row['signal_id'][:ID_LENGTH]} is {state}")
    else:
        notice(f"kept already: signal {row['signal_id'][:ID_LENGTH]} is {state}")


def _actions(store: "Store") -> "Actions":
    from connectors.alerts.actions import Actions

    return Actions(store)


def _states(store: "Store") -> "Mapping[str, Mapping[str, Any]]":
    return _actions(store).states()


def _with_state(row: Mapping[str, Any], states: "Mapping[str, Mapping[str, Any]]") -> dict[str, Any]:
    """A signal with what people made of it: open, acknowledged, confirmed, dismissed or resolved."""
    return {**row, "state": states.get(row["signal_id"], {}).get("state") or "open"}


def open_existing(workspace: "Workspace") -> "AbstractContextManager[Store]":
    """The store; StoreError where there is none yet, rather than a new one."""
    if not has_store(workspace):
        place = workspace.settings.path(workspace.settings.store.folder)
        raise StoreError(f"{place}: there is no signal store yet; run `vigie replay`")
    return workspace.open_store()


def has_store(workspace: "Workspace") -> bool:
    """Whether there is a signal store: a server by its DSN, or the built-in one's folder."""
    place = workspace.settings.store
    return bool(place.dsn) or workspace.settings.path(place.folder).is_dir()


def path_of(workspace: "Workspace", perimeter: str) -> str:
    """The path of a perimeter given by path or name; SettingsError for one that is none, or several."""
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
