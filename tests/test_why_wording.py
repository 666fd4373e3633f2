"""Why, in words: golden sentences, what clears a signal by hand, and days taken out of episodes."""

from dataclasses import replace
from datetime import date

import pytest

from connectors.civil_days import day_of
from pipelines.stages.finding import (
    BLIND_SPOT,
    DOWN,
    GAP,
    KINDS,
    MOOD,
    NO_TEXT,
    SCORE,
    SILENCE,
    UNUSUAL_DAY,
    Finding,
)
from pipelines.stages.judged_days import days_of_feature, days_of_series
from pipelines.stages.why_wording import Grounds, enough_to_clear, why_en, why_fr

GROUNDS = Grounds(
    kind="emergence",
    term="badge",
    place="Lille",
    since=date(2026, 3, 1),
    raised=date(2026, 3, 14),
    observed=5.0,
    value=9.0,
    expected=0.42,
    first_learned=date(2025, 10, 1),
    evidence=12.3,
    threshold=9.8,
    fewer=5,
    channels={"survey": 6, "email": 3},
)


def test_why_in_french() -> None:
    assert why_fr(GROUNDS, "unused").whole == (
        "Lille : du 1er mars au 14 mars, au moins 5 personnes ont parlé de « badge », pour 0,4 attendues. "
        "L'attendu vient de 151 jours d'historique, du 1er octobre 2025 au 28 février 2026. "
        "Sans rien de neuf, la preuve n'irait si haut qu'une fois sur 220\u202f000 essais ; l'alerte part "
        "à une fois sur 18\u202f000. Avec 5 personnes de moins, il n'y aurait pas eu d'alerte ce jour-là. "
        "Part des canaux : enquête 67 % et e-mail 33 %."
    )


def test_why_in_english() -> None:
    assert why_en(GROUNDS, "unused").whole == (
        "Lille: from 1 March to 14 March, at least 5 people mentioned “badge”, for 0.4 expected. "
        "What is expected comes from 151 days of history, 1 October 2025 to 28 February 2026. "
        "With nothing new, evidence would go this high only once in 220,000 tests; the alert is set "
        "at once in 18,000. With 5 people fewer there would have been no alert that day. "
        "Shares of the channels: survey 67% and e-mail 33%."
    )


def test_the_occasion_follows_the_history_it_adds_to() -> None:
    around = replace(GROUNDS, occasion=("Lundi de Pâques", date(2025, 4, 21)))
    assert why_fr(around, "").baseline == (
        "L'attendu vient de 151 jours d'historique, du 1er octobre 2025 au 28 février 2026. "
        "Il tient compte de ce qui s'est dit autour de « Lundi de Pâques », le 21 avril 2025."
    )
    assert why_en(around, "").baseline.endswith(
        "It takes account of what was said around “Lundi de Pâques”, 21 April 2025."
    )


def test_what_is_not_known_is_not_said() -> None:
    bare = why_en(replace(GROUNDS, first_learned=None, fewer=None, channels={}, evidence=30.0), "")
    assert (bare.baseline, bare.cleared, bare.shares) == ("", "", "")
    assert "only once in over a billion tests" in bare.odds
    hidden = why_fr(replace(GROUNDS, channels={"survey": None, "email": None}), "")
    assert hidden.shares.startswith("Canaux : enquête et e-mail ; leurs parts sont tues")


@pytest.mark.parametrize(
    ("kind", "observed", "expected", "english"),
    [
        # A mean needs half its distance where evidence is four times the threshold.
        (SCORE, 0.4, 0.8, "With a mean of about 6.0/10 there"),
        (MOOD, -0.4, 0.2, "With a mean tone of about -0.10 (from -1 to 1) there"),
        (GAP, 0.6, 0.0, "With a gap of about 0.30 between"),
        (NO_TEXT, 0.9, 0.3, "With about 60% of answers"),
        # 12 ln(12/36) + 24 = 10.82, a quarter 2.70: 23 ln(23/36) + 13 = 2.696 is less, 22's 3.17 is more.
        (SILENCE, 12.0, 36.0, "With about 23 texts there"),
        # 16, a quarter 4: 7 ln(7/16) + 9 = 3.21 is less, 6's 4.12 is more.
        (BLIND_SPOT, 0.0, 16.0, "With about 7 mentions by"),
        (UNUSUAL_DAY, 50.0, 20.0, "With differences about 50% smaller there"),
    ],
)
def test_what_would_have_cleared_a_signal_of_the_watch(
    kind: str, observed: float, expected: float, english: str
) -> None:
    grounds = replace(
        GROUNDS, kind=kind, value=observed, expected=expected, evidence=20.0, threshold=5.0, fewer=None
    )
    told = why_en(grounds, "It did.")
    assert told.subject == "It did."
    assert told.cleared.startswith(english)
    assert told.cleared.endswith("no alert.")


def test_every_kind_of_the_watch_has_its_words() -> None:
    for kind in KINDS:
        grounds = replace(GROUNDS, kind=kind)
        assert why_fr(grounds, "S.").cleared
        assert why_en(grounds, "S.").cleared


def test_evidence_at_the_threshold_is_cleared_where_it_stands() -> None:
    assert enough_to_clear(replace(GROUNDS, kind=SCORE, evidence=5.0, threshold=5.0)) == GROUNDS.value


def finding(bucket: int, since: int, size: float, observed: float, expected: float, kind: str) -> Finding:
    return Finding(bucket, "e", kind, "", DOWN, 1.0, 5.0, observed, expected, since, size)


