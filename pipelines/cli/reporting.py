"""Errors as users see them: lines on the error stream and an exit code, no traceback."""

import errno
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import typer

from connectors.errors import VigieError
from pipelines.cli.output import complain, notice

TRACEBACK_VARIABLE = "VIGIE_TRACEBACK"
UNEXPECTED = 1
INTERRUPTED = 130
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_OURS = Path(__file__).parents[2]

_tracebacks: ContextVar[bool] = ContextVar("tracebacks", default=False)

P = ParamSpec("P")


def end_on_sigterm() -> None:
    """Have SIGTERM end the process as a command ends, so that what it opened is closed: the built-in store's
    server would else run on.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def show_tracebacks(wanted: bool) -> None:
    """Whether an unexpected error shows where it happened; the environment variable asks for it too."""
    _tracebacks.set(wanted or bool(os.environ.get(TRACEBACK_VARIABLE)))


def reported(command: Callable[P, None]) -> Callable[P, None]:
    """The command, its errors turned into lines on the error stream and an exit code."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except BaseException as error:
            raise typer.Exit(_report(error)) from error

    return run


def _report(error: BaseException) -> int:
    """Say what went wrong; the exit code."""
    match error:
        case VigieError():
            for line in str(error).splitlines():
                complain(line)
            return error.exit_code
        case KeyboardInterrupt():
            notice("interrupted: what was committed stays, and running again completes it")
            return INTERRUPTED
        case BrokenPipeError():
            _mute_stdout()
            return UNEXPECTED
        case SystemExit():
            return error.code if isinstance(error.code, int) else UNEXPECTED
        case OSError(errno=number) if number in _DISK_FULL:
            place = error.filename or f"temporary files go to {tempfile.gettempdir()}, TMPDIR moves them"
            complain(f"the disk is full ({place}): free some space and run again; what was committed stays")
            return UNEXPECTED
        case OSError(filename=str() | bytes() as name, strerror=str() as reason):
            complain(f"{os.fsdecode(name)}: {reason}")
            return UNEXPECTED
    _report_unexpected(error)
    return UNEXPECTED


def _report_unexpected(error: BaseException) -> None:
    """The kind of error and its place, never its message: that could quote a text."""
    shown = _tracebacks.get()
    hint = "" if shown else "; `vigie --verbose ...` shows where"
    complain(
        f"unexpected {type(error).__name__}{_place(error)}: this is a fault of Vigie, please report it{hint}"
    )
    if shown:
        notice("the traceback may quote texts: read it before you send it")
        traceback.print_exception(error, file=sys.stderr)


def _place(error: BaseException) -> str:
    """` in pipelines/flow.py:75`, the innermost of our own lines."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_OURS)]
    mine = [frame for frame in ours if "site-packages" not in frame.filename]
    if not mine:
        return ""
    return f" in {Path(mine[-1].filename).relative_to(_OURS)}:{mine[-1].lineno}"


def _mute_stdout() -> None:
    """Nobody reads any more: what is still to be flushed at the end goes nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
