"""Payloads that stand for a file that could not be read, so that it is a record like any other."""

from collections.abc import Mapping
from typing import Any

from connectors.contract import Record, Rejected

_PROBLEM, _DETAIL = "problem", "detail"
# As connectors.tables.rows.FAULT, whose import would bring the readers of every format.
_TABLE_FAULT = "vigie:fault"


def unread(reason: str, detail: str) -> dict[str, str]:
    """The payload; parsing it is a rejection. reason: one of the source's; detail: without content."""
    return {_PROBLEM: reason, _DETAIL: detail}


def rejection_of(payload: Mapping[str, Any], reasons: Mapping[str, str]) -> Rejected | None:
    """The rejection a payload stands for; None if it stands for none.

    >>> rejection_of(unread("encrypted", "it asks for a password"), {"encrypted": "..."})
    Rejected(reason='encrypted', detail='it asks for a password')
    """
    reason, detail = payload.get(_PROBLEM), payload.get(_DETAIL)
    if isinstance(reason, str) and reason in reasons and isinstance(detail, str):
        return Rejected(reason, detail)
    return None


def stands_for_file(record: Record) -> bool:
    """Whether a record says that its file could not be read as a whole, and holds nothing of it.

    >>> stands_for_file(Record("avis.csv", 0, {"vigie:fault": "missing_column"}))
    True
    >>> stands_for_file(Record("a.eml", 0, b"Subject: Bonjour"))
    False
    """
    if record.line or isinstance(record.payload, bytes):
        return False
    return _TABLE_FAULT in record.payload or _PROBLEM in record.payload
