"""The words of the picture of a signal's evidence, in French and in English."""

from collections.abc import Mapping
from dataclasses import dataclass

from dashboards.judged_plot import Shape

SHAPES: Mapping[str, Shape] = {
    "emergence": "steps",
    "silence": "steps",
    "blind_spot": "steps",
    "unusual_day": "bars",
}
"""How what is observed is drawn, by kind of signal: counts are here, the others are points."""
SHOWN_TIMES: Mapping[str, float] = {"score_drift": 10.0, "answers_without_text": 100.0}
"""Scores are shown out of ten, shares in hundredths."""
UNITS: Mapping[str, Mapping[str, str]] = {
    "fr": {
        "emergence": "personnes depuis le début de l'épisode",
        "score_drift": "note moyenne du jour, sur 10",
        "mood_drift": "ton moyen du jour, de -1 à 1",
        "mismatch": "écart entre notes et textes",
        "answers_without_text": "% de réponses sans texte",
        "silence": "textes depuis le début du silence",
        "blind_spot": "mentions depuis le début de l'épisode",
        "unusual_day": "textes par jour",
    },
    "en": {
        "emergence": "people since the episode began",
        "score_drift": "mean score of the day, out of 10",
        "mood_drift": "mean tone of the day, from -1 to 1",
        "mismatch": "gap between scores and texts",
        "answers_without_text": "% of answers without text",
        "silence": "texts since the silence began",
        "blind_spot": "mentions since the episode began",
        "unusual_day": "texts a day",
    },
}
"""What is observed, by language and kind of signal."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the picture of a signal's evidence says besides its titles, in one language."""

    observed: str
    counted: str
    expected: str
    ordinary: str
    withheld: str
    evidence: str
    threshold: str
    anew: str
    rarity: str
    date: str
    thousands: str
    usual: str
    few: str

    def number(self, value: float) -> str:
        """A number that stands beside a scale."""
        written = f"{value:.6g}"
        return written if self.thousands == "," else written.replace(".", ",")


WORDS = {
    "fr": Words(
        observed="observé",
        counted="observé, au moins",
        expected="attendu",
        ordinary="attendu, et l'ordinaire (90 %)",
        withheld="tu : moins de {least}",
        evidence="preuve : sans rien de neuf, on n'irait si haut qu'une fois sur…",
        threshold="seuil d'alerte",
        anew="après une alerte, elle repart de zéro",
        rarity="1 sur {}",
        date="{day:%d/%m}",
        thousands="\u202f",
        usual="l'ordinaire",
        few="non montré",
    ),
    "en": Words(
        observed="observed",
        counted="observed, at least",
        expected="expected",
        ordinary="expected, and the ordinary (90%)",
        withheld="withheld: under {least}",
        evidence="evidence: with nothing new, it would go this high only once in…",
        threshold="alert threshold",
        anew="after an alert it begins anew",
        rarity="1 in {}",
        date="{day:%d/%m}",
        thousands=",",
        usual="the ordinary",
        few="withheld",
    ),
}
