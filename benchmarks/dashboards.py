"""Whether boards answer at once: every query of every board on the tallies of a year, for three perimeters."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import psycopg

from benchmarks._data import work_folder
from benchmarks._report import Figure, Options, Report, Row, main
from connectors.store.connection import connect
from connectors.store.embedded import EmbeddedPostgres
from connectors.store.migrate import migrate, read_migrations
from dashboards.building import build_boards
from dashboards.checking import READER
from dashboards.macros import TimeRange, Values, expand, queries_of

TARGET_MS = 200
RUNS = 5
END = datetime(2025, 12, 29, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Size:
    """perimeters: the root, eight divisions, and stores. texts: a store, day and channel."""

    perimeters: int
    days: int
    texts: float


FULL = Size(240, 364, 24.0)
QUICK = Size(30, 84, 24.0)
CHANNELS = ("survey", "email", "letter", "complaint", "field_note")
THEMES = 56
"""About as many as our lexicons have; the first is mentioned in three texts of ten, the next ones ever less, and
of the last forty-eight each day, channel and store knows five or six."""

PEER = "bare tables"


def fill(connection: psycopg.Connection, size: Size) -> dict[str, float]:
    """Make the tallies; seconds that publishing them took. All of it is generated, in the database, seeded."""
    migrate(connection, read_migrations())
    connection.execute("SELECT setseed(0.5)")
    connection.execute("SET max_parallel_workers_per_gather = 0")
    values = {
        "stores": size.perimeters - 9,
        "first": (END - timedelta(days=size.days)).date(),
        "last": (END - timedelta(days=1)).date(),
        "channels": list(CHANNELS),
        "themes": THEMES,
        "texts": size.texts,
    }
    for statement in _FILL:
        connection.execute(statement.encode(), values if b"%(" in statement.encode() else None)
    began = time.perf_counter()
    connection.execute("SELECT vigie.refresh_published()")
    seconds = time.perf_counter() - began
    connection.execute("ANALYZE")
    for statement in BARE:
        connection.execute(statement.encode())
    return {"publish_s": seconds}


def queries(connection: psycopg.Connection, size: Size) -> Iterator[tuple[str, str, str, str]]:
    """Board, perimeter's level, where the query stands, and its SQL, of every query of the French boards."""
    during = TimeRange(END - timedelta(days=size.days), END)
    channels = [
        row[0] for row in connection.execute("SELECT DISTINCT channel FROM vigie_boards.channel_volume")
    ]
    signal = connection.execute("SELECT min(signal_id) FROM vigie.signal").fetchone()
    assert signal is not None
    for level, path in (("root", "e"), ("division", "e/3"), ("store", "e/3/11")):
        values: Values = {
            "perimeter": path,
            "channel": channels,
            "voice": ["customer", "field"],
            "dimension": ["conformity", "accessibility", "solicitude", "trust"],
            "signal": signal[0],
        }
        for board in build_boards(["fr"])["fr"]:
            for where, _, sql in queries_of(board):
                yield board["uid"], level, where, expand(sql, during, values)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one query, milliseconds: the median by the clock, and the mean of the server's processor."""

    board: str
    level: str
    where: str
    wall_ms: float
    cpu_ms: float


def measure(connection: psycopg.Connection, size: Size, change: Callable[[str], str]) -> list[Cost]:
    """Run every query several times, as Grafana's role."""
    server = psutil.Process(connection.info.backend_pid)
    costs = []
    asked = list(queries(connection, size))
    connection.execute(f"SET ROLE {READER}".encode())
    for board, level, where, sql in asked:
        query = change(sql).encode()
        connection.execute(query)
        walls, before = [], _cpu_s(server)
        for _ in range(RUNS):
            began = time.perf_counter()
            connection.execute(query).fetchall()
            walls.append(time.perf_counter() - began)
        cpu_s = (_cpu_s(server) - before) / RUNS
        costs.append(Cost(board, level, where, 1_000 * statistics.median(walls), 1_000 * cpu_s))
    connection.execute("RESET ROLE")
    return costs


