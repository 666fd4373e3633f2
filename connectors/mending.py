"""Files that could not be read as a whole, and whether reading them again resolves their quarantine."""

from collections.abc import Iterable, Iterator

from connectors.contract import Record
from connectors.quarantine import Entry, Quarantine
from connectors.unread import stands_for_file


class Mending:
    """The whole-file entries of one source while its files are read again.

    An entry is resolved once its file gave records and not that same fault: what is wrong with the file
    now, if anything, has an entry of its own. A file that gives nothing resolves nothing.
    """

    def __init__(self, source: str, quarantine: Quarantine, entries: Iterable[Entry]) -> None:
        self._source = source
        self._quarantine = quarantine
        self._entries = {entry.id: entry.record for entry in entries if stands_for_file(entry.record)}
        self._files = {record.file for record in self._entries.values()}
        self._read: set[str] = set()
        self._failed: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._entries)

    def concerns(self, record: Record) -> bool:
        """Whether a record comes from a file that has an entry."""
        return bool(self._files) and not self._files.isdisjoint(places(record.file))

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """The same records, noted as they pass."""
        for record in records:
            if self.concerns(record):
                self._read.update(self._files.intersection(places(record.file)))
                if stands_for_file(record):
                    self._failed.add(self._quarantine.id_of(self._source, record))
            yield record

    def unread(self) -> list[Record]:
        """What is kept of the files that gave no record."""
        return [record for record in self._entries.values() if record.file not in self._read]

    def resolved(self) -> list[str]:
        """Ids of the entries that may go."""
        return [
            entry_id
            for entry_id, record in self._entries.items()
            if record.file in self._read and entry_id not in self._failed
        ]


def places(file: str) -> Iterator[str]:
    """A file and what it lies in: a member of an archive is named `archive/member`.

    >>> list(places("in/a.zip/b.eml"))
    ['in/a.zip/b.eml', 'in/a.zip', 'in']
    """
    while file:
        yield file
        file = file.rpartition("/")[0]
