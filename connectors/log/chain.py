"""The chain of manifests: each names the one before by its hash, numbers have no gap."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from connectors.errors import LogError
from connectors.log.decisions import skipped_by
from connectors.log.files import LogFiles
from connectors.log.layout import manifest_path
from connectors.log.manifest import Manifest, Segment, digest, from_bytes

_DAMAGED = "the log was altered or files are missing: restore it from a copy"


class Chain:
    """The manifests met so far, checked, and what they make visible."""

    def __init__(self) -> None:
        self.manifests: list[Manifest] = []
        self.head_hash: str | None = None
        self.segments: list[Segment] = []
        """Visible segments: those the current generation carries over, then its own."""
        self.live_in_generation = False
        """Whether the current generation itself has a live segment."""
        self.beaten_in_generation = False
        """Whether a heartbeat moved the clock in the current generation."""
        self.skipped: dict[int, str] = {}
        """Segments set aside by decisions, with the reason; never visible again."""
        self._by_seq: dict[int, Segment] = {}
        self._moved: dict[int, tuple[Segment, int]] = {}

    @property
    def head(self) -> Manifest | None:
        """The last manifest."""
        return self.manifests[-1] if self.manifests else None

    @property
    def generation(self) -> int:
        """The current generation, from 1."""
        return self.head.generation if self.head else 1

    @property
    def clock(self) -> datetime | None:
        """The log's clock: the highest admission or heartbeat committed."""
        return self.head.clock if self.head else None

    def settled_until(self) -> datetime | None:
        """As `closed_until` with a live part, whether one has begun or not."""
        if not self.segments or self.clock is None:
            return None
        return self.clock - timedelta(seconds=max(segment.max_grace_s for segment in self.segments))

    @property
    def next_seq(self) -> int:
        """Number of the next manifest, from 1."""
        return len(self.manifests) + 1

    @property
    def has_live(self) -> bool:
        """Whether a live part has begun: a live segment is visible, or heartbeats move the clock."""
        return self.beaten_in_generation or any(segment.live for segment in self.segments)

    def closed_until(self) -> datetime | None:
        """Events with an effective time before this instant can no longer change; see EventLog."""
        settled = self.settled_until()
        if settled is None or self.has_live:
            return settled
        last = max(segment.last_effective for segment in self.segments)
        return max(settled, last + timedelta(microseconds=1))

    def append(self, manifest: Manifest, content: bytes, *, name: str) -> None:
        """Take the next manifest, whose file holds `content`; LogError names the file and what is wrong."""
        fault = link_fault(self.head, self.head_hash, manifest)
        if fault:
            raise LogError(f"{name}: {fault}: {_DAMAGED}")
        if manifest.carries is not None:
            unknown = [seq for seq in manifest.carries if seq not in self._by_seq]
            if unknown:
                raise LogError(f"{name}: carries segment {unknown[0]}, which no manifest holds: {_DAMAGED}")
            self.segments = [self._by_seq[seq] for seq in manifest.carries if seq not in self.skipped]
            self.live_in_generation = self.beaten_in_generation = False
        self.beaten_in_generation |= manifest.kind == "heartbeat"
        if manifest.segment:
            if manifest.segment.replaces:
                self._replace(manifest.segment, name=name)
            else:
                self.segments.append(manifest.segment)
            self._by_seq[manifest.seq] = manifest.segment
            self.live_in_generation |= manifest.segment.live
        if manifest.decision and (skip := skipped_by(manifest.decision)):
            self.skipped[skip[0]] = skip[1]
            self.segments = [segment for segment in self.segments if segment.seq != skip[0]]
        self.manifests.append(manifest)
        self.head_hash = digest(content)

    def where(self, seq: int) -> tuple[Segment, int] | None:
        """The segment whose files hold the rows of segment `seq` now, and which row there is its first."""
        if seq in self._moved:
            return self._moved[seq]
        segment = self._by_seq.get(seq)
        return (segment, 0) if segment else None

    def appended(self) -> Iterator[Segment]:
        """The visible segments, those that were merged as they were before."""
        waiting = self.segments[::-1]
        while waiting:
            segment = waiting.pop()
            if segment.replaces:
                waiting += [self._by_seq[seq] for seq, _ in reversed(segment.replaces)]
            else:
                yield segment

    @property
    def replaced(self) -> list[Segment]:
        """The segments that compactions replaced, in order: their files may be gone."""
        return [self._by_seq[seq] for seq in self._moved]

    def copy(self) -> "Chain":
        """The same chain, to go on from by itself."""
        other = Chain()
        for name, value in vars(self).items():
            setattr(other, name, value.copy() if isinstance(value, list | dict) else value)
        return other

    def stand_in(self, merged: Segment) -> None:
        """Read rows where a merge that this chain does not hold has put them: they are the same rows.

        Of a merge that holds later rows besides, only where the rows are is kept.
        """
        numbers = [seq for seq, _ in merged.replaces]
        visible = [segment.seq for segment in self.segments]
        at = visible.index(numbers[0]) if numbers[0] in visible else len(visible)
        if visible[at : at + len(numbers)] == numbers:
            self._replace(merged, name=f"segment {merged.seq}")
            self._by_seq[merged.seq] = merged
            return
        offset = 0
        for seq, rows in merged.replaces:
            if seq in self._by_seq:
                self._moved[seq] = merged, offset
            offset += rows

    def _replace(self, merged: Segment, *, name: str) -> None:
        """Put a merged segment where those it replaces stand, side by side."""
        numbers = [seq for seq, _ in merged.replaces]
        visible = [segment.seq for segment in self.segments]
        at = visible.index(numbers[0]) if numbers[0] in visible else len(visible)
        stand = self.segments[at : at + len(numbers)]
        if [(segment.seq, segment.rows) for segment in stand] != list(merged.replaces):
            raise LogError(f"{name}: replaces segments that do not stand side by side in the log: {_DAMAGED}")
        self.segments[at : at + len(numbers)] = [merged]
        offset = 0
        for seq, rows in merged.replaces:
            self._moved[seq] = merged, offset
            offset += rows

    def read_on(
        self, files: LogFiles, *, last_generation: int | None = None, last_seq: int | None = None
    ) -> None:
        """Append every manifest committed since, up to and including a generation and a number."""
        places = {
            place.seq: place.path
            for place in files.manifests()
            if (last_generation is None or place.generation <= last_generation)
            and (last_seq is None or place.seq <= last_seq)
        }
        for seq in range(self.next_seq, max(places, default=0) + 1):
            # A listing made while manifests are added may skip one that is there: ask for it by name.
            path = places.get(seq) or manifest_path(self.generation, seq)
            name, content = files.name(path), files.read(path)
            self.append(from_bytes(content, name=name), content, name=name)

    def read_next(self, files: LogFiles) -> Manifest | None:
        """Append the next manifest if it is committed. It is asked for by name: nothing is listed."""
        for generation in (self.generation, self.generation + 1):
            path = manifest_path(generation, self.next_seq)
            if files.holds(path):
                name, content = files.name(path), files.read(path)
                manifest = from_bytes(content, name=name)
                self.append(manifest, content, name=name)
                return manifest
        return None


def link_fault(previous: Manifest | None, previous_hash: str | None, manifest: Manifest) -> str | None:
    """What is wrong in the link from one manifest to the next, None if nothing is."""
    opens = manifest.kind == "generation"
    seq = previous.seq + 1 if previous else 1
    generation = previous.generation + opens if previous else 1
    if manifest.seq != seq:
        return f"its sequence number is {manifest.seq}, not {seq}"
    if manifest.previous != previous_hash:
        return f"its `previous` is not the SHA-256 of manifest {seq - 1}, one of the two was altered"
    if manifest.generation != generation:
        return f"its generation is {manifest.generation}, not {generation}"
    if opens != (manifest.carries is not None) or (opens and previous is None):
        return "`carries` belongs in the first manifest of a later generation, and only there"
    if previous and previous.clock and (manifest.clock is None or manifest.clock < previous.clock):
        return "its clock is behind the manifest before"
    return None
