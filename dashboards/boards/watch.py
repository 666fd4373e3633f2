"""Watch: what is open now, what comes in against what was expected, how fresh it is."""

from dashboards.board import HERE, WITHIN, Annotation, Board, Row, dimension_variable, perimeter_variable
from dashboards.boards._shared import (
    MEANS,
    MOOD_STEPS,
    OPEN,
    SCORE_STEPS,
    footer,
    last_of,
    open_days,
    signal_list,
)
from dashboards.panels import GREEN, ORANGE, RED, AnyPanel, Column, Look, band, bars, number, rows, series
from dashboards.words import CHANNELS, DIMENSIONS, Lang, Say, speaker, spelled

DIMENSION = "(dimension IS NULL OR dimension IN ($dimension))"


def board(lang: Lang) -> Board:
    """The board in a language."""
    say = speaker(lang)
    return Board(
        name="watch",
        lang=lang,
        title=say("Veille", "Watch"),
        description=say(
            "Ce qui est ouvert, ce qui arrive et ce qui était attendu.",
            "What is open, what comes in, what was expected.",
        ),
        variables=[perimeter_variable(say), dimension_variable(say)],
        annotations=[signals_raised(say, lang)],
        rows=[
            Row(4, _figures(say)),
            Row(
                9,
                [
                    (
                        signal_list(
                            say,
                            lang,
                            Look(
                                say("Signaux ouverts", "Open signals"),
                                say(
                                    "Les plus récents d'abord. Force : preuve rapportée au seuil du périmètre.",
                                    "The newest first. Strength: evidence over the perimeter's threshold.",
                                ),
                            ),
                            f"{OPEN} AND {DIMENSION}",
                        ),
                        24,
                    )
                ],
            ),
            Row(8, [(_daily(say), 9), (open_days(say), 6), (_channels(say), 9)]),
            Row(
                8,
                [
                    (_open_by_place(say), 6),
                    (_open_by_dimension(say), 5),
                    (_moods(say), 7),
                    (_freshness(say), 6),
                ],
            ),
            footer(say),
        ],
    )


def signals_raised(say: Say, lang: Lang) -> Annotation:
    """Marks from where signals of the perimeter and below began to where they were raised."""
    return Annotation(
        say("Signaux", "Signals"),
        f"""
        SELECT least(first_seen, raised_at) AS time, raised_at + interval '1 day' AS timeend,
               perimeter_name AS title, sentence_{lang} AS text, kind AS tags
        FROM vigie_boards.signal WHERE {WITHIN} AND $__timeFilter(raised_at) ORDER BY raised_at
        """,
        "orange",
    )


def _figures(say: Say) -> list[tuple[AnyPanel, int]]:
    open_now = (
        f"SELECT count(*) AS signals FROM vigie_boards.signal WHERE {WITHIN} AND {OPEN} AND {DIMENSION}"
    )
    raised = (
        f"SELECT count(*) AS signals FROM vigie_boards.signal WHERE {WITHIN} AND {DIMENSION} "
        "AND $__timeFilter(raised_at)"
    )
    return [
        (
            number(
                Look(
                    say("Ouverts", "Open"),
                    say("Signaux ouverts, ici et en dessous.", "Signals open, here and below."),
                    decimals=0,
                    steps=((None, GREEN), (1, ORANGE), (10, RED)),
                ),
                open_now,
            ),
            4,
        ),
        (
            number(
                Look(
                    say("Levés", "Raised"),
                    say("Signaux levés dans la période affichée.", "Signals raised in the range shown."),
                    decimals=0,
                ),
                raised,
            ),
            4,
        ),
        (
            number(
                Look(
                    say("Textes", "Texts"),
                    say("Textes de la dernière période publiée.", "Texts of the last period published."),
                    decimals=0,
                ),
                f"SELECT texts FROM vigie_boards.volume WHERE {last_of('volume')}",
            ),
            4,
        ),
        (
            number(
                Look(
                    say("Contre l'attendu", "Against expected"),
                    say(
                        "Textes de la dernière période, rapportés à la moyenne des huit d'avant.",
                        "Texts of the last period over the mean of the eight before.",
                    ),
                    unit="percentunit",
                    decimals=0,
                    steps=((None, ORANGE), (0.7, GREEN), (1.3, ORANGE)),
                ),
                f"SELECT texts / nullif(expected, 0) AS share FROM vigie_boards.volume WHERE {last_of('volume')}",
            ),
            4,
        ),
        (
            number(
                Look(
                    say("Note", "Score"),
                    say("Note moyenne de la dernière période.", "Mean score of the last period."),
                    unit="percentunit",
                    decimals=0,
                    steps=SCORE_STEPS,
                ),
                f"SELECT score FROM (SELECT {MEANS} FROM vigie_boards.answer WHERE {last_of('answer')}) AS means",
            ),
            4,
        ),
        (
            number(
                Look(
                    say("Humeur des textes", "Mood of the texts"),
                    say(
                        "Sentiment moyen des textes de la dernière période, de -1 à 1.",
                        "Mean sentiment of the texts of the last period, from -1 to 1.",
                    ),
                    unit="none",
                    decimals=2,
                    steps=MOOD_STEPS,
                ),
                f"SELECT mood FROM (SELECT {MEANS} FROM vigie_boards.answer WHERE {last_of('answer')}) AS means",
            ),
            4,
        ),
    ]


