"""The rules of the layout: who may import whom, what the mathematics may not touch, how long a file is."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("detectors", "connectors", "pipelines", "dashboards")
MAY_IMPORT = {
    "detectors": {"detectors"},
    "connectors": {"connectors", "detectors"},
    "pipelines": {"pipelines", "connectors", "detectors"},
    "dashboards": {"dashboards", "connectors", "detectors"},
}
ENGINES = {"apache_beam": "pipelines/beam.py", "pyflink": "pipelines/flink.py"}
OUTSIDE = frozenset(
    "time datetime random secrets uuid socket ssl http urllib requests httpx aiohttp asyncio os".split()
)
"""What gives a clock, chance or a network; `os` has its own clock, chance and environment."""
LONGEST_FILE = 400


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


MODULES = [path for package in PACKAGES for path in modules(package)]


def imported(source: str, package: str) -> Iterator[str]:
    """Full names of the modules a source imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield ".".join(filter(None, (package if node.level else "", node.module)))


@cache
def tops(path: Path) -> set[str]:
    """First segments of what a module imports."""
    package = path.relative_to(ROOT).parts[0]
    return {name.split(".")[0] for name in imported(path.read_text("utf-8"), package)}


def unseeded(source: str) -> list[str]:
    """Uses of numpy's chance other than a generator made from a seed."""
    tree = ast.parse(source)
    seeded = {
        id(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "default_rng"
        and (node.args or node.keywords)
    }
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "random"
        and id(node) not in seeded
    ]


def ids(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_packages_are_found() -> None:
    found = {ids(path) for path in MODULES}
    assert {"detectors/emergence.py", "connectors/events.py", "pipelines/stages/detect.py"} <= found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os.path as p", ["os.path"]),
        ("def f():\n    from time import time", ["time"]),
        ("from . import events", ["here"]),
        ("from .log import reader", ["here.log"]),
        ("if TYPE_CHECKING:\n    import pyflink.table", ["pyflink.table"]),
    ],
)
def test_every_form_of_import_is_seen(source: str, expected: list[str]) -> None:
    assert list(imported(source, "here")) == expected


def test_unseeded_chance_is_seen() -> None:
    assert unseeded("rng = np.random.default_rng(7)") == []
    assert unseeded("rng = np.random.default_rng()") == ["np.random.default_rng"]
    assert unseeded("x = numpy.random.normal(3)") == ["numpy.random.normal"]


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_imports_point_one_way(path: Path) -> None:
    ours = tops(path) & {*PACKAGES, "tests", "benchmarks"}
    # The command line stands on top: it alone shows what dashboards draw.
    shown = {"dashboards"} if ids(path).startswith("pipelines/cli/") else set()
    assert ours <= MAY_IMPORT[path.relative_to(ROOT).parts[0]] | shown


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_an_engine_is_imported_by_its_binding_alone(engine: str) -> None:
    assert {ids(path) for path in MODULES if engine in tops(path)} <= {ENGINES[engine]}


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_an_engine_is_bound(engine: str) -> None:
    assert engine in tops(ROOT / ENGINES[engine])


def test_one_module_alone_speaks_to_grafana() -> None:
    assert {ids(path) for path in MODULES if "grafana_client" in tops(path)} == {"dashboards/grafana.py"}


@pytest.mark.parametrize("path", modules("detectors"), ids=ids)
def test_the_mathematics_knows_no_clock_no_chance_and_no_network(path: Path) -> None:
    assert not tops(path) & OUTSIDE
    assert unseeded(path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_files_stay_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST_FILE


def test_no_document_has_a_gap_to_fill() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    assert documents
    gaps = [
        f"{ids(path)}: {line}"
        for path in documents
        for line in path.read_text("utf-8").splitlines()
        if line.isupper() and line.endswith("_TABLE")
    ]
    assert gaps == []
