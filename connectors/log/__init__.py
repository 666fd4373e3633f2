"""The event log: append-only, hash-chained, the only source for detection. Format: docs/event-log.md."""

from connectors.log.decisions import About, InForce, Verdict
from connectors.log.ids import KnownIds
from connectors.log.manifest import Decision, Load, Manifest, RowGroup, Segment
from connectors.log.plan import Part, Piece, Slice
from connectors.log.reader import EventLog
from connectors.log.segment_faults import Finding
from connectors.log.writer import LogWriter

__all__ = [
    "About",
    "Decision",
    "EventLog",
    "Finding",
    "InForce",
    "KnownIds",
    "Load",
    "LogWriter",
    "Manifest",
    "Part",
    "Piece",
    "RowGroup",
    "Segment",
    "Slice",
    "Verdict",
]
