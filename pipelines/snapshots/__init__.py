"""What a replay found day by day, and the state it left, kept so that the next one need not begin anew.

Derived from the log and never the truth: a snapshot can be deleted at any time, is used only where the log it
was made from is the log that is read, and is held against a replay by `vigie audit verify --signals`.
"""

from pipelines.snapshots.folder import Snapshot, Snapshots
from pipelines.snapshots.keeping import Keeping
from pipelines.snapshots.known_days import KnownDays

__all__ = ["Keeping", "KnownDays", "Snapshot", "Snapshots"]
