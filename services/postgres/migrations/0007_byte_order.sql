-- Codes are compared byte by byte, whatever the language of the database: nobody asks for its order of words, and an
-- update of the system's language data must not spoil the index.
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
