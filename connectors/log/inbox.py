"""Decisions asked for by those who do not hold the log: the one writer takes them from a folder.

`LOG/inbox/KEY.json` holds one request, written whole. The writer commits it with the key in its note, then
removes the file: what is asked for is decided once, whoever is killed in between.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from connectors.errors import LogError
from connectors.log.decisions import SKIP, VERDICT, About, about_of, verdict_payload
from connectors.log.durable import disk_faults, make_folder, sync_folder, write_content
from connectors.log.layout import INBOX, from_iso, to_iso
from connectors.log.manifest import Manifest
from connectors.log.writer import LogWriter

_REFUSED = ".refused"


def ask_verdict(
    log: Path,
    signal_id: str,
    judgement: str,
    *,
    by: str | None,
    now: datetime,
    about: About | None = None,
) -> str:
    """Ask the writer of the log in a folder for a verdict; the key of the request, durable at return.

    now: when the manager judged, aware. Asking the same again, with the same time, changes nothing.
    Raises ValueError as `LogWriter.verdict` does, LogError where the folder cannot be written.
    """
    return _ask(log, VERDICT, verdict_payload(signal_id, judgement, by, about), now)


def ask_skip(log: Path, seq: int) -> str:
    """Ask the writer to look at a segment that could not be read, and to set it aside if it is damaged.

    The same segment again changes nothing. Returns and raises as `ask_verdict`.
    """
    return _ask(log, SKIP, {"seq": seq}, None)


def answer(log: LogWriter, say: Callable[[str], None]) -> list[Manifest]:
    """Decide what is asked for, in order of time; requests that cannot be decided are told and put by.

    Returns the manifests of the decisions taken. Raises LogError if the log cannot be written.
    """
    folder = log.path / INBOX
    if not folder.is_dir():
        return []
    taken = []
    requests = [(path, _read(path)) for path in sorted(folder.glob("*.json"))]
    for path, request in sorted(requests, key=lambda pair: str((pair[1] or {}).get("asked_at"))):
        try:
            if request is None:
                raise ValueError("it is not a request")
            if not log.has_answered(path.stem):
                taken += _decide(log, request, key=path.stem, say=say)
        except (KeyError, TypeError, ValueError) as error:
            path.rename(path.with_suffix(_REFUSED))
            say(f"{path}: the decision asked for is refused: {error}; it is kept as {path.stem}{_REFUSED}")
            continue
        path.unlink(missing_ok=True)
    return taken


def _decide(
    log: LogWriter, request: Mapping[str, Any], *, key: str, say: Callable[[str], None]
) -> list[Manifest]:
    payload, note = request["payload"], {"request": key}
    if request["kind"] == VERDICT:
        asked_at = request.get("asked_at")
        verdict = log.verdict(
            payload["signal_id"],
            payload["judgement"],
            by=payload.get("by"),
            about=about_of(payload.get("about")),
            judged_at=None if asked_at is None else from_iso(asked_at),
            note=note,
        )
        return [verdict]
    if request["kind"] != SKIP:
        raise ValueError(f"decisions of kind {request['kind']!r} cannot be asked for")
    try:
        return [log.skip(int(payload["seq"]), say=say, note=note)]
    except LogError as error:
        say(str(error))
        return []


def _ask(log: Path, kind: str, payload: Mapping[str, Any], now: datetime | None) -> str:
    request = {"kind": kind, "payload": payload, "asked_at": to_iso(now) if now else None}
    content = json.dumps(request, sort_keys=True).encode() + b"\n"
    key = blake2b(content, digest_size=16).hexdigest()
    folder = log / INBOX
    with disk_faults(log):
        make_folder(folder)
        write_content(folder / f"{key}.json", content)
        sync_folder(folder)
    return key


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
