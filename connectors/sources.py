"""From the sources a user configured to sources that can be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from connectors.contract import FileSource
from connectors.source_settings import CommonSource, LettersSource, MailSource, TableSource


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """A source with the settings it was made from."""

    source: FileSource
    settings: CommonSource


def open_sources(
    settings: Sequence[MailSource | LettersSource | TableSource], *, base: Path, zone: str
) -> list[OpenedSource]:
    """One reader for each configured source, in the order given; nothing is read yet.

    base: the folder relative paths start from. zone: the organisation's, for times without one. Only the
    readers needed are imported.
    """
    return [OpenedSource(_open(one, base=base, zone=zone), one) for one in settings]


def _open(settings: MailSource | LettersSource | TableSource, *, base: Path, zone: str) -> FileSource:
    match settings:
        case MailSource():
            from connectors.mail import Mail

            return Mail(settings, base=base, zone=zone)
        case LettersSource():
            from connectors.letters import Letters

            return Letters(settings, base=base, zone=zone)
        case TableSource():
            from connectors.tables import Table

            return Table(settings, base=base, zone=zone)
        case _:
            assert_never(settings)
