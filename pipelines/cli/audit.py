"""`vigie audit`: whether the record is whole, and its head signed for others to keep."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connectors.errors import LogError, StoreError
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import complain, notice, plural, print_json, progress, warn
from pipelines.cli.signal_text import ID_LENGTH
from pipelines.cli.signals import has_store

if TYPE_CHECKING:
    from connectors.audit.heads import KnownHead
    from pipelines.proof import Proof
    from pipelines.workspace import Workspace

SHOWN = 20
"""Faults that are printed; `--json` gives all."""
_OF_THE_STORE = ("store", "signals")
_DERIVED = (*_OF_THE_STORE, "snapshots")


def verify_audit(
    settings: SettingsFile = DEFAULT_SETTINGS,
    rows: Annotated[
        bool, typer.Option("--rows", help="Read every row again: texts, indexes, merges.")
    ] = False,
    signals: Annotated[
        bool, typer.Option("--signals", help="Replay, and compare the store's signals byte for byte.")
    ] = False,
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", metavar="PLACE", help="An attestation, or a folder of them; repeatable."),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option("--public-key", metavar="FILE", help="By which attestations are checked."),
    ] = None,
    no_store: Annotated[bool, typer.Option("--no-store", help="Leave the signal store out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check that nobody touched the record.

    The log, what it accounts for, its tail, and the store against it. Nothing is changed.
    """
    from pipelines.proof import prove

    workspace = open_workspace(settings)
    if signals and (no_store or not has_store(workspace)):
        raise typer.BadParameter("--signals: there is no signal store to compare with")
    heads = _kept_heads(workspace, against or [], public_key)
    with ExitStack() as stack:
        wanted = not no_store and has_store(workspace)
        store = stack.enter_context(workspace.open_store(read_only=True)) if wanted else None
        bars = stack.enter_context(progress("events"))
        task = bars.add_task("verifying", total=None)
        proof = prove(
            workspace,
            store=store,
            heads=heads,
            rows=rows,
            signals=signals,
            progress=lambda done, total: bars.update(
                task, description="replaying", completed=done, total=total
            ),
        )
    if as_json:
        print_json(_as_json(proof))
    for fault in proof.faults[: len(proof.faults) if as_json else SHOWN]:
        complain(f"{fault.area}: {fault.finding}")
    if len(proof.faults) > SHOWN and not as_json:
        notice(f"and {len(proof.faults) - SHOWN:,} more; --json lists all")
    if not as_json:
        _show(proof, str(workspace.open_log().location), has_store=wanted)
    if proof.faults:
        of_the_store = all(fault.area in _DERIVED for fault in proof.faults)
        raise typer.Exit(StoreError.exit_code if of_the_store else LogError.exit_code)


