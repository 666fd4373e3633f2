"""Maison Lavoine, a fictional retailer: its regions, stores and agents."""

from dataclasses import dataclass
from random import Random

from connectors.perimeters import slugify
from pipelines.demo.content import Content

ROOT = "lavoine"
NAME = "Maison Lavoine"
MAIL_DOMAIN = "maison-lavoine.example"
AGENTS_PER_STORE = 7


@dataclass(frozen=True, slots=True)
class Store:
    """index: 0 to 39. code: what registers call it. size: relative number of customers, 1 to 5."""

    index: int
    code: str
    name: str
    region: str
    size: float
    agents: tuple[str, ...]

    @property
    def slug(self) -> str:
        return slugify(self.name)

    @property
    def division(self) -> str:
        return f"{ROOT}/{slugify(self.region)}"

    @property
    def perimeter(self) -> str:
        return f"{self.division}/{self.slug}"

    @property
    def address(self) -> str:
        return f"{self.slug}@{MAIL_DOMAIN}"


@dataclass(frozen=True, slots=True)
class Organisation:
    regions: tuple[str, ...]
    stores: tuple[Store, ...]

    def stores_of(self, region: str) -> list[Store]:
        """In the order of their codes."""
        return [store for store in self.stores if store.region == region]


def build_organisation(content: Content, rng: Random) -> Organisation:
    """Forty stores dealt over six regions, sizes log-uniform over a factor of five."""
    words = content.vocabulary
    towns = list(words["towns"])
    rng.shuffle(towns)
    regions = tuple(words["regions"])
    stores = tuple(
        Store(
            index=index,
            code=f"L{index + 1:02d}",
            name=town,
            region=regions[index * len(regions) // len(towns)],
            size=5 ** rng.random(),
            agents=tuple(
                f"{rng.choice(words['first_names'])} {rng.choice(words['agent_surnames'])}"
                for _ in range(AGENTS_PER_STORE)
            ),
        )
        for index, town in enumerate(towns)
    )
    return Organisation(regions, stores)
