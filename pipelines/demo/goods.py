"""What the retailer sells: three thousand articles, a few named often, most rarely, new ones each week."""

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from pipelines.demo.content import Content
from pipelines.demo.rhythm import DAYS

ARTICLES = 3_000
NEW_SHARE = 0.25
ALWAYS_THERE = 300
"""The best-known articles are there from the first day: novelty belongs to the long tail."""
_VOWELS = "aeiouyéèêh"
_ASPIRATED = ("hotte", "housse")


@dataclass(frozen=True, slots=True)
class Article:
    """launch: first day it can be written about, 0 where always."""

    noun: str
    brand: str
    feminine: bool
    launch: int


class Goods:
    def __init__(self, content: Content, rng: Random) -> None:
        self._rng = rng
        words = content.vocabulary
        nouns = [(noun, True) for noun in words["feminine"]] + [(noun, False) for noun in words["masculine"]]
        self._articles = []
        for rank in range(ARTICLES):
            noun, feminine = rng.choice(nouns)
            middle = rng.choice(words["brand_middles"]) if rng.random() < 0.6 else ""
            brand = rng.choice(words["brand_heads"]) + middle + rng.choice(words["brand_tails"])
            recent = rank >= ALWAYS_THERE and rng.random() < NEW_SHARE
            self._articles.append(Article(noun, brand, feminine, rng.randrange(DAYS) if recent else 0))
        self._cumulative = list(accumulate(1 / (rank + 8) for rank in range(ARTICLES)))

    def draw(self, day: int) -> Article:
        """An article on sale that day."""
        while True:
            place = bisect(self._cumulative, self._rng.random() * self._cumulative[-1])
            article = self._articles[min(place, ARTICLES - 1)]
            if article.launch <= day:
                return article


def with_determiner(slot: str, noun: str, *, feminine: bool) -> str:
    """The noun after what the slot's name says: un, le, mon, du, or nothing.

    >>> with_determiner("le_produit", "étagère", feminine=True)
    "l'étagère"
    >>> with_determiner("du_produit", "four", feminine=False)
    'du four'
    >>> with_determiner("mon_produit", "étagère", feminine=True)
    'mon étagère'
    """
    vowel = noun[0] in _VOWELS and not noun.startswith(_ASPIRATED)
    if slot == "produit":
        return noun
    if slot == "un_produit":
        return f"{'une' if feminine else 'un'} {noun}"
    if slot == "mon_produit":
        return f"{'ma' if feminine and not vowel else 'mon'} {noun}"
    definite = "l'" if vowel else "la " if feminine else "le "
    if slot == "le_produit":
        return definite + noun
    if slot == "du_produit":
        return f"du {noun}" if definite == "le " else f"de {definite}{noun}"
    raise KeyError(slot)
