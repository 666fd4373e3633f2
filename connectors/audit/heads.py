"""The chain against heads of it that were kept elsewhere: what a chain cannot show by itself is its end."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.audit.attestation import Head
from connectors.log import EventLog, Finding
from connectors.log.layout import manifest_path, to_iso


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A head that was kept. where: as messages name it."""

    seq: int
    sha256: str
    where: str


@dataclass(frozen=True, slots=True)
class Tail:
    """What kept heads say. until: the last record that one of them vouches for, None if none does."""

    until: int | None
    by: tuple[str, ...]
    faults: tuple[Finding, ...]


def head_of(log: EventLog) -> Head | None:
    """The head of a log, None for an empty one."""
    head, sha256, first = log.head, log.head_hash, log.hash_of(1)
    if head is None or sha256 is None or first is None:
        return None
    events = sum(manifest.rows for manifest in log.manifests())
    return Head(head.seq, sha256, first, events, to_iso(head.clock) if head.clock else None)


def check_heads(log: EventLog, heads: Sequence[KnownHead]) -> Tail:
    """Every head must be the hash of the manifest of its number."""
    last = log.head.seq if log.head else 0
    kept = sorted(heads, key=lambda head: head.seq)
    right = [head for head in kept if log.hash_of(head.seq) == head.sha256]
    until = max((head.seq for head in right), default=None)
    faults = []
    for head in kept:
        if head.seq > last:
            faults.append(
                Finding(
                    log.location,
                    f"its tail was cut: it ends at manifest {last}, {head.where} vouches for {head.seq}",
                    last + 1,
                )
            )
        elif log.hash_of(head.seq) != head.sha256:
            good = max((one.seq for one in right if one.seq < head.seq), default=0)
            generation = next(log.manifests(head.seq)).generation
            name = f"{log.location}/{manifest_path(generation, head.seq)}"
            problem = (
                f"is not the one that {head.where} vouches for: the log was rewritten somewhere in manifests "
                f"{good + 1} to {head.seq}, or another log stands in its place"
            )
            faults.append(Finding(name, problem, head.seq))
    by = sorted({head.where for head in right if head.seq == until})
    return Tail(until, tuple(by), tuple(faults))
