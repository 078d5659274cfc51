-- Closure records: what was decided about a case, as bytes that are never written again. The closure log seals them.

CREATE TABLE closure_records (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- about the order of writing, with gaps
    case_id         text        COLLATE "C",  -- null: it is not about a case
    kind            text        NOT NULL,   -- closed, reopened, rated, ruled, …
    written_at      timestamptz NOT NULL,   -- the caller's clock, as the record says it too
    leaf            bytea       NOT NULL    -- the record: canonical bytes, exactly those that the log hashes
) WITH (toast_tuple_target = 8160);         -- nearly all records stay within their row

-- They are compact and read whole.
ALTER TABLE closure_records ALTER COLUMN leaf SET STORAGE EXTERNAL;
CREATE INDEX closure_records_case ON closure_records (case_id) WHERE case_id IS NOT NULL;

ALTER TABLE cases
    ADD COLUMN records        integer NOT NULL DEFAULT 0,      -- how many records of the case there are, standing ones apart
    ADD COLUMN judged         bigint,                          -- the first eight bytes of SHA-256 of what the last one says was decided; null: there is none
    ADD COLUMN recorded_whole boolean NOT NULL DEFAULT false,  -- some record holds all facts of the case
    ADD COLUMN personal_count integer NOT NULL DEFAULT 0,      -- events whose personal part has a commitment
    ADD COLUMN personal_chain bytea   CHECK (octet_length(personal_chain) = 32);  -- the chain of those commitments; null: there is none

ALTER TABLE personal
    ADD COLUMN place          integer;                         -- the event's place in the chain of commitments, from 1 on; null: it came before there were any

ALTER TABLE rulebooks
    ADD COLUMN recorded       boolean NOT NULL DEFAULT false;  -- there is a closure record of its activation
