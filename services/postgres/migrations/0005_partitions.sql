-- What came with Kafka: the outcome of an event is asked for by its key; updates of cases stay within their page.

-- The first 16 bytes of SHA-256(source, 0, id) of the event refused; null where it could not be told.
ALTER TABLE dead_letters ADD COLUMN event_key bytea;

CREATE INDEX dead_letters_event ON dead_letters (event_key) WHERE event_key IS NOT NULL;

-- Whether some clock runs changes twice in a case's life, the number of clocks with many events: an index that asks
-- for the number kept most updates from staying within their page.
ALTER TABLE cases ADD COLUMN clocks_run boolean NOT NULL DEFAULT false;  -- its score depends on the time of asking
UPDATE cases SET clocks_run = open_clocks > 0;
DROP INDEX cases_open_clocks;
ALTER TABLE cases DROP COLUMN open_clocks;
CREATE INDEX cases_clocks_run ON cases (case_id) WHERE clocks_run;
