"""`vigie replay`: from the event log to signals in the store."""

import json
from contextlib import ExitStack
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
from pipelines.cli.output import plural, print_json, progress
from pipelines.cli.signal_text import print_signals

if TYPE_CHECKING:
    from pipelines.replay import Replayed
    from pipelines.stages.explain import Signals
    from pipelines.workspace import Workspace


def replay(
    settings: SettingsFile = DEFAULT_SETTINGS,
    engine: Annotated[EngineName, typer.Option("--engine", help="What runs the stages.")] = EngineName.BEAM,
    workers: Annotated[
        int,
        typer.Option("--workers", metavar="N", min=1, help="Processes of Beam's Direct runner."),
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
    lang: Language = None,
    as_json: AsJson = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Let Beam and its workers log.")] = False,
) -> None:
    """Find signals in the log; load the store.

    Detection runs over the whole log. The same log and settings give the same signals, whatever the
    engine, the workers and the sizes.
    """
    from pipelines.publish import publish

    if export is not None and not export.parent.is_dir():
        raise typer.BadParameter(f"--export: there is no folder {export.parent}")
    workspace = open_workspace(settings)
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
            if store is not None:
                bars.update(task, description="loading the store")
                publish(workspace, replayed, store, started_at=started_at)

        replayed = workspace.replay(
            chosen,
            use=use,
            slice_rows=slice_rows,
            batch_rows=batch_rows,
            progress=lambda done, total: bars.update(task, completed=done, total=total),
        )
    if as_json:
        print_json(_as_json(replayed, stored=not no_store))
    else:
        _show(workspace, replayed, language(lang))


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


def _show(workspace: "Workspace", replayed: "Replayed", lang: Lang) -> None:
    rows = replayed.signals.signals.to_pylist()
    print_signals(rows, workspace.names, lang)
    typer.echo(
        f"{plural(replayed.events, 'event')} up to {replayed.closed_until:%Y-%m-%d %H:%M} UTC, "
        f"{plural(len(rows), 'signal')}, digest {replayed.digest}"
    )
