"""Full verification: chain, core files, texts, and the index each manifest gives of its rows."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from connectors.errors import LogError
from connectors.events import CORE, TEXT
from connectors.log import merkle
from connectors.log.arrow_bytes import string_lengths
from connectors.log.chain import link_fault
from connectors.log.content import rows_sha256
from connectors.log.decisions import skipped_by
from connectors.log.files import LogFiles, ManifestPlace
from connectors.log.layout import core_path, text_path, to_us
from connectors.log.manifest import Manifest, Segment, digest, from_bytes
from connectors.log.segment import POSITION, Index, index, positions_of

_BLOCK = 1 << 20
_NAMED_BY_NONE = (
    "no manifest names this segment: its manifest was lost (restore it from a copy of the log), or the "
    "writer was stopped before the commit (the next one removes it); nobody reads its rows"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: the file as the user names it, and what is wrong with it."""

    file: str
    problem: str

    def __str__(self) -> str:
        return f"{self.file}: {self.problem}"


def verify(files: LogFiles) -> Iterator[Finding]:
    """Every fault of every generation, in the chain's order, at most one a file; nothing if the log is whole.

    Segments set aside by a decision are not looked at. A merged segment must hold exactly the rows of those
    it replaces, whose own files may be gone. Segment files that no manifest names come last: readers never
    look at them, but they may be all that is left of manifests cut from the chain's end.
    Memory: the manifests, one segment's cores and leaves, one row group of texts.
    """
    segments = files.segments()
    files_of = Counter((generation, seq) for generation, seq, _ in segments)
    links = [_read_link(files, place) for place in files.manifests()]
    known = [link.manifest for link in links if isinstance(link.manifest, Manifest)]
    by_seq = {manifest.seq: manifest.segment for manifest in known if manifest.segment}
    skipped = {skip[0] for manifest in known if manifest.decision and (skip := skipped_by(manifest.decision))}
    replaced = {seq for segment in by_seq.values() for seq, _ in segment.replaces}
    previous: Manifest | None = None
    previous_hash: str | None = None
    expected = 1
    for link in links:
        seq, generation, manifest = link.place.seq, link.place.generation, link.manifest
        if seq > expected:
            yield Finding(link.name, f"manifests {expected} to {seq - 1} are missing before it")
        linked = seq == expected
        expected = seq + 1
        if isinstance(manifest, LogError):
            yield Finding(link.name, str(manifest).removeprefix(f"{link.name}: "))
            previous, previous_hash = None, None
            continue
        misplaced = _place_fault(manifest, generation, seq)
        fault = misplaced
        if not fault and linked and (previous is not None or seq == 1):
            fault = link_fault(previous, previous_hash, manifest)
        if fault:
            yield Finding(link.name, fault)
        segment = manifest.segment
        # Removal may have stopped between the two files.
        gone = seq in replaced and files_of[generation, seq] < 2
        if segment and not misplaced and seq not in skipped and not gone:
            yield from _verify_segment(files, segment, [by_seq.get(seq) for seq, _ in segment.replaces])
        previous, previous_hash = manifest, link.hash
    # Manifests are listed again: what a writer at work has committed since is no orphan.
    without_segment = {(m.generation, m.seq) for m in known if m.segment is None}
    named = {(place.generation, place.seq) for place in files.manifests()} - without_segment
    for generation, seq, path in segments:
        if (generation, seq) not in named:
            yield Finding(files.name(path), _NAMED_BY_NONE)


def damage_of(files: LogFiles, segment: Segment) -> Finding | None:
    """What is wrong with the files of a segment, None if nothing is.

    LogError if one is missing or cannot be opened: that says nothing of what is in it.
    """
    for path in _paths(segment):
        _sha256(files, path)
    return next(_verify_segment(files, segment, []), None)


def has_whole_core(files: LogFiles, segment: Segment) -> bool:
    """Whether the core file is the one of the manifest; LogError if it is missing or cannot be opened."""
    return _sha256(files, core_path(segment.generation, segment.seq)) == segment.core_sha256


@dataclass(frozen=True, slots=True)
class _Link:
    """A manifest as found; an error in its place if it is none."""

    place: ManifestPlace
    name: str
    manifest: Manifest | LogError
    hash: str | None


