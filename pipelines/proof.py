"""The audit of a whole workspace: the log, what it accounts for, its tail, and the store against it."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.audit.accounting import check_accounting
from connectors.audit.heads import KnownHead, Tail, check_heads
from connectors.log import EventLog, Finding
from connectors.log.erasing import Erasure
from connectors.store import Run, Store
from pipelines.erase import erased_ids
from pipelines.in_force import workspace_of_version
from pipelines.plain import PlainEngine
from pipelines.replay import canonical, digest, replay
from pipelines.sealing import Seals, seals_of
from pipelines.snapshots.checking import check_snapshots
from pipelines.stages.explain import Signals
from pipelines.workspace import Workspace

_STORE = "the signal store"
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it must be. area: log, accounting, tail, store, signals or snapshots."""

    area: str
    finding: Finding


@dataclass(slots=True)
class Proof:
    """What an audit found. accounting, tail, evidence, signals: None where that was not looked at."""

    records: int = 0
    events: int = 0
    skipped: dict[int, str] = field(default_factory=dict)
    accounting: dict[str, int] | None = None
    tail: Tail | None = None
    run: Run | None = None
    evidence: int | None = None
    signals: int | None = None
    erasures: list[Erasure] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)
    """Signals that rest on erased texts: sealed, not re-derivable."""
    shifted: list[Finding] = field(default_factory=list)
    """Signals that a replay gives otherwise since texts before them were erased, though none of their own."""
    snapshots: int | None = None
    """Snapshots that were looked at; with `signals` those of today's settings are derived again."""
    faults: list[Fault] = field(default_factory=list)

    def add(self, area: str, findings: Sequence[Finding]) -> None:
        """Keep the faults of an area."""
        self.faults += [Fault(area, finding) for finding in findings]