def _daily(say: Say) -> AnyPanel:
    observed, expected = say("textes", "texts"), say("attendus", "expected")
    low, high = say("bas", "low"), say("haut", "high")
    return band(
        Look(
            say("Textes par jour, et ce qui était attendu", "Texts a day, and what was expected"),
            say(
                "Bande : moyenne des huit mêmes jours de semaine d'avant, plus ou moins deux écarts types. Publié là "
                "où chaque jour réunit assez d'auteurs.",
                "Band: mean of the eight same weekdays before, plus and minus two standard deviations. Published "
                "where each day has enough authors.",
            ),
            decimals=0,
            low=0,
        ),
        f"""
        SELECT at AS time, texts AS "{observed}", expected AS "{expected}", low AS "{low}", high AS "{high}"
        FROM vigie_boards.daily_volume WHERE {HERE} AND $__timeFilter(at) ORDER BY at
        """,
        observed=observed,
        low=low,
        high=high,
        expected=expected,
    )


def _channels(say: Say) -> AnyPanel:
    channel, texts = say("canal", "channel"), say("textes", "texts")
    expected, between = say("attendus", "expected"), say("bande", "band")
    departs = say("écart", "departure")
    return rows(
        Look(
            say("Par canal, dernière période", "By channel, last period"),
            say(
                "Écart : textes au-delà de la bande attendue (±2 écarts types des huit périodes d'avant), en part de "
                "l'attendu ; 0 dans la bande.",
                "Departure: texts beyond the expected band (±2 standard deviations of the eight periods before), as a "
                "share of the expected; 0 within it.",
            ),
            decimals=0,
        ),
        f"""
        SELECT {spelled("channel", CHANNELS, say)} AS "{channel}", texts AS "{texts}", expected AS "{expected}",
               round(low) || ' – ' || round(high) AS "{between}",
               (greatest(texts - high, 0) - greatest(low - texts, 0)) / nullif(expected, 0) AS "{departs}"
        FROM vigie_boards.channel_volume WHERE {last_of("channel_volume")} ORDER BY texts DESC
        """,
        {departs: Column(unit="percentunit", decimals=0, steps=((None, RED), (-0.01, GREEN), (0.01, RED)))},
    )


def _open_by_place(say: Say) -> AnyPanel:
    return bars(
        Look(
            say("Signaux ouverts par périmètre", "Open signals by perimeter"),
            say(
                "Ceux d'un périmètre lui-même ; la liste a tous ceux d'en dessous.",
                "Those of a perimeter itself; the list has all of those below.",
            ),
            decimals=0,
            low=0,
        ),
        f"""
        SELECT perimeter_name AS name, count(*) AS signals
        FROM vigie_boards.signal WHERE {WITHIN} AND {OPEN} AND {DIMENSION}
        GROUP BY perimeter, perimeter_name ORDER BY 2 DESC, 1 LIMIT 12
        """,
    )


def _open_by_dimension(say: Say) -> AnyPanel:
    return bars(
        Look(
            say("Signaux ouverts par dimension", "Open signals by dimension"),
            say("Les quatre dimensions de la culture client.", "The four dimensions of customer culture."),
            decimals=0,
            low=0,
        ),
        f"""
        SELECT {spelled(f"coalesce(dimension, '{say('sans', 'none')}')", DIMENSIONS, say)} AS name, count(*) AS signals
        FROM vigie_boards.signal WHERE {WITHIN} AND {OPEN} AND {DIMENSION}
        GROUP BY 1 ORDER BY 2 DESC, 1
        """,
    )


def _moods(say: Say) -> AnyPanel:
    score, mood = say("note, de -1 à 1", "score, from -1 to 1"), say("humeur des textes", "mood of the texts")
    return series(
        Look(
            say("La note et les textes", "The score and the texts"),
            say(
                "La note moyenne ramenée entre -1 et 1, à côté du sentiment moyen des textes.",
                "The mean score stretched between -1 and 1, beside the mean sentiment of the texts.",
            ),
            unit="none",
            decimals=2,
        ),
        f"""
        SELECT at AS time, 2 * score - 1 AS "{score}", mood AS "{mood}"
        FROM (SELECT at, {MEANS} FROM vigie_boards.answer WHERE {HERE} AND $__timeFilter(at) GROUP BY at) AS means
        ORDER BY at
        """,
    )


def _freshness(say: Say) -> AnyPanel:
    age = say("chargée il y a", "loaded ago")
    return rows(
        Look(
            say("Fraîcheur des sources", "Freshness of the sources"),
            say("Depuis le dernier chargement de chaque source.", "Since each source was last loaded."),
        ),
        f"""
        SELECT source, extract(epoch FROM now() - loaded_at)::float8 AS "{age}"
        FROM vigie_boards.source ORDER BY loaded_at
        """,
        {age: Column(unit="s", decimals=1, steps=((None, GREEN), (93_600, ORANGE), (691_200, RED)))},
    )
