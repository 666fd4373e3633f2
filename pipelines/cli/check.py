"""`vigie check`: the settings and everything they name, before anything is loaded."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from connectors.errors import VigieError
from pipelines.cli.accounts import in_words, reasons_of
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import notice, plural, print_json, print_table, warn

if TYPE_CHECKING:
    from connectors.perimeters import PerimeterTree
    from connectors.sources import OpenedSource
    from pipelines.workspace import Workspace

SAMPLE_ROWS = 100
"""Rows of a source that are parsed, to see whether the settings fit it."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at one source showed. rows: of the sample; problems: how many of them, by reason."""

    source: str
    kind: str
    files: int
    rows: int
    problems: Mapping[str, int]
    reasons: Mapping[str, str]
    """Reasons in words."""

    def as_json(self) -> dict[str, Any]:
        """Without the words."""
        return {name: getattr(self, name) for name in ("source", "kind", "files", "rows", "problems")}


@dataclass(slots=True)
class Faults:
    """Collects errors, so that one does not hide the next."""

    found: list[VigieError] = field(default_factory=list)

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Keep the error that stops the block."""
        try:
            yield
        except VigieError as error:
            self.found.append(error)

    def raise_all(self) -> None:
        """One error of the first's kind with every message, if there is any."""
        if self.found:
            raise type(self.found[0])("\n".join(map(str, self.found)))


def check(settings: SettingsFile = DEFAULT_SETTINGS, as_json: AsJson = False) -> None:
    """Check the settings before loading anything.

    Also the files they name, and the first rows of each source. Every fault is listed at once.
    """
    workspace = open_workspace(settings)
    faults = Faults()
    _check_named_files(workspace, faults)
    looks = _look_at_sources(workspace, faults)
    faults.raise_all()
    if as_json:
        print_json(
            {"settings_version": workspace.settings_version, "sources": [look.as_json() for look in looks]}
        )
    else:
        _show(looks)


def _check_named_files(workspace: "Workspace", faults: Faults) -> None:
    from connectors.admission import read_names

    directory, key_file = workspace.settings.privacy.directory, workspace.settings.privacy.key_file
    with faults.collected():
        _ = workspace.tree
    with faults.collected():
        _ = workspace.lexicons
    with faults.collected():
        _ = workspace.weights
    if directory is not None:
        with faults.collected():
            read_names(workspace.settings.path(directory))
    if workspace.settings.path(key_file).exists():
        with faults.collected():
            _ = workspace.secret


def _look_at_sources(workspace: "Workspace", faults: Faults) -> list[Look]:
    from connectors.files import expand
    from connectors.sources import open_sources

    settings, looks = workspace.settings, []
    tree = None if faults.found else workspace.tree
    for source in settings.source:
        with faults.collected():
            (opened,) = open_sources([source], base=settings.base, zone=settings.organisation.timezone)
            files = len(expand(settings.base, source.path))
            rows, problems = _try_rows(opened, tree)
            looks.append(Look(source.name, source.kind, files, rows, problems, reasons_of(opened)))
    return looks


def _try_rows(opened: "OpenedSource", tree: "PerimeterTree | None") -> tuple[int, Counter[str]]:
    """How many of the first rows were parsed, and why some would go to quarantine."""
    from connectors.contract import Parsed, Rejected

    rows, problems = 0, Counter[str]()
    for record in islice(opened.source.records(), SAMPLE_ROWS):
        rows += 1
        match opened.source.parse(record):
            case Rejected(reason=reason):
                problems[reason] += 1
            case Parsed(perimeter=perimeter) if tree is not None and tree.resolve(perimeter) is None:
                problems["unknown_perimeter"] += 1
    return rows, problems


def _show(looks: Sequence[Look]) -> None:
    if not looks:
        warn("no [[source]] is configured yet: there is nothing to ingest")
        return
    print_table(
        {"source": "left", "kind": "left", "files": "right", "rows tried": "right", "fit": "right"},
        [
            (
                look.source,
                look.kind,
                f"{look.files:,}",
                f"{look.rows:,}",
                f"{look.rows - sum(look.problems.values()):,}",
            )
            for look in looks
        ],
    )
    for look in looks:
        if not look.rows:
            warn(f"{look.source}: there is nothing to read yet")
        for reason, count in look.problems.items():
            warn(f"{look.source}: {plural(count, 'row')} of {look.rows}: {in_words(reason, look.reasons)}")
    notice("the settings are right: `vigie ingest` reads the sources")
