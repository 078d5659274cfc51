-- What Kafka asks for: an event's outcome is found by its key, also where it was refused.

-- The first 16 bytes of SHA-256(source, 0, id) of the event refused; null where it could not be told.
ALTER TABLE dead_letters ADD COLUMN event_key bytea;

CREATE INDEX dead_letters_event ON dead_letters (event_key) WHERE event_key IS NOT NULL;
