-- What this database is, and by which rules it judges.

CREATE TABLE installation (
    one             boolean     PRIMARY KEY DEFAULT true CHECK (one),  -- there is exactly one row
    id              text        NOT NULL,   -- random, 32 hexadecimal digits; names this installation for ever
    created_at      timestamptz NOT NULL,   -- when the first role started on this database
    key_check       bytea       NOT NULL,   -- derived from the master key: another key is refused at start
    tag_key_id      text        NOT NULL    -- derived from the key of the content tags kept with the facts
);

CREATE TABLE rulebooks (
    seq             bigint      PRIMARY KEY CHECK (seq > 0),  -- 1, 2, 3 …; the highest is active
    hash            text        NOT NULL,   -- SHA-256 over the files, in hexadecimal: its name
    files           bytea       NOT NULL,   -- all its files: paths and contents, each with its length before it
    activated_at    timestamptz NOT NULL    -- when it became the active one
);

CREATE TABLE refolds (
    rulebook_seq    bigint      NOT NULL REFERENCES rulebooks (seq),  -- the rulebook under which cases are folded again
    fold_version    integer     NOT NULL,   -- … and the program's fold
    started_at      timestamptz NOT NULL,   -- when the pass began
    after_case      text        NOT NULL COLLATE "C",  -- every case up to this one is done: where to go on
    cases           bigint      NOT NULL,   -- cases folded again so far
    restated        bigint      NOT NULL,   -- … of which so many had a settled result changed
    done_at         timestamptz,            -- when the pass was through; null while bulletins must not be published
    PRIMARY KEY (rulebook_seq, fold_version)
);
