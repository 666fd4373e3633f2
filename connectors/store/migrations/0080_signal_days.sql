-- What was observed and expected of a signal day by day, as its picture shows it. Kept when the picture is drawn,
-- which takes reading the log again.

CREATE TABLE vigie.signal_day (
    signal_id text COLLATE "C" NOT NULL REFERENCES vigie.signal ON DELETE CASCADE,
    day       date NOT NULL,
    observed  double precision,
    expected  double precision,
    low       double precision,
    high      double precision,
    evidence  double precision,
    threshold double precision,
    PRIMARY KEY (signal_id, day)
);
COMMENT ON COLUMN vigie.signal_day.observed IS 'In the unit of the kind, a count since the episode began; null where it is withheld. Counts are multiples of the minimum.';
COMMENT ON COLUMN vigie.signal_day.low IS 'Between low and high lies the ordinary.';
COMMENT ON COLUMN vigie.signal_day.evidence IS 'Natural logarithm; null where it would give away what is withheld.';

CREATE VIEW vigie_boards.signal_day AS
SELECT signal_id, day::timestamp AT TIME ZONE timezone AS at, observed, expected, low, high, evidence, threshold
FROM vigie.signal_day CROSS JOIN (SELECT timezone FROM vigie.publication) AS publication;
