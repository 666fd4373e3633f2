"""What the machines of a live stream send each other.

An epoch is one reading of the log from its beginning: a message of a later one makes its receiver begin
anew. Parcels are numbered from 1 within an epoch, and so are closes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import pyarrow as pa

from connectors.log import Piece
from pipelines.flow import Shard
from pipelines.stages.copies import division_id
from pipelines.stages.finds import Found
from pipelines.stages.looks import Turn
from pipelines.stages.teaching import NOTHING_TAUGHT, Teaching

WHOLE = 0
"""Shard of what sees all of the organisation: its copies, the root, and the chronicle."""

PackedRows = Mapping[str, bytes]
"""Rows (UNDERSTOOD) of divisions, by division, as `pack` gives them."""


PackedTables = tuple[bytes, ...]
"""Tables as `pack` gives them."""


class Station(StrEnum):
    """Where a message goes."""

    COPIES = "copies"
    TALLY = "tally"
    ROOT = "root"
    JUDGE = "judge"
    CHRONICLE = "chronicle"
    OPEN_DAYS = "open days"


@dataclass(frozen=True, slots=True)
class Close:
    """The end of buckets. number: from 1; bucket: the last one closed; closed_until: no event before it can
    change. log_head, head: hash and number of the last manifest read. teaching: of the log up to there.
    caught_up: whether signals are to be told: while the log is being caught up with they are not. turn: the
    looks that are due by then; None where none is taken.
    """

    number: int
    bucket: int
    closed_until: datetime
    log_head: str
    head: int
    caught_up: bool
    teaching: Teaching = NOTHING_TAUGHT
    turn: Turn | None = None

    @property
    def looks_only(self) -> bool:
        """Whether no bucket ends: the open ones are looked at."""
        return self.turn is not None and self.turn.before == self.bucket


@dataclass(frozen=True, slots=True)
class Parcel:
    """What to read next of the log, and which buckets end after it.

    followed: whether it came in since the log was caught up with.
    """

    epoch: int
    number: int
    piece: Piece | None = None
    close: Close | None = None
    followed: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """A parcel's rows of one shard. followed: as in `Parcel`."""

    epoch: int
    shard: int
    number: int
    rows: PackedRows
    close: Close | None
    followed: bool = False
    station: Station = Station.TALLY


@dataclass(frozen=True, slots=True)
class Listed:
    """COPIES of a parcel's rows of all shards."""

    epoch: int
    number: int
    copies: bytes
    close: Close | None
    shard: int = WHOLE
    station: Station = Station.COPIES


@dataclass(frozen=True, slots=True)
class MetElsewhere:
    """What other divisions met first of a shard's rows (`flow.MetFirst`). number: of the parcel."""

    epoch: int
    number: int
    shard: int
    met: PackedTables
    station: Station = Station.TALLY


@dataclass(frozen=True, slots=True)
class Tallied:
    """What a shard adds to the root (`flow.Tallied`). turn: of its judge; 0 where no division is known."""

    epoch: int
    close: Close
    origin: int
    turn: int
    tally: PackedTables
    shard: int = WHOLE
    station: Station = Station.ROOT


@dataclass(frozen=True, slots=True)
class ClosedRows:
    """A shard's rows of the buckets that ended, and of open ones where they are looked at, divisions without
    rows among them; and `flow.MetFirst` of these.

    turn: of the shard's judge, from 1: closes before its first division are none of its own.
    """

    epoch: int
    close: Close
    shard: int
    turn: int
    rows: PackedRows
    met: PackedTables
    station: Station = Station.JUDGE


@dataclass(frozen=True, slots=True)
class View:
    """What the root tells a shard (`flow.RootView`), as ROOT_VIEW, LOOK_VIEW and LOOK_ASKED. turn: as in
    `ClosedRows`."""

    epoch: int
    close: Close
    shard: int
    turn: int
    view: PackedTables
    station: Station = Station.JUDGE


@dataclass(frozen=True, slots=True)
class AtRoot:
    """What was found at the root. shards: those that will tell what they found."""

    epoch: int
    close: Close
    found: Found
    shards: tuple[int, ...]
    shard: int = WHOLE
    station: Station = Station.CHRONICLE


@dataclass(frozen=True, slots=True)
class InShard:
    """What was found in the divisions of a shard."""

    epoch: int
    close: Close
    origin: int
    parts: tuple[Shard, ...]
    shard: int = WHOLE
    station: Station = Station.CHRONICLE


@dataclass(frozen=True, slots=True)
class OpenCells:
    """Cells (CELLS) of the open buckets of some divisions, by division, in place of those sent before."""

    epoch: int
    cells: Mapping[str, bytes]
    shard: int = WHOLE
    station: Station = Station.OPEN_DAYS


Message = Batch | Listed | MetElsewhere | Tallied | ClosedRows | View | AtRoot | InShard | OpenCells


def shard_of(division: str, shards: int) -> int:
    """Shard of a division, 0 to shards - 1: the same in every process."""
    return division_id(division) % shards


def pack(table: pa.Table | pa.RecordBatch) -> bytes:
    """A table as Arrow's stream format, without what a slice does not show."""
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write(table)
    return bytes(out.getvalue())


def unpack(content: bytes) -> pa.Table:
    """The table that `pack` was given."""
    return pa.ipc.open_stream(content).read_all()


def pack_rows(batches: Iterable[tuple[str, pa.RecordBatch]]) -> dict[str, bytes]:
    """Rows by division, those of one division together."""
    together: dict[str, list[pa.RecordBatch]] = {}
    for name, batch in batches:
        together.setdefault(name, []).append(batch)
    return {name: pack(pa.Table.from_batches(parts)) for name, parts in together.items()}
