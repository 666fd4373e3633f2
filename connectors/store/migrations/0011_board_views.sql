-- What Grafana and exports read: views only, for a role that may read nothing else. Figures of perimeters come
-- from vigie.published alone; a band is what the eight periods before lead to expect, plus and minus two
-- standard deviations, each at least that of chance.

CREATE SCHEMA vigie_boards;
COMMENT ON SCHEMA vigie_boards IS 'What may be shown: nothing here counts fewer than the minimum of authors.';

CREATE VIEW vigie_boards.rules AS
SELECT min_authors, weekly_depth, timezone, false_alerts, closed_until, finished_at AS replayed_at
FROM vigie.publication LEFT JOIN vigie.run ON is_current;

CREATE VIEW vigie_boards.perimeter AS
SELECT path, name, parent, depth, division,
       (SELECT string_agg(above.name, ' › ' ORDER BY above.depth) FROM vigie.perimeter AS above
        WHERE (above.path = perimeter.path OR starts_with(perimeter.path, above.path || '/'))
          AND (above.depth > 0 OR perimeter.depth = 0)) AS title
FROM vigie.perimeter;

CREATE FUNCTION vigie_boards.spread(deviation double precision, mean double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 2 * greatest(deviation, sqrt(mean));

CREATE VIEW vigie_boards.volume AS
SELECT perimeter, starts_at AS at, days, texts, expected,
       greatest(0, expected - vigie_boards.spread(deviation, expected)) AS low,
       expected + vigie_boards.spread(deviation, expected) AS high
FROM (
    SELECT perimeter, starts_at, days, texts,
           (avg(texts) OVER before)::double precision AS expected, (stddev(texts) OVER before)::double precision AS deviation
    FROM vigie.published WHERE breakdown = 'all'
    WINDOW before AS (PARTITION BY perimeter ORDER BY starts_at ROWS BETWEEN 8 PRECEDING AND 1 PRECEDING)
) AS judged;

CREATE VIEW vigie_boards.daily_volume AS
SELECT perimeter, at, texts, expected,
       greatest(0, expected - vigie_boards.spread(deviation, expected)) AS low,
       expected + vigie_boards.spread(deviation, expected) AS high
FROM (
    SELECT perimeter, value::date::timestamp AT TIME ZONE timezone AS at, texts,
           (avg(texts) OVER before)::double precision AS expected, (stddev(texts) OVER before)::double precision AS deviation
    FROM vigie.published CROSS JOIN vigie.publication WHERE breakdown = 'day'
    WINDOW before AS (PARTITION BY perimeter, extract(isodow FROM value::date) ORDER BY value
                      ROWS BETWEEN 8 PRECEDING AND 1 PRECEDING)
) AS judged;
COMMENT ON VIEW vigie_boards.daily_volume IS 'The band is that of the same weekday.';

CREATE VIEW vigie_boards.channel_volume AS
SELECT perimeter, at, days, channel, texts, expected,
       greatest(0, expected - vigie_boards.spread(deviation, expected)) AS low,
       expected + vigie_boards.spread(deviation, expected) AS high
FROM (
    SELECT perimeter, starts_at AS at, days, value AS channel, texts,
           (avg(texts) OVER before)::double precision AS expected, (stddev(texts) OVER before)::double precision AS deviation
    FROM vigie.published WHERE breakdown = 'channel'
    WINDOW before AS (PARTITION BY perimeter, value ORDER BY starts_at ROWS BETWEEN 8 PRECEDING AND 1 PRECEDING)
) AS judged;

CREATE VIEW vigie_boards.voice_volume AS
SELECT perimeter, starts_at AS at, days, value AS voice, texts FROM vigie.published WHERE breakdown = 'voice';

CREATE VIEW vigie_boards.answer AS
SELECT perimeter, starts_at AS at, days, value AS answer, texts, total / 10000.0::double precision AS total
FROM vigie.published WHERE breakdown = 'answer';
COMMENT ON VIEW vigie_boards.answer IS 'answer: scored, with the sum of the scores in [0, 1]; written, with the sum of the sentiments in [-1, 1]; silent, without text.';

CREATE VIEW vigie_boards.mention AS
SELECT perimeter, starts_at AS at, days, split_part(breakdown, ' ', 1) AS voice, value AS theme, texts,
       total / 10000.0::double precision AS sentiment, coalesce(label_fr, value) AS label_fr,
       coalesce(label_en, value) AS label_en, dimension, stance, owning_function, polarity
FROM vigie.published LEFT JOIN vigie.theme ON key = value
WHERE breakdown IN ('customer theme', 'field theme');

CREATE VIEW vigie_boards.signal AS
SELECT signal_id, signal.perimeter, perimeter.name AS perimeter_name, perimeter.division, bucket_at AS raised_at,
       kind, label, theme, dimension, stance, owning_function, tone, observed, expected, evidence,
       (explanation ->> 'threshold')::double precision AS threshold,
       (explanation ->> 'strongest_evidence')::double precision AS strongest_evidence,
       explanation ->> 'part_of' AS part_of, distinct_authors, first_seen, last_seen, status, retrospective,
       mean_score, sentence_fr, sentence_en,
       (SELECT string_agg(name, ', ' ORDER BY name) FROM jsonb_object_keys(channels) AS name) AS channels,
       (SELECT string_agg(name, ', ' ORDER BY name) FROM jsonb_object_keys(voices) AS name) AS voices
FROM vigie.signal JOIN vigie.perimeter ON path = signal.perimeter;

CREATE VIEW vigie_boards.signal_share AS
SELECT signal_id, split, name, authors::bigint AS authors
FROM vigie.signal
CROSS JOIN LATERAL (VALUES ('channel', channels), ('voice', voices)) AS split (split, counts)
CROSS JOIN LATERAL jsonb_each_text(counts) AS share (name, authors);
COMMENT ON VIEW vigie_boards.signal_share IS 'Distinct authors of a signal by channel and by voice; null where one of them is below the minimum.';

CREATE VIEW vigie_boards.excerpt WITH (security_barrier) AS
SELECT signal_id, perimeter.name AS perimeter_name,
       date_trunc('day', occurred_at, timezone) AS at, channel, voice, excerpt
FROM vigie.signal_evidence JOIN vigie.perimeter ON path = signal_evidence.perimeter CROSS JOIN vigie.publication
WHERE excerpt IS NOT NULL;

CREATE VIEW vigie_boards.signal_growth WITH (security_barrier) AS
SELECT signal_id, at, events
FROM (
    SELECT signal_id, date_trunc('day', occurred_at, timezone) AS at,
           row_number() OVER story AS events, min_authors + count(*) OVER (PARTITION BY signal_id) - distinct_authors AS step
    FROM vigie.signal_evidence JOIN vigie.signal USING (signal_id)
    CROSS JOIN (SELECT timezone FROM vigie.publication) AS publication
    WHERE kind = 'emergence'
    WINDOW story AS (PARTITION BY signal_id ORDER BY occurred_at, event_id)
) AS told
WHERE events % step = 0;
COMMENT ON VIEW vigie_boards.signal_growth IS 'How many texts carried a signal by when, in steps that each hold the minimum of authors: an author''s second text widens the step.';

CREATE VIEW vigie_boards.load WITH (security_barrier) AS
SELECT source, loaded_at, read, events, duplicates, set_aside, quarantined
FROM vigie.ingest CROSS JOIN vigie.publication
WHERE events = 0 OR events >= min_authors;

CREATE VIEW vigie_boards.source AS
SELECT source, max(loaded_at) AS loaded_at FROM vigie.ingest GROUP BY source;

CREATE VIEW vigie_boards.rejection AS
SELECT source, reason, sum(rows::bigint) AS rows, max(loaded_at) AS last_at
FROM vigie.ingest CROSS JOIN LATERAL jsonb_each_text(quarantine_reasons) AS rejected (reason, rows)
GROUP BY source, reason;

CREATE FUNCTION vigie.admit_reader(reader name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA vigie_boards TO %I', reader);
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA vigie_boards TO %I', reader);
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA vigie_boards GRANT SELECT ON TABLES TO %I', reader);
END
$$;
COMMENT ON FUNCTION vigie.admit_reader IS 'Let a role read what may be shown, now and after later migrations.';

-- Roles belong to the server. On one where this user may not make them, its administrator does, and then
-- SELECT vigie.admit_reader('...') admits the role.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'vigie_reader') THEN
        CREATE ROLE vigie_reader NOLOGIN;
    END IF;
    PERFORM vigie.admit_reader('vigie_reader');
EXCEPTION
    WHEN insufficient_privilege THEN RAISE NOTICE 'no role vigie_reader: this user may not make it';
    WHEN duplicate_object OR unique_violation THEN PERFORM vigie.admit_reader('vigie_reader');
END
$$;
