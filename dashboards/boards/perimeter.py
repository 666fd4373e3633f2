"""Perimeter: one place over time, and those below it."""

from dashboards.board import (
    HERE,
    Board,
    Row,
    address,
    channel_variable,
    dimension_variable,
    perimeter_variable,
    voice_variable,
)
from dashboards.boards._shared import MEANS, MOOD_STEPS, OPEN, SCORE_STEPS, footer, open_days, signal_list
from dashboards.boards.watch import signals_raised
from dashboards.panels import AnyPanel, Column, Look, band, bars, number, rows, series
from dashboards.words import CHANNELS, DIMENSIONS, POLARITIES, STANCES, Lang, Say, speaker, spelled

IN_RANGE = f"{HERE} AND $__timeFilter(at)"
MEANT = f"{IN_RANGE} AND voice IN ($voice) AND dimension IN ($dimension)"


def board(lang: Lang) -> Board:
    """The board in a language."""
    say = speaker(lang)
    return Board(
        name="perimeter",
        lang=lang,
        title=say("Périmètre", "Perimeter"),
        description=say(
            "Un lieu dans le temps, ce qu'on y dit, et les lieux qu'il contient.",
            "One place over time, what is said there, and the places in it.",
        ),
        variables=[
            perimeter_variable(say),
            channel_variable(say),
            voice_variable(say),
            dimension_variable(say),
        ],
        annotations=[signals_raised(say, lang)],
        rows=[
            Row(4, _figures(say)),
            Row(9, [(_volume(say), 9), (open_days(say), 6), (_channels(say), 9)]),
            Row(9, [(_dimensions(say), 12), (_stances(say), 12)]),
            Row(9, [(_moods(say), 12), (_polarities(say), 12)]),
            Row(11, [(_below(say, lang), 14), (_themes(say, lang), 10)]),
            Row(
                9,
                [
                    (
                        signal_list(
                            say,
                            lang,
                            Look(
                                say("Signaux d'ici et d'en dessous", "Signals here and below"),
                                say("Levés dans la période affichée.", "Raised in the range shown."),
                            ),
                            "$__timeFilter(raised_at)",
                        ),
                        24,
                    )
                ],
            ),
            footer(say),
        ],
    )


def _figures(say: Say) -> list[tuple[AnyPanel, int]]:
    means = f"FROM (SELECT {MEANS} FROM vigie_boards.answer WHERE {IN_RANGE}) AS means"
    silent = (
        "SELECT sum(texts) FILTER (WHERE answer = 'silent') / nullif(sum(texts) FILTER (WHERE answer <> 'scored'), 0) "
        f"AS share FROM vigie_boards.answer WHERE {IN_RANGE}"
    )
    praise = (
        "SELECT sum(texts) FILTER (WHERE polarity = 'praise') / nullif(sum(texts) "
        "FILTER (WHERE polarity IN ('praise', 'complaint')), 0) AS share "
        f"FROM vigie_boards.mention WHERE {MEANT}"
    )
    looks = [
        (
            say("Textes", "Texts"),
            say("Textes publiés de la période.", "Texts published in the range."),
            "short",
            0,
            None,
            f"SELECT sum(texts)::float8 AS texts FROM vigie_boards.volume WHERE {IN_RANGE}",
        ),
        (
            say("Note", "Score"),
            say("Note moyenne.", "Mean score."),
            "percentunit",
            0,
            SCORE_STEPS,
            f"SELECT score {means}",
        ),
        (
            say("Humeur des textes", "Mood of the texts"),
            say("Sentiment moyen des textes, de -1 à 1.", "Mean sentiment of the texts, from -1 to 1."),
            "none",
            2,
            MOOD_STEPS,
            f"SELECT mood {means}",
        ),
        (
            say("Note moins humeur", "Score minus mood"),
            say(
                "La note ramenée entre -1 et 1, moins l'humeur : au-dessus de 0, la note dit mieux que les textes.",
                "The score stretched between -1 and 1, minus the mood: above 0 the score says better than the texts.",
            ),
            "none",
            2,
            None,
            f"SELECT 2 * score - 1 - mood AS gap {means}",
        ),
        (
            say("Réponses sans texte", "Answers without text"),
            say("Part des envois qui n'ont pas de texte.", "Share of what came in that has no text."),
            "percentunit",
            0,
            None,
            silent,
        ),
        (
            say("Éloges", "Praise"),
            say(
                "Part des éloges parmi les mentions d'éloge et de plainte.",
                "Share of praise among mentions of praise and complaint.",
            ),
            "percentunit",
            0,
            None,
            praise,
        ),
    ]
    return [
        (
            number(
                Look(title, words, unit=unit, decimals=decimals)
                if steps is None
                else Look(title, words, unit=unit, decimals=decimals, steps=steps),
                sql,
            ),
            4,
        )
        for title, words, unit, decimals, steps, sql in looks
    ]


