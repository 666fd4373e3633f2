"""The snapshots of a workspace."""

from collections.abc import Callable
from pathlib import Path

from connectors.errors import LogError, SecretError
from connectors.secret import load_secret
from pipelines.in_force import PastWorkspace
from pipelines.settings import Settings
from pipelines.snapshots.folder import Snapshots
from pipelines.snapshots.keeping import Keeping
from pipelines.workspace import Workspace


def snapshots_of(workspace: Workspace) -> Snapshots | None:
    """Where a workspace keeps snapshots; None without a key to sign them: for a log elsewhere, for
    somebody who may not read the key, and where there is none yet."""
    settings = workspace.settings
    key = settings.path(settings.privacy.key_file)
    if "://" in settings.log.path or not key.exists():
        return None
    try:
        secret = load_secret(key, log_folder=workspace.log_path)
    except SecretError:
        return None
    share, log = settings.audit.snapshots_share, workspace.log_path
    return Snapshots(
        settings.path(settings.audit.snapshots),
        key=secret.key("snapshots"),
        most=lambda: int(share * size_of(log)),
    )


def why_none(settings: Settings) -> str | None:
    """The setting for which no snapshot is used or kept, and what it is; None where some may be."""
    if not settings.audit.snapshots_share:
        return "audit.snapshots_share is 0"
    minutes = settings.detection.early_look_minutes
    return (
        f"detection.early_look_minutes is {minutes}, and snapshots know no early looks" if minutes else None
    )


def keeping_of(workspace: Workspace, say: Callable[[str], None]) -> Keeping | None:
    """What lets a replay of a workspace use and write snapshots; None where it can or is to have none.

    A snapshot keeps what closes find, and not what early looks do: where those are taken there is none.
    """
    snapshots = snapshots_of(workspace)
    if snapshots is None or why_none(workspace.settings) is not None:
        return None
    # What cannot be read any more today could be read in the past.
    today = workspace.today if isinstance(workspace, PastWorkspace) else workspace
    return Keeping(
        snapshots,
        settings=workspace.settings_version,
        zone=workspace.settings.organisation.timezone,
        erasures=today.open_log().erasures,
        say=say,
        now=workspace.now,
    )


def forget_snapshots(workspace: Workspace) -> None:
    """Remove all snapshots of a workspace; LogError where one cannot be removed."""
    audit = workspace.settings.audit
    folder = workspace.settings.path(audit.snapshots)
    try:
        Snapshots(folder, key=b"", most=lambda: 0).remove()
    except OSError as error:
        raise LogError(
            f"{error.filename or folder}: cannot be removed: {error.strerror}; snapshots hold hashes of "
            "words of texts that are to be erased: remove the folder, and run again"
        ) from error


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
