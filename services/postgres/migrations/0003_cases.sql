-- One row a case: its facts, the score it has in the tallies, and what people ask for.

CREATE TABLE cases (
    case_id         text        PRIMARY KEY COLLATE "C",  -- `<hotline>:<number>`
    revision        bigint      NOT NULL,   -- 1, 2, 3 …; every write asks for the one it read
    rulebook_seq    bigint      NOT NULL,   -- the rulebook of the last fold
    fold_version    integer     NOT NULL,   -- the program's fold of the last fold
    facts           bytea       NOT NULL,   -- the case: hotline-core encodes and reads it
    score           bytea       NOT NULL,   -- what it adds to the tallies, as stored there; subtracted as it stands
    hotline         text        NOT NULL,   -- from here on: computed from the facts, for queries only
    registered      boolean     NOT NULL,   -- its receipt is known; else it counts nowhere
    case_type       text        NOT NULL,   -- latest; empty while unregistered
    category        text[]      NOT NULL,   -- latest, from broad to narrow
    region          text        NOT NULL,   -- latest; empty if unknown
    channel         text,                   -- how it was reported
    class           text        NOT NULL,   -- the first of the rulebook's classes that it meets
    department      text,                   -- who leads now; of a closed case, who closed
    received_at     timestamptz,            -- when the case was received, as counted
    closed_at       timestamptz,            -- when its last round was closed; null while open
    due_at          timestamptz,            -- the deadline of the open closure clock
    due_on          date,                   -- … and the last day in time
    verdict         text,                   -- of the last round's closure clock: met, late, open, …
    rounds          smallint    NOT NULL,   -- how often it was opened
    open_clocks     smallint    NOT NULL,   -- clocks whose state depends on the time of asking
    wake_at         timestamptz,            -- not after the next instant at which something falls due
    anomalies       text[]      NOT NULL    -- codes of what is odd about it
) WITH (fillfactor = 60);

-- The facts are compact already and are read whole.
ALTER TABLE cases ALTER COLUMN facts SET STORAGE EXTERNAL;

-- Few indexes, on columns that most events leave alone, so that updates stay within their page.
CREATE INDEX cases_wake ON cases (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX cases_open_clocks ON cases (case_id) WHERE open_clocks > 0;
CREATE INDEX cases_open_due ON cases (department, due_at) WHERE closed_at IS NULL AND registered;

CREATE TABLE restatements (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- the order in which they were found
    restated_at     timestamptz NOT NULL,   -- when the case was folded again
    case_id         text        NOT NULL COLLATE "C",  -- the case
    from_rulebook_seq bigint    NOT NULL,   -- the rulebook by which it had been judged
    to_rulebook_seq bigint      NOT NULL,   -- … and now is
    from_fold_version integer   NOT NULL,   -- the program's fold by which it had been judged
    to_fold_version integer     NOT NULL,   -- … and now is
    basis           text        NOT NULL,   -- from here on: the place in the tallies that changed
    day             date        NOT NULL,
    hotline         text        NOT NULL,
    case_type       text        NOT NULL,
    class           text        NOT NULL,
    department      text        NOT NULL,
    role            text        NOT NULL,
    measure         text        NOT NULL,
    old_value       bigint      NOT NULL,   -- what the case had added there
    new_value       bigint      NOT NULL    -- what it adds now
);

CREATE INDEX restatements_case ON restatements (case_id);

-- How many cases are folded by which rules: all in one row when nothing is left to do.
CREATE VIEW fold_progress AS
    SELECT rulebook_seq, fold_version, count(*) AS cases
      FROM cases GROUP BY rulebook_seq, fold_version;
