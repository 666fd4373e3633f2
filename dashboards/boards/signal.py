"""Signal: one of them, what carries it and how it grew."""

from dashboards.board import Board, Row, address, signal_variable
from dashboards.boards._shared import acts, answer_to, footer
from dashboards.panels import (
    BLUE,
    GREY,
    ORANGE,
    AnyPanel,
    Column,
    Look,
    band,
    bars,
    crossing,
    number,
    rows,
    series,
)
from dashboards.words import CHANNELS, KINDS, STATUSES, VOICES, Lang, Say, speaker, spelled

THIS = "signal_id = ${signal:sqlstring}"


def board(lang: Lang) -> Board:
    """The board in a language."""
    say = speaker(lang)
    return Board(
        name="signal",
        lang=lang,
        title=say("Signal", "Signal"),
        description=say("Un signal et ses preuves.", "One signal and its evidence."),
        variables=[signal_variable(say)],
        rows=[
            Row(5, [(_sentence(say, lang), 24)]),
            Row(4, _figures(say)),
            Row(9, [(_growth(say), 12), (_compared(say), 6), (_evidence(say), 6)]),
            Row(9, [(_course(say), 12), (_accumulating(say), 12)]),
            Row(8, [(_channels(say), 12), (_voices(say), 12)]),
            Row(
                6,
                [
                    (
                        acts(
                            say,
                            lang,
                            Look(
                                say("Ce qu'on en a fait", "What was done with it"),
                                say(
                                    "Qui a répondu, quand, et ses mots, caviardés.",
                                    "Who answered, when, and their words, redacted.",
                                ),
                            ),
                            THIS,
                            named=False,
                        ),
                        24,
                    )
                ],
            ),
            Row(12, [(_excerpts(say), 24)]),
            footer(say),
        ],
    )


def _sentence(say: Say, lang: Lang) -> AnyPanel:
    what, place, kind, status = (
        say("ce qui se dit", "what is said"),
        say("périmètre", "perimeter"),
        say("nature", "kind"),
        say("état", "state"),
    )
    answer = say("réponse", "answer")
    return rows(
        Look(
            say("Le signal", "The signal"),
            say("Sa phrase, son lieu, sa nature et son état.", "Its sentence, place, kind and state."),
        ),
        f"""
        SELECT perimeter, sentence_{lang} AS "{what}", perimeter_name AS "{place}",
               {spelled("kind", KINDS, say)} AS "{kind}", {spelled("status", STATUSES, say)} AS "{status}",
               {answer_to("signal", say)} AS "{answer}"
        FROM vigie_boards.signal WHERE {THIS}
        """,
        {
            "perimeter": Column(hidden=True),
            what: Column(wraps=True),
            place: Column(
                width=200,
                link=(
                    say("Voir ce périmètre", "See this perimeter"),
                    address("perimeter", lang, perimeter="${__data.fields.perimeter}"),
                ),
            ),
            kind: Column(width=150),
            status: Column(width=110),
            answer: Column(width=130),
        },
    )


def _figures(say: Say) -> list[tuple[AnyPanel, int]]:
    figures = [
        (
            say("Auteurs distincts, au moins", "Distinct authors, at least"),
            say(
                "Ceux qui le portent, arrondis au multiple inférieur du minimum.",
                "Those who carry it, rounded down to a multiple of the minimum.",
            ),
            "short",
            0,
            "distinct_authors",
        ),
        (
            say("Premier texte", "First text"),
            say("Le jour où il a commencé.", "The day it began."),
            "time:YYYY-MM-DD",
            None,
            "extract(epoch FROM first_seen) * 1000",
        ),
        (
            say("Levé", "Raised"),
            say("Le jour où le seuil fut passé.", "The day when it passed the threshold."),
            "time:YYYY-MM-DD",
            None,
            "extract(epoch FROM raised_at) * 1000",
        ),
        (
            say("Dernier texte", "Last text"),
            say("Le jour du plus récent.", "The day of the newest."),
            "time:YYYY-MM-DD",
            None,
            "extract(epoch FROM last_seen) * 1000",
        ),
    ]
    return [
        (
            number(
                Look(title, words, unit=unit, decimals=decimals),
                f"SELECT ({value})::float8 AS value FROM vigie_boards.signal WHERE {THIS}",
            ),
            6,
        )
        for title, words, unit, decimals, value in figures
    ]


def _growth(say: Say) -> AnyPanel:
    people = say("auteurs, au moins", "authors, at least")
    return series(
        Look(
            say("Comment il a grandi", "How it grew"),
            say(
                "Auteurs distincts qui le portent, par paliers du minimum ; pour les émergences.",
                "Distinct authors who carry it, in steps of the minimum; for emergences.",
            ),
            decimals=0,
            low=0,
        ),
        f"""
        SELECT at AS time, max(people)::float8 AS "{people}" FROM vigie_boards.signal_growth WHERE {THIS}
        GROUP BY at ORDER BY at
        """,
    )


