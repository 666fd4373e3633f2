"""Civil days of a time zone: which day an instant falls on, and the instant a day begins.

Both stand on one list of midnights, so the days of slices and of buckets are the same, in any year: Arrow's
own zones know no summer time after 2037.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_YEAR_US = 31_556_952_000_000
"""Mean length of a year."""


def midnight(day: date, zone: str) -> datetime:
    """The instant a civil day begins, UTC. Where clocks skip midnight, the instant of the change.

    >>> midnight(date(2024, 7, 1), "Europe/Paris").isoformat()
    '2024-06-30T22:00:00+00:00'
    """
    return datetime.combine(day, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def day_of(number: int) -> date:
    """The civil day of a number that `civil_days` gives.

    >>> day_of(19_723).isoformat()
    '2024-01-01'
    """
    return _EPOCH.date() + timedelta(days=number)


def civil_days(instants: NDArray[np.int64], zone: str) -> NDArray[np.int32]:
    """Day number since 1970-01-01 of each instant, as calendars in `zone` show it; shape kept.

    instants: microseconds since 1970-01-01 UTC, in the years 3 to 9997. A day lasts from its first midnight
    to the next day's: where clocks go back over midnight, the hour that comes again stays with the later day.
    """
    if not instants.size:
        return np.zeros(instants.shape, np.int32)
    earliest, latest = (1970 + int(us) // _YEAR_US for us in (instants.min(), instants.max()))
    # A year to each side: the mean year and the zone's offset may cross a New Year.
    years = range(earliest - 1, latest + 2)
    midnights = np.concatenate([_midnights(year, zone) for year in years])
    days_begun = np.searchsorted(midnights, instants, side="right")
    first_day = (date(years[0], 1, 1) - _EPOCH.date()).days
    return (first_day - 1 + days_begun).astype(np.int32)


@lru_cache(maxsize=1024)
def _midnights(year: int, zone: str) -> NDArray[np.int64]:
    """When each day of a year begins, in microseconds since 1970-01-01 UTC."""
    first = date(year, 1, 1)
    days = (date(year + 1, 1, 1) - first).days
    begins = ((midnight(first + timedelta(days=day), zone) - _EPOCH) // _MICROSECOND for day in range(days))
    return np.fromiter(begins, np.int64, days)