def run(asked: Options) -> Report:
    """Measure the boards' queries on the views, and the same queries on the tallies as they are."""
    size = QUICK if asked.quick else FULL
    with work_folder() as work, EmbeddedPostgres(Path(work) / "postgres") as dsn, connect(dsn) as connection:
        made = fill(connection, size)
        rows = connection.execute(
            "SELECT count(*), sum(texts) FILTER (WHERE theme = '' AND perimeter = 'e') FROM vigie.tally"
        )
        tallies, texts = rows.fetchone() or (0, 0)
        ours = measure(connection, size, lambda sql: sql)
        peer = measure(connection, size, lambda sql: sql.replace("vigie_boards.", "bare."))
    return _report(size, int(tallies), int(texts), made["publish_s"], ours, peer)


def _report(
    size: Size, tallies: int, texts: int, publish_s: float, ours: list[Cost], peer: list[Cost]
) -> Report:
    rows: list[Row] = []
    for board in sorted({cost.board for cost in ours}):
        for name, costs in (("views", ours), (PEER, peer)):
            mine = [cost for cost in costs if cost.board == board]
            slowest = max(mine, key=lambda cost: cost.cpu_ms)
            rows.append(
                {
                    "board": board,
                    "read": name,
                    "queries": len(mine),
                    "p95 CPU ms": _p95([cost.cpu_ms for cost in mine]),
                    "p95 wall ms": _p95([cost.wall_ms for cost in mine]),
                    "slowest CPU ms": slowest.cpu_ms,
                    "slowest": f"{slowest.where[:44]}, {slowest.level}",
                }
            )
    return Report(
        f"Every query of every board: {tallies:,} tallies of {texts:,} events, {size.perimeters} perimeters, "
        f"{size.days} days",
        rows,
        [
            Figure(
                "p95 of all queries, CPU",
                _p95([cost.cpu_ms for cost in ours]),
                "ms",
                TARGET_MS,
                at_least=False,
            ),
            Figure(
                "p95 of all queries, wall",
                _p95([cost.wall_ms for cost in ours]),
                "ms",
                TARGET_MS,
                at_least=False,
            ),
        ],
        [
            f"Each query {RUNS} times for the root, a division and a store, after one that warms. Generated tallies.",
            f"{PEER}: the same queries over the tallies by week, with no suppression and no roll-up: p95 "
            f"{_p95([cost.cpu_ms for cost in peer]):.0f} ms of CPU, the slowest "
            f"{max(cost.cpu_ms for cost in peer):,.0f}.",
            f"Publishing all of it anew took {publish_s:.0f} s; a day's end publishes four weeks of it.",
        ],
    )


def _p95(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))] if ordered else 0.0


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


