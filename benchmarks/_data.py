"""The benchmarks' data: the demo's fictional retailer, its log, and longer logs made of that one."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks._report import SEED

if TYPE_CHECKING:
    from pipelines.workspace import Workspace

WEEKS = 56
"""Of the demo; in a longer log the same events were there this much earlier too."""
_LETTERS = bytes.maketrans(b"0123456789", b"ghijklmnop")


@contextmanager
def work_folder() -> Iterator[Path]:
    """A temporary folder, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="vigie-benchmark-") as folder:
        yield Path(folder)


def write_demo(folder: Path, texts: int) -> None:
    """Write the demo's sources into a new folder."""
    from pipelines.demo.generate import generate

    generate(folder, seed=SEED, texts=texts)


def ingest_demo(folder: Path) -> int:
    """Ingest the demo's sources; returns the events."""
    accounts = open_workspace(folder).ingest()
    return sum(account.events for account in accounts.values())


def write_first_day(folder: Path, log: str, *, of: str = "log") -> int:
    """Write the events of a log's first day as another log of the same folder; returns how many."""
    events = read_events(folder, of)
    first = pc.min(events["occurred_at"]).as_py()
    day = events.filter(pc.less(events["occurred_at"], pa.scalar(first + timedelta(days=1))))
    _write_log(folder / log, [day])
    return int(day.num_rows)


def write_dense_log(folder: Path, log: str, share: float) -> None:
    """Write the demo's events in a share of its days as another log: as many a day as of more texts."""
    events = read_events(folder)
    instants = pc.cast(events["occurred_at"], pa.int64())
    first = pc.min(instants)
    elapsed = pc.cast(pc.subtract(instants, first), pa.float64())
    dates = pc.add(first, pc.cast(pc.floor(pc.multiply(elapsed, share)), pa.int64()))
    dates = dates.cast(events["occurred_at"].type)
    for name in ("occurred_at", "admitted_at"):
        events = events.set_column(events.column_names.index(name), events.schema.field(name), dates)
    _write_log(folder / log, [events])


def write_long_log(folder: Path, log: str, rows: int) -> int:
    """Write a log of the demo's events, again and again under other ids and dates; returns the rows.

    Each copy is dated a demo earlier, so that a longer log has more days and not more texts a day. From the
    second on, each text ends with a word of its own, as real texts keep bringing new words.
    """
    events = read_events(folder).sort_by([("occurred_at", "ascending"), ("event_id", "ascending")])
    tables: list[pa.Table] = []
    left = rows
    while left > 0:
        tables.append(_again(events.slice(max(0, events.num_rows - left)), len(tables)))
        left -= tables[-1].num_rows
    _write_log(folder / log, tables[::-1])
    return rows


def read_events(folder: Path, name: str = "log") -> pa.Table:
    """EVENT of everything in one of a folder's logs."""
    from connectors.events import EVENT

    log = open_workspace(folder, log=name).open_log()
    slices = log.slices(max_rows=1 << 30, zone="UTC")
    batches = [log.read_piece(piece) for part in slices for piece in log.pieces(part)]
    return pa.Table.from_batches(batches).select(EVENT.names)


def open_workspace(folder: Path, *, log: str = "log", share: float = 1) -> "Workspace":
    """The demo's workspace, with one of its folder's logs. share: of the demo's days that the log has."""
    from pipelines.settings import LogPlace, load_settings
    from pipelines.workspace import Workspace

    settings = load_settings(folder / "vigie.toml")
    warm_up = round(settings.detection.warm_up_days * share)
    changes = {
        "log": LogPlace(path=log),
        "detection": settings.detection.model_copy(update={"warm_up_days": warm_up}),
    }
    return Workspace(settings.model_copy(update=changes), say=lambda _: None)


def _write_log(path: Path, tables: list[pa.Table]) -> None:
    from connectors.log import LogWriter

    now = datetime.now(UTC)
    with LogWriter(path, now=lambda: now) as log:
        for table in tables:
            log.append_history(table, loaded_at=now, note={})


def _again(events: pa.Table, copy: int) -> pa.Table:
    """The same events `copy` demos earlier, as other events of other texts."""
    if not copy:
        return events
    earlier = pa.scalar(timedelta(weeks=WEEKS * copy))
    salt = copy.to_bytes(4, "big")
    ids = [
        blake2b(event_id, digest_size=16, salt=salt).digest() for event_id in events["event_id"].to_pylist()
    ]
    words = [event_id.hex()[:12].encode().translate(_LETTERS).decode() for event_id in ids]
    dates = pc.subtract(events["occurred_at"], earlier)
    fresh = {
        "event_id": pa.array(ids, pa.binary(16)),
        "occurred_at": dates,
        "admitted_at": dates,
        "text": pc.if_else(
            pc.equal(events["text"], ""),
            "",
            pc.binary_join_element_wise(events["text"], pa.array(words), " "),
        ),
    }
    columns = [fresh.get(name, events[name]) for name in events.column_names]
    return pa.table(columns, schema=events.schema)
