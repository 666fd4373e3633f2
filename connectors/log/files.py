"""Reading a log's files from a local folder, any pyarrow file system or any fsspec one."""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from connectors.errors import LogError
from connectors.events import LEAF, TEXT, TEXT_READ
from connectors.log.layout import (
    GENERATION,
    MANIFEST,
    SEGMENT,
    core_path,
    manifests_folder,
    segments_folder,
    text_path,
)


@dataclass(frozen=True, slots=True, order=True)
class ManifestPlace:
    """A committed manifest's place: in order of generation, then number."""

    generation: int
    seq: int
    path: str


class LogFiles:
    """The files under one location. Paths are relative to it; opening happens at first use."""

    def __init__(self, location: str) -> None:
        self.location = location.rstrip("/") or "/"

    def name(self, path: str) -> str:
        """A file as messages name it."""
        return f"{self.location}/{path}"

    def manifests(self) -> list[ManifestPlace]:
        """Every committed manifest, sorted. LogError if there is no log here."""
        generations = self._generations()
        if not generations:
            raise LogError(
                f"{self.location}: there is no event log here: check the path, or ingest something first"
            )
        places = []
        # The newest first: what a writer adds in between is then never seen without what it follows.
        for generation in sorted(generations, reverse=True):
            folder = manifests_folder(generation)
            matches = (MANIFEST.match(name) for name in self._list(folder))
            places += [ManifestPlace(generation, int(m[1]), f"{folder}/{m[0]}") for m in matches if m]
        return sorted(places)

    def segments(self) -> list[tuple[int, int, str]]:
        """Generation, number and path of every finished segment file, sorted; named by a manifest or not."""
        return sorted(
            (generation, int(match[1]), f"{folder}/{match[0]}")
            for generation in self._generations()
            for folder in (segments_folder(generation),)
            for match in map(SEGMENT.match, self._list(folder))
            if match
        )

    def holds(self, path: str) -> bool:
        """Whether a file is there."""
        filesystem, root = self._resolved
        try:
            return bool(filesystem.get_file_info(posixpath.join(root, path)).is_file)
        except OSError as error:
            raise LogError(f"{self.name(path)}: cannot be looked for ({error}): check the path") from error

    def read(self, path: str) -> bytes:
        """A whole small file."""
        try:
            with self.open(path) as file:
                return bytes(file.read())
        except OSError as error:
            raise LogError(
                f"{self.name(path)}: cannot be read ({error}): restore it from a copy of the log"
            ) from error

    def open(self, path: str) -> pa.NativeFile:
        """A file for random access; OSError as the file system raises it."""
        filesystem, root = self._resolved
        return filesystem.open_input_file(posixpath.join(root, path))

    def is_gone(self, generation: int, seq: int) -> bool:
        """Whether a file of a segment is not there (rather than damaged)."""
        filesystem, root = self._resolved
        paths = [posixpath.join(root, path(generation, seq)) for path in (core_path, text_path)]
        try:
            return any(info.type == fs.FileType.NotFound for info in filesystem.get_file_info(paths))
        except OSError:
            return False

    def read_groups(self, path: str, groups: Sequence[int] | None, schema: pa.Schema) -> pa.Table:
        """Row groups (all where None) of a Parquet file, in the given order, as `schema`.

        LogError names the file if it is missing, truncated, altered (page checksums) or of another schema.
        """
        try:
            with self.open(path) as file:
                parquet = pq.ParquetFile(file, page_checksum_verification=True)
                wanted = range(parquet.num_row_groups) if groups is None else groups
                table = parquet.read_row_groups(list(wanted), columns=schema.names, use_threads=False)
                return table.select(schema.names).cast(schema)
        except (OSError, pa.ArrowException, IndexError, KeyError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise LogError(
                f"{self.name(path)}: the segment is missing or damaged ({reason}): "
                "restore it from a copy of the log; `vigie log set-aside` goes on without a damaged one"
            ) from error

    def read_texts(self, path: str, groups: Sequence[int] | None) -> pa.Table:
        """As `read_groups`, of a text file: TEXT_READ. Leaves are null where no text was erased."""
        try:
            with self.open(path) as file:
                has_leaves = LEAF.name in pq.ParquetFile(file).schema_arrow.names
        except (OSError, pa.ArrowException):
            has_leaves = False
        if has_leaves:
            return self.read_groups(path, groups, TEXT_READ)
        texts = self.read_groups(path, groups, TEXT)
        return texts.append_column(LEAF, pa.nulls(texts.num_rows, LEAF.type))

    def _generations(self) -> list[int]:
        return [int(match[1]) for name in self._list("") if (match := GENERATION.match(name))]

    @cached_property
    def _resolved(self) -> tuple[Any, str]:
        if "://" not in self.location:
            return fs.LocalFileSystem(), str(Path(self.location).absolute())
        try:
            filesystem, root = fs.FileSystem.from_uri(self.location)
            return filesystem, root
        except pa.ArrowInvalid:
            # Not a scheme pyarrow knows: fsspec may.
            pass
        try:
            filesystem, root = fsspec.core.url_to_fs(self.location)
        except (ValueError, ImportError) as error:
            raise LogError(f"{self.location}: cannot open this kind of location ({error})") from error
        return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), root

    def _list(self, folder: str) -> list[str]:
        filesystem, root = self._resolved
        place = posixpath.join(root, folder) if folder else root
        try:
            found = filesystem.get_file_info(fs.FileSelector(place, allow_not_found=True))
        except OSError as error:
            raise LogError(f"{self.name(folder)}: cannot be listed ({error}): check the path") from error
        return [info.base_name for info in found]
