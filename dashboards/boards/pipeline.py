"""Pipeline: what comes in, how far behind it is, what was set aside. For those who run it."""

from dashboards.board import Board, Row
from dashboards.panels import (
    GREEN,
    ORANGE,
    RED,
    AnyPanel,
    Column,
    Look,
    bars,
    measure,
    measured,
    number,
    rows,
)
from dashboards.words import Lang, Say, speaker

LAG = "max(time() - (flink_taskmanager_job_task_currentInputWatermark > 0) / 1000)"
"""Prometheus: seconds that the slowest task's event time is behind the clock."""
DAY_S = 86_400


def board(lang: Lang) -> Board:
    """The board in a language."""
    say = speaker(lang)
    return Board(
        name="pipeline",
        lang=lang,
        title=say("Chaîne", "Pipeline"),
        description=say(
            "Retard, débits, quarantaine et points de reprise.", "Lag, rates, quarantine and checkpoints."
        ),
        refresh="30s",
        rows=[
            Row(4, _figures(say)),
            Row(9, [(_admitted(say), 12), (_clock(say), 12)]),
            Row(9, [(_lag(say), 12), (_rates(say), 12)]),
            Row(9, [(_checkpoints(say), 12), (_busy(say), 12)]),
            Row(10, [(_loads(say), 14), (_rejections(say), 10)]),
        ],
    )


def _figures(say: Say) -> list[tuple[AnyPanel, int]]:
    return [
        (
            measure(
                Look(
                    say("Retard", "Lag"),
                    say(
                        "De l'horloge au temps d'événement de la tâche la plus lente.",
                        "From the clock to the event time of the slowest task.",
                    ),
                    unit="s",
                    decimals=1,
                    steps=((None, GREEN), (300, ORANGE), (900, RED)),
                ),
                LAG,
            ),
            6,
        ),
        (
            measure(
                Look(
                    say("Points de reprise manqués", "Failed checkpoints"),
                    say("Dans la dernière heure.", "In the last hour."),
                    decimals=0,
                    steps=((None, GREEN), (1, RED)),
                ),
                "sum(increase(flink_jobmanager_job_numberOfFailedCheckpoints[1h]))",
            ),
            6,
        ),
        (
            number(
                Look(
                    say("Source la plus ancienne", "Oldest source"),
                    say("Depuis son dernier chargement.", "Since it was last loaded."),
                    unit="s",
                    decimals=1,
                    steps=((None, GREEN), (DAY_S + 7_200, ORANGE), (8 * DAY_S, RED)),
                ),
                "SELECT extract(epoch FROM now() - min(loaded_at))::float8 AS age FROM vigie_boards.source",
            ),
            6,
        ),
        (
            number(
                Look(
                    say("En quarantaine", "In quarantine"),
                    say(
                        "Part des lignes lues qui n'ont pas pu devenir des événements.",
                        "Share of the rows read that could not become events.",
                    ),
                    unit="percentunit",
                    decimals=2,
                    steps=((None, GREEN), (0.01, ORANGE), (0.05, RED)),
                ),
                "SELECT (sum(quarantined) / nullif(sum(read), 0))::float8 AS share FROM vigie_boards.load",
            ),
            6,
        ),
    ]


def _admitted(say: Say) -> AnyPanel:
    return measured(
        Look(
            say("Admissions", "Admissions"),
            say(
                "Événements admis et lignes mises en quarantaine, par minute et par source.",
                "Events admitted and rows sent to quarantine, a minute, by source.",
            ),
            low=0,
        ),
        (
            "sum by (source) (rate(vigie_ingest_events_total[5m])) * 60",
            say("{{source}}, admis", "{{source}}, admitted"),
        ),
        (
            "sum by (source) (rate(vigie_ingest_quarantined_total[5m])) * 60",
            say("{{source}}, quarantaine", "{{source}}, quarantine"),
        ),
    )


def _clock(say: Say) -> AnyPanel:
    return measured(
        Look(
            say("Retard du journal et des sources", "Lag of the log and of the sources"),
            say(
                "De l'horloge du mur à celle du journal, et au dernier événement de chaque source.",
                "From the wall clock to the log's, and to each source's newest event.",
            ),
            unit="s",
            low=0,
            steps=((None, GREEN), (900, RED)),
        ),
        ("time() - vigie_ingest_log_clock_timestamp_seconds", say("journal", "log")),
        ("time() - vigie_ingest_source_last_event_timestamp_seconds", "{{source}}"),
    )


