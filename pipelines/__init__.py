"""Stages as pure functions on Arrow, their engine bindings, settings and the command line."""

import builtins
import sys

# Flink's Python workers put a method of theirs in the place of `print`, which numba, imported after, looks
# for by name in the module that it says it is from.
if _worker := sys.modules.get("pyflink.fn_execution.beam.beam_sdk_worker_main"):
    _worker.print = builtins.print  # type: ignore[attr-defined]
