"""learn: weights of words from the scored texts of a log, and what reading with them would change.

One pass in order of time learns each text after it was read (progressive validation); a second one reads all
texts with the weights in force and with the new ones. A copy of a text is learned once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from connectors.errors import LogError
from connectors.log import EventLog
from detectors.features import THEME, kind_of
from detectors.text_weights import UNIT, Quantised, Texts, TextWeights
from pipelines.columns import one_array
from pipelines.stages.mood import HIGH, LOW, MIDDLE, moods
from pipelines.stages.terms import spelled
from pipelines.stages.understand import UNDERSTOOD, Reader, languages, understand
from pipelines.weights import Weights

SLICE_ROWS = 100_000
BATCH_ROWS = 16_384
FEWEST_TEXTS = 200
"""Scored texts of a language from which its weights are learned."""
CHANGES_SHOWN = 10
"""Features of a language whose weights rise most, and as many whose fall most."""
_LOW_E4, _HIGH_E4 = 3_333, 6_667
"""Scores up to the first and from the second on are low and high, in ten-thousandths: thirds."""

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Agreement:
    """How scores and moods go together. counts: texts by class of the score and of the mood."""

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((3, 3), np.int64))

    def add(self, scores: NDArray[np.int64], told: NDArray[np.int64]) -> None:
        """Some more texts, by their classes."""
        np.add.at(self.counts, (scores, told), 1)

    @property
    def texts(self) -> int:
        """Texts counted."""
        return int(self.counts.sum())

    @property
    def share(self) -> float:
        """Texts whose mood is of their score's class; in [0, 1]."""
        return float(np.trace(self.counts)) / max(1, self.texts)

    @property
    def macro_f1(self) -> float:
        """Mean over the classes that scores have of the harmonic mean of precision and recall; in [0, 1]."""
        size = self.counts.sum(axis=0) + self.counts.sum(axis=1)
        met = self.counts.sum(axis=1) > 0
        return float(np.mean(2 * np.diag(self.counts)[met] / size[met])) if met.any() else 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """A word, pair or theme whose weight changes: log-odds of a high score against a low one."""

    language: str
    word: str
    before: float
    after: float

    @property
    def rise(self) -> float:
        """What the weight gains."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class LanguageLesson:
    """One language. words: features with a weight. texts, moved: of all texts, and those whose mood's sign
    would change."""

    language: str
    lexicon: Agreement
    learned: Agreement
    """Each text read before it was learned."""
    words: int
    texts: int
    moved: int


@dataclass(frozen=True, slots=True)
class Lesson:
    """New weights, and what they would change. left: scored texts of languages with too few."""

    weights: Weights
    languages: Sequence[LanguageLesson]
    changes: Sequence[Change]
    """The largest of each sign and language, the largest first."""
    left: Mapping[str, int]


def learn(
    log: EventLog,
    reader: Reader,
    *,
    min_authors: int,
    themes: Mapping[int, str],
    progress: Progress | None = None,
) -> Lesson:
    """Learn from every scored text of a log.

    reader: with the weights in force. min_authors: distinct authors who use a word before it is learned.
    themes: their keys by feature id. progress: called with rows done and rows in all, of both passes.
    Raises LogError where no language has FEWEST_TEXTS scored texts.
    """
    plain = replace(reader, weights={})
    pupils: dict[str, _Pupil] = defaultdict(lambda: _Pupil(min_authors))
    bar = _Bar(log, progress)
    for rows in _slices(log, plain, bar):
        for name, mine in _by_language(rows):
            pupils[name].learn(_scored(mine))
    ready = {name: one for name, one in sorted(pupils.items()) if one.learned.texts >= FEWEST_TEXTS}
    left = {name: one.learned.texts for name, one in sorted(pupils.items()) if name not in ready}
    if not ready:
        raise LogError(
            f"{log.location}: holds {sum(left.values())} scored texts that differ; "
            f"{FEWEST_TEXTS} of one language are needed to learn from"
        )
    weights = Weights({name: one.model.quantised() for name, one in ready.items()})
    wanted = {name: _largest(name, weights.languages[name], reader.weights.get(name)) for name in ready}
    survey = _Survey(reader, weights, wanted)
    for rows in _slices(log, plain, bar):
        for name, mine in _by_language(rows):
            survey.add(name, mine)
    lessons = [
        LanguageLesson(
            name, one.lexicon, one.learned, weights.languages[name].features.size, *survey.moved[name]
        )
        for name, one in ready.items()
    ]
    return Lesson(weights, lessons, survey.changes(themes), left)


class _Bar:
    """Rows of the log done, over two passes."""

    def __init__(self, log: EventLog, progress: Progress | None) -> None:
        self._progress = progress
        self._done, self._total = 0, 2 * log.rows

    def add(self, rows: int) -> None:
        self._done += rows
        if self._progress is not None:
            self._progress(self._done, self._total)


class _Pupil:
    """Learns one language, and keeps how well it and the lexicon told the scores."""

    def __init__(self, min_authors: int) -> None:
        self.model = TextWeights((LOW, MIDDLE, HIGH), min_authors=min_authors)
        self.lexicon, self.learned = Agreement(), Agreement()
        self._copies = np.empty(0, np.uint64)

    def learn(self, rows: pa.Table) -> None:
        """Scored rows, in order of time; copies of texts met before are passed over."""
        copies = rows["copy"].to_numpy()
        first = np.sort(np.unique(copies, return_index=True)[1])
        first = first[~np.isin(copies[first], self._copies)]
        self._copies = np.union1d(self._copies, copies)
        rows = rows.take(pa.array(first))
        if not rows.num_rows:
            return
        scores = np.digitize(rows["score_e4"].to_numpy(), [_LOW_E4 + 1, _HIGH_E4])
        texts = _texts(rows)
        before = self.model.learn_many(texts, scores, authors=rows["person"].to_numpy())
        self.learned.add(scores, before.argmax(axis=1))
        self.lexicon.add(scores, np.sign(rows["sentiment"].to_numpy()) + MIDDLE)


class _Survey:
    """Reads all texts with the weights in force and the new ones, and finds how changed words are written."""

    def __init__(self, reader: Reader, weights: Weights, wanted: Mapping[str, Mapping[int, Change]]) -> None:
        self._reader, self._weights, self._wanted = reader, weights, wanted
        self._written: dict[str, dict[int, str]] = {name: {} for name in wanted}
        self.moved = dict.fromkeys(wanted, (0, 0))
        """Texts, and those whose mood's sign changes, by language."""

    def add(self, language: str, rows: pa.Table) -> None:
        """Rows of one language."""
        if language not in self._wanted:
            return
        texts = _texts(rows)
        lexicon = rows["sentiment"].to_numpy()
        in_force = self._reader.weights.get(language)
        before = lexicon if in_force is None else moods(texts, in_force)
        after = moods(texts, self._weights.languages[language])
        size, moved = self.moved[language]
        changed = int(np.sum(np.sign(before) != np.sign(after)))
        self.moved[language] = (size + rows.num_rows, moved + changed)
        self._spell(language, rows, texts)

    def changes(self, themes: Mapping[int, str]) -> list[Change]:
        """The largest changes, with the words as they are written."""
        named = [
            replace(change, word=themes.get(feature) or self._written[language].get(feature, ""))
            for language, changes in self._wanted.items()
            for feature, change in changes.items()
        ]
        shown = sorted(named, key=lambda one: (-abs(one.rise), one.language, one.word))
        return [change for change in shown if change.word]

    def _spell(self, language: str, rows: pa.Table, texts: Texts) -> None:
        """Look in the first rows that hold a word: how most of them write it is how it is written."""
        sought = [feature for feature in self._wanted[language] if feature not in self._written[language]]
        sought = [feature for feature in sought if kind_of(feature) != THEME]
        holds = np.isin(texts.features, np.array(sought, np.uint64))
        if holds.any():
            owner = np.repeat(np.arange(len(texts)), np.diff(texts.offsets))
            holding = rows.take(pa.array(np.unique(owner[holds]))).select(["language", "text"])
            self._written[language].update(spelled(holding, sought, self._reader))


