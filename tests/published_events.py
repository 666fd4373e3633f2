"""Generated events and their tallies, counted plainly, for tests of what may be published.

Tests reach this through the fixture `published_events`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

import pyarrow as pa

from connectors.store.publication import Publication, Rules
from connectors.store.schemas import CROWD, PERIODS_EPOCH, TALLY, THEME

FIRST = date(2024, 1, 1)
STORES = ("e/a/1", "e/a/2", "e/a/3", "e/b/1", "e/b/2", "e/c/1")
CHANNELS = ("survey", "email", "note")
VOICES = {"survey": "customer", "email": "customer", "letter": "customer", "note": "field"}
THEMES = ("delivery", "price", "welcome")


@dataclass(frozen=True)
class Event:
    """One text. author: of one division. scored and silent as answers to a survey are."""

    perimeter: str
    day: date
    channel: str
    author: str
    themes: tuple[str, ...] = ()
    scored: bool = False
    silent: bool = False

    @property
    def voice(self) -> str:
        return VOICES[self.channel]


def draw(seed: int, *, days: int = 28) -> list[Event]:
    """Some hundreds of texts, more of them in some stores, channels and days than in others."""
    rng = Random(seed)
    sizes = {store: rng.choice((0, 1, 2, 4, 9, 25)) for store in STORES}
    shares = {channel: rng.choice((1, 3, 12)) for channel in CHANNELS}
    events = []
    for store, size in sizes.items():
        crowd = [f"{store[:3]}-{number}" for number in range(rng.choice((4, 12, 60)))]
        for _ in range(size * 4):
            channel = rng.choices(list(shares), list(shares.values()))[0]
            scored = channel == "survey" and rng.random() < 0.95
            silent = scored and rng.random() < 0.3
            themes = () if silent else tuple(theme for theme in THEMES if rng.random() < 0.3)
            day = FIRST + timedelta(days=min(rng.randrange(days), rng.randrange(days)))
            events.append(Event(store, day, channel, rng.choice(crowd), themes, scored, silent))
    return events


def within(path: str) -> Iterator[str]:
    """A path and all above it."""
    parts = path.split("/")
    return ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def period(day: date, days: int) -> date:
    return PERIODS_EPOCH + timedelta(days=(day - PERIODS_EPOCH).days // days * days)


def tallies(events: Iterable[Event]) -> pa.Table:
    """TALLY of events."""
    cells: dict[tuple[Any, ...], list[Event]] = defaultdict(list)
    for event in events:
        for path in within(event.perimeter):
            for theme in ("", *event.themes):
                cells[path, event.day, event.channel, event.voice, theme].append(event)
    rows = [
        {
            "perimeter": path,
            "bucket": day,
            "bucket_at": datetime.combine(day, time(), UTC),
            "channel": channel,
            "voice": voice,
            "theme": theme,
            "texts": len(mine),
            "authors": len({event.author for event in mine}),
            "score_sum": 5_000 * sum(event.scored for event in mine),
            "scored": sum(event.scored for event in mine),
            "sentiment_sum": -1_000 * sum(not event.silent for event in mine),
            "without_text": sum(event.silent for event in mine),
            "late": 0,
        }
        for (path, day, channel, voice, theme), mine in cells.items()
    ]
    return pa.Table.from_pylist(rows, schema=TALLY)


def crowds(events: Iterable[Event], least: int) -> pa.Table:
    """CROWD of events."""
    times: dict[tuple[str, int, date, str], dict[str, set[Any]]] = defaultdict(lambda: defaultdict(set))
    for event in events:
        for path in within(event.perimeter):
            for days in (7, 28):
                for voice in ("", event.voice):
                    wrote = times[path, days, period(event.day, days), voice]
                    wrote[event.author].add((event.day, event.channel))
    rows = [
        {
            "perimeter": path,
            "days": days,
            "starts": starts,
            "voice": voice,
            "loudest": sum(sorted(map(len, wrote.values()))[-(least - 1) :]),
        }
        for (path, days, starts, voice), wrote in times.items()
    ]
    return pa.Table.from_pylist(rows, schema=CROWD)


def publication(
    events: Sequence[Event], *, least: int, weekly_depth: int = 1, with_crowds: bool = True
) -> Publication:
    """By which rules to publish events."""
    labels = ("label_fr", "label_en", "dimension", "stance", "owning_function", "polarity")
    themes = [{"key": theme, **dict.fromkeys(labels, theme)} for theme in THEMES]
    return Publication(
        Rules(least, weekly_depth, "UTC", 0.25),
        pa.Table.from_pylist(themes, schema=THEME),
        [crowds(events, least)] if with_crowds else [],
    )


def counted(events: Iterable[Event], cell: dict[str, Any]) -> frozenset[int]:
    """The events that a published figure counts, by place."""
    breakdown, value = cell["breakdown"], cell["value"]
    chosen = []
    for place, event in enumerate(events):
        matches = {
            "all": True,
            "day": event.day.isoformat() == value,
            "channel": event.channel in value.split(" + "),
            "voice": event.voice == value,
            "answer": {"scored": event.scored, "written": not event.silent, "silent": event.silent}.get(
                value
            ),
        }.get(breakdown)
        if matches is None:
            matches = f"{event.voice} theme" == breakdown and value in event.themes
        here = cell["perimeter"] in within(event.perimeter)
        if matches and here and period(event.day, cell["days"]) == cell["starts"]:
            chosen.append(place)
    return frozenset(chosen)