def _read_link(files: LogFiles, place: ManifestPlace) -> _Link:
    name = files.name(place.path)
    try:
        content = files.read(place.path)
        return _Link(place, name, from_bytes(content, name=name), digest(content))
    except LogError as error:
        return _Link(place, name, error, None)


def _place_fault(manifest: Manifest, generation: int, seq: int) -> str | None:
    if (manifest.generation, manifest.seq) != (generation, seq):
        return f"says generation {manifest.generation}, number {manifest.seq}: not those of its place"
    return None


def _paths(segment: Segment) -> tuple[str, str]:
    return core_path(segment.generation, segment.seq), text_path(segment.generation, segment.seq)


def _verify_segment(
    files: LogFiles, segment: Segment, replaced: Sequence[Segment | None]
) -> Iterator[Finding]:
    """replaced: the segments whose rows it holds, as their own manifests describe them; None if unknown."""
    core_file, text_file = _paths(segment)
    core: pa.Table | None = None
    try:
        if _sha256(files, core_file) != segment.core_sha256:
            yield Finding(
                files.name(core_file),
                "its SHA-256 is not the one in its manifest: it was altered or truncated",
            )
        else:
            core = files.read_groups(core_file, None, _schema(segment))
    except LogError as error:
        yield Finding(files.name(core_file), str(error).removeprefix(f"{files.name(core_file)}: "))
    if core is not None and (fault := _core_fault(core, segment)):
        yield Finding(files.name(core_file), fault)
    try:
        fault = _text_fault(files, text_file, segment, core, replaced)
    except LogError as error:
        fault = str(error).removeprefix(f"{files.name(text_file)}: ")
    if fault:
        yield Finding(files.name(text_file), fault)


def _schema(segment: Segment) -> pa.Schema:
    return pa.schema([*CORE, POSITION]) if segment.replaces else CORE


def _core_fault(core: pa.Table, segment: Segment) -> str | None:
    if segment.rows_sha256 is not None and rows_sha256(core) != segment.rows_sha256:
        return "the hash of its rows is not the one in its manifest"
    if segment.replaces and not core["position"].combine_chunks().equals(positions_of(segment.replaces)):
        return "its positions are not those of the segments it replaces"
    return None


def _text_fault(
    files: LogFiles,
    path: str,
    segment: Segment,
    core: pa.Table | None,
    replaced: Sequence[Segment | None],
) -> str | None:
    """What is wrong with a segment's texts, or, if they are right, with the manifest's index of its rows."""
    leaf_hashes: list[bytes] = []
    lengths = []
    start = 0
    for number, group in enumerate(segment.row_groups):
        table = files.read_groups(path, [number], TEXT).combine_chunks()
        if table.num_rows != group.rows:
            return f"row group {number} has {table.num_rows} rows, its manifest says {group.rows}"
        if core is not None and not table["event_id"].equals(core["event_id"].slice(start, group.rows)):
            return f"the event ids of row group {number} are not those of the core file"
        batch = table.to_batches()[0]
        leaf_hashes += merkle.leaves(batch)
        lengths.append(string_lengths(batch["text"]))
        start += group.rows
    if merkle.root(leaf_hashes).hex() != segment.text_root:
        return "the Merkle root of its rows is not the one in its manifest: a text, salt or id was altered"
    if core is not None:
        found = index(core, np.concatenate(lengths), [group.rows for group in segment.row_groups])
        if found != _stated_index(segment):
            return "its manifest's index (hours, row groups, effective times, grace) is not that of its rows"
        return _difference(core, leaf_hashes, replaced)
    return None


def _difference(core: pa.Table, leaf_hashes: list[bytes], replaced: Sequence[Segment | None]) -> str | None:
    """How a merged segment's rows differ from those of the segments it replaces; None if they do not."""
    start = 0
    for segment in replaced:
        if segment is None:
            return "it replaces a segment that no manifest holds"
        rows = core.slice(start, segment.rows)
        if merkle.root(leaf_hashes[start : start + segment.rows]).hex() != segment.text_root:
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


def _sha256(files: LogFiles, path: str) -> str:
    found = hashlib.sha256()
    try:
        with files.open(path) as file:
            while block := file.read(_BLOCK):
                found.update(block)
    except OSError as error:
        raise LogError(
            f"{files.name(path)}: cannot be read ({error}): restore it from a copy of the log"
        ) from error
    return found.hexdigest()
