"""The help is quick and whole, and docs/command-line.md says what the commands take, no more and no less."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from connectors import errors
from connectors.errors import VigieError
from pipelines.cli import app
from pipelines.cli.options import Lang, language
from pipelines.cli.reporting import INTERRUPTED, UNEXPECTED
from pipelines.flow import BATCH_ROWS
from pipelines.replay import SLICE_ROWS

DOCS = (Path(__file__).parents[1] / "docs" / "command-line.md").read_text("utf-8")
HEAVY = "polars pyarrow numpy numba pydantic apache_beam river psycopg scipy rich lxml".split()
PROGRAM = """
import sys
from pipelines.__main__ import main
sys.argv = ["vigie", "--help"]
try:
    main()
except SystemExit as end:
    print(end.code, *sorted({name.split(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def commands(group: Any, path: str = "vigie") -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its full name."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


ROOT: Any = typer.main.get_command(app)
COMMANDS = dict(commands(ROOT))


def options(command: Any) -> set[str]:
    return {name for param in command.params for name in param.opts if name.startswith("--")} - {"--help"}


def section(heading: str) -> str:
    """The text under a heading of the documentation, up to the next heading."""
    found = re.search(rf"^#+ `{re.escape(heading)}`\n(.*?)(?=^#|\Z)", DOCS, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/command-line.md has no section {heading}"
    return found[1]


def documented(text: str) -> set[str]:
    """The options a section's table explains."""
    return set(re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE))


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    code, *imported = done.stderr.split()
    assert code == "0"
    assert "Commands:" in done.stdout
    assert not set(HEAVY) & set(imported)


def test_the_commands_promised_are_there() -> None:
    assert set(COMMANDS) >= {
        *("vigie init", "vigie check", "vigie ingest", "vigie replay"),
        *("vigie signals list", "vigie signals show"),
        *(f"vigie quarantine {name}" for name in ("list", "show", "retry", "purge")),
        *("vigie log show", "vigie log verify"),
    }


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_says_what_it_does(name: str, shop: ModuleType) -> None:
    command = COMMANDS[name]
    said = command.get_short_help_str(limit=100)
    assert said.endswith(".")
    assert "..." not in said
    assert all(param.help for param in command.params)
    result = shop.run(*name.split()[1:], "-h")
    assert result.exit_code == 0
    assert all(option in result.stdout for option in options(command))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_documentation_explains_the_options_there_are(name: str) -> None:
    assert documented(section(name)) == options(COMMANDS[name])


def test_the_documentation_explains_no_other_command() -> None:
    assert set(re.findall(r"^### `(vigie [^`]+)`$", DOCS, re.MULTILINE)) == set(COMMANDS)
    assert documented(section("vigie")) == options(ROOT)


def test_the_documentation_gives_every_exit_code() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, VigieError)
    ]
    given = set(map(int, re.findall(r"^\| (\d+) \|", DOCS, re.MULTILINE)))
    assert given == {0, UNEXPECTED, INTERRUPTED, *(kind.exit_code for kind in kinds)}


def test_the_documentation_gives_the_sizes_in_force() -> None:
    replay = section("vigie replay")
    assert f"| `--slice-rows N` | Events held in memory at a time; {SLICE_ROWS} by default. |" in replay
    assert f"| `--batch-rows N` | Events understood at a time; {BATCH_ROWS} by default. |" in replay


def test_the_version(shop: ModuleType) -> None:
    assert shop.run("--version").stdout.strip() == version("vigie")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Lang.FR),
        ({"LANG": "C.UTF-8"}, Lang.FR),
        ({"LANG": "fr_CA.UTF-8"}, Lang.FR),
        ({"LANG": "en_GB.UTF-8"}, Lang.EN),
        ({"LANG": "de_DE"}, Lang.EN),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "en_US.UTF-8"}, Lang.EN),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "fr_FR.UTF-8"}, Lang.FR),
    ],
)
def test_the_language_is_the_environments(
    environment: dict[str, str], expected: Lang, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language(None) is expected
    assert language(Lang.EN) is Lang.EN
