"""Occasions that move, by hand and by law: what they are like, and what a season's memory makes of them."""

from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.occasions import AROUND, NO_OCCASIONS, REACH, Counterpart, Occasions, Span
from detectors.season import SeasonMemory

EASTER_2010, EASTER_2011 = ((day - date(1970, 1, 1)).days for day in (date(2010, 4, 4), date(2011, 4, 24)))
"""385 days apart, as far as two Easters get; the first in the middle of week 2100 since 1970."""
EASTER = Occasions((("Pâques", (Span(EASTER_2010, EASTER_2010), Span(EASTER_2011, EASTER_2011))),))
CHOCOLATE = np.array([5], np.uint64)


def learn(memory: SeasonMemory, day: int, authors: int, exposure: int) -> None:
    said = np.array([authors] if authors else [], np.int64)
    memory.learn(CHOCOLATE[: said.size], said, exposure=exposure, bucket=day)


def after_easter(occasions: Occasions, *, days: int = 380) -> SeasonMemory:
    """In the week of Easter 2010 12 of 100 speak of chocolate, before and later nobody."""
    memory = SeasonMemory(occasions)
    learn(memory, EASTER_2010 - 3, 0, 30)
    learn(memory, EASTER_2010, 12, 30)
    learn(memory, EASTER_2010 + 2, 0, 40)
    for day in range(4, days):
        learn(memory, EASTER_2010 + day, 0, 10)
    return memory


def recalled(memory: SeasonMemory, day: int, rate: float = 0.01) -> tuple[float, int]:
    factors, days = memory.recall(CHOCOLATE, np.array([rate]), bucket=day)
    return round(float(factors[0]), 9), int(days[0])


@pytest.mark.parametrize("apart", range(-8, 9))
def test_what_was_said_around_last_easter_is_expected_around_this_one(apart: int) -> None:
    """12 of 100 against 0.01, where the week around the same day of 2010 meets that of Easter, 2100.

    A year before Easter 2011 is day 14723, in week 2103: two weeks around reach week 2100 until three days
    before Easter. From then on only the occasion knows.
    """
    assert (EASTER_2011 - EASTER_2010, EASTER_2010 // 7, EASTER_2010 % 7) == (385, 2100, 3)
    memory = after_easter(EASTER)
    bucket, by_season = EASTER_2011 + apart, (pytest.approx(12) if apart <= -3 else 1.0, -1)
    by_occasion = (pytest.approx(12), EASTER_2010 + apart)
    assert recalled(memory, bucket) == (by_occasion if -3 < apart <= 6 else by_season)
    assert recalled(after_easter(NO_OCCASIONS), bucket) == by_season


def test_memory_reaches_back_over_an_easter_that_comes_35_days_later() -> None:
    later = EASTER_2010 + 365 + 35
    occasions = Occasions((("Pâques", (Span(EASTER_2010, EASTER_2010), Span(later, later))),))
    memory = after_easter(occasions, days=365 + 35 + 7)
    assert [recalled(memory, later + apart)[0] for apart in (-6, 0, 6)] == pytest.approx([12, 12, 12])


def test_the_day_is_told_only_where_the_occasion_adds_something() -> None:
    # Christmas is in the same week of the year: the season knows it.
    a_year_later = EASTER_2010 + 365
    occasions = Occasions((("Noël", (Span(EASTER_2010, EASTER_2010), Span(a_year_later, a_year_later))),))
    assert recalled(after_easter(occasions), a_year_later) == (12.0, -1)
    assert recalled(after_easter(EASTER), EASTER_2011, rate=0.2) == (1.0, -1)


def test_the_nearest_of_occasions_that_lead_to_the_same_day_is_named() -> None:
    friday = tuple(Span(day - 2, day - 2) for day in (EASTER_2010, EASTER_2011))
    both = Occasions((*EASTER.named, ("Vendredi saint", friday)))
    assert recalled(after_easter(both), EASTER_2011 - 2) == (12.0, EASTER_2010 - 2)
    found = both.named_like(EASTER_2011 - 2, EASTER_2010 - 2)
    assert found == Counterpart(EASTER_2010 - 2, "Vendredi saint", EASTER_2010 - 2, 0)
    assert both.named_like(EASTER_2011 - 2, EASTER_2010 - 1) is None


@pytest.mark.parametrize(
    ("bucket", "counterpart"),
    # From 380 to 390 what lasted from 10 to 23: from the nearer end.
    [(372, None), (373, 3), (380, 10), (385, 15), (386, 19), (390, 23), (397, 30), (398, None)],
)
def test_days_of_holidays_of_another_length_are_matched_from_their_nearer_end(
    bucket: int, counterpart: int | None
) -> None:
    holidays = Occasions((("hiver", (Span(10, 23), Span(380, 390))),))
    assert [one.bucket for one in holidays.before(bucket)] == ([] if counterpart is None else [counterpart])


def test_days_that_shorter_holidays_did_not_have_are_like_their_ends() -> None:
    holidays = Occasions((("hiver", (Span(10, 11), Span(380, 390))),))
    assert [holidays.before(day)[0].bucket for day in (380, 381, 384, 387, 389, 390)] == [
        10,
        11,
        11,
        10,
        10,
        11,
    ]


@pytest.mark.parametrize("spans", [((5, 6), (6, 7)), ((9, 9), (1, 1)), ((1, 1), (1, 1)), ((3, 2),)])
def test_spans_out_of_order_are_refused(spans: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match="spans of 'x' must be in order and must not overlap"):
        Occasions((("x", tuple(Span(*span) for span in spans)),))


@st.composite
def calendars(draw: st.DrawFn, most: int = 4) -> Occasions:
    """Up to three names, whose spans of up to a month come one after another."""
    named = []
    for number in range(draw(st.integers(0, 3))):
        spans, end = [], draw(st.integers(-50, 50))
        for gap, length in draw(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 30)), max_size=most)):
            spans.append(Span(end + gap, end + gap + length))
            end = spans[-1].last
        named.append((f"n{number}", tuple(spans)))
    return Occasions(tuple(named))


