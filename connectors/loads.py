"""What the notes of the log tell of the loads that made it: by which key, and what became of every row.

A load of one source is `{"source", "key", "accounting"}`, in the last manifest of the load. A service that
follows its sources writes `{"key", "session", "accounts": {source: accounting}, "goes_on": {source:
session}}` with each segment: what became of the rows since the segment before. All notes of one session are
one load of a source, with those of the session that it goes on from.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, TypeAlias

from connectors.contract import Accounting
from connectors.log import EventLog
from connectors.secret import Secret

LeftOut: TypeAlias = Counter[tuple[str, str]]
"""Rows by what became of them instead of an event (`set aside`, `quarantined`) and the reason."""


def load_note(source: str, key: str, account: Accounting | None = None) -> dict[str, Any]:
    """The note of a load; the accounting only with the last manifest. key: fingerprint of the secret."""
    note = {"source": source, "key": key}
    return note if account is None else {**note, "accounting": account.as_json()}


def session_note(
    key: str, session: str, accounts: Mapping[str, Accounting], loads: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The note of one segment of a session. accounts: of the rows since the segment before, by source.

    loads: the first session of the load that this one goes on with, by source; this one where absent.
    """
    told = {name: account.as_json() for name, account in accounts.items() if account.read}
    goes_on = {name: load for name, load in (loads or {}).items() if load != session and name in told}
    return {"key": key, "session": session, "accounts": told, "goes_on": goes_on}


def accounts_of(note: Mapping[str, Any]) -> dict[str, Accounting]:
    """The accounting that a note holds, by source."""
    told = dict(note.get("accounts", {}))
    if note.get("accounting") is not None:
        told[str(note["source"])] = note["accounting"]
    return {
        name: Accounting(
            read=account["read"],
            events=account["events"],
            duplicates=account["duplicates"],
            set_aside=dict(account["set_aside_reasons"]),
            quarantined=dict(account["quarantine_reasons"]),
        )
        for name, account in told.items()
    }


def check_key(log: EventLog, secret: Secret) -> None:
    """Raise SecretError if events were loaded into this log with another key."""
    for manifest in log.manifests():
        secret.check_fingerprint(manifest.note.get("key"), where=f"the log {log.location}")


def told_by_load(log: EventLog) -> dict[tuple[str, str], LeftOut]:
    """The rows that each load left out, by source and load."""
    loads: defaultdict[tuple[str, str], LeftOut] = defaultdict(Counter)
    for manifest in log.manifests():
        note = manifest.note
        for name, account in accounts_of(note).items():
            load = note.get("goes_on", {}).get(name) or note.get("session") or str(manifest.seq)
            loads[name, load] += left_out(account)
    return dict(loads)


def most_told(log: EventLog) -> dict[str, LeftOut]:
    """The most rows that one load left out for each reason, by source."""
    loads = told_by_load(log)
    most: defaultdict[str, LeftOut] = defaultdict(Counter)
    for (name, _), rows in loads.items():
        most[name] |= rows
    return dict(most)


def left_out(account: Accounting) -> LeftOut:
    """The rows of an accounting that gave neither event nor duplicate."""
    aside = {("set aside", reason): count for reason, count in account.set_aside.items()}
    return Counter(aside | {("quarantined", reason): count for reason, count in account.quarantined.items()})


def add(one: Accounting, other: Accounting) -> Accounting:
    """Both together."""
    return Accounting(
        read=one.read + other.read,
        events=one.events + other.events,
        duplicates=one.duplicates + other.duplicates,
        set_aside=dict(Counter(one.set_aside) + Counter(other.set_aside)),
        quarantined=dict(Counter(one.quarantined) + Counter(other.quarantined)),
    )
