"""Methods that people use for emerging themes, on counts of words and word pairs a bucket.

All read the same counts, made by river's BagOfWords. Each gives a strength to a term and bucket; a term is
flagged where that reaches the method's threshold and, as for ours, three texts carry it: those of the last
two weeks that hold the term. A term that stays flagged, or is again within four weeks, is one flag.

Sources: SigniTrend, Schubert, Weiler & Kriegel (KDD 2014). ADWIN, Bifet & Gavaldà (SDM 2007), river's.
Bursts, Kleinberg (KDD 2002), section 4: batches, two states; here the states of the stream up to each bucket.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._themes_score import Flag
from benchmarks._themes_streams import BUCKETS, Stream

Counts = NDArray[np.float64]
"""Texts that hold a term, shape (terms, buckets)."""
WARM_UP = 56
"""Buckets without flags, as ours."""
AGAIN, REACH = 28, 14
FEWEST = 3
"""Texts that carry a flag, at least: without it `LEAST`, which knows the future, would make of any new term
a find."""
LEAST = 10
"""Texts of the whole stream that a term is in at least. Most terms are rarer; this spares the peers false
flags, and us time."""


@dataclass(frozen=True)
class Counted:
    """Terms of a stream. texts: places of the texts that hold each term. sizes: texts of each bucket."""

    stream: Stream
    terms: list[Any]
    texts: list[list[int]]
    counts: Counts
    sizes: NDArray[np.float64]


def count(stream: Stream) -> Counted:
    """Count words and word pairs."""
    from river.feature_extraction import BagOfWords

    bag: Any = BagOfWords(ngram_range=(1, 2))
    places: dict[Any, list[int]] = defaultdict(list)
    for place, text in enumerate(stream.texts):
        for term in bag.transform_one(text.text):
            places[term].append(place)
    terms = [term for term, texts in places.items() if len(texts) >= LEAST]
    buckets = np.array([text.bucket for text in stream.texts])
    counts = np.zeros((len(terms), BUCKETS))
    for row, term in enumerate(terms):
        np.add.at(counts[row], buckets[places[term]], 1.0)
    sizes = np.bincount(buckets, minlength=BUCKETS).astype(float)
    return Counted(stream, terms, [places[term] for term in terms], counts, sizes)


def signitrend(counted: Counted, *, epoch: int, beta: float, half_life: float = 28.0) -> Counts:
    """Significance of each term's share of an epoch's texts, against its moving mean and variance.

    epoch: in buckets; a significance stands at the last bucket of its epoch. half_life: in buckets.
    """
    shares = _by_epoch(counted.counts, epoch) / _by_epoch(counted.sizes[None], epoch)
    alpha = 1 - exp(log(0.5) * epoch / half_life)
    mean, variance, weight = shares[:, 0].copy(), shares[:, 0] ** 2, alpha
    strength = np.zeros(counted.counts.shape)
    for number in range(1, shares.shape[1]):
        x = shares[:, number]
        strength[:, (number + 1) * epoch - 1] = (x - np.maximum(mean, beta)) / (np.sqrt(variance) + beta)
        step = alpha / (weight * (1 - alpha) + alpha)
        weight += (1 - weight) * alpha
        change = x - mean
        mean = mean + step * change
        variance = (1 - step) * (variance + step * change**2)
    return strength


def adwin(
    counted: Counted, *, delta: float, epoch: int, shortest: int, among: NDArray[np.bool_] | None = None
) -> Counts:
    """1 where a window over a term's counts in epochs drifts, to a higher mean.

    epoch: in buckets; a drift stands at the last bucket of its epoch. shortest: epochs of a window, at least.
    among: terms that may drift; see `drifting`. Counts and not shares: ADWIN takes values to range over
    [0, 1], and shares are too small for its bound.
    """
    strength = np.zeros(counted.counts.shape)
    for row, values in _windows(counted, epoch, among):
        window = _adwin(delta, shortest)
        for number, count_here in enumerate(values):
            before = window.estimation
            window.update(count_here)
            risen = window.drift_detected and window.estimation > before
            strength[row, (number + 1) * epoch - 1] = float(risen)
    return strength


def drifting(counted: Counted, *, delta: float, epoch: int, shortest: int) -> NDArray[np.bool_]:
    """Terms whose window ever drifts; the others do not at a smaller `delta` either.

    A window that never drifts holds all there was, whatever `delta`, and a smaller one asks for more.
    """
    found = np.zeros(len(counted.counts), np.bool_)
    for row, values in _windows(counted, epoch, None):
        window = _adwin(delta, shortest)
        for count_here in values:
            window.update(count_here)
            if window.drift_detected:
                found[row] = True
                break
    return found


def _windows(
    counted: Counted, epoch: int, among: NDArray[np.bool_] | None
) -> Iterator[tuple[int, list[float]]]:
    """Each term and its counts by epoch."""
    by_epoch = _by_epoch(counted.counts, epoch)
    rows = range(len(by_epoch)) if among is None else np.flatnonzero(among).tolist()
    return ((row, by_epoch[row].tolist()) for row in rows)


def _adwin(delta: float, shortest: int) -> Any:
    from river.drift import ADWIN

    return ADWIN(  # type: ignore[no-untyped-call]
        delta=delta, clock=1, min_window_length=shortest, grace_period=2 * shortest
    )


def kleinberg(counted: Counted, *, ratio: float) -> Counts:
    """Cost that the burst state saves, were going up free; a burst is where that is above its cost.

    ratio: of the burst's rate to the base rate, which is the term's share of all texts so far.
    """
    counts, sizes = counted.counts, counted.sizes
    strength = np.zeros(counts.shape)
    seen, saved, written = np.zeros(counts.shape[0]), np.zeros(counts.shape[0]), 0.0
    for bucket in range(BUCKETS):
        base = (seen + 0.5) / (written + 1.0)
        burst = np.minimum(0.5, ratio * base)
        held, size = counts[:, bucket], sizes[bucket]
        gain = held * np.log(burst / base) + (size - held) * np.log((1 - burst) / (1 - base))
        # Going down is free, so the base state is never dearer than the burst state.
        saved = np.maximum(0.0, saved + gain)
        strength[:, bucket] = saved
        seen, written = seen + held, written + size
    return strength


def _by_epoch(counts: Counts, epoch: int) -> Counts:
    """Sums of epochs of so many buckets; what is left of the last one is left out."""
    epochs = counts.shape[1] // epoch
    summed: Counts = counts[:, : epochs * epoch].reshape(-1, epochs, epoch).sum(axis=2)
    return summed


def flags(counted: Counted, strength: Counts, threshold: float) -> list[Flag]:
    """A flag for each term and each time it comes to the threshold."""
    found = []
    over = strength >= threshold
    over[:, :WARM_UP] = False
    for row in np.flatnonzero(over.any(axis=1)).tolist():
        last = -AGAIN
        for bucket in np.flatnonzero(over[row]).tolist():
            flag = _flag(counted, row, bucket)
            if sum(flag.carried.values()) < FEWEST:
                continue
            if bucket - last >= AGAIN:
                found.append(flag)
            last = bucket
    return found


def _flag(counted: Counted, row: int, bucket: int) -> Flag:
    texts = (counted.stream.texts[place] for place in counted.texts[row])
    carried = Counter(text.topic for text in texts if bucket - REACH < text.bucket <= bucket)
    return Flag(bucket, str(counted.terms[row]), carried)
