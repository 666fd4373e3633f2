"""What the live job brings to the store: the same crowds behind the tallies as a replay counts."""

from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.store import KeptStore, Store
from pipelines.live.messages import Close
from pipelines.live.sinks import StoreSink
from pipelines.live.whole import Update
from pipelines.plain import PlainEngine
from pipelines.publish import crowds_of, publication_of, publish
from pipelines.replay import Replayed
from pipelines.settings import load_settings
from pipelines.stages.explain import Signals
from pipelines.stages.looks import LookClock, Turn
from pipelines.stages.tally import theme_keys
from pipelines.workspace import Workspace

TALLIES = "SELECT * FROM vigie.tally ORDER BY bucket_at, perimeter, channel, voice, theme"


def published(raw: psycopg.Connection) -> dict[str, list[Any]]:
    """The crowds, and what boards show."""
    return {
        table: raw.execute(f"SELECT * FROM vigie.{table} ORDER BY 1, 2, 3, 4, 5").fetchall()
        for table in ("crowd", "published")
    }


def test_crowds_are_counted_as_days_close_as_a_replay_counts_them(
    tmp_path: Path, shop: ModuleType, store: Store, store_dsn: str, raw: psycopg.Connection
) -> None:
    workspace = Workspace(load_settings(shop.write_shop(tmp_path / "shop")), say=lambda _: None)
    workspace.ingest()
    kept: list[tuple[Replayed, pa.Table]] = []

    def use(replayed: Replayed) -> None:
        publish(workspace, replayed, store, started_at=datetime(2025, 4, 1, tzinfo=UTC))
        kept.append((replayed, pa.concat_tables([pq.read_table(file) for file in replayed.cells])))

    workspace.replay(PlainEngine(), use=use)
    ((replayed, cells),) = kept
    expected = published(raw)
    assert expected["crowd"]
    raw.execute("TRUNCATE vigie.crowd, vigie.tally, vigie.published")
    raw.commit()
    sink = StoreSink(
        store=KeptStore(store_dsn, data=tmp_path / "unused"),
        themes=theme_keys(list(workspace.lexicons.themes)),
        zone=workspace.settings.organisation.timezone,
        settings_version=workspace.settings_version,
        lexicon_version=workspace.lexicons.version,
        code_version="1",
        names=workspace.names,
        publication=publication_of(workspace),
        crowds=crowds_of(workspace, workspace.open_log()),
    )
    buckets = sorted(pc.unique(cells["bucket"]).to_pylist())
    middle, last = buckets[len(buckets) // 2], buckets[-1]
    # Two closes while the log is caught up with, the second of which tells; then a day.
    spans = ((None, middle, False, None), (middle + 1, last - 1, True, None), (last, last, True, last))
    for number, (first, end, tells, untold) in enumerate(spans, start=1):
        close = Close(number, end, replayed.closed_until, replayed.log_head, 1, caught_up=tells)
        mine = cells.filter(pc.less_equal(cells["bucket"], end))
        if first is not None:
            mine = mine.filter(pc.greater_equal(mine["bucket"], first))
        update = Update(1, close, first, mine, replayed.signals if tells else None, untold)
        sink.write(update)
        sink.write(update)
    assert published(raw) == expected
    # A turn that only looks at open days tells signals, and leaves what closed days count as it is.
    told, tallies = replayed.signals, raw.execute(TALLIES).fetchall()
    early = told.signals.set_column(
        told.signals.schema.get_field_index("status"),
        told.signals.schema.field("status"),
        pa.array(["early"] * told.signals.num_rows),
    )
    clock = LookClock(900_000_000, sink.zone, ((-1, 0),), last=0)
    looking = Close(
        4, last, replayed.closed_until, "ab" * 32, 2, caught_up=True, turn=Turn(clock, last, last)
    )
    update = Update(1, looking, last + 1, cells.slice(0, 0), Signals(early, told.evidence))
    for _ in range(2):
        sink.write(update)
        assert {row["status"] for row in store.signals()} == {"early"}
        assert store.run().log_head == "ab" * 32  # type: ignore[union-attr]
        assert raw.execute(TALLIES).fetchall() == tallies
        assert published(raw) == expected
    sink.store.close()
