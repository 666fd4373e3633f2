"""What is wrong with the two files of a segment, and where in them."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from connectors.errors import LogError
from connectors.events import CORE, TEXT
from connectors.log import merkle
from connectors.log.arrow_bytes import string_lengths
from connectors.log.content import rows_sha256
from connectors.log.files import LogFiles
from connectors.log.layout import core_path, text_path, to_us
from connectors.log.manifest import Segment
from connectors.log.segment import POSITION, Index, index, positions_of

_BLOCK = 1 << 20
_ENCODING = "though its rows are as they were written"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: the file as the user names it, and what is wrong with it.

    seq: number of the manifest or segment. rows: first and last row, from 0, that the fault lies in; None
    where it cannot be told, or where it is no matter of rows.
    """

    file: str
    problem: str
    seq: int | None = None
    rows: tuple[int, int] | None = None

    def __str__(self) -> str:
        if self.rows is None:
            return f"{self.file}: {self.problem}"
        first, last = self.rows
        where = f"row {first}" if first == last else f"rows {first} to {last}"
        return f"{self.file}: {where}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Erased:
    """What erasures did to a segment's texts. rows: erased, in its file. text_sha256: of the file that the
    last one left. done: whether all are carried out."""

    rows: tuple[int, ...] = ()
    text_sha256: str | None = None
    done: bool = True


def damage_of(files: LogFiles, segment: Segment, erased: Erased | None = None) -> Finding | None:
    """What is wrong with the files of a segment, None if nothing is that its rows suffer from.

    LogError if one is missing or cannot be opened: that says nothing of what is in it.
    """
    for path in _paths(segment):
        sha256_of(files, path)
    # Texts that read as they were written are whole, however they are encoded.
    erased = replace(erased or Erased(), text_sha256=None)
    return next(faults_of(files, replace(segment, text_sha256=None), [], erased), None)


def has_whole_core(files: LogFiles, segment: Segment) -> bool:
    """Whether the core file is the one of the manifest; LogError if it is missing or cannot be opened."""
    return sha256_of(files, core_path(segment.generation, segment.seq)) == segment.core_sha256


def is_as_written(files: LogFiles, segment: Segment, text_sha256: str | None) -> bool:
    """Whether both files have their hashes; False too where there is none of one, or one cannot be read.

    text_sha256: of the text file as the last erasure left it, or as the manifest has it.
    """
    if text_sha256 is None:
        return False
    try:
        found = [sha256_of(files, path) for path in _paths(segment)]
    except LogError:
        return False
    return found == [segment.core_sha256, text_sha256]


def sha256_of(files: LogFiles, path: str) -> str:
    """Of a file's bytes, in hexadecimal; LogError if it cannot be read."""
    found = hashlib.sha256()
    try:
        with files.open(path) as file:
            while block := file.read_buffer(_BLOCK):
                found.update(block)
    except OSError as error:
        raise LogError(
            f"{files.name(path)}: cannot be read ({error}): restore it from a copy of the log"
        ) from error
    return found.hexdigest()


def faults_of(
    files: LogFiles,
    segment: Segment,
    replaced: Sequence[Segment | None],
    erased: Erased = Erased(),
) -> Iterator[Finding]:
    """Every row is read and held against the manifest; at most one finding a file.

    replaced: the segments whose rows it holds, as their own manifests describe them; None if unknown.
    """
    core_file, text_file = _paths(segment)
    core: pa.Table | None = None
    try:
        if sha256_of(files, core_file) != segment.core_sha256:
            yield _altered_core(files, segment, replaced)
        else:
            core = files.read_groups(core_file, None, _schema(segment))
            if fault := _core_fault(core, segment):
                yield _finding(files, core_file, segment, fault)
    except LogError as error:
        yield _unreadable(files, core_file, segment, _schema(segment), error)
    try:
        if found := _text_fault(files, segment, core, replaced, erased):
            yield found
    except LogError as error:
        yield _unreadable(files, text_file, segment, TEXT, error)


def _paths(segment: Segment) -> tuple[str, str]:
    return core_path(segment.generation, segment.seq), text_path(segment.generation, segment.seq)


