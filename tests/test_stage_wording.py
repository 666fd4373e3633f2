"""Golden sentences, written by hand."""

from dataclasses import replace
from datetime import date

import pytest

from pipelines.stages.wording import Facts, sentence_en, sentence_fr

PLAIN = Facts(
    place="Lille 2",
    label="caisse, bip",
    authors=9,
    raised=date(2026, 3, 4),
    observed=6,
    expected=0.42,
    since=date(2026, 3, 1),
    channels=["survey", "email", "field_note"],
    tone="complaint",
    mean_score=None,
    field_first=False,
    short_history=False,
)


@pytest.mark.parametrize(
    ("facts", "french", "english"),
    [
        (
            PLAIN,
            "Lille 2 : depuis le 1er mars, au moins 9 personnes se plaignent de « caisse, bip », par "
            "enquête, e-mail et notes de terrain (alerte du 4 mars : au moins 6 pour 0,4 attendues).",
            "Lille 2: since 1 March, at least 9 people complain of “caisse, bip”, by survey, e-mail and "
            "field note (alert of 4 March: at least 6 for 0.4 expected).",
        ),
        (
            replace(PLAIN, tone="praise", channels=["letter"], mean_score=0.95, expected=0.04, observed=5),
            "Lille 2 : depuis le 1er mars, au moins 9 personnes saluent « caisse, bip », par courrier "
            "(alerte du 4 mars : au moins 5 pour <0,1 attendues).",
            "Lille 2: since 1 March, at least 9 people praise “caisse, bip”, by letter "
            "(alert of 4 March: at least 5 for <0.1 expected).",
        ),
        (
            replace(
                PLAIN,
                tone="mixed",
                channels=["complaint", "web_chat"],
                since=date(2026, 8, 31),
                raised=date(2026, 12, 1),
                expected=11.6,
                mean_score=0.7,
                field_first=True,
                short_history=True,
            ),
            "Lille 2 : depuis le 31 août, au moins 9 personnes parlent de « caisse, bip », par réclamation "
            "et web chat (alerte du 1er décembre : au moins 6 pour 12 attendues). Le terrain l'a signalé "
            "avant les clients. Leur note moyenne est haute : 7,0/10. Historique encore court "
            "ici : l'attendu s'appuie sur le périmètre au-dessus.",
            "Lille 2: since 31 August, at least 9 people mention “caisse, bip”, by complaint and web chat "
            "(alert of 1 December: at least 6 for 12 expected). Field teams said so before customers. "
            "Their mean score is high: 7.0/10. History is still short here: "
            "the expected leans on the perimeter above.",
        ),
        (
            replace(PLAIN, channels=["email"], mean_score=0.69, expected=9.94, authors=12, observed=12),
            "Lille 2 : depuis le 1er mars, au moins 12 personnes se plaignent de « caisse, bip », par e-mail "
            "(alerte du 4 mars : au moins 12 pour 9,9 attendues).",
            "Lille 2: since 1 March, at least 12 people complain of “caisse, bip”, by e-mail "
            "(alert of 4 March: at least 12 for 9.9 expected).",
        ),
    ],
)
def test_sentences(facts: Facts, french: str, english: str) -> None:
    assert sentence_fr(facts) == french
    assert sentence_en(facts) == english
