"""Writing the log: one writer, each append whole or not at all."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import LogError
from connectors.log import layout
from connectors.log.chain import Chain
from connectors.log.decisions import SKIP, VERDICT, About, skip_payload, verdict_payload
from connectors.log.durable import disk_faults, make_folder, sync_folder, write_content, write_whole
from connectors.log.erasing import erased_by_segment
from connectors.log.files import LogFiles
from connectors.log.lock import WriterLock
from connectors.log.manifest import Decision, Kind, Load, Manifest, Segment, to_bytes
from connectors.log.recovery import remove_leftovers
from connectors.log.segment import SALT_BYTES, normalise, write_segment
from connectors.log.segment_faults import damage_of, has_whole_core

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
        self._answered: set[str] = set()
        self._answered_to = 0

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

    def decide(
        self,
        kind: str,
        payload: Mapping[str, Any],
        *,
        effective: datetime | None = None,
        note: Mapping[str, Any] | None = None,
    ) -> Manifest:
        """Record a decision that affects detection. payload: plain JSON, without personal data.

        effective: in force for buckets that begin then or after; the log's clock by default.
        ValueError for a time before the clock: buckets that it would touch may be closed.
        """
        if effective is not None and self.clock is not None and effective < self.clock:
            raise ValueError(
                f"effective is {layout.to_iso(effective)}; it must not be before the log's clock, "
                f"{layout.to_iso(self.clock)}"
            )
        decision = Decision(kind, payload, effective or self.clock)
        return self._commit("decision", decision=decision, note=note)

    def verdict(
        self,
        signal_id: str,
        judgement: str,
        *,
        by: str | None = None,
        about: About | None = None,
        judged_at: datetime | None = None,
        note: Mapping[str, Any] | None = None,
    ) -> Manifest:
        """Record what a manager made of a signal: `confirm` or `dismiss`, in force from the next bucket on.

        signal_id: 32 hexadecimal digits. by: the manager's pseudonym, of the same form; never a name. about:
        what it teaches of. ValueError for another form.
        """
        return self.decide(VERDICT, verdict_payload(signal_id, judgement, by, about, judged_at), note=note)

    def skip(
        self, seq: int, *, say: Callable[[str], None], note: Mapping[str, Any] | None = None
    ) -> Manifest:
        """Set a damaged segment aside, so that the rest can be read; told once.

        Its events are no longer known, so a source that still holds them gives them again.
        LogError if no visible segment has that number, if its files are whole, or if one is missing or cannot
        be opened: that may be a folder that is not there for now.
        """
        segment = next((one for one in self._chain.segments if one.seq == seq), None)
        if segment is None:
            raise LogError(f"{self.path}: there is no visible segment {seq} to set aside")
        erased = erased_by_segment(self._chain.manifests).get(seq)
        damage = damage_of(LogFiles(str(self.path)), segment, erased)
        if damage is None:
            raise LogError(f"{self.path}: segment {seq} is whole: it is not set aside")
        say(
            f"{damage}; segment {seq} with its {segment.rows} events is set aside, the rest goes on: "
            "restore the file from a copy, or read the sources again"
        )
        reason = damage.problem.partition(":")[0]
        return self.decide(SKIP, skip_payload(seq, reason), note=note)

    def skip_damaged(self, *, say: Callable[[str], None]) -> list[int]:
        """Set aside every visible segment whose core is not what its manifest says; their numbers.

        LogError if a core file is missing or cannot be opened.
        """
        files = LogFiles(str(self.path))
        damaged = [one.seq for one in self._chain.segments if not has_whole_core(files, one)]
        for seq in damaged:
            self.skip(seq, say=say)
        return damaged

    def has_answered(self, request: str) -> bool:
        """Whether a decision with this request in its note was taken."""
        seen = self._answered
        for manifest in self._chain.manifests[self._answered_to :]:
            if manifest.decision and "request" in manifest.note:
                seen.add(str(manifest.note["request"]))
        self._answered_to = len(self._chain.manifests)
        return request in seen

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

    @property
    def chain(self) -> Chain:
        """The chain as it is, for those who decide what to merge; not to be changed."""
        return self._chain

    def merge(
        self,
        events: pa.Table,
        *,
        salts: bytes,
        replaces: Sequence[Segment],
        leaves: pa.ChunkedArray | None = None,
    ) -> Manifest:
        """Put one segment in the place of some that stand side by side; their files stay for now.

        events: EVENT, the rows of those segments in order; salts: 16 bytes a row. leaves: of erased texts.
        """
        pairs = tuple((segment.seq, segment.rows) for segment in replaces)
        return self._append(
            "compaction", normalise(events), note={}, salts=salts, leaves=leaves, replaces=pairs
        )

    def remove_replaced(self, *, keep: timedelta) -> int:
        """Remove the files of segments that were replaced by one older than `keep`; how many files went."""
        latest = self._now() - keep
        gone = {
            seq
            for manifest in self._chain.manifests
            if manifest.kind == "compaction" and manifest.segment and manifest.written_at <= latest
            for seq, _ in manifest.segment.replaces
        }
        generations = {segment.generation for segment in self._chain.replaced if segment.seq in gone}
        removed = 0
        with disk_faults(self.path):
            for generation in sorted(generations):
                folder = self.path / layout.segments_folder(generation)
                files = [file for file in folder.iterdir() if layout.SEGMENT.match(file.name)]
                for file in sorted(files):
                    if int(file.name[:12]) in gone:
                        file.unlink()
                        removed += 1
                sync_folder(folder)
        return removed

    def _append(
        self,
        kind: Kind,
        events: pa.Table,
        *,
        note: Mapping[str, Any],
        load: Load | None = None,
        salts: bytes | None = None,
        leaves: pa.ChunkedArray | None = None,
        replaces: tuple[tuple[int, int], ...] = (),
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
                    live=kind in ("live", "compaction"),
                    salts=salts or self._randomness(SALT_BYTES * events.num_rows),
                    write=write_whole,
                    replaces=replaces,
                    leaves=leaves,
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
        try:
            with disk_faults(self.path):
                write_content(path, content)
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
