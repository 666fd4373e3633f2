"""Follow-up: from the first text to the signal, who owns it, and what the budget of false alerts allows."""

from dashboards.board import WITHIN, Board, Row, perimeter_variable
from dashboards.boards._shared import acts, answer_to, footer, signal_column
from dashboards.panels import GREEN, ORANGE, RED, AnyPanel, Column, Look, bars, number, rows, series
from dashboards.words import STATES, STATUSES, Lang, Say, speaker, spelled

RAISED = f"{WITHIN} AND $__timeFilter(raised_at)"
DELAY = "greatest(0, extract(epoch FROM raised_at + interval '1 day' - first_seen))"
"""SQL: seconds from the start of the first text's day to the end of the day that raised the signal."""
YEARS = """
    ((extract(epoch FROM $__timeTo()::timestamptz - $__timeFrom()::timestamptz) / 31557600)
     * (SELECT nullif(count(*), 0) FROM vigie_boards.perimeter AS place
        WHERE place.path = ${perimeter:sqlstring} OR starts_with(place.path, ${perimeter:sqlstring} || '/')))
"""
"""SQL: years in the range shown, times the perimeters that are chosen."""


def board(lang: Lang) -> Board:
    """The board in a language."""
    say = speaker(lang)
    return Board(
        name="follow-up",
        lang=lang,
        title=say("Suivi", "Follow-up"),
        description=say("Ce que deviennent les signaux.", "What becomes of signals."),
        variables=[perimeter_variable(say)],
        rows=[
            Row(4, _figures(say)),
            Row(4, _delays(say)),
            Row(9, [(_by_week(say), 10), (_states(say), 7), (_owners(say), 7)]),
            Row(
                8,
                [
                    (
                        acts(
                            say,
                            lang,
                            Look(
                                say("Qui a répondu", "Who answered"),
                                say(
                                    "Réponses de la période aux signaux d'ici et d'en dessous, les plus récentes d'abord.",
                                    "Answers in the range to signals here and below, the newest first.",
                                ),
                            ),
                            f"{WITHIN} AND $__timeFilter(at)",
                            named=True,
                        ),
                        24,
                    )
                ],
            ),
            Row(7, [(_taught(say, lang), 24)]),
            Row(10, [(_open(say, lang), 24)]),
            footer(say),
        ],
    )


def _figures(say: Say) -> list[tuple[AnyPanel, int]]:
    rate = f"SELECT count(*) / {YEARS}::float8 AS rate FROM vigie_boards.signal WHERE {RAISED}"
    return [
        (
            number(
                Look(
                    say("Levés", "Raised"),
                    say("Dans la période affichée.", "In the range shown."),
                    decimals=0,
                ),
                f"SELECT count(*) AS signals FROM vigie_boards.signal WHERE {RAISED}",
            ),
            6,
        ),
        (
            number(
                Look(
                    say("Du premier texte à l'alerte", "From first text to alert"),
                    say(
                        "Médiane, du début du jour du premier texte à la fin de celui de l'alerte.",
                        "Median, from the start of the first text's day to the end of that of the alert.",
                    ),
                    unit="s",
                    decimals=1,
                ),
                f"""
                SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY {DELAY}) AS delay
                FROM vigie_boards.signal WHERE {RAISED}
                """,
            ),
            6,
        ),
        (
            number(
                Look(
                    say("Signaux par périmètre et par an", "Signals a perimeter a year"),
                    say(
                        "Au rythme de la période affichée, vrais et faux ensemble : à comparer au budget.",
                        "At the pace of the range shown, true and false alike: to be compared with the budget.",
                    ),
                    unit="none",
                    decimals=2,
                    steps=((None, GREEN), (1, ORANGE), (4, RED)),
                ),
                rate,
            ),
            6,
        ),
        (
            number(
                Look(
                    say("Budget de fausses alertes", "Budget of false alerts"),
                    say(
                        "Par périmètre et par an, selon les réglages.", "A perimeter a year, by the settings."
                    ),
                    unit="none",
                    decimals=2,
                ),
                "SELECT false_alerts AS budget FROM vigie_boards.rules",
            ),
            6,
        ),
    ]


def _delays(say: Say) -> list[tuple[AnyPanel, int]]:
    def median(title: str, words: str, column: str) -> tuple[AnyPanel, int]:
        sql = f"""
            SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY {column}) AS delay
            FROM vigie_boards.lifecycle WHERE {RAISED}
        """
        return number(Look(title, words, unit="s", decimals=1), sql), 6

    return [
        median(
            say("De l'alerte à la prise en charge", "From alert to acknowledgement"),
            say(
                "Médiane, depuis que le premier abonné a été averti.",
                "Median, since the first subscriber was told.",
            ),
            "acknowledged_after",
        ),
        median(
            say("De la prise en charge à la résolution", "From acknowledgement to resolution"),
            say("Médiane.", "Median."),
            "resolved_after",
        ),
        (
            number(
                Look(
                    say("Sans réponse", "Untouched"),
                    say(
                        "Signaux de la période auxquels personne n'a répondu.",
                        "Signals in the range that nobody acted on.",
                    ),
                    decimals=0,
                    steps=((None, GREEN), (1, ORANGE), (10, RED)),
                ),
                f"SELECT count(*) AS signals FROM vigie_boards.lifecycle WHERE {RAISED} AND state = 'untouched'",
            ),
            6,
        ),
        (
            number(
                Look(
                    say("Écartés, par périmètre et par an", "Dismissed, a perimeter a year"),
                    say(
                        "Fausses alertes constatées, au rythme de la période : à comparer au budget.",
                        "False alerts realised, at the pace of the range: to be compared with the budget.",
                    ),
                    unit="none",
                    decimals=2,
                    steps=((None, GREEN), (0.25, ORANGE), (1, RED)),
                ),
                f"""
                SELECT (count(*) FILTER (WHERE verdict = 'dismissed') / {YEARS})::float8 AS rate
                FROM vigie_boards.lifecycle WHERE {RAISED}
                """,
            ),
            6,
        ),
    ]


