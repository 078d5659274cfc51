-- What was refused gets a way back, a source that fails gets out of everybody's way, and a record that ends the process
-- that reads it is found.

ALTER TABLE dead_letters ADD COLUMN redrives integer NOT NULL DEFAULT 0;  -- how often it was tried again and refused again

-- Who did what about a letter, and what came of it. Append-only.
CREATE TABLE dead_letter_steps (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    letter_id       bigint      NOT NULL,   -- of `dead_letters`
    at              timestamptz NOT NULL,
    step            text        NOT NULL CHECK (step IN ('opened', 'redriven', 'fixed', 'discarded')),
    operator        text        NOT NULL,   -- who did it, as they call themselves
    why             text        NOT NULL,   -- the reason that they gave
    outcome         text                    -- of a redrive: applied, duplicate, ignored, or why it was refused again
);

CREATE INDEX dead_letter_steps_letter ON dead_letter_steps (letter_id);

-- Sources whose events are kept as dead letters and not folded, until somebody resumes them.
CREATE TABLE stopped_sources (
    source          text        PRIMARY KEY,  -- the CloudEvents source
    state           text        NOT NULL CHECK (state IN ('diverted', 'paused')),  -- by casework, by an operator
    since           timestamptz NOT NULL,
    operator        text        NOT NULL,   -- who stopped it; `hotline` where casework did
    why             text        NOT NULL
);

-- What happened to sources and to positions by hand, or by casework itself. Append-only.
CREATE TABLE interventions (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL,
    subject         text        NOT NULL,   -- a source, or an origin of `positions`
    step            text        NOT NULL,   -- diverted, paused, resumed, moved, begun_anew
    operator        text        NOT NULL,   -- who did it, as they call themselves
    why             text        NOT NULL,
    before          jsonb       NOT NULL DEFAULT '{}'  -- of a position: what it was
);

-- A record that ends the process is never committed and never a dead letter of its own accord. Where batches were begun
-- and never ended, the next are smaller, down to one record; that one is put aside.
ALTER TABLE positions
    ADD COLUMN claims       integer NOT NULL DEFAULT 0,      -- how often it was taken since it last moved
    ADD COLUMN trial_size   integer,                         -- records of a batch while something is suspected
    ADD COLUMN trial_until  bigint,                          -- … which is up to this offset
    ADD COLUMN trial_begun  boolean NOT NULL DEFAULT false,  -- a batch was begun there and has not ended
    ADD COLUMN trial_deaths integer NOT NULL DEFAULT 0;      -- how often the next record, alone, did not end
