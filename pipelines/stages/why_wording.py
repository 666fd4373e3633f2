"""Why a signal was raised and what would have cleared it, in French and in English."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pipelines.stages.finding import BLIND_SPOT, GAP, MOOD, NO_TEXT, SCORE, SILENCE, UNUSUAL_DAY
from pipelines.stages.told_evidence import divergence
from pipelines.stages.tongues import ENGLISH, FRENCH, Tongue

_COUNTLESS = math.log(1e9)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a signal stands on.

    place: where it was judged. observed, expected: since `since`, in the unit of the kind; observed as it is
    shown, a count of at least so many, and value the same, but of a mean as it was, for what would have
    cleared the alert. first_learned: of the baseline's days, None where they are not known. evidence,
    threshold: natural logarithms, evidence of what is shown. fewer: people without whom there would surely
    have been no alert, a multiple of the minimum; None if not known or no such kind.
    channels: authors of each, at least, None where withheld. occasion: what raised the expected on the day
    of the alert, by its name, with the first day it was last, None for none.
    """

    kind: str
    term: str
    place: str
    since: date
    raised: date
    observed: float
    value: float
    expected: float
    first_learned: date | None
    evidence: float
    threshold: float
    fewer: int | None
    channels: Mapping[str, int | None]
    occasion: tuple[str, date] | None = None


@dataclass(frozen=True, slots=True)
class _Words:
    tongue: Tongue
    people: str
    baseline: str
    occasion: str
    odds: str
    countless: str
    thousands: str
    fewer: str
    cleared: Mapping[str, str]
    nouns: Mapping[str, tuple[str, str]]
    singular: Sequence[int]
    shares: str
    share: str
    withheld: str


_FRENCH = _Words(
    FRENCH,
    people="{place} : du {since} au {raised}, au moins {observed} personnes ont parlé de « {term} », pour "
    "{expected} attendues.",
    baseline="L'attendu vient de {days} jours d'historique, du {first} au {last}.",
    occasion="Il tient compte de ce qui s'est dit autour de « {name} », le {day}.",
    odds="Sans rien de neuf, la preuve n'irait si haut qu'une fois sur {odds} essais ; l'alerte part à une "
    "fois sur {bar}.",
    countless="plus d'un milliard",
    thousands="\u202f",
    fewer="Avec {fewer} personnes de moins, il n'y aurait pas eu d'alerte ce jour-là.",
    cleared={
        SCORE: "Avec une moyenne d'environ {enough}/10, il n'y aurait pas eu d'alerte.",
        MOOD: "Avec un ton moyen d'environ {enough} (de -1 à 1), il n'y aurait pas eu d'alerte.",
        GAP: "Avec un écart d'environ {enough} entre notes et textes, il n'y aurait pas eu d'alerte.",
        NO_TEXT: "Avec environ {enough} % de réponses sans texte, il n'y aurait pas eu d'alerte.",
        SILENCE: "Avec environ {enough} {noun}, il n'y aurait pas eu d'alerte.",
        BLIND_SPOT: "Avec environ {enough} {noun} de l'autre voix, il n'y aurait pas eu d'alerte.",
        UNUSUAL_DAY: "Avec des écarts plus petits d'environ {enough} %, il n'y aurait pas eu d'alerte.",
    },
    nouns={SILENCE: ("texte", "textes"), BLIND_SPOT: ("mention", "mentions")},
    singular=(0, 1),
    shares="Part des canaux : {shares}.",
    share="{channel} {share} %",
    withheld="Canaux : {channels} ; leurs parts sont tues, trop peu de personnes écrivant par l'un d'eux.",
)
_ENGLISH = _Words(
    ENGLISH,
    people="{place}: from {since} to {raised}, at least {observed} people mentioned “{term}”, for {expected} "
    "expected.",
    baseline="What is expected comes from {days} days of history, {first} to {last}.",
    occasion="It takes account of what was said around “{name}”, {day}.",
    odds="With nothing new, evidence would go this high only once in {odds} tests; the alert is set at once "
    "in {bar}.",
    countless="over a billion",
    thousands=",",
    fewer="With {fewer} people fewer there would have been no alert that day.",
    cleared={
        SCORE: "With a mean of about {enough}/10 there would have been no alert.",
        MOOD: "With a mean tone of about {enough} (from -1 to 1) there would have been no alert.",
        GAP: "With a gap of about {enough} between scores and texts there would have been no alert.",
        NO_TEXT: "With about {enough}% of answers without text there would have been no alert.",
        SILENCE: "With about {enough} {noun} there would have been no alert.",
        BLIND_SPOT: "With about {enough} {noun} by the other voice there would have been no alert.",
        UNUSUAL_DAY: "With differences about {enough}% smaller there would have been no alert.",
    },
    nouns={SILENCE: ("text", "texts"), BLIND_SPOT: ("mention", "mentions")},
    singular=(1,),
    shares="Shares of the channels: {shares}.",
    share="{channel} {share}%",
    withheld="Channels: {channels}; their shares are withheld, one of them having too few people.",
)
_SHOWN_TIMES = {SCORE: 10.0, NO_TEXT: 100.0, UNUSUAL_DAY: 100.0}
_COUNTED = (SILENCE, BLIND_SPOT)


