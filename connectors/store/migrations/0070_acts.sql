-- What people did with signals, for those who follow them up: who, by the name or role that a subscription or a
-- command gives, when, and the comment, redacted as it was kept.

CREATE VIEW vigie_boards.act AS
SELECT signal_id, signal.perimeter, acted_at AS at, action, actor, comment
FROM vigie.actions JOIN vigie.signal USING (signal_id);
COMMENT ON VIEW vigie_boards.act IS 'actor: a subscriber or who used the command line, never an author; signals alone that may be shown.';

-- The time of day of a first or last text is one person's: of texts, the day alone is told.
CREATE OR REPLACE VIEW vigie_boards.signal AS
SELECT signal_id, signal.perimeter, perimeter.name AS perimeter_name, perimeter.division, bucket_at AS raised_at,
       kind, label, theme, dimension, stance, owning_function, tone, observed, expected, evidence,
       (explanation ->> 'threshold')::double precision AS threshold,
       (explanation ->> 'strongest_evidence')::double precision AS strongest_evidence,
       explanation ->> 'part_of' AS part_of, distinct_authors, date_trunc('day', first_seen, timezone) AS first_seen,
       date_trunc('day', last_seen, timezone) AS last_seen, status, retrospective, mean_score, sentence_fr,
       sentence_en,
       (SELECT string_agg(name, ', ' ORDER BY name) FROM jsonb_object_keys(channels) AS name) AS channels,
       (SELECT string_agg(name, ', ' ORDER BY name) FROM jsonb_object_keys(voices) AS name) AS voices
FROM vigie.signal JOIN vigie.perimeter ON path = signal.perimeter
CROSS JOIN (SELECT timezone FROM vigie.publication) AS publication;
COMMENT ON COLUMN vigie_boards.signal.first_seen IS 'The day of the first text that is shown, and last_seen of the last.';