def _lag(say: Say) -> AnyPanel:
    return measured(
        Look(
            say("Retard par tâche", "Lag by task"),
            say(
                "De l'horloge au temps d'événement de chaque tâche. Seuil de l'alerte : 15 minutes.",
                "From the clock to each task's event time. The alert's threshold: 15 minutes.",
            ),
            unit="s",
            low=0,
            steps=((None, GREEN), (900, RED)),
        ),
        (
            "max by (task_name) (time() - (flink_taskmanager_job_task_currentInputWatermark > 0) / 1000)",
            "{{task_name}}",
        ),
    )


def _rates(say: Say) -> AnyPanel:
    return measured(
        Look(
            say("Débits", "Rates"),
            say(
                "Éléments par seconde, par tâche : des lots d'événements.",
                "Elements a second by task: batches of events.",
            ),
            unit="ops",
            low=0,
        ),
        (
            "sum by (task_name) (flink_taskmanager_job_task_numRecordsInPerSecond)",
            say("{{task_name}}, reçus", "{{task_name}}, in"),
        ),
        (
            "sum by (task_name) (flink_taskmanager_job_task_numRecordsOutPerSecond)",
            say("{{task_name}}, émis", "{{task_name}}, out"),
        ),
    )


def _checkpoints(say: Say) -> AnyPanel:
    return measured(
        Look(
            say("Points de reprise", "Checkpoints"),
            say("Durée du dernier achevé.", "Duration of the last one completed."),
            unit="ms",
            low=0,
        ),
        ("max(flink_jobmanager_job_lastCheckpointDuration)", say("durée du dernier", "duration of the last")),
    )


def _busy(say: Say) -> AnyPanel:
    return measured(
        Look(
            say("Charge", "Load"),
            say(
                "Part du temps où une tâche travaille, ou attend celle d'après.",
                "Share of the time a task works, or waits for the next.",
            ),
            unit="percentunit",
            low=0,
            high=1,
            steps=((None, GREEN), (0.8, ORANGE), (0.95, RED)),
        ),
        (
            "max by (task_name) (flink_taskmanager_job_task_busyTimeMsPerSecond) / 1000",
            say("{{task_name}}, au travail", "{{task_name}}, busy"),
        ),
        (
            "max by (task_name) (flink_taskmanager_job_task_backPressuredTimeMsPerSecond) / 1000",
            say("{{task_name}}, retenue", "{{task_name}}, held back"),
        ),
    )


def _loads(say: Say) -> AnyPanel:
    when, read, events = (
        say("dernier chargement", "last loaded"),
        say("lues", "read"),
        say("événements", "events"),
    )
    twice, aside, rejected = (
        say("doublons", "duplicates"),
        say("écartées", "set aside"),
        say("quarantaine", "quarantine"),
    )
    return rows(
        Look(
            say("Ce que sont devenues les lignes", "What became of the rows"),
            say(
                "Par source : lues = événements + doublons + écartées + quarantaine.",
                "By source: read = events + duplicates + set aside + quarantine.",
            ),
            decimals=0,
        ),
        f"""
        SELECT source, max(loaded_at) AS "{when}", sum(read)::float8 AS "{read}", sum(events)::float8 AS "{events}",
               sum(duplicates)::float8 AS "{twice}", sum(set_aside)::float8 AS "{aside}",
               sum(quarantined)::float8 AS "{rejected}"
        FROM vigie_boards.load GROUP BY source ORDER BY source
        """,
        {when: Column(unit="dateTimeAsLocal", width=170)},
    )


def _rejections(say: Say) -> AnyPanel:
    return bars(
        Look(
            say("Pourquoi des lignes attendent", "Why rows wait"),
            say("Lignes en quarantaine, par source et raison.", "Rows in quarantine, by source and reason."),
            decimals=0,
            low=0,
        ),
        """
        SELECT source || ' · ' || replace(reason, '_', ' ') AS name, rows::float8 AS rows
        FROM vigie_boards.rejection ORDER BY rows DESC, name LIMIT 12
        """,
    )
