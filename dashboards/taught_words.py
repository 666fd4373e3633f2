"""What verdicts taught, in words: how often the like of a signal was judged, and what it asks for since."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

_DAYS: Mapping[str, Callable[[date], str]] = {"fr": "{:%d/%m/%Y}".format, "en": "{:%Y-%m-%d}".format}


def taught_words(
    taught: Mapping[str, Any] | None, lang: str, day: Callable[[date], str] | None = None
) -> str:
    """One sentence in `fr` or `en`; empty where nobody judged. taught: as signals explain it.

    day: writes a day, by default as the language does.

    >>> taught_words({"dismissed": 3, "confirmed": 0, "times": 4.0, "since": "2025-03-12"}, "en")
    'Dismissed 3 times here: needs 4 times the evidence since 2025-03-12.'
    """
    if taught is None:
        return ""
    since = (day or _DAYS[lang])(date.fromisoformat(taught["since"]))
    words = _english if lang == "en" else _french
    return words(taught["dismissed"], taught["confirmed"], taught["times"], since)


def _english(dismissed: int, confirmed: int, times: float, since: str) -> str:
    told = [
        f"{word} {_often(count)}"
        for word, count in (("dismissed", dismissed), ("confirmed", confirmed))
        if count
    ]
    if times > 1:
        asks = f"needs {_number(times, '.')} times the evidence"
    elif times < 1:
        asks = f"needs {_number(1 / times, '.')} times less evidence"
    else:
        asks = "needs as much evidence as any other"
    said = ", ".join(told) or "no longer judged"
    return f"{said[0].upper()}{said[1:]} here: {asks} since {since}."


def _often(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _french(dismissed: int, confirmed: int, times: float, since: str) -> str:
    told = [
        f"{word} {count} fois" for word, count in (("écarté", dismissed), ("confirmé", confirmed)) if count
    ]
    if times > 1:
        asks = f"il faut {_number(times, ',')} fois plus de preuves"
    elif times < 1:
        asks = f"il suffit de {_number(1 / times, ',')} fois moins de preuves"
    else:
        asks = "il faut autant de preuves qu'avant"
    said = ", ".join(told) or "plus jugé"
    return f"{said[0].upper()}{said[1:]} ici : {asks} depuis le {since}."


def _number(value: float, decimal: str) -> str:
    return f"{value:.1f}".removesuffix(".0").replace(".", decimal)
