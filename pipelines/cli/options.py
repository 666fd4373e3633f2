"""Options that several commands share, and the workspace they lead to."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.output import notice

if TYPE_CHECKING:
    from pipelines.workspace import Workspace


class Lang(StrEnum):
    """Languages of the sentences that explain signals."""

    FR = "fr"
    EN = "en"


SettingsFile = Annotated[Path, typer.Option("--settings", metavar="FILE", help="The settings file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]
Language = Annotated[
    Lang | None,
    typer.Option("--lang", help="Language of the sentences; that of LANG by default, else French."),
]

DEFAULT_SETTINGS = Path("vigie.toml")


def language(chosen: Lang | None) -> Lang:
    """The language chosen, else the environment's: French, as where it says nothing, or English."""
    if chosen is not None:
        return chosen
    said = next(filter(None, (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    tongue = said.split(".")[0].split("_")[0].lower()
    return Lang.FR if tongue in ("", "c", "posix", "fr") else Lang.EN


def open_workspace(settings: Path) -> "Workspace":
    """The world of a settings file; SettingsError lists every fault."""
    from pipelines.settings import load_settings
    from pipelines.workspace import Workspace

    return Workspace(load_settings(settings), say=notice)
