-- What boards and exports may count: cells of fixed periods, after suppression below the minimum of authors.
--
-- A *breakdown* splits the texts of a perimeter and period: by day, channel or voice, scored or not, with or without
-- text, about a theme or not; 'all' is the trivial one. A breakdown is published of a perimeter whole or not at all, and so that in each of
-- its cells these have no text or at least the minimum of authors: the perimeter's own, and those of what is
-- left of its parent's once the published children are taken away (complementary suppression withholds one
-- more child where that is needed). No cell that crosses two breakdowns is published. Whatever is added or
-- subtracted, what comes out is then made of whole such cells.
--
-- Tallies hold distinct authors by day, channel and voice, which do not add up to those of a period: one author
-- may be in many. But a cell in which more tallied authors are found than the loudest few account for, so many
-- that one more makes the minimum, has at least the minimum (`vigie.crowd` knows how loud they were); and so has
-- a cell with a tally that has it. Divisions share no author by definition.

CREATE TABLE vigie.publication (
    single       boolean PRIMARY KEY DEFAULT true CHECK (single),
    min_authors  integer NOT NULL DEFAULT 5,
    weekly_depth integer NOT NULL DEFAULT 1,
    timezone     text NOT NULL DEFAULT 'Europe/Paris',
    false_alerts double precision NOT NULL DEFAULT 0.25,
    CONSTRAINT publication_min_authors CHECK (min_authors >= 1),
    CONSTRAINT publication_weekly_depth CHECK (weekly_depth >= 0),
    CONSTRAINT publication_false_alerts CHECK (false_alerts > 0)
);
INSERT INTO vigie.publication DEFAULT VALUES;
COMMENT ON TABLE vigie.publication IS 'Under which rules figures are published; one tallied.';
COMMENT ON COLUMN vigie.publication.weekly_depth IS 'Perimeters down to this depth have periods of 7 days, deeper ones of 28.';
COMMENT ON COLUMN vigie.publication.false_alerts IS 'Budget, a perimeter a year.';

CREATE TABLE vigie.theme (
    key             text COLLATE "C" PRIMARY KEY,
    label_fr        text NOT NULL,
    label_en        text NOT NULL,
    dimension       text NOT NULL,
    stance          text NOT NULL,
    owning_function text NOT NULL,
    polarity        text NOT NULL
);

CREATE TABLE vigie.crowd (
    perimeter text COLLATE "C" NOT NULL,
    days      integer NOT NULL,
    starts    date NOT NULL,
    voice     text COLLATE "C" NOT NULL,
    loudest   bigint NOT NULL,
    PRIMARY KEY (perimeter, days, starts, voice),
    CONSTRAINT crowd_days CHECK (days IN (7, 28)),
    CONSTRAINT crowd_loudest CHECK (loudest >= 0)
);
COMMENT ON COLUMN vigie.crowd.voice IS 'Empty: whatever the voice.';
COMMENT ON COLUMN vigie.crowd.loudest IS 'Of its authors, those who wrote on the most days and channels, one fewer than the minimum: how many these are together.';

CREATE TABLE vigie.published (
    breakdown text COLLATE "C" NOT NULL,
    perimeter text COLLATE "C" NOT NULL,
    starts    date NOT NULL,
    days      integer NOT NULL,
    value     text COLLATE "C" NOT NULL,
    starts_at timestamptz NOT NULL,
    texts     bigint NOT NULL,
    total     bigint NOT NULL,
    PRIMARY KEY (breakdown, perimeter, starts, value)
);
CREATE INDEX published_by_time ON vigie.published (breakdown, starts_at);
COMMENT ON COLUMN vigie.published.value IS 'Of the breakdown: a day, channel, voice, theme, or scored, written, silent (answer); empty for all.';
COMMENT ON COLUMN vigie.published.total IS 'Sum of the scores (scored) or of the sentiments (written, themes), ten-thousandths.';

CREATE FUNCTION vigie.period_start(day date, days integer) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date '1970-01-05' + floor((day - date '1970-01-05') / days::numeric)::integer * days;
COMMENT ON FUNCTION vigie.period_start IS 'First day, a Monday, of the period of 7 or 28 days that a day is in.';

