"""When people write: the fifty-six weeks, weekdays, seasons, calm and busy days."""

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from pipelines.demo.organisation import Organisation

WEEKS = 56
DAYS = 7 * WEEKS
LAST_DAY = date(2026, 3, 29)
FIRST_DAY = LAST_DAY - timedelta(days=DAYS - 1)
STORY_WEEKS = 12
STORY_DAY = DAYS - 7 * STORY_WEEKS
"""First day of the story, counted from FIRST_DAY."""

WEEKDAYS = (1.0, 0.9, 1.05, 1.0, 1.2, 1.75, 0.35)
"""Monday to Sunday."""
SATURDAY = 5

# Ramps up from the first date, full between the second and third, down to the fourth (month, day).
_Ramp = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
SEASONS: Mapping[str, tuple[_Ramp, ...]] = {
    "christmas": (((10, 25), (11, 25), (12, 24), (12, 31)),),
    "winter": (((10, 20), (11, 25), (12, 31), (12, 31)), ((1, 1), (1, 1), (2, 28), (4, 5))),
    "summer": (((5, 20), (6, 25), (8, 20), (9, 10)),),
    "sales": (((6, 22), (6, 25), (7, 10), (7, 24)), ((1, 5), (1, 8), (1, 20), (2, 5))),
    "school": (((8, 1), (8, 20), (9, 8), (9, 25)),),
    "garden": (((4, 1), (5, 1), (7, 1), (8, 25)),),
    "mothers": (((5, 8), (5, 18), (5, 28), (6, 4)),),
    "autumn": (((9, 25), (10, 20), (11, 8), (11, 30)),),
}
_BUSY: Mapping[int, float] = {1: 1.1, 2: 0.9, 8: 0.75, 11: 1.15, 12: 1.45}
"""Volume by month; 1 where absent."""


def day_date(day: int) -> date:
    """The civil day, `day` counted from FIRST_DAY."""
    return FIRST_DAY + timedelta(days=day)


def season_level(season: str | None, on: date) -> float:
    """0 out of season, 1 in full season; 1 where there is no season.

    >>> season_level("christmas", date(2025, 12, 10)), season_level("christmas", date(2025, 6, 1))
    (1.0, 0.0)
    """
    if season is None:
        return 1.0
    return max(_ramp(ramp, on) for ramp in SEASONS[season])


def _ramp(ramp: _Ramp, on: date) -> float:
    rise, full, fall, end = (date(on.year, *month_day) for month_day in ramp)
    if not rise <= on <= end:
        return 0.0
    if on < full:
        return (on - rise).days / (full - rise).days
    if on > fall:
        return (end - on).days / (end - fall).days
    return 1.0


def draw_volumes(
    organisation: Organisation, *, total: int, busy: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Number of ordinary texts a day and store, shape (DAYS, stores), summing to `total`.

    busy: extra factor of each day and store, same shape. Days differ more than chance alone (gamma).
    """
    sizes = np.array([store.size for store in organisation.stores])
    days = np.array([WEEKDAYS[day % 7] * _BUSY.get(day_date(day).month, 1.0) for day in range(DAYS)])
    spread = rng.gamma(25, 1 / 25, size=(DAYS, 1)) * rng.gamma(6, 1 / 6, size=(DAYS, len(sizes)))
    weights = days[:, None] * sizes[None, :] * spread * busy
    counts = rng.multinomial(total, (weights / weights.sum()).ravel())
    return counts.reshape(DAYS, len(sizes)).astype(np.int64)
