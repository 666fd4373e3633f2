"""Feature ids back to the words people wrote, from the texts that carry them."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import pyarrow as pa

from detectors.features import PAIR, WORD, kind_of, pair_id
from pipelines.stages.lexicon_table import LexiconTable
from pipelines.stages.reading import BRIDGE
from pipelines.stages.tokens import normalise, tokenise
from pipelines.stages.understand import Reader

SHOWN = 3
"""Terms in a label."""
_NOT_SHOWN = re.compile(r"\[[^\]\n]{1,60}\]|\S*\d\S*")


def spelled(texts: pa.Table, features: Iterable[int], reader: Reader) -> dict[int, str]:
    """The most frequent spelling of each word and pair among `features`; texts: columns language, text."""
    wanted = {feature for feature in features if kind_of(feature) in (WORD, PAIR)}
    seen: dict[int, Counter[str]] = defaultdict(Counter)
    for language in sorted(set(texts["language"].to_pylist())):
        name = language if language in reader.tables else reader.default
        table = reader.tables[name]
        rows = [
            text
            for text, other in zip(texts["text"].to_pylist(), texts["language"].to_pylist(), strict=True)
            if other == language
        ]
        column = normalise(pa.array(rows, pa.string()))
        tokens = tokenise(column, name, spans=True)
        if tokens.spans is None:
            raise AssertionError("spans were asked for")
        data = column.buffers()[2].to_pybytes()
        words, stems = tokens.ids.tolist(), tokens.stems.tolist()
        spans = tokens.spans.tolist()
        ends = set(tokens.offsets.tolist())
        _collect(words, stems, spans, ends, data, table, wanted, seen)
    return {
        feature: min(counter.items(), key=lambda item: (-item[1], item[0]))[0]
        for feature, counter in seen.items()
    }


def _collect(
    words: list[int],
    stems: list[int],
    spans: list[list[int]],
    ends: set[int],
    data: bytes,
    table: LexiconTable,
    wanted: set[int],
    seen: dict[int, Counter[str]],
) -> None:
    """Walk the words as `reading.read` does, and note how the wanted features are written."""
    previous, bridge = -1, 0
    for place, word in enumerate(words):
        if place in ends or word == 0:
            previous = -1
        if word == 0:
            continue
        if table.is_stop(word):
            bridge += 1
            if bridge > BRIDGE:
                previous = -1
            continue
        stem = stems[place]
        if stem in wanted:
            seen[stem][_surface(data, spans[place][0], spans[place][1])] += 1
        if previous >= 0:
            pair = pair_id(stems[previous], stem)
            if pair in wanted:
                seen[pair][_surface(data, spans[previous][0], spans[place][1])] += 1
        previous, bridge = place, 0


def _surface(data: bytes, start: int, end: int) -> str:
    """As written, in lower case. A number between two words is somebody's own, and markup nobody's."""
    return " ".join(_NOT_SHOWN.sub(" ", data[start:end].decode().lower()).split())


def label(evidence: Mapping[int, float], spellings: Mapping[int, str]) -> list[str]:
    """Up to SHOWN spellings, the strongest evidence first; a term inside one already chosen adds nothing.

    A pair says more than its words, so it wins unless a word has clearly more evidence.
    """
    chosen: list[str] = []
    order = sorted(
        (feature for feature in evidence if feature in spellings),
        key=lambda one: (-evidence[one] * (1.15 if kind_of(one) == PAIR else 1.0), spellings[one]),
    )
    for feature in order:
        words = set(spellings[feature].split())
        if not any(words <= set(other.split()) for other in chosen):
            chosen = [other for other in chosen if not set(other.split()) < words]
            chosen.append(spellings[feature])
        if len(chosen) == SHOWN:
            break
    return chosen
