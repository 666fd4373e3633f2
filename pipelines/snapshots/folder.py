"""The folder of snapshots: each whole or not there, signed with the workspace's key, all within a bound.

    FOLDER/DAY-HASH/snapshot.json           what it was made from, and the SHA-256 of its files
    FOLDER/DAY-HASH/candidates.parquet ...  what was found day by day
    FOLDER/DAY-HASH/state-0000.parquet ...  the state after the last day, part by part: tables, and
    FOLDER/DAY-HASH/state-0001.zst ...      whatever else there is, pickled

State is pickled by whoever holds the key and read by nobody else: what the key did not sign is not opened.
"""

import hashlib
import hmac
import io
import json
import pickle
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.log.layout import from_iso, to_iso
from pipelines.snapshots.journal import TABLES, Journal
from pipelines.snapshots.known_days import KnownDays

FORMAT = 3
RECORD = "snapshot.json"
_MAC = "mac"
_NAME = re.compile(r"\d{4}-\d\d-\d\d-[0-9a-f]{16}|\.[0-9a-f]{32}")
"""Of a snapshot's folder, and of one that was being written."""
_EPOCH = date(1970, 1, 1)
_ENCODINGS = {
    pa.uint64(): "DELTA_BINARY_PACKED",
    pa.uint32(): "DELTA_BINARY_PACKED",
    pa.int32(): "DELTA_BINARY_PACKED",
    pa.int64(): "DELTA_BINARY_PACKED",
    pa.float32(): "BYTE_STREAM_SPLIT",
    pa.bool_(): "PLAIN",
}
"""Parquet's, of tables that have no other columns."""


class SnapshotError(Exception):
    """A snapshot is not what was written. Its message says what of it, and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot's record. settings, code: versions of both. days: known of the log whose head it read.

    files: SHA-256 by name. state: name of each part of the state by its file, empty where none was kept.
    """

    settings: str
    code: str
    log_head: str
    written_at: datetime
    days: KnownDays
    divisions: tuple[str, ...]
    files: Mapping[str, str]
    state: Mapping[str, str]

    @property
    def name(self) -> str:
        """Of its folder."""
        of = hashlib.blake2b(
            "\n".join([self.settings, self.code, self.days.at(self.days.last)]).encode(), digest_size=8
        )
        return f"{self.last_day}-{of.hexdigest()}"

    @property
    def last_day(self) -> date:
        """The last day that it knows."""
        return _EPOCH + timedelta(days=self.days.last)