CREATE FUNCTION vigie.refresh_published(since date DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = vigie, pg_temp SET jit = off SET work_mem = '64MB'
-- Everything is joined whole, on tables whose statistics lag behind: no plan of loops within loops.
SET enable_nestloop = off
AS $$
DECLARE
    rules  publication%ROWTYPE;
    origin date := coalesce(period_start(since, 28), '-infinity');
    deepest integer;
    span    integer;
    trivial boolean;
    level   integer;
BEGIN
    SELECT * INTO STRICT rules FROM publication;
    SELECT max(depth) INTO deepest FROM perimeter;

    -- Weekly levels stand above the deeper ones in their periods too: judged there alike, shown by week only.
    CREATE TEMPORARY TABLE grain ON COMMIT DROP AS
    SELECT path AS perimeter, parent, depth, 7 AS days FROM perimeter WHERE depth <= rules.weekly_depth
    UNION ALL
    SELECT path, parent, depth, 28 FROM perimeter;

    CREATE TEMPORARY TABLE tallied ON COMMIT DROP AS
    SELECT perimeter, days, period_start(bucket, days) AS starts, bucket, channel, voice,
           texts, authors, scored, score_sum, sentiment_sum, without_text
    FROM grain JOIN tally USING (perimeter)
    WHERE theme = '' AND bucket >= origin;

    ANALYZE grain;
    ANALYZE tallied;

    -- Channels too rare for weeks of the last weekly level are shown as one, with the rarest of the others of
    -- their voice where they are too rare together. One voice each: else a channel taken from its voice would
    -- leave a part of such a group.
    CREATE TEMPORARY TABLE pooled ON COMMIT DROP AS
    WITH sized AS (
        SELECT channel, voice, sum(texts) / (
            SELECT greatest(1, count(DISTINCT (perimeter, period_start(bucket, 7))))
            FROM tally JOIN grain USING (perimeter)
            WHERE theme = '' AND days = 7 AND depth = (SELECT max(depth) FROM grain WHERE days = 7)) AS size
        FROM tally JOIN grain USING (perimeter)
        WHERE theme = '' AND days = 7 AND depth = 0 GROUP BY channel, voice
    ), ranked AS (
        SELECT channel, voice, size < 2 * rules.min_authors AS rare,
               coalesce(sum(size) OVER rarer, 0) BETWEEN 1e-9 AND 2 * rules.min_authors AS follows
        FROM sized
        WINDOW rarer AS (PARTITION BY voice ORDER BY size, channel ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ), together AS (
        SELECT voice, string_agg(channel, ' + ' ORDER BY channel COLLATE "C") AS shown
        FROM ranked WHERE rare OR follows GROUP BY voice
    )
    SELECT channel, voice, CASE WHEN rare OR follows THEN shown ELSE channel END AS shown
    FROM ranked LEFT JOIN together USING (voice);

    -- one: the most authors of any one tally. low, high: bounds of the sum of its tallies' authors. kind: the
    -- theme. part: splits a value further than is shown, for readers know that only answers to a survey are
    -- scored, and only scored ones without text.
    CREATE TEMPORARY TABLE cell ON COMMIT DROP AS
    SELECT breakdown COLLATE "C" AS breakdown, '' COLLATE "C" AS kind, perimeter, days, starts, split.value COLLATE "C" AS value,
           '' COLLATE "C" AS part, sum(texts) AS texts, max(authors) AS one, sum(authors) AS low, sum(authors) AS high
    FROM tallied
    CROSS JOIN LATERAL (VALUES ('all', ''), ('day', bucket::text), ('voice', voice)) AS split (breakdown, value)
    WHERE breakdown <> 'day' OR days = 7
    GROUP BY breakdown, perimeter, days, starts, split.value
    UNION ALL
    SELECT breakdown, '', perimeter, days, starts, split.value, answer.part, sum(n),
           max(authors - texts + n), sum(greatest(authors - texts + n, 0)), sum(least(authors, n))
    FROM tallied JOIN pooled USING (channel, voice)
    CROSS JOIN LATERAL (VALUES ('channel', pooled.shown), ('answer', voice)) AS split (breakdown, value)
    CROSS JOIN LATERAL (VALUES
        ('silent', without_text),
        ('scored', greatest(scored - without_text, 0)),
        ('unscored', texts - greatest(scored, without_text))
    ) AS answer (part, n)
    WHERE n > 0
    GROUP BY breakdown, perimeter, days, starts, split.value, answer.part;

    CREATE TEMPORARY TABLE themed ON COMMIT DROP AS
    SELECT perimeter, days, starts, voice, theme, sum(texts)::bigint AS texts, sum(total)::bigint AS total,
           max(one) AS one, sum(high) AS high
    FROM (
        SELECT perimeter, period_start(bucket, 7) AS week, voice, theme, sum(texts) AS texts,
               sum(sentiment_sum) AS total, max(authors) AS one, sum(authors) AS high
        FROM tally WHERE theme <> '' AND bucket >= origin
        GROUP BY perimeter, 2, voice, theme
    ) AS weekly
    JOIN grain USING (perimeter)
    CROSS JOIN LATERAL period_start(week, days) AS period (starts)
    GROUP BY perimeter, days, starts, voice, theme;

    ANALYZE cell;
    ANALYZE themed;
    INSERT INTO cell
    SELECT voice || ' theme', theme, perimeter, days, starts, 'yes', '', texts, one, high, high FROM themed
    UNION ALL
    SELECT voice || ' theme', theme, perimeter, days, starts, 'no', '', written.texts - themed.texts,
           0, written.low - themed.high, written.texts - themed.texts
    FROM themed JOIN (
        SELECT perimeter, days, starts, voice, sum(texts - without_text) AS texts,
               sum(greatest(authors - without_text, 0)) AS low
        FROM tallied GROUP BY perimeter, days, starts, voice
    ) AS written USING (perimeter, days, starts, voice)
    WHERE written.texts > themed.texts
    UNION ALL
    SELECT voice || ' theme', theme, perimeter, days, starts, 'other', '', whole.texts - themed.texts,
           0, whole.low - themed.high, whole.texts - themed.texts
    FROM themed JOIN cell AS whole USING (perimeter, days, starts)
    WHERE whole.breakdown = 'all' AND whole.texts > themed.texts;

    ANALYZE cell;
    ANALYZE themed;

    -- A breakdown of a perimeter and period, which is published whole or not. above: the parent's.
    CREATE TEMPORARY TABLE node ON COMMIT DROP AS
    SELECT row_number() OVER () AS id, grouped.*, loudest
    FROM (
        SELECT breakdown, kind, perimeter, days, starts, parent, depth, sum(texts) AS texts,
               CASE WHEN kind = '' THEN '' ELSE split_part(breakdown, ' ', 1) END COLLATE "C" AS voice
        FROM cell JOIN grain USING (perimeter, days)
        GROUP BY breakdown, kind, perimeter, days, starts, parent, depth
    ) AS grouped
    LEFT JOIN crowd USING (perimeter, days, starts, voice);
    ANALYZE node;

    CREATE TEMPORARY TABLE piece ON COMMIT DROP AS
    SELECT id, value, part, cell.texts, low, high,
           one >= rules.min_authors OR coalesce(low > loudest, false) AS broad
    FROM cell JOIN node USING (breakdown, kind, perimeter, days, starts);
    CREATE INDEX ON piece (id);
    ANALYZE piece;

    CREATE TEMPORARY TABLE tree ON COMMIT DROP AS
    SELECT node.id, above.id AS above, node.perimeter, node.days, node.depth, node.breakdown = 'all' AS whole,
           node.texts, node.loudest, own.id AS own, broad, false AS published
    FROM node
    JOIN (SELECT id, bool_and(broad) AS broad FROM piece GROUP BY id) AS judged USING (id)
    JOIN node AS own ON (own.perimeter, own.days, own.starts, own.breakdown)
                      = (node.perimeter, node.days, node.starts, 'all')
    LEFT JOIN node AS above ON (above.perimeter, above.days, above.starts, above.breakdown, above.kind)
                             = (node.parent, node.days, node.starts, node.breakdown, node.kind);
    CREATE INDEX ON tree (id);
    CREATE INDEX ON tree (days, depth);
    ANALYZE tree;

    FOREACH trivial IN ARRAY ARRAY[true, false] LOOP
        FOREACH span IN ARRAY ARRAY[7, 28] LOOP
            FOR level IN 0..coalesce(deepest, -1) LOOP
                UPDATE tree SET published = true
                FROM tree AS self LEFT JOIN tree AS above ON above.id = self.above
                JOIN tree AS own ON own.id = self.own
                WHERE tree.id = self.id AND self.days = span AND self.depth = level AND self.whole = trivial
                  AND self.broad AND (above.published OR self.depth = 0) AND (trivial OR own.published);

                -- Where a cell of what is left of a parent is too small, withhold the smallest children up to
                -- the first that has texts in it. So too where nothing is left of a parent some of whose weeks
                -- are withheld: its children would add up to those.
                WITH child AS MATERIALIZED (
                    SELECT * FROM tree
                    WHERE days = span AND depth = level AND whole = trivial AND above IS NOT NULL
                ), shown AS MATERIALIZED (
                    SELECT id, above, row_number() OVER (PARTITION BY above ORDER BY texts, perimeter) AS place
                    FROM child WHERE published
                ), taken AS MATERIALIZED (
                    SELECT above, value, part, sum(piece.texts) FILTER (WHERE published) AS texts,
                           sum(high) FILTER (WHERE published) AS high,
                           bool_or(piece.broad) FILTER (WHERE NOT published) AS hides
                    FROM child JOIN piece USING (id) GROUP BY above, value, part
                ), gaps AS MATERIALIZED (
                    SELECT DISTINCT period.id AS above
                    FROM node AS week JOIN tree ON tree.id = week.id
                    JOIN node AS period
                      ON (period.perimeter, period.breakdown, period.kind, period.starts, period.days)
                       = (week.perimeter, week.breakdown, week.kind, period_start(week.starts, 28), 28)
                    WHERE span = 28 AND level = rules.weekly_depth + 1
                      AND week.days = 7 AND week.depth = rules.weekly_depth AND NOT tree.published
                ), short AS MATERIALIZED (
                    SELECT parent.id AS above, piece.value, piece.part
                    FROM (SELECT DISTINCT above AS id FROM shown) AS split
                    JOIN tree AS parent USING (id)
                    JOIN piece USING (id)
                    LEFT JOIN taken ON (taken.above, taken.value, taken.part) = (parent.id, piece.value, piece.part)
                    LEFT JOIN gaps ON gaps.above = parent.id
                    WHERE CASE
                        WHEN piece.texts > coalesce(taken.texts, 0)
                        THEN NOT coalesce(hides, false)
                             AND NOT coalesce(piece.low - coalesce(taken.high, 0) > parent.loudest, false)
                        ELSE gaps.above IS NOT NULL
                    END
                ), helped AS (
                    SELECT short.above, short.value, short.part,
                           min(place) FILTER (WHERE (piece.value, piece.part) = (short.value, short.part)) AS place
                    FROM short JOIN shown USING (above) JOIN piece USING (id)
                    GROUP BY short.above, short.value, short.part
                ), cut AS (
                    SELECT above, max(coalesce(place, 'infinity'::float8)) AS place FROM helped GROUP BY above
                )
                UPDATE tree SET published = false
                FROM shown JOIN cut USING (above)
                WHERE tree.id = shown.id AND shown.place <= cut.place;
            END LOOP;
        END LOOP;
    END LOOP;

    CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS
    SELECT breakdown, node.perimeter, starts, node.days, value, starts::timestamp AT TIME ZONE rules.timezone AS starts_at,
           figure.texts, total
    FROM (
        SELECT breakdown, kind, perimeter, days, starts, value, sum(texts) AS texts, 0::bigint AS total
        FROM cell WHERE breakdown IN ('all', 'day', 'voice', 'channel')
        GROUP BY breakdown, kind, perimeter, days, starts, value
        UNION ALL
        SELECT 'answer', '', perimeter, days, starts, said, sum(n), sum(measure)
        FROM tallied CROSS JOIN LATERAL (VALUES
            ('scored', scored, score_sum),
            ('written', texts - without_text, sentiment_sum),
            ('silent', without_text, 0)
        ) AS answer (said, n, measure)
        GROUP BY perimeter, days, starts, said HAVING sum(n) > 0
        UNION ALL
        SELECT voice || ' theme', theme, perimeter, days, starts, theme, texts, total FROM themed
    ) AS figure
    JOIN node USING (breakdown, kind, perimeter, days, starts)
    JOIN tree USING (id)
    WHERE tree.published AND node.days = CASE WHEN node.depth <= rules.weekly_depth THEN 7 ELSE 28 END
    ORDER BY breakdown, node.perimeter, starts;

    DELETE FROM published AS kept
    WHERE starts >= origin AND NOT EXISTS (
        SELECT FROM fresh WHERE (fresh.breakdown, fresh.perimeter, fresh.starts, fresh.value)
                              = (kept.breakdown, kept.perimeter, kept.starts, kept.value));
    INSERT INTO published AS kept
    SELECT breakdown, perimeter, starts, days, value, starts_at, texts, total FROM fresh
    ON CONFLICT (breakdown, perimeter, starts, value) DO UPDATE
    SET days = excluded.days, starts_at = excluded.starts_at, texts = excluded.texts, total = excluded.total
    WHERE (kept.days, kept.starts_at, kept.texts, kept.total)
       IS DISTINCT FROM (excluded.days, excluded.starts_at, excluded.texts, excluded.total);

    DROP TABLE grain, tallied, pooled, cell, themed, node, piece, tree, fresh;
END
$$;
COMMENT ON FUNCTION vigie.refresh_published IS 'Publish anew from the period of 28 days that a day is in, or everything.';
