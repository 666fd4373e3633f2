"""The event schema: one text by one author at one time, in one channel, with one voice.

The log stores it in two parts, CORE (no text) and TEXT; EVENT is what admission hands to the log and
what a reader gets back when it asks for texts.
"""

import pyarrow as pa
import pyarrow.compute as pc

VOICES = ("customer", "field")

SUBJECT_MARK = "[Subject] "
"""How the first line of a text begins that is the subject of a mail."""

FLAG_HISTORY = 1
"""Loaded as history: admitted as of its own time."""
FLAG_LATE = 2
"""Moved forward by the effective-time rule: counts in shares, not in volumes and silence."""
FLAG_REDACTED = 4
"""At least one personal datum was replaced in the text."""
FLAG_ERASED = 8
"""The text was erased on request; the row and its leaf in the text tree remain."""

TIME = pa.timestamp("us", tz="UTC")

CORE = pa.schema(
    [
        pa.field("event_id", pa.binary(16), nullable=False),
        pa.field("occurred_at", TIME, nullable=False),
        pa.field("admitted_at", TIME, nullable=False),
        pa.field("grace_s", pa.int32(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("voice", pa.string(), nullable=False),
        pa.field("perimeter", pa.string(), nullable=False),
        pa.field("score", pa.float64()),
        pa.field("author", pa.binary(16)),
        pa.field("agent", pa.binary(16)),
        pa.field("language", pa.string(), nullable=False),
        pa.field("flags", pa.uint16(), nullable=False),
    ]
)
"""perimeter: a path from the root, `enseigne/nord/lille-2`; score: [0, 1], 1 is best; language: ISO 639-1
or `und`; author, agent: keyed pseudonyms; grace_s: the source's grace, stamped on the row."""

TEXT = pa.schema(
    [
        pa.field("event_id", pa.binary(16), nullable=False),
        pa.field("salt", pa.binary(16), nullable=False),
        pa.field("text", pa.string(), nullable=False),
    ]
)
"""Redacted text. A bracketed word such as `[email]` or a column label `[Titre]` is markup, never a term."""

LEAF = pa.field("leaf", pa.binary(32))
TEXT_READ = pa.schema([*TEXT, LEAF])
"""TEXT as it may be read. leaf: where a text was erased, the hash that stands for it; null elsewhere."""

EVENT = pa.schema([*CORE, pa.field("text", pa.string(), nullable=False)])


class SchemaError(ValueError):
    """A table does not have the columns a stage or the log expects."""


def check_schema(found: pa.Schema, expected: pa.Schema, *, where: str) -> None:
    """Raise SchemaError that lists every difference at once; order of columns and metadata are free."""
    missing = [field.name for field in expected if field.name not in found.names]
    differing = [
        f"{field.name} is {found.field(field.name).type}, not {field.type}"
        for field in expected
        if field.name in found.names and found.field(field.name).type != field.type
    ]
    if missing or differing:
        raise SchemaError(f"{where}: missing {missing}; differing {differing}")


def effective_at(events: pa.RecordBatch | pa.Table) -> pa.Array | pa.ChunkedArray:
    """When each event counts: min(max(occurred_at, admitted_at - grace), admitted_at), UTC.

    An event that arrives within its source's grace counts where it happened; later than that it counts
    at the earliest instant still open, and never in the future of its admission.
    """
    # In integers: pyarrow 16 has no kernel for the least and greatest of times with a zone.
    occurred, admitted = (pc.cast(events[name], pa.int64()) for name in ("occurred_at", "admitted_at"))
    grace = pc.multiply(pc.cast(events["grace_s"], pa.int64()), 1_000_000)
    earliest = pc.subtract(admitted, grace)
    return pc.min_element_wise(pc.max_element_wise(occurred, earliest), admitted).cast(TIME)
