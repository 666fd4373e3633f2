-- Heads of the event log that were seen, kept apart from it: a log whose tail was cut, or that was rewritten,
-- no longer holds them.

CREATE TABLE vigie.log_head (
    seq     bigint NOT NULL,
    sha256  text COLLATE "C" NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (seq, sha256),
    CONSTRAINT log_head_seq CHECK (seq >= 1),
    CONSTRAINT log_head_form CHECK (sha256 ~ '^[0-9a-f]{64}$')
);
COMMENT ON TABLE vigie.log_head IS 'Rows are added, never changed.';
COMMENT ON COLUMN vigie.log_head.sha256 IS 'Of the bytes of manifest seq, which vouches for all before it.';
CREATE TRIGGER log_head_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON vigie.log_head
    FOR EACH STATEMENT EXECUTE FUNCTION vigie.refuse_change();