_FILL = (
    """
    INSERT INTO vigie.perimeter (path, name)
    SELECT 'e', 'E' UNION ALL SELECT 'e/' || d, 'D' || d FROM generate_series(0, 7) AS d
    UNION ALL SELECT 'e/' || s %% 8 || '/' || s, 'S' || s FROM generate_series(0, %(stores)s - 1) AS s
    """,
    """
    INSERT INTO vigie.theme
    SELECT 't' || t, 'Thème ' || t, 'Theme ' || t, (ARRAY['conformity', 'accessibility', 'solicitude', 'trust'])[1 + t %% 4],
           (ARRAY['imposed', 'shared', 'none'])[1 + t %% 3], 'logistics', (ARRAY['complaint', 'praise', 'neutral'])[1 + t %% 3]
    FROM generate_series(1, %(themes)s) AS t
    """,
    # How many texts, then how many of them speak of each theme: near enough to Poisson numbers.
    """
    CREATE TEMPORARY TABLE written AS
    SELECT 'e/' || s %% 8 || '/' || s AS perimeter, d::date AS bucket, c AS channel,
           greatest(0, round(%(texts)s * (0.6 + 0.8 * random())))::bigint AS texts
    FROM generate_series(0, %(stores)s - 1) AS s, generate_series(%(first)s::date, %(last)s::date, '1 day') AS d,
         unnest(%(channels)s::text[]) AS c
    """,
    """
    CREATE TEMPORARY TABLE leaf AS
    SELECT perimeter, bucket, channel, '' AS theme, texts FROM written
    UNION ALL
    SELECT perimeter, bucket, channel, 't' || t, round(texts * 0.3 / t ^ 1.2)::bigint
    FROM written, generate_series(1, 8) AS t
    UNION ALL
    SELECT perimeter, bucket, channel, 't' || (9 + 6 * t + floor(random() * 6)::integer), 1 + floor(random() * 1.2)::bigint
    FROM written, generate_series(0, 7) AS t WHERE random() < 0.7
    """,
    "DELETE FROM leaf WHERE texts = 0",
    """
    INSERT INTO vigie.tally
    SELECT path, bucket, bucket::timestamp AT TIME ZONE 'Europe/Paris', channel,
           CASE channel WHEN 'field_note' THEN 'field' ELSE 'customer' END, theme, sum(texts), sum(texts),
           CASE channel WHEN 'survey' THEN sum(texts) * 7500 ELSE 0 END, CASE channel WHEN 'survey' THEN sum(texts) ELSE 0 END,
           sum(texts) * 500, CASE WHEN channel = 'survey' AND theme = '' THEN sum(texts) / 5 ELSE 0 END, 0
    FROM leaf CROSS JOIN LATERAL (VALUES ('e'), (substring(perimeter FROM '^[^/]+/[^/]+')), (perimeter)) AS level (path)
    GROUP BY path, bucket, channel, theme ORDER BY bucket, path
    """,
    "ANALYZE vigie.tally",
    """
    INSERT INTO vigie.crowd
    SELECT DISTINCT perimeter, days, vigie.period_start(bucket, days), heard, 12
    FROM vigie.tally, unnest(ARRAY[7, 28]) AS days, unnest(ARRAY['', 'customer', 'field']) AS heard WHERE theme = ''
    """,
    """
    INSERT INTO vigie.signal
    SELECT md5(s::text), path, bucket, bucket_at, 'emergence', 'mot ' || s, ARRAY['mot'], NULL,
           (ARRAY['conformity', 'accessibility', 'solicitude', 'trust'])[1 + s %% 4], 'none', 'logistics', 'complaint',
           9, 0.3, 14, '{"email": 9}', '{"customer": 9}', 9, 5, bucket_at, bucket_at + interval '3 days',
           (ARRAY['open', 'ended'])[1 + s %% 2], false, NULL, 'phrase', 'sentence', 's', '{"threshold": 11, "strongest_evidence": 14, "taught": '
           '{"dismissed": 3, "confirmed": 0, "times": 4, "since": "2025-03-12"}}'
    FROM generate_series(1, 2000) AS s
    JOIN LATERAL (SELECT path FROM vigie.perimeter ORDER BY md5(path || s) LIMIT 1) AS place ON true
    JOIN LATERAL (SELECT %(first)s::date + s %% (%(last)s::date - %(first)s::date) AS bucket) AS day ON true
    JOIN LATERAL (SELECT bucket::timestamptz AS bucket_at) AS instant ON true
    """,
    """
    INSERT INTO vigie.signal_evidence
    SELECT signal_id, decode(md5(signal_id || e), 'hex'), bucket_at + e * interval '1 hour', 'email', 'customer', perimeter,
           'texte généré ' || e
    FROM vigie.signal, generate_series(1, 9) AS e
    """,
    """
    INSERT INTO vigie.actions (signal_id, action, actor, via, acted_at)
    SELECT signal_id, action, 'Direction', 'command', bucket_at + step * interval '1 day'
    FROM vigie.signal, unnest(ARRAY['acknowledge', 'confirm', 'resolve']) WITH ORDINALITY AS done (action, step)
    ORDER BY bucket_at, signal_id, step
    """,
    """
    INSERT INTO vigie.signal_day
    SELECT signal_id, bucket + d, greatest(d, 0), 0.3, 0, 2, greatest(d, 0), 11 FROM vigie.signal, generate_series(-42, 14) AS d
    """,
    """
    INSERT INTO vigie.ingest
    SELECT load::text, source, now() - load * interval '1 day', 30000, 27000, 1000, 1000, 1000,
           '{"bounce": 1000}', '{"bad_date": 1000}'
    FROM generate_series(1, 365) AS load, unnest(ARRAY['mail', 'survey', 'notes']) AS source
    """,
)

