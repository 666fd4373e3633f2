"""`vigie export`: what may be shown, as a file for other tools."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from connectors.errors import StoreError
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import plural, print_json
from pipelines.cli.signals import open_existing, path_of

if TYPE_CHECKING:
    import pyarrow as pa

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is a formula to a spreadsheet."""


class What(StrEnum):
    """What can be exported."""

    EVENTS = "events"
    SIGNALS = "signals"


Write = Callable[["pa.Table", BinaryIO], None]


def export(
    what: Annotated[What, typer.Argument(metavar="WHAT", help="`events` or `signals`.")],
    to: Annotated[
        Path,
        typer.Option("--to", metavar="FILE", dir_okay=False, help="FILE.parquet, FILE.csv or FILE.jsonl."),
    ],
    settings: SettingsFile = DEFAULT_SETTINGS,
    perimeter: Annotated[
        str | None, typer.Option("--perimeter", help="Only this perimeter and those in it: its path or name.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="Only from this day on.")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", formats=["%Y-%m-%d"], help="Only up to this day, which is included."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write what may be shown to a file.

    By the rules of boards and alerts: nothing of fewer people than the minimum. A file of that name is
    replaced.
    """
    from connectors.log.durable import write_whole
    from connectors.store.exports import read_export

    write = WRITERS.get(to.suffix.lower())
    if write is None:
        raise typer.BadParameter(f"--to: the file's name must end in {', '.join(WRITERS)}")
    if not to.parent.is_dir():
        raise typer.BadParameter(f"--to: there is no folder {to.parent}")
    if since is not None and until is not None and until < since:
        raise typer.BadParameter(f"--until is {until:%Y-%m-%d}, before --since {since:%Y-%m-%d}")
    workspace = open_workspace(settings)
    path = None if perimeter is None else path_of(workspace, perimeter)
    with open_existing(workspace) as store:
        if store.run() is None:
            raise StoreError("the signal store holds no replay yet; run `vigie replay`")
        table = read_export(
            store,
            what,
            perimeter=path,
            since=None if since is None else since.date(),
            until=None if until is None else until.date(),
        )
    write_whole(to, lambda file: write(table, file))
    if as_json:
        print_json({"file": str(to), "rows": table.num_rows, "columns": table.column_names})
    else:
        typer.echo(f"{to}: {plural(table.num_rows, what.removesuffix('s'))}")


def _write_parquet(table: "pa.Table", file: BinaryIO) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, file, compression="zstd")


def _write_csv(table: "pa.Table", file: BinaryIO) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    rows = csv.writer(text)
    rows.writerow(table.column_names)
    rows.writerows([_cell(value) for value in row.values()] for row in table.to_pylist())
    text.flush()
    text.detach()


def _cell(value: Any) -> Any:
    """A value as CSV has it. A text that a spreadsheet would take for a formula begins with an apostrophe."""
    plain = _plain(value)
    return f"'{plain}" if isinstance(value, str) and value.startswith(_FORMULA) else plain


def _write_jsonl(table: "pa.Table", file: BinaryIO) -> None:
    for row in table.to_pylist():
        plain = {name: _plain(value) for name, value in row.items()}
        file.write(json.dumps(plain, ensure_ascii=False).encode() + b"\n")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


WRITERS: Mapping[str, Write] = {".parquet": _write_parquet, ".csv": _write_csv, ".jsonl": _write_jsonl}
"""How each kind of file is written, by the end of its name."""
