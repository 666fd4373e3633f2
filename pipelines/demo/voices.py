"""Who writes: customers with a way of writing of their own, and how often they come back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from pipelines.demo.content import Content
from pipelines.demo.grammar import pick

WRITES_AGAIN = 0.12
LOUD_SHARE = 0.03
LOUD_EVERY = 0.6
"""One store in so many has an ordinary customer who writes all the time."""

_PLAIN = str.maketrans("àâäçéèêëîïôöùûüÀÂÇÉÈÊÎÔÙ", "aaaceeeeiioouuuAACEEEIOU")
_WORD = re.compile(r"[a-zàâçéèêëîïôùûœ'-]{4,}")


@dataclass(frozen=True, slots=True)
class Style:
    """How somebody types. typo_rate: share of words of four letters or more with a slip."""

    typo_rate: float = 0.0
    accents: bool = True
    abbreviates: bool = False
    shouts: bool = False
    capitals: bool = True
    full_stop: bool = True
    exclaims: bool = False


@dataclass(frozen=True, slots=True)
class Customer:
    """email: also the identity in surveys and complaints. card: loyalty number, the identity of letters."""

    first_name: str
    surname: str
    email: str
    card: str
    style: Style

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.surname}"


class Customers:
    """Hands out customers; each store has its own."""

    def __init__(self, content: Content, *, stores: int, rng: Random) -> None:
        words = content.vocabulary
        self._first_names = words["first_names"]
        self._surnames = [head + tail for head in words["surname_heads"] for tail in words["surname_tails"]]
        self._domains = words["mail_domains"]
        self._rng = rng
        self._met: list[list[Customer]] = [[] for _ in range(stores)]
        self._number = 0
        self._loud = {store: self.new() for store in range(stores) if rng.random() < LOUD_EVERY}

    def new(self) -> Customer:
        """Somebody who never wrote before, and is not known to a store."""
        rng = self._rng
        self._number += 1
        first, surname = pick(rng, self._first_names), pick(rng, self._surnames)
        local = f"{first}.{surname}{self._number}".lower().translate(_PLAIN)
        return Customer(
            first_name=first,
            surname=surname,
            email=f"{local}@{pick(rng, self._domains)}",
            card=f"K{300_000 + self._number}",
            style=draw_style(rng),
        )

    def writer(self, store: int) -> Customer:
        """An ordinary author: mostly new, sometimes back, rarely the loud one."""
        rng, met = self._rng, self._met[store]
        draw = rng.random()
        if draw < LOUD_SHARE and store in self._loud:
            return self._loud[store]
        if draw < LOUD_SHARE + WRITES_AGAIN and met:
            return pick(rng, met)
        customer = self.new()
        met.append(customer)
        return customer


def draw_style(rng: Random) -> Style:
    """A way of typing: two in three make no slip, one in ten leaves accents out."""
    return Style(
        typo_rate=pick(rng, (0.015, 0.03, 0.06)) if rng.random() < 0.35 else 0.0,
        accents=rng.random() > 0.10,
        abbreviates=rng.random() < 0.06,
        shouts=rng.random() < 0.012,
        capitals=rng.random() > 0.15,
        full_stop=rng.random() > 0.4,
        exclaims=rng.random() < 0.12,
    )


def type_as(text: str, style: Style, *, abbreviations: Mapping[str, str], rng: Random) -> str:
    """The text as somebody with this style types it."""
    if style.abbreviates:
        text = " ".join(abbreviations.get(word, word) for word in text.split(" "))
    if style.typo_rate:
        text = _WORD.sub(lambda match: _slip(match[0], style.typo_rate, rng), text)
    if not style.accents:
        text = text.translate(_PLAIN)
    if not style.capitals and not text[1:2].isupper():
        text = text[:1].lower() + text[1:]
    if style.exclaims and text.endswith("."):
        text = text[:-1] + pick(rng, (" !", " !!", "!!!"))
    elif not style.full_stop and text.endswith("."):
        text = text[:-1]
    return text.upper() if style.shouts else text


def _slip(word: str, rate: float, rng: Random) -> str:
    """The word, or with chance `rate` the word with one letter doubled, dropped, swapped or unaccented."""
    if rng.random() >= rate:
        return word
    at = 1 + int(rng.random() * (len(word) - 2))
    kind = int(rng.random() * 4)
    if kind == 0:
        return word[:at] + word[at] + word[at:]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word.translate(_PLAIN)
