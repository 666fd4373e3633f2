"""Full verification: chain, core files, texts, and the index each manifest gives of its rows."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from connectors.errors import LogError
from connectors.events import CORE, TEXT
from connectors.log import merkle
from connectors.log.arrow_bytes import string_lengths
from connectors.log.chain import link_fault
from connectors.log.files import LogFiles
from connectors.log.layout import core_path, text_path, to_us
from connectors.log.manifest import Manifest, Segment, digest, from_bytes
from connectors.log.segment import Index, index

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

    Segment files that no manifest names come last: readers never look at them, but they may be all that is
    left of manifests cut from the chain's end.
    Memory: one segment's cores and leaves, one row group of texts.
    """
    previous: Manifest | None = None
    previous_hash: str | None = None
    expected = 1
    segments = files.segments()
    without_segment = set()
    for place in files.manifests():
        name = files.name(place.path)
        if place.seq > expected:
            yield Finding(name, f"manifests {expected} to {place.seq - 1} are missing before it")
        linked = place.seq == expected
        expected = place.seq + 1
        try:
            content = files.read(place.path)
            manifest = from_bytes(content, name=name)
        except LogError as error:
            yield Finding(name, str(error).removeprefix(f"{name}: "))
            previous, previous_hash = None, None
            continue
        fault = _place_fault(manifest, place.generation, place.seq)
        if not fault and linked and (previous is not None or place.seq == 1):
            fault = link_fault(previous, previous_hash, manifest)
        if fault:
            yield Finding(name, fault)
        if manifest.segment and not _place_fault(manifest, place.generation, place.seq):
            yield from _verify_segment(files, manifest.segment)
        if manifest.segment is None:
            without_segment.add((place.generation, place.seq))
        previous, previous_hash = manifest, digest(content)
    # Manifests are listed again: what a writer at work has committed since is no orphan.
    named = {(place.generation, place.seq) for place in files.manifests()} - without_segment
    for generation, seq, path in segments:
        if (generation, seq) not in named:
            yield Finding(files.name(path), _NAMED_BY_NONE)


def _place_fault(manifest: Manifest, generation: int, seq: int) -> str | None:
    if (manifest.generation, manifest.seq) != (generation, seq):
        return f"says generation {manifest.generation}, number {manifest.seq}: not those of its place"
    return None


def _verify_segment(files: LogFiles, segment: Segment) -> Iterator[Finding]:
    core_file = core_path(segment.generation, segment.seq)
    text_file = text_path(segment.generation, segment.seq)
    core: pa.Table | None = None
    try:
        if _sha256(files, core_file) != segment.core_sha256:
            yield Finding(
                files.name(core_file),
                "its SHA-256 is not the one in its manifest: it was altered or truncated",
            )
        else:
            core = files.read_groups(core_file, None, CORE)
    except LogError as error:
        yield Finding(files.name(core_file), str(error).removeprefix(f"{files.name(core_file)}: "))
    try:
        fault = _text_fault(files, text_file, segment, core)
    except LogError as error:
        fault = str(error).removeprefix(f"{files.name(text_file)}: ")
    if fault:
        yield Finding(files.name(text_file), fault)


def _text_fault(files: LogFiles, path: str, segment: Segment, core: pa.Table | None) -> str | None:
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