def _schema(segment: Segment) -> pa.Schema:
    return pa.schema([*CORE, POSITION]) if segment.replaces else CORE


def _finding(
    files: LogFiles, path: str, segment: Segment, problem: str, rows: tuple[int, int] | None = None
) -> Finding:
    return Finding(files.name(path), problem, segment.seq, rows)


def _unreadable(files: LogFiles, path: str, segment: Segment, schema: pa.Schema, error: LogError) -> Finding:
    """A file that cannot be read whole."""
    problem = str(error).removeprefix(f"{files.name(path)}: ")
    return _finding(files, path, segment, problem, _unreadable_rows(files, path, segment, schema))


def _unreadable_rows(
    files: LogFiles, path: str, segment: Segment, schema: pa.Schema
) -> tuple[int, int] | None:
    """Rows of the first row group that cannot be read; None where that tells no more than the file."""
    start, bad = 0, list[tuple[int, int]]()
    for number, group in enumerate(segment.row_groups):
        try:
            files.read_groups(path, [number], schema)
        except LogError:
            bad.append((start, start + group.rows - 1))
        start += group.rows
    return bad[0] if bad and len(bad) < len(segment.row_groups) else None


def _altered_core(files: LogFiles, segment: Segment, replaced: Sequence[Segment | None]) -> Finding:
    """A core that is not the one of the manifest."""
    path = core_path(segment.generation, segment.seq)
    altered = "its SHA-256 is not the one in its manifest: it was altered or truncated"
    try:
        core = files.read_groups(path, None, _schema(segment))
    except LogError:
        rows = _unreadable_rows(files, path, segment, _schema(segment))
        return _finding(files, path, segment, altered, rows)
    if core.num_rows != segment.rows:
        problem = f"it has {core.num_rows} rows, its manifest says {segment.rows}: rows were added or removed"
        return _finding(files, path, segment, problem)
    if segment.rows_sha256 is not None and rows_sha256(core) == segment.rows_sha256:
        return _finding(files, path, segment, f"its SHA-256 is not the one in its manifest, {_ENCODING}")
    rows = _first_part(
        replaced, lambda part, start: rows_sha256(core.slice(start, part.rows)) == part.rows_sha256
    ) or _first_difference(files, segment, core)
    return _finding(files, path, segment, altered, rows)


def _first_part(
    replaced: Sequence[Segment | None], fits: Callable[[Segment, int], bool]
) -> tuple[int, int] | None:
    """Rows of the first segment replaced that a merged one does not hold as it was; None if all are."""
    start = 0
    for part in replaced:
        if part is None:
            return None
        if not fits(part, start):
            return start, start + part.rows - 1
        start += part.rows
    return None


def _first_difference(files: LogFiles, segment: Segment, core: pa.Table) -> tuple[int, int] | None:
    """The first row whose event id is not that of the texts, if they are right; None where all are."""
    try:
        texts = files.read_texts(text_path(segment.generation, segment.seq), None).combine_chunks()
    except LogError:
        return None
    batches = texts.to_batches()
    if texts.num_rows != core.num_rows or merkle.root(merkle.leaves(batches[0])).hex() != segment.text_root:
        return None
    return _row_that_differs(core["event_id"], texts["event_id"])


def _row_that_differs(one: pa.ChunkedArray, other: pa.ChunkedArray, start: int = 0) -> tuple[int, int] | None:
    pairs = zip(one.to_pylist(), other.to_pylist(), strict=True)
    row = next((start + row for row, (left, right) in enumerate(pairs) if left != right), None)
    return None if row is None else (row, row)


def _core_fault(core: pa.Table, segment: Segment) -> str | None:
    if segment.rows_sha256 is not None and rows_sha256(core) != segment.rows_sha256:
        return "the hash of its rows is not the one in its manifest"
    if segment.replaces and not core["position"].combine_chunks().equals(positions_of(segment.replaces)):
        return "its positions are not those of the segments it replaces"
    return None


