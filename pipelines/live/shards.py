"""Machines of the shards: divisions that tally what came in, and judge it with what the root tells."""

import json
import pickle
from collections.abc import Iterator, Sequence

import pyarrow as pa

from detectors.emergence_tree import EmergenceTree
from detectors.schemas import FEATURE_TALLY
from pipelines import flow
from pipelines.flow import Rules
from pipelines.live.machine import Machine, dump
from pipelines.live.messages import (
    Batch,
    Close,
    ClosedRows,
    InShard,
    Message,
    MetElsewhere,
    OpenCells,
    PackedTables,
    Tallied,
    View,
    pack,
    unpack,
)
from pipelines.live.state import OpenRows, RememberedRows, State, get_large, put_large
from pipelines.stages.detect import merge_tallies
from pipelines.stages.looks import RootLooked, add_looks
from pipelines.stages.tally import open_cells
from pipelines.stages.understand import UNDERSTOOD


class Tallier(Machine):
    """Gathers the open buckets of a shard's divisions, and tallies them when they close.

    A parcel that closes buckets waits for what the copies of all divisions say of them.
    """

    def __init__(self, state: State, rules: Rules, shard: int, *, shows: bool) -> None:
        """shows: whether open buckets are shown once the log is caught up with."""
        super().__init__(state)
        self._rules = rules
        self._shard = shard
        self._shows = shows
        self._to_show: set[str] = set()

    @property
    def has_to_show(self) -> bool:
        """Whether open rows came in since they were shown."""
        self._loaded()
        return bool(self._to_show)

    def show(self) -> Iterator[Message]:
        """Cells of the open buckets of all divisions in which something came in."""
        self._loaded()
        shown, self._to_show = sorted(self._to_show), set()
        if shown:
            cells = {name: pack(open_cells(self._open.rows(name))) for name in shown}
            yield OpenCells(self._epoch, cells)

    def _number(self, message: Batch | MetElsewhere) -> int:
        return message.number

    def _complete(self, parts: Sequence[Batch | MetElsewhere]) -> bool:
        return len(parts) == 2 or any(isinstance(part, Batch) and part.close is None for part in parts)

    def _load(self) -> None:
        self._remembered = RememberedRows(self._state)
        self._divisions: set[str] = set(json.loads(self._state.get("divisions", b"[]")))
        self._turn = int(self._state.get("turn", b"0"))
        self._open = OpenRows(self._state, UNDERSTOOD)
        # What was shown before a failure, nobody knows.
        self._to_show = self._open.names if "followed" in self._state and self._shows else set()

    def _handle(self, parts: Sequence[Batch | MetElsewhere]) -> Iterator[Message]:
        (batch,) = (part for part in parts if isinstance(part, Batch))
        for division, packed in batch.rows.items():
            self._open.add(division, batch.number, packed)
        if batch.close is not None:
            (met,) = (part.met for part in parts if isinstance(part, MetElsewhere))
            yield from self._close(batch.close, met)
        if not self._shows:
            return
        if batch.close is not None and batch.close.caught_up and not batch.close.looks_only:
            self._state["followed"] = b""
            self._to_show = self._open.names
        elif batch.followed:
            self._state["followed"] = b""
            self._to_show |= batch.rows.keys()
        self._to_show &= self._open.names

    def _close(self, close: Close, met: PackedTables) -> Iterator[Message]:
        turns: dict[str, pa.Table] = {}
        for division in sorted(self._divisions | self._open.names):
            rows = self._open.of_close(division, close)
            if rows.num_rows or division in self._divisions:
                turns[division] = rows
        if turns.keys() - self._divisions:
            self._divisions |= turns.keys()
            self._state["divisions"] = json.dumps(sorted(self._divisions)).encode()
        first = flow.MetFirst(*map(unpack, met))
        tallies = [self._tally(division, rows, first, close) for division, rows in turns.items()]
        closing = merge_tallies(FEATURE_TALLY.empty_table(), *(one.closing for one in tallies))
        looks = add_looks([one.looks for one in tallies])
        if turns:
            self._turn += 1
            self._state["turn"] = str(self._turn).encode()
        yield Tallied(self._epoch, close, self._shard, self._turn, (pack(closing), pack(looks)))
        if turns:
            packed = {division: pack(rows) for division, rows in turns.items()}
            yield ClosedRows(self._epoch, close, self._shard, self._turn, packed, met)

    def _tally(self, division: str, rows: pa.Table, met: flow.MetFirst, close: Close) -> flow.Tallied:
        detection = self._rules.detection
        remembered = self._remembered.get(division)
        laid_out = flow.lay_out(division, rows.to_batches(), met, remembered, detection, close.turn)
        tallied = laid_out.tally()
        if not close.looks_only:
            self._remembered.put(division, laid_out.division.to_remember(close.bucket, detection.window))
        return tallied


class Judge(Machine):
    """Judges the closed buckets of a shard's divisions with what the root tells of them."""

    def __init__(self, state: State, rules: Rules, shard: int) -> None:
        super().__init__(state)
        self._rules = rules
        self._shard = shard

    def _number(self, message: ClosedRows | View) -> int:
        return message.turn

    def _complete(self, parts: Sequence[ClosedRows | View]) -> bool:
        return len(parts) == 2

    def _load(self) -> None:
        self._remembered = RememberedRows(self._state)
        self._trees: dict[str, EmergenceTree] = {}
        for division in json.loads(self._state.get("divisions", b"[]")):
            content = get_large(self._state, f"tree\n{division}")
            if content is not None:
                self._trees[division] = pickle.loads(content)

    def _handle(self, parts: Sequence[ClosedRows | View]) -> Iterator[Message]:
        rows, view = sorted(parts, key=lambda part: isinstance(part, View))
        assert isinstance(rows, ClosedRows)
        assert isinstance(view, View)
        close, met = rows.close, flow.MetFirst(*map(unpack, rows.met))
        told, *looked = (unpack(table).combine_chunks() for table in view.view)
        root_view = flow.RootView(told, RootLooked(*looked))
        rules, found = self._rules.taught(close.teaching), []
        for division, packed in sorted(rows.rows.items()):
            laid_out = flow.lay_out(
                division,
                unpack(packed).to_batches(),
                met,
                self._remembered.get(division),
                self._rules.detection,
                close.turn,
            )
            judged = flow.judge_division(laid_out, root_view, self._trees.get(division), rules, close.turn)
            found.append(judged.shard)
            if division not in self._trees:
                self._trees[division] = judged.tree
                self._state["divisions"] = json.dumps(sorted(self._trees)).encode()
            elif close.looks_only:
                continue
            put_large(self._state, f"tree\n{division}", dump(judged.tree))
            if judged.remembered is not None:
                self._remembered.put(division, judged.remembered)
        yield InShard(self._epoch, close, self._shard, tuple(found))
