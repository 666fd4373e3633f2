"""Scoring what a method flags in a stream against the topics that were injected."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks._themes_streams import BACKGROUND, Stream

MAJORITY = 0.5
"""Share of a flag's texts that must be one topic's for the flag to be that topic's."""


@dataclass(frozen=True, slots=True)
class Flag:
    """carried: texts that carry the flag, up to its bucket, by topic."""

    bucket: int
    label: str
    carried: Mapping[int, int]

    @property
    def topic(self) -> int:
        """The injected topic it is about; BACKGROUND if it is a false one."""
        topics = Counter({topic: count for topic, count in self.carried.items() if topic != BACKGROUND})
        if not topics:
            return BACKGROUND
        topic, count = min(topics.items(), key=lambda item: (-item[1], item[0]))
        return topic if count >= MAJORITY * sum(self.carried.values()) else BACKGROUND


@dataclass(frozen=True, slots=True)
class Score:
    """Sums over streams. texts_before: of each topic found, up to and with the bucket of its first flag."""

    streams: int
    topics: int
    texts_before: tuple[int, ...]
    flags: int
    false: int

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.streams + other.streams,
            self.topics + other.topics,
            self.texts_before + other.texts_before,
            self.flags + other.flags,
            self.false + other.false,
        )

    @property
    def found(self) -> float:
        """Share of the topics."""
        return len(self.texts_before) / self.topics if self.topics else 0.0

    @property
    def false_share(self) -> float:
        """False discovery proportion: share of the flags that are about nothing injected."""
        return self.false / self.flags if self.flags else 0.0

    def found_in(self, texts: int) -> float:
        """Share of the topics that were flagged by so many of their texts."""
        return sum(one <= texts for one in self.texts_before) / self.topics if self.topics else 0.0

    @property
    def median_texts(self) -> float | None:
        """Texts of a topic before its first flag."""
        return statistics.median(self.texts_before) if self.texts_before else None

    @property
    def flags_a_topic(self) -> float | None:
        """Flags of each topic found: one is right."""
        found = len(self.texts_before)
        return (self.flags - self.false) / found if found else None


NOTHING = Score(0, 0, (), 0, 0)


def score(stream: Stream, flags: Sequence[Flag]) -> Score:
    """What flags of one stream are worth."""
    first: dict[int, int] = {}
    for flag in flags:
        if flag.topic != BACKGROUND:
            first[flag.topic] = min(flag.bucket, first.get(flag.topic, flag.bucket))
    texts = Counter(
        text.topic for text in stream.texts if text.topic in first and text.bucket <= first[text.topic]
    )
    false = sum(flag.topic == BACKGROUND for flag in flags)
    return Score(1, len(stream.topics), tuple(texts[topic] for topic in sorted(first)), len(flags), false)
