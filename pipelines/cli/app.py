"""The table of commands, and the options that stand before all of them."""

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Annotated

import typer

from pipelines.cli.audit import attest, verify_audit
from pipelines.cli.audit_diff import diff
from pipelines.cli.audit_why import why_not, why_signal
from pipelines.cli.check import check
from pipelines.cli.cluster import cluster_down, cluster_up
from pipelines.cli.dashboards import build_dashboards, check_dashboards, push_dashboards
from pipelines.cli.deliver import deliver
from pipelines.cli.demo import demo
from pipelines.cli.erase import erase
from pipelines.cli.explain import explain
from pipelines.cli.export import export
from pipelines.cli.ingest import ingest
from pipelines.cli.init import init
from pipelines.cli.learn import learn
from pipelines.cli.live import live
from pipelines.cli.log import compact_log, set_aside, show_log, verify_log
from pipelines.cli.outbox import list_outbox, retry_outbox
from pipelines.cli.quarantine import list_quarantine, purge_quarantine, retry_quarantine, show_entry
from pipelines.cli.replay import replay
from pipelines.cli.reporting import reported, show_tracebacks
from pipelines.cli.serve import serve
from pipelines.cli.signals import (
    ListFirst,
    acknowledge,
    add_comment,
    confirm,
    dismiss,
    list_signals,
    resolve,
    show_signal,
)
from pipelines.cli.snapshots import list_snapshots, remove_snapshots, write_snapshot
from pipelines.cli.subscribe import subscribe, subscriptions, unsubscribe
from pipelines.cli.what_if import what_if

Command = Callable[..., None]

COMMANDS: Mapping[str, Command] = {
    "demo": demo,
    "init": init,
    "check": check,
    "ingest": ingest,
    "replay": replay,
    "live": live,
    "explain": explain,
    "what-if": what_if,
    "erase": erase,
    "export": export,
    "learn": learn,
    "subscribe": subscribe,
    "subscriptions": subscriptions,
    "unsubscribe": unsubscribe,
    "deliver": deliver,
    "serve": serve,
}
"""Commands by name, in the order of the help. Their modules must be light: `--help` imports them all."""

GROUPS: Mapping[str, tuple[str, Mapping[str, Command]]] = {
    "signals": (
        "Signals in the store: list, show, and say what becomes of them.",
        {
            "list": list_signals,
            "show": show_signal,
            "acknowledge": acknowledge,
            "comment": add_comment,
            "confirm": confirm,
            "dismiss": dismiss,
            "resolve": resolve,
        },
    ),
    "outbox": (
        "Messages that are due, sent or given up: list, retry.",
        {"list": list_outbox, "retry": retry_outbox},
    ),
    "cluster": (
        "A Flink cluster on this machine, for trials: up, down.",
        {"up": cluster_up, "down": cluster_down},
    ),
    "quarantine": (
        "Rows that could not become events: list, show, retry, purge.",
        {
            "list": list_quarantine,
            "show": show_entry,
            "retry": retry_quarantine,
            "purge": purge_quarantine,
        },
    ),
    "dashboards": (
        "Grafana's boards: build, push, check.",
        {"build": build_dashboards, "push": push_dashboards, "check": check_dashboards},
    ),
    "audit": (
        "The record, held to account: verify, attest, why, why-not, diff.",
        {
            "verify": verify_audit,
            "attest": attest,
            "why": why_signal,
            "why-not": why_not,
            "diff": diff,
        },
    ),
    "snapshots": (
        "What replays found day by day, for questions about the past: list, write, remove.",
        {"list": list_snapshots, "write": write_snapshot, "remove": remove_snapshots},
    ),
    "log": (
        "The event log: show, verify, compact, set-aside.",
        {"show": show_log, "verify": verify_log, "compact": compact_log, "set-aside": set_aside},
    ),
}

_LIST_FIRST = ("signals", "outbox", "snapshots")
"""Groups whose name alone lists."""
_HELP = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="vigie",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=_HELP,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("vigie"))
        raise typer.Exit


@app.callback()
def vigie(
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show the traceback of an unexpected error.")
    ] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and end."),
    ] = False,
) -> None:
    """Vigie finds weak signals in what customers and field teams write: early, explained, per perimeter."""
    show_tracebacks(verbose)


def _register(group: typer.Typer, commands: Mapping[str, Command]) -> None:
    for name, command in commands.items():
        group.command(name, context_settings=_HELP)(reported(command))


_register(app, COMMANDS)
for _name, (_help, _commands) in GROUPS.items():
    _group = typer.Typer(no_args_is_help=True, cls=ListFirst if _name in _LIST_FIRST else None)
    _register(_group, _commands)
    app.add_typer(_group, name=_name, help=_help, context_settings=_HELP)


def main() -> None:
    """Run the command line; a character that the terminal has no code for is written as its escape."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    app()
