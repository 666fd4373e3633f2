"""What the watch found, as sentences that a store manager understands, in French and in English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.stages.tongues import ENGLISH, FRENCH, Tongue
from pipelines.stages.watchers import BLIND_SPOT, DOWN, GAP, MOOD, NO_TEXT, SCORE, SILENCE, UNUSUAL_DAY, UP


@dataclass(frozen=True, slots=True)
class Change:
    """What a sentence says. people: distinct authors of the events that carry it. themes: labels of themes in
    the sentence's language. Others: see `watchers.Finding`.
    """

    kind: str
    direction: int
    place: str
    since: date
    raised: date
    observed: float
    expected: float
    people: int
    channels: Sequence[str]
    themes: Sequence[str]
    moved: Sequence[tuple[str, float, float]]


@dataclass(frozen=True, slots=True)
class _Words:
    """Labels and sentences of a language, by kind and direction; values: components that are no channel."""

    tongue: Tongue
    values: Mapping[str, str]
    moved: str
    labels: Mapping[tuple[str, int], str]
    sentences: Mapping[tuple[str, int], str]


_FRENCH = _Words(
    FRENCH,
    values={"score": "note moyenne", "mood": "ton des textes", "without_text": "part sans texte"},
    moved="{name} {observed} pour {expected} attendus",
    labels={
        (SCORE, UP): "note en hausse",
        (SCORE, DOWN): "note en baisse",
        (MOOD, UP): "ton qui s'améliore",
        (MOOD, DOWN): "ton qui se dégrade",
        (GAP, UP): "bonnes notes, textes mécontents",
        (GAP, DOWN): "notes sévères, textes contents",
        (NO_TEXT, UP): "davantage de réponses sans texte",
        (NO_TEXT, DOWN): "moins de réponses sans texte",
        (SILENCE, DOWN): "silence : {channels}",
        (BLIND_SPOT, UP): "angle mort du terrain : {themes}",
        (BLIND_SPOT, DOWN): "angle mort des clients : {themes}",
        (UNUSUAL_DAY, UP): "journée inhabituelle",
        (UNUSUAL_DAY, DOWN): "journée inhabituelle",
    },
    sentences={
        (
            SCORE,
            UP,
        ): "{place} : depuis le {since}, la note moyenne monte : {observed}/10 pour {expected}/10 attendus.",
        (
            SCORE,
            DOWN,
        ): "{place} : depuis le {since}, la note moyenne baisse : {observed}/10 pour {expected}/10 attendus.",
        (MOOD, UP): "{place} : depuis le {since}, les textes se font plus contents ({people} personnes).",
        (MOOD, DOWN): "{place} : depuis le {since}, les textes se font moins contents ({people} personnes).",
        (GAP, UP): "{place} : depuis le {since}, {people} personnes notent bien et écrivent autre chose.",
        (GAP, DOWN): "{place} : depuis le {since}, {people} personnes notent sévèrement et écrivent du bien.",
        (NO_TEXT, UP): "{place} : depuis le {since}, {observed} % des réponses viennent sans un mot, "
        "pour {expected} % attendus.",
        (NO_TEXT, DOWN): "{place} : depuis le {since}, {observed} % seulement des réponses viennent sans un "
        "mot, pour {expected} % attendus.",
        (SILENCE, DOWN): "{place} : depuis le {since}, {observed} texte(s) par {channels} pour {expected} "
        "attendus.",
        (
            BLIND_SPOT,
            UP,
        ): "{place} : depuis le {since}, {people} clients parlent de « {themes} » ; "
        "le terrain, {observed} fois pour {expected} attendues.",
        (BLIND_SPOT, DOWN): "{place} : depuis le {since}, {people} agents parlent de « {themes} » ; les "
        "clients, {observed} fois pour {expected} attendues.",
        (UNUSUAL_DAY, UP): "{place} : journée inhabituelle le {raised} : {moved}.",
        (UNUSUAL_DAY, DOWN): "{place} : journée inhabituelle le {raised} : {moved}.",
    },
)
_ENGLISH = _Words(
    ENGLISH,
    values={"score": "mean score", "mood": "tone of the texts", "without_text": "share without text"},
    moved="{name} {observed} for {expected} expected",
    labels={
        (SCORE, UP): "score rising",
        (SCORE, DOWN): "score falling",
        (MOOD, UP): "tone improving",
        (MOOD, DOWN): "tone worsening",
        (GAP, UP): "good scores, unhappy texts",
        (GAP, DOWN): "severe scores, happy texts",
        (NO_TEXT, UP): "more answers without text",
        (NO_TEXT, DOWN): "fewer answers without text",
        (SILENCE, DOWN): "silence: {channels}",
        (BLIND_SPOT, UP): "blind spot of the field: {themes}",
        (BLIND_SPOT, DOWN): "blind spot of customers: {themes}",
        (UNUSUAL_DAY, UP): "unusual day",
        (UNUSUAL_DAY, DOWN): "unusual day",
    },
    sentences={
        (SCORE, UP): "{place}: since {since} the mean score rises: {observed}/10, {expected} expected.",
        (SCORE, DOWN): "{place}: since {since} the mean score falls: {observed}/10, {expected} expected.",
        (MOOD, UP): "{place}: since {since} texts grow happier ({people} people).",
        (MOOD, DOWN): "{place}: since {since} texts grow less happy ({people} people).",
        (GAP, UP): "{place}: since {since}, {people} people score well and write otherwise.",
        (GAP, DOWN): "{place}: since {since}, {people} people score severely and write well of it.",
        (NO_TEXT, UP): "{place}: since {since}, {observed}% of the answers come without a word, for "
        "{expected}% expected.",
        (NO_TEXT, DOWN): "{place}: since {since}, only {observed}% of the answers come without a word, for "
        "{expected}% expected.",
        (SILENCE, DOWN): "{place}: since {since}, {observed} text(s) by {channels} for {expected} expected.",
        (
            BLIND_SPOT,
            UP,
        ): "{place}: since {since}, {people} customers mention “{themes}”; the field, "
        "{observed} times for {expected} expected.",
        (
            BLIND_SPOT,
            DOWN,
        ): "{place}: since {since}, {people} agents mention “{themes}”; customers, "
        "{observed} times for {expected} expected.",
        (UNUSUAL_DAY, UP): "{place}: unusual day on {raised}: {moved}.",
        (UNUSUAL_DAY, DOWN): "{place}: unusual day on {raised}: {moved}.",
    },
)
_SHOWN_TIMES = {SCORE: 10.0, NO_TEXT: 100.0}
"""Scores are shown out of ten, shares in hundredths."""


def told_fr(change: Change) -> tuple[str, str]:
    """Label and sentence, in French."""
    return _told(change, _FRENCH)


def told_en(change: Change) -> tuple[str, str]:
    """Label and sentence, in English."""
    return _told(change, _ENGLISH)


def _told(change: Change, words: _Words) -> tuple[str, str]:
    tongue, times = words.tongue, _SHOWN_TIMES.get(change.kind, 1.0)
    filled = {
        "place": change.place,
        "since": tongue.day(change.since),
        "raised": tongue.day(change.raised),
        "observed": tongue.number(times * change.observed),
        "expected": tongue.number(times * change.expected),
        "people": str(change.people),
        "channels": ", ".join(tongue.channel(channel) for channel in change.channels),
        "themes": ", ".join(change.themes),
        "moved": "; ".join(_moved(one, words) for one in change.moved),
    }
    key = change.kind, change.direction
    return words.labels[key].format(**filled), words.sentences[key].format(**filled)


def _moved(component: tuple[str, float, float], words: _Words) -> str:
    name, observed, expected = component
    decimals = 2 if name in words.values else None
    return words.moved.format(
        name=words.values.get(name) or words.tongue.channel(name),
        observed=words.tongue.number(observed, decimals),
        expected=words.tongue.number(expected, decimals),
    )
