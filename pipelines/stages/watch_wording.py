"""What the watch found, as sentences that a store manager understands, in French and in English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.stages.finding import BLIND_SPOT, DOWN, GAP, MOOD, NO_TEXT, SCORE, SILENCE, UNUSUAL_DAY, UP
from pipelines.stages.tongues import ENGLISH, FRENCH, Tongue
from pipelines.stages.watch_days import MEAN_MOOD, MEAN_SCORE, VALUES, WITHOUT_TEXT


@dataclass(frozen=True, slots=True)
class Change:
    """What a sentence says. people: at least so many carry it. least: minimum of distinct authors. channel:
    that of observed and expected; channels: all. theme: its label in the sentence's language. Others: see
    `finding.Finding`.
    """

    kind: str
    direction: int
    place: str
    since: date
    raised: date
    observed: float
    expected: float
    people: int
    least: int
    channel: str
    channels: Sequence[str]
    theme: str
    moved: Sequence[tuple[str, float, float]]


@dataclass(frozen=True, slots=True)
class _Words:
    """Labels and sentences of a language, by kind and direction. values: components that are no channel;
    per_cent: how a share ends; between: components.
    """

    tongue: Tongue
    values: Mapping[str, str]
    per_cent: str
    moved: str
    between: str
    labels: Mapping[tuple[str, int], str]
    sentences: Mapping[tuple[str, int], str]


_FRENCH = _Words(
    FRENCH,
    values={MEAN_SCORE: "note moyenne", MEAN_MOOD: "ton des textes", WITHOUT_TEXT: "part sans texte"},
    per_cent=" %",
    moved="{name} {observed} pour {expected} attendus",
    between=" ; ",
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
        (BLIND_SPOT, UP): "angle mort du terrain : {theme}",
        (BLIND_SPOT, DOWN): "angle mort des clients : {theme}",
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
        (
            MOOD,
            UP,
        ): "{place} : depuis le {since}, les textes se font plus contents (au moins {people} personnes).",
        (
            MOOD,
            DOWN,
        ): "{place} : depuis le {since}, les textes se font moins contents (au moins {people} personnes).",
        (GAP, UP): "{place} : depuis le {since}, au moins {people} personnes notent bien et écrivent du mal.",
        (
            GAP,
            DOWN,
        ): "{place} : depuis le {since}, au moins {people} personnes notent sévèrement et écrivent du bien.",
        (NO_TEXT, UP): "{place} : depuis le {since}, {observed} % des réponses viennent sans un mot, "
        "pour {expected} % attendus.",
        (NO_TEXT, DOWN): "{place} : depuis le {since}, {observed} % seulement des réponses viennent sans un "
        "mot, pour {expected} % attendus.",
        (SILENCE, DOWN): "{place} : depuis le {since}, {texts} par {channel} pour {expected} attendus.",
        (
            BLIND_SPOT,
            UP,
        ): "{place} : depuis le {since}, au moins {people} clients parlent de « {theme} » ; "
        "le terrain, {times} pour {expected} attendues.",
        (
            BLIND_SPOT,
            DOWN,
        ): "{place} : depuis le {since}, au moins {people} agents parlent de « {theme} » ; les "
        "clients, {times} pour {expected} attendues.",
        (UNUSUAL_DAY, UP): "{place} : journée inhabituelle le {raised} : {moved}.",
        (UNUSUAL_DAY, DOWN): "{place} : journée inhabituelle le {raised} : {moved}.",
    },
)
_ENGLISH = _Words(
    ENGLISH,
    values={MEAN_SCORE: "mean score", MEAN_MOOD: "tone of the texts", WITHOUT_TEXT: "share without text"},
    per_cent="%",
    moved="{name} {observed} for {expected} expected",
    between="; ",
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
        (BLIND_SPOT, UP): "blind spot of the field: {theme}",
        (BLIND_SPOT, DOWN): "blind spot of customers: {theme}",
        (UNUSUAL_DAY, UP): "unusual day",
        (UNUSUAL_DAY, DOWN): "unusual day",
    },
    sentences={
        (SCORE, UP): "{place}: since {since} the mean score rises: {observed}/10, {expected} expected.",
        (SCORE, DOWN): "{place}: since {since} the mean score falls: {observed}/10, {expected} expected.",
        (MOOD, UP): "{place}: since {since} texts grow happier (at least {people} people).",
        (MOOD, DOWN): "{place}: since {since} texts grow less happy (at least {people} people).",
        (GAP, UP): "{place}: since {since}, at least {people} people score well and write ill of it.",
        (GAP, DOWN): "{place}: since {since}, at least {people} people score severely and write well of it.",
        (NO_TEXT, UP): "{place}: since {since}, {observed}% of the answers come without a word, for "
        "{expected}% expected.",
        (NO_TEXT, DOWN): "{place}: since {since}, only {observed}% of the answers come without a word, for "
        "{expected}% expected.",
        (SILENCE, DOWN): "{place}: since {since}, {texts} by {channel} for {expected} expected.",
        (
            BLIND_SPOT,
            UP,
        ): "{place}: since {since}, at least {people} customers mention “{theme}”; the field, "
        "{times} for {expected} expected.",
        (
            BLIND_SPOT,
            DOWN,
        ): "{place}: since {since}, at least {people} agents mention “{theme}”; customers, "
        "{times} for {expected} expected.",
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
        "since": tongue.since(change.since, change.raised),
        "raised": tongue.day(change.raised),
        "observed": tongue.number(times * change.observed),
        "texts": tongue.counted(change.observed, change.least, tongue.texts),
        "times": tongue.counted(change.observed, change.least, tongue.times),
        "expected": tongue.number(times * change.expected),
        "people": str(change.people),
        "channel": tongue.channel(change.channel),
        "channels": tongue.listed([tongue.channel(channel) for channel in change.channels]),
        "theme": change.theme,
        "moved": words.between.join(_moved(one, change.least, words) for one in change.moved),
    }
    key = change.kind, change.direction
    return words.labels[key].format(**filled), words.sentences[key].format(**filled)


def _moved(component: tuple[str, float, float], least: int, words: _Words) -> str:
    name, observed, expected = component
    return words.moved.format(
        name=words.values.get(name) or words.tongue.channel(name),
        observed=_shown(name, observed, words) if name in VALUES else words.tongue.counted(observed, least),
        expected=_shown(name, expected, words),
    )


def _shown(name: str, value: float, words: _Words) -> str:
    """A component's value; of a channel, the texts that were expected."""
    if name == MEAN_SCORE:
        return f"{words.tongue.number(10 * value)}/10"
    if name == MEAN_MOOD:
        return words.tongue.number(value, 2)
    if name == WITHOUT_TEXT:
        return words.tongue.number(100 * value) + words.per_cent
    return words.tongue.number(value)
