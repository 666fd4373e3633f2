"""The log that throughput is measured on: many short French texts over a tree of 200 leaves, in 90 days.

Texts are sentences of the real corpora beside the checkout, drawn at random; where those are absent they are
made of made-up words. In either case some words are misspelt at random: real texts bring new words for ever.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks._labelled import DATA, read_labelled
from benchmarks._themes_streams import FILES, METRO

if TYPE_CHECKING:
    from pipelines.workspace import Workspace

FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 90
REGIONS, LEAVES = 10, 200
ROOT = "reseau"
ZONE = "Europe/Paris"
WORDS = 38
"""Of a text, on average."""
SHORTEST, LONGEST = 4, 160
WITH_AUTHOR, RETURNING = 0.6, 0.1
MISSPELT = 0.011
"""Share of words: gives some 300,000 distinct words in a million texts."""
CHANNELS = (("survey", "customer"), ("email", "customer"), ("complaint", "customer"), ("field_note", "field"))
SHARES = (0.4, 0.25, 0.15, 0.2)
WEEKDAYS = (1.2, 1.0, 1.0, 1.0, 1.1, 1.0, 0.7)
MADE_UP_WORDS, MADE_UP_SENTENCES = 30_000, 60_000
A_DAY = 1_000_000 / DAYS
"""Texts of a mean day: a log of more texts has more days."""
LOAD_DAYS = 10
"""Days that are loaded into the log at a time, one after the other."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_VOWELS, _CONSONANTS = "aeiouéè", "bcdfglmnprstv"
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Sentences:
    """Sentences as lists of words. source: where they come from, for a report."""

    words: list[list[str]]
    source: str


@dataclass(frozen=True, slots=True)
class Stirred:
    """What a log holds. real: whether its texts were drawn from real ones."""

    events: int
    words: int
    distinct_words: int
    source: str


def write_throughput_log(
    folder: Path,
    log: str,
    events: int,
    *,
    seed: int,
    sentences: Sentences | None = None,
    a_day: float = A_DAY,
) -> Stirred:
    """Write a log of so many events, in order of time. sentences: `read_sentences` where not given.

    a_day: texts of a mean day.
    """
    from connectors.log import LogWriter

    now = FIRST_DAY + timedelta(days=events / a_day + 2)
    sentences = sentences or read_sentences()
    words, distinct = 0, set[str]()
    with LogWriter(folder / log, now=lambda: now) as writer:
        for table in tables(events, sentences, seed, a_day=a_day):
            for text in table["text"].to_pylist():
                found = text.split()
                words += len(found)
                distinct.update(found)
            writer.append_history(table, loaded_at=now, note={})
    return Stirred(events, words, len(distinct), sentences.source)


def open_throughput_log(folder: Path, log: str, **changes: Any) -> "Workspace":
    """The workspace to replay a log. changes: of the settings, by section."""
    from pipelines.settings import Settings
    from pipelines.workspace import Workspace

    settings = Settings.model_validate(
        {
            "organisation": {"root": ROOT, "name": "Réseau", "timezone": ZONE, "languages": ["fr"]},
            "log": {"path": log},
            **changes,
        }
    )
    settings._base = folder
    return Workspace(settings, say=lambda _: None)


@cache
def read_sentences() -> Sentences:
    """Sentences of the real French corpora, or made-up ones where there are none."""
    texts = [
        text for given in read_labelled() if given.language == "fr" and not given.part for text in given.texts
    ]
    if FILES[METRO].is_file():
        with FILES[METRO].open(encoding="utf-8", newline="") as lines:
            texts += [row["text"] or "" for row in csv.DictReader(lines)]
    if not texts:
        return made_up()
    # Texts of several labels are there once a label.
    parts = [part.split() for text in dict.fromkeys(texts) for part in _SENTENCE_END.split(text)]
    return Sentences([part for part in parts if part], f"sentences of the French corpora in {DATA.name}")


def tables(events: int, sentences: Sentences, seed: int, *, a_day: float = A_DAY) -> Iterator[pa.Table]:
    """EVENT of the log, some days at a time; an author returns to the leaf where they wrote before.

    a_day: texts of a mean day.
    """
    chance = np.random.default_rng(seed)
    leaves, authors = _leaf_shares(chance), _Authors(chance)
    days = np.arange(max(1, round(events / a_day)))
    weekdays = np.array(WEEKDAYS)[days % 7]
    ends = np.round(events * np.cumsum(weekdays) / weekdays.sum()).astype(np.int64)
    volumes = np.diff(ends, prepend=0)
    for first in range(0, days.size, LOAD_DAYS):
        part = slice(first, first + LOAD_DAYS)
        yield _table(np.repeat(days[part], volumes[part]), sentences, leaves, authors, chance)


