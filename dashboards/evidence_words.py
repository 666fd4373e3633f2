"""The words of the picture of a signal's evidence, in French and in English."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """What the picture of a signal's evidence says besides its titles, in one language."""

    observed: str
    expected: str
    ordinary: str
    withheld: str
    evidence: str
    threshold: str
    anew: str
    rarity: str
    date: str
    thousands: str


WORDS = {
    "fr": Words(
        observed="observé",
        expected="attendu",
        ordinary="attendu, et l'ordinaire (90 %)",
        withheld="tu : moins de {least}, ou moins de {least} de plus",
        evidence="preuve : sans rien de neuf, on n'irait si haut qu'une fois sur…",
        threshold="seuil d'alerte",
        anew="après une alerte, elle repart de zéro",
        rarity="1 sur {}",
        date="{day:%d/%m}",
        thousands="\u202f",
    ),
    "en": Words(
        observed="observed",
        expected="expected",
        ordinary="expected, and the ordinary (90%)",
        withheld="withheld: under {least}, or under {least} more",
        evidence="evidence: with nothing new, it would go this high only once in…",
        threshold="alert threshold",
        anew="after an alert it begins anew",
        rarity="1 in {}",
        date="{day:%d/%m}",
        thousands=",",
    ),
}