def slowly(occasions: Occasions, bucket: int) -> Iterator[tuple[str, Span, Span]]:
    """Pairs of an occasion around a bucket and an earlier one within reach, one by one."""
    for name, spans in occasions.named:
        for now in spans:
            for earlier in spans:
                around = now.first - AROUND <= bucket <= now.last + AROUND
                if around and earlier.last < now.first and earlier.last + AROUND >= bucket - REACH:
                    yield name, earlier, now


@settings(deadline=None)
@given(occasions=calendars(), bucket=st.integers(-60, 1800))
def test_every_earlier_occasion_of_the_name_counts_and_no_other(occasions: Occasions, bucket: int) -> None:
    found = occasions.before(bucket)
    expected = [(name, earlier.first) for name, earlier, _ in slowly(occasions, bucket)]
    assert sorted((one.name, one.began) for one in found) == sorted(expected)
    for name, earlier, now in slowly(occasions, bucket):
        mine = [one for one in found if (one.name, one.began) == (name, earlier.first)]
        assert all(earlier.first - AROUND <= one.bucket <= earlier.last + AROUND for one in mine)
        apart = 0 if now.first <= bucket <= now.last else min(abs(bucket - now.first), abs(bucket - now.last))
        assert apart in [one.apart for one in mine]
    assert all(one.bucket < bucket for one in found)


def remembered(occasions: Occasions, days: list[int]) -> SeasonMemory:
    memory = SeasonMemory(occasions)
    for day, authors in enumerate(days):
        learn(memory, 300 + 3 * day, authors, 40)
    return memory


@settings(deadline=None)
@given(
    days=st.lists(st.integers(0, 9), min_size=100, max_size=160),
    occasions=calendars(most=1),
    more=calendars(),
    ahead=st.integers(0, 60),
)
def test_a_calendar_in_which_nothing_returns_changes_nothing_and_others_only_raise(
    days: list[int], occasions: Occasions, more: Occasions, ahead: int
) -> None:
    bucket = 300 + 3 * len(days) + ahead
    rates: NDArray[np.float64] = np.array([0.01])
    usual, _ = remembered(NO_OCCASIONS, days).recall(CHOCOLATE, rates, bucket=bucket)
    factor, day = remembered(occasions, days).recall(CHOCOLATE, rates, bucket=bucket)
    assert factor.tolist() == usual.tolist()
    assert day.tolist() == [-1]
    factor, day = remembered(more, days).recall(CHOCOLATE, rates, bucket=bucket)
    assert (factor >= usual).all()
    assert ((day >= 0) <= (factor > usual)).all()
