"""Sentences that a store manager understands, in French and in English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

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


@dataclass(frozen=True, slots=True)
class _Language:
    """What differs between languages. verbs: by tone; channels: those whose name is not its own words."""

    months: Sequence[str]
    first_day: str
    decimal_mark: str
    conjunction: str
    verbs: Mapping[str, str]
    channels: Mapping[str, str]
    story: str
    field_first: str
    high_score: str
    short_history: str


_FRENCH = _Language(
    months="janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
    first_day="1er",
    decimal_mark=",",
    conjunction="et",
    verbs={"praise": "saluent", "complaint": "se plaignent de", "mixed": "parlent de"},
    channels={
        "email": "e-mail",
        "letter": "courrier",
        "survey": "enquête",
        "field_note": "notes de terrain",
        "complaint": "réclamation",
    },
    story="{place} : depuis le {since}, {authors} personnes {verb} « {label} », par {channels} "
    "(alerte du {raised} : {observed} pour {expected} attendues).",
    field_first="Le terrain l'a signalé avant les clients.",
    high_score="Leur note moyenne est haute : {score}/10.",
    short_history="Historique encore court ici : l'attendu s'appuie sur le périmètre au-dessus.",
)
_ENGLISH = _Language(
    months="January February March April May June July August September October November December".split(),
    first_day="1",
    decimal_mark=".",
    conjunction="and",
    verbs={"praise": "praise", "complaint": "complain of", "mixed": "mention"},
    channels={"email": "e-mail"},
    story="{place}: since {since}, {authors} people {verb} “{label}”, by {channels} "
    "(alert of {raised}: {observed} for {expected} expected).",
    field_first="Field teams said so before customers.",
    high_score="Their mean score is high: {score}/10.",
    short_history="History is still short here: the expected leans on the perimeter above.",
)


def sentence_fr(facts: Facts) -> str:
    """A few short sentences, in French."""
    return _sentences(facts, _FRENCH)


def sentence_en(facts: Facts) -> str:
    """A few short sentences, in English."""
    return _sentences(facts, _ENGLISH)


def _sentences(facts: Facts, language: _Language) -> str:
    channels = [language.channels.get(channel, channel.replace("_", " ")) for channel in facts.channels]
    said = [
        language.story.format(
            place=facts.place,
            since=_day(facts.since, language),
            authors=facts.authors,
            verb=language.verbs[facts.tone],
            label=facts.label,
            channels=_listed(channels, language.conjunction),
            raised=_day(facts.raised, language),
            observed=facts.observed,
            expected=_expected(facts.expected).replace(".", language.decimal_mark),
        )
    ]
    if facts.field_first:
        said.append(language.field_first)
    if facts.mean_score is not None and facts.mean_score >= HIGH_SCORE and facts.tone != "praise":
        score = f"{10 * facts.mean_score:.1f}".replace(".", language.decimal_mark)
        said.append(language.high_score.format(score=score))
    if facts.short_history:
        said.append(language.short_history)
    return " ".join(said)


def _day(day: date, language: _Language) -> str:
    return f"{day.day if day.day > 1 else language.first_day} {language.months[day.month - 1]}"


def _expected(value: float) -> str:
    return "<0.1" if value < 0.1 else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _listed(words: list[str], conjunction: str) -> str:
    """a, b and c.

    >>> _listed(["e-mail", "enquête", "courrier"], "et")
    'e-mail, enquête et courrier'
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {conjunction} {words[-1]}"
