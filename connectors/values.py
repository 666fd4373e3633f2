"""Values as people and spreadsheets write them: dates, numbers, scores.

Every function is pure, and raises ValueError with the rule. A message shows a value only where it can be
nothing but a short number or a date; anything else is shown by its shape (`Aaaa 99`), because a shifted
column puts names and telephone numbers where dates are expected.
"""

import math
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from connectors.source_settings import ScoreScale

_SPREADSHEET_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - serial days have no zone of their own
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_CLOCK = (
    r"(?:[\s,t]*(?:(?<=\s)(?:a|at)\s+)?"
    r"(?P<hour>\d{1,2})(?:\s?[:.h]\s?(?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,](?P<part>\d{1,6})\d*)?)?"
    r"|\s?h|(?=\s?[ap]\.?m))"
    r"\s?(?P<half>[ap]\.?m\.?)?\s?(?P<offset>z|utc|gmt|[+-]\d{2}:?\d{2})?)?"
)
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})(?![\d])" + _CLOCK)
_YEAR_LAST = re.compile(r"(?P<one>\d{1,2})([-/.])(?P<two>\d{1,2})\2(?P<year>\d{4}|\d{2})(?!\d)" + _CLOCK)
_WEEKDAY = r"(?:[a-z]{2,9}\.?,?\s+)?"
_DAY_MONTH = re.compile(
    _WEEKDAY + r"(?:le\s+)?(?P<day>\d{1,2})(?:er|st|nd|rd|th)?[\s.-]+(?:of\s+)?(?P<name>[a-z]{3,9})\.?[\s,-]+"
    r"(?P<year>\d{4})(?!\d)" + _CLOCK
)
_MONTH_DAY = re.compile(
    _WEEKDAY
    + r"(?P<name>[a-z]{3,9})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})(?!\d)"
    + _CLOCK
)
_YEAR_AT_END = re.compile(
    r"[a-z]{3}\s+(?P<name>[a-z]{3})\s+(?P<day>\d{1,2})\s+(?P<hour>\d{2}):(?P<minute>\d{2}):(?P<second>\d{2})"
    r"(?P<part>)(?P<half>)\s+(?:(?P<offset>utc|gmt|[+-]\d{4})\s+)?(?P<year>\d{4})"
)
_NUMERIC_DAY = re.compile(r"\s*(\d{1,2})([-/.])(\d{1,2})\2(?:\d{4}|\d{2})(?!\d)")

_MONTH_NAMES = (
    "january jan janvier janv",
    "february feb fevrier fevr fev",
    "march mar mars",
    "april apr avril avr",
    "may mai",
    "june jun juin",
    "july jul juillet juil",
    "august aug aout",
    "september sep septembre sept",
    "october oct octobre",
    "november nov novembre",
    "december dec decembre",
)
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, 1) for name in names.split()}

_DATE_RULE = "write 2024-03-12 14:30, 12/03/2024 14:30, 12 mars 2024 or Unix seconds"


def fold(text: str) -> str:
    """Lower case without accents, compatible forms made one, spaces collapsed: for comparing, not showing.

    >>> fold("  Très\u00a0SATISFAIT ")
    'tres satisfait'
    """
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(text.casefold().split())


def shape(text: str, *, limit: int = 30) -> str:
    """What a value looks like without saying it: letters become `a` or `A`, digits `9`.

    >>> shape("Rue 12, Lille")
    'Aaa 99, Aaaaa'
    """
    drawn = "".join(
        "9" if char.isdigit() else ("A" if char.isupper() else "a") if char.isalpha() else char
        for char in text[:limit]
    )
    return drawn + ("…" if len(text) > limit else "")


def parse_time(text: str, *, zone: str, day_first: bool = True) -> datetime:
    """The instant a text names, in UTC.

    zone: IANA name, where times without an offset are placed; of a time that occurs twice (autumn) the
    first is meant, one that never occurs (spring) moves forward by the gap. day_first: how 03/04/2024
    reads; 31/12/2024 and 12/31/2024 prove themselves. Two-digit years follow POSIX (69-99 are 19xx).
    Also read: numbers of 10 or 13 digits as Unix seconds or milliseconds, 8 or 14 digits as
    yyyymmdd[HHMMSS], numbers from 20000 to 80000 as a spreadsheet's serial days (to the millisecond).
    Raises ValueError with the rule.

    >>> parse_time("12 mars 2024 à 14h30", zone="Europe/Paris").isoformat()
    '2024-03-12T13:30:00+00:00'
    """
    text = text.strip()
    try:
        if text[4:5] == "-" and text[10:11] in ("", " ", "T"):
            try:
                return _place(datetime.fromisoformat(text), zone)
            except ValueError:
                pass  # a looser form, such as a space before the offset, is read below
        elif text.replace(".", "", 1).replace(",", "", 1).isdecimal() and text.isascii():
            return _from_digits(text, zone)
        return _from_words(text, zone, day_first)
    except (ValueError, OverflowError):
        raise ValueError(f"{_shown_date(text)} is not a date; {_DATE_RULE}") from None