BARE = (
    "CREATE SCHEMA bare",
    """
    CREATE VIEW bare.spans AS
    SELECT path AS perimeter, CASE WHEN depth <= weekly_depth THEN 7 ELSE 28 END AS days, timezone
    FROM vigie.perimeter CROSS JOIN vigie.publication
    """,
    """
    CREATE VIEW bare.texts AS
    SELECT tally.*, days, vigie.period_start(bucket, days)::timestamp AT TIME ZONE timezone AS at
    FROM vigie.tally JOIN bare.spans USING (perimeter)
    """,
    """
    CREATE VIEW bare.volume AS
    SELECT perimeter, at, days, texts, expected, greatest(0, expected - vigie_boards.spread(deviation, expected)) AS low,
           expected + vigie_boards.spread(deviation, expected) AS high
    FROM (SELECT *, (avg(texts) OVER before)::float8 AS expected, (stddev(texts) OVER before)::float8 AS deviation
          FROM (SELECT perimeter, at, days, sum(texts) AS texts FROM bare.texts WHERE theme = ''
                GROUP BY perimeter, at, days) AS summed
          WINDOW before AS (PARTITION BY perimeter ORDER BY at ROWS BETWEEN 8 PRECEDING AND 1 PRECEDING)) AS judged
    """,
    """
    CREATE VIEW bare.daily_volume AS
    SELECT perimeter, at, texts, expected, greatest(0, expected - vigie_boards.spread(deviation, expected)) AS low,
           expected + vigie_boards.spread(deviation, expected) AS high
    FROM (SELECT *, (avg(texts) OVER before)::float8 AS expected, (stddev(texts) OVER before)::float8 AS deviation
          FROM (SELECT perimeter, bucket, bucket_at AS at, sum(texts) AS texts FROM vigie.tally WHERE theme = ''
                GROUP BY perimeter, bucket, bucket_at) AS summed
          WINDOW before AS (PARTITION BY perimeter, extract(isodow FROM bucket) ORDER BY at
                            ROWS BETWEEN 8 PRECEDING AND 1 PRECEDING)) AS judged
    """,
    """
    CREATE VIEW bare.channel_volume AS
    SELECT perimeter, at, days, channel, texts, expected,
           greatest(0, expected - vigie_boards.spread(deviation, expected)) AS low,
           expected + vigie_boards.spread(deviation, expected) AS high
    FROM (SELECT *, (avg(texts) OVER before)::float8 AS expected, (stddev(texts) OVER before)::float8 AS deviation
          FROM (SELECT perimeter, at, days, channel, sum(texts) AS texts FROM bare.texts WHERE theme = ''
                GROUP BY perimeter, at, days, channel) AS summed
          WINDOW before AS (PARTITION BY perimeter, channel ORDER BY at ROWS BETWEEN 8 PRECEDING AND 1 PRECEDING)) AS judged
    """,
    """
    CREATE VIEW bare.voice_volume AS
    SELECT perimeter, at, days, voice, sum(texts) AS texts FROM bare.texts WHERE theme = '' GROUP BY perimeter, at, days, voice
    """,
    """
    CREATE VIEW bare.answer AS
    SELECT perimeter, at, days, answer, sum(n) AS texts, sum(measured) / 10000.0::float8 AS total
    FROM bare.texts CROSS JOIN LATERAL (VALUES ('scored', scored, score_sum), ('written', texts - without_text, sentiment_sum),
                                               ('silent', without_text, 0)) AS split (answer, n, measured)
    WHERE theme = '' GROUP BY perimeter, at, days, answer HAVING sum(n) > 0
    """,
    """
    CREATE VIEW bare.mention AS
    SELECT perimeter, at, days, voice, theme, texts, label_fr, label_en, dimension, stance, owning_function, polarity
    FROM (SELECT perimeter, at, days, voice, theme, sum(texts) AS texts FROM bare.texts WHERE theme <> ''
          GROUP BY perimeter, at, days, voice, theme) AS summed
    JOIN vigie.theme ON key = theme
    """,
    *(
        f"CREATE VIEW bare.{view} AS SELECT * FROM vigie_boards.{view}"
        for view in (
            "rules",
            "perimeter",
            "signal",
            "signal_share",
            "excerpt",
            "signal_growth",
            "load",
            "source",
            "rejection",
            "lifecycle",
            "taught",
            "open_day",
            "act",
            "signal_day",
        )
    ),
    f"GRANT USAGE ON SCHEMA bare, vigie TO {READER}",
    f"GRANT SELECT ON ALL TABLES IN SCHEMA bare TO {READER}",
)
"""Statements that make, beside the boards' views, the same ones over the tallies as they are."""


if __name__ == "__main__":
    main("dashboards", __doc__ or "", run)