def prove(
    workspace: Workspace,
    *,
    store: Store | None,
    heads: Sequence[KnownHead],
    rows: bool = False,
    signals: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Proof:
    """Audit the log and, where there is a store, the store against it. Changes nothing.

    heads: kept elsewhere than in the store. rows: read every row again. signals: replay, and compare the
    store's signals byte for byte, and snapshots with what is found. Where the log is not whole, nothing is
    held against it.
    Raises LogError if there is no log.
    """
    log, proof = workspace.open_log(), Proof()
    proof.add("log", list(log.verify(rows=rows)))
    if proof.faults:
        return proof
    proof.records = log.head.seq if log.head else 0
    proof.events, proof.skipped, proof.erasures = log.rows, log.skipped, log.erasures
    seals = seals_of(log)
    proof.sealed = sorted(seals.ids)
    accounted = check_accounting(
        log.manifests(),
        location=log.location,
        quarantine=workspace.settings.path(workspace.settings.privacy.quarantine),
    )
    proof.accounting = {**accounted.counts, "untold": accounted.untold}
    proof.add("accounting", accounted.faults)
    kept = [] if store is None else [KnownHead(seq, sha256, _STORE) for seq, sha256 in store.heads()]
    proof.tail = check_heads(log, [*heads, *kept])
    proof.add("tail", proof.tail.faults)
    if store is not None:
        proof.run = store.run()
        if proof.run is not None:
            _check_store(workspace, log, store, proof, proof.run, seals, signals=signals, progress=progress)
    checked = check_snapshots(workspace, again=signals, progress=progress)
    if checked is not None:
        proof.snapshots = checked.looked_at
        proof.add("snapshots", checked.faults)
    return proof


def _check_store(
    workspace: Workspace,
    log: EventLog,
    store: Store,
    proof: Proof,
    run: Run,
    seals: Seals,
    *,
    signals: bool,
    progress: Callable[[int, int], None] | None,
) -> None:
    kept = Signals(*store.signal_tables())
    seq = log.seq_of(run.log_head)
    if seq is None:
        problem = (
            f"its signals come from a log with the head {run.log_head[:16]}..., which is not in the chain"
        )
        proof.add("store", [Finding(_STORE, problem)])
    elif digest(kept) != run.digest:
        problem = (
            "its signals are not those that the replay put there: their digest differs; "
            "`vigie audit verify --signals` tells which, `vigie replay` puts them right"
        )
        proof.add("store", [Finding(_STORE, problem)])
    proof.evidence = kept.evidence.num_rows
    proof.add("store", list(_unknown_evidence(log, kept.evidence)))
    proof.add("store", list(_excerpts_left(log, kept.evidence)))
    if signals and seq is not None:
        replayed = _replayed(workspace, run, seq, proof, seals, progress)
        if replayed is not None:
            proof.signals = kept.signals.num_rows
            shifted = seals.earliest is not None and any(one.seq > seq for one in proof.erasures)
            since = _EPOCH + timedelta(days=seals.earliest or 0) if shifted else None
            for finding, last_seen in differences(kept, replayed, seals.ids):
                if since is not None and last_seen >= since:
                    proof.shifted.append(finding)
                else:
                    proof.add("signals", [finding])


def _unknown_evidence(log: EventLog, evidence: pa.Table) -> Iterator[Finding]:
    if not evidence.num_rows:
        return
    known = log.known_ids().contains(evidence["event_id"])
    for row in evidence.take(pa.array(np.flatnonzero(~known))).to_pylist():
        yield Finding(
            _STORE, f"signal {row['signal_id']}: its evidence {row['event_id'].hex()} is not in the log"
        )


def _excerpts_left(log: EventLog, evidence: pa.Table) -> Iterator[Finding]:
    """Excerpts of texts that are erased."""
    erased = pa.array(erased_ids(log), pa.binary(16))
    left = evidence.filter(pc.and_(pc.is_valid(evidence["excerpt"]), pc.is_in(evidence["event_id"], erased)))
    for row in left.select(["signal_id", "event_id"]).to_pylist():
        yield Finding(
            _STORE,
            f"signal {row['signal_id']}: an excerpt of {row['event_id'].hex()} is there, whose text is "
            "erased: `vigie erase --finish` removes it",
        )


def _replayed(
    workspace: Workspace,
    run: Run,
    seq: int,
    proof: Proof,
    seals: Seals,
    progress: Callable[[int, int], None] | None,
) -> Signals | None:
    """What the log gives, read as far as the store's replay did and judged by its settings; None where that
    cannot be compared."""
    log = workspace.open_log()
    log.read_to(seq)
    judging = workspace_of_version(workspace, run.settings_version, log)
    others = []
    if judging is None:
        others.append(
            f"settings {run.settings_version}, not {workspace.settings_version}, "
            "which no decision of the log keeps"
        )
    if run.code_version != version("vigie"):
        others.append(f"code {run.code_version}, not {version('vigie')}")
    if judging is None or others:
        problem = f"its signals cannot be derived again here: they come from {' and '.join(others)}"
        proof.add("signals", [Finding(_STORE, problem)])
        return None
    telling = judging.telling()
    with tempfile.TemporaryDirectory(prefix="vigie-audit-") as work:
        return replay(
            log,
            judging.settings,
            telling.reader,
            telling,
            PlainEngine(),
            work=Path(work),
            progress=progress,
            seals=seals,
        ).signals


def differences(
    kept: Signals, replayed: Signals, sealed: frozenset[str] = frozenset()
) -> Iterator[tuple[Finding, date]]:
    """Signal by signal, how the store's differ from a replay's: fields, evidence and excerpts; and the day it
    was last seen. sealed: signals whose excerpts cannot be told again."""
    ours, theirs = _by_id(kept, sealed), _by_id(replayed, sealed)
    for signal_id in sorted({*ours, *theirs}):
        one, other = ours.get(signal_id), theirs.get(signal_id)
        if one == other:
            continue
        if one is None:
            problem = f"signal {signal_id} is missing: the log gives it"
        elif other is None:
            problem = f"signal {signal_id} was added: the log does not give it"
        else:
            names = [name for name in other if one.get(name) != other[name]]
            problem = f"signal {signal_id} is not what the log gives: {', '.join(names)} differ"
        last_seen = max(row["last_seen"] for row in (one, other) if row is not None)
        yield Finding(_STORE, problem), datetime.fromisoformat(last_seen).date()


def _by_id(signals: Signals, sealed: frozenset[str]) -> dict[str, dict[str, Any]]:
    found = {row["signal_id"]: row for row in map(json.loads, canonical(signals))}
    for row in found.values():
        row["evidence"] = []
    for row in signals.evidence.to_pylist():
        # Evidence of a signal that is not there cannot be kept: the database refuses it.
        signal_id = row.pop("signal_id")
        if signal_id in sealed:
            del row["excerpt"]
        found[signal_id]["evidence"].append(row)
    return found
