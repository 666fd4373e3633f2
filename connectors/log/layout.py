"""Where each file of a log stands, and how times are written in it.

LOG/
├── writer.lock
├── inbox/                               requests to the writer
├── models/                              what decisions name by its hash
└── generation-0001/
    ├── manifests/000000000007.json          the record; its presence is the commit
    └── segments/000000000007.core.parquet   and 000000000007.text.parquet
"""

import re
from datetime import UTC, datetime, timedelta

FORMAT = 1
"""Version of the format, in every manifest."""

LOCK = "writer.lock"
INBOX = "inbox"
"""Folder of the decisions asked for by those who do not hold the log."""
MODELS = "models"
"""Folder of what decisions name by the hash of its content."""
GENERATION = re.compile(r"^generation-(\d{4,})$")
MANIFEST = re.compile(r"^(\d{12})\.json$")
SEGMENT = re.compile(r"^(\d{12})\.(?:core|text)\.parquet$")
BESIDE = re.compile(r"^\d{12}\.(?:json|core\.parquet|text\.parquet)\.tmp$")
"""A file being written: never read, removed by the next writer."""

HOUR_US = 3_600_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def manifests_folder(generation: int) -> str:
    """Folder of a generation's manifests, relative to the log."""
    return f"generation-{generation:04d}/manifests"


def segments_folder(generation: int) -> str:
    """Folder of a generation's segments, relative to the log."""
    return f"generation-{generation:04d}/segments"


def manifest_path(generation: int, seq: int) -> str:
    """Path of one manifest, relative to the log."""
    return f"{manifests_folder(generation)}/{seq:012d}.json"


def core_path(generation: int, seq: int) -> str:
    """Path of a segment's core file, relative to the log."""
    return f"{segments_folder(generation)}/{seq:012d}.core.parquet"


def text_path(generation: int, seq: int) -> str:
    """Path of a segment's text file, relative to the log."""
    return f"{segments_folder(generation)}/{seq:012d}.text.parquet"


def seals_folder(generation: int) -> str:
    """Folder of what erasures of a generation sealed, relative to the log."""
    return f"generation-{generation:04d}/seals"


def seal_path(generation: int, seq: int, name: str) -> str:
    """Path of a file that erasure `seq` sealed, relative to the log."""
    return f"{seals_folder(generation)}/{seq:012d}.{name}"


def to_us(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC, exact. Raises ValueError for a naive time.

    >>> to_us(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone: the log needs aware times")
    return (instant - EPOCH) // timedelta(microseconds=1)


def from_us(us: int) -> datetime:
    """The UTC instant `us` microseconds after 1970-01-01.

    >>> from_us(-1).isoformat()
    '1969-12-31T23:59:59.999999+00:00'
    """
    return EPOCH + timedelta(microseconds=us)


def to_iso(instant: datetime) -> str:
    """UTC, always with six decimals and Z.

    >>> to_iso(datetime(2024, 3, 1, 10, tzinfo=UTC))
    '2024-03-01T10:00:00.000000Z'
    """
    to_us(instant)
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """The inverse of `to_iso`; ValueError for a time without zone."""
    instant = datetime.fromisoformat(text)
    to_us(instant)
    return instant.astimezone(UTC)
