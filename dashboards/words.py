"""The languages of boards: every text is written in both, side by side."""

from collections.abc import Callable
from typing import Literal, get_args

Lang = Literal["fr", "en"]
LANGS: tuple[Lang, ...] = get_args(Lang)

Say = Callable[[str, str], str]
"""Takes a text in French and in English; gives the one of the board."""


def speaker(lang: Lang) -> Say:
    """Say what is written in both languages in one of them.

    >>> speaker("en")("Veille", "Watch")
    'Watch'
    """
    return (lambda fr, _: fr) if lang == "fr" else (lambda _, en: en)


CHANNELS = {
    "email": ("e-mail", "e-mail"),
    "letter": ("courrier", "letter"),
    "survey": ("enquête", "survey"),
    "field_note": ("note de terrain", "field note"),
    "complaint": ("réclamation", "complaint"),
}
VOICES = {"customer": ("clients", "customers"), "field": ("terrain", "field")}
DIMENSIONS = {
    "conformity": ("conformité", "conformity"),
    "accessibility": ("accessibilité", "accessibility"),
    "solicitude": ("sollicitude", "solicitude"),
    "trust": ("confiance", "trust"),
}
STANCES = {
    "imposed": ("relation imposée", "imposed relation"),
    "shared": ("relation partagée", "shared relation"),
}
POLARITIES = {
    "complaint": ("plaintes", "complaints"),
    "praise": ("éloges", "praise"),
    "neutral": ("neutre", "neutral"),
}
KINDS = {
    "emergence": ("émergence", "emergence"),
    "score_drift": ("dérive de la note", "score drift"),
    "mood_drift": ("dérive de l'humeur", "mood drift"),
    "mismatch": ("note contre texte", "score against text"),
    "answers_without_text": ("réponses sans texte", "answers without text"),
    "silence": ("silence", "silence"),
    "blind_spot": ("angle mort", "blind spot"),
    "unusual_day": ("journée inhabituelle", "unusual day"),
}
STATUSES = {
    "open": ("ouvert", "open"),
    "early": ("précoce", "early"),
    "not_sustained": ("non confirmé", "not sustained"),
    "ended": ("éteint", "ended"),
    "merged": ("rattaché", "merged"),
}

STATES = {
    "untouched": ("sans réponse", "untouched"),
    "acknowledged": ("pris en charge", "acknowledged"),
    "confirmed": ("confirmé", "confirmed"),
    "dismissed": ("écarté", "dismissed"),
    "resolved": ("résolu", "resolved"),
}
ACTS = {
    "acknowledge": ("prend en charge", "acknowledges"),
    "comment": ("commente", "comments"),
    "confirm": ("confirme", "confirms"),
    "dismiss": ("écarte", "dismisses"),
    "resolve": ("résout", "resolves"),
}


def spelled(column: str, words: dict[str, tuple[str, str]], say: Say) -> str:
    """SQL that names the values of a column; one without a name stays as it is."""
    cases = " ".join(f"WHEN {_quoted(key)} THEN {_quoted(say(*both))}" for key, both in words.items())
    return f"CASE {column} {cases} ELSE {column} END"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
