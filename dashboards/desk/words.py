"""The words of mails and pages, a file for each language."""

import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("fr", "en")
_NO_BREAK = "\u00a0"
_BEFORE_MARKS = re.compile(" (?=[:;?!»%])|(?<=«) ")


class Words:
    """Words of a language: `words["mail.see"]`, `words.of("tones", "praise")`.

    Numbers and dates are written as the language does.
    """

    def __init__(self, lang: str, table: Mapping[str, Any]) -> None:
        self.lang = lang
        self.table = table

    def __getitem__(self, key: str) -> str:
        value: Any = self.table
        for part in key.split("."):
            value = value[part]
        return str(value)

    def of(self, section: str, name: str | None) -> str:
        """The word for a name that may be a user's own: it then stands for itself, `_` being a blank."""
        if name is None:
            return ""
        return str(self.table[section].get(name, name.replace("_", " ")))

    def fill(self, key: str, *values: object) -> str:
        """Words with values filled in."""
        return self[key].format(*values)

    def date(self, day: date) -> str:
        """A day."""
        return self.fill("date", day)

    def moment(self, at: datetime) -> str:
        """A day and a time, of the zone that `at` is in."""
        return self.fill("moment", at)

    def number(self, value: float) -> str:
        """A number with two significant digits, whole ones whole."""
        if 0 < value < 0.1:
            return f"<0{self['decimal']}1"
        written = f"{value:.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.2g}"
        return written.replace(".", self["decimal"])


def typeset(text: str, lang: str) -> str:
    """A text whose French marks do not part from their words at the end of a line.

    >>> typeset("Nord : « badge » ?", "fr")
    'Nord\\xa0: «\\xa0badge\\xa0»\\xa0?'
    >>> typeset("Nord : ?", "en")
    'Nord : ?'
    """
    return _BEFORE_MARKS.sub(_NO_BREAK, text) if lang == "fr" else text


@cache
def words_of(lang: str) -> Words:
    """The words of `fr` or `en`. Raises KeyError for another."""
    if lang not in LANGUAGES:
        raise KeyError(lang)
    content = Path(__file__).with_name(f"{lang}.toml").read_text("utf-8")
    return Words(lang, tomllib.loads(content))
