-- What auditors look cases up by, and who looked at what.

-- Cases that were written and whose rows below are to be made anew. Batches append, one keeper takes them away.
CREATE TABLE closure_changes (
    case_id         text        NOT NULL COLLATE "C"
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
        autovacuum_vacuum_insert_threshold = -1);

-- The cases that are here already.
INSERT INTO closure_changes SELECT case_id FROM cases WHERE registered;

-- A case whose last round is closed, by the rulebook in force; what `hotline explain` shows of it in one line.
CREATE TABLE closures (
    day             date        NOT NULL,   -- of the closing, in the rulebook's zone
    closed_at       timestamptz NOT NULL,   -- the closing of the last round, as counted
    case_id         text        NOT NULL UNIQUE COLLATE "C",
    received_at     timestamptz,            -- when the case was received, as counted
    department      text        NOT NULL COLLATE "C",  -- whose work is judged; `-`: nobody's
    hotline         text        NOT NULL COLLATE "C",
    case_type       text        NOT NULL COLLATE "C",
    category        text        NOT NULL COLLATE "C",  -- a path from broad to narrow: `housing/heating`
    region          text        NOT NULL COLLATE "C",  -- empty if unknown
    class           text        NOT NULL COLLATE "C",
    kind            text        NOT NULL COLLATE "C",  -- how: closed, refused, merged, split, withdrawn
    outcome         text,                   -- its code, where the closing says one
    verdict         text,                   -- of the clock that decides "on time"; null: there is none
    due_at          timestamptz,            -- … and its deadline
    excluded        boolean     NOT NULL,   -- a ruling took the verdict out of what counts
    rounds          integer     NOT NULL,   -- how often the case was opened
    rating          text,                   -- of the last round: `1` to `5`, or a word
    policies        text[]      NOT NULL,   -- under which clocks of the case ran
    anomalies       text[]      NOT NULL,   -- codes of what is odd about it
    terms           text[]      NOT NULL,   -- by what it is found, with the month: `department=D1@2026-11`, …, `*@2026-11`
    -- The order of every list: rows come about in it, so that a day stands together.
    PRIMARY KEY (day, closed_at, case_id)
) WITH (fillfactor = 95);

-- Few rows that have several terms in common are found here; many are read day by day.
CREATE INDEX closures_terms ON closures USING gin (terms) WITH (gin_pending_list_limit = 512);

-- How many closed cases have a term, by day: where to look, and how many there are.
CREATE TABLE closure_days (
    term            text        NOT NULL COLLATE "C",
    day             date        NOT NULL,
    cases           bigint      NOT NULL CHECK (cases > 0),
    -- Asked for by the year: from the index alone.
    PRIMARY KEY (term, day) INCLUDE (cases)
);

-- What auditors ask about first: rulings, extensions, holds, late entries, default ratings, corrections; of open cases, too.
CREATE TABLE closure_findings (
    kind            text        NOT NULL COLLATE "C",  -- excluded, ruled, extended, held, backdated, rated_by_default, corrected
    at              timestamptz NOT NULL,   -- when it counts
    case_id         text        NOT NULL COLLATE "C",
    place           integer     NOT NULL,   -- the n-th finding of the case
    fact            bytea,                  -- the key of the fact that it is about
    round           integer     NOT NULL,
    department      text        NOT NULL COLLATE "C",  -- who held the case, or had closed it; `-`: nobody
    hotline         text        NOT NULL COLLATE "C",
    case_type       text        NOT NULL COLLATE "C",
    code            text,                   -- the effect of a ruling, the stages of a hold, the type of what was late or corrected
    of              text,                   -- the indicator of a ruling, the stage of an extension
    reason          text,
    document        text,
    by              text,                   -- who approved it, as the event says
    source          text        NOT NULL,   -- which source sent it
    claimed_at      timestamptz NOT NULL,
    received_at     timestamptz,
    until           timestamptz,            -- the end of a hold, what an extension grants, the new time of a correction
    detail          text,                   -- how long an extension is, what a correction did
    marks           text[]      NOT NULL,   -- anomalies of the fact; other_author, judged_department
    PRIMARY KEY (kind, at, case_id, place)
);

CREATE INDEX closure_findings_department ON closure_findings (kind, department, at, case_id, place);
CREATE INDEX closure_findings_case ON closure_findings (case_id);

-- Tokens of people who ask. The token itself is printed once and kept nowhere.
CREATE TABLE tokens (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text        NOT NULL UNIQUE,  -- whose it is: it stands in the access log
    role            text        NOT NULL CHECK (role IN ('auditor', 'supervisor', 'operator')),
    departments     text[],                 -- null: all; of a supervisor those that it sees
    may_unmask      boolean     NOT NULL,   -- it may ask who the people of a case are
    sha256          bytea       NOT NULL UNIQUE,  -- of the token
    created_at      timestamptz NOT NULL,
    created_by      text        NOT NULL,
    expires_at      timestamptz NOT NULL,   -- from this instant on it is refused
    revoked_at      timestamptz,
    revoked_by      text,
    last_used_on    date                    -- the day (UTC) of its last use
);

-- Who took what away, or saw whom. Append-only; what became of an export stands in `exports`.
CREATE TABLE access_log (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL,
    actor           text        NOT NULL,   -- the name of the token, or of the user of the command
    role            text        NOT NULL,   -- auditor, supervisor, operator; `command`: on the machine itself
    step            text        NOT NULL CHECK (step IN ('exported', 'unmasked', 'token_created', 'token_revoked')),
    subject         text        NOT NULL,   -- the list, the case, or the token
    filter          jsonb       NOT NULL,   -- what was asked for: codes and days
    why             text                    -- the reason given
);

CREATE TABLE exports (
    id              bigint      PRIMARY KEY REFERENCES access_log,
    format          text        NOT NULL CHECK (format IN ('csv', 'xlsx', 'ndjson')),
    state           text        NOT NULL CHECK (state IN ('running', 'done', 'broken')),
    rows_done       bigint      NOT NULL,
    rows_about      bigint,                 -- how many it was expected to have; null: that could not be told
    ended_at        timestamptz
);

CREATE INDEX exports_running ON exports (id) WHERE state = 'running';
