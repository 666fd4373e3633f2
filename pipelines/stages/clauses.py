"""What texts say in the clauses that hold a signal's words, and not around them."""

import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.features import KIND_BITS, THEME
from pipelines.stages.reading import read
from pipelines.stages.tokens import tokenise
from pipelines.stages.understand import Reader

_CLAUSE = re.compile(r"[.!?…;,:()\n]+|\b(?:mais|par contre|cependant|but|however)\b")
_MOST = 3
"""A text's sentiment counts up to here, either way: one long outburst is one voice."""
LOW_SCORE = 0.45
MOOD = 0.5
"""Mean sentiment from which a signal is praise, and below whose opposite it is a complaint."""


@dataclass(frozen=True, slots=True)
class Said:
    """One entry a text, over the clauses that hold one of the features. sentiment: sum of their weights."""

    themes: list[set[int]]
    sentiment: NDArray[np.int64]


def said_of(features: Collection[int], events: pa.Table, reader: Reader) -> Said:
    """Read the clauses of texts that hold one of the features. events: columns language and text."""
    wanted = np.fromiter(features, np.uint64, len(features))
    said = Said([set() for _ in range(events.num_rows)], np.zeros(events.num_rows, np.int64))
    for name, numbers in _by_lexicon(events["language"].to_pylist(), reader).items():
        texts = events["text"].take(pa.array(numbers)).to_pylist()
        clauses = [
            (number, part)
            for number, text in zip(numbers, texts, strict=True)
            for part in _CLAUSE.split(text)
        ]
        readings = read(
            tokenise(pa.array([part for _, part in clauses], pa.string()), name), reader.tables[name]
        )
        for place, (number, _) in enumerate(clauses):
            found = readings.features[readings.offsets[place] : readings.offsets[place + 1]]
            if np.isin(found, wanted).any():
                said.themes[number].update(found[(found & KIND_BITS) == THEME].tolist())
                said.sentiment[number] += readings.sentiment[place]
    return said


def tone_of(said: Said, mean_score: float | None) -> str:
    """praise, complaint or mixed.

    Where words leave it open, a low mean score (in [0, 1], None if unknown) makes it a complaint; a high one
    proves nothing.
    """
    mean = np.clip(said.sentiment, -_MOST, _MOST).mean()
    if mean >= MOOD:
        return "praise"
    unhappy = mean_score is not None and mean_score <= LOW_SCORE
    return "complaint" if mean <= -MOOD or unhappy else "mixed"


def _by_lexicon(languages: list[str], reader: Reader) -> dict[str, list[int]]:
    """Numbers of the texts that each lexicon reads."""
    numbers: dict[str, list[int]] = {}
    for number, language in enumerate(languages):
        numbers.setdefault(language if language in reader.tables else reader.default, []).append(number)
    return numbers