def attest(
    settings: SettingsFile = DEFAULT_SETTINGS,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Where to write; `audit.folder` by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sign the log's head, to be kept elsewhere.

    Writes a statement, its Ed25519 signature and the public key. Refused if the chain is broken.
    """
    from connectors.audit import attestation
    from connectors.audit.heads import head_of

    workspace = open_workspace(settings)
    log, place = workspace.open_log(), workspace.settings.audit
    head = head_of(log)
    if head is None:
        raise LogError(f"{log.location}: the log holds nothing yet: there is no head to attest")
    key = attestation.load_signing_key(
        workspace.settings.path(place.key_file), log_folder=log.location, on_created=notice
    )
    file = attestation.attest(head, key, to or workspace.settings.path(place.folder), now=workspace.now())
    if as_json:
        print_json({**asdict(head), "file": str(file)})
    else:
        typer.echo(f"{file}: vouches for {plural(head.seq, 'record')}, {plural(head.events, 'event')}")
        notice(f"copy it with its .sig to where nobody of here can change it, and {attestation.PUBLIC_KEY}")


def _kept_heads(
    workspace: "Workspace", against: Sequence[Path], public_key: Path | None
) -> "list[KnownHead]":
    """The heads of the attestations given, or of the folder of the settings if it is there."""
    from connectors.audit import attestation
    from connectors.audit.heads import KnownHead

    own = workspace.settings.path(workspace.settings.audit.folder)
    places = against or ([own] if own.is_dir() else [])
    if not places:
        return []
    if public_key is None:
        beside = places[0] if places[0].is_dir() else places[0].parent
        public_key = beside / attestation.PUBLIC_KEY
        warn(f"attestations are checked by {public_key}, which lies beside them: give --public-key your own")
    read = attestation.read_attestations(places, attestation.read_public_key(public_key))
    return [KnownHead(one.head.seq, one.head.sha256, str(one.file)) for one in read]


def _as_json(proof: "Proof") -> dict[str, Any]:
    tail = proof.tail
    return {
        "whole": not proof.faults,
        "records": proof.records,
        "events": proof.events,
        "set_aside": [{"segment": seq, "reason": reason} for seq, reason in proof.skipped.items()],
        "accounting": proof.accounting,
        "attested": None if tail is None or tail.until is None else {"until": tail.until, "by": tail.by},
        "run": None if proof.run is None else {"log_head": proof.run.log_head, "digest": proof.run.digest},
        "evidence": proof.evidence,
        "erasures": [
            {
                "seq": one.seq,
                "events": one.events,
                "reason": one.reason,
                "asked": one.asked,
                "decided_at": one.decided_at,
            }
            for one in proof.erasures
        ],
        "sealed": proof.sealed,
        "shifted": [finding.problem for finding in proof.shifted],
        "signals_compared": proof.signals,
        "snapshots": proof.snapshots,
        "faults": [{"area": fault.area, **asdict(fault.finding)} for fault in proof.faults],
    }


def _show(proof: "Proof", location: str, *, has_store: bool) -> None:
    if proof.accounting is None:
        return
    if not proof.faults:
        typer.echo(f"{location}: whole: {plural(proof.records, 'record')}, {plural(proof.events, 'event')}")
    told = proof.accounting
    typer.echo(
        f"accounting: {plural(told['read'], 'row')} read = {told['events']:,} events + "
        f"{told['duplicates']:,} duplicates + {told['set_aside']:,} set aside + "
        f"{told['quarantined']:,} quarantined"
    )
    if told["untold"]:
        notice(
            f"{plural(told['untold'], 'event')} came in loads that were interrupted or carry no accounting"
        )
    for seq, reason in proof.skipped.items():
        warn(f"segment {seq} was set aside, its events are not read: {reason}")
    for erasure in proof.erasures:
        texts = plural(erasure.events, "text")
        typer.echo(f"erased: {texts}, {erasure.decided_at:%Y-%m-%d}, record {erasure.seq}: {erasure.reason}")
    for signal_id in proof.sealed:
        typer.echo(f"signal {signal_id[:ID_LENGTH]}: sealed, not re-derivable: it rests on erased texts")
    for finding in proof.shifted:
        notice(f"not re-derivable since texts before it were erased: {finding.problem}")
    _show_tail(proof)
    if proof.snapshots and not any(fault.area == "snapshots" for fault in proof.faults):
        notice(f"{plural(proof.snapshots, 'snapshot')} of earlier replays, as written")
    if proof.run is not None and not any(fault.area in _OF_THE_STORE for fault in proof.faults):
        compared = "" if proof.signals is None else f", {plural(proof.signals, 'signal')} derived again"
        known = plural(proof.evidence or 0, "text")
        typer.echo(f"store: as its replay left it, {known} of evidence in the log{compared}")
    elif has_store and proof.run is None:
        notice("the signal store holds no replay")


def _show_tail(proof: "Proof") -> None:
    assert proof.tail is not None
    if proof.tail.until is None:
        warn("tail not attested: nothing kept elsewhere shows that the last records are all there")
        return
    after = proof.records - proof.tail.until
    since = f", {plural(after, 'record')} after it not attested" if after > 0 else ""
    typer.echo(f"tail: attested up to record {proof.tail.until} by {', '.join(proof.tail.by)}{since}")
