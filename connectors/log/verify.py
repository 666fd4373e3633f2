"""Verification: the chain, and what each of its manifests says of its files."""

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from connectors.errors import LogError
from connectors.log.chain import Chain, link_fault
from connectors.log.decisions import skipped_by
from connectors.log.erasing import erased_by_segment, erasures
from connectors.log.files import LogFiles, ManifestPlace
from connectors.log.layout import manifest_path
from connectors.log.manifest import Manifest, digest, from_bytes
from connectors.log.segment_faults import Erased, Finding, faults_of, is_as_written, sha256_of

_THREADS = 2
"""Hashing lets go of the interpreter: while one file is hashed, the next is read."""
_NAMED_BY_NONE = (
    "no manifest names this segment: its manifest was lost (restore it from a copy of the log), or the "
    "writer was stopped before the commit (the next one removes it); nobody reads its rows"
)

_NOT_COMPLETED = (
    "the erasure it decides is not completed: `vigie erase --finish`, or the next ingest, completes it"
)


def verify(files: LogFiles, *, rows: bool = True) -> Iterator[Finding]:
    """Every fault of every generation, in the chain's order, at most one a file; nothing if the log is whole.

    rows: read every row again. Otherwise a segment both of whose files have the hashes of its manifest is
    believed: it is byte for byte what the writer wrote and described.
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
    erased, forged = _erased(files, known)
    # Removal may have stopped between the two files.
    there = [
        segment
        for seq, segment in by_seq.items()
        if seq not in skipped and not (seq in replaced and files_of[segment.generation, seq] < 2)
    ]
    with ThreadPoolExecutor(_THREADS) as pool:
        believed = {}
        for one in there if not rows else []:
            mine = erased.get(one.seq)
            sha256 = one.text_sha256 if mine is None else mine.text_sha256
            believed[one.seq] = pool.submit(is_as_written, files, one, sha256)
        unread = {one.seq for one in there}
        for link, fault, fits in _linked(links):
            if fault:
                yield Finding(link.name, fault, link.place.seq)
            segment = link.manifest.segment if isinstance(link.manifest, Manifest) else None
            if segment is None or not fits or segment.seq not in unread:
                continue
            if rows or not believed[segment.seq].result():
                parts = [by_seq.get(seq) for seq, _ in segment.replaces]
                yield from faults_of(files, segment, parts, erased.get(segment.seq, Erased()))
    yield from forged
    # Manifests are listed again: what a writer at work has committed since is no orphan.
    without_segment = {(m.generation, m.seq) for m in known if m.segment is None}
    named = {(place.generation, place.seq) for place in files.manifests()} - without_segment
    for generation, seq, path in segments:
        if (generation, seq) not in named:
            yield Finding(files.name(path), _NAMED_BY_NONE, seq)


def _erased(files: LogFiles, known: list[Manifest]) -> tuple[dict[int, Erased], list[Finding]]:
    """What erasures did to each segment; erasures that are not completed, and sealed files that are not what
    their decision says."""
    try:
        erased, decided = erased_by_segment(known), erasures(known)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return {}, [Finding(files.location, "a decision to erase cannot be read")]
    faults = []
    for erasure in decided:
        if not erasure.done:
            name = files.name(manifest_path(erasure.generation, erasure.seq))
            faults.append(Finding(name, _NOT_COMPLETED, erasure.seq))
        for name, sha256 in erasure.seals.items():
            try:
                right = sha256_of(files, erasure.seal(name)) == sha256
                problem = "its SHA-256 is not the one in the decision to erase: it was altered or truncated"
            except LogError as error:
                right, problem = False, str(error).removeprefix(f"{files.name(erasure.seal(name))}: ")
            if not right:
                faults.append(Finding(files.name(erasure.seal(name)), problem, erasure.seq))
    return erased, faults


def _linked(links: Iterable["_Link"]) -> Iterator[tuple["_Link", str | None, bool]]:
    """Each manifest, what is wrong with it or its link, and whether it is one and stands in its place."""
    chain: Chain | None = Chain()
    previous: Manifest | None = None
    previous_hash: str | None = None
    expected = 1
    for link in links:
        seq, manifest = link.place.seq, link.manifest
        gap = f"manifests {expected} to {seq - 1} are missing before it" if seq > expected else None
        linked = not gap
        expected = seq + 1
        if isinstance(manifest, LogError):
            broken = str(manifest).removeprefix(f"{link.name}: ")
            yield link, f"{gap}; {broken}" if gap else broken, False
            previous, previous_hash, chain = None, None, None
            continue
        misplaced = _place_fault(manifest, link.place.generation, seq)
        fault = misplaced
        if not fault and linked and (previous is not None or seq == 1):
            fault = link_fault(previous, previous_hash, manifest)
        if chain is not None and not gap and not fault:
            try:
                chain.append(manifest, link.content, name=link.name)
            except LogError as error:
                fault = str(error).removeprefix(f"{link.name}: ")
        if gap or fault:
            chain = None
        yield link, "; ".join(filter(None, (gap, fault))) or None, not misplaced
        previous, previous_hash = manifest, digest(link.content)


@dataclass(frozen=True, slots=True)
class _Link:
    """A manifest as found; an error in its place if it is none."""

    place: ManifestPlace
    name: str
    manifest: Manifest | LogError
    content: bytes


def _read_link(files: LogFiles, place: ManifestPlace) -> _Link:
    name = files.name(place.path)
    try:
        content = files.read(place.path)
        return _Link(place, name, from_bytes(content, name=name), content)
    except LogError as error:
        return _Link(place, name, error, b"")


def _place_fault(manifest: Manifest, generation: int, seq: int) -> str | None:
    if (manifest.generation, manifest.seq) != (generation, seq):
        return f"says generation {manifest.generation}, number {manifest.seq}: not those of its place"
    return None