class _Authors:
    """Who has written so far, by leaf."""

    def __init__(self, chance: np.random.Generator) -> None:
        self._chance = chance
        self._known: list[list[int]] = [[] for _ in range(LEAVES)]
        self._next = 1

    def of(self, leaves: NDArray[np.int64]) -> list[int]:
        """An author for each event, 0 for none."""
        signed = self._chance.random(leaves.size) < WITH_AUTHOR
        returns, which = self._chance.random((2, leaves.size))
        authors = []
        for leaf, signs, again, place in zip(
            leaves.tolist(), signed.tolist(), (returns < RETURNING).tolist(), which.tolist(), strict=True
        ):
            known = self._known[leaf]
            if not signs:
                authors.append(0)
            elif again and known:
                authors.append(known[int(place * len(known))])
            else:
                authors.append(self._next)
                known.append(self._next)
                self._next += 1
        return authors


def _table(
    days: NDArray[np.int64],
    sentences: Sentences,
    shares: NDArray[np.float64],
    authors: _Authors,
    chance: np.random.Generator,
) -> pa.Table:
    from connectors.events import EVENT

    size = days.size
    leaves = chance.choice(LEAVES, size=size, p=shares)
    channels = chance.choice(len(CHANNELS), size=size, p=SHARES)
    instants = days * _DAY_US + chance.integers(0, _DAY_US, size)
    moments = (np.datetime64(FIRST_DAY.replace(tzinfo=None), "us") + instants).astype("datetime64[us]")
    scores = np.round(chance.beta(6, 3, size), 1)
    ids = chance.bytes(16 * size)
    names = np.array([f"{ROOT}/r{leaf % REGIONS:02d}/a{leaf:03d}" for leaf in range(LEAVES)], object)
    written = authors.of(leaves)
    kinds = np.array(CHANNELS, object)[channels]
    columns: dict[str, Any] = {
        "event_id": [ids[place : place + 16] for place in range(0, 16 * size, 16)],
        "occurred_at": pa.array(moments).cast(EVENT.field("occurred_at").type),
        "grace_s": np.zeros(size, np.int32),
        "source": np.full(size, "throughput", object),
        "channel": kinds[:, 0],
        "voice": kinds[:, 1],
        "perimeter": names[leaves],
        "score": pa.array(scores, mask=channels != 0),
        "author": [author.to_bytes(16, "little") if author else None for author in written],
        "agent": pa.nulls(size, EVENT.field("agent").type),
        "language": np.full(size, "fr", object),
        "flags": np.zeros(size, np.uint16),
        "text": _texts(size, sentences, chance),
    }
    columns["admitted_at"] = columns["occurred_at"]
    arrays = [pa.array(columns[field.name], field.type) for field in EVENT]
    return pa.Table.from_arrays(arrays, schema=EVENT)


def _texts(size: int, sentences: Sentences, chance: np.random.Generator) -> list[str]:
    """Texts of whole sentences, the last one cut where the text is long enough."""
    lengths = np.clip(chance.gamma(2.2, WORDS / 2.2, size), SHORTEST, LONGEST).astype(int)
    drawn = iter(chance.integers(0, len(sentences.words), int(lengths.sum())).tolist())
    misspelt = (chance.random((LONGEST, size)) < MISSPELT).T
    texts = []
    for length, row in zip(lengths.tolist(), misspelt, strict=True):
        words: list[str] = []
        while len(words) < length:
            words += sentences.words[next(drawn)]
        del words[length:]
        for place in np.flatnonzero(row[:length]).tolist():
            words[place] = _misspelt(words[place], chance)
        texts.append(" ".join(words))
    return texts


def _misspelt(word: str, chance: np.random.Generator) -> str:
    """The word with two other letters put in somewhere."""
    places, letters = chance.random(2), chance.integers(0, 26, 2).tolist()
    for place, letter in zip(places.tolist(), letters, strict=True):
        cut = int(place * (len(word) + 1))
        word = word[:cut] + chr(ord("a") + letter) + word[cut:]
    return word


def _leaf_shares(chance: np.random.Generator) -> NDArray[np.float64]:
    sizes = chance.lognormal(0.0, 0.5, LEAVES)
    shares: NDArray[np.float64] = sizes / sizes.sum()
    return shares


def made_up() -> Sentences:
    """Sentences of made-up words whose frequencies fall as those of real ones do (Zipf)."""
    chance = np.random.default_rng(0)
    words = [_made_up_word(chance) for _ in range(MADE_UP_WORDS)]
    weights = 1.0 / (np.arange(MADE_UP_WORDS) + 2.7)
    lengths = 4 + chance.poisson(9, MADE_UP_SENTENCES)
    drawn = iter(chance.choice(MADE_UP_WORDS, int(lengths.sum()), p=weights / weights.sum()).tolist())
    sentences = [[words[next(drawn)] for _ in range(length)] for length in lengths.tolist()]
    for sentence in sentences:
        sentence[-1] += "."
    return Sentences(sentences, "made-up words")


def _made_up_word(chance: np.random.Generator) -> str:
    syllables = 1 + min(4, int(chance.poisson(1.6)))
    picks = chance.random((syllables, 2)).tolist()
    return "".join(
        _CONSONANTS[int(one * len(_CONSONANTS))] + _VOWELS[int(other * len(_VOWELS))] for one, other in picks
    )
