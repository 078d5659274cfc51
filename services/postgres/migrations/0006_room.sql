-- A case grows to several times what it was when it came: a page that is filled with new cases cannot hold them when they
-- are closed, and every row that must move to another page is written into all indexes again. A page that keeps three
-- quarters free is about full when its cases are closed. It counts for pages to come.
ALTER TABLE cases SET (fillfactor = 25);

-- Codes are compared byte by byte, whatever the language of the database: its rules for words would make every step down
-- the index many times as dear.
ALTER TABLE tallies
    ALTER COLUMN basis TYPE text COLLATE "C", ALTER COLUMN hotline TYPE text COLLATE "C",
    ALTER COLUMN case_type TYPE text COLLATE "C", ALTER COLUMN class TYPE text COLLATE "C",
    ALTER COLUMN department TYPE text COLLATE "C", ALTER COLUMN role TYPE text COLLATE "C",
    ALTER COLUMN measure TYPE text COLLATE "C";
ALTER TABLE tally_deltas
    ALTER COLUMN basis TYPE text COLLATE "C", ALTER COLUMN hotline TYPE text COLLATE "C",
    ALTER COLUMN case_type TYPE text COLLATE "C", ALTER COLUMN class TYPE text COLLATE "C",
    ALTER COLUMN department TYPE text COLLATE "C", ALTER COLUMN role TYPE text COLLATE "C",
    ALTER COLUMN measure TYPE text COLLATE "C";

-- An event is named by source and id within its case.
ALTER TABLE dead_letters ADD COLUMN case_id text COLLATE "C";  -- the case of the event refused, where its source is known
