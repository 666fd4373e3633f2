"""Whether the log accounts for every record that was read: what its notes say against its rows."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.contract import Accounting
from connectors.loads import accounts_of
from connectors.log import Finding, Manifest
from connectors.log.layout import manifest_path
from connectors.quarantine import kept_in

_COUNTS = ("read", "events", "duplicates", "set_aside", "quarantined")


@dataclass(frozen=True, slots=True)
class Accounted:
    """What the notes of a log add up to. untold: events of loads without a note, such as interrupted ones."""

    counts: Mapping[str, int]
    untold: int
    faults: tuple[Finding, ...]


def check_accounting(manifests: Iterable[Manifest], *, location: str, quarantine: Path | None) -> Accounted:
    """Every note must close, tell its own sums, and give as many events as its load has rows.

    location: of the log, to name its files. quarantine: the folder, whose entries must not be more than the
    notes tell of each source and reason; None where it is not to be looked at.
    """
    counts: Counter[str] = Counter(dict.fromkeys(_COUNTS, 0))
    quarantined: Counter[tuple[str, str]] = Counter()
    faults: list[Finding] = []
    untold = rows = 0
    load: tuple[str, datetime | None] | None = None
    for manifest in manifests:
        if manifest.kind not in ("history", "live"):
            continue
        # A load may take several manifests, the last of which tells of it; one that was cut short never does.
        begun = manifest.kind, manifest.load.loaded_at if manifest.load else None
        if begun != load:
            untold, rows, load = untold + rows, 0, begun
        rows += manifest.rows
        told = _told(manifest)
        if told is None:
            continue
        problem = told if isinstance(told, str) else None
        if not isinstance(told, str):
            events = sum(account.events for account in told.values())
            # Live loads have no name of their own: what was cut short stands before the next one's rows.
            if events != rows and not (manifest.kind == "live" and manifest.rows <= events <= rows):
                problem = f"its note tells of {events} events, the load has {rows} rows"
            untold += max(rows - events, 0)
            for source, account in told.items():
                plain = account.as_json()
                counts.update({count: plain[count] for count in _COUNTS})
                quarantined.update({(source, reason): n for reason, n in account.quarantined.items()})
        if problem:
            name = f"{location}/{manifest_path(manifest.generation, manifest.seq)}"
            faults.append(Finding(name, problem, manifest.seq))
        rows = 0
    # Where a note is wrong, what it tells of quarantine is nothing to compare with.
    kept = Counter() if quarantine is None or faults else kept_in(quarantine)
    for (source, reason), entries in sorted(kept.items()):
        if entries > quarantined[source, reason]:
            problem = (
                f"it holds {entries} entries of source {source} for {reason}, "
                f"the log tells of {quarantined[source, reason]}"
            )
            faults.append(Finding(str(quarantine), problem))
    return Accounted(dict(counts), untold + rows, tuple(faults))


def _told(manifest: Manifest) -> dict[str, Accounting] | str | None:
    """What a manifest's note says of its load; None where it says nothing yet, a fault in words."""
    try:
        told = accounts_of(manifest.note)
        stated = _stated(manifest.note)
        for source, account in told.items():
            if not account.closes():
                return f"the accounting of {source} does not close: rows read are not those told of"
            if account.as_json() != stated[source]:
                return f"the accounting of {source} is not the sum of its reasons"
    except (AttributeError, KeyError, TypeError, ValueError):
        return "its note's accounting cannot be read"
    return told or None


def _stated(note: Mapping[str, Any]) -> dict[str, Any]:
    alone = {str(note["source"]): note["accounting"]} if note.get("accounting") is not None else {}
    return {**note.get("accounts", {}), **alone}
