"""Writing that is there whole or not at all, and stays after a power cut."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from connectors.errors import LogError


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file beside, sync it, rename it into place. On any failure nothing is left of it.

    The rename itself is durable once `sync_folder` has run on the folder.
    """
    beside = path.with_name(path.name + ".tmp")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_content(path: Path, content: bytes | memoryview) -> None:
    """The same, of a content that is at hand."""

    def write(file: BinaryIO) -> None:
        file.write(content)

    write_whole(path, write)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, durably. Existing ones are kept."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space and run again",
    errno.EDQUOT: "the disk quota is used up: free some space and run again",
    errno.EACCES: "permission denied: give this user write access to the folder",
    errno.EPERM: "permission denied: give this user write access to the folder",
    errno.EROFS: "the file system is read-only: choose another folder for the log",
    errno.ENOTDIR: "a file stands where a folder is needed: choose another folder for the log",
    errno.EEXIST: "a file stands where a folder is needed: choose another folder for the log",
}


@contextmanager
def disk_faults(location: Path) -> Iterator[None]:
    """Turn an OSError into one clear LogError."""
    try:
        yield
    except OSError as error:
        reason = _ADVICE.get(error.errno or 0, f"{error.strerror or error}: check the disk and run again")
        raise LogError(
            f"{location}: cannot write the event log, {reason}; what was committed stays"
        ) from error
