"""tell: episodes of the watch -> signals that can be read, with the events that carry them."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from connectors.civil_days import day_of, midnight
from connectors.log.decisions import MOST_SUBJECTS
from connectors.store.schemas import SCALE
from pipelines.lexicon import Theme
from pipelines.stages.corroborate import Story, within
from pipelines.stages.episodes import Episode
from pipelines.stages.evidence import (
    Row,
    at_least,
    crowd,
    distinct_authors,
    evidence_of,
    people_told,
    until_last_step,
)
from pipelines.stages.explain import Signals, Telling, status, taught, worth_telling
from pipelines.stages.finding import (
    BLIND_SPOT,
    COUNTS,
    DIRECTIONS,
    DOWN,
    GAP,
    MOOD,
    NO_TEXT,
    SCORE,
    SILENCE,
    UNUSUAL_DAY,
    UP,
)
from pipelines.stages.mood import STRONGEST
from pipelines.stages.teaching import NO_WEIGHTS, ThresholdWeights, series_subject
from pipelines.stages.understand import understand
from pipelines.stages.watch_days import VALUES
from pipelines.stages.watch_wording import Change, told_en, told_fr

EventsOf = Callable[[int, int], Iterator[pa.RecordBatch]]
"""Events with texts and positions of the buckets first..last, in canonical order."""

MOVES = 0.2
"""Share of an episode's events that a story must hold to be what moves the sums: ordinary texts carry a mean
too, so it is less than makes two candidates one story."""
MOST_EVENTS = 100
"""Events that a signal of the watch shows, the most telling ones."""


def tell(
    episodes: Sequence[Episode],
    stories: Sequence[Story],
    events_of: EventsOf,
    telling: Telling,
    *,
    last_bucket: int,
    live_from: datetime | None,
    weights: ThresholdWeights = NO_WEIGHTS,
) -> Signals:
    """Turn episodes into signals; arguments as in `explain`.

    Where the texts of a story are what moves the sums, the episode is a part of it. An episode whose events
    come from fewer than the minimum of authors is not told, except a silence: there the minimum applies to
    those expected. A part of what is not told stands for itself. What is shown of it is as in `explain`.
    """
    signals: list[dict[str, Any]] = []
    evidence: list[dict[str, Any]] = []
    stories = worth_telling(stories, telling.min_authors)
    carried = [(episode, *_carriers(episode, events_of, telling)) for episode in episodes]
    told = [
        (episode, texts, rows)
        for episode, texts, rows in carried
        if episode.born.kind == SILENCE or distinct_authors(rows) >= telling.min_authors
    ]
    wholes = {episode.story_id for episode, _, _ in told}
    for episode, texts, rows in told:
        part_of = episode.part_of if episode.part_of in wholes else None
        episode = replace(episode, part_of=part_of or _moved_by(rows, stories))
        shown = until_last_step(rows, telling.min_authors)
        signals.append(_signal(episode, shown, texts, telling, last_bucket, live_from, weights))
        evidence += evidence_of(episode.story_id, episode.owner, shown, texts, [], telling.min_authors)
    return Signals.of(signals, evidence)


def _moved_by(rows: Sequence[Row], stories: Sequence[Story]) -> str | None:
    """The story that holds the most of the events, if it holds enough of them to move a mean."""
    mine = {row["event_id"] for row in rows}
    shared = [(len(mine & story.support.keys()), story) for story in stories]
    most, story = max(shared, key=lambda pair: pair[0], default=(0, None))
    if story is None or most == 0 or most < MOVES * len(mine):
        return None
    return story.part_of or story.story_id


def _carriers(episode: Episode, events_of: EventsOf, telling: Telling) -> tuple[dict[bytes, Row], list[Row]]:
    """The most telling events of an episode with their texts, by id, and as rows like SUPPORT."""
    born = episode.born
    if born.kind == SILENCE:
        return {}, []
    first, last = max(born.since, episode.last_bucket - telling.window + 1), episode.last_bucket
    if born.kind == UNUSUAL_DAY:
        first = last = born.bucket
    most: list[tuple[float, bytes, Row, Row]] = []
    themes = np.array(sorted(telling.themes), np.uint64)
    wanted = [feature for feature, theme in telling.themes.items() if theme.key in episode.details]
    for batch in events_of(first, last):
        inside = [within(path, born.perimeter) for path in batch["perimeter"].to_pylist()]
        batch = batch.filter(pa.array(inside, pa.bool_()))
        read = understand(batch, telling.reader)
        weights = _weights(episode, read, wanted)
        places = np.flatnonzero(weights > 0)
        chosen, events = read.take(pa.array(places)).to_pylist(), batch.take(pa.array(places)).to_pylist()
        for row, event, weight in zip(chosen, events, weights[places].tolist(), strict=True):
            said = np.array(row.pop("features"), np.uint64)
            row |= {
                "event_bucket": row["bucket"],
                # Nothing carries a signal before it is raised.
                "bucket": max(row["bucket"], born.bucket),
                "event_perimeter": row["perimeter"],
                "themes": said[np.isin(said, themes)].tolist(),
            }
            most.append((-weight, row["event_id"], row, event))
        most = sorted(most, key=lambda one: one[:2])[:MOST_EVENTS]
    return {key: event for _, key, _, event in most}, [row for _, _, row, _ in most]


def _weights(episode: Episode, read: pa.RecordBatch, themes: Sequence[int]) -> NDArray[np.float64]:
    """How much each event speaks for the episode; 0 if it does not."""
    kind, direction, expected = episode.born.kind, episode.born.direction, episode.born.expected
    scored = read["score_e4"].is_valid().to_numpy(zero_copy_only=False)
    score = read["score_e4"].fill_null(0).to_numpy() / SCALE
    written = read["has_text"].to_numpy(zero_copy_only=False)
    mood = np.clip(read["sentiment"].to_numpy() / STRONGEST, -1, 1)
    if kind == SCORE:
        return np.where(scored, direction * (score - expected), 0.0)
    if kind == MOOD:
        return np.where(written, direction * (mood - expected), 0.0)
    if kind == GAP:
        # Those who score well and write of what is bad, or the reverse.
        stretched = 2 * score - 1
        parted = scored & written & (direction * stretched >= 0) & (direction * mood < 0)
        return np.where(parted, direction * (stretched - mood), 0.0)
    if kind == NO_TEXT:
        # Those who fell silent, or those who began to write.
        return np.where(scored & (written == (direction == DOWN)), 1.0, 0.0)
    if kind == BLIND_SPOT:
        wanted, loud = set(themes), "customer" if direction == UP else "field"
        spoken = np.array([voice == loud for voice in read["voice"].to_pylist()], np.bool_)
        said = read["features"].to_pylist()
        about = np.array([not wanted.isdisjoint(features) for features in said], np.bool_)
        return np.where(spoken & about, 1.0, 0.0)
    if kind == UNUSUAL_DAY:
        return np.where(written, 2.0, 1.0)
    raise ValueError(f"no kind of finding is called {kind!r}")


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
        "evidence": born.evidence,
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
        "strongest_evidence": episode.evidence,
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
