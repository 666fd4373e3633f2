"""Reading the log: whole committed segments only, from any position."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectors.errors import LogError
from connectors.events import CORE, EVENT
from connectors.log import rows, verify
from connectors.log.as_of import known_at
from connectors.log.chain import Chain
from connectors.log.decisions import InForce, in_force
from connectors.log.erasing import Erasure, erasures
from connectors.log.files import LogFiles
from connectors.log.ids import KnownIds
from connectors.log.layout import core_path, to_iso
from connectors.log.manifest import Manifest, Segment
from connectors.log.plan import Piece, Slice, plan_pieces, plan_rows, plan_slices
from connectors.log.segment import POSITION
from connectors.log.segment_faults import Finding


class EventLog:
    """A log at a local path or any pyarrow.fs or fsspec URI, as of its first use or the last `refresh`.

    generation: read the log as it was when that generation was sealed; the latest by default. until: read it
    as it was when manifest `until` was its last. Opening costs nothing and the value pickles as its location.
    Every method raises LogError, naming the file, if the log is absent, its chain is broken, or a segment it
    needs is missing or damaged.
    """

    def __init__(
        self, location: str | Path, *, generation: int | None = None, until: int | None = None
    ) -> None:
        self._generation = generation
        self._until = until
        self._files = LogFiles(str(location))
        self._chain: Chain | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return (_reopen, (self._files.location, self._generation, self._until))

    @property
    def location(self) -> str:
        """Where the log is, as given."""
        return self._files.location

    def refresh(self) -> None:
        """See what was committed since; the rest of the class never changes its view by itself."""
        if self._until is not None:
            self._chain = self._as_it_was(self._until)
            return
        chain = self._chain or Chain()
        chain.read_on(self._files, last_generation=self._generation)
        if self._generation is not None and chain.generation != self._generation:
            raise LogError(
                f"{self.location}: there is no generation {self._generation}, "
                f"the latest is {chain.generation}"
            )
        self._chain = chain

    def as_of(self, instant: datetime) -> "EventLog":
        """The log as it was at an instant, aware: what was committed and decided by then.

        A bulk load counts from when it truly took place. Raises LogError for an instant before the first
        record, and where rows that were known then cannot be read any more.
        """
        manifests = self._read.manifests
        times = known_at(manifests)
        if not times:
            raise LogError(f"{self.location}: the log holds no record yet")
        until = sum(at <= instant for at in times)
        if not until:
            raise LogError(
                f"{self.location}: nothing was known at {to_iso(instant)}: the log's first record is of "
                f"{to_iso(times[0])}"
            )
        past = EventLog(self._files.location, until=until)
        for seq in self._read.skipped.keys() - past.skipped.keys():
            if any(segment.seq == seq for segment in past._read.segments):
                raise LogError(
                    f"{self.location}: segment {seq} was known at {to_iso(instant)} and was set aside since "
                    f"({self.skipped[seq]}): what was known then cannot be replayed without its file; "
                    "restore it from a copy of the log"
                )
        return past

    def read_next(self) -> Manifest | None:
        """See the next manifest alone, if it was committed since; asks for one file, and lists none."""
        return self._read_on().read_next(self._files)

    def read_to(self, seq: int) -> None:
        """See the log as it was when manifest `seq` was its last; LogError if it does not go so far."""
        chain = self._read_on()
        while chain.next_seq <= seq:
            if chain.read_next(self._files) is None:
                raise LogError(
                    f"{self.location}: manifest {chain.next_seq} is missing, of {seq} that were read before: "
                    "restore it from a copy of the log"
                )

    @property
    def head(self) -> Manifest | None:
        """The last manifest, None for an empty log."""
        return self._read.head

    @property
    def head_hash(self) -> str | None:
        """SHA-256 of the last manifest, which vouches for all before it; None for an empty log."""
        return self._read.head_hash

    def hash_of(self, seq: int) -> str | None:
        """SHA-256 of manifest `seq`, as the next one names it; None where the log does not go so far."""
        manifests = self._read.manifests
        if seq == len(manifests):
            return self.head_hash
        return manifests[seq].previous if 0 < seq < len(manifests) else None

    def seq_of(self, sha256: str) -> int | None:
        """Number of the manifest with this hash, None if it is not in the chain."""
        if sha256 == self.head_hash:
            return len(self._read.manifests)
        return next((one.seq - 1 for one in self._read.manifests if one.previous == sha256), None)

    @property
    def clock(self) -> datetime | None:
        """The log's clock: the highest admission or heartbeat committed."""
        return self._read.clock

    @property
    def has_live(self) -> bool:
        """Whether a live part has begun: a live segment is visible, or heartbeats move the clock."""
        return self._read.has_live

    @property
    def rows(self) -> int:
        """Events visible."""
        return sum(segment.rows for segment in self._read.segments)

    def manifests(self, from_seq: int = 1) -> Iterator[Manifest]:
        """Every manifest of every generation from a sequence number on, in order."""
        return iter(self._read.manifests[max(from_seq, 1) - 1 :])

    def decisions(self) -> Iterator[Manifest]:
        """The manifests that hold a decision, in order."""
        return (manifest for manifest in self._read.manifests if manifest.decision)

    def in_force(self, start: datetime) -> InForce:
        """The settings, verdicts and segments set aside in force for a bucket that begins at `start`, aware.

        Segments set aside are not visible at all, whenever that was decided: this tells since when.
        """
        return in_force(self.decisions(), start)

    @property
    def erasures(self) -> list[Erasure]:
        """The erasures that were decided, in order."""
        return erasures(self._read.manifests)

    def read_seal(self, erasure: Erasure, name: str) -> bytes:
        """A file that was sealed with an erasure; LogError if it is missing or not the one of its decision.

        KeyError for a name that it did not seal.
        """
        sha256 = erasure.seals[name]
        content = self._files.read(erasure.seal(name))
        if hashlib.sha256(content).hexdigest() != sha256:
            raise LogError(
                f"{self._files.name(erasure.seal(name))}: was altered or truncated: "
                "restore it from a copy of the log"
            )
        return content

    @property
    def skipped(self) -> dict[int, str]:
        """Segments set aside by decisions, by number, with the reason."""
        return dict(self._read.skipped)

    def closed_until(self) -> datetime | None:
        """Events with an effective time before this instant can no longer change; None without events.

        With a live part: the clock minus the largest grace. Without: all that is loaded counts as closed,
        so the instant just after the last event (or later if heartbeats came); this holds until a live
        part begins, which may then reach back by its grace.
        """
        return self._read.closed_until()

    def settled_until(self) -> datetime | None:
        """As `closed_until` once a live part has begun, and as if one had before: what it cannot reach."""
        return self._read.settled_until()

    def appended(self) -> Iterator[tuple[Segment, str]]:
        """The segments behind the events visible, as they were appended, wherever their rows are now.

        Each with the SHA-256 of its manifest, which vouches for its rows and for all of the log before it.
        """
        for segment in self._read.appended():
            sha256 = self.hash_of(segment.seq)
            assert sha256 is not None
            yield segment, sha256

    @property
    def past(self) -> tuple[object, ...]:
        """What closed days hold follows from this: history that was loaded, erasures, segments set aside."""
        loaded = sum(not segment.live for segment in self._read.appended())
        return loaded, len(self.erasures), tuple(self.skipped)

    def slices(self, *, max_rows: int, zone: str) -> list[Slice]:
        """Consecutive ranges of effective time that cover every event, cut at civil midnights of `zone`.

        Each holds about max_rows rows at most, unless one day holds more. Reads no segment.
        """
        return plan_slices(self._read.segments, max_rows=max_rows, zone=zone)

    def pieces(self, within: Slice) -> list[Piece]:
        """What to read for a slice: each of its rows is in exactly one piece. Reads no segment."""
        return plan_pieces(self._read.segments, within)

    def read_piece(self, piece: Piece, *, text: bool = True) -> pa.RecordBatch:
        """The rows of a piece whose effective time is in its slice: EVENT (or CORE) and position, int64.

        Needs no manifest, so a worker pays only for the piece; unless files of the piece are gone because a
        compaction replaced them since it was planned: then its rows are read where they are now.
        """
        try:
            return rows.read_piece(self._files, piece, text=text)
        except LogError:
            if not any(self._files.is_gone(part.generation, part.seq) for part in piece.parts):
                raise
            chain = Chain()
            chain.read_on(self._files)
            if all(chain.where(part.seq) is None for part in piece.parts):
                raise
            return rows.read_moved(self._files, chain, piece, text=text)

    def pieces_of(self, seq: int) -> list[Piece]:
        """What to read for the events that manifest `seq` added, wherever they are now.

        None if it added none, or if its segment was set aside. For readers that follow the manifests in
        order: they pass over compactions, which add nothing.
        """
        place = self._read.where(seq)
        manifest = self._read.manifests[seq - 1]
        if place is None or not manifest.rows or place[0].seq in self._read.skipped:
            return []
        return plan_rows(place[0], first=place[1], rows=manifest.rows, position=seq << 32)

    def take(self, positions: Sequence[int] | npt.NDArray[np.int64] | pa.Array) -> pa.Table:
        """Events at some positions, EVENT and position, in the order asked; LogError if one is unknown."""
        asked = np.asarray(positions, dtype=np.int64)
        schema = pa.schema([*EVENT, POSITION])
        if not len(asked):
            return schema.empty_table()
        seqs = asked >> 32
        skipped = self._read.skipped
        tables, places = [], []
        for seq in np.unique(seqs).tolist():
            place = self._read.where(seq)
            if place is None:
                raise LogError(
                    f"{self.location}: no segment has number {seq}: the position is not one of this log"
                )
            segment, offset = place
            if segment.seq in skipped:
                raise LogError(
                    f"{self.location}: segment {segment.seq} was set aside ({skipped[segment.seq]}): its "
                    "events cannot be read"
                )
            mine = np.flatnonzero(seqs == seq)
            within = asked[mine] & 0xFFFFFFFF
            rows.check_rows(self._files, self._read.manifests[seq - 1], within)
            tables.append(rows.take_rows(self._files, segment, within + offset, asked[mine]))
            places.append(mine)
        return pa.concat_tables(tables).take(pa.array(np.argsort(np.concatenate(places))))

    def known_ids(self) -> KnownIds:
        """The ids of all visible events, for de-duplication."""
        known = KnownIds()
        schema = pa.schema([CORE.field("event_id")])
        for segment in self._read.segments:
            path = core_path(segment.generation, segment.seq)
            known.add(self._files.read_groups(path, None, schema)["event_id"])
        return known

    def verify(self, *, rows: bool = True) -> Iterator[Finding]:
        """Check every file of every generation; yields each fault, in order, nothing if all is whole.

        rows: read every row again, rather than believe files that have the hashes of their manifest.
        """
        return verify.verify(self._files, rows=rows)

    def _as_it_was(self, until: int) -> Chain:
        """The chain up to a manifest; later merges only say where its rows are now."""
        chain = Chain()
        chain.read_on(self._files, last_seq=until)
        if chain.next_seq <= until:
            raise LogError(f"{self.location}: there is no manifest {until}, the last is {chain.next_seq - 1}")
        past = chain.copy()
        chain.read_on(self._files)
        for manifest in chain.manifests[until:]:
            if manifest.segment and manifest.segment.replaces:
                past.stand_in(manifest.segment)
        return past

    def _read_on(self) -> Chain:
        """The chain as it was seen last, empty at first."""
        if self._chain is None:
            self._chain = Chain()
        return self._chain

    @property
    def _read(self) -> Chain:
        if self._chain is None:
            self.refresh()
        assert self._chain is not None
        return self._chain


def _reopen(location: str, generation: int | None, until: int | None) -> EventLog:
    return EventLog(location, generation=generation, until=until)
