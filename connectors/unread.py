"""Payloads that stand for a file that could not be read, so that it is a record like any other."""

from collections.abc import Mapping
from typing import Any

from connectors.contract import Rejected

_PROBLEM, _DETAIL = "problem", "detail"


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
