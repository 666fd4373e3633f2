"""A division's rows laid out for counting, and its tally."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.schemas import FEATURE_TALLY
from pipelines.stages.mentions import Fresh, Rows, count, fresh

EVERYTHING = np.uint64(0)
"""Feature 0 of a tally counts all who wrote."""


class Division:
    """One division's rows of a slice, the remembered ones first, laid out for counting."""

    def __init__(self, name: str, rows: pa.Table, remembered: pa.Table, *, window: int) -> None:
        self.name = name
        self.table = _canonical(pa.concat_tables([remembered, rows]))
        paths, self.nodes = _paths(self.table["perimeter"], name)
        features = self.table["features"].combine_chunks()
        if isinstance(features, pa.ChunkedArray):
            features = (
                pa.concat_arrays(features.chunks) if features.num_chunks else pa.array([], features.type)
            )
        self.rows = Rows(
            bucket=self.table["bucket"].to_numpy(),
            person=self.table["person"].to_numpy(),
            copy=self.table["copy"].to_numpy(),
            writes=self.table["has_text"].to_numpy(),
            paths=paths,
            features=features.flatten().to_numpy(),
            offsets=list_offsets(features),
        )
        self.marks: Fresh = fresh(self.rows, window=window)
        self.first_new = remembered.num_rows
        self.buckets = np.unique(self.rows.bucket[self.first_new :])

    @property
    def new_rows(self) -> pa.Table:
        """The slice's own rows, without those remembered."""
        return self.table.slice(self.first_new)

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Rows of buckets first..last, both included."""
        # Of the column's own type: another would copy the whole column at each call.
        start = np.searchsorted(self.rows.bucket, np.int32(first), side="left")
        return int(start), int(np.searchsorted(self.rows.bucket, np.int32(last), side="right"))

    def tally(self) -> pa.Table:
        """FEATURE_TALLY of the division's new buckets."""
        parts = []
        for bucket in self.buckets.tolist():
            start, end = self.span(bucket, bucket)
            features, authors, exposure = count(self.rows, self.marks, start, end, node=0, depth=0)
            if exposure:
                features = np.concatenate([[EVERYTHING], features])
                authors = np.concatenate([[exposure], authors])
                parts.append(_tally_table(bucket, features, authors))
        return pa.concat_tables(parts).combine_chunks() if parts else FEATURE_TALLY.empty_table()

    def to_remember(self, closed: int, window: int) -> pa.Table:
        """Rows to remember after bucket `closed`: a window to look into, and one before it to judge it by."""
        start, _ = self.span(closed - 2 * window + 1, closed)
        return self.table.slice(start)


class _Nodes:
    """Perimeters of a division by number, parents first; `nodes[number]` is (path, parent's number)."""

    def __init__(self, division: str) -> None:
        self._paths = [division]
        self._parents = [-1]
        self._numbers = {division: 0}

    def __getitem__(self, number: int) -> tuple[str, int]:
        return self._paths[number], self._parents[number]

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
    encoded = perimeters.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    known = encoded.dictionary.to_pylist()
    chains = {path: nodes.chain(nodes.add(path)) for path in sorted(known)}
    depths = max((len(chain) for chain in chains.values()), default=1)
    table = np.full((max(1, len(known)), depths), -1, np.int32)
    for row, path in enumerate(known):
        table[row, : len(chains[path])] = chains[path]
    return table[encoded.indices.to_numpy()], nodes


def _canonical(rows: pa.Table) -> pa.Table:
    return rows.combine_chunks().sort_by([("bucket", "ascending"), ("event_id", "ascending")])


def list_offsets(lists: pa.LargeListArray) -> NDArray[np.int64]:
    offsets = lists.offsets.to_numpy()
    shifted: NDArray[np.int64] = offsets - offsets[0]
    return shifted


def _tally_table(bucket: int, features: NDArray[np.uint64], authors: NDArray[np.int64]) -> pa.Table:
    return pa.table([np.full(features.size, bucket, np.int32), features, authors], schema=FEATURE_TALLY)
