"""explain: stories -> signals that can be read, with the texts that carry them."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from connectors.civil_days import day_of, midnight
from connectors.log.decisions import MOST_SUBJECTS
from connectors.store.schemas import EVIDENCE, SIGNAL
from pipelines.lexicon import Theme
from pipelines.stages.clauses import Said, said_of, tone_of
from pipelines.stages.evidence import (
    Row,
    at_least,
    crowd,
    distinct_authors,
    evidence_of,
    growth,
    people_told,
    quoted_of,
    shares,
    step_of,
    until_last_step,
)
from pipelines.stages.story import EARLY, KIND, NOT_SUSTAINED, Story
from pipelines.stages.teaching import NO_WEIGHTS, ThresholdWeights, feature_subject
from pipelines.stages.terms import label, spelled
from pipelines.stages.understand import Reader
from pipelines.stages.wording import Facts, sentence_en, sentence_fr

Take = Callable[[np.ndarray[Any, np.dtype[np.int64]]], pa.Table]
"""Events with their texts by position in the log (`EventLog.take`)."""

SHARED_THEME = 1 / 3
"""Share of the events that must speak of a theme for the signal to be its."""
SHORT_HISTORY = 56
"""Days of history below which a perimeter's expected is said to lean on the wider one's."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What explanation needs besides stories. names: perimeter path to name; themes: by feature id.
    look_every_us: as in `Detection`.
    """

    reader: Reader
    names: Mapping[str, str]
    themes: Mapping[int, Theme]
    min_authors: int
    window: int
    settings_version: str
    look_every_us: int = 0


@dataclass(frozen=True, slots=True)
class Signals:
    """Tables of SIGNAL and EVIDENCE, in order of (bucket, id) and (id, event)."""

    signals: pa.Table
    evidence: pa.Table

    @classmethod
    def of(cls, signals: Sequence[Mapping[str, Any]], evidence: Sequence[Mapping[str, Any]]) -> "Signals":
        """The tables of rows in any order."""
        signals = sorted(signals, key=lambda row: (row["bucket"], row["signal_id"]))
        evidence = sorted(evidence, key=lambda row: (row["signal_id"], row["occurred_at"], row["event_id"]))
        return cls(pa.Table.from_pylist(signals, SIGNAL), pa.Table.from_pylist(evidence, EVIDENCE))

    def and_those(self, others: "Signals") -> "Signals":
        """These and others, in order."""
        return Signals(
            pa.concat_tables([self.signals, others.signals]).sort_by(
                [("bucket", "ascending"), ("signal_id", "ascending")]
            ),
            pa.concat_tables([self.evidence, others.evidence]).sort_by(
                [("signal_id", "ascending"), ("occurred_at", "ascending"), ("event_id", "ascending")]
            ),
        )


def explain(
    stories: Sequence[Story],
    take: Take,
    telling: Telling,
    *,
    last_bucket: int,
    live_from: datetime | None,
    weights: ThresholdWeights = NO_WEIGHTS,
) -> Signals:
    """Turn stories into signals, each as it was when its crowd had last grown by the minimum.

    last_bucket: the last closed one.

    live_from: when the log's live part begins; what was raised before is retrospective. weights: what was
    taught, for the bucket that comes next.
    """
    signals: list[dict[str, Any]] = []
    evidence: list[dict[str, Any]] = []
    told = [
        (story, until_last_step(list(story.support.values()), telling.min_authors))
        for story in worth_telling(stories, telling.min_authors)
    ]
    positions = np.unique([row["position"] for _, rows in told for row in rows])
    events = take(positions.astype(np.int64))
    for story, rows in told:
        mine = np.sort([row["position"] for row in rows])
        texts = events.take(pa.array(np.searchsorted(positions, mine)))
        signal, shown = _signal(story, rows, texts, telling, last_bucket, live_from, weights)
        signals.append(signal)
        evidence.extend(shown)
    return Signals.of(signals, evidence)


def worth_telling(stories: Sequence[Story], min_authors: int) -> list[Story]:
    """Stories of enough people."""
    return [story for story in stories if distinct_authors(story.support.values()) >= min_authors]


def _signal(
    story: Story,
    rows: Sequence[Row],
    events: pa.Table,
    telling: Telling,
    last_bucket: int,
    live_from: datetime | None,
    weights: ThresholdWeights,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """rows: those of the story that are shown; events: the same with their texts."""
    observed = at_least(story.born.observed, telling.min_authors)
    texts = {event["event_id"]: event for event in events.to_pylist()}
    spellings = spelled(events, story.features, telling.reader)
    scores = [row["score_e4"] for row in rows if row["score_e4"] is not None]
    scorers = {row["person"] for row in rows if row["score_e4"] is not None}
    mean_score = sum(scores) / len(scores) / 10_000 if len(scorers) >= telling.min_authors else None
    said = said_of(story.features, events, telling.reader)
    tone = tone_of(said, mean_score)
    theme = _theme(said, rows, tone, telling.themes)
    terms = label(story.features, spellings) or [theme.label_fr if theme else story.owner]
    seen = sorted(texts[row["event_id"]]["occurred_at"] for row in rows)
    day = day_of(story.born.bucket)
    facts = Facts(
        place=telling.names.get(story.owner, story.owner.rpartition("/")[2]),
        label=", ".join(terms),
        authors=people_told(rows, telling.min_authors),
        raised=day,
        observed=observed,
        expected=story.born.expected,
        since=seen[0].astimezone(ZoneInfo(telling.reader.zone)).date(),
        channels=list(shares(rows, "channel")),
        tone=tone,
        mean_score=mean_score,
        field_first=_field_first(rows),
        short_history=story.born.history < SHORT_HISTORY,
        standing=story.standing(last_bucket),
    )
    born_at = midnight(day, telling.reader.zone)
    return {
        "signal_id": story.story_id,
        "perimeter": story.owner,
        "bucket": day,
        "bucket_at": born_at,
        "kind": KIND,
        "label": facts.label,
        "terms": terms,
        "theme": theme.key if theme else None,
        "dimension": theme.dimension if theme else None,
        "stance": theme.stance if theme else None,
        "owning_function": theme.function if theme else None,
        "tone": facts.tone,
        "observed": float(observed),
        "expected": story.born.expected,
        "evidence": story.born.told,
        **crowd(rows, telling.min_authors),
        "first_seen": seen[0],
        "last_seen": seen[-1],
        "status": status(story, last_bucket, telling.window),
        "retrospective": live_from is None or born_at < live_from,
        "mean_score": mean_score,
        "sentence_fr": sentence_fr(facts),
        "sentence_en": sentence_en(facts),
        "settings_version": telling.settings_version,
        "explanation": json.dumps(
            _explanation(story, rows, spellings, telling, theme, weights)
            | _raised_early(story, last_bucket, telling.look_every_us),
            ensure_ascii=False,
            sort_keys=True,
        ),
    }, evidence_of(
        story.story_id,
        story.owner,
        rows,
        texts,
        terms,
        telling.min_authors,
        quoted=quoted_of(rows, telling.min_authors),
    )


def _explanation(
    story: Story,
    rows: Sequence[Row],
    spellings: Mapping[int, str],
    telling: Telling,
    theme: Theme | None,
    weights: ThresholdWeights,
) -> dict[str, Any]:
    known = {**{feature: theme.label_fr for feature, theme in telling.themes.items()}, **spellings}
    strongest = sorted(story.features.items(), key=lambda item: (-item[1], item[0]))
    told_of = [feature for feature, found in telling.themes.items() if found is theme]
    features = dict.fromkeys([*told_of, *(feature for feature, _ in strongest)])
    subjects = [feature_subject(feature) for feature in features][:MOST_SUBJECTS]
    return {
        "terms": {known[feature]: story.told[feature] for feature, _ in strongest if feature in known},
        "threshold": story.born.threshold,
        "judged_at": story.born.perimeter,
        "feature": f"{story.born.feature:016x}",
        "term": known.get(story.born.feature),
        "since": day_of(story.born.since).isoformat(),
        "days_of_history": story.born.history,
        "strongest_evidence": story.strongest,
        "growth": [
            [
                max(day_of(row["bucket"]) for row in rows if step_of(row) == step).isoformat(),
                people_told([row for row in rows if step_of(row) <= step], telling.min_authors),
            ]
            for step in growth(rows, telling.min_authors)
        ],
        "part_of": story.part_of,
        "subjects": subjects,
        "taught": taught(story.owner, KIND, subjects, weights),
    }


def _raised_early(story: Story, last_bucket: int, every_us: int) -> dict[str, Any]:
    """When a look raised a story, and what became of it; nothing where a close did."""
    if story.early is None:
        return {}
    at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=story.early * every_us)
    return {"early": {"at": at.isoformat(), "standing": story.standing(last_bucket)}}


def taught(
    perimeter: str, kind: str, subjects: Sequence[str], weights: ThresholdWeights
) -> dict[str, Any] | None:
    """What managers made of signals about the like of this one, and what it asks for now; None of nothing."""
    count = weights.strongest(perimeter, kind, subjects)
    if count.since is None:
        return None
    return {
        "dismissed": count.dismissed,
        "confirmed": count.confirmed,
        "times": count.times,
        "since": day_of(count.since).isoformat(),
    }


def _theme(
    said: Said, rows: Sequence[Mapping[str, Any]], tone: str, themes: Mapping[int, Theme]
) -> Theme | None:
    """What the signal is about: the theme of the clauses that hold its terms, else of its texts as a whole.

    Whole texts speak of other things too: there a theme needs a majority, and to fit the tone.
    """
    spoken, size = _most_spoken(said.themes)
    if spoken is not None and size >= SHARED_THEME * len(rows):
        return themes[spoken]
    around, size = _most_spoken([{one for one in row["themes"] if _fits(themes[one], tone)} for row in rows])
    return themes[around] if around is not None and 2 * size > len(rows) else None


def _most_spoken(themes: Sequence[Collection[int]]) -> tuple[int | None, int]:
    """The theme of the most texts and their number, the lowest id of equals; themes: of each text."""
    counted = Counter(one for several in themes for one in several)
    return min(counted.items(), key=lambda item: (-item[1], item[0]), default=(None, 0))


def _fits(theme: Theme, tone: str) -> bool:
    """Praise around a complaint is about something else, and the reverse."""
    return theme.polarity == "neutral" or (theme.polarity == "praise") == (tone == "praise")


def _field_first(rows: Sequence[Mapping[str, Any]]) -> bool:
    first = {
        voice: min(row["event_bucket"] for row in rows if row["voice"] == voice)
        for voice in shares(rows, "voice")
    }
    return "field" in first and "customer" in first and first["field"] < first["customer"]


class Lived(Protocol):
    """A story, or an episode of the watch."""

    last_bucket: int
    part_of: str | None

    def standing(self, last_bucket: int) -> str:
        """How what was raised early stands; empty for what was raised at a close."""
        ...


def status(lived: Lived, last_bucket: int, window: int) -> str:
    """How a signal's life stands at the last closed bucket."""
    if lived.part_of:
        return "merged"
    standing = lived.standing(last_bucket)
    if standing in (EARLY, NOT_SUSTAINED):
        return standing
    return "ended" if lived.last_bucket <= last_bucket - window else "open"
