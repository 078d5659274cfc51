-- How far each receiver of notices has been told.

CREATE TABLE deliveries (
    receiver        text        PRIMARY KEY,   -- `kafka`, or the name of a webhook
    epoch           bigint      NOT NULL,      -- who took it over last writes; everybody before is fenced
    number          bigint      NOT NULL,      -- of the last notice that is settled: delivered, given up, or not for it
    held_until      timestamptz NOT NULL,      -- nobody else takes it over before
    delivered       bigint      NOT NULL DEFAULT 0,
    moved_at        timestamptz NOT NULL       -- when `number` moved last
);

-- What was given up. Whoever mends the receiver sends it again.
CREATE TABLE undelivered (
    receiver        text        NOT NULL,
    number          bigint      NOT NULL,      -- of `notices`
    given_up_at     timestamptz NOT NULL,
    why             text        NOT NULL,      -- what the receiver answered last, or why it could not be reached
    again           boolean     NOT NULL DEFAULT false,  -- somebody asked for it to be sent again
    PRIMARY KEY (receiver, number)
);
