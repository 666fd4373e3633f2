"""`vigie replay`: from the event log to signals in the store."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from pipelines.cli.engines import EngineName, open_engine
from pipelines.cli.options import (
    DEFAULT_SETTINGS,
    AsJson,
    Lang,
    Language,
    SettingsFile,
    language,
    open_workspace,
)
from pipelines.cli.output import notice, plural, print_json, progress, warn
from pipelines.cli.signal_text import ID_LENGTH, print_signals
from pipelines.cli.signals import InPerimeter, path_of
from pipelines.cli.times import instant_of

if TYPE_CHECKING:
    from pipelines.in_force import PastWorkspace
    from pipelines.replay import Replayed
    from pipelines.sealing import Seals
    from pipelines.stages.explain import Signals
    from pipelines.workspace import Workspace


def replay(
    settings: SettingsFile = DEFAULT_SETTINGS,
    engine: Annotated[EngineName, typer.Option("--engine", help="What runs the stages.")] = EngineName.BEAM,
    workers: Annotated[
        int,
        typer.Option("--workers", metavar="N", min=1, help="Threads of Beam's Direct runner."),
    ] = 1,
    runner: Annotated[
        str | None,
        typer.Option("--runner", metavar="NAME", help="A Beam runner other than Direct."),
    ] = None,
    beam_option: Annotated[
        list[str] | None,
        typer.Option("--beam-option", metavar="FLAG", help="A flag for Beam; may be repeated."),
    ] = None,
    slice_rows: Annotated[
        int | None,
        typer.Option("--slice-rows", metavar="N", min=1, help="Events held in memory at a time."),
    ] = None,
    batch_rows: Annotated[
        int | None,
        typer.Option("--batch-rows", metavar="N", min=1, help="Events understood at a time."),
    ] = None,
    no_store: Annotated[bool, typer.Option("--no-store", help="Leave the signal store as it is.")] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export", metavar="FILE", dir_okay=False, help="Write the signals, one JSON line each."
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save", metavar="DIR", file_okay=False, help="Keep the run, for `vigie audit diff` to compare."
        ),
    ] = None,
    no_snapshots: Annotated[
        bool, typer.Option("--no-snapshots", help="Use no snapshots of earlier replays, and leave none.")
    ] = False,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="TIME", help="What was known then, under the settings of then; no store."
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="Show only signals of this day or later."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Show only signals of this day or earlier."),
    ] = None,
    perimeter: InPerimeter = None,
    lang: Language = None,
    as_json: AsJson = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Let Beam and its workers log.")] = False,
) -> None:
    """Find signals in the log; load the store.

    Detection runs over the whole log. The same log and settings give the same signals, whatever the
    engine, the workers and the sizes.
    """
    from pipelines.in_force import payload_of, workspace_as_of
    from pipelines.publish import publish
    from pipelines.runs import run_of, shown_of, write_run
    from pipelines.snapshots.opening import keeping_of

    if export is not None and not export.parent.is_dir():
        raise typer.BadParameter(f"--export: there is no folder {export.parent}")
    workspace = open_workspace(settings)
    instant = None
    if as_of is not None:
        instant = instant_of(as_of, workspace.settings.organisation.timezone, option="--as-of")
        workspace = workspace_as_of(workspace, instant)
        _say_of_when(workspace, instant)
        no_store = True
    path = None if perimeter is None else path_of(workspace, perimeter)
    keeping = None if no_snapshots else keeping_of(workspace, notice)
    chosen = open_engine(
        engine, workers=workers, runner=runner, beam_options=beam_option or (), verbose=verbose
    )
    with ExitStack() as stack:
        store = None if no_store else stack.enter_context(workspace.open_store())
        bars = stack.enter_context(progress("events"))
        task = bars.add_task("replaying", total=None)
        started_at = workspace.now()

        def use(replayed: "Replayed") -> None:
            if export is not None:
                write_export(replayed.signals, export)
            if save is not None:
                write_run(run_of(replayed, payload_of(workspace), as_of=instant), save)
            if store is not None:
                bars.update(task, description="loading the store")
                publish(workspace, replayed, store, started_at=started_at)

        replayed = workspace.replay(
            chosen,
            use=use,
            slice_rows=slice_rows,
            batch_rows=batch_rows,
            progress=lambda done, total: bars.update(task, completed=done, total=total),
            begin=None if keeping is None else keeping.begin if instant else keeping.at_first,
            end=None if keeping is None or instant else keeping.end,
        )
    if instant is not None and workspace.seals is not None:
        _say_what_is_sealed(replayed, workspace.seals)
    if keeping is not None and keeping.used is not None:
        notice(f"from the snapshot of {keeping.used.last_day}; --no-snapshots judges the whole log again")
    days = {"first": since.date() if since else None, "last": until.date() if until else None}
    if as_json:
        told = _as_json(replayed, stored=not no_store)
        told["signals"] = shown_of(told["signals"], **days, perimeter=path)
        print_json({**told, "as_of": instant} if instant else told)
    else:
        rows = shown_of(replayed.signals.signals.to_pylist(), **days, perimeter=path)
        _show(workspace, replayed, rows, language(lang))


def _say_of_when(past: "PastWorkspace", instant: datetime) -> None:
    """What an answer about the past rests on, where it is not what one may think."""
    from pipelines.code_version import code_version

    if instant > past.now():
        notice(f"{instant:%Y-%m-%d %H:%M} UTC is yet to come: this is what is known now")
    if past.decided.get("code") != code_version():
        warn(
            "other code judged then: signals may differ from those of then in what changed since; the code "
            f"was {past.decided.get('code') or 'not kept'}, this is {code_version()}"
        )


def _say_what_is_sealed(replayed: "Replayed", seals: "Seals") -> None:
    """Which signals of then rest on texts that are erased since."""
    sealed = seals.ids & set(replayed.signals.signals["signal_id"].to_pylist())
    for signal_id in sorted(sealed):
        warn(
            f"signal {signal_id[:ID_LENGTH]} rests on texts that were erased: it is told as it was when they "
            "were, not as it stood at the time asked about"
        )


def write_export(signals: "Signals", file: Path) -> None:
    """Write the canonical lines, the whole file or none of it."""
    from connectors.log.durable import write_whole
    from pipelines.replay import canonical

    def write(out: BinaryIO) -> None:
        out.writelines(f"{line}\n".encode() for line in canonical(signals))

    write_whole(file, write)


def _as_json(replayed: "Replayed", *, stored: bool) -> dict[str, Any]:
    from pipelines.replay import canonical

    return {
        "events": replayed.events,
        "closed_until": replayed.closed_until,
        "digest": replayed.digest,
        "stored": stored,
        "signals": [json.loads(line) for line in canonical(replayed.signals)],
    }


def _show(
    workspace: "Workspace", replayed: "Replayed", rows: Sequence[Mapping[str, Any]], lang: Lang
) -> None:
    """rows: the signals to show."""
    print_signals(rows, workspace.names, lang)
    whole = replayed.signals.signals.num_rows
    shown = (
        plural(whole, "signal") if len(rows) == whole else f"{len(rows)} of {plural(whole, 'signal')} shown"
    )
    typer.echo(
        f"{plural(replayed.events, 'event')} up to {replayed.closed_until:%Y-%m-%d %H:%M} UTC, "
        f"{shown}, digest {replayed.digest}"
    )
