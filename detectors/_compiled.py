"""How the parts of kernels are compiled."""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])
_UNCOUNTED: dict[str, Any] = {"_nrt": False}
"""An option of numba that its own library uses and its type hints leave out."""


def part(function: Function) -> Function:
    """Compile a function that a kernel's innermost loop calls, and that makes no array.

    numba counts the references to every array that a function is handed, with locked instructions that took
    half of some kernels' time; here it does not, as in its own innermost functions.
    """
    compiled: Function = njit(cache=True, **_UNCOUNTED)(function)
    return compiled
