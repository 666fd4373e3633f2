"""`vigie init`: a commented settings file to start from."""

from pathlib import Path
from typing import Annotated

import typer

from connectors.errors import SettingsError
from pipelines.cli.options import DEFAULT_SETTINGS
from pipelines.cli.output import notice

TEMPLATES = Path(__file__).parent / "templates"
PERIMETERS = "perimeters.csv"


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to; made if absent.")],
) -> None:
    """Write a commented vigie.toml to start from.

    An example perimeters.csv goes with it. Nothing is ever overwritten.
    """
    names = (DEFAULT_SETTINGS.name, PERIMETERS)
    there = [folder / name for name in names if (folder / name).exists()]
    if there:
        raise SettingsError(
            "\n".join(f"{file}: is there already; move it away, or give another folder" for file in there)
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        with (folder / name).open("x", encoding="utf-8", newline="\n") as file:
            file.write((TEMPLATES / name).read_text("utf-8"))
        notice(f"wrote {folder / name}")
    notice(
        f"next: describe your sources in {folder / DEFAULT_SETTINGS}, list your perimeters in "
        f"{folder / PERIMETERS}, then run `vigie check --settings {folder / DEFAULT_SETTINGS}`"
    )
