"""Machines that see the whole organisation: its copies, the root, and the chronicle of what was found."""

import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from connectors.log import EventLog
from pipelines import flow
from pipelines.chronicle import Chronicle, carriers_in, theme_names
from pipelines.flow import Rules, Shard
from pipelines.live.machine import Machine, Taker, dump
from pipelines.live.messages import (
    AtRoot,
    Close,
    InShard,
    Listed,
    Message,
    MetElsewhere,
    OpenCells,
    Tallied,
    View,
    pack,
    unpack,
)
from pipelines.live.state import OpenRows, RememberedRows, State, get_large, put_large
from pipelines.sealing import Seals, seals_of
from pipelines.stages.carriers import Carriers
from pipelines.stages.copies import COPIES
from pipelines.stages.detect import RootState
from pipelines.stages.explain import Signals, Telling

_ALL = ""
"""Name of the copies of all divisions."""


class Copies(Machine):
    """Compares the copies of all divisions, and tells each shard which were met elsewhere first."""

    def __init__(self, state: State, rules: Rules, shards: int) -> None:
        super().__init__(state)
        self._rules = rules
        self._shards = shards

    def _number(self, message: Listed) -> int:
        return message.number

    def _complete(self, parts: Sequence[Listed]) -> bool:
        return len(parts) == 1

    def _load(self) -> None:
        self._met = RememberedRows(self._state)
        self._open = OpenRows(self._state, COPIES)

    def _handle(self, parts: Sequence[Listed]) -> Iterator[Message]:
        (listed,) = parts
        self._open.add(_ALL, listed.number, listed.copies)
        if listed.close is None:
            return
        copies, met = self._open.of_close(_ALL, listed.close), self._met.get(_ALL)
        first, met = flow.compare([copies], met, self._rules.detection, listed.close.turn)
        self._met.put(_ALL, met)
        # As `messages.shard_of`.
        shards_of = [(table, table["division"].to_numpy() % self._shards) for table in first]
        for shard in range(self._shards):
            mine = tuple(pack(table.filter(pa.array(of == shard))) for table, of in shards_of)
            yield MetElsewhere(self._epoch, listed.number, shard, mine)


class Root(Machine):
    """Sums what all shards tallied, judges it, and tells each shard what it needs to know."""

    def __init__(self, state: State, rules: Rules, shards: int) -> None:
        super().__init__(state)
        self._rules = rules
        self._shards = shards

    def _complete(self, parts: Sequence[Tallied]) -> bool:
        return len(parts) == self._shards

    def _load(self) -> None:
        content = get_large(self._state, "root")
        self._learned: RootState | None = None if content is None else pickle.loads(content)

    def _handle(self, parts: Sequence[Tallied]) -> Iterator[Message]:
        close = parts[0].close
        rules = self._rules.taught(close.teaching)
        tallies = [flow.Tallied(*map(unpack, part.tally)) for part in parts]
        judged = flow.judge_root(tallies, self._learned, rules, close.turn)
        if not close.looks_only or self._learned is None:
            self._learned = judged.state
            put_large(self._state, "root", dump(judged.state))
        asked = {part.origin: part.turn for part in parts if part.turn}
        looked = judged.view.looks
        view = tuple(map(pack, (judged.view.closing, looked.view, looked.asked)))
        for shard, turn in asked.items():
            yield View(self._epoch, close, shard, turn, view)
        yield AtRoot(self._epoch, close, judged.found, tuple(sorted(asked)))


@dataclass(frozen=True, slots=True)
class Update:
    """What a close brings. number: of the close. first: first bucket whose cells these are, None: all up to
    `close.bucket`. cells: CELLS. signals: all of them so far; None while the log is being caught up with.
    untold: first bucket that closed since signals were last told, None: all up to `close.bucket`.
    """

    epoch: int
    close: Close
    first: int | None
    cells: pa.Table
    signals: Signals | None
    untold: int | None = None


class Sink(Protocol):
    """Takes updates, in order; the same one again after a failure changes nothing."""

    def write(self, update: Update) -> None: ...

    def show(self, cells: Mapping[str, pa.Table]) -> None:
        """Show cells (CELLS) of open buckets, by division, in place of those shown before."""
        ...


