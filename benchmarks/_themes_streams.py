"""Streams of real texts with known topics: a background without history, and topics that begin in it.

The background is drawn at random from all texts that belong to no topic on trial, so that nothing in it
changes. A topic on trial begins at a known bucket and then gives its own texts, one by one, in the order
they were published.
"""

import csv
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import log, sqrt
from pathlib import Path

DATA = Path(__file__).parents[2] / "shared" / "data"
NEWS, SPOTIFY, METRO = "news", "spotify", "metro"
FILES = {
    NEWS: DATA / "news_topics" / "news_t.jsonl",
    SPOTIFY: DATA / "spotifycares" / "support_requests.csv",
    METRO: DATA / "metro_tweets" / "m_tweets.csv",
}
LANGUAGES = {NEWS: "en", SPOTIFY: "en", METRO: "fr"}

BUCKETS, A_BUCKET = 200, 200
"""Buckets of a stream, and background texts in each."""
QUIET = 60
"""Buckets before the first topic."""
TEXTS = 30
"""Texts of a topic."""
TOPICS = 6
"""Topics of a stream; a trial's topics go to as many streams as it takes."""
ON_TRIAL = 30
"""Topics of a trial."""
SAME_TOPIC = 0.4
"""Cosine of two labels' words, weighted by rarity, from which they name one topic."""
BACKGROUND = -1

_ADDRESS = re.compile(r"https?://\S*|[@#]\w+|&\w+;")


@dataclass(frozen=True, slots=True)
class Text:
    """topic: label of the topic on trial it belongs to, BACKGROUND if none."""

    bucket: int
    topic: int
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Stream:
    """texts: in order of bucket. topics: labels of those injected, in order of their first text."""

    name: str
    texts: Sequence[Text]
    topics: Sequence[int]


@cache
def read_topics() -> Mapping[int, Sequence[str]]:
    """News titles by topic, in stream order; labels that name one topic are one, by the lowest of them."""
    by_label: dict[int, list[tuple[int, str]]] = defaultdict(list)
    with FILES[NEWS].open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            row = json.loads(line)
            by_label[row["clusterNo"]].append((number, row["textCleaned"]))
    labels = sorted(by_label)
    names = _merged(labels, {label: [text for _, text in by_label[label]] for label in labels})
    together: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for label in labels:
        together[names[label]] += by_label[label]
    return {label: [text for _, text in sorted(rows)] for label, rows in sorted(together.items())}


def trial_topics(number: int) -> list[int]:
    """Labels of trial `number` (0, 1, 2): no topic is in two trials."""
    large = [label for label, texts in read_topics().items() if len(texts) >= TEXTS]
    random.Random(0).shuffle(large)
    chosen = large[number * ON_TRIAL : (number + 1) * ON_TRIAL]
    if len(chosen) < ON_TRIAL:
        raise ValueError(f"trial is {number}; there are topics for trials 0 to {len(large) // ON_TRIAL - 1}")
    return chosen


def streams(
    trial: int, every: int, *, background: str = NEWS, count: int = ON_TRIAL // TOPICS, draw: int = 0
) -> Iterator[Stream]:
    """The first `count` streams of a trial. every: buckets from one text of a topic to its next; 0: none.

    The background is the same whatever `every`, and another in each `draw`; the topics are the trial's.
    """
    held_back = trial_topics(trial)
    pool = _background(background, frozenset(held_back))
    for number in range(count):
        name = f"{background} {trial}.{number}" + (f".{draw}" if draw else "")
        chance = random.Random(name.replace(".", " "))
        language = LANGUAGES[background]
        drawn = _drawn(pool, BUCKETS * A_BUCKET, chance)
        texts = [Text(place // A_BUCKET, BACKGROUND, language, text) for place, text in enumerate(drawn)]
        topics = held_back[number * TOPICS : (number + 1) * TOPICS]
        if every:
            texts += _injected(topics, every, chance)
        texts.sort(key=lambda text: text.bucket)
        yield Stream(name, texts, topics if every else [])


def _injected(topics: Sequence[int], every: int, chance: random.Random) -> Iterator[Text]:
    """Texts of topics whose beginnings are spread evenly, a little jittered, over what is left."""
    last = BUCKETS - TEXTS * every
    step = (last - QUIET) / max(1, len(topics) - 1)
    for place, topic in enumerate(topics):
        first = round(QUIET + place * step) + (chance.randrange(-4, 5) if 0 < place < len(topics) - 1 else 0)
        for number, text in enumerate(read_topics()[topic][:TEXTS]):
            yield Text(first + number * every, topic, LANGUAGES[NEWS], text)


def _drawn(pool: Sequence[str], size: int, chance: random.Random) -> list[str]:
    """Texts at random, each again only when all were drawn: a text that comes twice a week is no news."""
    drawn: list[str] = []
    while len(drawn) < size:
        drawn += chance.sample(pool, k=len(pool))
    return drawn[:size]


def _background(name: str, held_back: frozenset[int]) -> list[str]:
    if name == NEWS:
        topics = read_topics().items()
        return [text for label, texts in topics if label not in held_back for text in texts]
    with FILES[name].open(encoding="utf-8", newline="") as lines:
        texts = [_ADDRESS.sub(" ", row["text"] or "") for row in csv.DictReader(lines)]
    return [text for text in texts if text.strip()]


def _merged(labels: Sequence[int], texts: Mapping[int, Sequence[str]]) -> dict[int, int]:
    """Each label to the lowest label of its topic: single linkage of labels whose words are alike."""
    spread = Counter(word for label in labels for word in {w for text in texts[label] for w in text.split()})
    vectors = {label: _vector(texts[label], spread, len(labels)) for label in labels}
    names = {label: label for label in labels}
    for place, one in enumerate(labels):
        for other in labels[:place]:
            if _cosine(vectors[one], vectors[other]) >= SAME_TOPIC:
                low, high = sorted((names[one], names[other]))
                names = {label: low if name == high else name for label, name in names.items()}
    return names


def _vector(texts: Sequence[str], spread: Mapping[str, int], labels: int) -> dict[str, float]:
    counts = Counter(word for text in texts for word in set(text.split()))
    weights = {word: count * log(labels / spread[word]) for word, count in counts.items()}
    length = sqrt(sum(weight * weight for weight in weights.values()))
    return {word: weight / length for word, weight in weights.items()}


def _cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    return sum(weight * other.get(word, 0.0) for word, weight in one.items())
