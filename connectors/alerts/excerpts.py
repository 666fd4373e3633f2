"""Which excerpts of a signal say the most."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

Row = Mapping[str, Any]


def most_telling(
    evidence: Sequence[Row], terms: Mapping[str, float], raised: date, *, most: int
) -> list[Row]:
    """The excerpts that hold the most of a signal's terms by weight; among equals the nearest to the alert.

    evidence: rows of EVIDENCE. terms: evidence of each. most: how many. In order of time; what an excerpt
    repeats of another counts for nothing.
    """
    # Of equal excerpts the first stands.
    left = {item["excerpt"].casefold(): item for item in reversed(evidence) if item["excerpt"]}

    def weight(text: str) -> tuple[float, int, int, str]:
        away = abs((left[text]["occurred_at"].date() - raised).days)
        return -sum(value for term, value in terms.items() if term.casefold() in text), away, len(text), text

    chosen = sorted(left, key=weight)[:most]
    return sorted((left[text] for text in chosen), key=lambda item: (item["occurred_at"], item["excerpt"]))


def may_be_quoted(evidence: Sequence[Row], voices: Mapping[str, int | None], least: int) -> list[Row]:
    """The rows whose excerpt may be shown: of voices with as many distinct authors as the minimum.

    voices: authors of each, None where withheld; a row without a voice is of no group that could be counted.
    """
    return [
        item
        for item in evidence
        if item["excerpt"] and (item["voice"] == "" or (voices.get(item["voice"]) or 0) >= least)
    ]
