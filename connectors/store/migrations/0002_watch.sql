-- Signals of the watch: means, shares and volumes beside counts of authors, and silences, which nobody writes.

ALTER TABLE vigie.signal
    ALTER COLUMN observed TYPE double precision,
    DROP CONSTRAINT signal_observed,
    DROP CONSTRAINT signal_expected,
    DROP CONSTRAINT signal_min_authors,
    ADD CONSTRAINT signal_observed CHECK (
        observed < 'infinity' AND (observed >= 0 OR kind IN ('mood_drift', 'mismatch') AND observed > '-infinity')
    ),
    ADD CONSTRAINT signal_expected CHECK (
        expected < 'infinity' AND (expected >= 0 OR kind IN ('mood_drift', 'mismatch') AND expected > '-infinity')
    ),
    ADD CONSTRAINT signal_min_authors CHECK (
        min_authors >= 1
        AND (distinct_authors >= min_authors OR (kind = 'silence' AND expected >= min_authors))
    );
COMMENT ON COLUMN vigie.signal.kind IS 'emergence, score_drift, mood_drift, mismatch, answers_without_text, silence, blind_spot or unusual_day.';
COMMENT ON COLUMN vigie.signal.observed IS 'In the unit of the kind: distinct authors, texts, a score in [0, 1], a mood in [-1, 1], a gap in [-2, 2] or a share.';
COMMENT ON COLUMN vigie.signal.expected IS 'In the same unit as observed.';
