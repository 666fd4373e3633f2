"""The picture of `vigie explain`: what is drawn of a signal, with its words in French and in English."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pipelines.cli.options import Lang

if TYPE_CHECKING:
    from dashboards.evidence_plot import Shape
    from pipelines.why import Why

BEFORE, AFTER = 42, 14
"""Days that a picture shows before the alert's episode and after the alert."""
EMERGENCE = "emergence"
_SHAPES: Mapping[str, "Shape"] = {
    EMERGENCE: "steps",
    "silence": "steps",
    "blind_spot": "steps",
    "unusual_day": "bars",
}
"""Of what is observed; of other kinds points."""
_SHOWN_TIMES = {"score_drift": 10.0, "answers_without_text": 100.0}
"""Scores are shown out of ten, shares in hundredths."""


@dataclass(frozen=True, slots=True)
class _Words:
    alert: str
    baseline: str
    units: Mapping[str, str]


_WORDS = {
    Lang.FR: _Words(
        alert="alerte du {raised}",
        baseline="historique dont vient l'attendu : du {first} au {last}",
        units={
            EMERGENCE: "personnes depuis le début de l'épisode",
            "score_drift": "note moyenne du jour, sur 10",
            "mood_drift": "ton moyen du jour, de -1 à 1",
            "mismatch": "écart entre notes et textes",
            "answers_without_text": "% de réponses sans texte",
            "silence": "textes depuis le début du silence",
            "blind_spot": "mentions depuis le début de l'épisode",
            "unusual_day": "textes par jour",
        },
    ),
    Lang.EN: _Words(
        alert="alert of {raised}",
        baseline="history that the expected comes from: {first} to {last}",
        units={
            EMERGENCE: "people since the episode began",
            "score_drift": "mean score of the day, out of 10",
            "mood_drift": "mean tone of the day, from -1 to 1",
            "mismatch": "gap between scores and texts",
            "answers_without_text": "% of answers without text",
            "silence": "texts since the silence began",
            "blind_spot": "mentions since the episode began",
            "unusual_day": "texts a day",
        },
    ),
}


def draw(why: "Why", lang: Lang) -> str:
    """The picture of a signal as SVG."""
    from dashboards.evidence_plot import Judged, Titles, evidence_plot

    words, grounds = _WORDS[lang], why.grounds
    told = why.french if lang is Lang.FR else why.english
    times = _SHOWN_TIMES.get(grounds.kind, 1.0)
    first, last = grounds.since - timedelta(days=BEFORE), grounds.raised + timedelta(days=AFTER)
    learned_until = grounds.since - timedelta(days=1)
    days = [
        Judged(
            day=one.day,
            observed=_scaled(one.observed, times),
            expected=_scaled(one.expected, times),
            low=_scaled(one.low, times),
            high=_scaled(one.high, times),
            evidence=one.evidence,
            threshold=one.threshold,
            raised=one.raised,
            withheld=one.withheld,
        )
        for one in why.days
        if first <= one.day <= last
    ]
    titles = Titles(
        title=told.subject,
        subtitle=told.cleared,
        unit=words.units[grounds.kind],
        alert=words.alert.format(raised=f"{grounds.raised:%d/%m}"),
        baseline=words.baseline.format(
            first=f"{grounds.first_learned or first:%d/%m/%Y}", last=f"{learned_until:%d/%m/%Y}"
        ),
    )
    return evidence_plot(
        days,
        titles,
        raised=grounds.raised,
        learned_until=learned_until,
        shape=_SHAPES.get(grounds.kind, "points"),
        least=why.signal["min_authors"],
        lang=lang.value,
    )


def _scaled(value: float | None, times: float) -> float | None:
    return None if value is None else times * value
