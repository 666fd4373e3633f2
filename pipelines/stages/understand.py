"""understand: events with text -> what each says, without the text. Stateless; any split of the rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from connectors.civil_days import civil_days
from connectors.events import EVENT, FLAG_HISTORY, FLAG_LATE, check_schema, effective_at
from connectors.perimeters import moved
from detectors.text_weights import Quantised, Texts
from pipelines.columns import mapped, one_array
from pipelines.lexicon import Lexicons
from pipelines.stages.lexicon_table import LexiconTable, compile_lexicon
from pipelines.stages.mood import moods
from pipelines.stages.reading import read
from pipelines.stages.tokens import tokenise

UNDERSTOOD = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("event_id", pa.binary(16), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("perimeter", pa.string(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("voice", pa.string(), nullable=False),
        pa.field("person", pa.uint64(), nullable=False),
        pa.field("copy", pa.uint64(), nullable=False),
        pa.field("score_e4", pa.int32()),
        pa.field("sentiment", pa.int16(), nullable=False),
        pa.field("has_text", pa.bool_(), nullable=False),
        pa.field("late", pa.bool_(), nullable=False),
        pa.field("admitted_at", pa.int64()),
        pa.field("features", pa.large_list(pa.uint64()), nullable=False),
    ]
)
"""bucket: civil day since 1970-01-01 in the organisation's zone. person: the author's pseudonym, or the
event's own where it has none. copy: equal for near-copies. score_e4: the score in ten-thousandths.
admitted_at: microseconds since 1970 UTC, null where it was loaded as history.
features: distinct ids of `detectors.features`."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What `understand` needs besides the rows.

    tables: a compiled lexicon a language. default: language of texts in any other. zone: whose days count.
    weights: learned ones a language; without them the lexicon tells the sentiment. moves: paths that
    perimeters had before, to those they have now: their past is read where they stand today.
    """

    tables: Mapping[str, LexiconTable]
    default: str
    zone: str
    weights: Mapping[str, Quantised] = field(default_factory=dict)
    moves: Mapping[str, str] = field(default_factory=dict)

    def places(self, perimeters: pa.Array) -> pa.Array:
        """A column of paths as they are today."""
        if not self.moves:
            return perimeters
        return mapped(perimeters, self.place_of, pa.string())

    def place_of(self, perimeter: str) -> str:
        """A path as it is today."""
        return moved(perimeter, self.moves)


def make_reader(
    lexicons: Lexicons,
    *,
    default: str,
    zone: str,
    names: Iterable[str] = (),
    weights: Mapping[str, Quantised] | None = None,
    moves: Mapping[str, str] | None = None,
) -> Reader:
    """Compile the lexicons: once a process. names: of perimeters; a place is not news about itself."""
    tables = {
        language: compile_lexicon(lexicon, sorted(names)) for language, lexicon in lexicons.languages.items()
    }
    return Reader(tables, default, zone, weights or {}, moves or {})


def understand(events: pa.RecordBatch, reader: Reader) -> pa.RecordBatch:
    """Rows of UNDERSTOOD in the order of `events` (EVENT columns and `position`)."""
    check_schema(events.schema, EVENT, where="understand")
    rows = events.num_rows
    features, lengths = _Ragged(rows), np.zeros(rows, np.int64)
    sentiment, fingerprint = np.zeros(rows, np.int16), np.zeros(rows, np.uint64)
    language_of = languages(events["language"], reader)
    for number, (language, table) in enumerate(reader.tables.items()):
        chosen = np.flatnonzero(language_of == number)
        if not chosen.size:
            continue
        texts = events["text"].take(pa.array(chosen)) if chosen.size < rows else events["text"]
        readings = read(tokenise(texts, language), table)
        sentiment[chosen], fingerprint[chosen] = readings.sentiment, readings.fingerprint
        if language in reader.weights:
            said = Texts(readings.features, readings.offsets, readings.sentiment.astype(np.int64))
            sentiment[chosen] = moods(said, reader.weights[language])
        lengths[chosen] = np.diff(readings.offsets)
        features.add(chosen, readings.features, readings.offsets)
    event_key = first_words(events["event_id"])
    has_text = pc.greater(pc.binary_length(events["text"]), 0)
    columns = {
        "bucket": buckets_of(events, reader.zone),
        "event_id": events["event_id"],
        "position": events["position"],
        "perimeter": reader.places(events["perimeter"]),
        "channel": events["channel"],
        "voice": events["voice"],
        "person": np.where(
            events["author"].is_valid().to_numpy(zero_copy_only=False),
            first_words(pc.fill_null(events["author"], bytes(16))),
            event_key,
        ),
        "copy": np.where(fingerprint == 0, event_key, fingerprint),
        "score_e4": pc.cast(pc.round(pc.multiply(events["score"], 10_000.0)), pa.int32()),
        "sentiment": sentiment,
        "has_text": has_text,
        "late": _flagged(events, FLAG_LATE),
        "admitted_at": pc.if_else(
            _flagged(events, FLAG_HISTORY), None, events["admitted_at"].cast(pa.int64())
        ),
        "features": features.as_list(lengths),
    }
    arrays = [_as_array(columns[field.name], field.type) for field in UNDERSTOOD]
    return pa.RecordBatch.from_arrays(arrays, schema=UNDERSTOOD)


def _flagged(events: pa.RecordBatch, flag: int) -> pa.Array:
    return pc.not_equal(pc.bit_wise_and(events["flags"], pa.scalar(flag, pa.uint16())), 0)


class _Ragged:
    """Collects list values of interleaved groups of rows; one group alone is passed through uncopied."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._groups: list[tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64]]] = []

    def add(self, rows: NDArray[np.int64], values: NDArray[np.uint64], offsets: NDArray[np.int64]) -> None:
        self._groups.append((rows, values, offsets))

    def as_list(self, lengths: NDArray[np.int64]) -> pa.LargeListArray:
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        if len(self._groups) == 1:
            values = self._groups[0][1]
        else:
            values = np.empty(int(offsets[-1]), np.uint64)
            for rows, group, starts in self._groups:
                sizes = np.diff(starts)
                target = np.repeat(offsets[rows] - starts[:-1], sizes) + np.arange(group.size)
                values[target] = group
        return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))


def buckets_of(events: pa.RecordBatch | pa.Table, zone: str) -> NDArray[np.int32]:
    """The day that each event (EVENT or its core) counts in, days since 1970."""
    return civil_days(effective_at(events).cast(pa.int64()).to_numpy(), zone)


def languages(column: pa.Array, reader: Reader) -> NDArray[np.int64]:
    """Number of the lexicon each row is read with; texts of another language with the default's."""
    known = list(reader.tables)
    numbers = pc.index_in(column, value_set=pa.array(known, pa.string()))
    filled: NDArray[np.int64] = pc.fill_null(numbers, known.index(reader.default)).to_numpy().astype(np.int64)
    return filled


def first_words(ids: pa.Array) -> NDArray[np.uint64]:
    """The first eight bytes of 16-byte ids, as little-endian integers."""
    data = ids.buffers()[1]
    words = np.frombuffer(data, "<u8").reshape(-1, 2) if data is not None else np.empty((0, 2), np.uint64)
    return words[ids.offset : ids.offset + len(ids), 0]


def _as_array(column: object, kind: pa.DataType) -> pa.Array:
    return one_array(column) if isinstance(column, pa.Array | pa.ChunkedArray) else pa.array(column, kind)
