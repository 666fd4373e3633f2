"""Erasing texts: the row stays, its leaf in the place of its text, by a decision that says what and why.

Decided first, done after: a writer killed in between leaves an erasure that the next one completes. Nothing
is done twice, and what was done is told in a decision of its own, with the hashes of the files as they are.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from connectors.log.chain import Chain
from connectors.log.layout import seal_path
from connectors.log.manifest import Manifest, Segment
from connectors.log.segment_faults import Erased

ERASURE = "erasure"
"""Texts are to be erased."""
ERASED = "erased"
"""They are."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """A decision to erase. rows: of each segment, as it was appended, first row and count of each run.

    seals: SHA-256 of each file that was sealed with it, by name. done: whether the texts are gone.
    """

    seq: int
    generation: int
    reason: str
    asked: Mapping[str, Any]
    events: int
    rows: Mapping[int, tuple[tuple[int, int], ...]]
    seals: Mapping[str, str]
    decided_at: datetime
    done: bool = False

    def seal(self, name: str) -> str:
        """Path of a sealed file, relative to the log."""
        return seal_path(self.generation, self.seq, name)


def erasure_payload(
    positions: NDArray[np.int64], *, reason: str, asked: Mapping[str, Any], seals: Mapping[str, bytes]
) -> dict[str, Any]:
    """The payload of a decision to erase. positions: of events, each once."""
    ordered = np.sort(positions)
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 2) != 1) if len(ordered) else ordered
    lengths = np.diff(starts, append=len(ordered))
    rows: dict[int, list[list[int]]] = {}
    for first, count in zip(ordered[starts].tolist(), lengths.tolist(), strict=True):
        rows.setdefault(first >> 32, []).append([first & 0xFFFFFFFF, count])
    return {
        "reason": reason,
        "asked": dict(asked),
        "events": len(ordered),
        "rows": [[seq, runs] for seq, runs in rows.items()],
        "seals": {name: hashlib.sha256(content).hexdigest() for name, content in seals.items()},
    }


def erasures(manifests: Iterable[Manifest]) -> list[Erasure]:
    """Every erasure that was decided, in order."""
    found: dict[int, Erasure] = {}
    done: set[int] = set()
    for manifest in manifests:
        decision = manifest.decision
        if decision is None:
            continue
        if decision.kind == ERASURE:
            payload = decision.payload
            found[manifest.seq] = Erasure(
                manifest.seq,
                manifest.generation,
                payload["reason"],
                payload["asked"],
                payload["events"],
                {seq: tuple((first, count) for first, count in runs) for seq, runs in payload["rows"]},
                payload["seals"],
                manifest.written_at,
            )
        elif decision.kind == ERASED:
            done.add(decision.payload["erasure"])
    return [_done(one) if one.seq in done else one for one in found.values()]


def text_hashes(manifests: Iterable[Manifest]) -> dict[int, str]:
    """SHA-256 of the text files that erasures wrote again, by segment; the last one counts."""
    hashes: dict[int, str] = {}
    for manifest in manifests:
        if manifest.decision and manifest.decision.kind == ERASED:
            hashes.update(dict(manifest.decision.payload["texts"]))
    return hashes


def erased_rows(manifests: Iterable[Manifest], decided: Sequence[Erasure]) -> dict[int, NDArray[np.int64]]:
    """Rows whose texts are erased, in the files of each segment, sorted: those it was appended with, and
    those that a compaction put there."""
    moved: dict[int, tuple[int, int]] = {}
    for manifest in manifests:
        offset = 0
        for seq, count in manifest.segment.replaces if manifest.segment else ():
            moved[seq] = manifest.seq, offset
            offset += count
    rows: dict[int, list[NDArray[np.int64]]] = {}
    for erasure in decided:
        for seq, runs in erasure.rows.items():
            mine = np.concatenate([np.arange(first, first + count, dtype=np.int64) for first, count in runs])
            rows.setdefault(seq, []).append(mine)
            if seq in moved:
                merged, start = moved[seq]
                rows.setdefault(merged, []).append(mine + start)
    return {seq: np.unique(np.concatenate(parts)) for seq, parts in rows.items()}


def erased_by_segment(manifests: Sequence[Manifest]) -> dict[int, Erased]:
    """What erasures did to the files of each segment, by its number; manifests: of a log, all of them."""
    # A segment merged after an erasure was written without the texts: its manifest's hash stands.
    own = {one.seq: one.segment.text_sha256 for one in manifests if one.segment}
    decided, hashes = erasures(manifests), own | text_hashes(manifests)
    rows = erased_rows(manifests, decided)
    waiting = erased_rows(manifests, [one for one in decided if not one.done])
    return {
        seq: Erased(tuple(mine.tolist()), None if seq in waiting else hashes.get(seq), seq not in waiting)
        for seq, mine in rows.items()
    }


def blanked(texts: pa.Table, rows: NDArray[np.int64], leaves: Sequence[bytes]) -> pa.Table:
    """TEXT_READ with the texts and salts of some rows gone and their leaves in place.

    leaves: of every row.
    """
    gone = np.zeros(texts.num_rows, dtype=bool)
    gone[rows] = True
    plain = texts.to_pydict()
    for row in np.flatnonzero(gone).tolist():
        plain["salt"][row], plain["text"][row], plain["leaf"][row] = bytes(16), "", leaves[row]
    return pa.Table.from_pydict(plain, schema=texts.schema)


def segments_of(chain: Chain, erasure: Erasure) -> list[Segment]:
    """Every segment whose files may hold rows of an erasure, each once."""
    found: dict[int, Segment] = {}
    for seq in erasure.rows:
        own = chain.manifests[seq - 1].segment
        moved = chain.where(seq)
        for segment in (own, moved[0] if moved else None):
            if segment is not None:
                found[segment.seq] = segment
    return list(found.values())


def _done(erasure: Erasure) -> Erasure:
    return replace(erasure, done=True)
