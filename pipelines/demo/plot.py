"""Draws the story: which variant of each planted item, where, when, in which channel, by whom."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from pipelines.demo.content import DECOYS, Content, Variant
from pipelines.demo.grammar import Pattern
from pipelines.demo.organisation import ROOT, Organisation, Store
from pipelines.demo.rhythm import DAYS, STORY_DAY, WEEKDAYS
from pipelines.demo.voices import Customer, Customers

T = TypeVar("T")
Mix = Mapping[str, float]
CUSTOMER_MIX: Mix = {"survey": 0.5, "mail": 0.22, "complaints": 0.25, "letters": 0.03}
LOUD_MIX: Mix = {"mail": 0.5, "complaints": 0.35, "survey": 0.15}
PRAISE_MIX: Mix = {"survey": 0.8, "mail": 0.2}
SEASON_MIX: Mix = {"survey": 0.72, "mail": 0.14, "complaints": 0.14}
NOTES: Mix = {"field_notes": 1.0}
SURVEY: Mix = {"survey": 1.0}
MAIL: Mix = {"mail": 1.0}

WEEK = 7
SEASON_TEXTS = 120
"""In March of each year, over all stores."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A planted text to be written. author: None for an agent's note."""

    item: str
    day: int
    store: Store
    source: str
    pattern: Pattern
    author: Customer | None


@dataclass(frozen=True)
class Act:
    """One planted item with its texts to write. starts: its first day in the story."""

    name: str
    variant: Variant
    perimeters: tuple[str, ...]
    starts: int
    drafts: tuple[Draft, ...]

    @property
    def decoy(self) -> bool:
        return self.name in DECOYS


