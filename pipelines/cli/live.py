"""`vigie live`: follows the log on Flink, and keeps the signal store up to date."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.options import DEFAULT_SETTINGS, SettingsFile, open_workspace
from pipelines.cli.output import notice


def live(
    settings: SettingsFile = DEFAULT_SETTINGS,
    parallelism: Annotated[
        int,
        typer.Option("--parallelism", metavar="N", min=1, max=16, help="Workers that read and judge."),
    ] = 1,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="DIR",
            file_okay=False,
            help="Folder of checkpoints and logs; `live` beside the settings file by default.",
        ),
    ] = None,
    checkpoint_every: Annotated[
        float,
        typer.Option("--checkpoint-every", metavar="SECONDS", min=0.1, help="Time between checkpoints."),
    ] = 5.0,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster", metavar="HOST:PORT", help="A Flink cluster; by default Flink runs in this process."
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            "--metrics-port", metavar="N", min=0, max=65535, help="Serve Prometheus metrics on this machine."
        ),
    ] = None,
) -> None:
    """Follow the log; keep the signals in the store up to date.

    Runs until it is stopped, and goes on where it stopped when it is started again. The signals are those
    that `vigie replay` would find in the log.
    """
    from pipelines.cli.engines import as_raised
    from pipelines.live.opening import LiveFolder, job_of

    workspace = open_workspace(settings)
    if workspace.open_log().head is None:
        notice(f"{workspace.settings.log.path}: the log holds nothing yet; waiting for it to grow")
    place = (state or workspace.settings.base / "live").absolute()
    with ExitStack() as stack:
        folder = LiveFolder(place)
        stack.enter_context(folder.held())
        stack.enter_context(workspace.open_store())
        job = job_of(workspace, ends=False)
        from pipelines.live.metrics import LiveCollector, serving
        from pipelines.live.service import Service

        service = Service(
            job,
            folder,
            parallelism=parallelism,
            checkpoint_every_s=checkpoint_every,
            cluster=cluster,
            say=notice,
        )
        if metrics_port is not None:
            store = workspace.settings.store
            collector = LiveCollector(
                service.status, job.log, folder, dsn=store.dsn, data=workspace.settings.path(store.folder)
            )
            port = stack.enter_context(serving(collector, port=metrics_port))
            notice(f"metrics at http://127.0.0.1:{port}/metrics")
        try:
            service.run()
        except Exception as error:
            raise as_raised(error) from error
