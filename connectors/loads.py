"""What the notes of the log tell of the loads that made it: by which key, and what became of every row.

A load of one source is `{"source", "key", "accounting"}`, in the last manifest of the load. A service that
follows its sources writes `{"key", "session", "accounts": {source: accounting}}` with each segment: what
became of the rows since the segment before. All notes of one session are one load.
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


def session_note(key: str, session: str, accounts: Mapping[str, Accounting]) -> dict[str, Any]:
    """The note of one segment of a session. accounts: of the rows since the segment before, by source."""
    told = {name: account.as_json() for name, account in accounts.items() if account.read}
    return {"key": key, "session": session, "accounts": told}


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


def most_told(log: EventLog) -> dict[str, LeftOut]:
    """The most rows that one load left out for each reason, by source."""
    loads: defaultdict[tuple[str, str | int], LeftOut] = defaultdict(Counter)
    for manifest in log.manifests():
        for name, account in accounts_of(manifest.note).items():
            loads[name, manifest.note.get("session", manifest.seq)] += left_out(account)
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
