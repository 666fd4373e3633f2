"""What the service did so far, for metrics and messages."""

from dataclasses import dataclass, field
from datetime import datetime

from connectors.contract import Accounting


@dataclass(slots=True)
class Status:
    """Counts since the start, and how things stand. Accounts and times of events are by source."""

    accounts: dict[str, Accounting] = field(default_factory=dict)
    latest: dict[str, datetime] = field(default_factory=dict)
    """When the newest event of a source was admitted."""
    occurred: dict[str, datetime] = field(default_factory=dict)
    """When the newest event of a source occurred."""
    waiting: dict[str, int] = field(default_factory=dict)
    """Files with something that is not whole yet."""
    unreachable: set[str] = field(default_factory=set)
    commits: int = 0
    heartbeats: int = 0
    compactions: int = 0
    committed_at: datetime | None = None
    clock: datetime | None = None
    buffer_rows: int = 0
    buffer_bytes: int = 0
    blocked: bool = False
    """The log cannot be written; the service tries again."""
