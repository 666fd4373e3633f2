"""`vigie audit diff`: two runs compared signal by signal."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connectors.errors import SettingsError
from pipelines.cli.options import AsJson, open_workspace
from pipelines.cli.output import plural, print_json, print_table, progress
from pipelines.cli.signal_text import ID_LENGTH

if TYPE_CHECKING:
    from pipelines.comparing import Comparison, Difference, Pair
    from pipelines.runs import Run

_LONGEST_VALUE = 60
"""Characters of a value that text shows."""
WORDS = {
    "same": "same",
    "earlier": "earlier in B",
    "later": "later in B",
    "changed": "changed",
    "only_here": "only in A",
    "only_there": "only in B",
}


def diff(
    here: Annotated[Path, typer.Argument(metavar="A", help="A run's folder, or a settings file.")],
    there: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    as_json: AsJson = False,
) -> None:
    """Compare two runs signal by signal.

    Folders are those of `vigie replay --save`; settings files are replayed. Says what sets the two apart, and
    the cause where it is one thing. Nothing is changed.
    """
    from pipelines.comparing import compare_runs

    with progress("events") as bars:
        task = bars.add_task("replaying", total=None)

        def report(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        runs = [_run_at(place, report) for place in (here, there)]
    compared = compare_runs(*runs)
    if as_json:
        print_json(_as_json(compared))
        return
    _show(compared)


def _run_at(place: Path, report: Callable[[int, int], None]) -> "Run":
    from pipelines.in_force import payload_of
    from pipelines.plain import PlainEngine
    from pipelines.runs import read_run, run_of

    if place.is_dir():
        return read_run(place)
    if not place.exists():
        raise SettingsError(f"{place}: no such run or settings file; `vigie replay --save DIR` writes a run")
    workspace = open_workspace(place)
    replayed = workspace.replay(PlainEngine(), use=None, progress=report)
    return run_of(replayed, payload_of(workspace))


def _as_json(compared: "Comparison") -> dict[str, Any]:
    return {
        "counts": compared.counts,
        "cause": _told(compared.cause) if compared.cause else None,
        "differences": [_told(one) for one in compared.differences],
        "pairs": [pair.as_json() for pair in compared.pairs],
    }


def _told(one: "Difference") -> dict[str, Any]:
    return {"name": one.name, "a": one.here, "b": one.there}


def _show(compared: "Comparison") -> None:
    print_pairs(compared)
    print_table(
        {"what sets them apart": "left", "A": "wrap", "B": "wrap"},
        [(one.name, _short(one.here), _short(one.there)) for one in compared.differences],
    )
    counts = ", ".join(f"{number} {WORDS[name]}" for name, number in compared.counts.items() if number)
    typer.echo(f"{plural(len(compared.pairs), 'situation')}: {counts or 'none'}")
    if compared.cause is not None:
        one = compared.cause
        typer.echo(f"cause: {one.name}, {_short(one.here)} in A and {_short(one.there)} in B")
    elif not compared.differences:
        typer.echo("nothing sets the two apart: same log, settings and code")


def print_pairs(compared: "Comparison") -> None:
    """A table of what is not the same."""
    rows = [_row(pair) for pair in compared.pairs if pair.verdict != "same"]
    if rows:
        columns = {
            "A": "left",
            "B": "left",
            "what": "left",
            "perimeter": "left",
            "signal": "wrap",
            "id": "left",
        }
        print_table(columns, rows)


def _row(pair: "Pair") -> tuple[str, ...]:
    row: Mapping[str, Any] = pair.there or pair.here or {}
    days = f", {abs(pair.days)} d" if pair.days else ""
    fields = f": {', '.join(pair.fields)}" if pair.verdict == "changed" else ""
    return (
        "" if pair.here is None else str(pair.here["bucket"]),
        "" if pair.there is None else str(pair.there["bucket"]),
        WORDS[pair.verdict] + days,
        str(row["perimeter"]),
        f"{row['label']}{fields}",
        str(row["signal_id"])[:ID_LENGTH],
    )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