def day_first_of(samples: Iterable[str]) -> bool | None:
    """Whether a column of dates is dd/mm (True) or mm/dd (False); None where no value, or both, prove it.

    >>> day_first_of(["03/04/2024", "25/04/2024"])
    True
    """
    proofs = set()
    for sample in samples:
        if match := _NUMERIC_DAY.match(sample):
            one, two = int(match[1]), int(match[3])
            if one > 12 >= two:
                proofs.add(True)
            elif two > 12 >= one:
                proofs.add(False)
    return proofs.pop() if len(proofs) == 1 else None


def _place(moment: datetime, zone: str) -> datetime:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return moment.astimezone(UTC)


def _from_digits(text: str, zone: str) -> datetime:
    whole = re.split("[.,]", text)[0]
    if len(whole) == 8 and whole == text and "1900" <= whole[:4] <= "2100":
        return _place(datetime.fromisoformat(whole), zone)
    if len(whole) == 14 and whole == text:
        return _place(datetime.fromisoformat(f"{whole[:8]}T{whole[8:]}"), zone)
    if text[0] == "0":
        raise ValueError
    value = float(text.replace(",", "."))
    if len(whole) == 10:
        return _UNIX_EPOCH + timedelta(seconds=value)
    if len(whole) == 13:
        return _UNIX_EPOCH + timedelta(milliseconds=value)
    if 20_000 <= value <= 80_000:
        return _place(_SPREADSHEET_EPOCH + timedelta(milliseconds=round(value * 86_400_000)), zone)
    raise ValueError


def _from_words(text: str, zone: str, day_first: bool) -> datetime:
    folded = fold(text)
    if folded[:1].isdigit():
        if match := _YEAR_LAST.fullmatch(folded):
            one, two = int(match["one"]), int(match["two"])
            if one > 12 or two > 12:
                day_first = one > 12
            day, month = (one, two) if day_first else (two, one)
            return _moment(match, month, day, zone)
        if match := _YEAR_FIRST.fullmatch(folded):
            return _moment(match, int(match["month"]), int(match["day"]), zone)
    for pattern in (_YEAR_AT_END, _DAY_MONTH, _MONTH_DAY):
        match = pattern.fullmatch(folded)
        if match and match["name"] in _MONTHS:
            return _moment(match, _MONTHS[match["name"]], int(match["day"]), zone)
    raise ValueError


def _moment(match: re.Match[str], month: int, day: int, zone: str) -> datetime:
    year, hour, minute, second, part, half, offset = match.group(
        "year", "hour", "minute", "second", "part", "half", "offset"
    )
    full_year = int(year) if len(year) == 4 else int(year) + (1900 if int(year) >= 69 else 2000)
    micro = int(part.ljust(6, "0")) if part else 0
    zone_of = _offset(offset) if offset else ZoneInfo(zone)
    clock = (_hour(int(hour or 0), half), int(minute or 0), int(second or 0), micro)
    return datetime(full_year, month, day, *clock, tzinfo=zone_of).astimezone(UTC)


def _hour(hour: int, half: str | None) -> int:
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError
    return hour % 12 + (12 if half[0] == "p" else 0)


@lru_cache(maxsize=256)
def _offset(text: str) -> timezone:
    if text[0] not in "+-":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _shown_date(text: str) -> str:
    folded = fold(text)
    if _YEAR_FIRST.fullmatch(folded) or _YEAR_LAST.fullmatch(folded):
        return repr(text)
    return f"a value shaped {shape(text)!r}"


