"""When each record of the log became known, for questions about the past."""

from collections.abc import Iterable
from datetime import datetime
from itertools import accumulate

from connectors.log.manifest import Manifest


def known_at(manifests: Iterable[Manifest]) -> list[datetime]:
    """When each record of a chain became known: when it was committed, never before the record before it.

    Neither before the time of a load, nor before the log's clock that it set. Where the machine's clock went
    back, records count from the highest time before them, as the log's clock does.
    """
    return list(accumulate(map(_committed_at, manifests), max))


def _committed_at(manifest: Manifest) -> datetime:
    times = [manifest.written_at, manifest.clock, manifest.load.loaded_at if manifest.load else None]
    return max(time for time in times if time is not None)
