"""`vigie check`: the settings and everything they name, before anything is loaded."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.contract import MISSING, Outcome, Parsed, Rejected, SetAside
from connectors.errors import SettingsError, VigieError
from pipelines.cli.accounts import in_words, reasons_of
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import notice, plural, print_json, print_table, warn

if TYPE_CHECKING:
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
    first: Mapping[str, str]
    """Where each reason was met first, and its detail."""
    reasons: Mapping[str, str]
    """Reasons in words."""

    @property
    def fit(self) -> int:
        """Rows of the sample that the settings fit."""
        return self.rows - sum(self.problems.values())

    @property
    def missing(self) -> str | None:
        """Where nothing fits: what the settings name and the source has not, if that is why."""
        found = None if self.fit else next((reason for reason in self.first if reason in MISSING), None)
        return None if found is None else self.first[found]

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
    looks = _look_at_sources(workspace, faults, settings)
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


def _look_at_sources(workspace: "Workspace", faults: Faults, file: Path) -> list[Look]:
    from connectors.files import expand
    from connectors.sources import open_sources

    settings, looks = workspace.settings, []
    names = None if faults.found else _Names(workspace)
    for number, source in enumerate(settings.source, start=1):
        with faults.collected():
            (opened,) = open_sources([source], base=settings.base, zone=settings.organisation.timezone)
            files = len(expand(settings.base, source.path))
            look = _try_rows(opened, source.kind, files, names)
            if look.missing:
                raise SettingsError(f'{file}: source[{number}], "{source.name}": no row fits; {look.missing}')
            looks.append(look)
    return looks


class _Names:
    """What the tree knows, and who may not be named where it does not."""

    def __init__(self, workspace: "Workspace") -> None:
        from connectors.admission import Redactor, read_names

        directory = workspace.settings.privacy.directory
        self._tree = workspace.tree
        self._redactor = Redactor(read_names(workspace.settings.path(directory)) if directory else [])

    def judged(self, outcome: Outcome) -> Outcome:
        """A rejection instead of a row whose perimeter is unknown."""
        from connectors.admission import unknown_perimeter

        if isinstance(outcome, Parsed) and self._tree.resolve(outcome.perimeter) is None:
            return unknown_perimeter(outcome.perimeter, self._redactor)
        return outcome


def _try_rows(opened: "OpenedSource", kind: str, files: int, names: _Names | None) -> Look:
    """Parse the first rows: how many, and why some would go to quarantine. names: None for unjudged."""
    rows, problems, first = 0, dict[str, int](), dict[str, str]()
    for record in islice(opened.source.records(), SAMPLE_ROWS):
        outcome = opened.source.parse(record)
        if outcome == SetAside("empty_file"):
            continue
        rows += 1
        if names is not None:
            outcome = names.judged(outcome)
        if isinstance(outcome, Rejected):
            problems[outcome.reason] = problems.get(outcome.reason, 0) + 1
            first.setdefault(outcome.reason, f"{record.where}: {outcome.detail}")
    return Look(opened.settings.name, kind, files, rows, problems, first, reasons_of(opened))


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
                f"{look.fit:,}",
            )
            for look in looks
        ],
    )
    for look in looks:
        if not look.rows:
            warn(f"{look.source}: there is nothing to read yet")
        for reason, count in look.problems.items():
            said = f"{in_words(reason, look.reasons)}; the first: {look.first[reason]}"
            warn(f"{look.source}: {plural(count, 'row')} of {look.rows}: {said}")
    useless = [look.source for look in looks if look.rows and not look.fit]
    if useless:
        warn(f"no row of {', '.join(useless)} fits: look into why before `vigie ingest` reads the sources")
    else:
        notice("the settings are right: `vigie ingest` reads the sources")
