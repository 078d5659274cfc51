-- What came in: how far every origin is read, every accepted event, its sealed part, and what was refused.

CREATE TABLE positions (
    origin          text        PRIMARY KEY,      -- `http`, `redrive`, or `topic/partition`
    epoch           bigint      NOT NULL,         -- who may move it: every owner takes the next number
    start_offset    bigint      NOT NULL,         -- the first offset ever read
    next_offset     bigint      NOT NULL,         -- the offset to read next; authoritative
    records         bigint      NOT NULL DEFAULT 0,  -- records read: each counts by its worst event
    applied         bigint      NOT NULL DEFAULT 0,  -- … something of it became a fact
    duplicate       bigint      NOT NULL DEFAULT 0,  -- … all of it was known
    ignored         bigint      NOT NULL DEFAULT 0,  -- … nothing in it was for us
    dead            bigint      NOT NULL DEFAULT 0,  -- … something of it is a dead letter
    gaps            bigint      NOT NULL DEFAULT 0,  -- offsets that the log does not hold
    cluster_id      text,                         -- the Kafka cluster that the offsets belong to
    last_offset     bigint,                       -- the last record read: its offset,
    last_received_at timestamptz,                 -- its receipt
    last_checksum   bigint,                       -- and the first 8 bytes of its SHA-256
    CONSTRAINT every_offset_is_accounted_for CHECK (next_offset - start_offset = records + gaps),
    CONSTRAINT every_record_has_one_outcome CHECK (records = applied + duplicate + ignored + dead),
    CONSTRAINT counts_only_grow CHECK (applied >= 0 AND duplicate >= 0 AND ignored >= 0 AND dead >= 0 AND gaps >= 0)
);

-- A fact carries its number in the ledger; processes take numbers in blocks of 64.
CREATE SEQUENCE ledger_blocks;

CREATE TABLE ledger (
    seq             bigint      NOT NULL,   -- a number of its own; about the order of arrival, with gaps
    case_id         text        COLLATE "C",  -- null for a figure that is not about a case
    event_key       bytea       NOT NULL,   -- the first 16 bytes of SHA-256(source, 0, id)
    source          text        NOT NULL,   -- the CloudEvents source
    id              text        NOT NULL,   -- … and its id there
    type            text        NOT NULL,   -- the CloudEvents type
    received_at     timestamptz NOT NULL,   -- when we had it
    origin          text        NOT NULL,   -- where it came from: an origin of `positions`
    origin_offset   bigint      NOT NULL,   -- … and its offset there
    event           text        NOT NULL    -- the event less its personal members, canonical JSON
) PARTITION BY RANGE (received_at);

-- No index by case: a fact knows its number, and nothing else reads single rows.
CREATE INDEX ledger_seq ON ledger (seq);

-- Partitions are made ahead, one a month of receipt in UTC; this is the net below them.
CREATE TABLE ledger_default PARTITION OF ledger DEFAULT;

CREATE TABLE personal_keys (
    owner           text        PRIMARY KEY COLLATE "C",  -- the case, or `figure/<event key>`
    wrapped         bytea       NOT NULL    -- the owner's data key, sealed by the master key; without it the person is gone
);

CREATE TABLE personal (
    owner           text        NOT NULL COLLATE "C",  -- whose key opens it
    event_key       bytea       NOT NULL,   -- the event that it belongs to
    sealed          bytea       NOT NULL    -- the personal members, AES-256-GCM under the owner's key
);

CREATE INDEX personal_owner ON personal (owner);

CREATE TABLE dead_letters (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- how people name it
    origin          text        NOT NULL,   -- where it came from: an origin of `positions`
    origin_offset   bigint      NOT NULL,   -- … and its offset there
    received_at     timestamptz NOT NULL,   -- when we had it
    reason          text        NOT NULL,   -- a code: `undecodable`, `invalid`, `unknown_source`, …
    faults          jsonb       NOT NULL,   -- [{"pointer", "code"}], never a value
    source          text,                   -- the CloudEvents source, where the rulebook knows it
    sealed          bytea       NOT NULL,   -- the bytes as they came, sealed under a key of their own
    state           text        NOT NULL DEFAULT 'open'
                    CHECK (state IN ('open', 'redriven', 'discarded', 'fixed')),  -- what has been done about it
    state_at        timestamptz             -- … and when
);

CREATE INDEX dead_letters_open ON dead_letters (id) WHERE state = 'open';

CREATE TABLE figures (
    event_key       bytea       PRIMARY KEY,  -- the first 16 bytes of SHA-256(source, 0, id)
    source          text        NOT NULL,   -- who reports it
    measure         text        NOT NULL,   -- what is counted: `calls_answered`, …
    day             date        NOT NULL,   -- the day that it is about
    value           double precision NOT NULL,  -- as reported
    department      text,                   -- about whom, if about a department
    hotline         text,                   -- … or a hotline
    claimed_at      timestamptz NOT NULL,   -- when the source says it was so
    received_at     timestamptz NOT NULL,   -- when we had it
    tag             bigint      NOT NULL,   -- keyed hash of the content, by which another content is noticed
    ledger_seq      bigint      NOT NULL    -- its row of the ledger
);

CREATE INDEX figures_day ON figures (day, measure);