class Plot:
    """Every act on ground of its own: three regions, and single stores of the others."""

    def __init__(
        self, content: Content, organisation: Organisation, customers: Customers, rng: Random
    ) -> None:
        self._content = content
        self._organisation = organisation
        self._customers = customers
        self._rng = rng
        regions = rng.sample(organisation.regions, len(organisation.regions))
        self._whole_regions = [organisation.stores_of(region) for region in regions[:3]]
        others = [store for region in regions[3:] for store in organisation.stores_of(region)]
        self._single_stores = rng.sample(others, 4)

    def acts(self) -> list[Act]:
        """The eight acts, signals first."""
        delivery, field, campaign = self._whole_regions
        site, score, praise, loud = ([store] for store in self._single_stores)
        some = self._rng.sample(field, 4)
        return [
            self._simple("store", site, self._rng.randint(14, 18), weeks=4, mix=CUSTOMER_MIX),
            self._simple("region", delivery, self._rng.randint(35, 45), weeks=5, mix=CUSTOMER_MIX),
            self._field_first(sorted(some, key=lambda store: store.index)),
            self._simple("hidden_by_scores", score, self._rng.randint(18, 22), weeks=4, mix=SURVEY),
            self._simple("praise", praise, self._rng.randint(15, 17), weeks=4, mix=PRAISE_MIX),
            self._season(),
            self._campaign(campaign),
            self._loud_customer(loud),
        ]

    def _simple(self, item: str, stores: Sequence[Store], count: int, *, weeks: int, mix: Mix) -> Act:
        """Distinct customers, more of them as the weeks pass."""
        variant = self._rng.choice(self._content.planted[item])
        start = self._start(weeks)
        days = self._spread(count, start, weeks * WEEK)
        drafts = self._drafts(item, variant.customer, days, stores, mix)
        return self._act(item, variant, _whole_or_each(stores, self._organisation), drafts)

    def _field_first(self, stores: Sequence[Store]) -> Act:
        """Agents' notes for three weeks; customers from two to three weeks after the first note."""
        item = "field_first"
        variant = self._rng.choice(self._content.planted[item])
        start = self._start(weeks=6)
        noted = self._spread(self._rng.randint(13, 15), start, 3 * WEEK)
        notes = self._drafts(item, variant.field, noted, stores, NOTES)
        written = self._spread(self._rng.randint(9, 11), min(noted) + self._rng.randint(15, 20), 3 * WEEK)
        texts = self._drafts(item, variant.customer, written, stores, CUSTOMER_MIX)
        return self._act(item, variant, tuple(store.perimeter for store in stores), notes + texts)

    def _season(self) -> Act:
        """The four weeks of March, in both years at the same level, everywhere."""
        item = "season"
        variant = self._rng.choice(self._content.planted[item])
        sizes = [store.size for store in self._organisation.stores]
        drafts: list[Draft] = []
        for start in (0, DAYS - 4 * WEEK):
            days = self._spread(SEASON_TEXTS, start, 4 * WEEK, rising=False)
            stores = self._rng.choices(self._organisation.stores, sizes, k=SEASON_TEXTS)
            drafts += self._drafts(item, variant.customer, days, stores, SEASON_MIX)
        return self._act(item, variant, (ROOT,), drafts)

    def _campaign(self, stores: Sequence[Store]) -> Act:
        """Three days of one mail sent by many."""
        item = "campaign"
        variant = self._rng.choice(self._content.planted[item])
        start = self._start(weeks=1)
        count = self._rng.randint(62, 75)
        days = [start + self._rng.randrange(3) for _ in range(count)]
        drafts = self._drafts(item, variant.customer, days, stores, MAIL)
        return self._act(item, variant, (stores[0].division,), drafts)

    def _loud_customer(self, stores: Sequence[Store]) -> Act:
        item = "loud_customer"
        variant = self._rng.choice(self._content.planted[item])
        days = self._spread(20, self._start(weeks=5), 5 * WEEK, rising=False)
        author = self._customers.new()
        drafts = self._drafts(item, variant.customer, days, stores, LOUD_MIX, author=author)
        return self._act(item, variant, (stores[0].perimeter,), drafts)

    def _act(self, item: str, variant: Variant, perimeters: tuple[str, ...], drafts: Sequence[Draft]) -> Act:
        starts = min(draft.day for draft in drafts if draft.day >= STORY_DAY)
        return Act(item, variant, perimeters, starts, tuple(drafts))

    def _start(self, weeks: int) -> int:
        """A first day that leaves the story a quiet week before, and room for so many weeks."""
        return self._rng.randrange(STORY_DAY + WEEK, DAYS - weeks * WEEK + 1)

    def _spread(self, count: int, start: int, days: int, *, rising: bool = True) -> list[int]:
        """Sorted days from `start` on, Sundays few; where rising, the last day weighs twice the first."""
        span = range(start, start + days)
        weights = [WEEKDAYS[day % WEEK] * (1 + (day - start) / days if rising else 1.0) for day in span]
        return sorted(self._rng.choices(span, weights, k=count))

    def _drafts(
        self,
        item: str,
        patterns: Sequence[Pattern],
        days: Sequence[int],
        stores: Sequence[Store],
        mix: Mix,
        *,
        author: Customer | None = None,
    ) -> list[Draft]:
        """One draft a day given: stores in turn, wordings dealt like cards, channels by the mix."""
        rng = self._rng
        places, wordings = _deal(stores, rng), _deal(patterns, rng)
        sources = rng.choices(list(mix), list(mix.values()), k=len(days))
        return [
            Draft(
                item=item,
                day=day,
                store=next(places),
                source=source,
                pattern=next(wordings),
                author=None if source == "field_notes" else author or self._customers.new(),
            )
            for day, source in zip(days, sources, strict=True)
        ]


def _deal(items: Sequence[T], rng: Random) -> Iterator[T]:
    """The items in random order, each once before any comes again."""
    while True:
        yield from rng.sample(items, len(items))


def _whole_or_each(stores: Sequence[Store], organisation: Organisation) -> tuple[str, ...]:
    """The region's perimeter if these are all its stores, else the stores'."""
    region = organisation.stores_of(stores[0].region)
    return (stores[0].division,) if len(stores) == len(region) else tuple(s.perimeter for s in stores)
