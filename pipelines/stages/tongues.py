"""How dates, numbers and channels are written in the languages that signals are told in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pipelines.stages.evidence import at_least

_SAME_YEAR = timedelta(days=183)
"""A day and month alone are taken for those of the year nearest."""


@dataclass(frozen=True, slots=True)
class Tongue:
    """What differs between languages. no_text, texts, times: none, and several. fewer, or_more: than a
    number, which stands for {}. channels: those whose name is not its own words.
    """

    months: Sequence[str]
    first_day: str
    texts: tuple[str, str]
    times: tuple[str, str]
    fewer: str
    or_more: str
    decimal_mark: str
    conjunction: str
    channels: Mapping[str, str]

    def day(self, day: date) -> str:
        """Day and month."""
        return f"{day.day if day.day > 1 else self.first_day} {self.months[day.month - 1]}"

    def since(self, day: date, raised: date) -> str:
        """The day a story began; with its year where the day it was raised does not tell which is meant.

        >>> raised = date(2026, 1, 19)
        >>> FRENCH.since(date(2025, 12, 31), raised), FRENCH.since(date(2025, 3, 31), raised)
        ('31 décembre', '31 mars 2025')
        """
        told = self.day(day)
        return told if abs(raised - day) < _SAME_YEAR else f"{told} {day.year}"

    def number(self, value: float, decimals: int | None = None) -> str:
        """A number; as many decimals as it deserves where not given.

        >>> FRENCH.number(3.14159), FRENCH.number(0.02), ENGLISH.number(31.4), ENGLISH.number(-0.25)
        ('3,1', '<0,1', '31', '-0.2')
        >>> FRENCH.number(0), ENGLISH.number(-0.001, 2)
        ('0', '0.00')
        """
        if value == 0 and decimals is None:
            text = "0"
        elif decimals is not None:
            # No minus sign before what is shown as 0.
            text = f"{round(value, decimals) + 0.0:.{decimals}f}"
        elif 0 < value < 0.1:
            text = "<0.1"
        else:
            text = f"{value:.1f}" if abs(value) < 10 else f"{value:.0f}"
        return text.replace(".", self.decimal_mark)

    def counted(self, count: float, least: int, nouns: tuple[str, str] = ("", "")) -> str:
        """A number of texts or mentions as it is shown: none, under the minimum, or at least a multiple.

        nouns: for none, and for several.

        >>> [FRENCH.counted(count, 5, FRENCH.texts) for count in (0, 1, 5, 12)]
        ['aucun texte', 'moins de 5 textes', 'au moins 5 textes', 'au moins 10 textes']
        >>> [ENGLISH.counted(count, 5, ENGLISH.times) for count in (0, 4, 9)]
        ['not once', 'fewer than 5 times', 'at least 5 times']
        >>> [ENGLISH.counted(count, 5) for count in (0, 4, 9)]
        ['0', 'fewer than 5', 'at least 5']
        """
        none, several = nouns
        if count < 1:
            return none or "0"
        shown = at_least(count, least)
        words = self.or_more.format(shown) if shown else self.fewer.format(least)
        return f"{words} {several}".rstrip()

    def channel(self, channel: str) -> str:
        """Name of a channel."""
        return self.channels.get(channel, channel.replace("_", " "))

    def listed(self, words: Sequence[str]) -> str:
        """a, b and c.

        >>> FRENCH.listed(["e-mail", "enquête", "courrier"])
        'e-mail, enquête et courrier'
        """
        if len(words) < 2:
            return "".join(words)
        return f"{', '.join(words[:-1])} {self.conjunction} {words[-1]}"


FRENCH = Tongue(
    months="janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
    first_day="1er",
    texts=("aucun texte", "textes"),
    times=("pas une fois", "fois"),
    fewer="moins de {}",
    or_more="au moins {}",
    decimal_mark=",",
    conjunction="et",
    channels={
        "email": "e-mail",
        "letter": "courrier",
        "survey": "enquête",
        "field_note": "notes de terrain",
        "complaint": "réclamation",
    },
)
ENGLISH = Tongue(
    months="January February March April May June July August September October November December".split(),
    first_day="1",
    texts=("no text", "texts"),
    times=("not once", "times"),
    fewer="fewer than {}",
    or_more="at least {}",
    decimal_mark=".",
    conjunction="and",
    channels={"email": "e-mail"},
)