_DIGITS = re.compile(r"[+-]?(?:\d+|\d{1,3}(?P<group>[ '])\d{3}(?:(?P=group)\d{3})*)?(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([.,])\d{3}(?:\1\d{3})*(?:(?!\1)[.,]\d+)?")
_UNIT = re.compile(r"\s?(?:%|etoiles?|stars?|points?|pts?|(?:/|sur|out of)\s?(?P<top>\d+(?:[.,]\d+)?))")
_FULL_STARS, _EMPTY_STARS = "★⭐🌟", "☆✩"
_SHORT_NUMBER = re.compile(r"[-+]?[\d.,/% ]{1,8}")


def parse_number(text: str, *, decimal_comma: bool) -> float:
    """The number a text shows, without its unit: `4,5`, `1 234,5`, `85 %` (85), `4/5` (4), `★★★★☆` (4).

    decimal_comma: how `1,234` and `1.234` read; a separator that cannot mark thousands marks decimals.
    Raises ValueError with the rule.

    >>> parse_number("1 234,5", decimal_comma=True), parse_number("1,234", decimal_comma=False)
    (1234.5, 1234.0)
    """
    return _number_and_top(text, decimal_comma)[0]


def _number_and_top(text: str, decimal_comma: bool) -> tuple[float, float | None]:
    stars = [char for char in text if not char.isspace() and char != "\ufe0f"]
    if stars and all(char in _FULL_STARS + _EMPTY_STARS for char in stars):
        return float(sum(char in _FULL_STARS for char in stars)), None
    folded = fold(text).replace("−", "-").replace("’", "'")
    number, top = folded, None
    if unit := _UNIT.search(folded):
        if unit.end() != len(folded):
            raise ValueError(_not_a_number(text))
        number = folded[: unit.start()]
        top = float(unit["top"].replace(",", ".")) if unit["top"] else None
    return _plain_number(number, text, decimal_comma), top


def _plain_number(number: str, text: str, decimal_comma: bool) -> float:
    match = _DIGITS.fullmatch(number)
    if not match or not number[-1:].isdigit():
        raise ValueError(_not_a_number(text))
    if match["group"]:
        number = number.replace(match["group"], "")
    thousands = _THOUSANDS.fullmatch(number)
    decimal = "," if decimal_comma else "."
    several = sum(map(number.count, ",.")) > 1
    if thousands and (several or thousands[1] != decimal):
        number = number.replace(thousands[1], "")
    elif several:
        raise ValueError(_not_a_number(text))
    return float(number.replace(",", "."))


def _not_a_number(text: str) -> str:
    return f"{_shown_value(text)} is not a number; write 4, 4.5, 4,5, 85 %, 4/5 or ★★★★☆"


def _shown_value(text: str) -> str:
    return repr(text) if _SHORT_NUMBER.fullmatch(text) else f"a value shaped {shape(text)!r}"


class Scale:
    """A source's score made [0, 1], as its settings say.

    decimal_comma: how scores written as text read.
    """

    def __init__(self, settings: ScoreScale, *, decimal_comma: bool = False) -> None:
        self._labels = {fold(label): value for label, value in settings.labels.items()}
        self._unanswered = frozenset(map(fold, settings.unanswered))
        self._worst = 0.0 if settings.worst is None else settings.worst
        self._best = 1.0 if settings.best is None else settings.best
        self._decimal_comma = decimal_comma
        # A column of scores holds few distinct values.
        self._of_text = lru_cache(maxsize=4096)(self._read)

    def normalise(self, value: object) -> float | None:
        """The score in [0, 1], 1 is best; None for blank or unanswered.

        ValueError out of the scale or for an unknown label.
        """
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and not self._labels:
            return None if str(value) in self._unanswered else self._linear(float(value))
        return self._of_text(str(value))

    def __str__(self) -> str:
        """The scale in words, for messages."""
        if self._labels:
            return "the labels " + ", ".join(self._labels)
        return f"{self._worst:g} (worst) to {self._best:g} (best)"

    def _read(self, text: str) -> float | None:
        if not text or text.isspace() or fold(text) in self._unanswered:
            return None
        if self._labels:
            score = self._labels.get(fold(text))
            if score is None:
                raise ValueError(f"{_shown_value(text)} is not on the scale: {self}")
            return score
        number, top = _number_and_top(text, self._decimal_comma)
        if top is not None and top != max(self._worst, self._best):
            raise ValueError(f"{_shown_value(text)} is out of {top:g}, not on the scale: {self}")
        return self._linear(number)

    def _linear(self, number: float) -> float:
        if not min(self._worst, self._best) <= number <= max(self._worst, self._best):
            raise ValueError(f"{number:g} is not on the scale: {self}")
        return (number - self._worst) / (self._best - self._worst)
