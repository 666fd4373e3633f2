"""Reality gap: what customers say and the field does not, the reverse, and what nobody says."""

from dashboards.board import HERE, WITHIN, Board, Row, dimension_variable, perimeter_variable
from dashboards.boards._shared import footer, signal_list
from dashboards.boards.watch import signals_raised
from dashboards.panels import GREEN, ORANGE, AnyPanel, Column, Look, bars, number, rows, series
from dashboards.words import DIMENSIONS, KINDS, VOICES, Lang, Say, speaker, spelled

IN_RANGE = f"{HERE} AND $__timeFilter(at)"
GAPS = ("blind_spot", "silence", "answers_without_text", "mismatch")
GAP_KINDS = f"kind IN ({', '.join(f'{kind!r}' for kind in GAPS)})"


def board(lang: Lang) -> Board:
    """The board in a language."""
    say = speaker(lang)
    return Board(
        name="reality-gap",
        lang=lang,
        title=say("Écart au réel", "Reality gap"),
        description=say(
            "Ce que disent les clients et pas le terrain, l'inverse, et ce qui ne se dit pas.",
            "What customers say and the field does not, the reverse, and what is not said.",
        ),
        variables=[perimeter_variable(say), dimension_variable(say)],
        annotations=[signals_raised(say, lang)],
        rows=[
            Row(4, [(_count(say, kind), 6) for kind in GAPS]),
            Row(12, [(_themes(say, lang), 10), (_unheard(say, lang), 7), (_unsaid(say, lang), 7)]),
            Row(9, [(_silent(say), 12), (_voices(say), 12)]),
            Row(
                9,
                [
                    (
                        signal_list(
                            say,
                            lang,
                            Look(
                                say(
                                    "Angles morts, silences et contradictions",
                                    "Blind spots, silences and contradictions",
                                ),
                                say("Levés dans la période affichée.", "Raised in the range shown."),
                            ),
                            f"{GAP_KINDS} AND $__timeFilter(raised_at)",
                        ),
                        24,
                    )
                ],
            ),
            footer(say),
        ],
    )


def _count(say: Say, kind: str) -> AnyPanel:
    return number(
        Look(
            say(*KINDS[kind]).capitalize(),
            say("Signaux levés dans la période affichée.", "Signals raised in the range shown."),
            decimals=0,
            steps=((None, GREEN), (1, ORANGE)),
        ),
        f"""
        SELECT count(*) AS signals FROM vigie_boards.signal
        WHERE {WITHIN} AND kind = '{kind}' AND $__timeFilter(raised_at)
        """,
    )


def _by_theme(lang: Lang) -> str:
    return f"""
        SELECT label_{lang} AS label, dimension, sum(texts) FILTER (WHERE voice = 'customer')::float8 AS customers,
               sum(texts) FILTER (WHERE voice = 'field')::float8 AS field
        FROM vigie_boards.mention WHERE {IN_RANGE} AND dimension IN ($dimension) GROUP BY theme, label_{lang}, dimension
    """


def _themes(say: Say, lang: Lang) -> AnyPanel:
    theme, customers, field = say("thème", "theme"), say("clients", "customers"), say("terrain", "field")
    return rows(
        Look(
            say("Qui parle de quoi", "Who speaks of what"),
            say(
                "Mentions publiées par voix. Vide : personne, ou moins que le minimum d'auteurs par période.",
                "Mentions published, by voice. Empty: nobody, or fewer than the minimum of authors a period.",
            ),
        ),
        f"""
        SELECT label AS "{theme}", {spelled("dimension", DIMENSIONS, say)} AS "dimension",
               customers AS "{customers}", field AS "{field}"
        FROM ({_by_theme(lang)}) AS mentions ORDER BY coalesce(customers, 0) + coalesce(field, 0) DESC, label
        """,
        {
            customers: Column(decimals=0, width=110),
            field: Column(decimals=0, width=110),
            "dimension": Column(width=130),
        },
    )


def _unheard(say: Say, lang: Lang) -> AnyPanel:
    look = _counted(
        say("Dits par les clients, pas par le terrain", "Said by customers, not by the field"),
        say(
            "Mentions des clients, pour les thèmes que le terrain ne cite pas assez pour être compté.",
            "Customers' mentions, of the themes that the field does not mention enough to be counted.",
        ),
    )
    return _one_sided(look, lang, said="customers", unsaid="field")


def _unsaid(say: Say, lang: Lang) -> AnyPanel:
    look = _counted(
        say("Dits par le terrain, pas par les clients", "Said by the field, not by customers"),
        say(
            "Mentions du terrain, pour les thèmes que les clients ne citent pas assez pour être comptés.",
            "The field's mentions, of the themes that customers do not mention enough to be counted.",
        ),
    )
    return _one_sided(look, lang, said="field", unsaid="customers")


def _counted(title: str, about: str) -> Look:
    return Look(title, about, decimals=0, low=0)


def _one_sided(look: Look, lang: Lang, *, said: str, unsaid: str) -> AnyPanel:
    """Themes that one voice speaks of and the other does not. said, unsaid: columns of `_by_theme`."""
    return bars(
        look,
        f"""
        SELECT label, {said} FROM ({_by_theme(lang)}) AS mentions
        WHERE {unsaid} IS NULL AND {said} IS NOT NULL ORDER BY {said} DESC, label LIMIT 12
        """,
    )


def _silent(say: Say) -> AnyPanel:
    share = say("sans texte", "without text")
    return series(
        Look(
            say("Réponses sans texte", "Answers without text"),
            say("Part des envois qui n'ont pas de texte.", "Share of what came in that has no text."),
            unit="percentunit",
            decimals=0,
            low=0,
        ),
        f"""
        SELECT at AS time, (sum(texts) FILTER (WHERE answer = 'silent')
                            / sum(texts) FILTER (WHERE answer <> 'scored'))::float8 AS "{share}"
        FROM vigie_boards.answer WHERE {IN_RANGE} GROUP BY at ORDER BY at
        """,
    )


def _voices(say: Say) -> AnyPanel:
    return series(
        Look(
            say("Les deux voix", "The two voices"),
            say("Textes des clients et du terrain.", "Texts of customers and of the field."),
            decimals=0,
            low=0,
        ),
        f"""
        SELECT at AS time, {spelled("voice", VOICES, say)} AS metric, texts AS value
        FROM vigie_boards.voice_volume WHERE {IN_RANGE} ORDER BY at, metric
        """,
    )
