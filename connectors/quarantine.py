"""Quarantine: records that could not become events, kept encrypted and for a limited time.

A folder of `YYYY-MM-DD.jsonl` files, one line an entry, by day of arrival. In clear stand only the entry's
id, source, reason and times; the file's name (which may be a person's), the line, the detail and the
record itself are sealed with AES-GCM under a key derived from the secret. No stage reads it.
"""

import base64
import contextlib
import fcntl
import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors.contract import Record, Rejected
from connectors.errors import QuarantineError
from connectors.log.durable import make_folder, sync_folder, write_whole
from connectors.payloads import payload_from_json, payload_to_json
from connectors.secret import Secret

KEPT = timedelta(days=30)
_NONCE_BYTES = 12
_ID_BYTES = 16

_Version: TypeAlias = tuple[int, int]
"""Modification time in nanoseconds and size: what tells whether a file changed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One quarantined record. id: 32 hexadecimal characters, the same for the same record."""

    id: str
    source: str
    reason: str
    quarantined_at: datetime
    expires_at: datetime
    detail: str
    record: Record


class Quarantine:
    """The quarantine in one folder, made at the first entry. kept: how long an entry lives.

    Every method raises QuarantineError, naming the file, if the folder cannot be read or written, or holds
    what this key does not open.
    """

    def __init__(self, folder: Path, secret: Secret, *, kept: timedelta = KEPT) -> None:
        self.folder = folder
        self._kept = kept
        self._cipher = AESGCM(secret.key("quarantine"))
        self._id_key = secret.key("quarantine-id")
        self._ids_of: dict[Path, tuple[_Version, frozenset[str]]] = {}

    def add(self, source: str, rejected: Iterable[tuple[Record, Rejected]], *, now: datetime) -> int:
        """Keep records, durably when this returns; how many are new. One already kept stays as it is."""
        with self._exclusive(), _disk_faults(self.folder):
            known = self._known()
            lines = []
            for record, why in rejected:
                entry_id = self.id_of(source, record)
                if entry_id not in known:
                    known.add(entry_id)
                    lines.append(self._line(entry_id, source, why.reason, _sealed_content(record, why), now))
            if lines:
                path = self.folder / f"{now.astimezone(UTC):%Y-%m-%d}.jsonl"
                before = self._ids_of.get(path, (None, frozenset()))[1]
                self._append(path, lines)
                self._ids_of[path] = _version(path), before.union(line["id"] for line in lines)
            return len(lines)

    def entries(self, source: str | None = None) -> Iterator[Entry]:
        """Every entry, or those of one source, decrypted, oldest day first, in order of arrival."""
        for path in self._files():
            for header, sealed in self._lines(path):
                if source is None or header["source"] == source:
                    yield self._open(path, header, sealed)

    def show(self, entry_id: str) -> Entry:
        """One entry by its id, or by the beginning of its id if no other begins so."""
        found = [
            (path, header, sealed)
            for path in self._files()
            for header, sealed in self._lines(path)
            if entry_id and header["id"].startswith(entry_id)
        ]
        if len(found) != 1:
            many = "several begin" if found else "none begins"
            raise QuarantineError(f"{self.folder}: {many} with {entry_id!r}; see `vigie quarantine list`")
        return self._open(*found[0])

    def purge(self, now: datetime) -> int:
        """Delete what has expired; how many entries went."""
        return self._drop(lambda header: datetime.fromisoformat(header["expires_at"]) <= now)

    def remove(self, entry_ids: Collection[str]) -> int:
        """Delete entries by id, unknown ids ignored; how many went."""
        gone = frozenset(entry_ids)
        return self._drop(lambda header: header["id"] in gone) if gone else 0

    def _known(self) -> set[str]:
        """The ids of all entries; files that did not change since the last look are not read again."""
        ids_of = {}
        for path in self._files():
            version, ids = self._ids_of.get(path, (None, frozenset[str]()))
            if version != _version(path):
                version, ids = _version(path), frozenset(header["id"] for header, _ in self._lines(path))
            ids_of[path] = version, ids
        self._ids_of = ids_of
        return set().union(*(ids for _, ids in ids_of.values()))

    def id_of(self, source: str, record: Record) -> str:
        """The id an entry of this record has, kept or not."""
        content = json.dumps([source, record.file, record.line, payload_to_json(record.payload)])
        return blake2b(content.encode(), key=self._id_key, digest_size=_ID_BYTES).hexdigest()

    def _line(
        self, entry_id: str, source: str, reason: str, sealed: dict[str, Any], now: datetime
    ) -> dict[str, str]:
        header = {
            "id": entry_id,
            "source": source,
            "reason": reason,
            "quarantined_at": now.astimezone(UTC).isoformat(),
            "expires_at": (now + self._kept).astimezone(UTC).isoformat(),
        }
        nonce = os.urandom(_NONCE_BYTES)
        content = self._cipher.encrypt(nonce, json.dumps(sealed).encode(), _bound(header))
        return {**header, "sealed": base64.b64encode(nonce + content).decode()}

    def _open(self, path: Path, header: dict[str, str], sealed: str) -> Entry:
        try:
            blob = base64.b64decode(sealed)
            content = json.loads(
                self._cipher.decrypt(blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], _bound(header))
            )
        except (InvalidTag, ValueError):
            raise QuarantineError(
                f"{path}: entry {header['id']} does not open: it is damaged, or was kept under another "
                "secret key; restore the key or the file"
            ) from None
        return Entry(
            id=header["id"],
            source=header["source"],
            reason=header["reason"],
            quarantined_at=datetime.fromisoformat(header["quarantined_at"]),
            expires_at=datetime.fromisoformat(header["expires_at"]),
            detail=content["detail"],
            record=Record(content["file"], content["line"], payload_from_json(content["payload"])),
        )

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.jsonl"))

    def _lines(self, path: Path) -> Iterator[tuple[dict[str, str], str]]:
        with _disk_faults(self.folder):
            yield from _lines(path)

    def _append(self, path: Path, lines: list[dict[str, str]]) -> None:
        fresh = not path.exists()
        with path.open("ab") as file:
            _cut_torn_tail(path)
            _write_lines(file, lines=lines)
            file.flush()
            os.fsync(file.fileno())
        if fresh:
            sync_folder(self.folder)

    def _drop(self, goes: Callable[[dict[str, str]], bool]) -> int:
        """Rewrite each file that holds an entry that goes, or delete it if none stays."""
        if not self.folder.is_dir():
            return 0
        dropped = 0
        with self._exclusive(), _disk_faults(self.folder):
            for path in self._files():
                lines = list(self._lines(path))
                kept = [{**header, "sealed": sealed} for header, sealed in lines if not goes(header)]
                if len(kept) == len(lines):
                    continue
                dropped += len(lines) - len(kept)
                if kept:
                    write_whole(path, partial(_write_lines, lines=kept))
                else:
                    path.unlink()
            sync_folder(self.folder)
        return dropped

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One process at a time changes the folder; another waits the moment it takes."""
        with _disk_faults(self.folder):
            make_folder(self.folder)
            handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def kept_in(folder: Path) -> Counter[tuple[str, str]]:
    """How many entries a quarantine keeps of each source and reason; needs no key, and changes nothing."""
    kept: Counter[tuple[str, str]] = Counter()
    with _disk_faults(folder):
        for path in sorted(folder.glob("*.jsonl")):
            for header, _ in _lines(path):
                kept[header["source"], header["reason"]] += 1
    return kept


def _lines(path: Path) -> Iterator[tuple[dict[str, str], str]]:
    """Header and sealed part of each whole line; a line without end was never acknowledged."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                header = json.loads(line)
                sealed = header.pop("sealed")
                datetime.fromisoformat(header["expires_at"])
            except (ValueError, KeyError, AttributeError):
                raise QuarantineError(
                    f"{path}:{number}: not an entry of quarantine; restore the file from a copy, "
                    "or delete the line"
                ) from None
            yield header, sealed


def _sealed_content(record: Record, why: Rejected) -> dict[str, Any]:
    return {
        "file": record.file,
        "line": record.line,
        "detail": why.detail,
        "payload": payload_to_json(record.payload),
    }


def _bound(header: dict[str, str]) -> bytes:
    """What the seal vouches for besides its content: nobody can move a sealed record under another header."""
    return json.dumps(header, sort_keys=True).encode()


def _write_lines(file: BinaryIO, *, lines: list[dict[str, str]]) -> None:
    file.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def _cut_torn_tail(path: Path) -> None:
    """Remove a last line without end, which a killed writer left."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0 or (file.seek(-1, os.SEEK_END) and file.read(1) == b"\n"):
            return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole != len(content):
        os.truncate(path, whole)


def _version(path: Path) -> _Version:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@contextlib.contextmanager
def _disk_faults(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise QuarantineError(
            f"{folder}: quarantine cannot be read or written ({error.strerror or error}); free some space "
            "or correct the folder's rights, then run again: nothing was lost"
        ) from error
