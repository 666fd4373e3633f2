"""Episodes, events and stories made by hand, for tests of what the watch tells."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from connectors.events import EVENT
from connectors.store.schemas import EVIDENCE, SIGNAL
from detectors.features import THEME, feature_id
from pipelines.lexicon import Lexicon, Theme
from pipelines.stages.carriers import Carriers
from pipelines.stages.episodes import Episode, Episodes, follow
from pipelines.stages.explain import Signals, Telling
from pipelines.stages.finding import (
    Finding,
)
from pipelines.stages.lexicon_table import compile_lexicon
from pipelines.stages.story import Candidate, Story
from pipelines.stages.tell import tell
from pipelines.stages.understand import Reader

LILLE = "e/nord/lille"
RAISED = date(2026, 3, 4)
BUCKET = (RAISED - date(1970, 1, 1)).days
SINCE = BUCKET - 2
FRENCH = Lexicon(
    "fr",
    frozenset({"le", "est"}),
    {("nul",): -10, ("moyen",): -2, ("bien",): 4, ("parfait",): 10},
    {"pas": 3},
    {},
    {("parking",): ("parking",)},
)
PARKING = feature_id("parking", THEME)
TELLING = Telling(
    reader=Reader({"fr": compile_lexicon(FRENCH)}, "fr", "Europe/Paris"),
    names={LILLE: "Lille Centre"},
    themes={PARKING: Theme("parking", "Stationnement", "Parking", "access", "none", "works", "complaint")},
    min_authors=3,
    window=28,
    settings_version="v" * 32,
)
Event = dict[str, Any]


def event(number: int, text: str = "moyen", **changes: Any) -> Event:
    """One event. day: from the episode's first; author: its number."""
    base = {
        "day": 0,
        "author": number,
        "channel": "survey",
        "voice": "customer",
        "perimeter": LILLE,
        "score": None,
        "language": "fr",
        "text": text,
    }
    return {"number": number} | base | changes


def occurred(one: Event) -> datetime:
    return datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(days=one["day"], minutes=one["number"])


def row(one: Event) -> dict[str, Any]:
    shared = ("channel", "voice", "perimeter", "score", "language", "text")
    return {
        "event_id": one["number"].to_bytes(16),
        "occurred_at": occurred(one),
        "admitted_at": occurred(one),
        "grace_s": 0,
        "source": "s",
        "author": one["author"].to_bytes(16, "little"),
        "agent": None,
        "flags": 0,
        **{name: one[name] for name in shared},
    }


def log(
    events: list[Event],
    asked: list[tuple[int, int]] | None = None,
    telling: Telling = TELLING,
    size: int = 2,
) -> Carriers:
    """Carriers among these, read in batches of a size; notes in `asked` what it was asked for."""

    def events_of(first: int, last: int) -> Iterator[pa.RecordBatch]:
        if asked is not None:
            asked.append((first, last))
        mine = [one for one in events if first <= SINCE + one["day"] <= last]
        for start in range(0, len(mine), size):
            yield from _rows(mine[start : start + size]).to_batches()

    def take(positions: NDArray[np.int64]) -> pa.Table:
        by_number = {one["number"]: one for one in events}
        return _rows([by_number[position] for position in positions.tolist()])

    return Carriers(events_of, take, telling)


def _rows(events: list[Event]) -> pa.Table:
    positions = pa.array([one["number"] for one in events], pa.int64())
    return pa.Table.from_pylist([row(one) for one in events], EVENT).append_column("position", positions)


def episode(kind: str, direction: int, **changes: Any) -> Episode:
    base: dict[str, Any] = {"detail": "", "observed": 0.5, "expected": 0.8, "since": SINCE, "size": 20.0}
    born = Finding(
        bucket=BUCKET,
        perimeter=LILLE,
        kind=kind,
        direction=direction,
        evidence=12.0,
        threshold=10.0,
        **(base | changes),
    )
    state = Episodes()
    follow([born], state, (), window=28)
    return state.living[0]


def story(numbers: list[int], story_id: str = "cd" * 16, people: int | None = None, **changes: Any) -> Story:
    support: dict[bytes, Mapping[str, Any]] = {
        number.to_bytes(16): {"person": number % (people or 1_000), "event_perimeter": LILLE}
        for number in numbers
    }
    born = Candidate(BUCKET, LILLE, 1, 12.0, 9.5, 0.25, BUCKET, 90, 0, 12.0, support)
    made = Story(story_id, LILLE, born, BUCKET, 12.0, frozenset({1}), {1: 12.0}, support)
    return replace(made, **changes)


def told(
    one: Episode | list[Episode],
    events: list[Event],
    stories: list[Story] | None = None,
    telling: Telling = TELLING,
    last: int = BUCKET + 1,
    live_from: datetime | None = None,
) -> Signals:
    episodes = one if isinstance(one, list) else [one]
    found = log(events, telling=telling)
    signals = tell(episodes, stories or [], found, last_bucket=last, live_from=live_from)
    assert signals.signals.schema == SIGNAL
    assert signals.evidence.schema == EVIDENCE
    return signals


def carriers(signals: Signals) -> list[int]:
    """Numbers of the events shown, in order."""
    return sorted(int.from_bytes(key) for key in signals.evidence["event_id"].to_pylist())


THREE = [event(number, "nul", score=0.1) for number in (1, 2, 3)]
"""Enough to tell of worse scores and moods."""
