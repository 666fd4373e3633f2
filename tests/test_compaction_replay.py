"""Compaction and replay: the same signals, to the byte, from a live log before and after the merge."""

import json
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

from connectors.events import EVENT
from connectors.log import EventLog, LogWriter
from connectors.log.compaction import compact

GRACE = timedelta(days=3)


def as_live(history: EventLog, into: Path) -> None:
    """The same events, admitted an hour after they occurred, a segment for each few of them."""
    batches = [
        history.read_piece(piece)
        for part in history.slices(max_rows=100_000, zone="UTC")
        for piece in history.pieces(part)
    ]
    rows = pa.Table.from_batches(batches).sort_by([("occurred_at", "ascending"), ("event_id", "ascending")])
    admitted = [at + timedelta(hours=1) for at in rows["occurred_at"].to_pylist()]
    table = (
        rows.select(EVENT.names)
        .set_column(2, EVENT.field("admitted_at"), pa.array(admitted, EVENT.field("admitted_at").type))
        .set_column(12, EVENT.field("flags"), pa.array([0] * rows.num_rows, pa.uint16()))
    )
    with LogWriter(into, now=lambda: admitted[-1]) as log:
        for start in range(0, table.num_rows, 5):
            log.append_live(table.slice(start, 5), note={})
        log.heartbeat(admitted[-1] + GRACE + timedelta(days=2))


@pytest.mark.slow
def test_signals_are_byte_identical_before_and_after(tmp_path: Path, shop: ModuleType) -> None:
    settings = shop.write_shop(tmp_path / "shop")
    shop.run_json("ingest", "--settings", settings)
    log_path = tmp_path / "shop" / "live"
    as_live(EventLog(tmp_path / "shop" / "log"), log_path)
    settings.write_text(settings.read_text("utf-8") + '\n[log]\npath = "live"\n', encoding="utf-8")

    def replayed(name: str) -> tuple[Any, bytes]:
        export = tmp_path / name
        asked = ("replay", "--settings", settings, "--engine", "plain", "--no-store", "--export", export)
        return shop.run_json(*asked), export.read_bytes()

    before, lines = replayed("before.jsonl")
    assert json.loads(lines.splitlines()[0])["perimeter"] == "mag/nord/lille"
    with LogWriter(log_path, now=lambda: EventLog(log_path).clock) as log:  # type: ignore[arg-type, return-value]
        merged = compact(log, zone="Europe/Paris", say=print)
        assert log.remove_replaced(keep=timedelta()) > 2 * len(merged) > 60
    after, lines_after = replayed("after.jsonl")
    assert lines_after == lines
    assert (after["digest"], after["events"]) == (before["digest"], before["events"])
    assert list(EventLog(log_path).verify()) == []
