"""Sentences that a store manager understands, in French and in English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.stages.story import EARLY, NOT_SUSTAINED
from pipelines.stages.tongues import ENGLISH, FRENCH, Tongue

HIGH_SCORE = 0.7
"""From here on a mean score reads as content."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a sentence says.

    authors: people so far, at least. raised: the day of the alert, with people observed, at least, and
    expected by then. channels: the most used first. tone: complaint, praise or mixed. mean_score: [0, 1] or
    None. field_first: agents wrote before customers. short_history: the expected leans on the perimeter
    above. standing: of what an early look raised, as in `Story.standing`.
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
    standing: str = ""


@dataclass(frozen=True, slots=True)
class _Words:
    """Sentences of a language. verbs: by tone. standings: by standing, where there is something to say."""

    tongue: Tongue
    verbs: Mapping[str, str]
    story: str
    field_first: str
    high_score: str
    short_history: str
    standings: Mapping[str, str]


_FRENCH = _Words(
    FRENCH,
    verbs={"praise": "saluent", "complaint": "se plaignent de", "mixed": "parlent de"},
    story="{place} : depuis le {since}, au moins {authors} personnes {verb} « {label} », par {channels} "
    "(alerte du {raised} : au moins {observed} pour {expected} attendues).",
    field_first="Le terrain l'a signalé avant les clients.",
    high_score="Leur note moyenne est haute : {score}/10.",
    short_history="Historique encore court ici : l'attendu s'appuie sur le périmètre au-dessus.",
    standings={
        EARLY: "Alerte précoce : la journée n'est pas close ; sa clôture confirmera ou retirera l'alerte.",
        NOT_SUSTAINED: "Alerte précoce retirée : la journée close ne la confirme pas.",
    },
)
_ENGLISH = _Words(
    ENGLISH,
    verbs={"praise": "praise", "complaint": "complain of", "mixed": "mention"},
    story="{place}: since {since}, at least {authors} people {verb} “{label}”, by {channels} "
    "(alert of {raised}: at least {observed} for {expected} expected).",
    field_first="Field teams said so before customers.",
    high_score="Their mean score is high: {score}/10.",
    short_history="History is still short here: the expected leans on the perimeter above.",
    standings={
        EARLY: "Early alert: the day is still open; its close will confirm the alert or withdraw it.",
        NOT_SUSTAINED: "Early alert withdrawn: the closed day does not confirm it.",
    },
)


def sentence_fr(facts: Facts) -> str:
    """A few short sentences, in French."""
    return _sentences(facts, _FRENCH)


def sentence_en(facts: Facts) -> str:
    """A few short sentences, in English."""
    return _sentences(facts, _ENGLISH)


def _sentences(facts: Facts, words: _Words) -> str:
    tongue = words.tongue
    said = [
        words.story.format(
            place=facts.place,
            since=tongue.since(facts.since, facts.raised),
            authors=facts.authors,
            verb=words.verbs[facts.tone],
            label=facts.label,
            channels=tongue.listed([tongue.channel(channel) for channel in facts.channels]),
            raised=tongue.day(facts.raised),
            observed=facts.observed,
            expected=tongue.number(facts.expected),
        )
    ]
    if facts.field_first:
        said.append(words.field_first)
    if facts.mean_score is not None and facts.mean_score >= HIGH_SCORE and facts.tone != "praise":
        said.append(words.high_score.format(score=tongue.number(10 * facts.mean_score, 1)))
    if facts.short_history:
        said.append(words.short_history)
    if facts.standing in words.standings:
        said.append(words.standings[facts.standing])
    return " ".join(said)
