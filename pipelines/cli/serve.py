"""`vigie serve`: the pages that the links in messages lead to."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from connectors.errors import AlertError
from pipelines.cli.options import DEFAULT_SETTINGS, SettingsFile, open_workspace
from pipelines.cli.output import notice
from pipelines.cli.reporting import end_on_sigterm
from pipelines.cli.signals import open_existing

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from pipelines.workspace import Workspace

MOST_AT_ONCE = 32
"""Requests answered at a time, each with a connection of its own to the store."""


def serve(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; others than this machine's need a proxy.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: a free one.")] = 8321,
    settings: SettingsFile = DEFAULT_SETTINGS,
) -> None:
    """Answer the links in messages: signals shown, answers kept, subscriptions ended."""
    import socket

    import uvicorn

    end_on_sigterm()
    workspace = open_workspace(settings)
    with ExitStack() as stack:
        app = desk_app(workspace, stack)
        try:
            listening = stack.enter_context(socket.create_server((host, port)))
        except OSError as error:
            raise AlertError(
                f"cannot listen on {host}:{port}: {error.strerror}; name another place with --host and --port"
            ) from None
        place = f"http://{host}:{listening.getsockname()[1]}"
        notice(f"listening on {place}; links begin with {workspace.settings.alerts.url}")
        # Requests are not logged: their addresses are what lets somebody act.
        config = uvicorn.Config(
            app,
            access_log=False,
            log_level="warning",
            server_header=False,
            limit_concurrency=MOST_AT_ONCE,
            timeout_keep_alive=5,
        )
        uvicorn.Server(config).run(sockets=[listening])


def desk_app(workspace: "Workspace", stack: ExitStack) -> "Starlette":
    """The web application of a workspace; the store's server runs until the stack closes."""
    from dashboards.desk.app import Desk, make_app
    from pipelines.cli.alerting import links, organisation, sealer

    stack.enter_context(open_existing(workspace))
    redactor = workspace.admission.redactor
    return make_app(
        Desk(
            open_store=workspace.open_store,
            sealer=sealer(workspace),
            links=links(workspace),
            organisation=organisation(workspace),
            redact=redactor.redact_one,
            now=workspace.now,
            verdicts=workspace.verdicts,
        )
    )
