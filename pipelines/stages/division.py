"""A division's rows laid out for counting, and its tally."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.schemas import FEATURE_TALLY
from pipelines.columns import one_array
from pipelines.stages.copies import division_id
from pipelines.stages.mentions import Elsewhere, Fresh, Rows, count, fresh, previous, returning, supporters
from pipelines.stages.understand import UNDERSTOOD

LAID_OUT = pa.schema(
    [
        *UNDERSTOOD,
        pa.field("row_depth", pa.int8(), nullable=False),
        pa.field("mention_depths", pa.large_list(pa.int8()), nullable=False),
    ]
)
"""row_depth: `Fresh.rows`. mention_depths: `Fresh.mentions`, one for each feature."""
_EVERYTHING = np.zeros(1, np.uint64)
"""Feature 0 of a tally counts all who wrote."""


class Division:
    """One division's rows of a slice, the remembered ones first, laid out for counting."""

    def __init__(
        self,
        name: str,
        rows: pa.Table,
        remembered: pa.Table,
        *,
        window: int,
        elsewhere: pa.Table | None = None,
        as_they_came: bool = False,
    ) -> None:
        """rows: UNDERSTOOD, of later buckets than those remembered; or LAID_OUT, as `laid_out` gave them
        behind the same ones: what is new in them is known then. remembered: as `to_remember` gave it.
        as_they_came: count repetitions in the order given, instead of that of buckets and event ids.

        elsewhere: ELSEWHERE of the rows, if other divisions were looked at; other divisions' own are left.
        """
        self.name = name
        self.window = window
        self.rows: Rows
        self.marks: Fresh
        self.table: pa.Table
        self.nodes: _Nodes
        self.buckets: NDArray[np.int32]
        self.first_new = remembered.num_rows
        if not self.first_new:
            remembered = LAID_OUT.empty_table()
        if rows.schema.equals(LAID_OUT):
            self._lay_out_again(rows, remembered)
            return
        new = rows if as_they_came else _canonical(rows)
        together = pa.concat_tables([remembered.select(UNDERSTOOD.names), new])
        bucket, before = together["bucket"].to_numpy(), previous(together["person"].to_numpy())
        paths, self.nodes = _paths(together["perimeter"], name)
        # What remembered rows say is left where it is, but for authors who write again: it is most of all.
        asked = returning(before, bucket, self.first_new, window)
        said, lately = _rows_of(remembered["features"], asked), one_array(new["features"])
        sizes = np.zeros(together.num_rows, np.int64)
        sizes[asked], sizes[self.first_new :] = np.diff(list_offsets(said)), np.diff(list_offsets(lately))
        self.rows = Rows(
            bucket=bucket,
            before=before,
            copy=together["copy"].to_numpy(),
            writes=together["has_text"].to_numpy(),
            paths=paths,
            features=np.concatenate([said.flatten().to_numpy(), lately.flatten().to_numpy()]),
            offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]),
        )
        shared = _shared(together["event_id"], name, elsewhere)
        known = remembered["row_depth"].to_numpy()
        self.marks = fresh(self.rows, window=window, known=known, elsewhere=shared)
        begin = self.rows.offsets[self.first_new]
        depths = pa.LargeListArray.from_arrays(
            pa.array(self.rows.offsets[self.first_new :] - begin), pa.array(self.marks.mentions[begin:])
        )
        columns = [*new.columns, pa.array(self.marks.rows[self.first_new :]), depths]
        self.table = pa.concat_tables([remembered, pa.table(columns, schema=LAID_OUT)])
        self.buckets = np.unique(bucket[self.first_new :])

    def _lay_out_again(self, new: pa.Table, remembered: pa.Table) -> None:
        """Take over what is new in rows (LAID_OUT). Of remembered ones nothing is looked for again."""
        self.table = pa.concat_tables([remembered, new])
        said = one_array(new["features"])
        bucket = self.table["bucket"].to_numpy()
        paths, self.nodes = _paths(self.table["perimeter"], self.name)
        self.rows = Rows(
            bucket=bucket,
            before=np.empty(0, np.int64),
            copy=np.empty(0, np.uint64),
            writes=self.table["has_text"].to_numpy(),
            paths=paths,
            features=said.flatten().to_numpy(),
            offsets=np.concatenate([np.zeros(self.first_new, np.int64), list_offsets(said)]),
        )
        mentions = one_array(new["mention_depths"]).flatten().to_numpy()
        self.marks = Fresh(mentions, self.table["row_depth"].to_numpy())
        self.buckets = np.unique(bucket[self.first_new :])

    @property
    def laid_out(self) -> pa.Table:
        """The slice's own rows (LAID_OUT), to be laid out again without being compared."""
        return self.table.slice(self.first_new)

    @property
    def new_rows(self) -> pa.Table:
        """The slice's own rows (UNDERSTOOD), without those remembered."""
        return self.laid_out.select(UNDERSTOOD.names)

    @property
    def depths(self) -> int:
        """Levels of the tree, the division's own included."""
        return int(self.rows.paths.shape[1])

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Rows of buckets first..last, both included."""
        # Of the column's own type: another would copy the whole column at each call.
        start = np.searchsorted(self.rows.bucket, np.int32(first), side="left")
        return int(start), int(np.searchsorted(self.rows.bucket, np.int32(last), side="right"))

    def texts(self, first: int, last: int, node: int, depth: int) -> int:
        """Texts under a node in buckets first..last, as far back as they are remembered."""
        part = slice(*self.span(first, last))
        return int(np.count_nonzero(self.rows.writes[part] & (self.rows.paths[part, depth] == node)))

    def tally(self) -> pa.Table:
        """FEATURE_TALLY of the division's new buckets."""
        features, authors = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        buckets, sizes = [], []
        for bucket in self.buckets.tolist():
            top = count(self.rows, self.marks, *self.span(bucket, bucket), depths=1)
            if top.nodes.size:
                order = np.argsort(top.features)
                features += [_EVERYTHING, top.features[order]]
                authors += [top.exposures, top.authors[order]]
                buckets.append(bucket)
                sizes.append(1 + order.size)
        bucket_of = np.repeat(np.array(buckets, np.int32), sizes)
        columns = [bucket_of, np.concatenate(features), np.concatenate(authors)]
        return pa.table(columns, schema=FEATURE_TALLY)

    def supporters(self, start: int, end: int, *, node: int, depth: int, feature: int) -> NDArray[np.int64]:
        """Rows start..end under the node that mention the feature and count there."""
        found, begin = [np.empty(0, np.int64)], start
        for part in self.table.slice(start, end - start).to_batches():
            mine = supporters(
                self.rows.paths[begin : begin + part.num_rows],
                part["features"].flatten().to_numpy(),
                list_offsets(part["features"]),
                part["mention_depths"].flatten().to_numpy(),
                node=node,
                depth=depth,
                feature=feature,
            )
            found.append(mine + begin)
            begin += part.num_rows
        return np.concatenate(found)

    def features_of(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """What some rows, in order, mention: for each mention which of them it is of, and the feature."""
        said = _rows_of(self.table["features"], rows)
        return np.repeat(np.arange(rows.size), np.diff(list_offsets(said))), said.flatten().to_numpy()

    def to_remember(self, closed: int, window: int) -> pa.Table:
        """Rows (LAID_OUT) to remember after bucket `closed`: those within the window of a later one."""
        start, _ = self.span(closed - window + 1, closed)
        return self.table.slice(start)


class _Nodes:
    """Perimeters of a division by number, parents first; `nodes[number]` is (path, parent's number)."""

    def __init__(self, division: str) -> None:
        self._paths = [division]
        self._parents = [-1]
        self._numbers = {division: 0}

    def __getitem__(self, number: int) -> tuple[str, int]:
        return self._paths[number], self._parents[number]

    def __len__(self) -> int:
        return len(self._paths)

    def add(self, path: str) -> int:
        if path not in self._numbers:
            parent = self.add(path.rpartition("/")[0])
            self._numbers[path] = len(self._paths)
            self._paths.append(path)
            self._parents.append(parent)
        return self._numbers[path]

    def chain(self, number: int) -> list[int]:
        chain = [number]
        while self._parents[chain[0]] >= 0:
            chain.insert(0, self._parents[chain[0]])
        return chain


def _paths(perimeters: pa.ChunkedArray, division: str) -> tuple[NDArray[np.int32], _Nodes]:
    """Node of each row at each depth, -1 below its own perimeter; numbers follow the paths' order."""
    nodes = _Nodes(division)
    encoded = one_array(perimeters).dictionary_encode()
    known = encoded.dictionary.to_pylist()
    chains = {path: nodes.chain(nodes.add(path)) for path in sorted(known)}
    depths = max((len(chain) for chain in chains.values()), default=1)
    table = np.full((max(1, len(known)), depths), -1, np.int32)
    for row, path in enumerate(known):
        table[row, : len(chains[path])] = chains[path]
    return table[encoded.indices.to_numpy()], nodes


def _shared(event_ids: pa.ChunkedArray, division: str, elsewhere: pa.Table | None) -> Elsewhere | None:
    """The division's rows among ELSEWHERE; None where there is none."""
    if elsewhere is None or not elsewhere.num_rows:
        return None
    mine = elsewhere.filter(pc.equal(elsewhere["division"], pa.scalar(division_id(division), pa.uint64())))
    if not mine.num_rows:
        return None
    places = pc.index_in(event_ids, value_set=mine["event_id"].combine_chunks())
    ever = np.flatnonzero(places.is_valid().to_numpy())
    today = mine["today"].to_numpy()[places.drop_null().to_numpy()]
    return Elsewhere(ever, ever[today])


def _rows_of(column: pa.ChunkedArray, rows: NDArray[np.int64]) -> pa.Array:
    """Some rows, in order; Arrow would copy all of a column in several pieces first."""
    taken, begin = [], 0
    for chunk in column.chunks:
        inside = rows[np.searchsorted(rows, begin) : np.searchsorted(rows, begin + len(chunk))] - begin
        taken.append(chunk.take(pa.array(inside)))
        begin += len(chunk)
    return pa.concat_arrays(taken) if taken else pa.array([], column.type)


def _canonical(rows: pa.Table) -> pa.Table:
    return rows.combine_chunks().sort_by([("bucket", "ascending"), ("event_id", "ascending")])


def list_offsets(lists: pa.LargeListArray) -> NDArray[np.int64]:
    offsets = lists.offsets.to_numpy()
    shifted: NDArray[np.int64] = offsets - offsets[0]
    return shifted