def test_a_days_mean_is_what_it_adds_to_the_episode_and_needs_enough_values() -> None:
    shown = [
        finding(1, 1, 20, 0.5, 0.7, SCORE),
        finding(2, 1, 50, 0.8, 0.7, SCORE),
        finding(3, 1, 50, 0.8, 0.7, SCORE),
        finding(4, 1, 54, 0.7, 0.7, SCORE),
        finding(5, 5, 10, 0.3, 0.6, SCORE),
        finding(6, 6, 0, 0.0, 0.6, SCORE),
        finding(7, 7, 4, 0.1, 0.6, SCORE),
    ]
    days = days_of_series(shown, [shown[1], shown[6]], since=day_of(5), min_authors=5)
    assert [one.observed for one in days] == [0.5, pytest.approx(1.0), None, None, 0.3, None, None]
    assert [one.withheld for one in days] == [False, False, False, True, False, False, True]
    # Evidence goes with the mean, but for that of an alert, which its signal tells: as of the values that are
    # told, none of four.
    assert [one.evidence for one in days] == [1.0, 1.0, None, None, 1.0, None, 0.0]
    assert [one.expected for one in days] == [0.7, 0.7, 0.7, 0.7, 0.6, 0.6, 0.6]
    assert [one.raised for one in days] == [False, True, False, False, False, False, True]
    # Ordinary: from a twentieth to nineteen twentieths of the way between the two days before.
    assert [days[0].low, days[0].high] == pytest.approx([0.525, 0.975])


def test_texts_and_mentions_add_up_over_the_episode_and_few_are_withheld() -> None:
    shown = [
        finding(1, 1, 10.0, 8.0, 10.0, SILENCE),
        finding(2, 1, 18.0, 15.0, 18.0, SILENCE),
        finding(3, 3, 4.0, 0.0, 4.0, SILENCE),
        finding(4, 3, 9.0, 0.0, 9.0, SILENCE),
        finding(5, 3, 18.0, 4.0, 18.0, SILENCE),
        finding(6, 3, 27.0, 4.0, 27.0, SILENCE),
        finding(7, 7, 9.0, 8.0, 9.0, SILENCE),
    ]
    days = days_of_series(shown, [shown[5]], since=day_of(3), min_authors=5)
    # Before the episode the expected of each day; then what is expected of fewer than five people, and
    # fewer than five heard, are withheld, be it the alert's own; and so is what is fewer than five from it.
    assert [one.observed for one in days] == [None, None, None, None, None, None, 5.0]
    assert [one.expected for one in days] == [10.0, 8.0, 4.0, 9.0, 18.0, 27.0, 9.0]
    assert [one.withheld for one in days] == [False, False, True, True, True, True, False]
    # Eight texts are told as five at least, and may be nine: all that were expected.
    assert [one.evidence for one in days] == [None, None, None, None, None, 1.0, 0.0]
    assert {(one.low, one.high) for one in days} == {(None, None)}


def test_few_texts_of_an_ordinary_day_are_withheld() -> None:
    shown = [
        finding(day, day, size, size, 9.0, UNUSUAL_DAY) for day, size in enumerate([9.0, 4.0, 0.0, 30.0])
    ]
    days = days_of_series(shown, [shown[3]], since=day_of(3), min_authors=5)
    assert [one.observed for one in days] == [5.0, None, 0.0, 30.0]
    assert [one.evidence for one in days] == [1.0, None, 1.0, 1.0]


def row(bucket: int, since: int, authors: int, observed: int, *, flagged: bool = False) -> dict[str, object]:
    told = {
        "rate": 0.01,
        "exposure": 10,
        "told": 2.0,
        "threshold": 9.0,
        "expected": 0.1 * (bucket - since + 1),
    }
    return {
        **told,
        "bucket": bucket,
        "since": since,
        "authors": authors,
        "observed": observed,
        "flagged": flagged,
    }


def test_people_add_up_over_the_episode_and_begin_anew_after_the_alert() -> None:
    rows = [
        row(1, 1, 7, 7),
        row(2, 2, 0, 0),
        row(3, 3, 2, 2),
        row(4, 3, 0, 2),
        row(5, 3, 3, 5),
        row(6, 3, 1, 6, flagged=True),
        row(7, 7, 1, 1),
        row(8, 7, 4, 5),
    ]
    days = days_of_feature(rows, 1.0, since=day_of(3), min_authors=5)
    # Five on the third day and six at the alert would tell of one person: the alert's are told,
    # as the multiple of five that they are not under.
    assert [one.observed for one in days] == [None, None, None, None, None, 5, None, 5]
    assert [one.writers for one in days] == [None, None, None, None, None, 40, None, 20]
    assert [one.withheld for one in days] == [False, False, True, True, True, False, True, False]
    assert [one.evidence is None for one in days] == [one.observed is None for one in days]
    assert [one.expected for one in days] == pytest.approx([0.1, 0.1, 0.1, 0.2, 0.3, 0.4, 0.1, 0.2])
    assert [one.low is None for one in days] == [True, True, *[False] * 6]


def test_one_text_is_one() -> None:
    """1 ln(1/4) + 3 = 1.61 is under 20/12 = 1.67, none at all, 4, is not."""
    grounds = replace(
        GROUNDS, kind=SILENCE, value=0.0, expected=4.0, evidence=12.0, threshold=5.0, fewer=None
    )
    assert why_fr(grounds, "").cleared == "Avec environ 1 texte, il n'y aurait pas eu d'alerte."
    assert why_en(grounds, "").cleared == "With about 1 text there would have been no alert."
