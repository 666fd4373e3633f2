"""A replay's result as a folder, to be shown and compared later.

DIR/run.json       what it read and which settings it judged with
DIR/signals.jsonl  the canonical export: equal signals give equal bytes
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.errors import SettingsError
from connectors.log.durable import disk_faults, write_content
from connectors.log.layout import from_iso, to_iso

if TYPE_CHECKING:
    from pipelines.replay import Replayed

RUN, SIGNALS = "run.json", "signals.jsonl"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Run:
    """A replay. settings: as a decision of the log says them. signals: rows of the canonical export.

    as_of: the instant whose knowledge it replayed, None for all there was.
    """

    settings: Mapping[str, Any]
    signals: Sequence[Mapping[str, Any]]
    digest: str
    log_head: str
    events: int
    closed_until: datetime
    as_of: datetime | None = None


def run_of(replayed: "Replayed", settings: Mapping[str, Any], *, as_of: datetime | None = None) -> Run:
    """A replay as it is kept. settings: `pipelines.in_force.payload_of` the workspace."""
    from pipelines.replay import canonical

    return Run(
        settings,
        [json.loads(line) for line in canonical(replayed.signals)],
        replayed.digest,
        replayed.log_head,
        replayed.events,
        replayed.closed_until,
        as_of,
    )


def write_run(run: Run, folder: Path) -> None:
    """Write a run into a folder, made if need be. SettingsError where it holds anything but a run."""
    if folder.is_dir() and (others := {one.name for one in folder.iterdir()} - {RUN, SIGNALS}):
        raise SettingsError(f"{folder}: holds {min(others)}, which is no run's; name another folder")
    told = {
        "format": _FORMAT,
        "as_of": to_iso(run.as_of) if run.as_of else None,
        "log_head": run.log_head,
        "closed_until": to_iso(run.closed_until),
        "events": run.events,
        "digest": run.digest,
        "settings": dict(run.settings),
    }
    lines = (json.dumps(row, ensure_ascii=False, sort_keys=True) for row in run.signals)
    with disk_faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # What says that a run is there comes last.
        write_content(folder / SIGNALS, "".join(f"{line}\n" for line in lines).encode())
        content = json.dumps(told, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        write_content(folder / RUN, content.encode())


def read_run(folder: Path) -> Run:
    """What `write_run` wrote. SettingsError where it is not there, not whole, or of another version."""
    try:
        told = json.loads((folder / RUN).read_text("utf-8"))
        content = (folder / SIGNALS).read_text("utf-8")
    except FileNotFoundError as error:
        raise SettingsError(
            f"{folder}: holds no run ({error.filename} is not there); `vigie replay --save DIR` writes one"
        ) from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"{folder}: the run cannot be read: {error}; write it again") from error
    if not isinstance(told, dict) or told.get("format") != _FORMAT:
        raise SettingsError(f"{folder / RUN}: is not of format {_FORMAT}; write the run again")
    if _digest(content) != told.get("digest"):
        raise SettingsError(f"{folder / SIGNALS}: its digest is not that of {RUN}; write the run again")
    return Run(
        told["settings"],
        [json.loads(line) for line in content.splitlines()],
        told["digest"],
        told["log_head"],
        told["events"],
        from_iso(told["closed_until"]),
        from_iso(told["as_of"]) if told["as_of"] else None,
    )


def shown_of(
    rows: Sequence[Mapping[str, Any]],
    *,
    first: date | None = None,
    last: date | None = None,
    perimeter: str | None = None,
) -> list[Mapping[str, Any]]:
    """The signals raised between two days, both included, in a perimeter or below it; all where None."""
    return [
        row
        for row in rows
        if (first is None or raised_on(row) >= first)
        and (last is None or raised_on(row) <= last)
        and (perimeter is None or f"{row['perimeter']}/".startswith(f"{perimeter}/"))
    ]


def raised_on(row: Mapping[str, Any]) -> date:
    """The day that raised a signal, of a row of the store or of a canonical line."""
    day = row["bucket"]
    return date.fromisoformat(day) if isinstance(day, str) else day


def _digest(lines: str) -> str:
    from pipelines.replay import digest_of

    return digest_of(lines.splitlines())
