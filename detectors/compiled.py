"""How inner loops are compiled: they work on arrays of their callers and make none themselves."""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])
# The last is not in numba's annotations.
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "forceinline": True, "_nrt": False}


def inner(function: _Function) -> _Function:
    """Compile into the caller, and without numba's memory management: what makes an array does not compile.

    Otherwise numba counts each array in and out of a function, an atomic operation each, wherever a loop in
    it keeps it from leaving that out (its issue 2350 measures with the same option): over a third of the time
    that tokenising took. A call that is not inlined passes seven numbers an array, tuples of arrays one by
    one. Where Python calls it, other threads go on.
    """
    compiled: _Function = njit(**_OPTIONS)(function)
    return compiled
