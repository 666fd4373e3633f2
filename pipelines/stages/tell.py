"""tell: episodes of the watch -> signals that can be read, with the events that carry them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.civil_days import day_of, midnight
from connectors.log.decisions import MOST_SUBJECTS
from pipelines.lexicon import Theme
from pipelines.stages.carriers import Carriers
from pipelines.stages.episodes import Episode
from pipelines.stages.evidence import (
    Row,
    at_least,
    crowd,
    evidence_of,
    people_told,
)
from pipelines.stages.explain import Signals, Telling, status, taught, worth_telling
from pipelines.stages.finding import (
    BLIND_SPOT,
    COUNTS,
    DIRECTIONS,
    GAP,
    MOOD,
    SCORE,
    SILENCE,
    UP,
)
from pipelines.stages.story import Story
from pipelines.stages.teaching import NO_WEIGHTS, ThresholdWeights, series_subject
from pipelines.stages.told_evidence import told_of_finding
from pipelines.stages.watch_days import VALUES
from pipelines.stages.watch_wording import Change, told_en, told_fr

MOVES = 0.2
"""Share of an episode's events that a story must hold to be what moves the sums: ordinary texts carry a mean
too, so it is less than makes two candidates one story."""


def tell(
    episodes: Sequence[Episode],
    stories: Sequence[Story],
    carriers: Carriers,
    *,
    last_bucket: int,
    live_from: datetime | None,
    weights: ThresholdWeights = NO_WEIGHTS,
) -> Signals:
    """Turn episodes into signals; arguments as in `explain`. carriers: finds the events that carry them.

    Where the texts of a story are what moves the sums, the episode is a part of it. An episode whose events
    come from fewer than the minimum of authors is not told, except a silence: there the minimum applies to
    those expected. A part of what is not told stands for itself. What is shown of it: see `carriers`.
    """
    signals: list[dict[str, Any]] = []
    evidence: list[dict[str, Any]] = []
    telling = carriers.telling
    stories = worth_telling(stories, telling.min_authors)
    told = [
        (episode, shown)
        for episode, shown in zip(episodes, carriers.of(episodes), strict=True)
        if episode.born.kind == SILENCE or shown.rows
    ]
    wholes = {episode.story_id for episode, _ in told}
    for episode, shown in told:
        part_of = episode.part_of if episode.part_of in wholes else None
        episode = replace(episode, part_of=part_of or _moved_by(shown.rows, stories))
        rows, texts = shown.rows, shown.texts
        signals.append(_signal(episode, rows, texts, telling, last_bucket, live_from, weights))
        evidence += evidence_of(
            episode.story_id, episode.owner, rows, texts, [], telling.min_authors, quoted=shown.quoted
        )
    return Signals.of(signals, evidence)


def _moved_by(rows: Sequence[Row], stories: Sequence[Story]) -> str | None:
    """The story that holds the most of the events, if it holds enough of them to move a mean."""
    mine = {row["event_id"] for row in rows}
    shared = [(len(mine & story.support.keys()), story) for story in stories]
    most, story = max(shared, key=lambda pair: pair[0], default=(0, None))
    if story is None or most == 0 or most < MOVES * len(mine):
        return None
    return story.part_of or story.story_id


def _signal(
    episode: Episode,
    rows: Sequence[Row],
    events: dict[bytes, Row],
    telling: Telling,
    last_bucket: int,
    live_from: datetime | None,
    weights: ThresholdWeights,
) -> dict[str, Any]:
    born, details = episode.born, sorted(episode.details - {""})
    raised, since = day_of(born.bucket), day_of(born.since)
    themes = {theme.key: theme for theme in telling.themes.values()}
    theme = themes.get(details[0]) if born.kind == BLIND_SPOT else None
    people = people_told(rows, telling.min_authors)
    zone = telling.reader.zone
    seen = sorted(events[row["event_id"]]["occurred_at"] for row in rows)
    label_fr, sentence_fr = told_fr(_change(episode, telling, people, theme.label_fr if theme else ""))
    label_en, sentence_en = told_en(_change(episode, telling, people, theme.label_en if theme else ""))
    born_at = midnight(raised, zone)
    return {
        "signal_id": episode.story_id,
        "perimeter": episode.owner,
        "bucket": raised,
        "bucket_at": born_at,
        "kind": born.kind,
        "label": label_en if telling.reader.default == "en" else label_fr,
        "terms": [],
        "theme": theme.key if theme else None,
        "dimension": theme.dimension if theme else None,
        "stance": theme.stance if theme else None,
        "owning_function": theme.function if theme else None,
        "tone": _tone(episode, theme),
        "observed": _shown(born.kind in COUNTS, born.observed, telling.min_authors),
        "expected": born.expected,
        "evidence": told_of_finding(born, telling.min_authors),
        **crowd(rows, telling.min_authors),
        "first_seen": seen[0] if seen else midnight(since, zone),
        "last_seen": seen[-1] if seen else midnight(day_of(episode.last_bucket), zone),
        "status": status(episode, last_bucket, telling.window),
        "retrospective": live_from is None or born_at < live_from,
        "mean_score": born.observed if born.kind == SCORE else None,
        "sentence_fr": sentence_fr,
        "sentence_en": sentence_en,
        "settings_version": telling.settings_version,
        "explanation": json.dumps(
            _explanation(episode, details, telling.min_authors, weights), ensure_ascii=False, sort_keys=True
        ),
    }


def _change(episode: Episode, telling: Telling, people: int, theme: str) -> Change:
    born = episode.born
    return Change(
        kind=born.kind,
        direction=born.direction,
        place=telling.names.get(episode.owner, episode.owner.rpartition("/")[2]),
        since=day_of(born.since),
        raised=day_of(born.bucket),
        observed=born.observed,
        expected=born.expected,
        people=people,
        least=telling.min_authors,
        channel=born.detail if born.kind == SILENCE else "",
        channels=sorted(episode.details) if born.kind == SILENCE else [],
        theme=theme,
        moved=born.moved,
    )


def _shown(is_count: bool, value: float, least: int) -> float:
    """A value as it is shown."""
    return float(at_least(value, least)) if is_count else value


def _explanation(
    episode: Episode, details: Sequence[str], least: int, weights: ThresholdWeights
) -> dict[str, Any]:
    born = episode.born
    direction = DIRECTIONS[born.direction]
    subjects = [series_subject(direction, detail) for detail in details or [""]][:MOST_SUBJECTS]
    return {
        "terms": {},
        "threshold": born.threshold,
        "judged_at": born.perimeter,
        "since": day_of(born.since).isoformat(),
        "direction": direction,
        "details": list(details),
        "moved": [
            {
                "component": name,
                "observed": _shown(name not in VALUES, observed, least),
                "expected": expected,
            }
            for name, observed, expected in born.moved
        ],
        "strongest_evidence": told_of_finding(episode.strongest, least),
        "part_of": episode.part_of,
        "subjects": subjects,
        "taught": taught(episode.owner, born.kind, subjects, weights),
    }


def _tone(episode: Episode, theme: Theme | None) -> str:
    """Complaint where people are less content, praise where they are more so."""
    kind, direction = episode.born.kind, episode.born.direction
    if kind in (SCORE, MOOD):
        return "praise" if direction == UP else "complaint"
    if kind == GAP:
        return "complaint" if direction == UP else "praise"
    if theme is not None and theme.polarity in ("complaint", "praise"):
        return theme.polarity
    return "mixed"