_ROWS = pa.schema([*UNDERSTOOD, pa.field("language", pa.string()), pa.field("text", pa.string())])


def _slices(log: EventLog, reader: Reader, bar: _Bar) -> Iterator[pa.Table]:
    """Rows with a text, understood, with the language they were read in; by (bucket, event id) in a slice."""
    for part in log.slices(max_rows=SLICE_ROWS, zone=reader.zone):
        batches = []
        for piece in log.pieces(part):
            events = log.read_piece(piece)
            for start in range(0, events.num_rows, BATCH_ROWS):
                batches.append(_read(events.slice(start, BATCH_ROWS), reader))
            bar.add(events.num_rows)
        rows = pa.Table.from_batches(batches, _ROWS)
        ids = np.array(rows["event_id"].to_pylist(), "S16")
        yield rows.take(pa.array(np.lexsort((ids, rows["bucket"].to_numpy()))))


def _read(events: pa.RecordBatch, reader: Reader) -> pa.RecordBatch:
    names = pa.array(list(reader.tables), pa.string()).take(pa.array(languages(events["language"], reader)))
    rows = understand(events, reader)
    batch = pa.RecordBatch.from_arrays([*rows.columns, names, events["text"]], schema=_ROWS)
    return batch.filter(rows["has_text"])


def _by_language(rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    for name in sorted(pc.unique(rows["language"]).to_pylist()):
        yield name, rows.filter(pc.equal(rows["language"], name))


def _scored(rows: pa.Table) -> pa.Table:
    return rows.filter(rows["score_e4"].is_valid())


def _texts(rows: pa.Table) -> Texts:
    features = one_array(rows["features"])
    sizes = pc.list_value_length(features).to_numpy()
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    return Texts(features.flatten().to_numpy(), offsets, rows["sentiment"].to_numpy().astype(np.int64))


def _largest(language: str, new: Quantised, old: Quantised | None) -> dict[int, Change]:
    """The features whose weight rises and falls most; their words are still to be found."""
    before, after = _leaning(old), _leaning(new)
    features = sorted(before.keys() | after.keys())
    changes = {
        feature: Change(language, "", before.get(feature, 0.0), after.get(feature, 0.0))
        for feature in features
    }
    ordered = sorted(features, key=lambda feature: changes[feature].rise)
    falling = [feature for feature in ordered[:CHANGES_SHOWN] if changes[feature].rise < 0]
    rising = [feature for feature in ordered[-CHANGES_SHOWN:] if changes[feature].rise > 0]
    return {feature: changes[feature] for feature in (*falling, *rising)}


def _leaning(weights: Quantised | None) -> dict[int, float]:
    if weights is None:
        return {}
    leaning = (weights.weights[:, HIGH] - weights.weights[:, LOW]) / UNIT
    return dict(zip(weights.features.tolist(), leaning.tolist(), strict=True))
