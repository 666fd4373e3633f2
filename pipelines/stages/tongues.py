"""How dates, numbers and channels are written in the languages that signals are told in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

_SAME_YEAR = timedelta(days=183)
"""A day and month alone are taken for those of the year nearest."""


@dataclass(frozen=True, slots=True)
class Tongue:
    """What differs between languages. texts: one text, several; channels: those whose name is not
    its own words.
    """

    months: Sequence[str]
    first_day: str
    texts: tuple[str, str]
    decimal_mark: str
    conjunction: str
    least_plural: int
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

    def counted_texts(self, count: int) -> str:
        """A number of texts.

        >>> [tongue.counted_texts(count) for tongue in (FRENCH, ENGLISH) for count in (0, 1, 2)]
        ['0 texte', '1 texte', '2 textes', '0 texts', '1 text', '2 texts']
        """
        return f"{count} {self.texts[count != 1 and count >= self.least_plural]}"

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
    texts=("texte", "textes"),
    decimal_mark=",",
    conjunction="et",
    least_plural=2,
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
    texts=("text", "texts"),
    decimal_mark=".",
    conjunction="and",
    least_plural=0,
    channels={"email": "e-mail"},
)
