"""`vigie snapshots`: what replays found day by day, for questions about the past."""

from datetime import date
from typing import TYPE_CHECKING, Any

import typer

from connectors.errors import LogError
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import notice, plural, print_json, print_table, progress

if TYPE_CHECKING:
    from pipelines.snapshots import Snapshot, Snapshots
    from pipelines.workspace import Workspace

_MB = 1_000_000


def list_snapshots(settings: SettingsFile = DEFAULT_SETTINGS, as_json: AsJson = False) -> None:
    """List the snapshots.

    Of each its last day, and what it takes.
    """
    from pipelines.code_version import code_version

    workspace = open_workspace(settings)
    snapshots = _of(workspace)
    rows: list[dict[str, Any]] = [
        {
            "name": one.name,
            "last_day": one.last_day,
            "settings": one.settings,
            "code": one.code,
            "log_head": one.log_head,
            "written_at": one.written_at,
            "state": bool(one.state),
            "bytes": snapshots.size(one),
            "serves_today": (one.settings, one.code) == (workspace.settings_version, code_version()),
        }
        for one in snapshots.all()
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        {"last day": "left", "MB": "right", "goes on": "left", "of today's settings and code": "left"},
        [
            (
                str(row["last_day"]),
                f"{row['bytes'] / _MB:,.1f}",
                "yes" if row["state"] else "no",
                "yes" if row["serves_today"] else "no",
            )
            for row in rows
        ],
    )
    notice(plural(len(rows), "snapshot"))


def write_snapshot(settings: SettingsFile = DEFAULT_SETTINGS, as_json: AsJson = False) -> None:
    """Judge what came since the last snapshot, and keep it.

    With today's settings. `vigie replay` does it too; this is for logs that `vigie live` judges.
    """
    from pipelines.plain import PlainEngine
    from pipelines.snapshots.opening import keeping_of, why_none

    workspace = open_workspace(settings)
    snapshots = _of(workspace)
    keeping = keeping_of(workspace, notice)
    if keeping is None:
        raise LogError(f"{snapshots.folder}: {why_none(workspace.settings)}: no snapshot may be kept")
    with progress("events") as bars:
        task = bars.add_task("replaying", total=None)
        workspace.replay(
            PlainEngine(),
            use=None,
            progress=lambda done, total: bars.update(task, completed=done, total=total),
            begin=keeping.begin,
            end=keeping.end,
        )
    kept, size = keeping.kept, snapshots.size()
    if as_json:
        print_json({"last_day": _day(kept), "went_on_from": _day(keeping.used), "bytes": size})
    elif kept is not None:
        typer.echo(f"{snapshots.folder}: known up to {kept.last_day}, {size / _MB:,.1f} MB in all")


def remove_snapshots(settings: SettingsFile = DEFAULT_SETTINGS, as_json: AsJson = False) -> None:
    """Remove all snapshots.

    Nothing is lost: the next replay finds it all again.
    """
    removed = _of(open_workspace(settings)).remove()
    if as_json:
        print_json({"removed": removed})
    else:
        typer.echo(f"removed {plural(removed, 'snapshot')}")


def _day(snapshot: "Snapshot | None") -> date | None:
    return None if snapshot is None else snapshot.last_day


def _of(workspace: "Workspace") -> "Snapshots":
    from pipelines.snapshots.opening import snapshots_of

    snapshots = snapshots_of(workspace)
    if snapshots is None:
        raise LogError(
            f"{workspace.settings.log.path}: there are no snapshots of a log elsewhere, nor without the "
            "secret key of privacy.key_file, which signs them and must be readable"
        )
    return snapshots
