"""What was planted: the signals to be found, and the decoys to be left alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from pipelines.demo.rhythm import STORY_DAY, STORY_WEEKS, day_date


@dataclass(frozen=True, slots=True)
class PlantedText:
    """source: as in vigie.toml. own_id: the source's own identifier of the record."""

    source: str
    own_id: str
    day: date


@dataclass(frozen=True)
class Planted:
    """One planted item.

    starts, ends: first and last day of its texts in the last twelve weeks, both included; for the season
    `texts` also holds those of the year before. channels: in which it is written, the first ones first.
    terms: distinctive words, lower case, in every form used; some authors leave their accents out.
    """

    name: str
    variant: str
    title: str
    decoy: bool
    perimeters: tuple[str, ...]
    starts: date
    ends: date
    channels: tuple[str, ...]
    terms: tuple[str, ...]
    texts: tuple[PlantedText, ...]

    @property
    def weekly(self) -> tuple[int, ...]:
        """Number of texts in each of the last twelve weeks, Monday to Sunday."""
        first = day_date(STORY_DAY)
        counts = [0] * STORY_WEEKS
        for text in self.texts:
            if text.day >= first:
                counts[(text.day - first).days // 7] += 1
        return tuple(counts)


@dataclass(frozen=True)
class Story:
    """seed: what it was drawn from. rows: by source, every record written, bad rows included."""

    seed: int
    planted: tuple[Planted, ...]
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def texts(self) -> dict[str, list[tuple[str, str]]]:
        """Planted name -> (source, own identifier) of each of its texts, in the order of time."""
        return {item.name: [(text.source, text.own_id) for text in item.texts] for item in self.planted}

    def table(self) -> str:
        """The story as a Markdown table, one line an item, with the number of texts in each week."""
        weeks = [f"S{week + 1}" for week in range(STORY_WEEKS)]
        head = ["nom", "leurre", "ce qui se passe", "périmètre", "du", "au", "canaux", *weeks]
        lines = [_row(head), _row(["---"] * len(head))]
        for item in self.planted:
            lines.append(
                _row(
                    [
                        item.name,
                        "oui" if item.decoy else "non",
                        item.title,
                        _places(item.perimeters),
                        f"{item.starts:%d/%m/%Y}",
                        f"{item.ends:%d/%m/%Y}",
                        ", ".join(item.channels),
                        *(str(count) if count else "" for count in item.weekly),
                    ]
                )
            )
        return "\n".join(lines)


def _places(perimeters: Sequence[str]) -> str:
    if len(perimeters) <= 4:
        return ", ".join(perimeters)
    return f"{len(perimeters)} magasins"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
