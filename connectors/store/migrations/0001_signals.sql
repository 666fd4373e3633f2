-- Keys and paths collate by code point: the same order and the same subtrees on every server.

CREATE TABLE vigie.run (
    run_id           text PRIMARY KEY CHECK (run_id ~ '^[0-9a-f]{32}$'),
    log_head         text NOT NULL,
    settings_version text NOT NULL,
    lexicon_version  text NOT NULL,
    code_version     text NOT NULL,
    closed_until     timestamptz NOT NULL,
    started_at       timestamptz NOT NULL,
    finished_at      timestamptz NOT NULL,
    digest           text NOT NULL,
    is_current       boolean NOT NULL,
    CONSTRAINT run_times CHECK (started_at <= finished_at)
);
CREATE UNIQUE INDEX run_current ON vigie.run (is_current) WHERE is_current;
COMMENT ON TABLE vigie.run IS 'Replays loaded; the store reflects the one that is current.';
COMMENT ON COLUMN vigie.run.closed_until IS 'End of the last closed bucket.';
COMMENT ON COLUMN vigie.run.digest IS 'Digest of the canonical export of the signals.';

CREATE TABLE vigie.perimeter (
    path     text COLLATE "C" PRIMARY KEY,
    name     text NOT NULL,
    parent   text COLLATE "C" GENERATED ALWAYS AS (substring(path FROM '^(.*)/[^/]*$')) STORED,
    depth    integer NOT NULL GENERATED ALWAYS AS (length(path) - length(replace(path, '/', ''))) STORED,
    division text COLLATE "C" NOT NULL GENERATED ALWAYS AS (substring(path FROM '^[^/]+(?:/[^/]+)?')) STORED,
    CONSTRAINT perimeter_path CHECK (path ~ '^[^/]+(/[^/]+)*$')
);
CREATE INDEX perimeter_parent ON vigie.perimeter (parent);
COMMENT ON COLUMN vigie.perimeter.depth IS '0 for the root.';
COMMENT ON COLUMN vigie.perimeter.division IS 'The subtree under the root that holds this path; the root is its own.';

CREATE TABLE vigie.signal (
    signal_id        text COLLATE "C" PRIMARY KEY,
    perimeter        text COLLATE "C" NOT NULL REFERENCES vigie.perimeter,
    bucket           date NOT NULL,
    bucket_at        timestamptz NOT NULL,
    kind             text NOT NULL,
    label            text NOT NULL,
    terms            text[] NOT NULL,
    theme            text,
    dimension        text,
    stance           text,
    owning_function  text,
    tone             text NOT NULL,
    observed         bigint NOT NULL,
    expected         double precision NOT NULL,
    evidence         double precision NOT NULL,
    channels         jsonb NOT NULL,
    voices           jsonb NOT NULL,
    distinct_authors bigint NOT NULL,
    min_authors      bigint NOT NULL,
    first_seen       timestamptz NOT NULL,
    last_seen        timestamptz NOT NULL,
    status           text NOT NULL,
    retrospective    boolean NOT NULL,
    mean_score       double precision,
    sentence_fr      text NOT NULL,
    sentence_en      text NOT NULL,
    settings_version text NOT NULL,
    explanation      jsonb NOT NULL,
    CONSTRAINT signal_id_form CHECK (signal_id ~ '^[0-9a-f]{32}$'),
    CONSTRAINT signal_tone CHECK (tone IN ('complaint', 'praise', 'mixed')),
    CONSTRAINT signal_observed CHECK (observed >= 0),
    CONSTRAINT signal_expected CHECK (expected >= 0 AND expected < 'infinity'),
    CONSTRAINT signal_evidence CHECK (evidence > '-infinity' AND evidence < 'infinity'),
    CONSTRAINT signal_channels CHECK (jsonb_typeof(channels) = 'object'),
    CONSTRAINT signal_voices CHECK (jsonb_typeof(voices) = 'object'),
    CONSTRAINT signal_explanation CHECK (jsonb_typeof(explanation) = 'object'),
    CONSTRAINT signal_min_authors CHECK (min_authors >= 1 AND distinct_authors >= min_authors),
    CONSTRAINT signal_seen CHECK (first_seen <= last_seen),
    CONSTRAINT signal_mean_score CHECK (mean_score BETWEEN 0 AND 1)
);
CREATE INDEX signal_by_perimeter ON vigie.signal (perimeter, bucket_at);
CREATE INDEX signal_by_bucket ON vigie.signal (bucket_at);
COMMENT ON COLUMN vigie.signal.evidence IS 'Natural logarithm.';
COMMENT ON COLUMN vigie.signal.channels IS 'Distinct authors by channel.';
COMMENT ON COLUMN vigie.signal.voices IS 'Distinct authors by voice.';

CREATE TABLE vigie.signal_evidence (
    signal_id   text COLLATE "C" NOT NULL REFERENCES vigie.signal ON DELETE CASCADE,
    event_id    bytea NOT NULL,
    occurred_at timestamptz NOT NULL,
    channel     text NOT NULL,
    voice       text NOT NULL,
    perimeter   text COLLATE "C" NOT NULL,
    excerpt     text,
    PRIMARY KEY (signal_id, event_id),
    CONSTRAINT signal_evidence_event_id CHECK (octet_length(event_id) = 16)
);
COMMENT ON COLUMN vigie.signal_evidence.excerpt IS 'Redacted text; null where fewer than min_authors speak with this voice.';

-- Time leads the key: rows come in order of time, and a million of them then load several times faster.
CREATE TABLE vigie.tally (
    perimeter     text COLLATE "C" NOT NULL,
    bucket        date NOT NULL,
    bucket_at     timestamptz NOT NULL,
    channel       text COLLATE "C" NOT NULL,
    voice         text COLLATE "C" NOT NULL,
    theme         text COLLATE "C" NOT NULL,
    texts         bigint NOT NULL,
    authors       bigint NOT NULL,
    score_sum     bigint NOT NULL,
    scored        bigint NOT NULL,
    sentiment_sum bigint NOT NULL,
    without_text  bigint NOT NULL,
    late          bigint NOT NULL,
    PRIMARY KEY (bucket_at, perimeter, channel, voice, theme),
    CONSTRAINT tally_counts CHECK (least(texts, authors, score_sum, scored, without_text, late) >= 0)
);
CREATE INDEX tally_by_perimeter ON vigie.tally (perimeter, bucket_at);
COMMENT ON COLUMN vigie.tally.theme IS 'Empty: all texts, whatever their themes.';
COMMENT ON COLUMN vigie.tally.score_sum IS 'Ten-thousandths.';
COMMENT ON COLUMN vigie.tally.sentiment_sum IS 'Ten-thousandths.';

CREATE TABLE vigie.ingest (
    load_id            text COLLATE "C" NOT NULL,
    source             text COLLATE "C" NOT NULL,
    loaded_at          timestamptz NOT NULL,
    read               bigint NOT NULL,
    events             bigint NOT NULL,
    duplicates         bigint NOT NULL,
    set_aside          bigint NOT NULL,
    quarantined        bigint NOT NULL,
    set_aside_reasons  jsonb NOT NULL,
    quarantine_reasons jsonb NOT NULL,
    PRIMARY KEY (load_id, source),
    CONSTRAINT ingest_closes CHECK (read = events + duplicates + set_aside + quarantined)
);
COMMENT ON TABLE vigie.ingest IS 'What became of every row read, by load and source.';