def _text_fault(
    files: LogFiles,
    segment: Segment,
    core: pa.Table | None,
    replaced: Sequence[Segment | None],
    erased: Erased,
) -> Finding | None:
    """What is wrong with a segment's texts, or, if they are right, with the manifest's index of its rows."""
    path = text_path(segment.generation, segment.seq)

    def found(problem: str, rows: tuple[int, int] | None = None) -> Finding:
        return _finding(files, path, segment, problem, rows)

    leaf_hashes: list[bytes] = []
    lengths, gone = [], []
    start = 0
    for number, group in enumerate(segment.row_groups):
        table = files.read_texts(path, [number]).combine_chunks()
        rows = start, start + group.rows - 1
        if table.num_rows != group.rows:
            problem = f"row group {number} has {table.num_rows} rows, its manifest says {group.rows}"
            return found(problem, rows)
        ids = None if core is None else core["event_id"].slice(start, group.rows)
        if ids is not None and not table["event_id"].equals(ids):
            return found(
                f"the event ids of row group {number} are not those of the core file",
                _row_that_differs(table["event_id"], ids, start),
            )
        batch = table.to_batches()[0]
        leaf_hashes += merkle.leaves(batch)
        gone.append(batch["leaf"].is_valid().to_numpy(zero_copy_only=False))
        lengths.append(string_lengths(batch["text"]))
        start += group.rows
    if merkle.root(leaf_hashes).hex() != segment.text_root:
        problem = "the Merkle root of its rows is not the one in its manifest: a text, salt or id was altered"
        return found(problem, _first_part(replaced, lambda part, at: _root(leaf_hashes, at, part)))
    if fault := _erasure_fault(np.concatenate(gone), erased):
        return found(*fault)
    if core is not None:
        counted = index(core, np.concatenate(lengths), [group.rows for group in segment.row_groups])
        # What an erased text weighed is gone with it.
        groups = zip(counted.row_groups, segment.row_groups, gone, strict=True)
        weighed = tuple(
            replace(mine, text_bytes=stated.text_bytes) if any_gone.any() else mine
            for mine, stated, any_gone in groups
        )
        if replace(counted, row_groups=weighed) != _stated_index(segment):
            return found(
                "its manifest's index (hours, row groups, effective times, grace) is not that of its rows"
            )
        if difference := _difference(core, leaf_hashes, replaced):
            return found(difference)
    expected = erased.text_sha256 or (None if len(erased.rows) else segment.text_sha256)
    if expected is not None and sha256_of(files, path) != expected:
        return found(f"its SHA-256 is not the one in its manifest, {_ENCODING}")
    return None


def _erasure_fault(gone: NDArray[np.bool_], erased: Erased) -> tuple[str, tuple[int, int]] | None:
    """A text that is erased and should not be, or should be and is not."""
    wanted = np.zeros(len(gone), dtype=bool)
    wanted[list(erased.rows)] = True
    for rows, problem in (
        (gone & ~wanted, "its text was erased, and no decision of the log says so"),
        (wanted & ~gone & erased.done, "its text was to be erased, and is there"),
    ):
        if rows.any():
            first = int(np.argmax(rows))
            return problem, (first, first)
    return None


def _root(leaf_hashes: list[bytes], start: int, part: Segment) -> bool:
    return merkle.root(leaf_hashes[start : start + part.rows]).hex() == part.text_root


def _difference(core: pa.Table, leaf_hashes: list[bytes], replaced: Sequence[Segment | None]) -> str | None:
    """How a merged segment's rows differ from those of the segments it replaces; None if they do not."""
    start = 0
    for segment in replaced:
        if segment is None:
            return "it replaces a segment that no manifest holds"
        rows = core.slice(start, segment.rows)
        if not _root(leaf_hashes, start, segment):
            return f"the ids, salts or texts of its rows are not those of segment {segment.seq}"
        if segment.rows_sha256 is not None and rows_sha256(rows) != segment.rows_sha256:
            return f"its rows are not those of segment {segment.seq}"
        start += segment.rows
    return None


def _stated_index(segment: Segment) -> Index:
    return Index(
        first_effective_us=to_us(segment.first_effective),
        last_effective_us=to_us(segment.last_effective),
        max_grace_s=segment.max_grace_s,
        hours=segment.hours,
        row_groups=segment.row_groups,
    )
