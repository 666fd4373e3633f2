"""What returns but not at a date, as settings say it: holidays of a country, occasions of an organisation."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from connectors.source_settings import Model

if TYPE_CHECKING:
    from detectors.occasions import Occasions

YEARS = range(2000, 2050)
"""Those whose holidays are known; fixed, for what is expected must not depend on the day of a replay."""
LONGEST = timedelta(days=100)
PUBLIC, SCHOOL = "public", "school"
"""Kinds of holidays, as the library calls them."""
_EPOCH = date(1970, 1, 1)
_DAY = timedelta(days=1)
_REMARK = re.compile(r"\s*\([^()]*\)$")
"""Such as that a day is an estimate: the library's, of some years only."""

Named = Mapping[str, "Sequence[Period]"]
"""Occasions by name, their periods in order."""


class Period(Model):
    """Days of an occasion, both ends included."""

    first: date
    last: date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first > self.last:
            raise ValueError(f"first is {self.first}, last is {self.last}; first must not be after last")
        if self.last - self.first >= LONGEST:
            raise ValueError(f"lasts from {self.first} to {self.last}; must be {LONGEST.days} days at most")
        return self


def _as_period(value: object) -> object:
    """A day is a period of its own."""
    if isinstance(value, Period | Mapping):
        return value
    day = None
    if isinstance(value, str):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            day = None
    elif isinstance(value, date) and not isinstance(value, datetime):
        day = value
    if day is None:
        raise ValueError(
            "must be a date such as 2026-05-31, or a first and a last one: "
            "{ first = 2026-01-07, last = 2026-02-03 }"
        )
    return {"first": day, "last": day}


class OccasionSettings(Model):
    """What an organisation knows to return."""

    name: Annotated[str, Field(min_length=1)]
    dates: Annotated[list[Annotated[Period, BeforeValidator(_as_period)]], Field(min_length=1)]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for before, after in pairwise(sorted(self.dates, key=lambda period: period.first)):
            if after.first <= before.last:
                raise ValueError(f"dates overlap: {_written(before)} and {_written(after)}; must be apart")
        return self


def country_fault(country: str) -> str | None:
    """What is wrong with a country's code, None if holidays of it are known."""
    if country in _countries():
        return None
    return "must be the two capital letters of a country, such as FR; no holidays are known of this one"


def subdivisions_fault(country: str | None, subdivisions: Sequence[str]) -> str | None:
    """What is wrong with the parts of a country that are named, None if they are known."""
    if country is None:
        return "parts of organisation.country, which is missing; add it" if subdivisions else None
    known = _holidays_of(country).subdivisions
    unknown = [name for name in subdivisions if name not in known]
    if not unknown:
        return None
    parts = f"they are {', '.join(known)}" if known else "none are known; leave them out"
    return f"{country} has no part {', '.join(unknown)}: {parts}"


def school_fault(country: str | None, subdivisions: Sequence[str]) -> str | None:
    """What is wrong with asking for school holidays, None if they are known."""
    if country is None:
        return "those of organisation.country, which is missing; add it"
    if SCHOOL not in _holidays_of(country).supported_categories:
        return f"school holidays of {country} are not known; leave it out, and name them as an [[occasion]]"
    if not _days(country, tuple(subdivisions), SCHOOL, "en_US"):
        parts = ", ".join(_holidays_of(country).subdivisions)
        return (
            f"school holidays of {country} differ between its parts: name yours in "
            f"organisation.subdivisions, of {parts}"
        )
    return None


def expanded(
    own: Iterable[OccasionSettings],
    *,
    country: str | None,
    subdivisions: Sequence[str],
    school: bool,
    languages: Sequence[str],
) -> dict[str, list[Period]]:
    """All that returns, by name, in order of name; days of one name that touch or overlap are one period.

    languages: the first of them that the country's holidays are named in is taken.
    """
    days: dict[str, set[date]] = {}
    for one in own:
        days.setdefault(one.name, set()).update(day for period in one.dates for day in _each_day(period))
    if country is not None:
        language = _language_of(country, languages)
        for kind in (PUBLIC, *([SCHOOL] if school else [])):
            for name, theirs in _days(country, tuple(subdivisions), kind, language).items():
                days.setdefault(name, set()).update(theirs)
    return {name: list(_periods(days[name])) for name in sorted(days)}


def as_plain(named: Named) -> dict[str, list[str]]:
    """Occasions as plain values, as decisions keep them: days, and periods as ISO 8601 writes them."""
    return {name: [_written(period) for period in periods] for name, periods in named.items()}


def from_plain(content: Mapping[str, Sequence[str]]) -> list[OccasionSettings]:
    """What `as_plain` gave, as an organisation's own; ValueError where it is none."""
    # Not checked: periods of several parts of a country in turn may be longer than one's own.
    return [
        OccasionSettings.model_construct(name=name, dates=[_read(text) for text in periods])
        for name, periods in content.items()
    ]


def in_buckets(named: Named) -> "Occasions":
    """Occasions as detection knows them, buckets being days since 1970-01-01."""
    from detectors.occasions import Occasions, Span

    return Occasions(
        tuple(
            (name, tuple(Span((one.first - _EPOCH).days, (one.last - _EPOCH).days) for one in periods))
            for name, periods in named.items()
        )
    )


def _written(period: Period) -> str:
    if period.first == period.last:
        return period.first.isoformat()
    return f"{period.first.isoformat()}/{period.last.isoformat()}"


def _read(text: str) -> Period:
    first, _, last = text.partition("/")
    return Period.model_construct(first=date.fromisoformat(first), last=date.fromisoformat(last or first))


def _each_day(period: Period) -> Iterator[date]:
    return (period.first + timedelta(days=day) for day in range((period.last - period.first).days + 1))


def _periods(days: Iterable[date]) -> Iterator[Period]:
    """Days as the fewest periods."""
    ordered = sorted(days)
    starts = [0, *(place + 1 for place, (a, b) in enumerate(pairwise(ordered)) if b - a > _DAY)]
    for start, end in pairwise([*starts, len(ordered)]):
        # Not checked: see `from_plain`.
        yield Period.model_construct(first=ordered[start], last=ordered[end - 1])


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    # The library takes a quarter of a second to import, and most organisations name no country.
    from holidays.registry import COUNTRIES

    return frozenset(names[1] for names in COUNTRIES.values())


def _holidays_of(country: str, **asked: Any) -> Any:
    from holidays import country_holidays

    # Named, for the library's own choice of a language follows the machine's.
    return country_holidays(country, **{"language": "en_US", **asked})


def _language_of(country: str, languages: Sequence[str]) -> str:
    known = _holidays_of(country).supported_languages
    wanted = [name for language in languages for name in known if name.split("_")[0] == language]
    return wanted[0] if wanted else "en_US"


@lru_cache(maxsize=64)
def _days(
    country: str, subdivisions: tuple[str, ...], kind: str, language: str
) -> Mapping[str, frozenset[date]]:
    """Days of each holiday of a kind, of the country as a whole and of some of its parts."""
    days: dict[str, set[date]] = {}
    for part in subdivisions or (None,):
        found = _holidays_of(
            country, subdiv=part, years=YEARS, observed=False, categories=(kind,), language=language
        )
        for day in found:
            for name in found.get_list(day):
                days.setdefault(_REMARK.sub("", name), set()).add(day)
    return {name: frozenset(theirs) for name, theirs in days.items()}
