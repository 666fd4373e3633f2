"""Cells of a division's rows, added up in compiled code: sums and distinct persons and copies of each."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detectors.compiled import inner
from detectors.features import KIND_BITS, THEME, mix
from pipelines.stages.mentions import previous

COUNTS = (
    *("texts", "authors", "score_sum", "scored", "sentiment_sum", "without_text", "late"),
    *("volume", "speakers", "score_squares", "sentiment_squares", "moods", "mood_sum", "mood_squares"),
    *("paired", "gap_sum", "gap_squares"),
)
"""Columns of the sums, in order; `pipelines.stages.tally` says what each is."""
_PERSONS, _COPIES, _IN_TIME = range(3)
_THEME = np.uint64(THEME)


class Texts(NamedTuple):
    """Rows in order of bucket. nodes: perimeter of each at each level, by number, -1 below its own; shape
    (rows, levels). kind: channel and voice, by number. score, mood: in units of 1/SCALE. features, offsets:
    the list column."""

    bucket: NDArray[np.int32]
    nodes: NDArray[np.int32]
    kind: NDArray[np.int32]
    person: NDArray[np.uint64]
    copy: NDArray[np.uint64]
    late: NDArray[np.bool_]
    has_text: NDArray[np.bool_]
    score: NDArray[np.int64]
    scored: NDArray[np.bool_]
    mood: NDArray[np.int64]
    features: NDArray[np.uint64]
    offsets: NDArray[np.int64]


class Summed(NamedTuple):
    """Cells in order of their first row. sums: COUNTS of each; shape (cells, COUNTS)."""

    bucket: NDArray[np.int32]
    node: NDArray[np.int32]
    kind: NDArray[np.int32]
    theme: NDArray[np.uint64]
    sums: NDArray[np.int64]


def sum_cells(texts: Texts, *, scale: int) -> Summed:
    """Add up the cells of all levels. scale: of scores and moods; a score of 0.5 is scale // 2."""
    people, copies = _recurs(texts.person, texts.bucket), _recurs(texts.copy, texts.bucket)
    return Summed(*_sum_cells(texts, people, copies, scale, len(COUNTS)))


def _recurs(keys: NDArray[np.uint64], bucket: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether another row of the same bucket has the same key; most have none, and need not be looked up."""
    before = previous(keys)
    again = np.flatnonzero((before >= 0) & (bucket[before] == bucket))
    found = np.zeros(keys.size, np.bool_)
    found[again] = found[before[again]] = True
    return found


@inner
def _room(texts: Any) -> Any:
    """Entries of all rows, and the most of one bucket: a row has one for each level and theme, and itself."""
    every, most, here = 0, 0, 0
    for row in range(texts.bucket.size):
        if row == 0 or texts.bucket[row] != texts.bucket[row - 1]:
            here = 0
        themes = 1
        for place in range(texts.offsets[row], texts.offsets[row + 1]):
            themes += (texts.features[place] & KIND_BITS) == _THEME
        for level in range(texts.nodes.shape[1]):
            if texts.nodes[row, level] >= 0:
                every += themes
                here += themes
        most = max(most, here)
    return every, most


@inner
def _places(entries: int) -> int:
    size = 64
    while size < 2 * entries:
        size *= 2
    return size


@inner
def _is_new(value: Any, tag: int, day: int, values: Any, tags: Any, days: Any) -> bool:
    """Whether a value is met with a tag for the first time in a day; notes it."""
    mask = np.uint64(values.size - 1)
    place = (mix(value, np.uint64(tag)) >> np.uint64(13)) & mask
    while days[place] == day:
        if values[place] == value and tags[place] == tag:
            return False
        place = (place + np.uint64(1)) & mask
    values[place], tags[place], days[place] = value, tag, day
    return True


@njit(cache=True, nogil=True)
def _sum_cells(texts: Any, people: Any, copies: Any, scale: int, columns: int) -> Any:
    every, most = _room(texts)
    bucket, node = np.empty(every, np.int32), np.empty(every, np.int32)
    kind, theme = np.empty(every, np.int32), np.empty(every, np.uint64)
    sums = np.zeros((every, columns), np.int64)
    distinct = np.zeros(every, np.int64)
    # Tables are used again from day to day: what another day wrote counts as empty.
    size = _places(most)
    table, table_day = np.empty(size, np.int64), np.full(size, -1, np.int64)
    size = _places(3 * most + texts.bucket.size)
    values, tags = np.empty(size, np.uint64), np.empty(size, np.int64)
    days = np.full(size, -1, np.int64)
    cells, day = 0, -1
    for row in range(texts.bucket.size):
        if row == 0 or texts.bucket[row] != texts.bucket[row - 1]:
            day += 1
        person, copy, mood, score = texts.person[row], texts.copy[row], texts.mood[row], texts.score[row]
        written, late, scored = texts.has_text[row], texts.late[row], texts.scored[row]
        same_person, same_copy = people[row], copies[row]
        first = (not same_copy or _is_new(copy, -1, day, values, tags, days)) and written
        gap = 2 * score - scale - mood
        for level in range(texts.nodes.shape[1]):
            here = texts.nodes[row, level]
            if here < 0:
                continue
            for place in range(texts.offsets[row] - 1, texts.offsets[row + 1]):
                subject = np.uint64(0)
                if place >= texts.offsets[row]:
                    subject = texts.features[place]
                    if (subject & KIND_BITS) != _THEME:
                        continue
                key = mix(subject, np.uint64(here) << np.uint64(20) | np.uint64(texts.kind[row]))
                at = np.int64((key >> np.uint64(13)) & np.uint64(table.size - 1))
                while table_day[at] == day:
                    cell = table[at]
                    if theme[cell] == subject and node[cell] == here and kind[cell] == texts.kind[row]:
                        break
                    at = (at + 1) & (table.size - 1)
                if table_day[at] != day:
                    table[at], table_day[at] = cells, day
                    bucket[cells], node[cells] = texts.bucket[row], here
                    kind[cells], theme[cells] = texts.kind[row], subject
                    cells += 1
                cell = table[at]
                sums[cell, 0] += 1
                tag = 4 * cell
                sums[cell, 1] += not same_person or _is_new(person, tag + _PERSONS, day, values, tags, days)
                distinct[cell] += not same_copy or _is_new(copy, tag + _COPIES, day, values, tags, days)
                sums[cell, 4] += mood
                sums[cell, 5] += not written
                sums[cell, 6] += late
                if not late:
                    sums[cell, 7] += not same_copy or _is_new(copy, tag + _IN_TIME, day, values, tags, days)
                if scored:
                    sums[cell, 2] += score
                    sums[cell, 3] += 1
                    sums[cell, 9] += score * score
                if written:
                    sums[cell, 10] += mood * mood
                if first:
                    sums[cell, 11] += 1
                    sums[cell, 12] += mood
                    sums[cell, 13] += mood * mood
                    if scored:
                        sums[cell, 14] += 1
                        sums[cell, 15] += gap
                        sums[cell, 16] += gap * gap
    for cell in range(cells):
        sums[cell, 8] = min(sums[cell, 1], distinct[cell])
    return bucket[:cells], node[:cells], kind[:cells], theme[:cells], sums[:cells]
