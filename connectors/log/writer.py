"""Writing the log: one writer, each append whole or not at all."""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import LogError
from connectors.log import layout
from connectors.log.chain import Chain
from connectors.log.durable import disk_faults, make_folder, sync_folder, write_whole
from connectors.log.files import LogFiles
from connectors.log.lock import WriterLock
from connectors.log.manifest import Decision, Kind, Load, Manifest, Segment, to_bytes
from connectors.log.recovery import remove_leftovers
from connectors.log.segment import SALT_BYTES, normalise, write_segment

RUN_ROWS = 1 << 20
"""Rows of one sorted run of history at most; a larger load makes several."""


class LogWriter:
    """The one writer of a local log; use it as a context manager. Creates the log if absent.

    now: the wall clock, aware. randomness: n -> n random bytes, for salts.
    Entering raises LogBusyError if another writer holds the log, LogError if the chain is damaged or the
    folder cannot be written. After a killed writer, it first removes what that one left half-written.
    """

    def __init__(
        self, path: Path, *, now: Callable[[], datetime], randomness: Callable[[int], bytes] = os.urandom
    ) -> None:
        self.path = Path(path)
        self._now = now
        self._randomness = randomness
        self._chain = Chain()
        self._open = ExitStack()
        self._usable = False

    def __enter__(self) -> Self:
        with disk_faults(self.path), ExitStack() as opening:
            make_folder(self.path)
            opening.enter_context(WriterLock(self.path / layout.LOCK, since=self._now()))
            self._make_generation(1)
            self._chain = Chain()
            self._chain.read_on(LogFiles(str(self.path)))
            remove_leftovers(self.path, generation=self._chain.generation, next_seq=self._chain.next_seq)
            self._open = opening.pop_all()
        self._usable = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._usable = False
        self._open.close()

    @property
    def clock(self) -> datetime | None:
        """The log's clock; None while nothing was admitted. A live event is never admitted before it."""
        return self._chain.clock

    @property
    def usable(self) -> bool:
        """Whether the log is held and can be written; after a failed commit only a new opening can tell."""
        return self._usable

    def append_history(
        self, events: pa.Table, *, loaded_at: datetime, note: Mapping[str, Any]
    ) -> list[Manifest]:
        """Append a bulk load as sorted runs, one manifest a run; whole runs stay if a later one fails.

        events: EVENT, any order, admitted_at = occurred_at. The note goes with the last run, so it is there
        only if the whole load is; without events one manifest without segment holds it.
        LogError once this generation has live segments; SchemaError or ValueError for events of another form.
        """
        if self._chain.live_in_generation:
            raise LogError(
                f"{self.path}: history cannot be added once live events were: "
                "start a new generation of the log"
            )
        table = normalise(events)
        if not pc.all(pc.equal(table["admitted_at"], table["occurred_at"]), min_count=0).as_py():
            raise ValueError(
                "history must be admitted as of its own time: admitted_at must equal occurred_at"
            )
        starts = range(0, table.num_rows, RUN_ROWS) or range(1)
        manifests = []
        for run, start in enumerate(starts, start=1):
            part = table.slice(start, RUN_ROWS).sort_by(
                [("occurred_at", "ascending"), ("event_id", "ascending")]
            )
            load = Load(loaded_at, run, len(starts))
            manifests.append(
                self._append("history", part, note=note if run == len(starts) else {}, load=load)
            )
        return manifests

    def append_live(self, events: pa.Table, *, note: Mapping[str, Any]) -> Manifest:
        """Append live events, order kept; the clock moves to the latest admission.

        LogError for an event admitted before the log's clock: buckets it could fall in may be closed.
        """
        table = normalise(events)
        earliest = pc.min(table["admitted_at"]).as_py()
        if earliest is not None and self.clock is not None and earliest < self.clock:
            raise LogError(
                f"{self.path}: a live event is admitted at {layout.to_iso(earliest)}, before the log's "
                f"clock, {layout.to_iso(self.clock)}: set the system clock right, or admit at the log's clock"
            )
        return self._append("live", table, note=note)

    def heartbeat(self, clock: datetime) -> Manifest | None:
        """Advance the clock without events. A time not after the clock changes nothing: returns None."""
        layout.to_us(clock)
        if self.clock is not None and clock <= self.clock:
            return None
        return self._commit("heartbeat", clock=clock)

    def decide(self, kind: str, payload: Mapping[str, Any]) -> Manifest:
        """Record a decision that affects detection. payload: plain JSON, without personal data."""
        return self._commit("decision", decision=Decision(kind, payload))

    def new_generation(self) -> Manifest:
        """Seal this generation and open the next, which carries over every segment visible now, by name.

        Its first manifest names the sealed head by its hash. History may then be appended again.
        LogError if the log holds nothing yet.
        """
        if self._chain.head is None:
            raise LogError(f"{self.path}: the log holds nothing yet: there is no generation to seal")
        with disk_faults(self.path):
            self._make_generation(self._chain.generation + 1)
        return self._commit("generation", carries=tuple(segment.seq for segment in self._chain.segments))

    def _append(
        self, kind: Kind, events: pa.Table, *, note: Mapping[str, Any], load: Load | None = None
    ) -> Manifest:
        latest = pc.max(events["admitted_at"]).as_py()
        clock = max(filter(None, (self.clock, latest)), default=None)
        if not events.num_rows:
            return self._commit(kind, clock=clock, note=note, load=load)
        generation, seq = self._chain.generation, self._chain.next_seq
        core = self.path / layout.core_path(generation, seq)
        text = self.path / layout.text_path(generation, seq)
        self._check_usable()
        try:
            with disk_faults(self.path):
                segment = write_segment(
                    events,
                    core=core,
                    text=text,
                    generation=generation,
                    seq=seq,
                    live=kind == "live",
                    salts=self._randomness(SALT_BYTES * events.num_rows),
                    write=write_whole,
                )
                sync_folder(core.parent)
            return self._commit(kind, clock=clock, note=note, load=load, segment=segment)
        except BaseException:
            if not (self.path / layout.manifest_path(generation, seq)).exists():
                core.unlink(missing_ok=True)
                text.unlink(missing_ok=True)
            raise

    def _commit(
        self,
        kind: Kind,
        *,
        clock: datetime | None = None,
        segment: Segment | None = None,
        load: Load | None = None,
        decision: Decision | None = None,
        carries: tuple[int, ...] | None = None,
        note: Mapping[str, Any] | None = None,
    ) -> Manifest:
        """Write the manifest: its rename is the commit."""
        self._check_usable()
        manifest = Manifest(
            seq=self._chain.next_seq,
            generation=self._chain.generation + (kind == "generation"),
            kind=kind,
            previous=self._chain.head_hash,
            clock=clock or self.clock,
            written_at=self._now(),
            segment=segment,
            load=load,
            decision=decision,
            carries=carries,
            note=note or {},
        )
        content = to_bytes(manifest)
        path = self.path / layout.manifest_path(manifest.generation, manifest.seq)

        def write(file: BinaryIO) -> None:
            file.write(content)

        try:
            with disk_faults(self.path):
                write_whole(path, write)
                sync_folder(path.parent)
            self._chain.append(manifest, content, name=str(path))
        except BaseException:
            # Renamed but not synced: what a crash would keep is unknown, so only a new opening can tell.
            self._usable = not path.exists()
            raise
        return manifest

    def _make_generation(self, generation: int) -> None:
        make_folder(self.path / layout.manifests_folder(generation))
        make_folder(self.path / layout.segments_folder(generation))

    def _check_usable(self) -> None:
        if not self._usable:
            raise LogError(
                f"{self.path}: this writer is closed or failed while committing: open the log again"
            )
