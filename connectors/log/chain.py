"""The chain of manifests: each names the one before by its hash, numbers have no gap."""

from datetime import datetime

from connectors.errors import LogError
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
        self._by_seq: dict[int, Segment] = {}

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

    @property
    def next_seq(self) -> int:
        """Number of the next manifest, from 1."""
        return len(self.manifests) + 1

    def append(self, manifest: Manifest, content: bytes, *, name: str) -> None:
        """Take the next manifest, whose file holds `content`; LogError names the file and what is wrong."""
        fault = link_fault(self.head, self.head_hash, manifest)
        if fault:
            raise LogError(f"{name}: {fault}: {_DAMAGED}")
        if manifest.carries is not None:
            unknown = [seq for seq in manifest.carries if seq not in self._by_seq]
            if unknown:
                raise LogError(f"{name}: carries segment {unknown[0]}, which no manifest holds: {_DAMAGED}")
            self.segments = [self._by_seq[seq] for seq in manifest.carries]
            self.live_in_generation = self.beaten_in_generation = False
        self.beaten_in_generation |= manifest.kind == "heartbeat"
        if manifest.segment:
            self.segments.append(manifest.segment)
            self._by_seq[manifest.seq] = manifest.segment
            self.live_in_generation |= manifest.segment.live
        self.manifests.append(manifest)
        self.head_hash = digest(content)

    def read_on(self, files: LogFiles, *, last_generation: int | None = None) -> None:
        """Append every manifest committed since, up to and including a generation."""
        places = {
            place.seq: place.path
            for place in files.manifests()
            if last_generation is None or place.generation <= last_generation
        }
        for seq in range(self.next_seq, max(places, default=0) + 1):
            # A listing made while manifests are added may skip one that is there: ask for it by name.
            path = places.get(seq) or manifest_path(self.generation, seq)
            name, content = files.name(path), files.read(path)
            self.append(from_bytes(content, name=name), content, name=name)


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
