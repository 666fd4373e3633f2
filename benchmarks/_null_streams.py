"""Streams in which nothing happens: real texts drawn at random over a tree of stores, days and channels.

Nothing in them changes but the day of the week; whatever is raised is a false alert.
"""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchmarks._themes_streams import FILES, LANGUAGES, METRO, NEWS, SPOTIFY, read_topics

if TYPE_CHECKING:
    from pipelines.workspace import Workspace

NAMES = (NEWS, SPOTIFY, METRO)
FIRST_DAY = datetime(2023, 1, 2, 12, tzinfo=UTC)
WARM_UP, YEAR = 56, 365
DIVISIONS, STORES = 4, 6
PERIMETERS = 1 + DIVISIONS * (1 + STORES)
A_DAY = 3.0
"""Texts of a store on a mean day; stores differ."""
WEEKDAYS = (1.2, 1.0, 1.0, 1.0, 1.1, 1.5, 0.4)
CHANNELS = (("survey", "customer", 0.6), ("email", "customer", 0.25), ("field_note", "field", 0.15))
SILENT = 0.15
"""Share of answers to the survey without a text."""
RETURNING = 0.1


def available() -> list[str]:
    """Names of the streams whose texts are there."""
    return [name for name in NAMES if FILES[name].is_file()]


def open_null_stream(folder: Path, name: str, seed: int, *, false_alerts: float) -> "Workspace":
    """Write a stream's log into a folder; the workspace to replay it."""
    from connectors.log import LogWriter
    from pipelines.settings import Settings
    from pipelines.workspace import Workspace

    now = FIRST_DAY + timedelta(days=WARM_UP + YEAR + 1)
    with LogWriter(folder / "log", now=lambda: now) as log:
        log.append_history(events(name, seed), loaded_at=now, note={})
    settings = Settings.model_validate(
        {
            "organisation": {"root": "e", "name": "E", "timezone": "UTC", "languages": ["en", "fr"]},
            "detection": {
                "false_alerts_per_perimeter_per_year": false_alerts,
                "warm_up_days": WARM_UP,
            },
        }
    )
    settings._base = folder
    return Workspace(settings, say=lambda _: None)


def events(name: str, seed: int) -> pa.Table:
    """EVENT of a stream: a year after the warm-up."""
    from connectors.events import EVENT

    rows = list(_rows(name, np.random.default_rng([seed, NAMES.index(name)])))
    columns = {field.name: pa.array([row[field.name] for row in rows], field.type) for field in EVENT}
    return pa.table(columns, schema=EVENT)


def _rows(name: str, chance: np.random.Generator) -> Iterator[dict[str, Any]]:
    texts = _drawn(_pool(name), chance)
    sizes = chance.lognormal(0.0, 0.5, (DIVISIONS, STORES))
    shares = np.array([share for _, _, share in CHANNELS])
    number = 0
    for day in range(WARM_UP + YEAR):
        volumes = chance.poisson(A_DAY * WEEKDAYS[day % 7] * sizes / sizes.mean())
        for (division, store), volume in np.ndenumerate(volumes):
            for chosen in chance.choice(len(CHANNELS), size=int(volume), p=shares).tolist():
                channel, voice, _ = CHANNELS[chosen]
                asked = channel == "survey"
                number += 1
                known = number > 1 and chance.random() < RETURNING
                author = int(chance.integers(1, number)) if known else number
                at = FIRST_DAY + timedelta(days=day)
                yield {
                    "event_id": blake2b(f"{number}".encode(), digest_size=16).digest(),
                    "occurred_at": at,
                    "admitted_at": at,
                    "grace_s": 0,
                    "source": name,
                    "channel": channel,
                    "voice": voice,
                    "perimeter": f"e/d{division}/s{division}{store}",
                    "score": round(float(chance.beta(6, 3)), 1) if asked else None,
                    "author": blake2b(f"author {author}".encode(), digest_size=16).digest(),
                    "agent": None,
                    "language": LANGUAGES[name],
                    "flags": 0,
                    "text": "" if asked and chance.random() < SILENT else next(texts),
                }


def _drawn(pool: list[str], chance: np.random.Generator) -> Iterator[str]:
    """Texts at random, each again only when all have been drawn."""
    while True:
        for place in chance.permutation(len(pool)).tolist():
            yield pool[place]


@cache
def _pool(name: str) -> list[str]:
    if name == NEWS:
        return [text for texts in read_topics().values() for text in texts]
    with FILES[name].open(encoding="utf-8", newline="") as lines:
        return [text for row in csv.DictReader(lines) if (text := (row["text"] or "").strip())]
