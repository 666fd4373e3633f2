"""Our own way through a stream: events, a log, a replay by plain functions, and the signals that it gives.

All texts come from one store of one division: three perimeters hear the same, and each may be wrong. The
settings are what a user can set. Nothing changes but by new topics, so the past is worth long memory. A
signal needs the fewest authors that the privacy rule admits.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from benchmarks._data import work_folder
from benchmarks._themes_score import Flag
from benchmarks._themes_streams import Stream

if TYPE_CHECKING:
    from pipelines.workspace import Workspace

FIRST_DAY = datetime(2022, 1, 3, 12, tzinfo=UTC)
ROOT, STORE = "e", "e/nord/lille"
PERIMETERS = 3
MIN_AUTHORS = 3
WARM_UP = 56


def find(stream: Stream, *, half_life: float, false_alerts: float) -> list[Flag]:
    """Signals of new themes in a stream, each with the events that carried it when it was raised.

    half_life: of what is normal, in days. false_alerts: a perimeter and year, of which a stream is 0.4.
    """
    from pipelines.plain import PlainEngine
    from pipelines.stages.story import KIND

    with work_folder() as folder:
        write_log(folder / "log", stream)
        workspace = _workspace(folder, half_life, false_alerts)
        signals = workspace.replay(PlainEngine(), use=lambda _: None).signals
    carriers: dict[str, list[int]] = {}
    for row in signals.evidence.select(["signal_id", "event_id"]).to_pylist():
        carriers.setdefault(row["signal_id"], []).append(place_of(row["event_id"]))
    return [
        _flag(stream, (row["bucket"] - FIRST_DAY.date()).days, row["label"], carriers[row["signal_id"]])
        for row in signals.signals.to_pylist()
        if row["kind"] == KIND and row["status"] != "merged"
    ]


def write_log(path: Path, stream: Stream) -> None:
    """Write a stream as a log: a bucket is a day, and every text has an author of its own."""
    from connectors.events import EVENT
    from connectors.log import LogWriter

    now = FIRST_DAY + timedelta(days=400)
    rows = len(stream.texts)
    at = [FIRST_DAY + timedelta(days=text.bucket) for text in stream.texts]
    ids = [_event_id(place) for place in range(rows)]
    columns: dict[str, Any] = {
        "event_id": ids,
        "occurred_at": at,
        "admitted_at": at,
        "grace_s": [0] * rows,
        "source": ["stream"] * rows,
        "channel": ["survey"] * rows,
        "voice": ["customer"] * rows,
        "perimeter": [STORE] * rows,
        "score": [None] * rows,
        "author": [blake2b(one, digest_size=16).digest() for one in ids],
        "agent": [None] * rows,
        "language": [text.language for text in stream.texts],
        "flags": [0] * rows,
        "text": [text.text for text in stream.texts],
    }
    table = pa.table({field.name: pa.array(columns[field.name], field.type) for field in EVENT}, schema=EVENT)
    with LogWriter(path, now=lambda: now) as log:
        log.append_history(table, loaded_at=now, note={})


def place_of(event_id: bytes) -> int:
    """Place in its stream of the text that an event is."""
    return int.from_bytes(event_id[:4], "big")


def _event_id(place: int) -> bytes:
    """The first bytes say which text it is, the others are as good as chance: equal streams, equal logs."""
    return place.to_bytes(4, "big") + blake2b(str(place).encode(), digest_size=12).digest()


def _flag(stream: Stream, bucket: int, label: str, places: list[int]) -> Flag:
    carried = (stream.texts[place] for place in places)
    return Flag(bucket, label, Counter(text.topic for text in carried if text.bucket <= bucket))


def _workspace(folder: Path, half_life: float, false_alerts: float) -> "Workspace":
    from pipelines.settings import Settings
    from pipelines.workspace import Workspace

    settings = Settings.model_validate(
        {
            "organisation": {"root": ROOT, "name": "E", "timezone": "UTC", "languages": ["en", "fr"]},
            "privacy": {"min_authors": MIN_AUTHORS},
            "detection": {
                "half_life_days": half_life,
                "warm_up_days": WARM_UP,
                "false_alerts_per_perimeter_per_year": false_alerts,
            },
            "log": {"path": str(folder / "log")},
        }
    )
    return Workspace(settings, say=lambda _: None)
