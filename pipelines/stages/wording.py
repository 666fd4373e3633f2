"""Sentences that a store manager understands, in French and in English."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

_MONTHS_FR = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()
_MONTHS_EN = "January February March April May June July August September October November December".split()
_CHANNELS_FR = {
    "email": "e-mail",
    "letter": "courrier",
    "survey": "enquête",
    "field_note": "notes de terrain",
    "complaint": "réclamation",
}
_CHANNELS_EN = {"email": "e-mail", "letter": "letter", "field_note": "field note"}
HIGH_SCORE = 0.7
"""From here on a mean score reads as content."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a sentence says.

    authors: people so far. raised: the day of the alert, with observed and expected people by then. channels:
    the most used first. tone: complaint, praise or mixed. mean_score: [0, 1] or None. field_first: agents
    wrote before customers. short_history: the expected leans on the wider perimeter.
    """

    place: str
    label: str
    authors: int
    raised: date
    observed: int
    expected: float
    since: date
    channels: Sequence[str]
    tone: str
    mean_score: float | None
    field_first: bool
    short_history: bool


def sentence_fr(facts: Facts) -> str:
    """One or two sentences, in French."""
    verb = {"praise": "saluent", "complaint": "se plaignent de"}.get(facts.tone, "parlent de")
    by = _listed([_CHANNELS_FR.get(channel, channel.replace("_", " ")) for channel in facts.channels], "et")
    text = (
        f"{facts.place} : depuis le {_day_fr(facts.since)}, {facts.authors} personnes {verb} "
        f"« {facts.label} », par {by} (alerte du {_day_fr(facts.raised)} : {facts.observed} "
        f"pour {_expected(facts.expected).replace('.', ',')} attendues)."
    )
    if facts.field_first:
        text += " Le terrain l'a signalé avant les clients."
    if facts.mean_score is not None and facts.mean_score >= HIGH_SCORE and facts.tone != "praise":
        score = _out_of_ten(facts.mean_score).replace(".", ",")
        text += f" Leur note moyenne est haute : {score}/10."
    if facts.short_history:
        text += " Historique encore court ici : l'attendu s'appuie sur le périmètre au-dessus."
    return text


def sentence_en(facts: Facts) -> str:
    """One or two sentences, in English."""
    verb = {"praise": "praise", "complaint": "complain of"}.get(facts.tone, "mention")
    by = _listed([_CHANNELS_EN.get(channel, channel.replace("_", " ")) for channel in facts.channels], "and")
    text = (
        f"{facts.place}: since {_day_en(facts.since)}, {facts.authors} people {verb} “{facts.label}”, "
        f"by {by} (alert of {_day_en(facts.raised)}: {facts.observed} "
        f"for {_expected(facts.expected)} expected)."
    )
    if facts.field_first:
        text += " Field teams said so before customers."
    if facts.mean_score is not None and facts.mean_score >= HIGH_SCORE and facts.tone != "praise":
        text += f" Their mean score is high: {_out_of_ten(facts.mean_score)}/10."
    if facts.short_history:
        text += " History is still short here: the expected leans on the perimeter above."
    return text


def _day_fr(day: date) -> str:
    return f"{day.day if day.day > 1 else '1er'} {_MONTHS_FR[day.month - 1]}"


def _day_en(day: date) -> str:
    return f"{day.day} {_MONTHS_EN[day.month - 1]}"


def _expected(value: float) -> str:
    return "<0.1" if value < 0.1 else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _out_of_ten(score: float) -> str:
    return f"{10 * score:.1f}"


def _listed(words: list[str], conjunction: str) -> str:
    """a, b and c.

    >>> _listed(["e-mail", "enquête", "courrier"], "et")
    'e-mail, enquête et courrier'
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {conjunction} {words[-1]}"
