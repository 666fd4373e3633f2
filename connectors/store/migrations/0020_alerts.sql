-- Who is told of what, what was told, and what people did with it. A replay leaves all of this alone: signals
-- come and go with the log and the settings, so nothing here but pictures refers to them by a foreign key.

CREATE TABLE vigie.subscription (
    subscription_id text COLLATE "C" PRIMARY KEY,
    subscriber      text NOT NULL,
    channel         text NOT NULL,
    destination     bytea NOT NULL,
    address_id      text COLLATE "C" NOT NULL,
    perimeters      text[] NOT NULL,
    descendants     boolean NOT NULL,
    dimensions      text[] NOT NULL,
    themes          text[] NOT NULL,
    functions       text[] NOT NULL,
    kinds           text[] NOT NULL,
    min_evidence    double precision NOT NULL,
    lang            text NOT NULL,
    timezone        text NOT NULL,
    quiet_from      time,
    quiet_until     time,
    rhythm          text NOT NULL,
    digest_at       time NOT NULL,
    weekly_cap      integer NOT NULL,
    history         boolean NOT NULL,
    began_at        timestamptz NOT NULL,
    ended_at        timestamptz,
    CONSTRAINT subscription_id_form CHECK (subscription_id ~ '^[0-9a-f]{16}$'),
    CONSTRAINT subscription_perimeters CHECK (cardinality(perimeters) >= 1),
    CONSTRAINT subscription_lang CHECK (lang IN ('fr', 'en')),
    CONSTRAINT subscription_rhythm CHECK (rhythm IN ('immediate', 'daily', 'weekly')),
    CONSTRAINT subscription_quiet CHECK ((quiet_from IS NULL) = (quiet_until IS NULL)),
    CONSTRAINT subscription_weekly_cap CHECK (weekly_cap >= 1)
);
COMMENT ON COLUMN vigie.subscription.destination IS 'Where messages go, sealed with the secret key: it may hold a token.';
COMMENT ON COLUMN vigie.subscription.address_id IS 'Keyed hash of the destination: one address is told of a signal once.';
COMMENT ON COLUMN vigie.subscription.channel IS 'email, or the scheme of an Apprise URL.';

CREATE TABLE vigie.outbox (
    message_id      text COLLATE "C" PRIMARY KEY,
    subscription_id text COLLATE "C" NOT NULL REFERENCES vigie.subscription,
    kind            text NOT NULL,
    written_at      timestamptz NOT NULL,
    due_at          timestamptz NOT NULL,
    state           text NOT NULL DEFAULT 'due',
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    settled_at      timestamptz,
    problem         text,
    CONSTRAINT outbox_message_id_form CHECK (message_id ~ '^[0-9a-f]{32}$'),
    CONSTRAINT outbox_kind CHECK (kind IN ('alert', 'digest')),
    CONSTRAINT outbox_state CHECK (state IN ('due', 'sent', 'dead', 'withdrawn')),
    CONSTRAINT outbox_settled CHECK ((state = 'due') = (settled_at IS NULL))
);
CREATE INDEX outbox_due ON vigie.outbox (next_attempt_at) WHERE state = 'due';
COMMENT ON COLUMN vigie.outbox.message_id IS 'From the address, the signal and the step, or from the subscription and the time of the digest: the same message has the same id.';

CREATE TABLE vigie.alert (
    address_id      text COLLATE "C" NOT NULL,
    signal_id       text COLLATE "C" NOT NULL,
    step            integer NOT NULL,
    subscription_id text COLLATE "C" NOT NULL REFERENCES vigie.subscription,
    people          bigint NOT NULL,
    decided_at      timestamptz NOT NULL,
    held            text,
    message_id      text COLLATE "C" REFERENCES vigie.outbox,
    PRIMARY KEY (address_id, signal_id, step),
    CONSTRAINT alert_step CHECK (step >= 0),
    CONSTRAINT alert_held CHECK (held IN ('cap', 'digest')),
    CONSTRAINT alert_message CHECK (held IS NOT NULL OR message_id IS NOT NULL)
);
CREATE INDEX alert_by_message ON vigie.alert (message_id);
CREATE INDEX alert_held_back ON vigie.alert (subscription_id) WHERE message_id IS NULL;
COMMENT ON TABLE vigie.alert IS 'That a signal, at a step of its growth, goes to an address.';
COMMENT ON COLUMN vigie.alert.held IS 'Why it waits for a digest: the cap of the week, or a subscription to digests.';
COMMENT ON COLUMN vigie.alert.people IS 'Distinct authors told of.';

CREATE TABLE vigie.signal_picture (
    signal_id text COLLATE "C" NOT NULL REFERENCES vigie.signal ON DELETE CASCADE,
    lang      text NOT NULL,
    shows     text NOT NULL,
    svg       text NOT NULL,
    compact   text NOT NULL,
    PRIMARY KEY (signal_id, lang)
);
COMMENT ON COLUMN vigie.signal_picture.shows IS 'The state of the signal that is drawn; another state needs another picture.';

CREATE TABLE vigie.actions (
    action_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    signal_id       text COLLATE "C" NOT NULL,
    action          text NOT NULL,
    comment         text,
    actor           text NOT NULL,
    via             text NOT NULL,
    subscription_id text COLLATE "C" REFERENCES vigie.subscription,
    acted_at        timestamptz NOT NULL,
    CONSTRAINT actions_action CHECK (action IN ('acknowledge', 'comment', 'confirm', 'dismiss', 'resolve')),
    CONSTRAINT actions_comment CHECK (action <> 'comment' OR comment <> ''),
    CONSTRAINT actions_via CHECK (via IN ('command', 'link'))
);
CREATE INDEX actions_by_signal ON vigie.actions (signal_id, action_id);
COMMENT ON TABLE vigie.actions IS 'What people did with signals, kept as it was done: rows are added, never changed.';
COMMENT ON COLUMN vigie.actions.comment IS 'Redacted.';

CREATE FUNCTION vigie.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of %.% are added, never changed', TG_TABLE_SCHEMA, TG_TABLE_NAME;
END
$$;
CREATE TRIGGER actions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON vigie.actions
    FOR EACH STATEMENT EXECUTE FUNCTION vigie.refuse_change();

CREATE VIEW vigie.signal_state AS
SELECT signal_id,
       (array_agg(state ORDER BY action_id DESC) FILTER (WHERE state IS NOT NULL))[1] AS state,
       (array_agg(verdict ORDER BY action_id DESC) FILTER (WHERE verdict IS NOT NULL))[1] AS verdict,
       min(acted_at) FILTER (WHERE action <> 'comment') AS acknowledged_at,
       max(acted_at) FILTER (WHERE action = 'resolve') AS resolved_at,
       count(*) FILTER (WHERE comment IS NOT NULL) AS comments,
       max(acted_at) AS last_acted_at
FROM (
    SELECT *,
           CASE action
               WHEN 'acknowledge' THEN 'acknowledged'
               WHEN 'confirm' THEN 'confirmed'
               WHEN 'dismiss' THEN 'dismissed'
               WHEN 'resolve' THEN 'resolved'
           END AS state,
           CASE action WHEN 'confirm' THEN 'confirmed' WHEN 'dismiss' THEN 'dismissed' END AS verdict
    FROM vigie.actions
) AS told
GROUP BY signal_id;
COMMENT ON VIEW vigie.signal_state IS 'How each signal that somebody acted on stands: acknowledged, confirmed, dismissed or resolved, null if it was commented only; acknowledged_at is the first act that is more than a comment.';