def _compared(say: Say) -> AnyPanel:
    observed, expected = say("observé", "observed"), say("attendu", "expected")
    return bars(
        Look(
            say("Observé contre attendu", "Observed against expected"),
            say(
                "À l'alerte, dans l'unité de sa nature : auteurs pour une émergence. Un nombre observé est arrondi au "
                "multiple inférieur du minimum.",
                "When raised, in the unit of its kind: authors for an emergence. An observed count is rounded down to "
                "a multiple of the minimum.",
            ),
            decimals=2,
            low=0,
        ),
        f"""
        SELECT name, value FROM vigie_boards.signal
        CROSS JOIN LATERAL (VALUES ('{observed}', observed), ('{expected}', expected)) AS two (name, value)
        WHERE {THIS}
        """,
    )


def _evidence(say: Say) -> AnyPanel:
    now, most, bar = (
        say("au départ", "when raised"),
        say("au plus fort", "at its strongest"),
        say("seuil", "threshold"),
    )
    return bars(
        Look(
            say("Preuve contre seuil", "Evidence against threshold"),
            say(
                "Logarithme népérien de la preuve, et le seuil que fixe le budget de fausses alertes.",
                "Natural logarithm of the evidence, and the threshold that the budget of false alerts sets.",
            ),
            unit="none",
            decimals=1,
            low=0,
            steps=((None, GREY), (10, BLUE), (15, ORANGE)),
        ),
        f"""
        SELECT name, value FROM vigie_boards.signal
        CROSS JOIN LATERAL (VALUES ('{now}', evidence), ('{most}', strongest_evidence), ('{bar}', threshold))
            AS three (name, value)
        WHERE {THIS}
        """,
    )


def _course(say: Say) -> AnyPanel:
    observed, expected = say("observé", "observed"), say("attendu", "expected")
    low, high = say("bas", "low"), say("haut", "high")
    return band(
        Look(
            say("Observé contre attendu, jour après jour", "Observed against expected, day by day"),
            say(
                "Dans l'unité de sa nature, les nombres depuis le début de l'épisode et par paliers du minimum. Bande : "
                "l'ordinaire. Les jours où trop peu de personnes parlent restent vides. Connu une fois l'alerte envoyée "
                "avec son image.",
                "In the unit of its kind, counts since the episode began and in steps of the minimum. Band: the "
                "ordinary. Days on which too few people speak stay empty. Known once the alert was sent with its "
                "picture.",
            ),
        ),
        f"""
        SELECT at AS time, observed AS "{observed}", expected AS "{expected}", low AS "{low}", high AS "{high}"
        FROM vigie_boards.signal_day WHERE {THIS} ORDER BY at
        """,
        observed=observed,
        low=low,
        high=high,
        expected=expected,
    )


def _accumulating(say: Say) -> AnyPanel:
    evidence, bar = say("preuve", "evidence"), say("seuil", "threshold")
    return crossing(
        Look(
            say("La preuve qui s'accumule", "Evidence as it accumulates"),
            say(
                "Logarithme népérien, et le seuil qu'il passe à l'alerte ; sur les jours qui peuvent se dire. Connu une "
                "fois l'alerte envoyée avec son image.",
                "Natural logarithm, and the threshold that it passes at the alert; on the days that may be told. Known "
                "once the alert was sent with its picture.",
            ),
            unit="none",
            decimals=1,
            low=0,
        ),
        f"""
        SELECT at AS time, evidence AS "{evidence}", threshold AS "{bar}"
        FROM vigie_boards.signal_day WHERE {THIS} ORDER BY at
        """,
        rising=evidence,
        bar=bar,
    )


def _share(say: Say, title: str, split: str, names: dict[str, tuple[str, str]]) -> AnyPanel:
    return bars(
        Look(
            title,
            say(
                "Auteurs distincts ; vide là où l'un d'eux serait sous le minimum.",
                "Distinct authors; empty where one of them would be below the minimum.",
            ),
            decimals=0,
            low=0,
        ),
        f"""
        SELECT {spelled("name", names, say)} AS name, authors FROM vigie_boards.signal_share
        WHERE {THIS} AND split = '{split}' ORDER BY authors DESC NULLS LAST, name
        """,
    )


def _channels(say: Say) -> AnyPanel:
    return _share(say, say("Canaux", "Channels"), "channel", CHANNELS)


def _voices(say: Say) -> AnyPanel:
    return _share(say, say("Voix", "Voices"), "voice", VOICES)


def _excerpts(say: Say) -> AnyPanel:
    day, place, channel, said = (
        say("jour", "day"),
        say("périmètre", "perimeter"),
        say("canal", "channel"),
        say("extrait", "excerpt"),
    )
    return rows(
        Look(
            say("Ce qui est écrit", "What is written"),
            say(
                "Extraits caviardés, des voix qui réunissent assez d'auteurs.",
                "Redacted excerpts, of the voices with enough authors.",
            ),
        ),
        f"""
        SELECT at AS "{day}", perimeter_name AS "{place}", {spelled("channel", CHANNELS, say)} AS "{channel}",
               excerpt AS "{said}"
        FROM vigie_boards.excerpt WHERE {THIS} ORDER BY at, excerpt LIMIT 200
        """,
        {
            day: Column(unit="time:YYYY-MM-DD", width=110),
            place: Column(width=180),
            channel: Column(width=120),
            said: Column(wraps=True),
        },
    )
