"""Where a live job's updates go: the signal store, or a folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.civil_days import day_of
from connectors.store import KeptStore, Run, Store
from connectors.store.publication import Publication
from pipelines.crowds import Crowds
from pipelines.live.whole import Update
from pipelines.publish import tallies_of
from pipelines.replay import Replayed, digest, texts_in, write_cells
from pipelines.stages.explain import Signals
from pipelines.stages.tally import CELLS


@dataclass(frozen=True, slots=True)
class FolderSink:
    """Writes updates to a folder that all workers reach, for `read`. root: path of the root perimeter."""

    folder: Path
    root: str

    def write(self, update: Update) -> None:
        """Write an update; again, it replaces itself."""
        place = self.folder / f"epoch-{update.epoch:06d}"
        place.mkdir(parents=True, exist_ok=True)
        write_cells(update.cells, place / f"cells-{update.close.number:06d}.parquet")
        if update.signals is None:
            return
        pq.write_table(update.signals.signals, place / "signals.parquet")
        pq.write_table(update.signals.evidence, place / "evidence.parquet")
        told = {
            "closed_until": update.close.closed_until.isoformat(),
            "log_head": update.close.log_head,
        }
        beside = place / ".told.json"
        beside.write_text(json.dumps(told))
        beside.replace(place / "told.json")

    def show(self, cells: Mapping[str, pa.Table]) -> None:
        """Write cells of open buckets, in place of those of the same divisions."""
        place = self.folder / "open"
        place.mkdir(parents=True, exist_ok=True)
        for division, table in cells.items():
            write_cells(table, place / f"{division.replace('/', '|')}.parquet")

    def shown(self, *, after: int) -> pa.Table:
        """Cells of the buckets after one that are shown as open."""
        files = sorted((self.folder / "open").glob("*.parquet"))
        cells = pa.concat_tables([CELLS.empty_table(), *(pq.read_table(file) for file in files)])
        return cells.filter(pc.greater(cells["bucket"], after))

    def read(self) -> Replayed:
        """What was written, of the last epoch."""
        place = max(self.folder.glob("epoch-*"))
        told = json.loads((place / "told.json").read_text())
        cells = sorted(place.glob("cells-*.parquet"))
        signals = Signals(pq.read_table(place / "signals.parquet"), pq.read_table(place / "evidence.parquet"))
        return Replayed(
            signals,
            cells,
            sum(texts_in(pq.read_table(file), self.root) for file in cells),
            datetime.fromisoformat(told["closed_until"]),
            digest(signals),
            told["log_head"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSink:
    """Writes updates to the signal store, each in one transaction.

    themes: id to key, 0 to the empty key. names: of perimeters, by path. publication: by which rules boards
    count. crowds: counts those behind the tallies, each time that signals are told.
    """

    store: KeptStore
    themes: dict[int, str]
    zone: str
    settings_version: str
    lexicon_version: str
    code_version: str
    publication: Publication
    crowds: Crowds
    names: dict[str, str] = field(default_factory=dict)

    def write(self, update: Update) -> None:
        """Bring the store to the update's close. StoreError if it cannot take it; it then stays as it was."""
        close, now = update.close, datetime.now(UTC)
        tallies = self._tallies(update.cells)
        first = None if update.first is None else day_of(update.first)
        days = (first, day_of(close.bucket))
        with self.store.use() as store:
            if close.head:
                store.record_head(close.head, close.log_head)
            if update.signals is None:
                store.replace_tallies(tallies, days=days)
                return
            run = Run(
                log_head=close.log_head,
                settings_version=self.settings_version,
                lexicon_version=self.lexicon_version,
                code_version=self.code_version,
                closed_until=close.closed_until,
                started_at=now,
                finished_at=now,
                digest=digest(update.signals),
            )
            store.continue_run(
                run,
                update.signals.signals,
                update.signals.evidence,
                tallies,
                perimeters=self.names,
                days=days,
            )
            # Killed before this, boards count what they counted until the same update comes again.
            if not close.looks_only:
                self._publish(store, update)

    def _publish(self, store: Store, update: Update) -> None:
        """Publish the periods with new days, with the crowds of these, which tallies do not tell."""
        self.crowds.log.refresh()
        first, last = update.untold, update.close.bucket
        crowds = self.crowds.until(last, first_bucket=first)
        store.refresh_published(
            None if first is None else day_of(first), crowds, publication=self.publication
        )

    def show(self, cells: Mapping[str, pa.Table]) -> None:
        """Make these the open days' tallies of their divisions. StoreError as in `write`."""
        whole = pa.concat_tables([CELLS.empty_table(), *cells.values()])
        with self.store.use() as store:
            store.replace_open(list(cells), self._tallies(whole))

    def _tallies(self, cells: pa.Table) -> pa.Table:
        return tallies_of(cells, themes=self.themes, zone=self.zone)
