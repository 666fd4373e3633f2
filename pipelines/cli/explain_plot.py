"""The picture of `vigie explain`: what is drawn of a signal, with its words in French and in English."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pipelines.cli.options import Lang

if TYPE_CHECKING:
    from dashboards.judged_plot import Judged
    from pipelines.why import Why

BEFORE, AFTER = 42, 14
"""Days that a picture shows before the alert's episode and after the alert."""
COMPACT_BEFORE = 21
"""The same of the compact picture."""


@dataclass(frozen=True, slots=True)
class _Words:
    alert: str
    baseline: str


_WORDS = {
    Lang.FR: _Words(
        alert="alerte du {raised}",
        baseline="historique dont vient l'attendu : du {first} au {last}",
    ),
    Lang.EN: _Words(
        alert="alert of {raised}",
        baseline="history that the expected comes from: {first} to {last}",
    ),
}


def draw(why: "Why", lang: Lang) -> str:
    """The picture of a signal as SVG."""
    from dashboards.evidence_plot import Titles, evidence_plot
    from dashboards.evidence_words import SHAPES, UNITS

    words, grounds = _WORDS[lang], why.grounds
    told = why.french if lang is Lang.FR else why.english
    learned_until = grounds.since - timedelta(days=1)
    first = grounds.first_learned or grounds.since - timedelta(days=BEFORE)
    titles = Titles(
        title=told.subject,
        subtitle=told.cleared,
        unit=UNITS[lang.value][grounds.kind],
        alert=words.alert.format(raised=f"{grounds.raised:%d/%m}"),
        baseline=words.baseline.format(first=f"{first:%d/%m/%Y}", last=f"{learned_until:%d/%m/%Y}"),
    )
    return evidence_plot(
        judged(why, BEFORE, units=True),
        titles,
        raised=grounds.raised,
        learned_until=learned_until,
        shape=SHAPES.get(grounds.kind, "points"),
        least=why.signal["min_authors"],
        lang=lang.value,
    )


def draw_compact(why: "Why", lang: Lang) -> str:
    """What was observed and expected of a signal, as SVG that is still read on a phone."""
    from dashboards.compact_plot import compact_plot
    from dashboards.evidence_words import SHAPES, UNITS

    grounds = why.grounds
    return compact_plot(
        judged(why, COMPACT_BEFORE, units=True),
        title=UNITS[lang.value][grounds.kind],
        alert=_WORDS[lang].alert.format(raised=f"{grounds.raised:%d/%m}"),
        raised=grounds.raised,
        shape=SHAPES.get(grounds.kind, "points"),
        least=why.signal["min_authors"],
        lang=lang.value,
    )


def judged(why: "Why", before: int = BEFORE, *, units: bool = False) -> "list[Judged]":
    """The days that a picture shows. before: of them before the episode. units: as pictures and sentences
    tell values, scores out of ten for one; else as signals hold them.
    """
    from dashboards.evidence_words import SHOWN_TIMES
    from dashboards.judged_plot import Judged

    grounds = why.grounds
    times = SHOWN_TIMES.get(grounds.kind, 1.0) if units else 1.0
    first, last = grounds.since - timedelta(days=before), grounds.raised + timedelta(days=AFTER)
    return [
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


def _scaled(value: float | None, times: float) -> float | None:
    return None if value is None else times * value