def _volume(say: Say) -> AnyPanel:
    observed, expected = say("textes", "texts"), say("attendus", "expected")
    low, high = say("bas", "low"), say("haut", "high")
    return band(
        Look(
            say("Textes par période, et ce qui était attendu", "Texts a period, and what was expected"),
            say(
                "Bande : moyenne des huit périodes d'avant, plus ou moins deux écarts types.",
                "Band: mean of the eight periods before, plus and minus two standard deviations.",
            ),
            decimals=0,
            low=0,
        ),
        f"""
        SELECT at AS time, texts AS "{observed}", expected AS "{expected}", low AS "{low}", high AS "{high}"
        FROM vigie_boards.volume WHERE {IN_RANGE} ORDER BY at
        """,
        observed=observed,
        low=low,
        high=high,
        expected=expected,
    )


def _channels(say: Say) -> AnyPanel:
    return series(
        Look(
            say("Textes par canal", "Texts by channel"),
            say(
                "Canaux choisis. Publiés ensemble ou pas du tout ; les plus rares sont réunis.",
                "Channels chosen. Published together or not at all; the rarest are shown as one.",
            ),
            decimals=0,
            low=0,
        ),
        f"""
        SELECT at AS time, {spelled("channel", CHANNELS, say)} AS metric, texts AS value
        FROM vigie_boards.channel_volume WHERE {IN_RANGE} AND channel IN ($channel) ORDER BY at, metric
        """,
        bars=True,
        stacked=True,
    )


def _mentions(
    say: Say, look: Look, column: str, names: dict[str, tuple[str, str]], *, stacked: bool
) -> AnyPanel:
    return series(
        look,
        f"""
        SELECT at AS time, {spelled(column, names, say)} AS metric, sum(texts)::float8 AS value
        FROM vigie_boards.mention WHERE {MEANT} AND {column} IN ({", ".join(f"'{name}'" for name in names)})
        GROUP BY at, {column} ORDER BY at, metric
        """,
        bars=stacked,
        stacked=stacked,
    )


def _dimensions(say: Say) -> AnyPanel:
    return _mentions(
        say,
        Look(
            say("Les quatre dimensions", "The four dimensions"),
            say(
                "Mentions des thèmes de chaque dimension ; un texte compte dans chacun de ses thèmes. Seuls comptent les "
                "thèmes qui réunissent assez d'auteurs.",
                "Mentions of each dimension's themes; a text counts in each of its themes. Only themes of enough "
                "authors count.",
            ),
            decimals=0,
            low=0,
        ),
        "dimension",
        DIMENSIONS,
        stacked=False,
    )


def _stances(say: Say) -> AnyPanel:
    return _mentions(
        say,
        Look(
            say("Les deux postures de la relation", "The two stances of the relation"),
            say(
                "Imposée : scripts, méfiance, enfermement. Partagée : écoute, latitude.",
                "Imposed: scripts, mistrust, lock-in. Shared: listening, room to decide.",
            ),
            decimals=0,
            low=0,
        ),
        "stance",
        STANCES,
        stacked=False,
    )


