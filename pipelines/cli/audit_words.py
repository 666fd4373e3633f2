"""The words of audit reports, in French and in English."""

from collections.abc import Mapping

from pipelines.cli.options import Lang

_WORDS: Mapping[str, tuple[str, str]] = {
    "picture": (
        "Ce qui a été observé et attendu, et comment la preuve a passé le seuil",
        "What was observed and expected, and how evidence crossed the threshold",
    ),
    "judged": ("Ce qui a été jugé", "What was judged"),
    "subject": ("sujet", "subject"),
    "place": ("périmètre jugé", "perimeter judged"),
    "owner": ("périmètre du signal", "perimeter of the signal"),
    "early": ("levé tôt, la journée étant ouverte", "raised early, while the day was open"),
    "early_at": ("{at} ; preuve et seuil sont d'alors", "{at}; evidence and threshold are of then"),
    "episode": ("épisode", "episode"),
    "span": ("du {first} au {last}", "{first} to {last}"),
    "baseline": ("historique dont vient l'attendu", "history that the expected comes from"),
    "rate": (
        "part attendue de ceux qui écrivent, le seul jour de l'alerte",
        "expected share of those who write, on the day of the alert alone",
    ),
    "wider": ("la même part, au périmètre au-dessus", "the same share, at the perimeter above"),
    "season": ("facteur de saison", "season's factor"),
    "around": ("{factor}, d'après « {name} » du {day}", "{factor}, after “{name}” of {day}"),
    "history": ("jours d'historique du périmètre", "days of history of the perimeter"),
    "observed": ("observé", "observed"),
    "days_note": (
        "Les nombres de personnes et de textes sont des minimums, par paliers de {least}.",
        "Numbers of people and texts are lower bounds, in steps of {least}.",
    ),
    "expected": ("attendu", "expected"),
    "observed_since": (
        "observé de l'épisode, depuis le {since}",
        "observed in the episode, since {since}",
    ),
    "expected_since": (
        "attendu de l'épisode, depuis le {since}",
        "expected in the episode, since {since}",
    ),
    "evidence": ("preuve", "evidence"),
    "threshold": ("seuil", "threshold"),
    "ln": ("{value} (logarithme naturel)", "{value} (natural logarithm)"),
    "clear": ("sans alerte avec", "no alert with"),
    "fewer": ("{fewer} personnes de moins", "{fewer} people fewer"),
    "at_least": ("au moins {count}", "at least {count}"),
    "under": ("moins de {least}", "fewer than {least}"),
    "budget": ("Le budget, et le seuil qui en vient", "The budget, and the threshold that comes from it"),
    "false_alerts": ("fausses alertes par périmètre et par an", "false alerts a perimeter and year"),
    "share": ("part qu'en dépense ce type de signal", "share of it that this kind may spend"),
    "series": ("séries de ce type jugées par jour", "series of this kind judged a day"),
    "series_note": (
        "Le seuil est ln(séries par an / fausses alertes par an que ce type peut dépenser) : au-dessus, il "
        "n'y en a pas plus si rien ne change.",
        "The threshold is ln(series judged a year / false alerts a year that this kind may spend): no more "
        "of them come above it while nothing changes.",
    ),
    "tests": ("termes jugés par jour", "terms judged a day"),
    "stories": (
        "épisodes sans cause par an, d'après le passé du périmètre",
        "episodes for nothing a year, by the perimeter's own past",
    ),
    "slope": (
        "pente : chaque unité de preuve est exp(pente) fois plus rare",
        "slope: each unit of evidence is exp(slope) times rarer",
    ),
    "calibrated": ("seuil d'après ce passé", "threshold by that past"),
    "bound": ("seuil qui tient quel que soit le passé", "threshold that holds whatever the past says"),
    "chosen": ("retenu : le plus bas des deux", "taken: the lower of the two"),
    "chosen_urgent": (
        "retenu : un thème qui ne peut attendre a sa part du budget",
        "taken: a theme that cannot wait has a share of its own",
    ),
    "unknown": ("pas encore connu", "not known yet"),
    "days": ("Jour par jour", "Day by day"),
    "day": ("jour", "day"),
    "writers": ("ont écrit", "wrote"),
    "ordinary": ("ordinaire", "ordinary"),
    "alert": ("alerte", "alert"),
    "withheld": ("tu", "withheld"),
    "withheld_note": (
        "« tu » : moins de {least} personnes, ou moins de {least} de moins que ce que dit l'alerte.",
        "“withheld”: under {least} people, or under {least} fewer than what the alert tells.",
    ),
    "merges": ("Ce qui a été réuni", "What was merged"),
    "merges_note": (
        "Portés par les mêmes textes, ces termes sont une seule situation, un seul signal.",
        "Carried by the same texts, these terms are one situation, one signal.",
    ),
    "term": ("terme", "term"),
    "when": ("quand", "when"),
    "birth": ("à la naissance", "when it was raised"),
    "later": ("plus tard", "later"),
    "parts": ("Y ont été réunis les signaux {ids}.", "The signals {ids} became part of it."),
    "part_of": ("Ce signal fait partie du signal {id}.", "This signal became part of signal {id}."),
    "attribution": ("À qui il revient", "Whose it is"),
    "descends": (
        "{place} : {child} porte à lui seul au moins trois quarts des textes : on y descend.",
        "{place}: {child} alone holds at least three quarters of the texts, so it goes down to it.",
    ),
    "stays": (
        "{place} : aucun périmètre au-dessous n'en porte autant (ou assez de personnes) ; le signal "
        "est le sien.",
        "{place}: no perimeter below holds as much of it (or enough people); the signal is its own.",
    ),
    "told": ("Qui a été prévenu", "Who was told"),
    "nobody_told": (
        "Personne : aucun message n'a été décidé pour ce signal.",
        "Nobody: no message was decided for this signal.",
    ),
    "no_store": (
        "Sans base de signaux, ni messages ni suites.",
        "There is no signal store: neither messages nor answers.",
    ),
    "who": ("qui", "who"),
    "channel": ("voie", "way"),
    "decided": ("décidé", "decided"),
    "became": ("devenu", "became"),
    "people": ("personnes", "people"),
    "state_sent": ("parti", "sent"),
    "state_due": ("en attente d'envoi", "due"),
    "state_dead": ("abandonné", "given up"),
    "state_withdrawn": ("retiré", "withdrawn"),
    "held_cap": ("retenu : plafond de la semaine", "held: the week's cap"),
    "held_digest": ("retenu pour un récapitulatif", "held for a digest"),
    "done": ("Qui a fait quoi", "Who did what"),
    "nothing_done": ("Rien n'a été répondu.", "Nobody has answered."),
    "what": ("quoi", "what"),
    "comment": ("commentaire", "comment"),
    "acknowledge": ("vu", "seen"),
    "confirm": ("confirmé", "confirmed"),
    "dismiss": ("écarté", "dismissed"),
    "resolve": ("résolu", "resolved"),
    "verdict_kept": ("au journal, enregistrement {seq}", "in the log, record {seq}"),
    "excerpts": ("Ce qui a été écrit", "What was written"),
    "after_alert": ("{day}, après l'alerte", "{day}, after the alert"),
    "so_far": ("au moins {count} à ce jour", "at least {count} so far"),
    "channels": ("canaux", "channels"),
    "channels_withheld": (
        "{channels} (l'un d'eux compte moins de {least} personnes : les nombres sont tus)",
        "{channels} (one of them under {least} people: counts are withheld)",
    ),
    "rests": ("Sur quoi cela repose", "What this rests on"),
    "signal": ("signal", "signal"),
    "log_head": ("tête du journal", "head of the log"),
    "settings": ("réglages", "settings"),
    "settings_by": (
        "{version}, décision {seq} du journal, prise le {at}",
        "{version}, decision {seq} of the log, taken on {at}",
    ),
    "settings_undecided": (
        "{version}, dans aucune décision du journal",
        "{version}, in no decision of the log",
    ),
    "lexicon": ("lexiques", "lexicons"),
    "code": ("code", "code"),
    "again": ("à refaire par", "done again by"),
    "about": (
        "Calculé depuis le journal par Vigie ; rien n'y est dit de moins de {least} personnes.",
        "Worked out from the log by Vigie; nothing is told of fewer than {least} people.",
    ),
    "why_not_title": (
        "Pourquoi pas d'alerte : « {term} », {place}, {day}",
        "Why no alert: “{term}”, {place}, {day}",
    ),
    "nobody_wrote": ("Personne n'a écrit là ce jour-là.", "Nobody wrote there that day."),
    "warming_up": (
        "Le périmètre n'avait que {history} jours d'historique ; {warm_up} sont appris sans être jugés.",
        "The perimeter had {history} days of history only; {warm_up} are learned and not judged.",
    ),
    "too_few": (
        "Depuis le début de l'épisode, moins de {least} personnes en avaient parlé : rien n'en est dit.",
        "Fewer than {least} people had spoken of it since the episode began: nothing is told of so few.",
    ),
    "not_heard": (
        "Personne n'en a parlé ce jour-là ; une alerte part un jour où quelqu'un en parle.",
        "Nobody spoke of it that day; alerts are raised on days when somebody does.",
    ),
    "below_threshold": ("La preuve n'a pas atteint le seuil.", "The evidence did not reach the threshold."),
    "repeated": (
        "Copies et répétitions comptées une fois, moins de {least} personnes la portaient.",
        "With copies and repeats counted once, fewer than {least} people carried it.",
    ),
    "dismissed": (
        "C'était une alarme, mais ce périmètre a écarté des signaux semblables : il y faut plus de preuves.",
        "It was an alarm, but this perimeter dismissed the like before: more evidence is needed there.",
    ),
    "taught": ("plus haut ou plus bas d'après les verdicts", "higher or lower by managers' verdicts"),
    "not_told": (
        "C'était une alarme, mais de trop peu de personnes en tout pour être dite.",
        "It was an alarm, but of too few people in all to be told.",
    ),
    "is_told": ("C'est dit : c'est le signal {id}, à {owner}.", "It is told: it is signal {id}, at {owner}."),
}
"""Key to French and English."""


def figure(value: float, form: str, lang: Lang) -> str:
    """A number in a format of Python's, with the marks of the language.

    >>> [figure(1234.5, ",.1f", lang) for lang in Lang], [figure(0.25, ".0%", lang) for lang in Lang]
    (['1\u202f234,5', '1,234.5'], ['25\xa0%', '25%'])
    """
    written = f"{value:{form}}"
    if lang is Lang.EN:
        return written
    return written.translate({ord(","): "\u202f", ord("."): ","}).replace("%", "\u00a0%")


def words(key: str, lang: Lang, **values: object) -> str:
    """Some words, with values put in."""
    return _WORDS[key][lang is Lang.EN].format(**values)
