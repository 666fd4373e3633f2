"""Waiting that a signal or a change of the sources ends at once."""

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Self


class Waker:
    """Waits, until woken from another thread or told to stop by a signal; use it as a context manager.

    A pipe carries the news: unlike a lock, it may be written to by a signal's handler at any moment.
    """

    def __init__(self) -> None:
        self.stopping = False
        self._woken = False

    def __enter__(self) -> Self:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._reading)
        os.close(self._writing)

    def wake(self) -> None:
        """End the wait, or the next one."""
        # A full pipe wakes as well.
        with suppress(BlockingIOError):
            os.write(self._writing, b".")

    def stop(self) -> None:
        """End every wait from now on."""
        self.stopping = True
        self.wake()

    def wait(self, seconds: float) -> None:
        """Wait until woken, told to stop, or for some seconds."""
        if not self._woken and not self.stopping:
            self._listen(seconds)
        self._woken = False

    def pause(self, seconds: float) -> None:
        """Wait for some seconds unless told to stop; what woke in between ends the next wait."""
        end = time.monotonic() + seconds
        while not self.stopping and (left := end - time.monotonic()) > 0:
            self._listen(left)

    def _listen(self, seconds: float) -> None:
        ready, _, _ = select.select([self._reading], [], [], max(0.0, seconds))
        if ready:
            self._woken = True
            with suppress(BlockingIOError):
                while os.read(self._reading, 4096):
                    pass


@contextmanager
def stopped_by_signals(waker: Waker) -> Iterator[None]:
    """SIGTERM and SIGINT tell the waker to stop; a second SIGINT interrupts as usual."""

    def stop(number: int, _: FrameType | None) -> None:
        waker.stop()
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