def _states(say: Say) -> AnyPanel:
    return bars(
        Look(
            say("Ce qu'on en a fait", "What was done with them"),
            say(
                "Signaux de la période, selon la dernière réponse.", "Signals in the range, by the last act."
            ),
            decimals=0,
            low=0,
        ),
        f"""
        SELECT {spelled("state", STATES, say)} AS name, count(*) AS signals
        FROM vigie_boards.lifecycle WHERE {RAISED} GROUP BY state ORDER BY 2 DESC, 1
        """,
    )


def _by_week(say: Say) -> AnyPanel:
    return series(
        Look(
            say("Signaux levés par semaine", "Signals raised a week"),
            say("Selon leur état d'aujourd'hui.", "By their state of today."),
            decimals=0,
            low=0,
        ),
        f"""
        SELECT $__timeGroupAlias(raised_at, '7d', 0), {spelled("status", STATUSES, say)} AS metric,
               count(*)::float8 AS value
        FROM vigie_boards.signal WHERE {RAISED} GROUP BY 1, status ORDER BY 1, 2
        """,
        bars=True,
        stacked=True,
    )


def _owners(say: Say) -> AnyPanel:
    return bars(
        Look(
            say("À qui ils reviennent", "Whose they are"),
            say("Signaux de la période, par fonction.", "Signals in the range, by owning function."),
            decimals=0,
            low=0,
        ),
        f"""
        SELECT coalesce(replace(owning_function, '_', ' '), '{say("sans fonction", "no function")}') AS name,
               count(*) AS signals
        FROM vigie_boards.signal WHERE {RAISED} GROUP BY 1 ORDER BY 2 DESC, 1
        """,
    )


def _taught(say: Say, lang: Lang) -> AnyPanel:
    what, place, times = say("signal", "signal"), say("périmètre", "perimeter"), say("preuves", "evidence")
    dismissed, confirmed, since = (
        say("écarté", "dismissed"),
        say("confirmé", "confirmed"),
        say("depuis", "since"),
    )
    return rows(
        Look(
            say("Ce que les réponses ont appris", "What the answers taught"),
            say(
                "Combien de fois un sujet a été écarté ou confirmé sur un périmètre et au-dessus, et combien de "
                "fois plus ou moins de preuves il y demande depuis.",
                "How often a subject was dismissed or confirmed at a perimeter and above it, and how many times "
                "the evidence it needs there since.",
            ),
        ),
        f"""
        SELECT signal_id, label AS "{what}", perimeter_name AS "{place}", dismissed AS "{dismissed}",
               confirmed AS "{confirmed}", times AS "{times}", to_char(since, 'YYYY-MM-DD') AS "{since}"
        FROM vigie_boards.taught WHERE {WITHIN} ORDER BY since DESC, signal_id LIMIT 100
        """,
        {
            "signal_id": Column(hidden=True),
            what: signal_column(say, lang),
            place: Column(width=160),
            dismissed: Column(width=100, decimals=0),
            confirmed: Column(width=100, decimals=0),
            times: Column(width=130, decimals=1, unit="prefix:× "),
            since: Column(width=120),
        },
    )


def _open(say: Say, lang: Lang) -> AnyPanel:
    what, place, age, owner = (
        say("signal", "signal"),
        say("périmètre", "perimeter"),
        say("sans texte depuis", "no text for"),
        say("fonction", "function"),
    )
    delay, people = say("texte → alerte", "text → alert"), say("auteurs ≥", "authors ≥")
    answer = say("réponse", "answer")

    return rows(
        Look(
            say("Signaux de la période", "Signals in the range"),
            say(
                "Délai du premier texte à l'alerte, et depuis le dernier texte jusqu'au dernier jour rejoué.",
                "Delay from the first text to the alert, and since the last text up to the last day replayed.",
            ),
        ),
        f"""
        SELECT signal_id, sentence_{lang} AS "{what}", perimeter_name AS "{place}",
               replace(owning_function, '_', ' ') AS "{owner}", distinct_authors AS "{people}",
               {DELAY}::float8 AS "{delay}",
               greatest(0, extract(epoch FROM (SELECT closed_until FROM vigie_boards.rules) - last_seen))::float8 AS "{age}",
               {answer_to("signal", say)} AS "{answer}"
        FROM vigie_boards.signal WHERE {RAISED} ORDER BY raised_at DESC, signal_id LIMIT 100
        """,
        {
            "signal_id": Column(hidden=True),
            what: signal_column(say, lang),
            place: Column(width=160),
            owner: Column(width=150),
            people: Column(width=90, decimals=0),
            delay: Column(unit="s", decimals=1, width=130),
            age: Column(unit="s", decimals=1, width=150),
            answer: Column(width=120),
        },
    )