class Chronicler(Machine):
    """Corroborates what all shards found, tells the signals, and hands them to the sink."""

    def __init__(self, state: State, rules: Rules, log: EventLog, telling: Telling, sink: Sink) -> None:
        super().__init__(state)
        self._rules = rules
        self._log = log
        self._telling = telling
        self._sink = sink
        self._themes = theme_names(telling)
        self._sealed: tuple[int, Seals] | None = None
        self._carried: tuple[object, Carriers] | None = None

    def _complete(self, parts: Sequence[AtRoot | InShard]) -> bool:
        at_root = next((part for part in parts if isinstance(part, AtRoot)), None)
        return at_root is not None and len(parts) == 1 + len(at_root.shards)

    def _load(self) -> None:
        content = get_large(self._state, "chronicle")
        self._chronicle = Chronicle.new(self._rules) if content is None else pickle.loads(content)
        first = self._state.get("first")
        self._first: int | None = None if first is None else int(first)

    def _handle(self, parts: Sequence[AtRoot | InShard]) -> Iterator[Message]:
        close = parts[0].close
        (at_root,) = (part for part in parts if isinstance(part, AtRoot))
        told = sorted((part for part in parts if isinstance(part, InShard)), key=lambda part: part.origin)
        shards = [shard for part in told for shard in part.parts]
        seals = self._seals()
        shard = flow.gather(shards, at_root.found, self._rules.root)
        rules = self._rules.taught(close.teaching)
        if close.looks_only:
            self._look(shard, rules, close)
            return iter(())
        shard = seals.restore(shard, self._first, close.bucket)
        self._chronicle.take_in(shard, rules, self._themes, last=close.bucket, sealed=seals.births)
        put_large(self._state, "chronicle", dump(self._chronicle))
        signals = self._told(close) if close.caught_up else None
        untold = self._state.get("untold")
        self._sink.write(
            Update(
                self._epoch,
                close,
                self._first,
                shard.cells,
                signals,
                None if untold is None else int(untold),
            )
        )
        if signals is not None:
            self._state["untold"] = str(close.bucket + 1).encode()
        self._first = close.bucket + 1
        self._state["first"] = str(self._first).encode()
        return iter(())

    def _carriers(self) -> Carriers:
        """What is known of the carriers of closed days, anew where those days are others than they were."""
        past = self._log.past
        if self._carried is None or self._carried[0] != past:
            self._carried = past, carriers_in(self._log, self._telling)
        return self._carried[1]

    def _look(self, shard: Shard, rules: Rules, close: Close) -> None:
        """Take in looks between closes, and tell at once what they raised."""
        if not shard.found.early.candidates.num_rows:
            return
        self._chronicle.look(shard, rules)
        put_large(self._state, "chronicle", dump(self._chronicle))
        if close.caught_up:
            self._sink.write(Update(self._epoch, close, self._first, shard.cells, self._told(close)))

    def _told(self, close: Close) -> Signals:
        """The signals so far."""
        self._log.refresh()
        found = self._chronicle.tell(
            self._log, self._carriers(), last_bucket=close.bucket, teaching=close.teaching
        )
        return self._seals().put_back(found, close.bucket)

    def _seals(self) -> Seals:
        """What erasures sealed, read again only where there are others."""
        erasures = len(self._log.erasures)
        if self._sealed is None or self._sealed[0] != erasures:
            self._sealed = erasures, seals_of(self._log)
        return self._sealed[1]


class OpenDays(Taker):
    """Hands what shards show of their open buckets to the sink, what came meanwhile together.

    Of each division the last cells alone wait, in the state.
    """

    def __init__(self, state: State, sink: Sink) -> None:
        self._state = state
        self._sink = sink
        names = json.loads(state.get("waiting", b"[]"))
        self._waiting = {name: get_large(state, f"cells\n{name}") for name in names}

    def take(self, message: OpenCells) -> Iterator[Message]:
        """Keep cells until they are shown."""
        for division, cells in message.cells.items():
            put_large(self._state, f"cells\n{division}", cells)
            self._waiting[division] = cells
        self._state["waiting"] = json.dumps(sorted(self._waiting)).encode()
        return iter(())

    @property
    def has_to_show(self) -> bool:
        """Whether cells wait."""
        return bool(self._waiting)

    def show(self) -> Iterator[Message]:
        """Hand on those that wait."""
        if self._waiting:
            self._sink.show({name: unpack(cells) for name, cells in sorted(self._waiting.items()) if cells})
            self._waiting = {}
            self._state.clear()
        return iter(())
