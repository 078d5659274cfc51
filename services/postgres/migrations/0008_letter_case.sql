-- An event is named by source and id within its case.
ALTER TABLE dead_letters ADD COLUMN case_id text COLLATE "C";  -- the case of the event refused, where its source is known
