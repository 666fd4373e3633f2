"""Reporting: a table on screen, figures against targets, and the same as JSON with the machine's facts."""

import argparse
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

SEED = 1
TEXTS, QUICK_TEXTS = 60_000, 12_000
PACKAGES = ("vigie", "apache-beam", "numba", "numpy", "polars", "pyarrow", "river")

Row = Mapping[str, str | int | float | None]
"""One line of a table, by column; None where a column does not apply."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that has a target. at_least: whether more is better."""

    name: str
    value: float
    unit: str
    target: float
    at_least: bool = True

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.value >= self.target if self.at_least else self.value <= self.target

    def as_json(self) -> dict[str, Any]:
        """The figure and what became of its target."""
        return {
            "name": self.name,
            "value": round(self.value, 2),
            "unit": self.unit,
            "target": self.target,
            "at_least": self.at_least,
            "met": self.met,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What one benchmark measured. notes: what a reader of the table must know.

    listing: what the table sums up, one by one, where that is to be read too; printed before it.
    values: more for the JSON.
    """

    title: str
    rows: Sequence[Row]
    figures: Sequence[Figure]
    notes: Sequence[str] = ()
    listing: Sequence[Row] = ()
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Options:
    """How a benchmark was asked for. texts: of its data, which most make of the demo."""

    quick: bool
    texts: int
    json: Path | None


def options(
    name: str,
    about: str,
    argv: Sequence[str] | None = None,
    *,
    sizes: tuple[int, int] = (TEXTS, QUICK_TEXTS),
) -> Options:
    """The command line of every benchmark. sizes: texts of its data, usually and when quick."""
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=about)
    parser.add_argument("--quick", action="store_true", help="less work, for within a minute on two cores")
    parser.add_argument("--texts", type=int, metavar="N", help=f"texts of its data (default: {sizes[0]})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    given = parser.parse_args(argv)
    texts = given.texts or sizes[given.quick]
    return Options(given.quick, texts, given.json)


def main(
    name: str,
    about: str,
    run: Callable[[Options], Report],
    argv: Sequence[str] | None = None,
    *,
    sizes: tuple[int, int] = (TEXTS, QUICK_TEXTS),
) -> None:
    """Run a benchmark from its command line: print its report, and write it where asked."""
    asked = options(f"benchmarks.{name}", about, argv, sizes=sizes)
    report = run(asked)
    show(report)
    if asked.json is not None:
        write_json(asked.json, {"benchmark": name, **_as_json(report, asked)})


def show(report: Report) -> None:
    """Print the table, its notes and its figures."""
    console = _console()
    if report.listing:
        console.print(_table("", report.listing))
    console.print(_table(report.title, report.rows))
    for note in report.notes:
        console.print(f"  {note}", style="dim", markup=False, highlight=False)
    show_figures([figure.as_json() for figure in report.figures])


def show_figures(figures: Sequence[Mapping[str, Any]]) -> None:
    """Print figures (as in JSON) against their targets."""
    rows = [
        {
            "figure": figure["name"],
            "measured": f"{_text(figure['value'])} {figure['unit']}",
            "target": f"{'≥' if figure['at_least'] else '≤'} {figure['target']:,} {figure['unit']}",
            "": "met" if figure["met"] else "MISSED",
        }
        for figure in figures
    ]
    _console().print(_table("", rows))


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write JSON, its folder made if absent."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """Facts that figures depend on."""
    return {
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _as_json(report: Report, asked: Options) -> dict[str, Any]:
    return {
        "title": report.title,
        "quick": asked.quick,
        "texts": asked.texts,
        "seed": SEED,
        "machine": machine(),
        "rows": [*map(_rounded_row, report.rows)],
        "figures": [figure.as_json() for figure in report.figures],
        "notes": list(report.notes),
        **({"listing": [*map(_rounded_row, report.listing)]} if report.listing else {}),
        **report.values,
    }


def _console() -> Console:
    # Without a terminal rich takes 80 columns, which would fold the tables.
    console = Console()
    return console if console.is_terminal else Console(width=150)


def _table(title: str, rows: Sequence[Row]) -> Table:
    table = Table(title=title or None, title_justify="left")
    for name in rows[0] if rows else ():
        left = isinstance(rows[0][name], str)
        table.add_column(name, justify="left" if left else "right")
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    return table


def _rounded_row(row: Row) -> dict[str, str | int | float | None]:
    return {name: _rounded(value) for name, value in row.items()}


def _rounded(value: str | int | float | None) -> str | int | float | None:
    return round(value, 3) if isinstance(value, float) else value


def _text(value: str | int | float | None) -> str:
    """A cell: thousands apart, about three digits of a small number."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
