"""`vigie log`: what the event log holds, and whether it is whole."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from connectors.errors import LogError
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import complain, notice, plural, print_json, print_table, warn

if TYPE_CHECKING:
    from connectors.log import Manifest


def show_log(settings: SettingsFile = DEFAULT_SETTINGS, as_json: AsJson = False) -> None:
    """Show the log's records.

    Loads, live segments and decisions, in the order of the chain.
    """
    rows = [_row(manifest) for manifest in open_workspace(settings).open_log().manifests()]
    if as_json:
        print_json(rows)
        return
    print_table(
        {"number": "right", "generation": "right", "kind": "left", "rows": "right"}
        | {"first event": "left", "last event": "left", "clock": "left", "written": "left", "what": "left"},
        [
            (
                str(row["number"]),
                str(row["generation"]),
                row["kind"],
                f"{row['rows']:,}",
                *(
                    f"{row[name]:%Y-%m-%d %H:%M}" if row[name] else ""
                    for name in ("first_effective", "last_effective", "clock", "written_at")
                ),
                row["source"] or row["decision"] or "",
            )
            for row in rows
        ],
    )
    notice(f"{plural(sum(row['rows'] for row in rows), 'event')}; times are UTC")


def verify_log(settings: SettingsFile = DEFAULT_SETTINGS, as_json: AsJson = False) -> None:
    """Check that the log is whole.

    Every file is held against the chain of hashes. The exit code is 4 if anything is wrong.
    """
    log = open_workspace(settings).open_log()
    findings = list(log.verify())
    if as_json:
        print_json([{"file": finding.file, "problem": finding.problem} for finding in findings])
    for finding in findings:
        complain(str(finding))
    if findings:
        raise typer.Exit(LogError.exit_code)
    if not as_json:
        records = plural(sum(1 for _ in log.manifests()), "record")
        typer.echo(f"{log.location}: whole: {records}, {plural(log.rows, 'event')}")
        for seq, reason in log.skipped.items():
            warn(f"segment {seq} was set aside, its events are not read: {reason}")


def compact_log(settings: SettingsFile = DEFAULT_SETTINGS) -> None:
    """Merge the small segments of closed days.

    Events, their order and positions stay as they are. `vigie ingest --follow` does it by itself.
    """
    segments, merged = open_workspace(settings).compact_log()
    if merged:
        typer.echo(f"{plural(segments, 'segment')} became {merged:,}; the old files go in a day")
    else:
        typer.echo("nothing to merge: no closed day has several segments")


def set_aside(
    number: Annotated[
        int, typer.Argument(metavar="NUMBER", help="Of the segment, as `vigie log show` has it.")
    ],
    settings: SettingsFile = DEFAULT_SETTINGS,
) -> None:
    """Set a damaged segment aside.

    Its events are not read any more; the rest of the log is. Refused if the segment is whole.
    """
    open_workspace(settings).set_aside(number)


def _row(manifest: "Manifest") -> dict[str, Any]:
    segment, decision = manifest.segment, manifest.decision
    return {
        "number": manifest.seq,
        "generation": manifest.generation,
        "kind": manifest.kind,
        "rows": manifest.rows,
        "first_effective": segment.first_effective if segment else None,
        "last_effective": segment.last_effective if segment else None,
        "clock": manifest.clock,
        "written_at": manifest.written_at,
        "source": manifest.note.get("source") or ", ".join(manifest.note.get("accounts", {})) or None,
        "decision": decision.kind if decision else None,
    }
