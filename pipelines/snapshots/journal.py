"""What was found, day by day: enough to tell the signals of any day without judging a text again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from detectors.schemas import CANDIDATE, SUPPORT
from pipelines.chronicle import Chronicle
from pipelines.flow import Shard
from pipelines.stages.finding import Finding
from pipelines.stages.finds import Found
from pipelines.stages.tally import ALL_TEXTS
from pipelines.stages.watch import Watch

_MOVED = pa.list_(
    pa.struct([("component", pa.string()), ("observed", pa.float64()), ("expected", pa.float64())])
)
FINDING = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("perimeter", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("direction", pa.int8(), nullable=False),
        pa.field("evidence", pa.float64(), nullable=False),
        pa.field("threshold", pa.float64(), nullable=False),
        pa.field("observed", pa.float64(), nullable=False),
        pa.field("expected", pa.float64(), nullable=False),
        pa.field("since", pa.int32(), nullable=False),
        pa.field("size", pa.float64(), nullable=False),
        pa.field("moved", _MOVED, nullable=False),
        pa.field("series", pa.int32(), nullable=False),
    ]
)
"""`Finding`, as Arrow."""
TEXTS = pa.schema(
    [pa.field("bucket", pa.int32(), nullable=False), pa.field("texts", pa.int64(), nullable=False)]
)
"""Events of each day."""
TABLES = {"candidates": CANDIDATE, "support": SUPPORT, "findings": FINDING, "texts": TEXTS}
"""Schemas of a journal's tables, by name."""

if [one.name for one in fields(Finding)] != FINDING.names:
    raise TypeError("FINDING must have the fields of Finding, in their order")


@dataclass(slots=True)
class Journal:
    """Tables by name, as in `TABLES`, in parts: those of what was found first come first."""

    parts: dict[str, list[pa.Table]] = field(
        default_factory=lambda: {name: [schema.empty_table()] for name, schema in TABLES.items()}
    )

    @classmethod
    def of(cls, tables: dict[str, pa.Table]) -> "Journal":
        """One that was kept."""
        return cls({name: [table] for name, table in tables.items()})

    def note(self, shard: Shard, findings: Iterable[Finding], root: str) -> None:
        """Note what some days gave, later than all before, and what the watch found in them."""
        self.parts["candidates"].append(shard.found.candidates)
        self.parts["support"].append(shard.found.support)
        self.parts["findings"].append(pa.Table.from_pylist(list(map(_row, findings)), FINDING))
        self.parts["texts"].append(_texts(shard.cells, root))

    def table(self, name: str) -> pa.Table:
        """All of a table."""
        return pa.concat_tables(self.parts[name])

    def until(self, bucket: int) -> "Journal":
        """What was found up to a day, itself included."""
        inside = {name: self.table(name) for name in TABLES}
        return Journal.of(
            {name: table.filter(pc.less_equal(table["bucket"], bucket)) for name, table in inside.items()}
        )

    @property
    def found(self) -> Found:
        """What detection found."""
        return Found(self.table("candidates"), self.table("support"))

    @property
    def findings(self) -> list[Finding]:
        """What the watch found, in order of bucket."""
        return [_finding(row) for row in self.table("findings").to_pylist()]

    @property
    def events(self) -> int:
        """Texts in all."""
        return int(pc.sum(self.table("texts")["texts"]).as_py() or 0)


class JournalKeeper(Chronicle):
    """A chronicle that notes what it takes in. journal: of what was taken in before, goes on."""

    def __init__(self, watched: Watch, journal: Journal) -> None:
        super().__init__(watched)
        self.journal = journal
        self._found: list[Finding] = []

    def take_in(self, shard: Shard, *rules: Any, **more: Any) -> None:
        """Take in what was found in some buckets, as every chronicle, and note it."""
        super().take_in(shard, *rules, **more)
        self.journal.note(shard, self._found, rules[0].root)

    def _watch(self, *what: Any, **more: Any) -> list[Finding]:
        self._found = super()._watch(*what, **more)
        return self._found


def differing(ours: Journal, theirs: Journal) -> Iterator[str]:
    """Names of the tables that are not the same, row by row."""
    for name in TABLES:
        if _rows(ours.table(name)) != _rows(theirs.table(name)):
            yield name


def _rows(table: pa.Table) -> Sequence[str]:
    return sorted(map(repr, table.to_pylist()))


def _row(finding: Finding) -> dict[str, Any]:
    moved = [dict(zip(("component", "observed", "expected"), one, strict=True)) for one in finding.moved]
    return {**asdict(finding), "moved": moved}


def _finding(row: dict[str, Any]) -> Finding:
    moved = tuple((one["component"], one["observed"], one["expected"]) for one in row["moved"])
    return Finding(**{**row, "moved": moved})


def _texts(cells: pa.Table, root: str) -> pa.Table:
    mine = cells.filter(
        pc.and_(
            pc.equal(cells["perimeter"], root), pc.equal(cells["theme"], pa.scalar(ALL_TEXTS, pa.uint64()))
        )
    )
    summed = mine.group_by("bucket", use_threads=False).aggregate([("texts", "sum")])
    return pa.table([summed["bucket"], summed["texts_sum"]], schema=TEXTS)
