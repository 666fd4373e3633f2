"""One writer at a time: a lock the kernel releases when its holder dies."""

import fcntl
import json
import os
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from connectors.errors import LogBusyError
from connectors.log.layout import to_iso


class WriterLock:
    """An exclusive flock on a file, which says who holds it. The file stays; only the lock matters."""

    def __init__(self, path: Path, *, since: datetime) -> None:
        self._path = path
        self._since = since
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Take the lock; LogBusyError if another process, or another writer of this one, holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            holder = {"pid": os.getpid(), "since": to_iso(self._since)}
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode() + b"\n", 0)
        except BlockingIOError:
            holder_now = _holder(descriptor)
            os.close(descriptor)
            raise LogBusyError(
                f"{self._path.parent}: the event log is being written by {holder_now}; "
                "there can be one writer: wait for it to end or stop it"
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Unlocking, not only closing: a forked child may still share the descriptor.
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {int(holder['pid'])} since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process that has just started"
