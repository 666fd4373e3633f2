"""What `detectors.emergence` and its tree refuse, before anything is learned of it."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

LAST_BUCKET = 2**31 - 1
"""Buckets are kept in 32 bits."""
MOST_AUTHORS = 2**53
"""Above, a float holds no whole numbers."""


def check_counted(counts: NDArray[Any], exposures: Any, bucket: int) -> None:
    """Raise ValueError where authors are no integers, or a bucket is none that can be kept."""
    for name, values in (("counts", counts), ("exposure", np.asarray(exposures))):
        if not np.issubdtype(values.dtype, np.integer):
            raise ValueError(f"{name} are {values.dtype}; they must be integers")
    if not -LAST_BUCKET <= bucket <= LAST_BUCKET:
        raise ValueError(f"bucket is {bucket}; it must lie between -{LAST_BUCKET} and {LAST_BUCKET}")


def check_expected(prior: NDArray[np.float64] | None, season: NDArray[np.float64] | None) -> None:
    """Raise ValueError where a prior is no rate, or a season no factor of at least 1."""
    for name, values, least in (("prior", prior, 0.0), ("season", season, 1.0)):
        if values is not None and not ((values >= least) & (values < math.inf)).all():
            wrong = values[~((values >= least) & (values < math.inf))][0]
            raise ValueError(f"{name} holds {wrong}; each must be finite and at least {least:g}")
