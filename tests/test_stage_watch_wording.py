"""Golden labels and sentences of the watch, written by hand, in both languages."""

from dataclasses import replace
from datetime import date

import pytest

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
    UP,
)
from pipelines.stages.watch_wording import Change, told_en, told_fr

PLAIN = Change(
    kind=SCORE,
    direction=DOWN,
    place="Lille 2",
    since=date(2026, 3, 1),
    raised=date(2026, 3, 14),
    observed=0.614,
    expected=0.825,
    people=10,
    least=5,
    channel="",
    channels=[],
    theme="",
    moved=[],
)
MOVED = [("mean score", 0.31, 0.8), ("email", 15.0, 3.25), ("share without text", 0.6, 0.125)]

GOLDEN = [
    (
        PLAIN,
        ("note en baisse", "la note moyenne baisse : 6,1/10 pour 8,2/10 attendus."),
        ("score falling", "Lille 2: since 1 March the mean score falls: 6.1/10, 8.2 expected."),
    ),
    (
        replace(PLAIN, direction=UP, observed=1.0),
        ("note en hausse", "la note moyenne monte : 10/10 pour 8,2/10 attendus."),
        ("score rising", "Lille 2: since 1 March the mean score rises: 10/10, 8.2 expected."),
    ),
    (
        replace(PLAIN, kind=MOOD, direction=UP),
        ("ton qui s'améliore", "les textes se font plus contents (au moins 10 personnes)."),
        ("tone improving", "Lille 2: since 1 March texts grow happier (at least 10 people)."),
    ),
    (
        replace(PLAIN, kind=MOOD),
        ("ton qui se dégrade", "les textes se font moins contents (au moins 10 personnes)."),
        ("tone worsening", "Lille 2: since 1 March texts grow less happy (at least 10 people)."),
    ),
    (
        replace(PLAIN, kind=GAP, direction=UP),
        ("bonnes notes, textes mécontents", "au moins 10 personnes notent bien et écrivent du mal."),
        (
            "good scores, unhappy texts",
            "Lille 2: since 1 March, at least 10 people score well and write ill of it.",
        ),
    ),
    (
        replace(PLAIN, kind=GAP),
        ("notes sévères, textes contents", "au moins 10 personnes notent sévèrement et écrivent du bien."),
        (
            "severe scores, happy texts",
            "Lille 2: since 1 March, at least 10 people score severely and write well of it.",
        ),
    ),
    (
        replace(PLAIN, kind=NO_TEXT, direction=UP, observed=0.72, expected=0.095),
        (
            "davantage de réponses sans texte",
            "72 % des réponses viennent sans un mot, pour 9,5 % attendus.",
        ),
        (
            "more answers without text",
            "Lille 2: since 1 March, 72% of the answers come without a word, for 9.5% expected.",
        ),
    ),
    (
        replace(PLAIN, kind=NO_TEXT, observed=0.0, expected=0.3),
        (
            "moins de réponses sans texte",
            "0 % seulement des réponses viennent sans un mot, pour 30 % attendus.",
        ),
        (
            "fewer answers without text",
            "Lille 2: since 1 March, only 0% of the answers come without a word, for 30% expected.",
        ),
    ),
    (
        replace(
            PLAIN,
            kind=SILENCE,
            observed=3.0,
            expected=14.3,
            channel="email",
            channels=["email", "field_note"],
        ),
        ("silence : e-mail et notes de terrain", "moins de 5 textes par e-mail pour 14 attendus."),
        (
            "silence: e-mail and field note",
            "Lille 2: since 1 March, fewer than 5 texts by e-mail for 14 expected.",
        ),
    ),
    (
        replace(PLAIN, kind=BLIND_SPOT, direction=UP, theme="Attente", observed=0.0, expected=7.04),
        (
            "angle mort du terrain : Attente",
            "au moins 10 clients parlent de « Attente » ; le terrain, pas une fois pour 7,0 attendues.",
        ),
        (
            "blind spot of the field: Attente",
            "Lille 2: since 1 March, at least 10 customers mention “Attente”; "
            "the field, not once for 7.0 expected.",
        ),
    ),
    (
        replace(PLAIN, kind=BLIND_SPOT, theme="Attente", observed=2.0, expected=0.05),
        (
            "angle mort des clients : Attente",
            "au moins 10 agents parlent de « Attente » ; les clients, moins de 5 fois pour <0,1 attendues.",
        ),
        (
            "blind spot of customers: Attente",
            "Lille 2: since 1 March, at least 10 agents mention “Attente”; "
            "customers, fewer than 5 times for <0.1 expected.",
        ),
    ),
]


@pytest.mark.parametrize(("change", "french", "english"), GOLDEN)
def test_golden_sentences(change: Change, french: tuple[str, str], english: tuple[str, str]) -> None:
    label, sentence = french
    assert told_fr(change) == (label, f"Lille 2 : depuis le 1er mars, {sentence}")
    assert told_en(change) == english


@pytest.mark.parametrize("direction", [UP, DOWN])
def test_an_unusual_day_says_what_moved(direction: int) -> None:
    day = replace(PLAIN, kind=UNUSUAL_DAY, direction=direction, moved=MOVED)
    assert told_fr(day) == (
        "journée inhabituelle",
        "Lille 2 : journée inhabituelle le 14 mars : note moyenne 3,1/10 pour 8,0/10 attendus ; "
        "e-mail au moins 15 pour 3,2 attendus ; part sans texte 60 % pour 12 % attendus.",
    )
    assert told_en(day) == (
        "unusual day",
        "Lille 2: unusual day on 14 March: mean score 3.1/10 for 8.0/10 expected; "
        "e-mail at least 15 for 3.2 expected; share without text 60% for 12% expected.",
    )


def test_the_tone_of_a_day_may_be_below_nothing() -> None:
    day = replace(PLAIN, kind=UNUSUAL_DAY, moved=[("mean mood", -0.416, -0.001), ("web_chat", 0.0, 4.0)])
    assert told_fr(day)[1].endswith("ton des textes -0,42 pour 0,00 attendus ; web chat 0 pour 4,0 attendus.")
    assert told_en(day)[1].endswith("tone of the texts -0.42 for 0.00 expected; web chat 0 for 4.0 expected.")


def test_every_kind_and_direction_is_told() -> None:
    """A silence is a fall by nature."""
    directions = {(kind, direction) for kind in KINDS for direction in (UP, DOWN)} - {(SILENCE, UP)}
    here = {(change.kind, change.direction) for change, _, _ in GOLDEN}
    assert here | {(UNUSUAL_DAY, UP), (UNUSUAL_DAY, DOWN)} == directions


def test_few_texts_and_a_story_of_last_year() -> None:
    change = replace(
        PLAIN,
        kind=SILENCE,
        observed=1.0,
        expected=14.0,
        channel="email",
        channels=["email"],
        since=date(2025, 3, 31),
        raised=date(2026, 1, 19),
    )
    assert (
        told_fr(change)[1]
        == "Lille 2 : depuis le 31 mars 2025, moins de 5 textes par e-mail pour 14 attendus."
    )
    assert told_en(change)[1] == "Lille 2: since 31 March 2025, fewer than 5 texts by e-mail for 14 expected."
