-- Integer counts from which every rate is made. What is true is the sum of both tables.

CREATE TABLE tally_deltas (
    basis           text        NOT NULL,   -- whose day: received, dispatched, closed, rated, due, event
    day             date        NOT NULL,   -- … in the rulebook's zone
    hotline         text        NOT NULL,   -- the hotline's code
    case_type       text        NOT NULL,   -- as at the round's closing, else the latest
    class           text        NOT NULL,   -- the class of the case
    department      text        NOT NULL,   -- who is charged; `-` where nobody is
    role            text        NOT NULL,   -- lead, co, sub
    measure         text        NOT NULL,   -- `each.close.met`, `received`, …
    value           bigint      NOT NULL CHECK (value <> 0)  -- what a batch changed
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
        autovacuum_vacuum_insert_threshold = -1);

CREATE TABLE tallies (
    basis           text        NOT NULL,   -- as above
    day             date        NOT NULL,
    hotline         text        NOT NULL,
    case_type       text        NOT NULL,
    class           text        NOT NULL,
    department      text        NOT NULL,
    role            text        NOT NULL,
    measure         text        NOT NULL,
    value           bigint      NOT NULL,   -- the sum of all deltas merged so far; never 0
    -- A rate asks for a few measures of one basis over some days.
    PRIMARY KEY (basis, measure, day, department, hotline, case_type, class, role)
) WITH (fillfactor = 80);
