"""`vigie erase`: texts go, on request or of age; what was counted and signalled stays."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import notice, plural, print_json, progress
from pipelines.cli.signals import has_store

if TYPE_CHECKING:
    from pipelines.workspace import Workspace

_HEX_32 = 32


def erase(
    settings: SettingsFile = DEFAULT_SETTINGS,
    event: Annotated[
        list[str] | None, typer.Option("--event", metavar="ID", help="The text of an event; repeatable.")
    ] = None,
    author: Annotated[
        list[str] | None,
        typer.Option("--author", metavar="PSEUDONYM", help="All texts of an author; repeatable."),
    ] = None,
    person: Annotated[
        list[str] | None,
        typer.Option(
            "--person", metavar="NAME", help="All texts of who sources name so, an address; repeatable."
        ),
    ] = None,
    before: Annotated[
        datetime | None,
        typer.Option("--before", formats=["%Y-%m-%d"], help="All texts of what happened before this day."),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="Why; kept in the log for good. No personal data."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
    complete: Annotated[bool, typer.Option("--finish", help="Only complete what was interrupted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase texts from the log and the store.

    Counts, leaves of the hash tree and signals stay. It cannot be undone.
    """
    from pipelines.erase import Asked, erase_found, find, finish, pseudonyms_of

    asked_for_none = not (event or author or person or before)
    if complete != asked_for_none or (complete and reason):
        raise typer.BadParameter(
            "give --event, --author, --person or --before, with --reason; or --finish alone"
        )
    workspace = open_workspace(settings)
    if complete:
        done = finish(workspace)
        _report({"completed": done, "excerpts": _forget(workspace)}, as_json=as_json)
        return
    if not (reason or "").strip():
        raise typer.BadParameter("--reason is missing: the log keeps why, so that an audit can say it")
    assert reason is not None
    authors = [*_ids("--author", author or ()), *pseudonyms_of(workspace, person or ())]
    asked = Asked(
        _ids("--event", event or ()),
        tuple(authors),
        None if before is None else before.date(),
    )
    found = find(workspace.open_log(), asked, zone=workspace.settings.organisation.timezone)
    if found.waiting:
        notice(
            f"{plural(found.waiting, 'text')} of days that are still open stay: "
            "run the same command once these are closed"
        )
    if not len(found.positions):
        _report({"erased": 0, "excerpts": _forget(workspace)}, as_json=as_json)
        return
    if not yes:
        texts = plural(len(found.positions), "text")
        typer.confirm(f"Erase {texts} for good?", abort=True, err=True)
    with progress("events") as bars:
        task = bars.add_task("sealing", total=None)
        erase_found(
            workspace,
            found,
            asked,
            reason=reason.strip(),
            progress=lambda done, total: bars.update(task, completed=done, total=total),
        )
    _report({"erased": len(found.positions), "excerpts": _forget(workspace)}, as_json=as_json)


def _forget(workspace: "Workspace") -> int:
    """Remove the excerpts of what is erased from the store, if there is one; how many."""
    from pipelines.erase import erased_ids

    if not has_store(workspace):
        return 0
    ids = erased_ids(workspace.open_log())
    with workspace.open_store() as store:
        return store.forget_texts(ids)


def _report(told: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    typer.echo(", ".join(f"{name} {count:,}" for name, count in told.items()))


def _ids(option: str, given: Sequence[str]) -> tuple[bytes, ...]:
    try:
        found = tuple(bytes.fromhex(one) for one in given)
    except ValueError:
        found = (b"",)
    if any(len(one) != _HEX_32 // 2 for one in found):
        raise typer.BadParameter(f"{option}: an id is {_HEX_32} hexadecimal digits")
    return found
