"""What a live job is made of: light settings, and the machines made from them in each worker."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from connectors.errors import LogError
from connectors.log import EventLog, Piece
from connectors.log.inbox import ask_skip
from pipelines import flow
from pipelines.code_version import code_version
from pipelines.flow import BATCH_ROWS, Rules
from pipelines.live.feed import Feed, Position
from pipelines.live.machine import Taker
from pipelines.live.messages import Batch, Listed, Parcel, Station, pack, pack_rows, shard_of
from pipelines.live.shards import Judge, Tallier
from pipelines.live.state import State
from pipelines.live.whole import Chronicler, Copies, OpenDays, Root, Sink
from pipelines.replay import SLICE_ROWS
from pipelines.stages.copies import COPIES, list_copies
from pipelines.stages.explain import Telling

SHARDS = 16
"""Shards of divisions: an upper bound of useful parallelism, and part of what state belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveJob:
    """A live job's settings; pickled to every worker.

    telling: holds the reader too. sink: takes what closes bring. version: hash of the settings. ends: stop at
    the end of the log as it is, instead of following it. slice_rows, batch_rows: as in a replay.
    """

    log: EventLog
    rules: Rules
    telling: Telling
    sink: Sink
    version: str
    ends: bool
    shards: int = SHARDS
    slice_rows: int = SLICE_ROWS
    batch_rows: int = BATCH_ROWS

    @property
    def state_version(self) -> str:
        """What state belongs to: the code, the settings and the shards. Under any other it is made anew."""
        return f"{code_version()}-{self.version}-{self.shards}"

    def feed(self, position: str | None) -> Feed:
        """The feed from a position (as JSON), from the beginning where there is none or it is not ours."""
        kept = Position(self.state_version, epoch=0) if position is None else Position.from_json(position)
        if kept.version != self.state_version or kept.epoch == 0:
            kept = kept.again(self.state_version)
        reader = self.telling.reader
        return Feed(
            self.log,
            kept,
            zone=reader.zone,
            place_of=reader.place_of,
            slice_rows=self.slice_rows,
            ends=self.ends,
            look_every_us=self.rules.detection.look_every_us,
        )

    def understand(self, parcel: Parcel) -> Iterator[Batch | Listed]:
        """Read and understand a parcel; gives a batch to every shard, for the numbers to have no gap, and
        lists its copies.

        Raises LogError for a segment that cannot be read, and asks the log's writer to look at it: one that
        is damaged is set aside, and the job then goes on without it.
        """
        by_shard: dict[int, dict[str, bytes]] = {}
        copies = [COPIES.empty_table()]
        if parcel.piece is not None:
            reader = self.telling.reader
            try:
                rows = list(flow.read_rows(parcel.piece, self.log, reader, batch_rows=self.batch_rows))
            except LogError:
                self._ask_to_skip(parcel.piece)
                raise
            copies += [list_copies(division, batch) for division, batch in rows]
            for division, content in pack_rows(rows).items():
                by_shard.setdefault(shard_of(division, self.shards), {})[division] = content
        yield Listed(parcel.epoch, parcel.number, pack(pa.concat_tables(copies)), parcel.close)
        for shard in range(self.shards):
            rows_of = by_shard.get(shard, {})
            yield Batch(parcel.epoch, shard, parcel.number, rows_of, parcel.close, parcel.followed)

    def _ask_to_skip(self, piece: Piece) -> None:
        if "://" not in self.log.location:
            for part in piece.parts:
                ask_skip(Path(self.log.location), part.seq)

    def machine(self, station: Station, shard: int, state: State) -> Taker:
        """The machine of a shard, with the state it left."""
        match station:
            case Station.COPIES:
                return Copies(state, self.rules, self.shards)
            case Station.TALLY:
                return Tallier(state, self.rules, shard, shows=not self.ends)
            case Station.ROOT:
                return Root(state, self.rules, self.shards)
            case Station.JUDGE:
                return Judge(state, self.rules, shard)
            case Station.CHRONICLE:
                return Chronicler(state, self.rules, self.log, self.telling, self.sink)
            case Station.OPEN_DAYS:
                return OpenDays(state, self.sink)
