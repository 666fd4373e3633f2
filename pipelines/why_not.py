"""Why there was no signal of a term, at a perimeter, on a day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import pyarrow as pa

from connectors.civil_days import day_of
from connectors.errors import SettingsError
from detectors.features import PAIR, THEME, WORD, feature_id, kind_of
from pipelines.derivation import Budget, budget_of
from pipelines.stages.corroborate import Placed
from pipelines.stages.detect import Detection
from pipelines.stages.explain import worth_telling
from pipelines.stages.judged_days import JudgedDay, days_of_feature
from pipelines.stages.reading import read
from pipelines.stages.tokens import normalise, tokenise
from pipelines.stages.understand import Reader

Reason = Literal[
    "nobody_wrote",
    "warming_up",
    "too_few",
    "not_heard",
    "below_threshold",
    "repeated",
    "dismissed",
    "not_told",
    "told",
]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why nothing was raised. reason: the first that holds of

    - nobody_wrote: there, that day;
    - warming_up: the perimeter had not yet learned the days that are learned and not judged;
    - too_few: fewer people than the minimum had spoken of it since the episode began, so nothing is told;
    - not_heard: nobody spoke of it that day; alarms are raised on days that add to it;
    - below_threshold: the evidence did not reach the threshold;
    - repeated: the alarm's people, copies and repeats counted once, were fewer than the minimum;
    - dismissed: an alarm, but of too little evidence for a perimeter that dismissed the like;
    - not_told: an alarm, part of what never gathered enough people;
    - told: it is told, by `signal_id` at `owner`.

    day: the day as `vigie explain` tells it; None where nobody wrote. days: those up to it.
    """

    reason: Reason
    perimeter: str
    term: str
    day: JudgedDay | None
    days: Sequence[JudgedDay]
    budget: Budget | None
    rate: float | None = None
    history: int | None = None
    signal_id: str | None = None
    owner: str | None = None
    part_of: str | None = None


def feature_of(term: str, reader: Reader, themes: Mapping[int, str]) -> int:
    """The feature of a word, of two words that follow one another, or of a theme by its key.

    Words are those of the first language of the organisation.
    SettingsError where detection never looks at such a term.
    """
    if (theme := feature_id(term, THEME)) in themes:
        return theme
    wanted = PAIR if len(term.split()) > 1 else WORD
    column = normalise(pa.array([term], pa.string()))
    found = read(tokenise(column, reader.default), reader.tables[reader.default]).features.tolist()
    fitting = [feature for feature in found if kind_of(feature) == wanted]
    if len(fitting) == 1:
        return int(fitting[0])
    raise SettingsError(
        f"--term is {term!r}; it must be a word, two words that follow one another, or a theme's key: stop "
        "words, names of perimeters and numbers are never terms"
    )


def why_not(
    rows: Sequence[Row],
    placed: Sequence[Placed],
    detection: Detection,
    *,
    perimeter: str,
    term: str,
    day: date,
) -> WhyNot:
    """What became of a term. rows: PROBED of one probe, up to the day; placed: of all clusters up to it."""
    bucket = (day - day_of(0)).days
    row = next((one for one in rows if one["bucket"] == bucket), None)
    if row is None or not row["exposure"]:
        return WhyNot("nobody_wrote", perimeter, term, None, (), None)
    days = days_of_feature(
        rows, detection.dispersion, since=day_of(row["since"]), min_authors=detection.min_authors
    )
    known: dict[str, Any] = {
        "perimeter": perimeter,
        "term": term,
        "day": next(one for one in days if one.day == day),
        "days": days,
        "budget": budget_of(row, detection),
        "rate": row["rate"],
        "history": row["history"],
    }
    if not row["flagged"]:
        return WhyNot(_missing(row, detection), **known)
    mine = [
        at
        for at in placed
        if any(
            (one.bucket, one.perimeter, one.feature) == (bucket, perimeter, row["feature"])
            for one in at.cluster.candidates
        )
    ]
    if not mine:
        return WhyNot("repeated", **known)
    story = mine[0].story
    if story is None:
        return WhyNot("dismissed", **known)
    told = bool(worth_telling([story], detection.min_authors))
    if told:
        known |= {"signal_id": story.story_id, "owner": story.owner, "part_of": story.part_of}
    return WhyNot("told" if told else "not_told", **known)


def _missing(row: Row, detection: Detection) -> Reason:
    if row["history"] < detection.warm_up:
        return "warming_up"
    if row["observed"] < detection.min_authors:
        return "too_few"
    return "not_heard" if not row["authors"] else "below_threshold"