def _moods(say: Say) -> AnyPanel:
    score, mood, gap = (
        say("note, de -1 à 1", "score, from -1 to 1"),
        say("humeur des textes", "mood of the texts"),
        say("écart", "gap"),
    )
    return series(
        Look(
            say("La note et les textes, et leur écart", "The score and the texts, and their gap"),
            say(
                "La note moyenne ramenée entre -1 et 1, le sentiment moyen des textes, et la note moins l'humeur.",
                "The mean score stretched between -1 and 1, the mean sentiment of the texts, and score minus mood.",
            ),
            unit="none",
            decimals=2,
        ),
        f"""
        SELECT at AS time, 2 * score - 1 AS "{score}", mood AS "{mood}", 2 * score - 1 - mood AS "{gap}"
        FROM (SELECT at, {MEANS} FROM vigie_boards.answer WHERE {IN_RANGE} GROUP BY at) AS means ORDER BY at
        """,
    )


def _polarities(say: Say) -> AnyPanel:
    return _mentions(
        say,
        Look(
            say("Éloges et plaintes", "Praise and complaints"),
            say("Mentions, selon ce que dit le thème.", "Mentions, by what the theme says."),
            decimals=0,
            low=0,
        ),
        "polarity",
        POLARITIES,
        stacked=True,
    )


def _below(say: Say, lang: Lang) -> AnyPanel:
    place, texts = say("périmètre", "perimeter"), say("textes", "texts")
    score, mood, open_now = say("note", "score"), say("humeur", "mood"), say("ouverts", "open")
    link = (
        say("Descendre ici", "Go down here"),
        address("perimeter", lang, perimeter="${__data.fields.path}"),
    )
    return rows(
        Look(
            say("En dessous", "Below"),
            say(
                "Les périmètres contenus dans celui-ci ; un clic y descend.",
                "The perimeters in this one; a click goes down.",
            ),
        ),
        f"""
        SELECT path, name AS "{place}", texts AS "{texts}", score AS "{score}", mood AS "{mood}",
               (SELECT count(*) FROM vigie_boards.signal
                WHERE {OPEN} AND (perimeter = path OR starts_with(perimeter, path || '/'))) AS "{open_now}"
        FROM vigie_boards.perimeter
        LEFT JOIN (SELECT perimeter AS path, sum(texts)::float8 AS texts FROM vigie_boards.volume
                   WHERE $__timeFilter(at) GROUP BY perimeter) AS volume USING (path)
        LEFT JOIN (SELECT perimeter AS path, {MEANS} FROM vigie_boards.answer
                   WHERE $__timeFilter(at) GROUP BY perimeter) AS means USING (path)
        WHERE parent = ${{perimeter:sqlstring}} ORDER BY 6 DESC, 5, 2
        """,
        {
            "path": Column(hidden=True),
            place: Column(link=link),
            texts: Column(decimals=0, width=100),
            score: Column(unit="percentunit", decimals=0, width=90, steps=SCORE_STEPS),
            mood: Column(unit="none", decimals=2, width=90, steps=MOOD_STEPS),
            open_now: Column(decimals=0, width=90),
        },
    )


def _themes(say: Say, lang: Lang) -> AnyPanel:
    return bars(
        Look(
            say("Thèmes les plus cités", "Themes most mentioned"),
            say("Mentions publiées de la période.", "Mentions published in the range."),
            decimals=0,
            low=0,
        ),
        f"""
        SELECT label_{lang} AS name, sum(texts)::float8 AS mentions FROM vigie_boards.mention WHERE {MEANT}
        GROUP BY theme, label_{lang} ORDER BY 2 DESC, 1 LIMIT 12
        """,
    )
