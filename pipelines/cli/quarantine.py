"""`vigie quarantine`: rows that could not become events, and another try for them."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connectors.errors import QuarantineError, VigieError
from pipelines.cli.accounts import accounts_json, in_words, print_accounts, reasons_of
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import notice, plural, print_json, print_table, shown, warn

if TYPE_CHECKING:
    from connectors.quarantine import Entry
    from pipelines.workspace import Workspace

ID_LENGTH = 8
"""Characters of an id that the table shows; commands take any beginning that is one entry's alone."""
FIRST_ROWS = 10
"""Rows of a source and a reason that the list shows unless all are asked for."""
LONGEST_VALUE = 2_000
"""Characters of one value that `show` prints; `--json` gives all."""


def list_quarantine(
    settings: SettingsFile = DEFAULT_SETTINGS,
    every: Annotated[
        bool, typer.Option("--all", help=f"Every row; otherwise {FIRST_ROWS} of each source and reason.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List quarantined rows: where, and why."""
    workspace = open_workspace(settings)
    entries = list(_entries(workspace))
    if as_json:
        print_json([_header(entry) for entry in entries])
        return
    if not entries:
        notice("quarantine is empty")
        return
    words = _words(workspace)
    alike: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        alike.setdefault((entry.source, entry.reason), []).append(entry)
    left_out = 0
    for (source, reason), rows in alike.items():
        said = in_words(reason, words.get(source, {}))
        typer.echo(shown(f"{source}: {plural(len(rows), 'row')}: {said}"))
        told = rows if every else rows[:FIRST_ROWS]
        for entry in told:
            line = f"  {entry.id[:ID_LENGTH]}  {entry.record.where}: {entry.detail}"
            typer.echo(shown(f"{line} (kept until {entry.expires_at:%Y-%m-%d})"))
        if len(told) < len(rows):
            typer.echo(f"  and {len(rows) - len(told):,} more")
            left_out += len(rows) - len(told)
        typer.echo()
    if left_out:
        notice(f"{plural(left_out, 'row')} left out: --all lists them")
    notice("after a fix of the settings, `vigie quarantine retry` tries them again")


def show_entry(
    entry_id: Annotated[str, typer.Argument(metavar="ID", help="The id, or its beginning.")],
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Show one row as it was read.

    It may hold personal data.
    """
    from connectors.payloads import payload_to_json

    workspace = open_workspace(settings)
    entry = _find(workspace, entry_id)
    if as_json:
        print_json({**_header(entry), "payload": payload_to_json(entry.record.payload)})
        return
    words = _words(workspace).get(entry.source, {})
    print_table(
        {"": "left", " ": "wrap"},
        [
            ("id", entry.id),
            ("source", entry.source),
            ("where", entry.record.where),
            ("reason", in_words(entry.reason, words)),
            ("detail", entry.detail),
            ("read", f"{entry.quarantined_at:%Y-%m-%d %H:%M} UTC"),
            ("kept until", f"{entry.expires_at:%Y-%m-%d %H:%M} UTC"),
        ],
    )
    for name, value in _content(entry.record.payload):
        typer.echo(f"{name}{shown(value[:LONGEST_VALUE])}")
        if len(value) > LONGEST_VALUE:
            notice(f"{len(value):,} characters, the first {LONGEST_VALUE:,} are shown; --json gives all")


def retry_quarantine(
    entry_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Ids or their beginnings; all by default.")
    ] = None,
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Try rows again with today's settings.

    Those that now pass leave quarantine for the log.
    """
    workspace = open_workspace(settings)
    only = [_find(workspace, entry_id).id for entry_id in entry_ids] if entry_ids else None
    accounts = workspace.retry(only)
    _warn_of_orphans(workspace)
    if as_json:
        print_json(accounts_json(accounts))
    elif accounts:
        print_accounts(accounts, _words(workspace))
    else:
        notice("there was nothing to try again")


def purge_quarantine(settings: SettingsFile = DEFAULT_SETTINGS, as_json: AsJson = False) -> None:
    """Delete rows kept for long enough.

    Those older than quarantine_days; every ingest does so too.
    """
    workspace = open_workspace(settings)
    gone = workspace.quarantine.purge(workspace.now()) if _is_there(workspace) else 0
    if as_json:
        print_json({"purged": gone})
    else:
        typer.echo(f"{plural(gone, 'entry')} deleted")


def _is_there(workspace: "Workspace") -> bool:
    """Whether anything is quarantined; opening quarantine would otherwise make a secret key."""
    folder = workspace.settings.path(workspace.settings.privacy.quarantine)
    return any(folder.glob("*.jsonl"))


def _find(workspace: "Workspace", entry_id: str) -> "Entry":
    if not _is_there(workspace):
        raise QuarantineError(f"{entry_id}: there is no such entry: quarantine is empty")
    return workspace.quarantine.show(entry_id)


def _entries(workspace: "Workspace") -> Iterator["Entry"]:
    if _is_there(workspace):
        yield from workspace.quarantine.entries()


def _words(workspace: "Workspace") -> dict[str, Mapping[str, str]]:
    """Reasons in words by source; none where the sources cannot be opened today."""
    with suppress(VigieError):
        return {opened.source.name: reasons_of(opened) for opened in workspace.sources}
    return {}


def _warn_of_orphans(workspace: "Workspace") -> None:
    known = {source.name for source in workspace.settings.source}
    orphans = [entry.source for entry in _entries(workspace) if entry.source not in known]
    if orphans:
        warn(
            f"{plural(len(orphans), 'entry')} cannot be tried: no source is called "
            f"{' or '.join(sorted(set(orphans)))} any more"
        )


def _header(entry: "Entry") -> dict[str, Any]:
    return {
        "id": entry.id,
        "source": entry.source,
        "reason": entry.reason,
        "detail": entry.detail,
        "file": entry.record.file,
        "line": entry.record.line,
        "quarantined_at": entry.quarantined_at,
        "expires_at": entry.expires_at,
    }


def _content(payload: bytes | Mapping[str, Any]) -> list[tuple[str, str]]:
    """Labels and values of what was read."""
    if isinstance(payload, bytes):
        return [("", payload.decode("utf-8", errors="replace"))]
    return [(f"{name}: ", str(value)) for name, value in payload.items()]
