-- Closure records: what was decided about a case, as bytes that are never written again. The closure log seals them.

CREATE TABLE closure_records (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- about the order of writing, with gaps
    case_id         text        COLLATE "C",  -- null: it is not about a case
    kind            text        NOT NULL,   -- closed, reopened, rated, ruled, …
    written_at      timestamptz NOT NULL,
    leaf            bytea       NOT NULL    -- the record: canonical bytes, exactly those that the log hashes
);

-- They are compact and read whole.
ALTER TABLE closure_records ALTER COLUMN leaf SET STORAGE EXTERNAL;
CREATE INDEX closure_records_case ON closure_records (case_id) WHERE case_id IS NOT NULL;
