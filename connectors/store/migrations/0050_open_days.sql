-- Tallies of days that are still open, as they come: replaced division by division, gone once their day is closed.

CREATE TABLE vigie.open_tally (
    LIKE vigie.tally INCLUDING CONSTRAINTS INCLUDING COMMENTS,
    division text COLLATE "C" NOT NULL GENERATED ALWAYS AS (substring(perimeter FROM '^[^/]+(?:/[^/]+)?')) STORED,
    PRIMARY KEY (division, bucket_at, perimeter, channel, voice, theme)
);
COMMENT ON TABLE vigie.open_tally IS 'Provisional. Without rows of the root, which is the sum of the divisions.';
COMMENT ON COLUMN vigie.open_tally.channel IS 'Empty, as is the voice then: whatever the channel and voice, each author once.';

-- One level of perimeters that share no author, so that nothing is left when one is taken from another; and
-- steps of the minimum, the last of them held back, so that what comes after a figure is never fewer either.
CREATE VIEW vigie_boards.open_day WITH (security_barrier) AS
SELECT perimeter, bucket_at AS at, (authors / min_authors - 1) * min_authors AS persons, true AS provisional
FROM (
    SELECT CASE WHEN weekly_depth = 0 THEN split_part(division, '/', 1) ELSE division END AS perimeter,
           bucket_at, min_authors, sum(authors)::bigint AS authors
    FROM vigie.open_tally CROSS JOIN vigie.publication
    WHERE perimeter = division AND channel = '' AND theme = '' AND (weekly_depth = 0 OR division LIKE '%/%')
    GROUP BY 1, bucket_at, min_authors
) AS so_far
WHERE authors >= 2 * min_authors;
COMMENT ON VIEW vigie_boards.open_day IS 'At least so many persons wrote on a day that is not closed yet: of divisions, or of the root where weekly figures go no deeper.';
