"""How dates, numbers and channels are written in the languages that signals are told in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Tongue:
    """What differs between languages. channels: those whose name is not its own words."""

    months: Sequence[str]
    first_day: str
    decimal_mark: str
    conjunction: str
    channels: Mapping[str, str]

    def day(self, day: date) -> str:
        """Day and month."""
        return f"{day.day if day.day > 1 else self.first_day} {self.months[day.month - 1]}"

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
    decimal_mark=".",
    conjunction="and",
    channels={"email": "e-mail"},
)
