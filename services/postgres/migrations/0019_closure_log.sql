-- The closure log: closure records in one sequence under a Merkle tree (RFC 6962), kept as tiles (C2SP tlog-tiles), and the
-- signed statements of how large it was and which root it had. Only the sealer writes here, in the order of the log.

-- A record is an entry of a tile with its length in two bytes before it.
ALTER TABLE closure_records ADD CONSTRAINT closure_records_leaf_fits CHECK (octet_length(leaf) <= 65535);

-- The log in force. A log is never continued after another has begun.
CREATE TABLE log_state (
    one             boolean     PRIMARY KEY DEFAULT true CHECK (one),
    log             integer     NOT NULL CHECK (log > 0),   -- from 1; the next after each `hotline audit relog`
    origin          text        NOT NULL,   -- the name of this log in everything that is signed
    epoch           bigint      NOT NULL,   -- raised by whoever begins to seal: whoever sealed before seals no more
    size            bigint      NOT NULL CHECK (size >= 0), -- leaves in the tree
    root            bytea       NOT NULL CHECK (octet_length(root) = 32),
    settled_to      bigint      NOT NULL    -- every record up to this id is in the log, and none can come any more
);

-- Which record is which leaf. No foreign key: it would write to every record that is sealed, and `hotline audit check` looks.
CREATE TABLE closure_seals (
    log             integer     NOT NULL,
    leaf_index      bigint      NOT NULL CHECK (leaf_index >= 0),   -- without gaps
    record_id       bigint      NOT NULL,
    PRIMARY KEY (log, leaf_index),
    UNIQUE (log, record_id)
);

-- The tree: up to 256 consecutive hashes of a level. A tile grows to its right until it is full, then it stays; a narrower
-- tile is the beginning of the wider one.
CREATE TABLE log_tiles (
    log             integer     NOT NULL,
    level           smallint    NOT NULL CHECK (level BETWEEN 0 AND 7),     -- 0: hashes of leaves; n: roots of full tiles of n - 1
    tile_index      bigint      NOT NULL CHECK (tile_index >= 0),
    width           smallint    NOT NULL CHECK (width BETWEEN 1 AND 256),
    data            bytea       NOT NULL CHECK (octet_length(data) = 32 * width),
    PRIMARY KEY (log, level, tile_index)
);
ALTER TABLE log_tiles ALTER COLUMN data SET STORAGE EXTERNAL;

-- What was signed: C2SP checkpoints, as signed notes.
CREATE TABLE log_checkpoints (
    log             integer     NOT NULL,
    size            bigint      NOT NULL,
    signed_at       timestamptz NOT NULL,
    note            text        NOT NULL,   -- with the signature of the log
    PRIMARY KEY (log, size)
);

-- What witnesses answered: signature lines that belong under the note of that size.
CREATE TABLE log_cosignatures (
    log             integer     NOT NULL,
    size            bigint      NOT NULL,
    witness         text        NOT NULL,   -- the name in its key
    cosigned_at     timestamptz NOT NULL,   -- by its own clock
    line            text        NOT NULL,
    PRIMARY KEY (log, size, witness),
    FOREIGN KEY (log, size) REFERENCES log_checkpoints (log, size)
);
