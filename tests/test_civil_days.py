"""Civil days agree with zoneinfo, in both directions, in years that Arrow's zones do not know too."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.civil_days import civil_days, midnight

ZONES = ["Europe/Paris", "America/New_York", "Asia/Kolkata"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC) for year in (1990, 2101))
INSTANTS = st.integers(0, (LAST - FIRST) // timedelta(microseconds=1) - 1).map(
    lambda us: FIRST + timedelta(microseconds=us)
)


def days_of(instants: list[datetime], zone: str) -> list[date]:
    us = np.array([(instant - EPOCH) // timedelta(microseconds=1) for instant in instants], np.int64)
    return [EPOCH.date() + timedelta(days=day) for day in civil_days(us, zone).tolist()]


@pytest.mark.parametrize("zone", ZONES)
@settings(deadline=None)
@given(instants=st.lists(INSTANTS, min_size=1, max_size=20))
def test_days_are_those_of_zoneinfo(zone: str, instants: list[datetime]) -> None:
    assert days_of(instants, zone) == [instant.astimezone(ZoneInfo(zone)).date() for instant in instants]


@pytest.mark.parametrize("zone", ZONES)
@settings(deadline=None)
@given(instant=INSTANTS)
def test_a_day_begins_at_its_midnight(zone: str, instant: datetime) -> None:
    (day,) = days_of([instant], zone)
    begin, end = midnight(day, zone), midnight(day + timedelta(days=1), zone)
    assert begin <= instant < end
    local = begin.astimezone(ZoneInfo(zone))
    assert (local.date(), local.hour, local.minute) == (day, 0, 0)
    assert days_of([begin - timedelta(microseconds=1), begin, end], zone) == [
        day - timedelta(days=1),
        day,
        day + timedelta(days=1),
    ]


@pytest.mark.parametrize("zone", ZONES)
def test_every_hour_of_years_before_and_after_2037(zone: str) -> None:
    for year in (1990, 2024, 2037, 2038, 2063, 2099):
        hours = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(366 * 24)]
        assert days_of(hours, zone) == [hour.astimezone(ZoneInfo(zone)).date() for hour in hours]


def test_summer_time_after_2037_by_hand() -> None:
    assert days_of([datetime(2040, 7, 1, 21, 59, tzinfo=UTC)], "Europe/Paris") == [date(2040, 7, 1)]
    assert days_of([datetime(2040, 7, 1, 22, tzinfo=UTC)], "Europe/Paris") == [date(2040, 7, 2)]


def test_a_day_that_a_zone_left_out_is_empty() -> None:
    # Samoa went from 29 to 31 December 2011, at 10:00 UTC on the 30th.
    change = datetime(2011, 12, 30, 10, tzinfo=UTC)
    before = change - timedelta(microseconds=1)
    assert days_of([before, change], "Pacific/Apia") == [date(2011, 12, 29), date(2011, 12, 31)]


def test_an_hour_that_comes_again_after_midnight_stays_with_its_day() -> None:
    # In St. John's clocks went back from 00:01 to 23:01 on 29 October 2006, at 02:31 UTC.
    begin = datetime(2006, 10, 29, 2, 30, tzinfo=UTC)
    assert midnight(date(2006, 10, 29), "America/St_Johns") == begin
    minutes = [begin + timedelta(minutes=minute) for minute in range(-1, 90)]
    days = days_of(minutes, "America/St_Johns")
    assert days == [date(2006, 10, 28), *[date(2006, 10, 29)] * 90]


def test_nothing_has_no_days() -> None:
    assert civil_days(np.zeros(0, np.int64), "UTC").shape == (0,)