class Snapshots:
    """The snapshots of a workspace. key: signs them. most: bytes of all of them, at most."""

    def __init__(self, folder: Path, *, key: bytes, most: Callable[[], int]) -> None:
        self.folder = folder
        self._key = key
        self._most = most

    def all(self) -> list[Snapshot]:
        """Those that the key signed, the latest day last."""
        found = []
        for place in self._places():
            try:
                found.append(self._read(place))
            except (SnapshotError, FileNotFoundError):
                continue
        return sorted(found, key=lambda one: (one.days.last, one.written_at, one.name))

    def faults(self) -> Iterator[tuple[str, str]]:
        """File and fault of what is not as it was written. Reads every file."""
        for place in self._places():
            try:
                snapshot = self._read(place)
                for file in snapshot.files:
                    self._content(snapshot, file)
            except FileNotFoundError as error:
                yield str(error.filename), "is missing"
            except SnapshotError as error:
                yield str(place), str(error)

    def journal(self, snapshot: Snapshot) -> Journal:
        """What a snapshot knows of its days; SnapshotError or FileNotFoundError where it was touched."""
        return Journal.of(
            {
                name: pq.read_table(io.BytesIO(self._content(snapshot, f"{name}.parquet")), schema=schema)
                for name, schema in TABLES.items()
            }
        )

    def state(self, snapshot: Snapshot) -> Iterator[tuple[str, Any]]:
        """The state after its last day, part by part; errors as in `journal`."""
        for file, name in snapshot.state.items():
            content = self._content(snapshot, file)
            if file.endswith(".parquet"):
                yield name, pq.read_table(io.BytesIO(content))
            else:
                yield name, pickle.load(_decompressed(content))

    def add(self, snapshot: Snapshot, journal: Journal, state: Iterable[tuple[str, Any]]) -> Snapshot | None:
        """Write a snapshot, whole or not at all; then let go of what it stands for, and of what is too much.

        snapshot: without files and state yet. Gives what was kept of it, None where it is too large. Raises
        OSError where it cannot be written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self.folder / f".{uuid4().hex}"
        beside.mkdir(mode=0o700)
        try:
            files, names = dict[str, str](), dict[str, str]()
            for name in TABLES:
                file = f"{name}.parquet"
                files[file] = _write(beside / file, partial(_table, journal.table(name)))
            for number, (name, part) in enumerate(state):
                is_table = isinstance(part, pa.Table)
                file = f"state-{number:04d}.{'parquet' if is_table else 'zst'}"
                names[file] = name
                files[file] = _write(beside / file, partial(_table if is_table else _pickled, part))
            written = replace(snapshot, files=files, state=names)
            self._sign(written, beside)
            place = self.folder / written.name
            shutil.rmtree(place, ignore_errors=True)
            beside.replace(place)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        self._let_go(written)
        return next((one for one in self.all() if one.name == written.name), None)

    def remove(self) -> int:
        """Remove all of them, whoever wrote them; how many."""
        places = list(self._places())
        for place in places:
            shutil.rmtree(place)
        return len(places)

    def size(self, snapshot: Snapshot | None = None) -> int:
        """Bytes of one, or of all."""
        places = self._places() if snapshot is None else [self.folder / snapshot.name]
        return sum(file.stat().st_size for place in places for file in place.iterdir())

    def _let_go(self, latest: Snapshot) -> None:
        """Remove what the latest one knows too, what no code reads any more, and the oldest of what is over
        the bound: first their state, then they themselves."""
        others = sorted(
            (one for one in self.all() if one.name != latest.name), key=lambda one: one.written_at
        )
        for one in list(others):
            known = one.settings == latest.settings and one.days.alike(latest.days) == one.days.last
            if one.code != latest.code or known:
                shutil.rmtree(self.folder / one.name)
                others.remove(one)
        most = self._most()
        for one in (*others, latest):
            if self.size() > most and (one is not latest or self.size(latest) > most):
                self._forget_state(one)
        for one in (*others, latest):
            if self.size() > most:
                shutil.rmtree(self.folder / one.name)

    def _forget_state(self, snapshot: Snapshot) -> None:
        files = {file: sha256 for file, sha256 in snapshot.files.items() if file not in snapshot.state}
        self._sign(replace(snapshot, files=files, state={}), self.folder / snapshot.name)
        for file in snapshot.state:
            (self.folder / snapshot.name / file).unlink()

    def _places(self) -> Iterator[Path]:
        """Folders that are snapshots, or were to become one: whatever else lies there is left alone."""
        if self.folder.is_dir():
            yield from sorted(place for place in self.folder.iterdir() if _NAME.fullmatch(place.name))

    def _sign(self, snapshot: Snapshot, place: Path) -> None:
        told = {
            "format": FORMAT,
            **asdict(snapshot),
            "written_at": to_iso(snapshot.written_at),
            "days": {"last": snapshot.days.last, "changes": [list(one) for one in snapshot.days.changes]},
        }
        content = json.dumps({**told, _MAC: self._mac(told)}, ensure_ascii=False, sort_keys=True) + "\n"
        _write(place / RECORD, partial(_all, content.encode()))

    def _read(self, place: Path) -> Snapshot:
        try:
            told = json.loads((place / RECORD).read_bytes())
            signed = told.pop(_MAC)
            if not hmac.compare_digest(signed, self._mac(told)):
                raise SnapshotError(f"{RECORD} is not signed with this workspace's key")
            if told.pop("format") != FORMAT:
                raise SnapshotError(f"{RECORD} is of another version; `vigie snapshots write` writes it anew")
        except NotADirectoryError as error:
            raise SnapshotError("is no snapshot") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SnapshotError(f"{RECORD} cannot be read") from error
        days = KnownDays([(day, sha) for day, sha in told["days"]["changes"]], told["days"]["last"])
        return Snapshot(
            **{
                **told,
                "written_at": from_iso(told["written_at"]),
                "days": days,
                "divisions": tuple(told["divisions"]),
            }
        )

    def _content(self, snapshot: Snapshot, file: str) -> bytes:
        content = (self.folder / snapshot.name / file).read_bytes()
        if hashlib.sha256(content).hexdigest() != snapshot.files[file]:
            raise SnapshotError(f"{file} is not what was written")
        return content

    def _mac(self, told: Mapping[str, Any]) -> str:
        content = json.dumps(told, ensure_ascii=False, sort_keys=True)
        return hmac.new(self._key, content.encode(), hashlib.sha256).hexdigest()


class _Hashing(io.RawIOBase):
    """Hashes what is written to a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.sha256.update(content)
        return self._file.write(content)


def _write(path: Path, write: Callable[[BinaryIO], None]) -> str:
    """Write a file beside and rename it; its SHA-256."""
    beside = path.with_name(f".{path.name}")
    with beside.open("wb") as file:
        out = _Hashing(file)
        write(cast("BinaryIO", out))
    beside.replace(path)
    return out.sha256.hexdigest()


def _all(content: bytes, out: BinaryIO) -> None:
    out.write(content)


def _table(table: pa.Table, out: BinaryIO) -> None:
    plain = all(kind in _ENCODINGS for kind in table.schema.types)
    # Of ids and fractions hardly any comes twice: a dictionary of them is larger than they are.
    encodings = {field.name: _ENCODINGS[field.type] for field in table.schema} if plain else None
    pq.write_table(table, out, compression="zstd", use_dictionary=not plain, column_encoding=encodings)


def _pickled(part: Any, out: BinaryIO) -> None:
    with pa.CompressedOutputStream(pa.PythonFile(out, mode="w"), "zstd") as stream:
        pickle.dump(part, stream, protocol=pickle.HIGHEST_PROTOCOL)


def _decompressed(content: bytes) -> BinaryIO:
    return cast("BinaryIO", pa.CompressedInputStream(pa.BufferReader(content), "zstd"))