@dataclass(frozen=True, slots=True)
class Told:
    """Why, in one language, sentence by sentence; empty where there is nothing to say."""

    subject: str
    baseline: str
    odds: str
    cleared: str
    shares: str

    @property
    def whole(self) -> str:
        """All of it."""
        return " ".join(filter(None, (self.subject, self.baseline, self.odds, self.cleared, self.shares)))


def why_fr(grounds: Grounds, sentence: str) -> Told:
    """Why, in French. sentence: what the signal says of itself, where it has no feature."""
    return _why(grounds, sentence, _FRENCH)


def why_en(grounds: Grounds, sentence: str) -> Told:
    """Why, in English. sentence: what the signal says of itself, where it has no feature."""
    return _why(grounds, sentence, _ENGLISH)


def enough_to_clear(grounds: Grounds) -> float:
    """About what would have kept a signal of the watch under its threshold, in the unit of the kind.

    Evidence of a mean grows with the square of its distance from the expected, evidence of a count with its
    Poisson divergence; of an unusual day, the share by which its differences would have had to be smaller.
    """
    share = min(1.0, grounds.threshold / grounds.evidence) if grounds.evidence > 0 else 1.0
    if grounds.kind == UNUSUAL_DAY:
        return 1 - math.sqrt(share)
    if grounds.kind not in _COUNTED:
        return grounds.expected + (grounds.value - grounds.expected) * math.sqrt(share)
    wanted, texts = share * divergence(grounds.value, grounds.expected), grounds.value
    while texts < grounds.expected and divergence(texts, grounds.expected) > wanted:
        texts += 1
    return texts


def _why(grounds: Grounds, sentence: str, words: _Words) -> Told:
    odds, bar = (_odds(value, words) for value in (grounds.evidence, grounds.threshold))
    return Told(
        subject=sentence if grounds.kind in words.cleared else _subject(grounds, words),
        baseline=_baseline(grounds, words),
        odds=words.odds.format(odds=odds, bar=bar),
        cleared=_cleared(grounds, words),
        shares=_shares(grounds, words),
    )


def _baseline(grounds: Grounds, words: _Words) -> str:
    if grounds.first_learned is None or grounds.first_learned >= grounds.since:
        return ""
    learned = words.baseline.format(
        days=(grounds.since - grounds.first_learned).days,
        first=_with_year(grounds.first_learned, words),
        last=_with_year(grounds.since - timedelta(days=1), words),
    )
    if grounds.occasion is None:
        return learned
    name, day = grounds.occasion
    return f"{learned} {words.occasion.format(name=name, day=_with_year(day, words))}"


def _subject(grounds: Grounds, words: _Words) -> str:
    return words.people.format(
        place=grounds.place,
        since=words.tongue.day(grounds.since),
        raised=words.tongue.day(grounds.raised),
        observed=f"{grounds.observed:.0f}",
        term=grounds.term,
        expected=words.tongue.number(grounds.expected),
    )


def _cleared(grounds: Grounds, words: _Words) -> str:
    if grounds.kind in words.cleared:
        times = _SHOWN_TIMES.get(grounds.kind, 1.0)
        decimals = 2 if grounds.kind in (MOOD, GAP) else 0 if grounds.kind in _COUNTED else None
        value = times * enough_to_clear(grounds)
        one, many = words.nouns.get(grounds.kind, ("", ""))
        noun = one if round(value) in words.singular else many
        return words.cleared[grounds.kind].format(enough=words.tongue.number(value, decimals), noun=noun)
    return "" if grounds.fewer is None else words.fewer.format(fewer=grounds.fewer)


def _shares(grounds: Grounds, words: _Words) -> str:
    names = {channel: words.tongue.channel(channel) for channel in grounds.channels}
    if not names:
        return ""
    counts = [count for count in grounds.channels.values() if count is not None]
    if len(counts) < len(names):
        return words.withheld.format(channels=words.tongue.listed(list(names.values())))
    shares = [
        words.share.format(channel=name, share=round(100 * count / sum(counts)))
        for name, count in zip(names.values(), counts, strict=True)
    ]
    return words.shares.format(shares=words.tongue.listed(shares))


def _with_year(day: date, words: _Words) -> str:
    return f"{words.tongue.day(day)} {day.year}"


def _odds(evidence: float, words: _Words) -> str:
    """e to the evidence, two digits of it."""
    if evidence >= _COUNTLESS:
        return words.countless
    number = round(math.exp(evidence), 1 - math.floor(evidence / math.log(10)))
    return f"{number:,.0f}".replace(",", words.thousands)
