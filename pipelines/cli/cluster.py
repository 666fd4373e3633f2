"""`vigie cluster`: a Flink cluster on this machine, for trials."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.output import plural

Folder = Annotated[
    Path, typer.Option("--folder", metavar="DIR", file_okay=False, help="Where its files are.")
]
DEFAULT_FOLDER = Path("cluster")


def cluster_up(
    folder: Folder = DEFAULT_FOLDER,
    taskmanagers: Annotated[
        int, typer.Option("--taskmanagers", metavar="N", min=1, max=64, help="Processes that run operators.")
    ] = 1,
    slots: Annotated[
        int, typer.Option("--slots", metavar="N", min=1, max=64, help="Workers of each of them.")
    ] = 1,
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=1024, max=65534, help="Of its REST server.")
    ] = 8081,
) -> None:
    """Start a Flink cluster from the packages, on the loopback address."""
    from pipelines.live.cluster import LocalCluster

    cluster = LocalCluster(folder.absolute(), port)
    cluster.up(taskmanagers, slots=slots)
    typer.echo(f"{plural(taskmanagers, 'task manager')} at {cluster.address}")


def cluster_down(folder: Folder = DEFAULT_FOLDER) -> None:
    """Stop a cluster that was started with `vigie cluster up`."""
    from pipelines.live.cluster import LocalCluster

    LocalCluster(folder.absolute()).down()
