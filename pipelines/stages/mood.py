"""Moods of texts from learned weights: whole numbers of the same kind as sums of the lexicon's weights."""

import numpy as np
from numpy.typing import NDArray

from detectors.text_weights import UNIT, Quantised, Texts

LOW, MIDDLE, HIGH = range(3)
"""Classes of scores that weights are learned for: columns of the weights."""
STRONGEST = 10
"""A text's mood is as high or as low as it gets from here on."""
_STEP = UNIT // 4
"""Log-odds, between the likeliest class and the next, that make a mood stronger by 1."""


def moods(texts: Texts, weights: Quantised) -> NDArray[np.int16]:
    """Mood of each text, from -STRONGEST to STRONGEST; 0 where neither a low nor a high score is likeliest.

    texts: hints are the lexicon's sentiment, which stands where no feature of the text has a weight.
    """
    log_odds, known = weights.log_odds(texts)
    ordered = np.sort(log_odds, axis=1)
    size = np.minimum(1 + (ordered[:, 2] - ordered[:, 1]) // _STEP, STRONGEST)
    alone = ordered[:, 2] > ordered[:, 1]
    high, low = alone & (log_odds[:, HIGH] == ordered[:, 2]), alone & (log_odds[:, LOW] == ordered[:, 2])
    lexicon = np.zeros(len(texts), np.int64) if texts.hints is None else texts.hints
    return np.where(known > 0, np.where(high, size, np.where(low, -size, 0)), lexicon).astype(np.int16)
