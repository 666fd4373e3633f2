"""What several boards show: scores, moods, bands and lists of signals."""

from dashboards.board import HERE, WITHIN, Row, address
from dashboards.panels import GREEN, GREY, ORANGE, RED, AnyPanel, Column, Look, note, rows
from dashboards.words import ACTS, DIMENSIONS, KINDS, STATES, STATUSES, Lang, Say, spelled

SCORE_STEPS = ((None, RED), (0.6, ORANGE), (0.75, GREEN))
"""Of a mean score in [0, 1]."""
MOOD_STEPS = ((None, RED), (-0.1, ORANGE), (0.1, GREEN))
"""Of a mean sentiment in [-1, 1]."""

OPEN = "status IN ('open', 'early')"
"""SQL over vigie_boards.signal: those that people have to deal with now."""
MEANS = """
sum(total) FILTER (WHERE answer = 'scored') / sum(texts) FILTER (WHERE answer = 'scored') AS score,
sum(total) FILTER (WHERE answer = 'written') / sum(texts) FILTER (WHERE answer = 'written') AS mood
"""
"""SQL over vigie_boards.answer: mean score in [0, 1], mean sentiment in [-1, 1]."""


def last_of(view: str) -> str:
    """SQL: only the last period of a view, of the chosen perimeter, within the range."""
    return f"{HERE} AND at = (SELECT max(at) FROM vigie_boards.{view} WHERE {HERE} AND $__timeFilter(at))"


def answer_to(signal: str, say: Say) -> str:
    """SQL: how a signal stands with those who answered it. signal: the view or alias that has its id."""
    return f"""
        (SELECT {spelled("state", STATES, say)} FROM vigie_boards.lifecycle AS kept
         WHERE kept.signal_id = {signal}.signal_id)
    """


def acts(say: Say, lang: Lang, look: Look, where: str, *, named: bool) -> AnyPanel:
    """What people did with signals, the newest first. named: with the signal and the place of each."""
    when, who, what, words = (
        say("le", "when"),
        say("qui", "who"),
        say("fait quoi", "does what"),
        say("commentaire", "comment"),
    )
    signal, place = say("signal", "signal"), say("périmètre", "perimeter")
    beside = f', label AS "{signal}", perimeter_name AS "{place}"' if named else ""
    return rows(
        look,
        f"""
        SELECT signal_id, at AS "{when}", actor AS "{who}", {spelled("action", ACTS, say)} AS "{what}"{beside},
               coalesce(comment, '') AS "{words}"
        FROM vigie_boards.act JOIN vigie_boards.signal USING (signal_id, perimeter)
        WHERE {where} ORDER BY at DESC, signal_id LIMIT 100
        """,
        {
            "signal_id": Column(hidden=True),
            when: Column(unit="dateTimeAsLocal", width=160),
            who: Column(width=180),
            what: Column(width=130),
            **({signal: signal_column(say, lang), place: Column(width=150)} if named else {}),
            words: Column(wraps=True),
        },
    )


def signal_column(say: Say, lang: Lang) -> Column:
    """What a signal says, with the way to its evidence; the query gives `signal_id` beside."""
    way = address("signal", lang, signal="${__data.fields.signal_id}")
    return Column(wraps=True, link=(say("Voir ce qui le porte", "See what carries it"), way))


def signal_list(say: Say, lang: Lang, look: Look, where: str) -> AnyPanel:
    """Signals of the chosen perimeter and below, the newest first, each with the way to its evidence."""
    raised, place, what = say("levé le", "raised"), say("périmètre", "perimeter"), say("signal", "signal")
    kind, voices, people = say("nature", "kind"), say("voix", "voices"), say("auteurs ≥", "authors ≥")
    strength, status = say("force", "strength"), say("état", "state")
    answer = say("réponse", "answer")
    return rows(
        look,
        f"""
        SELECT signal_id, raised_at AS "{raised}", perimeter_name AS "{place}", sentence_{lang} AS "{what}",
               {spelled("kind", KINDS, say)} AS "{kind}",
               {spelled("coalesce(dimension, '–')", DIMENSIONS, say)} AS "dimension",
               voices AS "{voices}", distinct_authors AS "{people}",
               strongest_evidence / nullif(threshold, 0) AS "{strength}",
               {spelled("status", STATUSES, say)} AS "{status}", {answer_to("signal", say)} AS "{answer}"
        FROM vigie_boards.signal WHERE {WITHIN} AND {where}
        ORDER BY raised_at DESC, evidence DESC LIMIT 100
        """,
        {
            "signal_id": Column(hidden=True),
            raised: Column(unit="dateTimeAsLocalNoDateIfToday", width=110),
            place: Column(width=150),
            what: signal_column(say, lang),
            kind: Column(width=130),
            "dimension": Column(width=110),
            voices: Column(width=110),
            people: Column(width=80, decimals=0),
            strength: Column(
                width=80, decimals=1, unit="suffix: ×", steps=((None, GREY), (1, ORANGE), (1.5, RED))
            ),
            status: Column(width=100),
            answer: Column(width=120),
        },
    )


def open_days(say: Say) -> AnyPanel:
    """Days that are not closed yet, of the division that the chosen perimeter is in, or of those below it."""
    day, place, people = say("jour", "day"), say("périmètre", "perimeter"), say("personnes ≥", "people ≥")
    return rows(
        Look(
            say("Aujourd'hui, provisoire", "Today so far, provisional"),
            say(
                "Jours qui ne sont pas encore clos, par division : au moins tant de personnes ont écrit, par paliers du "
                "minimum. Le direct les tient à jour ; sans lui, ou sous deux fois le minimum, rien.",
                "Days that are not closed yet, by division: at least so many people wrote, in steps of the minimum. The "
                "live job keeps them; without it, or under twice the minimum, nothing.",
            ),
            decimals=0,
        ),
        f"""
        SELECT at AS "{day}", name AS "{place}", persons AS "{people}"
        FROM vigie_boards.open_day JOIN vigie_boards.perimeter ON path = perimeter
        WHERE {WITHIN} OR starts_with(${{perimeter:sqlstring}}, perimeter || '/')
        ORDER BY at DESC, persons DESC, name LIMIT 100
        """,
        {day: Column(unit="dateTimeAsLocalNoDateIfToday", width=110), people: Column(width=110, decimals=0)},
    )


def footer(say: Say) -> Row:
    """What every board owes its reader."""
    words = say(
        "Rien n'est montré de moins d'auteurs distincts que le minimum : une case vide peut avoir été retirée pour "
        "que les siens, ou ceux d'un voisin, ne se devinent pas. Les périmètres se comptent par semaine jusqu'au "
        "niveau des divisions, par quatre semaines en dessous.",
        "Nothing is shown of fewer distinct authors than the minimum: an empty cell may have been withheld so that "
        "its authors, or a neighbour's, cannot be guessed. Perimeters are counted by week down to divisions, by four "
        "weeks below.",
    )
    return Row(3, [(note("", words), 24)])
