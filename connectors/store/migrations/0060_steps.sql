-- What signals tell of people is rounded down to multiples of the minimum where signals are made, and so is how
-- their crowds grew: another day's figure never changes an earlier one.

DROP VIEW vigie_boards.signal_growth;

CREATE VIEW vigie_boards.signal_growth AS
SELECT signal_id, (step ->> 0)::date::timestamp AT TIME ZONE timezone AS at, (step ->> 1)::bigint AS people
FROM vigie.signal CROSS JOIN (SELECT timezone FROM vigie.publication) AS publication
CROSS JOIN LATERAL jsonb_array_elements(explanation -> 'growth') AS step
WHERE jsonb_typeof(explanation -> 'growth') = 'array';
COMMENT ON VIEW vigie_boards.signal_growth IS 'How many people at least carried a signal of emergence by when, in steps of the minimum.';

COMMENT ON COLUMN vigie.signal.distinct_authors IS 'At least so many: a multiple of min_authors.';
COMMENT ON COLUMN vigie.signal.observed IS 'In the unit of the kind; a count of at least so many, a multiple of min_authors.';
COMMENT ON COLUMN vigie.signal.channels IS 'At least so many distinct authors by channel.';
COMMENT ON COLUMN vigie.signal.voices IS 'At least so many distinct authors by voice.';
COMMENT ON COLUMN vigie.signal.last_seen IS 'Of the texts that are shown.';
COMMENT ON COLUMN vigie.alert.people IS 'Distinct authors told of, at least.';
COMMENT ON VIEW vigie_boards.signal_share IS 'At least so many distinct authors of a signal by channel and by voice; null where one of them is below the minimum.';
