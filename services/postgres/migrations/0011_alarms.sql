-- Time acts: what was told of deadlines, and what receivers are sent.

ALTER TABLE cases
    ADD COLUMN ladder bigint  NOT NULL DEFAULT 0,      -- a hash of the alarms that are true of it; 0 where there are none
    ADD COLUMN told   boolean NOT NULL DEFAULT false;  -- an alarm that was raised stands

-- What was done about each rung. Append-only; rates never read it.
CREATE TABLE alarms (
    case_id         text        NOT NULL COLLATE "C",
    alarm           text        NOT NULL COLLATE "C",  -- the name of rung and deadline within the case
    n               smallint    NOT NULL,   -- odd: raised or missed, even: withdrawn
    telling         text        NOT NULL CHECK (telling IN ('raised', 'missed', 'withdrawn')),
    why             text,                   -- of a withdrawal: deadline_moved, stopped, …
    told_at         timestamptz NOT NULL,   -- when it was done
    round           integer     NOT NULL,   -- from here on: the rung; the case was opened so often
    stage           text        NOT NULL,
    tier            text        NOT NULL,   -- statutory, promise
    custody         bytea,                  -- the key of the dispatch that opened it; null: a clock of the case
    rung            integer     NOT NULL,   -- place in the policy's ladder
    due_at          timestamptz NOT NULL,   -- the deadline that it speaks of
    fell_due_at     timestamptz NOT NULL,   -- when the rung fell due
    deliver_at      timestamptz NOT NULL,   -- … and when it could be told
    level           text        NOT NULL,   -- notice, warning, breach, escalation
    department      text,                   -- who is told; null where nobody answers
    CHECK ((n % 2 = 0) = (telling = 'withdrawn')),
    PRIMARY KEY (case_id, alarm, n)
);

-- What receivers are sent. Rows are added by whoever decides and numbered by the relay once they are committed; they go
-- after a month.
CREATE TABLE notices (
    seq             bigint      GENERATED ALWAYS AS IDENTITY,  -- the order in which they were written
    notice_id       bytea       PRIMARY KEY,  -- what receivers know it by
    number          bigint      UNIQUE,     -- 1, 2, 3 … without a gap; null until the relay has seen it
    written_at      timestamptz NOT NULL,
    kind            text        NOT NULL,   -- raised, withdrawn, dispatched, dispatch_withdrawn
    case_id         text        NOT NULL COLLATE "C",
    department      text        NOT NULL,   -- whom it concerns; `-`: nobody
    event           text        NOT NULL    -- the CloudEvent, without anything personal
);

CREATE INDEX notices_waiting ON notices (seq) WHERE number IS NULL;
CREATE INDEX notices_department ON notices (department, number);
CREATE INDEX notices_written ON notices (written_at);
